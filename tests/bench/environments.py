"""Environments of their own for the programs that are measured: what their users have, and no tools beside it."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path


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
