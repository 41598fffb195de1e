"""Google's OAuth server as installed apps meet it: consent page, PKCE, tokens, refresh, revocation.

Access tokens live `lifetime` seconds by the persona's clock. `testing`: the consent screen is in testing,
so that a sign-in lasts seven days and the answer says so.
"""

from __future__ import annotations

import hashlib
import html
import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.servers.null_dav import Answer, Request

SCOPE = "https://www.googleapis.com/auth/calendar"
AUTHORIZE, CONSENT, TOKEN, REVOKE = "/o/oauth2/v2/auth", "/consent", "/token", "/revoke"
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


@dataclass
class Grant:
    """One sign-in: what was asked for, and whether it still holds."""

    user: str
    client: str
    scope: str
    ends: datetime | None = None
    revoked: bool = False


@dataclass
class Waiting:
    """A code that was given out and not yet exchanged, or a consent page that is being read."""

    query: dict[str, str]
    user: str
    scope: str = SCOPE


@dataclass
class GoogleOAuth:
    """The server's state; knows nothing of sockets. Tests turn its switches."""

    clock: Callable[[], datetime]
    user: str = "me@example.com"
    client: str = "1234-abc.apps.googleusercontent.com"
    secret: str = "GOCSPX-test"
    kind: str = "installed"  # or "web": no loopback ports, no refresh token
    lifetime: float = 3599.0
    testing: bool = False
    test_users: frozenset[str] | None = None
    broken: int = 0  # so many answers of the token endpoint are 503
    unticked: bool = False  # the user takes the tick off the calendar's box
    access: dict[str, tuple[Grant, datetime]] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, Waiting] = field(default_factory=dict)
    pages: dict[str, Waiting] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> Answer | None:
        """Answer a request that is for this server; None: it is not."""
        path = urlsplit(request.path).path
        match request.method, path:
            case "GET", str() if path == AUTHORIZE:
                return self._authorize(_query(urlsplit(request.path).query))
            case "POST", str() if path == CONSENT:
                return self._consent(_query(request.body.decode()))
            case "POST", str() if path == TOKEN:
                return self._token(request)
            case "POST", str() if path == REVOKE:
                return self._revoke(_query(request.body.decode()) | _query(urlsplit(request.path).query))
        return None

    def issue(self, *, scope: str = SCOPE) -> tuple[str, str]:
        """An access and a refresh token without any page, as after a sign-in."""
        grant = Grant(self.user, self.client, scope, self._ends())
        refresh = f"1//{secrets.token_urlsafe(24)}"
        self.refresh[refresh] = grant
        return self._new_access(grant), refresh

    def revoke_all(self) -> None:
        """The user takes the access back at myaccount.google.com."""
        for grant in self.refresh.values():
            grant.revoked = True
        self.access.clear()

    def expire_access(self) -> None:
        """Every access token is refused from now on; the sign-ins hold."""
        self.access.clear()

    def bearer(self, authorization: str) -> Grant | None:
        """Whose request this is; None: the token is none, or has ended."""
        token = authorization.removeprefix("Bearer ")
        grant, expires = self.access.get(token, (None, self.clock()))
        if grant is None or grant.revoked or expires <= self.clock():
            return None
        return grant

    # The browser ------------------------------------------------------------------------------------

    def _authorize(self, query: dict[str, str]) -> Answer:
        fault = self._fault(query)
        if fault:
            return _page(400, f"<h1>Access blocked</h1><p id=error>{html.escape(fault)}</p>")
        ticket = secrets.token_urlsafe(16)
        user = query.get("login_hint") or self.user
        self.pages[ticket] = Waiting(query, user)
        return _page(
            200,
            f"<h1>Datebook wants access to your Google Account</h1><p>{html.escape(user)}</p>"
            f"<form method=post action={CONSENT}><input type=hidden name=ticket value={ticket}>"
            "<button id=allow name=answer value=allow>Continue</button>"
            "<button id=deny name=answer value=deny>Cancel</button></form>",
        )

    def _fault(self, query: dict[str, str]) -> str:
        redirect = urlsplit(query.get("redirect_uri", ""))
        if query.get("client_id") != self.client:
            return "Error 401: invalid_client"
        if self.kind != "installed" or redirect.scheme != "http" or (redirect.hostname or "") not in _LOOPBACK:
            return "Error 400: redirect_uri_mismatch"
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return "Error 400: invalid_request"
        if query.get("scope") != SCOPE:
            return "Error 400: invalid_scope"
        if self.test_users is not None and (query.get("login_hint") or self.user) not in self.test_users:
            return "Error 403: access_denied"
        return ""

    def _consent(self, form: dict[str, str]) -> Answer:
        waiting = self.pages.pop(form.get("ticket", ""), None)
        if waiting is None:
            return _page(400, "<h1>Expired</h1>")
        back = {"state": waiting.query.get("state", "")}
        if form.get("answer") == "allow":
            code = f"4/{secrets.token_urlsafe(24)}"
            waiting.scope = "openid" if self.unticked else SCOPE
            self.codes[code] = waiting
            back |= {"code": code, "scope": waiting.scope}
        else:
            back |= {"error": "access_denied"}
        return Answer(302, b"", {"Location": f"{waiting.query['redirect_uri']}?{urlencode(back)}"})

    # Tokens -----------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Answer:
        form = _query(request.body.decode())
        self.log.append(form.get("grant_type", ""))
        if self.broken:
            self.broken -= 1
            return _json(503, {"error": "temporarily_unavailable"})
        if self._client(request, form) != (self.client, self.secret):
            return _json(401, {"error": "invalid_client", "error_description": "Unauthorized"})
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
        return _json(400, {"error": "unsupported_grant_type"})

    def _client(self, request: Request, form: Mapping[str, str]) -> tuple[str, str]:
        """Who asks: in the header (RFC 6749 section 2.3.1), or in the body."""
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            user, _, password = b64decode(basic[6:]).decode().partition(":")
            return unquote(user), unquote(password)
        return form.get("client_id", ""), form.get("client_secret", "")

    def _exchange(self, form: dict[str, str]) -> Answer:
        waiting = self.codes.pop(form.get("code", ""), None)  # good for one exchange
        if waiting is None or form.get("redirect_uri") != waiting.query["redirect_uri"]:
            return _json(400, {"error": "invalid_grant", "error_description": "Malformed auth code."})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if urlsafe_b64encode(digest).rstrip(b"=").decode() != waiting.query.get("code_challenge"):
            return _json(400, {"error": "invalid_grant", "error_description": "Invalid code verifier."})
        grant = Grant(waiting.user, self.client, waiting.scope, self._ends())
        said = self._said(grant)
        if waiting.query.get("access_type") == "offline" and waiting.query.get("prompt") == "consent":
            said["refresh_token"] = f"1//{secrets.token_urlsafe(24)}"
            self.refresh[str(said["refresh_token"])] = grant
        return _json(200, said)

    def _refresh(self, form: dict[str, str]) -> Answer:
        grant = self.refresh.get(form.get("refresh_token", ""))
        if grant is None or grant.revoked or (grant.ends is not None and grant.ends <= self.clock()):
            return _json(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        return _json(200, self._said(grant))

    def _said(self, grant: Grant) -> dict[str, object]:
        said: dict[str, object] = {
            "access_token": self._new_access(grant),
            "expires_in": round(self.lifetime),
            "scope": grant.scope,
            "token_type": "Bearer",
        }
        if grant.ends is not None:
            said["refresh_token_expires_in"] = round((grant.ends - self.clock()).total_seconds())
        return said

    def _new_access(self, grant: Grant) -> str:
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.access[token] = (grant, self.clock() + timedelta(seconds=self.lifetime))
        return token

    def _ends(self) -> datetime | None:
        return self.clock() + timedelta(days=7) if self.testing else None

    def _revoke(self, form: dict[str, str]) -> Answer:
        token = form.get("token", "")
        grant = self.refresh.get(token) or self.access.get(token, (None,))[0]
        if grant is None:
            return _json(400, {"error": "invalid_token"})
        grant.revoked = True
        return _json(200, {})


def _query(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


def _page(status: int, inner: str) -> Answer:
    body = f"<!doctype html><meta charset=utf-8><title>Sign in - Google Accounts</title>{inner}".encode()
    return Answer(status, body, {"Content-Type": "text/html; charset=utf-8"})
