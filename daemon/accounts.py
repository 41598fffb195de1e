"""The accounts of a config, as what they are: the part of the composition root that knows the services.

Heavy libraries are imported when an account needs them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.sign_in.secrets import Kind, Secret
from config.places import Places
from config.schema import AccountConfig, Config, SecretRef, Service
from daemon.clock import Clock, SystemClock
from daemon.core.errors import Missing
from daemon.core.store import Account, Store
from daemon.known_servers import KnownServers
from daemon.sign_in import TokenSource, client_secret, signs_in, tokens_of
from daemon.silence import Silence


@dataclass(slots=True)
class Accounts:
    """The accounts and calendars of a config, opened when they are first needed. Thread-safe by account."""

    config: Config
    places: Places
    zone: str
    clock: Clock
    _accounts: dict[str, Account] = field(default_factory=dict)
    _stores: dict[str, Store] = field(default_factory=dict)
    _secrets: dict[str, Secret | TokenSource] = field(default_factory=dict)

    def account(self, name: str) -> Account:
        """One account by its name in the config."""
        if name not in self._accounts:
            config = self.config.accounts[name]
            ref = config.token or config.password
            if ref is not None:
                self._secrets[name] = secret_of(ref, self.places)
            elif signs_in(config):
                self._secrets[name] = tokens_for(config, self.places, self.clock)
            self._accounts[name] = open_account(
                config,
                places=self.places,
                zone=self.zone,
                types=self.config.types,
                clock=self.clock,
                secret=self._secrets.get(name),
                owner=self.config.owner,
            )
        return self._accounts[name]

    def store(self, route: str) -> Store:
        """The calendar of a route. Raises StoreError."""
        if route not in self._stores:
            order = self.config.routes[route]
            store = self.account(order.account).open(order.calendar)
            self._refuse_twice(route, store)
            self._stores[route] = store
        return self._stores[route]

    def _refuse_twice(self, route: str, store: Store) -> None:
        """Two routes into one calendar would double everything in it."""
        for other, known in list(self._stores.items()):
            if known.identity == store.identity:
                store.close()
                raise Missing(
                    f"`{route}` and `{other}` are the same calendar",
                    store=route,
                    what_to_do=f"Take one of the two out of `calendars:` in {self.config.path}.",
                )

    def has_new_secret(self, name: str) -> bool:
        """Whether the place of an account's password or token gives something new now."""
        known = self._secrets.get(name)
        return known is not None and known.changed()

    def token_expires(self, name: str) -> datetime | None:
        """When an account's sign-in ends, as far as it is known; None: it has none, or nobody has signed in."""
        config = self.config.accounts.get(name)
        if config is None or not signs_in(config) or config.client is None:
            return None
        known = self._secrets.get(name)  # a keyring is not asked for what is known already
        if known is None or isinstance(known, Secret):
            known = tokens_for(config, self.places, self.clock)
        return known.expires()

    def close(self) -> None:
        """Let go of every connection."""
        for store in self._stores.values():
            store.close()
        for account in self._accounts.values():
            account.close()
        self._stores.clear()
        self._accounts.clear()


@dataclass(frozen=True, slots=True)
class _Given:
    """What an account works with, beside what its config says."""

    places: Places
    ask: Callable[[], str]
    zone: str
    types: Sequence[str]
    now: Callable[[], datetime]
    owner: str


def secret_of(ref: SecretRef, places: Places) -> Secret:
    """Where a secret is kept, ready to be asked."""
    environment = dict(os.environ)
    if places.credentials is not None:
        environment["CREDENTIALS_DIRECTORY"] = str(places.credentials)
    return Secret(Kind(ref.source.value), ref.value, environment)


def open_account(  # noqa: PLR0913  what an account works with, all by name
    config: AccountConfig,
    *,
    places: Places,
    zone: str,
    types: Sequence[str],
    clock: Clock | None = None,
    secret: Secret | TokenSource | None = None,
    owner: str = "",
) -> Account:
    """The account that a config describes; nothing is asked of the service yet."""
    clock = clock or SystemClock()
    ref = config.token or config.password
    ask = secret or (secret_of(ref, places) if ref else _no_secret)
    if secret is None and signs_in(config):
        ask = tokens_for(config, places, clock)
    given = _Given(places, ask, zone, types, clock.now, owner)
    match config.service:
        case Service.CALDAV:
            return _caldav(config, given)
        case Service.EXCHANGE:
            return _exchange(config, given)
        case Service.GOOGLE:
            return _google(config, given)
        case Service.MICROSOFT365:
            return _microsoft(config, given)


def tokens_for(config: AccountConfig, places: Places, clock: Clock) -> TokenSource:
    """The tokens of an account that Datebook itself signs in to. Raises SignInNeeded where it has no client."""
    return tokens_of(config, places, client_secret(config, secret_of, places), clock.now)


def silence_of(config: AccountConfig, places: Places) -> Silence:
    """What is proven of an account's server and its mails."""
    return Silence(places.state / "servers.json", f"{config.user} {config.url}")


def _caldav(config: AccountConfig, given: _Given) -> Account:
    from adapters.dav.caldav_account import CalDavAccount

    silence = silence_of(config, given.places)
    return CalDavAccount(
        config.url,
        config.user,
        given.ask,
        bearer=config.token is not None,
        ca=config.ca,
        zone=given.zone,
        types=given.types,
        clock=given.now,
        name=config.name,
        organizer=given.owner,
        silences=silence.is_proven,
    )


def _google(config: AccountConfig, given: _Given) -> Account:
    from adapters.google_calendar.google_account import GoogleAccount

    return GoogleAccount(
        config.url,
        config.user,
        given.ask,
        renew=getattr(given.ask, "renew", None),
        ca=config.ca,
        zone=given.zone,
        types=given.types,
        clock=given.now,
        name=config.name,
        owner=given.owner,
    )


def _microsoft(config: AccountConfig, given: _Given) -> Account:
    from adapters.graph.graph_account import GraphAccount

    return GraphAccount(
        config.url,
        given.ask,
        ca=config.ca,
        zone=given.zone,
        types=given.types,
        clock=given.now,
        name=config.name,
        user=config.user,
        also=given.owner,
    )


def _no_secret() -> str:
    return ""


def _exchange(config: AccountConfig, given: _Given) -> Account:
    from adapters.exchange.exchange_account import ExchangeAccount

    servers = KnownServers(given.places.state / "servers.json")
    key = f"{config.user} {config.url}"

    return ExchangeAccount(
        config.url,
        config.user,
        given.ask,
        address=config.user if "@" in config.user else given.owner,
        bearer=config.token is not None,
        ca=config.ca,
        zone=given.zone,
        name=config.name,
        recall=lambda: servers.recall(key),
        remember=lambda manner: servers.keep(key, manner),
    )
