"""What the status file says, as values, and as the mapping that is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SCHEMA = 1
MASKED = "(private)"

# What JSON can say.
Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


class Health(StrEnum):
    """The state of everything. `failed`: the daemon ended with an error; `stopped`: it was told to end."""

    OK = "ok"
    SYNCING = "syncing"
    ATTENTION = "attention"
    STOPPED = "stopped"
    FAILED = "failed"


class AccountState(StrEnum):
    """How signing in and reaching an account go; `held`: no room there."""

    OK = "ok"
    SIGNED_OUT = "signed_out"
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    HELD = "held"


class CalendarState(StrEnum):
    """The state of one route. `waiting`: for its next try; `stopped`: until its user acts."""

    OK = "ok"
    SYNCING = "syncing"
    WAITING = "waiting"
    HELD = "held"
    ATTENTION = "attention"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error in words: a code for scripts, what happened, what to do."""

    code: str
    message: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """The folder. `missing`: it, or its marker, is not there, in words with the cure."""

    path: str
    activities: int = 0
    unscheduled: int = 0
    broken: int = 0
    missing: Trouble | None = None


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account. `since`: when it came into this state."""

    state: AccountState = AccountState.OK
    since: datetime | None = None
    last_success: datetime | None = None
    next_try: datetime | None = None
    token_expires: datetime | None = None
    error: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that waits for its user's word. `id` is what `approve` takes."""

    reason: str
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    mails: int = 0
    id: str = ""


@dataclass(frozen=True, slots=True)
class CalendarStatus:
    """One route: how many links, and what waits on each way."""

    account: str
    direction: str
    state: CalendarState = CalendarState.OK
    last_sync: datetime | None = None
    linked: int = 0
    pending_out: int = 0
    pending_in: int = 0
    conflicts: int = 0
    blocked: int = 0
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file, a calendar or an account (exactly one of them is named), and its cure.

    `needs_user` False: worth knowing, and nothing has to be done (a replicator's leftover, say).
    """

    code: str
    message: str
    cure: str
    since: datetime | None = None
    file: str | None = None
    calendar: str | None = None
    account: str | None = None
    line: int | None = None
    column: int | None = None
    needs_user: bool = True


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """One field that both sides changed. `chosen` None: its user must say; `private`: no text of it is shown."""

    file: str
    calendar: str
    field: str
    file_value: str | None
    calendar_value: str | None
    chosen: str | None = None
    since: datetime | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that the status file says. `by_command`: a single command left it, and no daemon has run since."""

    version: str
    pid: int
    started: datetime
    updated: datetime
    store: StoreStatus
    state: Health = Health.OK
    accounts: Mapping[str, AccountStatus] = field(default_factory=dict)
    calendars: Mapping[str, CalendarStatus] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    conflicts: Sequence[OpenConflict] = ()
    by_command: bool = False


class Life(StrEnum):
    """Where the daemon stands in its own life."""

    IDLE = "idle"
    WORKING = "working"
    STOPPED = "stopped"
    FAILED = "failed"


# An account that is throttled gets by without its user.
_FINE = frozenset({AccountState.OK, AccountState.THROTTLED})
_UNFINE = frozenset({CalendarState.HELD, CalendarState.ATTENTION, CalendarState.STOPPED})


def health(life: Life, status: Status) -> Health:
    """The state of everything (`status.state` is not looked at): what needs its user goes before work."""
    if life is Life.FAILED:
        return Health.FAILED
    if life is Life.STOPPED:
        return Health.STOPPED
    needs_user = (
        status.store.missing is not None
        or status.store.broken > 0
        or any(account.state not in _FINE for account in status.accounts.values())
        or any(_unfine(calendar) for calendar in status.calendars.values())
        or any(problem.needs_user for problem in status.problems)
        or any(conflict.chosen is None for conflict in status.conflicts)
    )
    if needs_user:
        return Health.ATTENTION
    return Health.SYNCING if life is Life.WORKING else Health.OK


def _unfine(calendar: CalendarStatus) -> bool:
    return calendar.state in _UNFINE or calendar.held is not None or calendar.blocked > 0


def build_status(status: Status) -> dict[str, Json]:
    """The status file's content; no text of a private activity is in it."""
    return {
        "schema": SCHEMA,
        "version": status.version,
        "pid": status.pid,
        "started": _moment(status.started),
        "updated": _moment(status.updated),
        "state": str(status.state),
        "by": "command" if status.by_command else "daemon",
        "store": _store(status.store),
        "accounts": {name: _account(account) for name, account in status.accounts.items()},
        "calendars": {name: _calendar(calendar) for name, calendar in status.calendars.items()},
        "problems": [_problem(problem) for problem in status.problems],
        "conflicts": [_conflict(conflict) for conflict in status.conflicts],
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _trouble(trouble: Trouble | None) -> Json:
    return {"code": trouble.code, "message": trouble.message, "cure": trouble.cure} if trouble else None


def _store(store: StoreStatus) -> Json:
    return {
        "path": store.path,
        "activities": store.activities,
        "unscheduled": store.unscheduled,
        "broken": store.broken,
        "missing": _trouble(store.missing),
    }


def _account(account: AccountStatus) -> Json:
    return {
        "state": str(account.state),
        "since": _moment(account.since),
        "last_success": _moment(account.last_success),
        "next_try": _moment(account.next_try),
        "token_expires": _moment(account.token_expires),
        "error": _trouble(account.error),
    }


def _held(held: Held | None) -> Json:
    if held is None:
        return None
    return {
        "reason": held.reason,
        "creates": held.creates,
        "updates": held.updates,
        "deletes": held.deletes,
        "mails": held.mails,
        "id": held.id,
    }


def _calendar(calendar: CalendarStatus) -> Json:
    return {
        "state": str(calendar.state),
        "account": calendar.account,
        "direction": calendar.direction,
        "last_sync": _moment(calendar.last_sync),
        "linked": calendar.linked,
        "pending_out": calendar.pending_out,
        "pending_in": calendar.pending_in,
        "conflicts": calendar.conflicts,
        "blocked": calendar.blocked,
        "held": _held(calendar.held),
    }


def _problem(problem: Problem) -> Json:
    about = {"file": problem.file, "calendar": problem.calendar, "account": problem.account}
    return {
        **{what: name for what, name in about.items() if name is not None},
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
        "cure": problem.cure,
        "since": _moment(problem.since),
        "needs_user": problem.needs_user,
    }


def _conflict(conflict: OpenConflict) -> Json:
    def shown(value: str | None) -> str | None:
        return MASKED if conflict.private and value is not None else value

    return {
        "file": conflict.file,
        "calendar": conflict.calendar,
        "field": conflict.field,
        "file_value": shown(conflict.file_value),
        "calendar_value": shown(conflict.calendar_value),
        "chosen": conflict.chosen,
        "since": _moment(conflict.since),
        "private": conflict.private,
    }
