"""Watches the store: file-system events become one debounced wake-up that names places.

It tells only *where* to look, never what happened there, and it is a hint: the loop looks at the whole
folder every so often anyway. The store may be missing, on a network file system, or too large for the
kernel's limits; the watcher says so, does what it can, and sets its watches again when it can.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path, PurePosixPath
from threading import Condition, Thread

import structlog

from daemon.clock import Clock
from daemon.watch.gathering import Gathering
from daemon.watch.mounts import is_shared, kind_of_mount

if sys.platform == "linux":
    from daemon.watch.inotify import Tree

_log = structlog.get_logger("datebook.watch")

# Told with relative paths, or with None: look everywhere.
Tell = Callable[[frozenset[str] | None], None]


class How(Enum):
    """How the watcher learns of changes now."""

    EVENTS = "events"  # the kernel tells
    POLLING = "polling"  # the whole folder is looked at every few seconds
    BOTH = "both"  # the kernel tells of this machine's changes, polling finds those of others
    NOT_THERE = "not there"  # there is no folder to watch


@dataclass(frozen=True, slots=True)
class Watching:
    """What the watcher does and, where that is less than it should, why, and the cure."""

    how: How
    code: str = ""
    message: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the watcher does what no event asks for."""

    check: timedelta = timedelta(seconds=2)  # is the store still the folder that is watched?
    scan: timedelta = timedelta(seconds=5)  # where there are no events, or not all of them
    retry: timedelta = timedelta(minutes=10)  # after a limit was reached: has it been raised?


_Identity = tuple[str, int, int]  # resolved path, device, inode


class Watcher:
    """One thread that watches one store, from `start` to `stop`; `tell` is called on that thread, and by `start`."""

    def __init__(
        self,
        store: Path,
        tell: Tell,
        *,
        clock: Clock,
        rhythm: Rhythm = Rhythm(),
        kind_of: Callable[[Path], str] | None = None,
    ) -> None:
        self._store = store
        self._tell = tell
        self._clock = clock
        self._rhythm = rhythm
        self._kind_of = kind_of or kind_of_file_system
        self._changed = Condition()
        self._gathering = Gathering()
        self._tree: Tree | None = None
        self._identity: _Identity | None = None
        self._suspect = True  # the watches may be worth nothing: check at once
        self._limit: OSError | None = None
        self._stopping = False
        self._check_at = self._scan_at = self._retry_at = 0.0
        self._watching = Watching(How.NOT_THERE)
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    @property
    def watching(self) -> Watching:
        """What it does now; read by the status, from any thread."""
        return self._watching

    def start(self) -> None:
        """Set the watches and begin to tell; when it returns, no later change is missed."""
        self._check(self._clock.monotonic())
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing more and give the watches back."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._close_tree()

    # What the reader of the kernel's queue tells, on its own thread.

    def touched(self, place: str, *, settled: bool) -> None:
        """Something happened to this file."""
        with self._changed:
            self._gathering.add(place, self._clock.monotonic(), settled=settled)
            self._changed.notify_all()

    def lost(self) -> None:
        """Something happened, and it is not known where."""
        with self._changed:
            self._gathering.add_everywhere(self._clock.monotonic())
            self._changed.notify_all()

    def root_gone(self) -> None:
        """The store was moved, deleted or unmounted."""
        with self._changed:
            self._suspect = True
            self._changed.notify_all()

    def limit_reached(self, error: OSError) -> None:
        """A folder of the store can't be watched."""
        with self._changed:
            self._suspect = True
            self._limit = error
            self._changed.notify_all()

    # The watcher's own thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                now = self._clock.monotonic()
                if self._stopping:
                    return
                places = self._gathering.take(now)
                checking = self._suspect or now >= self._check_at
                nothing_to_do = places is not None and not places and not checking
                if nothing_to_do:
                    self._clock.wait(self._changed, self._wait_for(now))
            if places is None or places:
                self._tell(places)
            if checking:
                self._check(now)

    def _wait_for(self, now: float) -> float:
        due = self._gathering.due()
        until = self._check_at if due is None else min(due, self._check_at)
        return max(0.0, until - now)

    def _check(self, now: float) -> None:
        """Compare the folder that is watched with the one that is there; set the watches anew if need be."""
        with self._changed:
            self._check_at = now + self._rhythm.check.total_seconds()
            suspect, self._suspect = self._suspect, False
            limit, self._limit = self._limit, None
        there = _identity_of(self._store)
        if limit is not None and there is not None:
            self._close_tree()
            self._poll_because(limit, now)
            self._tell(None)
        elif suspect or there != self._identity or self._has_died() or self._may_try_again(now):
            self._begin(there, now)
            self._tell(None)
        if self._watching.how in {How.POLLING, How.BOTH} and now >= self._scan_at:
            self._scan_at = now + self._rhythm.scan.total_seconds()
            self._tell(None)

    def _has_died(self) -> bool:
        return self._tree is not None and not self._tree.is_alive()

    def _may_try_again(self, now: float) -> bool:
        return self._watching.code in _LIMIT_CODES and now >= self._retry_at

    def _begin(self, there: _Identity | None, now: float) -> None:
        self._close_tree()
        self._identity = there
        if there is None:
            self._say(
                Watching(How.NOT_THERE, "store_missing", "the store is not there", "bring its disk or folder back")
            )
            return
        if sys.platform != "linux":
            self._say(Watching(How.POLLING))
            return
        try:
            self._tree = Tree(there[0], self)
        except (FileNotFoundError, NotADirectoryError):
            self._identity = None  # it went away just now: the next check says so
            return
        except OSError as error:
            self._poll_because(error, now)
            return
        shared = is_shared(self._kind_of(Path(there[0])))
        self._say(_SHARED if shared else Watching(How.EVENTS))

    def _poll_because(self, error: OSError, now: float) -> None:
        self._retry_at = now + self._rhythm.retry.total_seconds()
        self._say(_reason_to_poll(error))

    def _close_tree(self) -> None:
        if self._tree is not None:
            self._tree.close()
            self._tree = None

    def _say(self, watching: Watching) -> None:
        """Log a change of how the store is watched, once."""
        if watching == self._watching:
            return
        before, self._watching = self._watching, watching
        if watching.code:
            _log.warning("watch_degraded", how=watching.how.value, code=watching.code, cure=watching.cure)
        elif before.code:
            _log.info("watch_restored", how=watching.how.value)


_SHARED = Watching(
    How.BOTH,
    "network_file_system",
    "the store is on a network file system: changes made on other machines are found by looking every few seconds",
    "none needed; on a local disk changes are found at once",
)
_LIMIT_CODES = frozenset({"inotify_watches", "inotify_instances", "not_watchable"})


def _reason_to_poll(error: OSError) -> Watching:
    if error.errno == errno.ENOSPC:
        return Watching(
            How.POLLING,
            "inotify_watches",
            "the store has more folders than the kernel lets be watched: it is looked at every few seconds instead",
            "raise fs.inotify.max_user_watches, for instance: sudo sysctl fs.inotify.max_user_watches=524288"
            " (and the same line in /etc/sysctl.d/ to keep it)",
        )
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return Watching(
            How.POLLING,
            "inotify_instances",
            "too many programs of this user watch files: the store is looked at every few seconds instead",
            "raise fs.inotify.max_user_instances, for instance: sudo sysctl fs.inotify.max_user_instances=512"
            " (and the same line in /etc/sysctl.d/ to keep it)",
        )
    return Watching(
        How.POLLING,
        "not_watchable",
        f"the store can't be watched ({error.strerror or 'unknown reason'}): it is looked at every few seconds instead",
        "see that its user may read the store's folder",
    )


def _identity_of(store: Path) -> _Identity | None:
    """Which folder the store is now, its links resolved; None: there is none that can be reached."""
    try:
        resolved = os.path.realpath(store, strict=True)
        found = os.stat(resolved)  # noqa: PTH116  text in, text out
    except OSError:
        return None
    return resolved, found.st_dev, found.st_ino


def kind_of_file_system(path: Path) -> str:
    """The kind of file system that a resolved path is on, as the kernel says; "" when it does not."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return kind_of_mount(table, PurePosixPath(path))
