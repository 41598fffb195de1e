"""inotify watches over a whole folder, on watchdog's reader of the kernel's queue.

watchdog's Observer hides two things that a daemon has to know: that the queue overflowed (events are
lost: it logs a line), and that a watch could not be set (the limit is reached: it goes on in silence);
and it asks for opens and reads, so that our own reading would fill the queue. So this stands one step
below the Observer, on `InotifyFD`.
"""

from __future__ import annotations

import errno
import os
from threading import RLock
from typing import Protocol

import structlog
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from daemon.watch.watch_names import OWN_FOLDER, held_name, is_activity_name, is_watched_folder

_log = structlog.get_logger("datebook.watch")

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_ATTRIB  # a file or folder that becomes readable again
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
    | InotifyConstants.IN_EXCL_UNLINK
)
_LIMITS = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_NONE = WatchDescriptor(-1)  # watchdog's answer to EACCES
_OURS = CallbackId(1)  # one Tree, one InotifyFD, one callback for each watch


class Listener(Protocol):
    """Who is told, on the reader's thread: it must return soon, or the kernel's queue overflows."""

    def touched(self, place: str, *, settled: bool) -> None:
        """Something happened to this file; not `settled`: it is being written."""

    def lost(self) -> None:
        """Something happened, and the folder itself must say where."""

    def root_gone(self) -> None:
        """The root was moved, deleted or unmounted."""

    def limit_reached(self, error: OSError) -> None:
        """A folder can't be watched any more: what happens there will not be told."""


class Tree(WatchCallback):
    """Watches a folder and all below it. Raises OSError where that can't be (limits, no such folder)."""

    def __init__(self, root: str, listener: Listener) -> None:
        self._root = root
        self._listener = listener
        self._lock = RLock()
        self._folders: dict[WatchDescriptor, str] = {}  # relative, "" is the root
        self._watches: dict[str, WatchDescriptor] = {}
        self._closed = False
        self._fd = InotifyFD()
        self._fd.start()
        try:
            self._watch("")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Stop telling, and give the watches back."""
        with self._lock:
            self._closed = True
            self._folders.clear()
            self._watches.clear()
        self._fd.stop()
        self._fd.join()

    def is_alive(self) -> bool:
        """Whether the kernel's queue is still being read."""
        return self._fd.is_alive()

    def on_event(self, event: InotifyEvent) -> None:
        """Sort one event, on the reader's thread, which an exception would end."""
        with self._lock:
            folder = self._folders.get(event.wd)
        if folder is None:
            return
        try:
            self._sort(event, folder)
        except OSError as error:
            self._listener.limit_reached(error)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """A watched folder was deleted, or its file system unmounted."""
        with self._lock:
            folder = self._folders.pop(wd, None)
            if folder is not None and self._watches.get(folder) == wd:
                del self._watches[folder]
        if folder == "":
            self._listener.root_gone()

    def on_queue_overflow(self) -> None:
        """Events are lost, those of new folders among them: set all watches anew, then have all looked at."""
        with self._lock:
            if self._closed:
                return
            self._forget("")
        _log.warning("watch_overflow", answer="the whole store is looked at", cure="raise fs.inotify.max_queued_events")
        try:
            self._watch("")
        except OSError as error:
            self._after_failure(error)
        self._listener.lost()

    def _after_failure(self, error: OSError) -> None:
        if error.errno in _LIMITS:
            self._listener.limit_reached(error)
        else:
            self._listener.root_gone()

    def _sort(self, event: InotifyEvent, folder: str) -> None:
        if not event.name:
            self._sort_own(event, folder)
            return
        name = os.fsdecode(event.name)
        if event.mask & InotifyConstants.IN_ISDIR:
            self._sort_folder(event, _joined(folder, name), name)
        elif is_activity_name(name):
            being_written = event.is_modify or event.is_create
            self._listener.touched(_joined(folder, name), settled=not being_written)
        elif event.is_delete or event.is_moved_from:
            held = held_name(name)
            if held is not None:
                self._listener.touched(_joined(folder, held), settled=True)

    def _sort_own(self, event: InotifyEvent, folder: str) -> None:
        """Sort an event of a watched folder itself; its parent tells of all but the root."""
        gone = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
        if folder == "" and event.mask & gone:
            self._listener.root_gone()

    def _sort_folder(self, event: InotifyEvent, folder: str, name: str) -> None:
        if is_watched_folder(name):
            if event.is_delete or event.is_moved_from:
                with self._lock:
                    self._forget(folder)
            else:
                self._watch(folder)
            self._listener.lost()
        elif folder == OWN_FOLDER and not event.is_attrib:
            self._listener.lost()  # the marker came or went with it

    def _watch(self, top: str) -> None:
        """Watch a folder and those below it. Raises OSError at a limit, or when the root can't be watched."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            path = os.path.join(self._root, folder)  # noqa: PTH118  text in, text out: ten times a Path's speed
            try:
                self._watch_one(folder, path)
                waiting += _folders_in(path, folder)
            except OSError as error:
                # What is gone, unreadable or no folder any more is told by its parent's events.
                if folder == "" or error.errno in _LIMITS:
                    raise

    def _watch_one(self, folder: str, path: str) -> None:
        with self._lock:
            if self._closed or folder in self._watches:
                return
            wd = self._fd.add_callback(os.fsencode(path), _MASK, self, _OURS)
            if wd == _NONE:
                raise PermissionError(errno.EACCES, "may not be watched")
            self._folders[wd] = folder
            self._watches[folder] = wd

    def _forget(self, top: str) -> None:
        below = f"{top}/" if top else ""
        gone = [folder for folder in self._watches if folder == top or folder.startswith(below)]
        watches = [self._watches.pop(folder) for folder in gone]
        for wd in watches:
            self._folders.pop(wd, None)
        self._fd.remove_callbacks([(wd, _OURS) for wd in watches])


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _folders_in(path: str, folder: str) -> list[str]:
    with os.scandir(path) as entries:
        return [
            _joined(folder, entry.name)
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and is_watched_folder(entry.name)
        ]
