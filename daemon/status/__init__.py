"""What the status file says, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

DISCONNECTED = "disconnected"  # the code of an account that its user stopped; its state is `held`

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
    """The state of one route.

    `waiting`: for its next try; `stopped`: until its user acts; `disconnected`: its user stopped it.
    """

    OK = "ok"
    SYNCING = "syncing"
    WAITING = "waiting"
    HELD = "held"
    ATTENTION = "attention"
    STOPPED = "stopped"
    DISCONNECTED = "disconnected"


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

    @property
    def is_disconnected(self) -> bool:
        """Whether its user stopped it: nothing of it is synced, which is no trouble."""
        return self.error is not None and self.error.code == DISCONNECTED


@dataclass(frozen=True, slots=True)
class Held:
    """A plan that waits for its user's word. `id` is what `approve` takes; `message` says the reason in words."""

    reason: str
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    mails: int = 0
    id: str = ""
    message: str = ""


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


# How a calendar stands that has no trouble of its own, by the state of its account.
_UNDER: Mapping[AccountState, CalendarState] = {
    AccountState.SIGNED_OUT: CalendarState.STOPPED,
    AccountState.FORBIDDEN: CalendarState.ATTENTION,
    AccountState.UNREACHABLE: CalendarState.WAITING,
    AccountState.THROTTLED: CalendarState.WAITING,
    AccountState.HELD: CalendarState.WAITING,
}


def under(account: AccountStatus | None, calendar: CalendarStatus) -> CalendarStatus:
    """The calendar as its account lets it be: it is not well where that is not."""
    if account is None or calendar.state is not CalendarState.OK:
        return calendar
    return replace(calendar, state=_UNDER.get(account.state, calendar.state))


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


def calendar_problem(name: str, trouble: Trouble, since: datetime | None) -> Problem:
    """The trouble of one calendar, as a problem with its cure."""
    cure = trouble.cure or "It is tried again by itself; the log says more: journalctl --user -u datebook"
    return Problem(trouble.code, trouble.message, cure, since, calendar=name)


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
        or any(account.state not in _FINE and not account.is_disconnected for account in status.accounts.values())
        or any(_unfine(calendar) for calendar in status.calendars.values())
        or any(problem.needs_user for problem in status.problems)
        or any(conflict.chosen is None for conflict in status.conflicts)
    )
    if needs_user:
        return Health.ATTENTION
    return Health.SYNCING if life is Life.WORKING else Health.OK


def _unfine(calendar: CalendarStatus) -> bool:
    if calendar.state is CalendarState.DISCONNECTED:
        return False
    return calendar.state in _UNFINE or calendar.held is not None or calendar.blocked > 0
