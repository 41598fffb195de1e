"""One pass over everything because its user asks for it, and the wait for its end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from math import inf

from daemon.core.errors import SyncError, Unavailable
from daemon.loop.board import Board
from daemon.loop.board_state import RouteState
from daemon.passes import Synced

GRACE = timedelta(seconds=30)
PATIENCE = timedelta(minutes=10)


def sync_now(
    board: Board,
    routes: Collection[str] | None = None,
    *,
    full: bool = False,
    in_grace: Callable[[], bool] = lambda: True,
    patience: timedelta = PATIENCE,
) -> Mapping[str, Synced]:
    """Look at the folder, poll the routes (None: all), and wait for both.

    While a removed file is `in_grace`, what is due again within half a minute is waited for too; all else that waits
    (for an editor, for its next try) has its own time. It is asked outside of the board's lock.
    A result adds up all passes since the call. An account that its user must sign in to, or whose service
    said when to come back, answers at once with that error; what takes longer than `patience` is Unavailable.
    """
    with board.changed:
        began = board.clock.monotonic()
        deadline = began + patience.total_seconds()
        names = tuple(name for name in board.routes if routes is None or name in routes)
        before = {name: _counts(board.routes[name]) for name in names}
        look = board.ask_look(None, full=full)
        _wait(board, deadline, lambda: board.look.ended >= look)
        if board.look.ended < look or not board.may_sync():
            error = board.look.error or Unavailable("the look at the folder is still under way")
            return {name: Synced(name, error=error) for name in names}
        numbers = board.ask_pass(names)
        _wait(board, deadline, lambda: all(_is_answered(board, name, number) for name, number in numbers.items()))
        until = min(deadline, began + GRACE.total_seconds())
        _wait(board, until + 1.0, lambda: _is_settled(board, names, board.clock.monotonic()))
    while in_grace() and _wait_for_change(board, names, until):
        pass
    with board.changed:
        return {name: _result(board, name, numbers.get(name, 0), before[name]) for name in names}


def _wait(board: Board, deadline: float, ready: Callable[[], bool]) -> None:
    while not ready() and not board.stopping:
        now = board.clock.monotonic()
        if now >= deadline:
            return
        board.clock.wait(board.changed, deadline - now)


def _wait_for_change(board: Board, names: Collection[str], until: float) -> bool:
    """Wait until something has happened; False: nothing more is due by then."""
    with board.changed:
        now = board.clock.monotonic()
        if board.stopping or now >= until + 1.0 or _is_settled(board, names, until):
            return False
        board.clock.wait(board.changed, until + 1.0 - now)
        return True


def _is_answered(board: Board, name: str, number: int) -> bool:
    state = board.routes.get(name)
    return state is None or state.ended >= number or _may_not_run(board, state)


def _may_not_run(board: Board, state: RouteState) -> bool:
    table = state.table
    waits_for_secret = table.forced and table.not_before == inf
    return not state.running and table.ordered and table.not_before > board.clock.monotonic() and not waits_for_secret


def _is_settled(board: Board, names: Collection[str], until: float) -> bool:
    look = board.look
    if look.asked or look.begun > look.ended or look.again_at <= until:
        return False
    states = [board.routes[name] for name in names if name in board.routes]
    return not any(
        state.running or max(state.table.not_before, state.table.again_at) <= until or _waits(state, until)
        for state in states
    )


def _waits(state: RouteState, until: float) -> bool:
    return state.table.woken and state.table.not_before <= until


def _counts(state: RouteState) -> tuple[int, int, int]:
    return state.wrote, state.read, state.files


def _result(board: Board, name: str, number: int, before: tuple[int, int, int]) -> Synced:
    state = board.routes.get(name)
    if state is None:
        return Synced(name)
    error: SyncError | None = state.table.error
    if error is None and state.ended < number:
        error = Unavailable("the service asks to wait" if state.table.ordered else "the pass is still under way")
    again = state.last.again if state.last else None
    wrote, read, files = (now - then for now, then in zip(_counts(state), before, strict=True))
    return Synced(name, wrote=wrote, read=read, again=again, error=error, files=files)
