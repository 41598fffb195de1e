"""The composition root: with `accounts`, the only module that knows every concrete class.

`open_app` gives a command or the daemon all that it works with: the config, the folder, the journal, the
accounts and the engine. Heavy libraries are imported when an account needs them.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import tzinfo
from pathlib import Path

from adapters.folder.file_marker import make_marker
from adapters.folder.file_store import FileStore
from config.load import load
from config.places import Places, make_state
from config.schema import Config
from config.zone import system_zone
from daemon.accounts import Accounts
from daemon.clock import Clock, SystemClock, new_id
from daemon.core.errors import JournalError, Missing
from daemon.core.model import Activity
from daemon.core.policy import Route
from daemon.core.routing import Choice, route_for
from daemon.core.store import Marker
from daemon.core.times import zone_of
from daemon.engine import Engine, Surroundings
from daemon.engine.belonging import Router
from daemon.engine.unit import Unit
from daemon.journal import Journal
from daemon.keepsake import REBUILDING, Keepsake, recover
from daemon.lock import hold_state
from daemon.passes import Synced
from daemon.store_hold import hold_store

_DISCONNECTED = "disconnected"
# Passes over these routes, tells how far it is, and reads every file if asked to.
Syncer = Callable[[Collection[str], bool], Mapping[str, Synced]]


@dataclass(frozen=True, slots=True)
class App:
    """Everything that works together for one store on this machine."""

    config: Config
    places: Places
    clock: Clock
    journal: Journal
    folder: FileStore
    accounts: Accounts
    engine: Engine
    syncer: Syncer | None = None  # the daemon's loop, which knows what is under way; None: the command itself
    routes: Mapping[str, Route] = field(default_factory=dict)  # all of the config; `config` has those that are synced

    @property
    def shown_zone(self) -> tzinfo | None:
        """The zone in which its user is shown times; None: the system's."""
        return shown_zone(self.config)


def shown_zone(config: Config) -> tzinfo | None:
    """The zone in which the user of a config is shown times; None: the system's."""
    return zone_of(config.timezone) if config.timezone else None


@contextmanager
def open_app(places: Places, *, clock: Clock | None = None, connecting: str = "") -> Iterator[App]:
    """Open the whole for one command, alone: with the locks of the state folder and of the store.

    `connecting` is an account that was disconnected before and is not any more.
    Raises ConfigError, AlreadyRunning, JournalError, and Missing where the store is not there.
    """
    clock = clock or SystemClock()
    config = load(places.config)
    make_state(places)
    with ExitStack() as stack:
        stack.enter_context(hold_state(places.lock))
        journal = open_journal(places, clock)
        stack.callback(journal.close)
        marker = bind(config, journal, clock)
        check_store(config, journal, clock)
        stack.enter_context(hold_store(config.store))
        if connecting:
            set_connected(config, journal, connecting, connected=True)
        app = build(config, places, journal, marker, clock)
        stack.callback(app.accounts.close)
        stack.callback(app.folder.close)
        yield app


def set_connected(config: Config, journal: Journal, account: str, *, connected: bool) -> None:
    """Stop syncing an account's calendars, or begin again; every link stays."""
    with journal.turn():
        for route in config.routes.values():
            if route.account == account and journal.route(route.name) is not None:
                journal.set_route(route.name, disconnected=not connected)
        off = _off(journal) | {account} if not connected else _off(journal) - {account}
        journal.set_meta(_DISCONNECTED, json.dumps(sorted(off)))


def _off(journal: Journal) -> frozenset[str]:
    """The accounts that are disconnected, those too that were never synced."""
    return frozenset(json.loads(journal.get_meta(_DISCONNECTED) or "[]"))


def disconnected_routes(routes: Mapping[str, Route], journal: Journal) -> Mapping[str, Route]:
    """Those of the routes whose account is disconnected."""
    accounts, names = _off(journal), {row.name for row in journal.routes() if row.disconnected}
    return {name: route for name, route in routes.items() if name in names or route.account in accounts}


def build(config: Config, places: Places, journal: Journal, marker: Marker, clock: Clock) -> App:
    """Put the parts together; touches nothing."""
    routes = config.routes
    away = disconnected_routes(routes, journal)
    config = replace(config, routes={name: route for name, route in routes.items() if name not in away})
    zone = marker.timezone
    swaps = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nvim" / "swap"
    folder = FileStore(config.store, zone=zone, types=config.types, clock=clock.now, swap_folders=(swaps,))
    accounts = Accounts(config, places, zone, clock)
    around = Surroundings(
        routes=config.routes,
        open_store=accounts.store,
        own=lambda route: own_addresses(config, route),
        router=_router(config, frozenset(away), shared=config.shared or marker.shared),
        zone=zone,
        types=config.types,
        shared=config.shared or marker.shared,
        check_store=lambda: check_store(config, journal, clock),
        new_id=new_id,
        account_of=lambda route: account_address(config, route),
        closet=folder,
        orders=_orders(config, shared=config.shared or marker.shared),
        may_name=_may_name(config, shared=config.shared or marker.shared),
        remember=Keepsake(journal, config.store, config.owner),
    )
    engine = Engine(folder, journal, clock, around)
    return App(config, places, clock, journal, folder, accounts, engine, routes=routes)


def _orders(config: Config, *, shared: bool) -> str:
    """What of the config decides on items, the same text for the same orders in every process."""
    routes = [
        [f"{each.name}={_ordered(getattr(route, each.name))}" for each in fields(route)]
        for route in config.routes.values()
    ]
    users = sorted((name, account.user) for name, account in config.accounts.items())
    return repr((routes, users, config.owner, config.types, shared))


def _ordered(value: object) -> str:
    return repr(sorted(value)) if isinstance(value, frozenset) else repr(value)


def account_address(config: Config, route: str) -> frozenset[str]:
    """The address that a route's account signs in with; none where that is a bare login."""
    user = config.accounts[config.routes[route].account].user.lower()
    return frozenset({user} if "@" in user else ())


def own_addresses(config: Config, route: str) -> frozenset[str]:
    """The addresses under which the user of a route's account is known."""
    user = config.accounts[config.routes[route].account].user
    return frozenset(text.lower() for text in (user, config.owner) if "@" in text)


def _router(config: Config, away: frozenset[str], *, shared: bool) -> Router:
    """`away`: the routes that are disconnected; what is linked there, or names one, waits for it."""
    routes = tuple(config.routes.values())
    users = {route.name: _user(config, route.account) for route in routes}
    owner = config.owner

    def choose(activity: Activity, came_from: str | None, stands_on: str | None) -> Choice:
        if (home := came_from or stands_on) in away:
            return Choice(home)
        choice = route_for(
            activity, routes, users=users, owner=owner, shared=shared, came_from=came_from, stands_on=stands_on
        )
        named = choice.verdict is not None and choice.verdict.code == "unknown_calendar"
        return Choice(activity.local.calendar) if named and activity.local.calendar in away else choice

    return choose


def _user(config: Config, account: str) -> str:
    user = config.accounts[account].user
    return user if "@" in user else config.owner


def _may_name(config: Config, *, shared: bool) -> Callable[[Unit], bool]:
    """In a shared store only the owner's daemon adds the uid."""

    def may(unit: Unit) -> bool:
        if not shared or unit.file is None:
            return True
        owner = unit.file.activity.local.owner
        return bool(owner) and owner.lower() == config.owner.lower()  # type: ignore[union-attr]  # bool() says so

    return may


def open_journal(places: Places, clock: Clock) -> Journal:
    """Open the journal; a damaged one is set aside and rebuilt, with no write to either side."""
    try:
        return Journal(places.journal)
    except JournalError:
        stamp = clock.now().strftime("%Y%m%dT%H%M%S")
        for suffix in ("", "-wal", "-shm"):
            old = places.journal.with_name(places.journal.name + suffix)
            if old.exists():
                old.replace(old.with_name(f"{places.journal.name}.damaged-{stamp}{suffix}"))
        journal = Journal(places.journal)
        journal.set_meta(REBUILDING, "[]")  # `bind` knows which calendars
        journal.set_meta("rebuilt_from_damage", stamp)
        return journal


def bind(config: Config, journal: Journal, clock: Clock) -> Marker:
    """The store that the journal is bound to.

    A journal that is bound to no store yet makes the folder and the marker itself; a bound one never does.
    """
    bound = journal.get_meta("store")
    if bound is not None:
        shared = journal.get_meta("shared") == "1"
        return Marker(bound, journal.get_meta("timezone") or config.timezone or "UTC", shared)
    zone = config.timezone or system_zone(os.environ)
    config.store.mkdir(parents=True, exist_ok=True)
    folder = FileStore(config.store, zone=config.timezone or "UTC", clock=clock.now, types=config.types)
    marker = folder.marker()
    if marker is None:
        marker = Marker(str(uuid.uuid4()), zone, config.shared)
        make_marker(config.store, marker)
    recover(journal, config.store, config.owner, config.routes)
    journal.set_meta("timezone", marker.timezone)
    journal.set_meta("shared", "1" if marker.shared else "0")
    journal.set_meta("store", marker.store_id)
    return marker


def check_store(config: Config, journal: Journal, clock: Clock) -> None:
    """Whether the store that the journal is bound to stands where the config says. Raises Missing."""
    folder = FileStore(config.store, zone=config.timezone or "UTC", clock=clock.now, types=config.types)
    marker = folder.marker()
    if marker is None:
        raise Missing(
            f"the store {config.store} has lost its marker",
            what_to_do="If a disk or share is mounted there, mount it again. Do not make a new marker.",
        )
    if marker.store_id != journal.get_meta("store"):
        raise Missing(
            f"another store stands at {config.store}",
            what_to_do="Put the right folder there, or use another --state for this one. If the other store is gone "
            "for good, move journal.db out of the state folder: this one is paired anew with its calendars, and "
            "nothing is doubled.",
        )
