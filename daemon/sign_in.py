"""Signing in to accounts that take OAuth: where their tokens are, and asking their user for consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from adapters.sign_in.secrets import Secret
from config.places import Places, make_state
from config.schema import AccountConfig, Service, TokenHome
from daemon.core.errors import SignInNeeded

if TYPE_CHECKING:
    from adapters.sign_in.token_places import TokenPlace

SERVICES = frozenset({Service.GOOGLE, Service.MICROSOFT365})
_HOW = {
    Service.GOOGLE: "docs/google.md says how to make one: `client: {id: ..., secret: {command: ...}}`.",
    Service.MICROSOFT365: "docs/microsoft365.md says how to make one: `client: {id: ...}`.",
}


class TokenSource(Protocol):
    """The access tokens of one account, renewed before they end."""

    def __call__(self) -> str:
        """An access token that is good for a while. Raises SignInNeeded, Forbidden, Unavailable."""

    def renew(self, refused: str) -> str:
        """Another access token in place of one that was refused before its time."""

    def changed(self) -> bool:
        """Whether somebody has signed in anew since these tokens were read."""

    def expires(self) -> datetime | None:
        """When this sign-in ends, as far as it is known; None: nobody has signed in."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where the person sits. `show` says something, `ask` asks for a line, `browse` opens a link if it can.

    `browse` None: there is no browser here. `paste` is a descriptor to read pasted lines from.
    """

    show: Callable[[str], None]
    ask: Callable[[str], str]
    browse: Callable[[str], bool] | None = None
    paste: int | None = None
    port: int = 0


def signs_in(config: AccountConfig) -> bool:
    """Whether Datebook itself signs in to this account: by OAuth, and not through a broker's `token`."""
    return config.service in SERVICES and config.token is None


def tokens_of(
    config: AccountConfig, places: Places, secret: Callable[[], str], clock: Callable[[], datetime]
) -> TokenSource:
    """The tokens of an account that signs in; nothing is asked yet. `secret` gives that of its client."""
    if config.service is Service.MICROSOFT365:
        from adapters.net.transport import Session
        from adapters.sign_in.microsoft_app import Http, cloud_of
        from adapters.sign_in.microsoft_signin import TokenSource as Microsoft

        http = Http(Session(ca=config.ca, store=config.name))
        place = place_of(config, places)
        return Microsoft(_client(config), config.tenant, place, cloud_of(config.url), config.name, http)
    from adapters.net.transport import Session
    from adapters.sign_in.oauth import GoogleTokens, OAuthApp
    from adapters.sign_in.oauth_tokens import KeptTokens

    session = Session(ca=config.ca, store=config.name)
    app = OAuthApp(_client(config), secret)
    return GoogleTokens(app, KeptTokens(place_of(config, places)), session, clock)


def ask_consent(
    config: AccountConfig,
    places: Places,
    secret: Callable[[], str],
    clock: Callable[[], datetime],
    terminal: Terminal,
) -> None:
    """Sign a person in, and keep the tokens. Raises SignInNeeded, Forbidden, Unavailable, UsageError."""
    make_state(places)
    place_of(config, places).read()  # a keyring that is locked is said before anybody is asked anything
    if config.service is Service.MICROSOFT365:
        _ask_microsoft(config, places, terminal)
    else:
        _ask_google(config, places, secret, clock, terminal)
    if config.tokens is TokenHome.KEYRING:
        _token_path(config, places).unlink(missing_ok=True)


def _ask_microsoft(config: AccountConfig, places: Places, terminal: Terminal) -> None:
    from adapters.net.transport import Session
    from adapters.sign_in.microsoft_app import Http, cloud_of
    from adapters.sign_in.microsoft_signin import sign_in

    sign_in(
        _client(config),
        config.tenant,
        place_of(config, places),
        open_browser=terminal.browse is not None,
        show=terminal.show,
        read=terminal.ask,
        cloud=cloud_of(config.url),
        user=config.user,
        http=Http(Session(ca=config.ca, store=config.name)),
    )


def _ask_google(
    config: AccountConfig,
    places: Places,
    secret: Callable[[], str],
    clock: Callable[[], datetime],
    terminal: Terminal,
) -> None:
    from adapters.sign_in.oauth import OAuthApp, endpoints_of
    from adapters.sign_in.oauth_consent import Consent, Desk
    from adapters.sign_in.oauth_tokens import KeptTokens

    consent = Consent(
        OAuthApp(_client(config), secret),
        config.name,
        endpoints_of(config.url),
        clock,
        user=config.user,
        port=terminal.port,
        ca=config.ca,
    )
    tokens = consent.ask(Desk(terminal.show, terminal.browse, terminal.paste))
    KeptTokens(place_of(config, places)).save(tokens)


def place_of(config: AccountConfig, places: Places) -> TokenPlace:
    """Where an account's tokens are kept."""
    from adapters.sign_in.token_places import FilePlace, KeyringPlace

    kind = KeyringPlace if config.tokens is TokenHome.KEYRING else FilePlace
    return kind(_token_path(config, places), config.name)


def forget_tokens(config: AccountConfig, places: Places) -> None:
    """Throw the tokens away, those too that were kept in a file before. Raises SecretNeeded, OSError."""
    _token_path(config, places).unlink(missing_ok=True)
    place_of(config, places).remove()


def _token_path(config: AccountConfig, places: Places) -> Path:
    return places.secrets / f"{config.name}.{config.service.value}.json"


def client_secret(config: AccountConfig, of: Callable[..., Secret], places: Places) -> Callable[[], str]:
    """What gives the secret of an account's client; "" where it has none."""
    ref = config.client.secret if config.client is not None else None
    return of(ref, places) if ref is not None else str


def _client(config: AccountConfig) -> str:
    if config.client is None or not config.client.id:
        what = f"account {config.name} has no `client` to sign in with"
        raise SignInNeeded(what, what_to_do=_HOW[config.service], store=config.name)
    return config.client.id
