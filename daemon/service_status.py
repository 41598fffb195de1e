"""What the running daemon says of itself: what the journal knows, under what the loop and the watcher know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from daemon.app import App, disconnected_routes
from daemon.core.policy import Route
from daemon.loop.reports import Report, calendar_problems, tried_again, trouble_of
from daemon.status import AccountStatus, CalendarState, CalendarStatus, Problem, Status, health, under
from daemon.status.standing import disconnected, standing
from daemon.watch import How, Watching


def watch_problem(watching: Watching, store: Path) -> Problem | None:
    """What keeps the kernel from telling of every change: the store is looked at every few seconds instead."""
    if not watching.code or watching.how is How.NOT_THERE:  # that is said with the store itself
        return None
    return Problem(watching.code, watching.message, watching.cure, file=str(store), needs_user=False)


def status_of(app: App, report: Report, problems: tuple[Problem, ...]) -> Status:
    """Everything that the status file says, as of now; `problems` are those that neither journal nor loop know."""
    away = disconnected_routes(app.routes, app.journal)
    seen = app.engine.eyes.problems.values()
    now = standing(app.journal, app.config.routes, str(app.config.store), seen, away=away, zone=app.shown_zone)
    calendars = {name: _calendar(calendar, report, name) for name, calendar in now.calendars.items()}
    store = now.store
    if report.store_error is not None:
        store = replace(store, missing=trouble_of(report.store_error))
    accounts = {
        name: disconnected(name, calendars, _account(app, account, name, calendars))
        for name, account in {**_unheard(away), **report.accounts}.items()
    }
    moment = app.clock.now().astimezone(app.shown_zone)
    status = Status(
        version=metadata.version("datebook"),
        pid=os.getpid(),
        started=moment,
        updated=moment,
        store=store,
        accounts=accounts,
        calendars={name: under(accounts.get(one.account), one) for name, one in calendars.items()},
        problems=(*problems, *calendar_problems(report), *now.problems),
        conflicts=now.conflicts,
    )
    return replace(status, state=health(report.life, status))


def _account(app: App, account: AccountStatus, name: str, calendars: Mapping[str, CalendarStatus]) -> AccountStatus:
    """What the loop knows of an account, with what is known from before, and the time of its next try in words."""
    before = (one.last_sync for one in calendars.values() if one.account == name and one.last_sync)
    last = account.last_success or max(before, default=None)
    account = replace(account, last_success=last, token_expires=app.accounts.token_expires(name))
    if account.error is None or account.next_try is None:
        return account
    return replace(account, error=tried_again(account.error, f"{account.next_try.astimezone(app.shown_zone):%H:%M:%S}"))


def _unheard(away: Mapping[str, Route]) -> Mapping[str, AccountStatus]:
    """The accounts of which the loop knows nothing, because they are disconnected."""
    return {route.account: AccountStatus() for route in away.values()}


def _calendar(calendar: CalendarStatus, report: Report, name: str) -> CalendarStatus:
    """What the journal knows of a route, under what the loop knows of it."""
    route = report.routes.get(name)
    if route is None or calendar.state is CalendarState.DISCONNECTED:
        return calendar
    state = route.state
    if state is CalendarState.OK and (calendar.held or calendar.conflicts or calendar.blocked):
        state = CalendarState.HELD if calendar.held else CalendarState.ATTENTION
    return replace(calendar, state=state, last_sync=route.last_sync or calendar.last_sync)
