"""The threads of the loop: one looks at the folder, one for each account passes over its calendars.

A service that hangs or fails holds up its own account's thread and no other.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import inf
from pathlib import PurePath
from typing import TypeVar

import structlog

from daemon.core.errors import SyncError
from daemon.loop.board import Board
from daemon.loop.board_state import LookOrder
from daemon.loop.schedule import Step, is_worth_a_warning
from daemon.loop.setup import InForce
from daemon.passes import Looked, Passes, Stopping, Synced
from daemon.progress import Progress

_log = structlog.get_logger("datebook.loop")


T = TypeVar("T")


class Broke(SyncError):
    """The program itself failed: named by the kind of failure and its place in the code, nothing else."""


@dataclass(frozen=True, slots=True)
class Crew:
    """What the threads work with. `has_new_secret` may block: it is asked on the account's own thread."""

    board: Board
    in_force: InForce
    progress: Progress
    has_new_secret: Callable[[str], bool]
    secret_check: timedelta


def look_at_folder(crew: Crew) -> None:
    """The looking thread, until the board stops."""
    board = crew.board
    while (order := board.next_look()) is not None:
        looked = _guarded(crew, "look", partial(_look, order), lambda error: Looked(error=error))
        before = board.look.error
        board.end_look(order, looked)
        if looked.error is not None and str(before) != str(looked.error):
            _log.warning("store_not_usable", error=type(looked.error).__name__, message=str(looked.error))
        elif looked.error is None and before is not None:
            _log.info("store_usable_again")


def _look(order: LookOrder, passes: Passes) -> Looked:
    return passes.look(order.places, full=order.full)


def _sync(step: Step, passes: Passes) -> Synced:
    return passes.sync(step.route, poll=step.poll)


def pass_over_account(crew: Crew, account: str) -> None:
    """The thread of one account, until the board stops or the account is no longer configured."""
    board = crew.board
    while True:
        stopped = board.is_stopped(account)
        until = board.clock.monotonic() + crew.secret_check.total_seconds() if stopped else inf
        step = board.next_pass(account, until)
        if step is not None:
            _pass_over(crew, account, step)
        elif board.is_over(account):
            if board.leave(account):
                return
        else:
            _ask_for_new_secret(crew, account)


def _pass_over(crew: Crew, account: str, step: Step) -> None:
    synced = _guarded(crew, f"account {account}", partial(_sync, step), lambda error: Synced(step.route, error=error))
    state = crew.board.end_pass(account, step, synced)
    if isinstance(synced.error, Stopping):
        _log.info("pass_cut_short", calendar=step.route, account=account, wrote=synced.wrote, read=synced.read)
    elif state is not None and synced.error is not None:
        speak = _log.warning if is_worth_a_warning(synced.error, state.table.failures) else _log.info
        speak(
            "pass_failed",
            calendar=step.route,
            account=account,
            error=type(synced.error).__name__,
            message=str(synced.error),
            failures=state.table.failures,
        )
    elif state is not None and (synced.wrote or synced.read):
        _log.info("passed", calendar=step.route, wrote=synced.wrote, read=synced.read)


def _ask_for_new_secret(crew: Crew, account: str) -> None:
    crew.progress.begin(f"secret of {account}")
    try:
        new = crew.has_new_secret(account)
    except Exception as error:  # noqa: BLE001  the loop's edge
        say_broke(f"secret of {account}", error)
        new = False
    finally:
        crew.progress.end()
    if new:
        _log.info("secret_changed", account=account)
        crew.board.poke(account)
    else:
        crew.board.decline(account)


def _guarded(crew: Crew, name: str, work: Callable[[Passes], T], failed: Callable[[SyncError], T]) -> T:
    """Do a piece of work over the setup in force; the one place where any failure at all is caught."""
    crew.progress.begin(name)
    try:
        with crew.in_force.use() as passes:
            return work(passes)
    except SyncError as error:
        return failed(error)
    except Exception as error:  # noqa: BLE001  the loop's edge: one broken pass must not end the daemon
        return failed(Broke(say_broke(name, error)))
    finally:
        crew.progress.end()


def say_broke(name: str, error: Exception) -> str:
    """Log where in the code it broke; the error's own text may hold what is private."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
    _log.error("broke", work=name, error=type(error).__name__, places=places)
    return f"internal error: {type(error).__name__} at {places[-1] if places else 'an unknown place'}"
