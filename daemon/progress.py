"""Whether the workers make progress, and whether they shall end: what long work says and asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

LIMIT = timedelta(minutes=5)


class Progress:
    """Signs of life of threads at work. Safe to use from any thread.

    A worker is stuck when it has been at work for longer than `limit` without a `beat`. Long work calls
    `beat` for each item that it has read or written, and looks at `stopping` before it begins another.
    """

    def __init__(self, monotonic: Callable[[], float], *, limit: timedelta = LIMIT) -> None:
        self._monotonic = monotonic
        self._limit = limit.total_seconds()
        self._lock = threading.Lock()
        self._at_work: dict[int, tuple[str, float]] = {}
        self._stopping = threading.Event()

    def begin(self, name: str) -> None:
        """This thread begins a piece of work."""
        with self._lock:
            self._at_work[threading.get_ident()] = (name, self._monotonic())

    def beat(self) -> None:
        """This thread has got a step further."""
        me = threading.get_ident()
        with self._lock:
            known = self._at_work.get(me)
            if known is not None:
                self._at_work[me] = (known[0], self._monotonic())

    def end(self) -> None:
        """This thread's piece of work is done."""
        with self._lock:
            self._at_work.pop(threading.get_ident(), None)

    def stuck(self) -> tuple[str, ...]:
        """The names of the pieces of work that have not got further for too long."""
        now = self._monotonic()
        with self._lock:
            return tuple(name for name, last in self._at_work.values() if now - last > self._limit)

    @property
    def stopping(self) -> bool:
        """Whether to finish the write in hand and begin no other."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask all work to come to its end."""
        self._stopping.set()
