"""The composition root: the only module that knows every concrete class.

`open_app` gives a command or the daemon all that it works with: the config, the folder, the journal, the
accounts and the engine. Heavy libraries are imported when an account needs them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from adapters.file_store import FileStore, make_marker

from adapters.secrets import Secret
from config.load import load
from config.places import Places, make_state
from config.schema import AccountConfig, Config, SecretRef, Service
from daemon.clock import Clock, SystemClock
from daemon.core.errors import ConfigError, ConfigProblem, JournalError, Missing
from daemon.core.model import Activity
from daemon.core.routing import Choice, route_for
from daemon.core.store import Account, Folder, Marker, Store
from daemon.engine import Engine, Surroundings
from daemon.engine.decide import Unit
from daemon.journal import Journal
from daemon.lock import hold_state, hold_store

GOOGLE_CALDAV = "https://apidata.googleusercontent.com/caldav/v2/"


@dataclass(slots=True)
class Accounts:
    """The accounts and calendars of a config, opened when they are first needed. Thread-safe by account."""

    config: Config
    places: Places
    zone: str
    clock: Clock
    _accounts: dict[str, Account] = field(default_factory=dict)
    _stores: dict[str, Store] = field(default_factory=dict)

    def account(self, name: str) -> Account:
        """One account by its name in the config."""
        if name not in self._accounts:
            self._accounts[name] = open_account(
                self.config.accounts[name],
                places=self.places,
                zone=self.zone,
                types=self.config.types,
                clock=self.clock,
            )
        return self._accounts[name]

    def store(self, route: str) -> Store:
        """The calendar of a route. Raises StoreError."""
        if route not in self._stores:
            order = self.config.routes[route]
            self._stores[route] = self.account(order.account).open(order.calendar)
        return self._stores[route]

    def close(self) -> None:
        """Let go of every connection."""
        for store in self._stores.values():
            store.close()
        for account in self._accounts.values():
            account.close()
        self._stores.clear()
        self._accounts.clear()


@dataclass(frozen=True, slots=True)
class App:
    """Everything that works together for one store on this machine."""

    config: Config
    places: Places
    clock: Clock
    journal: Journal
    folder: Folder
    accounts: Accounts
    engine: Engine


def secret_of(ref: SecretRef, places: Places) -> Secret:
    """Where a secret is kept, ready to be asked."""
    return Secret(ref.source.value, ref.value, credentials=places.credentials)


def open_account(
    config: AccountConfig, *, places: Places, zone: str, types: Sequence[str], clock: Clock | None = None
) -> Account:
    """The account that a config describes; nothing is asked of the service yet."""
    now = (clock or SystemClock()).now
    match config.service:
        case Service.CALDAV:
            return _caldav(config, places, zone, types, now)
        case Service.EXCHANGE:
            return _exchange(config, places, zone, types, now)
        case Service.GOOGLE | Service.MICROSOFT365:
            problem = ConfigProblem(
                f"account {config.name}: service {config.service.value} can't be used by this version yet",
                "Use `service: caldav` or `service: exchange`.",
            )
            raise ConfigError("config", (problem,))


def _caldav(
    config: AccountConfig, places: Places, zone: str, types: Sequence[str], now: Callable[[], object]
) -> Account:
    from adapters.caldav_account import CalDavAccount

    ref = config.token or config.password
    secret = secret_of(ref, places).read if ref else lambda: ""
    return CalDavAccount(
        config.url,
        config.user,
        secret,
        bearer=config.token is not None,
        ca=config.ca,
        zone=zone,
        types=types,
        clock=now,  # type: ignore[arg-type]  # the clock's now
        name=config.name,
    )


def _exchange(
    config: AccountConfig, places: Places, zone: str, types: Sequence[str], now: Callable[[], object]
) -> Account:
    raise NotImplementedError


@contextmanager
def open_app(places: Places, *, clock: Clock | None = None, alone: bool = True) -> Iterator[App]:
    """Open the whole. `alone` takes the locks of the state folder and of the store.

    Raises ConfigError, AlreadyRunning, JournalError, and Missing where the store is not there.
    """
    clock = clock or SystemClock()
    config = load(places.config)
    make_state(places)
    with ExitStack() as stack:
        if alone:
            stack.enter_context(hold_state(places.lock))
        journal = _open_journal(places, clock)
        stack.callback(journal.close)
        marker = bind(config, journal)
        if alone:
            stack.enter_context(hold_store(config.store))
        app = build(config, places, journal, marker, clock)
        stack.callback(app.accounts.close)
        stack.callback(app.folder.close)
        yield app


def build(config: Config, places: Places, journal: Journal, marker: Marker, clock: Clock) -> App:
    """Put the parts together; touches nothing."""
    zone = marker.timezone
    folder = FileStore(config.store, zone=zone, types=config.types, clock=clock.now)
    accounts = Accounts(config, places, zone, clock)
    around = Surroundings(
        routes=config.routes,
        open_store=accounts.store,
        own=lambda route: own_addresses(config, route),
        router=_router(config, shared=config.shared or marker.shared),
        zone=zone,
        types=config.types,
        shared=config.shared or marker.shared,
        new_id=lambda: str(uuid.uuid4()),
        may_name=_may_name(config, shared=config.shared or marker.shared),
    )
    return App(config, places, clock, journal, folder, accounts, Engine(folder, journal, clock, around))


def own_addresses(config: Config, route: str) -> frozenset[str]:
    """The addresses under which the user of a route's account is known."""
    user = config.accounts[config.routes[route].account].user
    return frozenset(text.lower() for text in (user, config.owner) if "@" in text)


def _router(config: Config, *, shared: bool) -> Callable[[Activity, str | None], Choice]:
    routes = tuple(config.routes.values())
    users = {route.name: _user(config, route.account) for route in routes}
    owner = config.owner

    def choose(activity: Activity, came_from: str | None) -> Choice:
        return route_for(activity, routes, users=users, owner=owner, shared=shared, came_from=came_from)

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


def _open_journal(places: Places, clock: Clock) -> Journal:
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
        journal.set_meta("rebuilding", "1")
        journal.set_meta("rebuilt_from_damage", stamp)
        return journal


def bind(config: Config, journal: Journal) -> Marker:
    """Bind a new journal to its store, or check that the store is the one that it is bound to.

    A journal that is bound to no store yet makes the folder and the marker itself; a bound one never does.
    """
    bound = journal.get_meta("store")
    folder = FileStore(config.store, zone=config.timezone, types=config.types)
    if bound is None:
        config.store.mkdir(parents=True, exist_ok=True)
        marker = folder.marker() or make_marker(config.store, timezone=config.timezone, shared=config.shared)
        journal.set_meta("store", marker.store_id)
        return marker
    marker = folder.marker()
    if marker is None:
        raise Missing(
            f"the store {config.store} has lost its marker",
            what_to_do="If a disk or share is mounted there, mount it again. Do not make a new marker.",
        )
    if marker.store_id != bound:
        raise Missing(
            f"another store stands at {config.store}",
            what_to_do="Put the right folder there, or use another --state for this one.",
        )
    return marker
