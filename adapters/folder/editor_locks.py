"""Which editor holds a file open, by the lock that it leaves beside the file; locks of dead editors do not count."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_VIM_SUFFIXES = ("swp", "swo", "swn")
_VIM_HEADER = 108  # up to b0_fname: id[2] version[10] page_size[4] mtime[4] ino[4] pid[4] uname[40] hname[40]
_PID = slice(24, 28)
_HOST = slice(68, 108)
_EMACS = re.compile(r"(?P<user>.*)@(?P<host>[^@]*?)\.(?P<pid>\d+)(?::\d+)?", re.DOTALL)


def quiet_folders(root: Path, folders: Iterable[str], *, swap_folders: tuple[Path, ...] = ()) -> frozenset[str]:
    """Those of these folders in which no editor has left any lock: of their files none need be asked for."""
    if any(_names(str(swaps)) != [] for swaps in swap_folders):
        return frozenset()
    return frozenset(folder for folder in folders if _has_no_locks(_names(f"{root}/{folder}")))


def _has_no_locks(names: list[str] | None) -> bool:
    return names is not None and not any(
        name.startswith((".#", ".~lock.")) or (name.startswith(".") and name.endswith(_VIM_SUFFIXES)) for name in names
    )


def _names(folder: str) -> list[str] | None:
    """The names in a folder, none where it is not there; None where nobody can say."""
    try:
        return os.listdir(folder)  # noqa: PTH208  names alone, of many files
    except FileNotFoundError:
        return []
    except OSError:
        return None


def held_by(root: Path, path: str, *, host: str, swap_folders: tuple[Path, ...] = ()) -> str:
    """The editor that holds a file open, in words; "" when none does. `host` is this machine's name.

    Beside the file: vim's `.NAME.swp`, Emacs's `.#NAME`, LibreOffice's `.~lock.NAME#`. Neovim keeps its swap
    files in a folder of their own, named by the whole path.
    """
    parent, _, name = path.rpartition("/")
    folder = f"{root}/{parent}" if parent else str(root)
    for suffix in _VIM_SUFFIXES:
        if _vim_lives(f"{folder}/.{name}.{suffix}", host):
            return "vim"
    whole = str(root / path).replace("/", "%")
    for swaps in swap_folders:
        if any(_vim_lives(f"{swaps}/{whole}.{suffix}", host) for suffix in _VIM_SUFFIXES):
            return "neovim"
    if _emacs_lives(f"{folder}/.#{name}", host):
        return "Emacs"
    return "LibreOffice" if os.path.lexists(f"{folder}/.~lock.{name}#") else ""


def _vim_lives(swap: str, host: str) -> bool:
    try:
        descriptor = os.open(swap, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:  # it is there and can't be read: somebody else's editor
        return True
    with os.fdopen(descriptor, "rb") as file:
        try:
            header = file.read(_VIM_HEADER)
        except OSError:
            return True
    if not header.startswith(b"b0") or len(header) < _VIM_HEADER:
        return True  # vim makes the file before it fills it
    if header[_HOST].split(b"\0")[0].decode(errors="replace") != host:
        return True  # an editor on another machine: nothing can be said of its process
    return _process_lives(int.from_bytes(header[_PID], "little"), "vi")


def _emacs_lives(lock: str, host: str) -> bool:
    try:
        found = _EMACS.fullmatch(str(Path(lock).readlink()))
    except FileNotFoundError:
        return False
    except OSError:  # file systems without links: Emacs writes a file there
        return os.path.lexists(lock)
    if found is None or found["host"] != host:
        return True
    return _process_lives(int(found["pid"]), "emacs")


def _process_lives(pid: int, program: str) -> bool:
    """Whether the process is there, and can be that program: a number is given again after a crash."""
    if pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    with suppress(OSError):
        return program in Path(f"/proc/{pid}/comm").read_text(errors="replace")
    return True
