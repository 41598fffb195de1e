"""The config in force, ready to run, and how it is replaced while threads are still at work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from daemon.core.policy import Route
from daemon.passes import Passes


@dataclass(frozen=True, slots=True)
class Setup:
    """One config, ready to run. `close` is called when the last pass over it has ended after a reload."""

    passes: Passes
    routes: Mapping[str, Route]
    close: Callable[[], None] = lambda: None


@dataclass(slots=True, eq=False)
class _Lease:
    setup: Setup
    users: int = 0
    replaced: bool = False


class InForce:
    """The setup in force. Safe to use from any thread."""

    def __init__(self, setup: Setup) -> None:
        self._lock = Lock()
        self._lease = _Lease(setup)

    @contextmanager
    def use(self) -> Iterator[Passes]:
        """Work with the setup that is in force now, even if it is replaced meanwhile."""
        with self._lock:
            lease = self._lease
            lease.users += 1
        try:
            yield lease.setup.passes
        finally:
            with self._lock:
                lease.users -= 1
                unused = lease.replaced and lease.users == 0
            if unused:
                lease.setup.close()

    def replace(self, setup: Setup) -> None:
        """Put another setup in force; the old one is closed as soon as nobody works with it."""
        with self._lock:
            old, self._lease = self._lease, _Lease(setup)
            old.replaced = True
            unused = old.users == 0
        if unused:
            old.setup.close()
