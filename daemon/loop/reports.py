"""What the loop says of itself: how each account and route fares, as values for the status file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from daemon.core.errors import Forbidden, Full, Missing, SignInNeeded, SyncError, Unavailable
from daemon.loop.board import Board
from daemon.loop.board_state import RouteState
from daemon.loop.schedule import Instant, is_worth_a_warning, wall_of
from daemon.passes import Stopping
from daemon.status import AccountState, AccountStatus, CalendarState, Life, Problem, Trouble, calendar_problem

_BY_ITSELF = "it is tried again by the running daemon, or by the next `datebook sync`"


@dataclass(frozen=True, slots=True)
class RouteReport:
    """One route. `error` is left out while it is a first network failure, which may pass by itself."""

    account: str
    state: CalendarState
    last_sync: datetime | None
    next_try: datetime | None
    since: datetime | None
    error: SyncError | None
    moved: int  # items that its passes wrote and read so far


@dataclass(frozen=True, slots=True)
class Report:
    """The whole loop. `store_error`: the folder can't be used, and nothing is synced until it can."""

    life: Life
    routes: Mapping[str, RouteReport]
    accounts: Mapping[str, AccountStatus]
    store_error: SyncError | None
    looked: bool
    files_changed: int = 0
    stuck: tuple[str, ...] = ()

    def is_like(self, other: Report) -> bool:
        """Whether both say the same, but for times."""
        return self._essence() == other._essence()

    def _essence(self) -> tuple[object, ...]:
        routes = {name: (route.state, str(route.error), route.moved) for name, route in self.routes.items()}
        accounts = {name: account.state for name, account in self.accounts.items()}
        return self.life, routes, accounts, str(self.store_error), self.looked, self.files_changed, self.stuck


def report_of(board: Board, life: Life | None = None, stuck: tuple[str, ...] = ()) -> Report:
    """How everything stands now; `life` overrides what the board shows, at the end."""
    with board.changed:
        now = board.instant()
        routes = {name: _route(state, now) for name, state in board.routes.items()}
        names = dict.fromkeys(state.route.account for state in board.routes.values())
        accounts = {
            name: _account([state for state in board.routes.values() if state.route.account == name], now)
            for name in names
        }
        busy = board.look.begun > board.look.ended or any(state.running for state in board.routes.values())
        shown = life or (Life.WORKING if busy else Life.IDLE)
        return Report(shown, routes, accounts, board.look.error, board.look.ok_once, board.look.changed, stuck)


def trouble_of(error: SyncError) -> Trouble:
    """An error in words: its code, what happened, what to do."""
    said = str(getattr(error, "what_to_do", "") or getattr(error, "cure", ""))
    return Trouble(_code(error), str(error), said or _patience(error, _BY_ITSELF))


def tried_again(error: Trouble, at: str) -> Trouble:
    """The same of a service that is out of reach, with the time at which it is tried again."""
    return replace(error, cure=error.cure.replace(_BY_ITSELF, f"it is tried again at {at}"))


def _patience(error: SyncError, again: str) -> str:
    """What to do where only time helps, or the network's owner."""
    match error:
        case Full():
            return f"Make room there, or ask for more. Nothing is lost: {again}."
        case Unavailable(throttled=True):
            return f"Nothing has to be done, and nothing is lost: {again}."
        case Unavailable():
            return f"Check the network, and `url` of the account in the config. Nothing is lost: {again}."
        case _:
            return ""


def calendar_problems(report: Report) -> tuple[Problem, ...]:
    """What is wrong with a calendar alone: what its account or the folder has is said with those."""
    if report.store_error is not None:
        return ()
    return tuple(
        calendar_problem(name, trouble_of(route.error), route.since)
        for name, route in report.routes.items()
        if route.error is not None
        and not isinstance(route.error, Stopping)
        and _account_state(route.error) is AccountState.OK
    )


def status_line(report: Report) -> str:
    """One line for `systemctl status`: the worst first."""
    if report.life in {Life.STOPPED, Life.FAILED}:
        return str(report.life)
    if report.stuck:
        return "no progress: " + ", ".join(report.stuck)
    if report.store_error is not None:
        return f"nothing is synced: {report.store_error}"
    if not report.looked:
        return "looking at the store"
    bad = [f"{name}: {account.state}" for name, account in report.accounts.items() if account.state != AccountState.OK]
    stopped = [f"{name}: {route.state}" for name, route in report.routes.items() if route.state in _UNWELL]
    if bad or stopped:
        return "; ".join([*bad, *stopped])
    many = len(report.routes)
    return f"{many} calendar{'' if many == 1 else 's'} {'syncing' if report.life is Life.WORKING else 'in step'}"


_UNWELL = frozenset({CalendarState.STOPPED, CalendarState.HELD, CalendarState.ATTENTION})


def _shown_error(state: RouteState) -> SyncError | None:
    error = state.table.error
    return error if error is not None and is_worth_a_warning(error, state.table.failures) else None


def _route(state: RouteState, now: Instant) -> RouteReport:
    error = _shown_error(state)
    return RouteReport(
        account=state.route.account,
        state=_route_state(state, error),
        last_sync=state.last_success,
        next_try=_next_try(state, now),
        since=state.since,
        error=error,
        moved=state.wrote + state.read,
    )


def _next_try(state: RouteState, now: Instant) -> datetime | None:
    due = state.table.due_at()
    return None if due == inf else wall_of(due, now) or now.wall


def _route_state(state: RouteState, error: SyncError | None) -> CalendarState:
    if state.running:
        return CalendarState.SYNCING
    match error:
        case None:
            return CalendarState.OK
        case SignInNeeded() | Forbidden() | Missing():
            return CalendarState.STOPPED
        case Full():
            return CalendarState.HELD
        case Unavailable():
            return CalendarState.WAITING
        case _:
            return CalendarState.ATTENTION


# The first of these that any route shows is how the account is.
_WORST = (
    AccountState.SIGNED_OUT,
    AccountState.FORBIDDEN,
    AccountState.HELD,
    AccountState.UNREACHABLE,
    AccountState.THROTTLED,
    AccountState.OK,
)


def _account(states: Sequence[RouteState], now: Instant) -> AccountStatus:
    """The state of an account is the worst of its routes'."""
    worst = min(states, key=lambda state: _WORST.index(_account_state(_shown_error(state))))
    error = _shown_error(worst)
    shown = _account_state(error)
    tries = [moment for state in states if (moment := _next_try(state, now)) is not None]
    return AccountStatus(
        state=shown,
        since=worst.since,
        last_success=max((state.last_success for state in states if state.last_success), default=None),
        next_try=min(tries, default=None),
        error=trouble_of(error) if error is not None and shown != AccountState.OK else None,
    )


def _account_state(error: SyncError | None) -> AccountState:
    match error:
        case SignInNeeded():
            return AccountState.SIGNED_OUT
        case Forbidden():
            return AccountState.FORBIDDEN
        case Full():
            return AccountState.HELD
        case Unavailable():
            return AccountState.THROTTLED if error.throttled else AccountState.UNREACHABLE
        case _:
            return AccountState.OK


def _code(error: SyncError) -> str:
    given = getattr(error, "code", "")
    if given:
        return str(given)
    if isinstance(error, Unavailable) and error.throttled:
        return "throttled"
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
