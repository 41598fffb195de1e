"""One daemon for one state folder, on this machine; freed by the kernel however it ends. `store_hold` is for stores.

The lock is flock(2), on a file of the state folder and on the store's `.datebook` folder itself: no
lock file stands in the store, where a replicator would carry it to other people's machines.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.core.errors import DatebookError

_LOCKS = Path("/proc/locks")


class AlreadyRunning(DatebookError):
    """Another process has it: `pid` (None where this system doesn't say) and the `place` that is locked."""

    what_to_do = "If it is the daemon, commands go through it; end it before you start another."

    def __init__(self, place: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{place} is in use by {who}.")
        self.place = place
        self.pid = pid


@contextmanager
def hold_state(lock: Path) -> Iterator[None]:
    """Hold the state folder by its lock file. Raises AlreadyRunning at once when another process has it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(handle, lock.parent)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def take_folder(folder: Path, store: Path) -> int:
    """Lock a folder of a store; the open handle that holds it. Raises AlreadyRunning, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _without_locks():
            _take(handle, store)
    except BaseException:
        os.close(handle)
        raise
    return handle


def holder(lock: Path) -> int | None:
    """The process that holds a state folder; None: nobody does, or this system doesn't say which one.

    Where the kernel lists its locks nothing is locked to find out, so that asking keeps nobody from starting.
    """
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if _LOCKS.exists():
            return _kernels_word(handle)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _own_word(handle)
    finally:
        os.close(handle)
    return None


@contextmanager
def _without_locks() -> Iterator[None]:
    """Some network folders know no locks; one person's two daemons then still meet at the state folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.EBADF}:
            raise


def _take(handle: int, place: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning(place, _pid_of_holder(handle)) from None


def _pid_of_holder(handle: int) -> int | None:
    return _kernels_word(handle) or _own_word(handle) or _who_has_it_open(handle)


def _kernels_word(handle: int) -> int | None:
    """Linux lists who holds which lock: `1: FLOCK  ADVISORY  WRITE 4711 fe:00:2146401 0 EOF`.

    btrfs numbers its devices otherwise there; then the inode and the holder's own word together decide.
    """
    info = os.fstat(handle)
    device = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    with suppress(OSError, ValueError, IndexError):
        held = (line.split() for line in _LOCKS.read_text().splitlines() if "->" not in line)  # those wait
        for _, kind, _, _, pid, place, *_ in held:
            same = place == device or (place.endswith(f":{info.st_ino}") and int(pid) == _own_word(handle))
            if kind == "FLOCK" and same:
                return int(pid) or None
    return None


def _own_word(handle: int) -> int | None:
    """What the holder of a state folder has written into its lock file."""
    with suppress(OSError, ValueError):
        pid = int(os.pread(handle, 32, 0))
        os.kill(pid, 0)
        return pid
    return None


def _who_has_it_open(handle: int) -> int | None:
    """Where the lock table doesn't tell: look at open files."""
    wanted = os.fstat(handle)
    with suppress(OSError):
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid() and _has_open(process, wanted):
                return int(process.name)
    return None


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        for each in (process / "fd").iterdir():
            with suppress(OSError):
                info = each.stat()
                if (info.st_dev, info.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    return False
