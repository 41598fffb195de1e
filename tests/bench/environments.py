"""Environments of their own for the programs that are measured: what their users have, and no tools beside it."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path

_GET_FLAGS, _SET_FLAGS, _TOP = 0x80086601, 0x40086602, 0x00020000  # ioctl_iflags(2): FS_TOPDIR_FL


def compile_all(python: Path, *folders: Path) -> None:
    """Compile what is installed in place, as installing it otherwise would."""
    command = [str(python), "-m", "compileall", "-q", *map(str, folders)]
    subprocess.run(command, check=True, env=environment())


def environment() -> dict[str, str]:
    """The environment of a program under measurement: it may keep its compiled files, as with its users."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def keep_runs_apart(folder: Path) -> None:
    """Have each run begin in a part of the disk of its own, where the file system can (ext4).

    It passes over every inode that was freed in the last minutes, one by one: a run that follows another one would pay
    up to 0.8 ms for each file that it makes.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    flags = array.array("l", [0])
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
        flags[0] |= _TOP
        fcntl.ioctl(descriptor, _SET_FLAGS, flags)
    except OSError:
        pass  # another file system
    finally:
        os.close(descriptor)


def install(home: Path, *what: str) -> Path:
    """An environment with what a user of a program has, and no tools beside it; its folder of commands.

    Remove the folder to have the latest versions fetched again.
    """
    commands, note = home / "bin", home / "installed"
    wanted = " ".join([str(home), *what])  # its commands name the folder: one that was moved is of no use
    if not note.exists() or note.read_text(encoding="utf-8") != wanted:
        print(f"making {home} ...", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(commands / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *what], check=True, stderr=subprocess.DEVNULL)
        note.write_text(wanted, encoding="utf-8")
    return commands
