"""Asking for consent in the browser: a loopback port, PKCE, and the pasted address (RFC 8252, RFC 7636)."""

from __future__ import annotations

import hmac
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.sign_in.oauth import SCOPE, Endpoints, OAuthApp, quiet, tokens_of, trouble
from adapters.sign_in.oauth_listener import Answered, Listener, answer_in
from adapters.sign_in.oauth_tokens import Tokens
from daemon.core.errors import DatebookError, Forbidden, SignInNeeded, Unavailable, UsageError

PATIENCE = timedelta(minutes=15)
# Google shows these errors in the browser and tells nobody else.
_BLOCKED = (
    "Where Google's page says `Access blocked`, end this with Ctrl-C. access_denied: your address is not among the "
    "test users of a consent screen in testing; publish the app, or add it. redirect_uri_mismatch: the client is not "
    "of the type Desktop app. invalid_client: `client: {id: ...}` is not the one that the console shows."
)
_MAX_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a person sits. `show` is told the link and what to do; `paste` is a descriptor to read lines from.

    `browse` opens a link in a browser (None: there is none) and says whether it could.
    """

    show: Callable[[str], None]
    browse: Callable[[str], bool] | None = None
    paste: int | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One sign-in of one account. `port` 0: any free one. `ca` is trusted for https in place of the system's."""

    app: OAuthApp
    account: str
    endpoints: Endpoints
    clock: Callable[[], datetime]
    user: str = ""
    port: int = 0
    ca: Path | None = None
    patience: timedelta = PATIENCE

    def ask(self, desk: Desk) -> Tokens:
        """Send the user to Google and wait for the answer. Raises SignInNeeded, Forbidden, Unavailable, UsageError."""
        from google_auth_oauthlib.flow import Flow  # noqa: PLC0415  it brings requests: 0.2 s

        quiet()
        secret = self.app.secret()
        with Listener(self.port) as listener:
            config = {"client_id": self.app.id, "client_secret": secret}
            config |= {"auth_uri": self.endpoints.authorize, "token_uri": self.endpoints.token}
            redirect = f"http://127.0.0.1:{listener.port}/"
            flow = Flow.from_client_config({"installed": config}, [SCOPE], redirect_uri=redirect)
            hint = {"login_hint": self.user} if "@" in self.user else {}
            # Without `consent` a second sign-in gives no refresh token.
            with _plain_loopback(self.endpoints.authorize):
                url, state = flow.authorization_url(access_type="offline", prompt="consent", **hint)
            listener.expect(state)
            self._send_off(desk, url, listener.port)
            answered = _Wait(listener, desk, state, self.patience.total_seconds()).answer()
        if answered.error:
            raise self._refused(answered.error)
        return self._exchange(flow, answered.code, secret)

    def _send_off(self, desk: Desk, url: str, port: int) -> None:
        if desk.browse is not None and desk.browse(url):
            desk.show(f"Your browser opens Google's page. If it does not, open this link:\n\n{url}\n\n{_BLOCKED}")
            return
        desk.show(
            f"Open this link in a browser, on any machine:\n\n{url}\n\n"
            f"In the end the browser is sent to http://127.0.0.1:{port}/ and may say that nothing is there.\n"
            "Copy that whole address out of the browser and paste it here. (Where port "
            f"{port} of this machine is forwarded to the browser's, as with ssh -L {port}:127.0.0.1:{port}, "
            f"nothing need be pasted.) {_BLOCKED}"
        )

    def _refused(self, error: str) -> DatebookError:
        if error == "access_denied":
            cure = (
                "Give the command again and allow it. While the consent screen is in testing, your address must stand "
                "among its test users."
            )
            return SignInNeeded("the access was not allowed (access_denied)", what_to_do=cure, store=self.account)
        return trouble({"error": error}, self.account)

    def _exchange(self, flow: Any, code: str, secret: str) -> Tokens:
        """The tokens for a code. The answer is read by oauthlib, whose errors are translated here."""
        from oauthlib.oauth2 import OAuth2Error  # noqa: PLC0415  see ask
        from requests import RequestException  # noqa: PLC0415  see ask

        try:
            with _plain_loopback(self.endpoints.token):
                said = dict(
                    flow.fetch_token(
                        code=code,
                        client_secret=secret,
                        include_client_id=True,
                        verify=str(self.ca) if self.ca else True,
                        timeout=30,
                    )
                )
        except OAuth2Error as error:
            raise trouble({"error": error.error}, self.account) from None
        except RequestException as error:
            what = f"Google's token endpoint can't be reached ({type(error).__name__})"
            raise Unavailable(what, store=self.account, uncertain=False) from None
        except Warning as other:  # oauthlib's word for: another scope was granted than was asked for
            said = dict(getattr(other, "token", None) or {})
        return self._checked(said)

    def _checked(self, said: dict[str, object]) -> Tokens:
        granted = said.get("scope", SCOPE)
        if SCOPE not in (granted if isinstance(granted, list) else str(granted).split()):
            cure = f"Give `datebook connect {self.account}` again, and leave the box for Google Calendar ticked."
            raise Forbidden("the access to Google Calendar was not granted", what_to_do=cure, store=self.account)
        tokens = tokens_of(said, self.endpoints.token, self.app.id, self.clock())
        if not tokens.access or not tokens.refresh:
            cure = "Make a client of the type Desktop app in the Google Cloud console, and name it in the config."
            raise SignInNeeded("Google gave no lasting access (no refresh token)", what_to_do=cure, store=self.account)
        return tokens


@dataclass(slots=True)
class _Wait:
    """Waiting for the browser's request, or for a line that is pasted, whichever comes first."""

    listener: Listener
    desk: Desk
    state: str
    patience: float
    _typed: bytes = b""

    def answer(self) -> Answered:
        pasted = self.desk.paste
        while True:
            watched = [self.listener.woken, *([pasted] if pasted is not None else [])]
            ready, _, _ = select.select(watched, (), (), self.patience)
            if self.listener.woken in ready and self.listener.answered is not None:
                return self.listener.answered
            if not ready:
                raise UsageError(
                    "Nobody answered Google's question in time.",
                    what_to_do="Give the command again when you are ready.",
                )
            if pasted is not None and pasted in ready:
                chunk = os.read(pasted, 4096)
                found = self._read_lines(chunk)
                if found is not None:
                    return found
                pasted = pasted if chunk else None

    def _read_lines(self, chunk: bytes) -> Answered | None:
        self._typed = (self._typed + chunk)[-_MAX_LINE:]
        while b"\n" in self._typed or (not chunk and self._typed):
            line, _, self._typed = self._typed.partition(b"\n")
            text = line.decode("utf-8", "replace").strip()
            answered = answer_in(text)
            if answered is not None and hmac.compare_digest(answered.state.encode(), self.state.encode()):
                return answered
            if text:
                self.desk.show(_wrong(answered))
        return None


def _wrong(answered: Answered | None) -> str:
    if answered is None:
        return "That is not the address that the browser was sent to: it begins with http://127.0.0.1 and has `code=`."
    return "That address belongs to another sign-in: open the link above, and paste what comes of it."


@contextmanager
def _plain_loopback(url: str) -> Iterator[None]:
    """Let oauthlib, which refuses plain http, have it; the config has refused it already, save to loopback."""
    name = "OAUTHLIB_INSECURE_TRANSPORT"
    before = os.environ.get(name)
    if url.startswith("http://"):
        os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
