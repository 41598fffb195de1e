"""Google's OAuth: tokens that renew themselves before they end, and the words for what ends them (RFC 6749)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from adapters.net.transport import Session
from adapters.sign_in.oauth_tokens import KeptTokens, Tokens
from adapters.sign_in.token_places import renewing_alone
from daemon.core.errors import Forbidden, SecretNeeded, SignInNeeded, StoreError, Unavailable

# CalDAV takes no smaller one that is known to work: calendar.events is not documented for it.
SCOPE = "https://www.googleapis.com/auth/calendar"
EARLY = timedelta(minutes=5)  # so long before its end an access token is renewed; a short-lived one later
_PART = 5  # of its life that is left then at most
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CHATTY = ("google", "google_auth_oauthlib", "oauthlib", "requests_oauthlib", "urllib3", "niquests")

REVOKED = (
    "Run `datebook connect {account}`. Likely causes: access was taken back at myaccount.google.com; the consent "
    "screen is in testing, where a sign-in lasts 7 days (publish the app); six months without use; a new password; the "
    "administrator ended the session."
)
_WRONG_CLIENT = (
    "Compare `client: {{id, secret}}` of account `{account}` with the Google Cloud console: the client is of the type "
    "Desktop app, and its secret is not an old one. Then run `datebook connect {account}`."
)
_NOT_ALLOWED = (
    "Ask the administrator of your Google Workspace to allow this app (Admin console, Security, API controls), or use "
    "a client of your own organisation; then run `datebook connect {account}`."
)
# What Google answers in `error`, or in `error_subtype`, and what its user can do about it.
_CURES: Mapping[str, tuple[str, str]] = {
    "invalid_grant": ("Google has ended this sign-in", REVOKED),
    "invalid_rapt": ("your organisation wants you to sign in again", "Run `datebook connect {account}`."),
    "invalid_client": ("Google does not know this client id with this secret", _WRONG_CLIENT),
    "unauthorized_client": ("Google does not take this client for programs", _WRONG_CLIENT),
    "deleted_client": ("this client was deleted in the Google Cloud console", _WRONG_CLIENT),
    "disabled_client": ("this client was switched off in the Google Cloud console", _WRONG_CLIENT),
    "redirect_uri_mismatch": ("the client is not of the type Desktop app", _WRONG_CLIENT),
}
_FORBIDDEN = frozenset({"admin_policy_enforced", "org_internal", "policy_enforced", "invalid_scope"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Google's OAuth is."""

    authorize: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token: str = "https://oauth2.googleapis.com/token"  # noqa: S105  an address


def endpoints_of(url: str) -> Endpoints:
    """The endpoints that belong to an account's address: a server on loopback plays all of Google, OAuth too."""
    parts = urlsplit(url)
    if (parts.hostname or "") not in _LOOPBACK:
        return Endpoints()
    origin = f"{parts.scheme}://{parts.netloc}"
    return Endpoints(f"{origin}/o/oauth2/v2/auth", f"{origin}/token")


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The user's own client of the Google Cloud console; `secret` reads its secret when it is needed."""

    id: str
    secret: Callable[[], str] = field(repr=False)


@dataclass(slots=True)
class GoogleTokens:
    """The tokens of one account. Calling it gives an access token that is good for a while. Thread-safe.

    Raises SignInNeeded with the likely causes, Forbidden, Unavailable.
    """

    app: OAuthApp
    kept: KeptTokens
    session: Session
    clock: Callable[[], datetime]
    _tokens: Tokens | None = field(default=None, repr=False)
    _unsaved: bool = False  # the keyring did not take the last ones
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> str:
        """An access token; a new one where the last has nearly ended."""
        with self._lock:
            tokens = self._tokens or self._load()
            if self._is_good(tokens):
                return tokens.access
            try:
                return self._renewed(tokens.access).access
            except Unavailable:
                if self.clock() < tokens.expires:
                    return tokens.access
                raise

    def renew(self, refused: str) -> str:
        """Another access token in place of one that was refused before its time."""
        with self._lock:
            return self._renewed(refused).access

    def expires(self) -> datetime | None:
        """When this sign-in ends, where Google says it, else when the access token does; None: not signed in."""
        known = self._tokens if self.kept.place.stamp() is None else None
        try:
            tokens = known or self.kept.load()
        except SignInNeeded:
            return None
        return tokens.ends or tokens.expires

    def changed(self) -> bool:
        """Whether somebody has signed in anew since these tokens were read."""
        try:
            there = self.kept.load()
        except SignInNeeded:
            return False
        with self._lock:
            known = self._tokens
            if known is not None and (self._unsaved or known.refresh == there.refresh):
                return False
            self._tokens = there
            return True

    def _is_good(self, tokens: Tokens) -> bool:
        """Whether an access token need not be renewed yet."""
        return tokens.expires - self.clock() > min(EARLY, (tokens.expires - tokens.issued) / _PART)

    def _load(self) -> Tokens:
        tokens = self.kept.load()
        if tokens.client != self.app.id:
            raise SignInNeeded(
                "the tokens were given to another client id",
                what_to_do=f"Run `datebook connect {self.kept.account}`.",
                store=self.kept.account,
            )
        self._tokens = tokens
        return tokens

    def _renewed(self, refused: str) -> Tokens:
        """Tokens newer than the refused one: those that another program has just got, or our own."""
        with renewing_alone(self.kept.place.path):
            there = self._newest()
            if there.access != refused and self._is_good(there):
                return there
            self._tokens = self._refreshed(there)
            self._save(self._tokens)
            return self._tokens

    def _newest(self) -> Tokens:
        """What is kept; while the keyring is locked, or has not taken them, those that are known here."""
        if self._tokens is not None and self._unsaved:
            return self._tokens
        try:
            return self._load()
        except SecretNeeded:
            if self._tokens is None:
                raise
            return self._tokens

    def _save(self, tokens: Tokens) -> None:
        """Keep them; a keyring that takes none now is tried again with the next ones, and nothing is lost till then."""
        try:
            self.kept.save(tokens)
        except SecretNeeded:
            self._unsaved = True
        else:
            self._unsaved = False

    def _refreshed(self, tokens: Tokens) -> Tokens:
        # Imported here: 0.1 s and 8 MiB.
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  costs 0.1 s: imported when somebody signs in
        from google.oauth2.credentials import Credentials  # noqa: PLC0415  costs 0.1 s: imported when somebody signs in

        quiet()
        wire = _Wire(self.session)
        credentials = Credentials(
            None,
            refresh_token=tokens.refresh,
            token_uri=tokens.token_uri,
            client_id=self.app.id,
            client_secret=self.app.secret(),
        )
        try:
            credentials.refresh(wire)
        except GoogleAuthError as error:
            raise trouble(wire.said, self.kept.account, later=bool(getattr(error, "retryable", False))) from None
        fresh = tokens_of(wire.said, tokens.token_uri, self.app.id, self.clock())
        return replace(fresh, refresh=fresh.refresh or tokens.refresh, ends=fresh.ends or tokens.ends)


def tokens_of(said: Mapping[str, object], token_uri: str, client: str, now: datetime) -> Tokens:
    """What an answer of the token endpoint gives (RFC 6749 section 5.1)."""
    ends = _seconds(said.get("refresh_token_expires_in"))
    return Tokens(
        access=str(said.get("access_token", "")),
        issued=now,
        expires=now + (_seconds(said.get("expires_in")) or timedelta(hours=1)),
        refresh=str(said.get("refresh_token") or ""),
        token_uri=token_uri,
        client=client,
        ends=now + ends if ends else None,
    )


def trouble(said: Mapping[str, object], account: str, *, later: bool = False) -> StoreError:
    """The error that an answer of the token endpoint stands for (RFC 6749 section 5.2)."""
    codes = [str(said.get(name, "")) for name in ("error_subtype", "error")]
    for code in codes:
        if code in _CURES and not later:
            what, cure = _CURES[code]
            return SignInNeeded(f"{what} ({code})", what_to_do=cure.format(account=account), store=account)
        if code in _FORBIDDEN:
            what = f"Google does not let this app in ({code})"
            return Forbidden(what, what_to_do=_NOT_ALLOWED.format(account=account), store=account)
    shown = next((code for code in codes if code.isidentifier()), "no reason given")
    return Unavailable(f"Google gives no token now ({shown})", store=account, uncertain=False)


def quiet() -> None:
    """Keep the libraries from logging tokens, as they do at DEBUG."""
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _seconds(value: object) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return timedelta(seconds=max(0.0, float(value)))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer in the shape of google.auth.transport.Response."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


@dataclass(slots=True)
class _Wire:
    """Our session as google-auth's transport: no `requests`, our limits, and the account's `ca`."""

    session: Session
    said: dict[str, Any] = field(default_factory=dict, repr=False)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_unused: object,
    ) -> _Answer:
        data = body.encode() if isinstance(body, str) else body
        response = self.session.request(method, url, data, headers)
        try:
            said = json.loads(response.body)
        except ValueError:
            said = None
        self.said = said if isinstance(said, dict) else {}
        return _Answer(response.status, response.headers, response.body)
