"""When a route is passed over: polls, wake-ups, back-off and stops, as pure decisions.

Moments are monotonic seconds, handed in, as is every random draw (0 to 1). A `Timetable` is all that
is remembered of one route; each event gives the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import assert_never

from daemon.core.errors import SignInNeeded, SyncError, Unavailable
from daemon.core.retry import AskUser, GiveUp, Later, retry

_ROUTE_RETRY = 3600.0  # a right may be granted, a calendar shared again: a service that one forgets about asks
_SOONEST = 0.5  # "again, at once" must not become a spin
_OVERDUE = 10.0
_JITTER = 0.1
_JUMP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after some seconds. `whole_account`: the service asks all of the account's routes to wait."""

    seconds: float
    whole_account: bool = False


@dataclass(frozen=True, slots=True)
class StopRoute:
    """Only its user can help this calendar; it is asked again after some seconds all the same."""

    seconds: float


@dataclass(frozen=True, slots=True)
class StopAccount:
    """Only its user can help this account: nothing is asked of it until a poke or a new secret."""


Answer = Wait | StopRoute | StopAccount


def answer_to(error: SyncError, failures: int, draw: float) -> Answer:
    """What a pass's error means for the time of the next one; `failures` counts this one, from 1."""
    if isinstance(error, SignInNeeded):
        return StopAccount()
    match retry(error, failures=failures, chance=draw):
        case Later(after):
            throttled = isinstance(error, Unavailable) and error.throttled
            return Wait(max(_SOONEST, after.total_seconds()), whole_account=throttled)
        case AskUser() | GiveUp():
            return StopRoute(_ROUTE_RETRY)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When one route is due, and how it fared.

    `woken`: files have something for it. `forced`: its user asked for a pass, which back-off does not delay.
    `not_before` holds back everything else; infinite: until a poke. `ordered`: it holds back its user's wish
    too, because the service said when, or because another wrong sign-in could lock the account.
    """

    poll: float
    poll_at: float
    woken: bool = False
    forced: bool = False
    again_at: float = inf
    not_before: float = -inf
    ordered: bool = False
    failures: int = 0
    ran_at: float = -inf
    error: SyncError | None = None

    def due_at(self) -> float:
        """The earliest moment at which it wants to run and may."""
        if self.forced and not self.ordered:
            return -inf
        wanted = -inf if self.woken or self.forced else min(self.poll_at, self.again_at)
        return max(wanted, self.not_before)


@dataclass(frozen=True, slots=True)
class Step:
    """Pass over this route now."""

    route: str
    poll: bool


def fresh(poll: timedelta, now: float) -> Timetable:
    """A route that was just configured is polled at once."""
    return Timetable(poll=poll.total_seconds(), poll_at=now)


def next_step(tables: Mapping[str, Timetable], now: float) -> Step | None:
    """Which of an account's routes to pass over now; None: none is due.

    Files go first, save that a poll which is overdue is not starved by them; then the longest rested.
    """
    due = [(name, table) for name, table in tables.items() if table.due_at() <= now]
    if not due:
        return None
    name, table = min(due, key=lambda item: (not _is_urgent(item[1], now), item[1].ran_at))
    return Step(name, poll=table.forced or table.poll_at <= now)


def next_moment(tables: Mapping[str, Timetable]) -> float:
    """When the next of an account's routes is due; infinite: only an event can make one due."""
    return min((table.due_at() for table in tables.values()), default=inf)


def _is_urgent(table: Timetable, now: float) -> bool:
    return table.woken or table.forced or now - table.poll_at > _OVERDUE


def begun(table: Timetable, *, poll: bool, now: float, draw: float) -> Timetable:
    """A pass begins: what it will see need not be told again; what happens from now on must be."""
    poll_at = now + table.poll * (1.0 - _JITTER + 2 * _JITTER * draw) if poll else table.poll_at
    return replace(table, woken=False, forced=False, again_at=inf, poll_at=poll_at, ran_at=now)


def succeeded(table: Timetable, again_at: float) -> Timetable:
    """A pass ended well."""
    return replace(table, failures=0, error=None, not_before=-inf, ordered=False, again_at=again_at)


def failed(table: Timetable, error: SyncError, answer: Answer, *, poll: bool, now: float, again_at: float) -> Timetable:  # noqa: PLR0913  what happened, when, and what it means
    """A pass failed: the same is done again when it may, the cursor having stayed where it was."""
    match answer:
        case Wait(seconds, whole_account):
            ordered = whole_account
            until = now + seconds
        case StopRoute(seconds):
            ordered = False
            until = now + seconds
        case StopAccount():
            ordered = True
            until = inf
        case _:
            assert_never(answer)
    return replace(
        table,
        failures=table.failures + 1,
        error=error,
        not_before=until,
        ordered=ordered,
        again_at=again_at,
        woken=True,
        poll_at=min(table.poll_at, until) if poll else table.poll_at,
    )


def held_back(table: Timetable, until: float) -> Timetable:
    """Another route of the account was told to slow down: so is this one."""
    return replace(table, not_before=max(table.not_before, until), ordered=True)


def woken(table: Timetable) -> Timetable:
    """Files have something for this route."""
    return replace(table, woken=True)


def forced(table: Timetable) -> Timetable:
    """Its user asks for a pass now."""
    return replace(table, forced=True)


def declined(table: Timetable) -> Timetable:
    """Its user asked for a pass that may not be made."""
    return replace(table, forced=False)


def poked(table: Timetable) -> Timetable:
    """Its user acted (signed in, was granted a right): every stop and back-off ends."""
    return replace(table, forced=True, not_before=-inf, ordered=False, failures=0)


def after_jump(table: Timetable, now: float) -> Timetable:
    """The machine slept or its clock was set: ask at once, save where the service or a sign-in forbids it."""
    not_before = table.not_before if table.ordered or table.not_before == inf else -inf
    return replace(table, woken=True, poll_at=now, not_before=not_before)


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks."""

    wall: datetime
    monotonic: float


def has_jumped(before: Instant, after: Instant) -> bool:
    """Whether wall time and monotonic time ran apart: a suspend, or a clock that was set."""
    ran = timedelta(seconds=after.monotonic - before.monotonic)
    return abs((after.wall - before.wall) - ran) > _JUMP


def moment_of(wall: datetime | None, now: Instant) -> float:
    """The monotonic moment of a wall time, a little after now at the soonest; infinite for None."""
    if wall is None:
        return inf
    return now.monotonic + max(_SOONEST, (wall - now.wall).total_seconds())


def wall_of(moment: float, now: Instant) -> datetime | None:
    """The wall time of a monotonic moment that lies ahead; None: it has none, or is past."""
    ahead = moment - now.monotonic
    return now.wall + timedelta(seconds=ahead) if 0 < ahead < inf else None


def is_worth_a_warning(error: SyncError, failures: int) -> bool:
    """Whether to warn: of a network failure only from the second one in a row."""
    return not isinstance(error, Unavailable) or failures > 1
