"""What the status file says where no daemon runs: after a command of its own, or because it can't run."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from importlib import metadata

from config.places import Places
from daemon.app import App
from daemon.clock import Clock
from daemon.core.errors import ConfigError, DatebookError
from daemon.standing import Standing, standing
from daemon.status import AccountStatus, Health, Life, Problem, Status, StoreStatus, health
from daemon.status_file import write_status


def leave_status(app: App) -> None:
    """After a command that worked without a daemon: the status file says how things stand, and that none runs."""
    now = standing(app.journal, app.config.routes, str(app.config.store), app.engine.eyes.problems.values())
    moment = app.clock.now()
    status = Status(
        version=metadata.version("datebook"),
        pid=os.getpid(),
        started=moment,
        updated=moment,
        store=now.store,
        accounts={
            name: AccountStatus(last_success=_last(name, now), token_expires=app.accounts.token_expires(name))
            for name in app.config.accounts
        },
        calendars=now.calendars,
        problems=now.problems,
        conflicts=now.conflicts,
        by_command=True,
    )
    with suppress(OSError):
        write_status(app.places.status, replace(status, state=health(Life.STOPPED, status)))


def _last(account: str, now: Standing) -> datetime | None:
    moments = [one.last_sync for one in now.calendars.values() if one.account == account and one.last_sync]
    return max(moments, default=None)


def leave_failure(places: Places, error: DatebookError, clock: Clock) -> None:
    """The daemon can't run: the status file says why, and what to do."""
    moment = clock.now()
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
