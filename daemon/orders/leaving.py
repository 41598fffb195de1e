"""What the status file says where no daemon runs: after a command of its own, or because it can't run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from typing import Any

from config.places import Places
from daemon.app import App, disconnected_routes
from daemon.clock import Clock
from daemon.control import Reply
from daemon.core.errors import ConfigError, DatebookError
from daemon.status import (
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Health,
    Life,
    Problem,
    Status,
    StoreStatus,
    Trouble,
    calendar_problem,
    health,
    under,
)
from daemon.status.standing import Standing, disconnected, standing
from daemon.status.status_file import last_status, write_status

# What an error's code means for its account; the others are about the calendar alone.
_STATES = {
    "sign_in_needed": AccountState.SIGNED_OUT,
    "secret_needed": AccountState.SIGNED_OUT,
    "forbidden": AccountState.FORBIDDEN,
    "full": AccountState.HELD,
    "throttled": AccountState.THROTTLED,
    "unavailable": AccountState.UNREACHABLE,
}
_LASTING = frozenset({CalendarState.STOPPED, CalendarState.WAITING})  # until another pass has gone well
_ASK_FIRST = frozenset({"sign_in_needed", "secret_needed", "forbidden"})


def leave_status(app: App, reply: Reply) -> None:
    """After a command that worked without a daemon: the status file says how things stand, and that none runs.

    What a pass of the command met is said; of what it did not touch, what an earlier one had met.
    """
    away = disconnected_routes(app.routes, app.journal)
    seen = app.engine.eyes.problems.values()
    now = standing(app.journal, app.config.routes, str(app.config.store), seen, away=away, zone=app.shown_zone)
    moment = app.clock.now().astimezone(app.shown_zone)
    before = last_status(app.places.status)
    met = _met(reply)
    accounts = {
        name: disconnected(name, now.calendars, _account(app, name, met, now, before)) for name in app.config.accounts
    }
    status = Status(
        version=metadata.version("datebook"),
        pid=os.getpid(),
        started=moment,
        updated=moment,
        store=now.store,
        accounts=accounts,
        calendars={
            name: under(accounts.get(one.account), _calendar(name, one, met, _of_a_like(accounts, one, before)))
            for name, one in now.calendars.items()
        },
        problems=(*_calendar_problems(now, met, before, moment), *now.problems),
        conflicts=now.conflicts,
        by_command=True,
    )
    with suppress(OSError):
        write_status(app.places.status, replace(status, state=health(Life.STOPPED, status)))


def _of_a_like(accounts: Mapping[str, AccountStatus], one: CalendarStatus, before: Status | None) -> Status | None:
    """What was known before, unless the account has got well since: then it says nothing about its calendars."""
    known, now = before.accounts.get(one.account) if before else None, accounts.get(one.account)
    recovered = known is not None and known.state is not AccountState.OK and now and now.state is AccountState.OK
    return None if recovered else before


def _met(reply: Reply) -> dict[str, Trouble | None]:
    """By calendar, what a pass over it met; None: it went well."""
    rows: Any = reply.data.get("calendars")
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return {str(row["calendar"]): Trouble(**row["error"]) if row.get("error") else None for row in found}


def _calendar_problems(
    now: Standing, met: Mapping[str, Trouble | None], before: Status | None, moment: datetime
) -> Iterable[Problem]:
    """What is wrong with a calendar alone; of one that no pass went over, that it was not there."""
    earlier = {one.calendar: one for one in reversed(before.problems) if one.calendar} if before else {}
    for name, one in now.calendars.items():
        known, trouble = earlier.get(name), met.get(name)
        if one.state is CalendarState.DISCONNECTED:
            continue
        if trouble is not None and trouble.code not in _STATES:
            same = known is not None and known.code == trouble.code
            yield calendar_problem(name, trouble, known.since if known and same else moment)
        elif name not in met and known is not None and known.code == "missing":
            yield known


def _account(
    app: App, name: str, met: Mapping[str, Trouble | None], now: Standing, before: Status | None
) -> AccountStatus:
    routes = [route.name for route in app.config.routes.values() if route.account == name]
    status = AccountStatus(last_success=_last(name, now), token_expires=app.accounts.token_expires(name))
    if not met.keys() & set(routes):
        known = before.accounts.get(name) if before else None
        if known is None or known.is_disconnected:
            return status
        return replace(status, state=known.state, since=known.since, error=known.error)
    trouble = next((one for route in routes if (one := met.get(route)) and one.code in _STATES), None)
    state = _STATES.get(trouble.code, AccountState.OK) if trouble else AccountState.OK
    return status if state is AccountState.OK else replace(status, state=state, since=app.clock.now(), error=trouble)


def _calendar(
    name: str, one: CalendarStatus, met: Mapping[str, Trouble | None], before: Status | None
) -> CalendarStatus:
    if one.state is CalendarState.DISCONNECTED:
        return one
    if name in met:
        trouble = met[name]
        if trouble is None:
            return one
        return replace(one, state=_state(trouble))
    known = before.calendars.get(name) if before else None
    return replace(one, state=known.state) if known and known.state in _LASTING else one


def _state(trouble: Trouble) -> CalendarState:
    if trouble.code in {"missing", *_ASK_FIRST}:
        return CalendarState.STOPPED
    return CalendarState.WAITING if trouble.code in _STATES else CalendarState.ATTENTION


def _last(account: str, now: Standing) -> datetime | None:
    moments = [one.last_sync for one in now.calendars.values() if one.account == account and one.last_sync]
    return max(moments, default=None)


def leave_failure(places: Places, error: DatebookError, clock: Clock) -> None:
    """The daemon can't run: the status file says why, and what to do."""
    moment = clock.now().astimezone()
    if isinstance(error, ConfigError):
        problems = tuple(
            Problem("config", one.message, one.cure, moment, file=error.path, line=one.line, column=one.column)
            for one in error.problems
        )
    else:
        cure = str(getattr(error, "what_to_do", "") or "Its log says more: journalctl --user -u datebook")
        problems = (Problem("not_running", str(error), cure, moment, file=str(places.state)),)
    status = Status(
        version=metadata.version("datebook"),
        pid=os.getpid(),
        started=moment,
        updated=moment,
        store=StoreStatus(""),
        state=Health.FAILED,
        problems=problems,
    )
    with suppress(OSError):
        write_status(places.status, status)
