"""One daemon for one store on this machine, in a way that lets its user take the disk out.

A store is held under a name that the kernel keeps for as long as the process lives: an abstract socket (unix(7)), named
for the device and inode of the store's `.datebook` folder. Where the store can't be unmounted under a running daemon
anyway, since the state folder is on the same disk, the folder itself is locked besides (flock(2)), which is seen across
containers, too; on a disk of its own an open handle would make `umount` say that it is busy.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.lock import AlreadyRunning, take_folder

_Identity = tuple[int, int]
_ASKERS = 64  # processes that ask for our pid between two looks
_TRIES = 20_000  # while another process comes from its bind(2) to its listen(2): a fifth of a second at the most


class StoreHold:
    """Holds the store at a path, for as long as it stands there. Used by one thread at a time."""

    def __init__(self, store: Path, state: Path | None = None) -> None:
        """`state` is the folder of the journal; None: the store is held so briefly that nobody minds a handle."""
        self._store = store
        self._state = state
        self._identity: _Identity | None = None
        self._name: socket.socket | None = None
        self._handle = -1

    def move(self, store: Path) -> None:
        """Hold another store from the next `refresh` on."""
        self.release()
        self._store = store

    def refresh(self) -> None:
        """Hold the store that stands there now. Raises AlreadyRunning; OSError where it has no marker folder."""
        folder = self._store / ".datebook"
        try:
            identity = _identity_of(folder)
        except OSError:
            self.release()
            raise
        if identity != self._identity:
            self.release()
            self._take(folder, identity)
        elif self._name is not None:
            _dismiss_askers(self._name)

    def release(self) -> None:
        """Let go of it."""
        self._identity = None
        if self._name is not None:
            self._name.close()
            self._name = None
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _take(self, folder: Path, identity: _Identity) -> None:
        try:
            # The name first: whoever has it tells its pid, whoever looks only in passing has no lock yet.
            self._name = _named(identity, self._store)
            self._handle = take_folder(folder, self._store)
            self._identity = identity
        except BaseException:
            self.release()
            raise
        if self._name is not None and self._is_on_a_disk_of_its_own(identity):
            os.close(self._handle)
            self._handle = -1

    def _is_on_a_disk_of_its_own(self, identity: _Identity) -> bool:
        return self._state is not None and self._state.stat().st_dev != identity[0]


@contextmanager
def hold_store(store: Path) -> Iterator[None]:
    """Hold a store for one command. Raises AlreadyRunning; OSError where it has no marker folder."""
    hold = StoreHold(store)
    hold.refresh()
    try:
        yield
    finally:
        hold.release()


def _identity_of(folder: Path) -> _Identity:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _named(identity: _Identity, store: Path) -> socket.socket | None:
    """The name that stands for a store; None where this system has no such names. Raises AlreadyRunning."""
    if sys.platform != "linux":
        return None
    name = "\0datebook/store/{:x}:{:x}".format(*identity)
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        taken.bind(name)
        taken.listen(_ASKERS)
        taken.setblocking(False)  # noqa: FBT003  the library's word
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise AlreadyRunning(store, _pid_behind(name)) from None
        return None
    return taken


def _pid_behind(name: str) -> int | None:
    """The process that has a name; None where the kernel does not say (in another container)."""
    if sys.platform != "linux":
        return None
    for _ in range(_TRIES):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker, suppress(OSError):
            asker.setblocking(False)  # noqa: FBT003  the library's word
            asker.connect(name)
            pid, _, _ = struct.unpack("3i", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return int(pid) or None
        os.sched_yield()
    return None


def _dismiss_askers(name: socket.socket) -> None:
    with suppress(OSError):
        while True:
            name.accept()[0].close()
