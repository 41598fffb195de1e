"""A whole Datebook in one process: a real folder, a real journal, the engine, and a calendar in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition

from adapters.folder.file_marker import make_marker
from adapters.folder.file_store import FileStore
from adapters.memory.memory_store import MemoryStore
from daemon.core.model import Activity
from daemon.core.policy import Backlog, Route, Since
from daemon.core.routing import route_for
from daemon.core.store import Marker, Store
from daemon.engine import Engine, Surroundings
from daemon.journal import Journal
from daemon.passes import Looked, Synced
from tests.servers.store_folder import StoreFolder

ZONE = "Europe/Helsinki"
ME = "me@example.com"
TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass(slots=True)
class HandClock:
    """A clock that a test turns by hand."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def wait(self, condition: Condition, timeout: float | None) -> None:
        del condition
        self.at += timedelta(seconds=timeout or 0)

    def pass_by(self, **lengths: float) -> None:
        self.at += timedelta(**lengths)


def route(name: str = "work", **orders: object) -> Route:
    """A route as tests want it: everything in, nothing asked."""
    return Route(name, "home", **{"since": Since.ALL, "backlog": Backlog.IMPORT, **orders})  # type: ignore[arg-type]  # orders are fields of Route


@dataclass(slots=True)
class World(StoreFolder):
    """`calendars` by route name; `pass_()` looks at the folder and passes over every route."""

    root: Path
    routes: Mapping[str, Route] = field(default_factory=lambda: {"work": route()})
    calendars: dict[str, Store] = field(default_factory=dict)
    clock: HandClock = field(default_factory=HandClock)
    own: frozenset[str] = frozenset({ME})
    wrap: Callable[[Store], Store] = lambda store: store
    journal: Journal = field(init=False)
    folder: FileStore = field(init=False)
    engine: Engine = field(init=False)
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.store.mkdir(parents=True, exist_ok=True)
        for name in self.routes:
            self.calendars.setdefault(name, MemoryStore(clock=self.clock.now))
        self.folder = FileStore(self.store, zone=ZONE, clock=self.clock.now, types=TYPES)
        if self.folder.marker() is None:
            make_marker(self.store, Marker("store-1", ZONE))
        self.start()

    def start(self) -> None:
        """Open the journal and build the engine, as a restart does."""
        self.journal = Journal(self.root / "journal.db")
        routes = tuple(self.routes.values())

        def choose(activity: Activity, came_from: str | None, stands_on: str | None) -> object:
            users = dict.fromkeys(self.routes, ME)
            homes = {"came_from": came_from, "stands_on": stands_on}
            return route_for(activity, routes, users=users, owner=ME, shared=False, **homes)

        around = Surroundings(
            routes=self.routes,
            open_store=lambda name: self.wrap(self.calendars[name]),
            own=lambda _route: self.own,
            router=choose,  # type: ignore[arg-type]  # orders are fields of Route
            zone=ZONE,
            types=TYPES,
            shared=False,
            check_store=lambda: None,
            closet=self.folder,
            account_of=lambda _route: frozenset(),
            new_id=lambda: f"id-{next(self._ids):06d}",
        )
        self.engine = Engine(self.folder, self.journal, self.clock, around)

    def restart(self) -> None:
        """What a daemon that was ended and started again knows."""
        self.journal.close()
        self.start()

    def pass_(self, *, full: bool = False) -> dict[str, Synced]:
        looked: Looked = self.engine.look(None, full=full)
        assert looked.error is None, looked.error
        return {name: self.engine.sync(name, poll=True) for name in self.routes}

    def settle(self) -> None:
        """Pass until nothing is done any more."""
        for _ in range(6):
            results = self.pass_()
            errors = [result.error for result in results.values() if result.error]
            assert not errors, errors
            if not any(result.wrote or result.read for result in results.values()):
                return
        raise AssertionError("it does not come to rest")
