"""An account of the config: login, rights, clock, its calendars, and on demand a write."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

from config.places import Places
from config.schema import Config
from daemon.accounts import open_account, silence_of
from daemon.clock import Clock
from daemon.core.errors import ConfigError, DatebookError, StoreError
from daemon.core.policy import Direction, Route
from daemon.core.store import Account, Finding
from daemon.doctor.rehearsal import Rehearsal
from daemon.doctor.silent_guest import NOBODY, Scheduling, SilentGuest


def of_account(  # noqa: PLR0913  what is tested, with what, all by name
    name: str, config: Config, places: Places, *, zone: str, clock: Clock, write_test: bool = False, guest: str = ""
) -> Iterator[Finding]:
    """Test one account; the first failure of its login ends it."""
    try:
        account = open_account(
            config.accounts[name], places=places, zone=zone, types=config.types, clock=clock, owner=config.owner
        )
    except (DatebookError, OSError) as error:
        yield Finding("account", ok=False, message=_words(error), cure=_cure(error))
        return
    with closing(account):
        try:
            findings = list(account.check())
        except DatebookError as error:
            findings = [Finding("login", ok=False, message=str(error), cure=_cure(error))]
        yield from findings
        if any(one.code == "login" and not one.ok for one in findings):
            return
        shown: list[bool] = []
        for route in (one for one in config.routes.values() if one.account == name):
            yield from _of_calendar(account, route, zone, clock, guest if write_test else None, shown)
        if shown:
            silence_of(config.accounts[name], places).keep(proven=all(shown))


def _of_calendar(  # noqa: PLR0913, PLR0917  what is tested, with what
    account: Account, route: Route, zone: str, clock: Clock, guest: str | None, shown: list[bool]
) -> Iterator[Finding]:
    """One calendar; `guest` None: nothing is written. `shown` gets whether its server leaves silent guests alone."""
    try:
        with closing(account.open(route.calendar)) as store:
            yield Finding("calendar", ok=True, message=f"`{route.name}` is there")
            if guest is None:
                return
            if route.direction is Direction.FROM_CALENDAR:
                yield Finding(
                    "write_test", ok=True, message=f"`{route.name}` is never written: direction from-calendar"
                )
                return
            token = uuid.uuid4().hex
            today = clock.now().date()
            schedules = store.schedules() if isinstance(store, Scheduling) else None
            named = guest if schedules is None else ""
            yield from Rehearsal(store, f"{token}@datebook", token, today, zone, named).run()
            if schedules or (schedules is not None and guest):
                uid, token = f"{token}-guest@datebook", f"{token}-guest"
                test = SilentGuest(store, uid, token, today, zone, guest or NOBODY, schedules=schedules)
                yield from test.run()
                shown.append(test.proven)
    except StoreError as error:
        yield Finding("calendar", ok=False, message=f"`{route.name}`: {error}", cure=_cure(error))


def _words(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(one.message for one in error.problems)
    return str(error)


def _cure(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(one.cure for one in error.problems)
    said = str(getattr(error, "what_to_do", "") or getattr(error, "cure", "") or getattr(error, "reason", ""))
    return said or "Check the address, the network and the proxy, then try again."
