"""Signing in to Microsoft 365: authorization code with PKCE in the browser, a device code where that fails."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.sign_in.microsoft_app import PERMISSION, PUBLIC, SIGN_IN, Cache, Cloud, Http, app_for
from adapters.sign_in.microsoft_words import trouble
from adapters.sign_in.token_places import TokenPlace
from daemon.core.errors import Forbidden, SecretNeeded, SignInNeeded

PATIENCE = 900  # seconds for a person to answer in the browser


def sign_in(  # noqa: PLR0913  whose sign-in, where it is kept, and how its user is spoken to
    client_id: str,
    tenant: str,
    place: TokenPlace,
    *,
    open_browser: bool,
    show: Callable[[str], None],
    read: Callable[[str], str],
    cloud: Cloud = PUBLIC,
    user: str = "",
    http: Http | None = None,
) -> None:
    """Sign a person in and keep the tokens in `place`.

    `show` is told what to do, `read` asks for a line. Without a browser the link is shown, and the address that the
    browser ends at is pasted; an empty line asks for a code to type on another device instead.
    Raises SignInNeeded and Forbidden with what to do, Unavailable.
    """
    cache = _writable(place)
    app = app_for(client_id, tenant, cloud, cache, http)
    hint = {"login_hint": user} if "@" in user else {}
    ask = _in_browser if open_browser else _by_paste
    said = ask(app, cloud, show, read, hint)
    if "access_token" not in said:
        raise trouble(said)
    if not any(each.endswith(PERMISSION) for each in str(said.get("scope", PERMISSION)).split()):
        cure = f"Allow {PERMISSION} when Microsoft asks; an administrator may have to consent to it first."
        raise Forbidden(f"{PERMISSION} was not granted", what_to_do=cure)
    cache.save()


@dataclass(slots=True)
class TokenSource:
    """The access tokens of one account, renewed before they end. Calling it gives one that is good for a while.

    Thread-safe. Raises SignInNeeded with what to do, Forbidden, Unavailable.
    """

    client_id: str
    tenant: str
    place: TokenPlace
    cloud: Cloud = PUBLIC
    name: str = ""
    http: Http | None = field(default=None, repr=False)
    _app: Any = field(default=None, repr=False)
    _cache: Cache | None = field(default=None, repr=False)
    _account: str = field(default="", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> str:
        """An access token; a new one where the last has nearly ended."""
        with self._lock:
            return self._token(renew=False)

    def renew(self, refused: str) -> str:
        """Another access token in place of one that was refused before its time."""
        with self._lock:
            kept = self._token(renew=False)
            return kept if kept != refused else self._token(renew=True)

    def changed(self) -> bool:
        """Whether somebody has signed in anew since these tokens were read."""
        with self._lock:
            return self._cache is not None and self._cache.is_other(ask=True)

    def expires(self) -> datetime | None:
        """When the last access token ends; it is renewed by itself. None: nobody has signed in."""
        try:
            known = self._cache.tokens.serialize() if self._cache is not None and self.place.stamp() is None else None
            held = json.loads(known or self.place.read() or "{}").get("AccessToken", {}).values()
            ends = [int(each["expires_on"]) for each in held]
        except (SignInNeeded, ValueError, KeyError, TypeError, AttributeError):
            return None
        return datetime.fromtimestamp(max(ends), UTC) if ends else None

    def _token(self, *, renew: bool) -> str:
        said = self._said(renew=renew)
        if "access_token" not in said and self._cache is not None and self._cache.is_other(ask=True):
            self._cache = None  # somebody has signed in anew
            said = self._said(renew=renew)
        if "access_token" not in said:
            raise trouble(said, self.name)
        return str(said["access_token"])

    def _said(self, *, renew: bool) -> Mapping[str, object]:
        app, cache = self._opened()
        accounts = app.get_accounts()
        if not accounts:
            raise SignInNeeded("nobody has signed in yet", what_to_do=SIGN_IN, store=self.name)
        said: Mapping[str, object] | None = app.acquire_token_silent_with_error(
            [self.cloud.scope], accounts[0], force_refresh=renew
        )
        with suppress(SecretNeeded):  # a keyring that is locked now takes them with the next change
            cache.save()
        if not said:
            raise SignInNeeded("the sign-in has ended", what_to_do=SIGN_IN, store=self.name)
        return said

    def _opened(self) -> tuple[Any, Cache]:
        """The app with the tokens that are kept now: `datebook connect` may have put others there."""
        if self._app is None or self._cache is None or self._cache.is_other():
            self._cache = Cache(self.place)
            self._app = app_for(self.client_id, self.tenant, self.cloud, self._cache, self.http, self.name)
        return self._app, self._cache


def _writable(place: TokenPlace) -> Cache:
    """The cache that a new sign-in goes into; damaged tokens are no reason against one."""
    try:
        return Cache(place)
    except SecretNeeded:
        raise
    except SignInNeeded:
        place.remove()
        return Cache(place)


def _in_browser(
    app: Any, cloud: Cloud, show: Callable[[str], None], _read: Callable[[str], str], hint: Mapping[str, str]
) -> Mapping[str, object]:
    show("Your browser opens Microsoft's page. Sign in there, and allow access to your calendars.")
    said = app.acquire_token_interactive(
        [cloud.scope],
        prompt="select_account",
        timeout=PATIENCE,
        auth_uri_callback=lambda link: show(f"No browser could be opened. Open this link on this machine:\n\n{link}\n"),
        **hint,
    )
    return said or {"error": "timeout"}


def _by_paste(
    app: Any, cloud: Cloud, show: Callable[[str], None], read: Callable[[str], str], hint: Mapping[str, str]
) -> Mapping[str, object]:
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # a form can't be pasted
        flow = app.initiate_auth_code_flow(
            [cloud.scope], redirect_uri="http://localhost", prompt="select_account", response_mode="query", **hint
        )
    show(
        f"Open this link in a browser, on any machine, and sign in:\n\n{flow['auth_uri']}\n\n"
        "In the end the browser is sent to http://localhost and says that nothing is there. Copy that whole address."
    )
    pasted = read("The address (or nothing, for a code to type on another device): ").strip()
    if not pasted:
        return _by_code(app, cloud, show)
    answer = {name: values[0] for name, values in parse_qs(urlsplit(pasted).query).items()}
    try:
        said: Mapping[str, object] = app.acquire_token_by_auth_code_flow(flow, answer)
    except ValueError:
        cure = "Give the command again, open the new link, and paste the whole address that the browser is sent to."
        raise SignInNeeded("the address belongs to another sign-in, or is none", what_to_do=cure) from None
    return said


def _by_code(app: Any, cloud: Cloud, show: Callable[[str], None]) -> Mapping[str, object]:
    flow = app.initiate_device_flow([cloud.scope])
    if "user_code" not in flow:
        raise trouble(flow, by_code=True)
    show(f"Open {flow['verification_uri']} on any device and type the code {flow['user_code']}.")
    said: Mapping[str, object] = app.acquire_token_by_device_flow(flow)
    if "access_token" not in said:
        raise trouble(said, by_code=True)
    return said
