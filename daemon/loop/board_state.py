"""What the loop remembers of the look at the folder, and of each route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from daemon.core.errors import SyncError
from daemon.core.policy import Route
from daemon.loop.schedule import Timetable, fresh, poked
from daemon.passes import Synced


@dataclass(frozen=True, slots=True)
class LookOrder:
    """Look at these places (None: everywhere); `full` reads every file. `epoch` counts the setups."""

    places: frozenset[str] | None
    full: bool
    epoch: int


@dataclass(slots=True)
class LookState:
    """The look at the folder that is waiting, the one that runs, and what the last one said."""

    places: set[str] | None = field(default_factory=set)
    asked: bool = False
    full: bool = False
    again_at: float = inf
    again_wakes: frozenset[str] = frozenset()
    rescan_at: float = inf
    begun: int = 0
    ended: int = 0
    error: SyncError | None = None
    ok_once: bool = False
    changed: int = 0

    def due_at(self) -> float:
        """When the next look is due."""
        return -inf if self.asked else min(self.again_at, self.rescan_at)


@dataclass(slots=True)
class RouteState:
    """One route: its timetable, and what its passes did so far."""

    route: Route
    table: Timetable
    epoch: int = 0  # of the setup that the last pass was begun with
    begun: int = 0
    ended: int = 0
    wrote: int = 0
    read: int = 0
    files: int = 0
    last: Synced | None = None
    last_success: datetime | None = None
    since: datetime | None = None  # when it began to fail, or to succeed

    @property
    def running(self) -> bool:
        """Whether a pass over it is under way."""
        return self.begun > self.ended


def renewed(states: Mapping[str, RouteState], routes: Mapping[str, Route], now: float) -> dict[str, RouteState]:
    """The states under a new config: what is known of a route stays, and each of them is asked again."""
    found: dict[str, RouteState] = {}
    for name, route in routes.items():
        state = states.get(name)
        if state is None or state.route.account != route.account:
            state = RouteState(route, fresh(route.poll, now))
        elif state.route != route:
            state.route, state.table = route, poked(fresh(route.poll, now))
        else:
            state.table = poked(state.table)
        found[name] = state
    return found
