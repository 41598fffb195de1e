"""Microsoft's sign-in, as far as msal asks it: discovery, authorize with a person's answer, tokens, device codes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import itertools
import json
import re
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from adapters.net.transport import Response, Session
from adapters.sign_in.microsoft_app import Http
from tests.servers.on_loopback import Loopback, Quiet, running

MICROSOFT = "https://login.microsoftonline.com"
CLIENT = "11111111-2222-3333-4444-555555555555"


@dataclass
class Login:
    """The running server. `refuses`: the AADSTS code with which the next tokens are refused, by grant."""

    address: str = ""
    lifetime: int = 3600
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    scope: str = "Calendars.ReadWrite"
    asked: list[dict[str, str]] = field(default_factory=list)
    granted: list[str] = field(default_factory=list)
    broken: int = 0  # so many requests of the token endpoint are answered 503
    tenants: frozenset[str] = frozenset({"organizations", "corp.example"})
    _challenges: dict[str, dict[str, str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def authorize(self, link: str) -> dict[str, str]:
        """What a person gets who opens the link and allows it: code and state."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        code = f"code-{next(self._numbers)}"
        self._challenges[code] = query
        return {"code": code, "state": query["state"]}

    def configuration(self, tenant: str) -> dict[str, Any]:
        base = f"{MICROSOFT}/{tenant}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }

    def token(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        grant = form["grant_type"].rpartition(":")[2]
        self.asked.append({**form, "grant": grant})
        if self.broken:
            self.broken -= 1
            return 503, {}
        if grant in self.refuses:
            error, code = self.refuses[grant]
            return 400, {"error": error, "error_description": f"AADSTS{code}: No. Trace ID: 0", "suberror": ""}
        if grant == "authorization_code" and not self._proved(form):
            return 400, {"error": "invalid_grant", "error_description": "AADSTS501481: The Code_Verifier is wrong."}
        token = f"access-{next(self._numbers)}"
        self.granted.append(token)
        claims = {
            "sub": "me", "oid": "me", "tid": "corp", "preferred_username": "me@corp.example", "aud": CLIENT,
            "iss": f"{MICROSOFT}/corp/v2.0", "exp": 4102444800, "iat": 1,
            "nonce": self._nonce(form),
        }  # fmt: skip
        info = _packed({"uid": "me", "utid": "corp"})
        return 200, {
            "token_type": "Bearer", "scope": self.scope, "expires_in": self.lifetime, "access_token": token,
            "refresh_token": f"refresh-{next(self._numbers)}", "client_info": info,
            "id_token": f"{_packed({'alg': 'none'})}.{_packed(claims)}.x",
        }  # fmt: skip

    def _proved(self, form: Mapping[str, str]) -> bool:
        asked = self._challenges[form["code"]]
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        return digest == asked["code_challenge"] and asked["code_challenge_method"] == "S256"

    def _nonce(self, form: Mapping[str, str]) -> str:
        return self._challenges.get(form.get("code", ""), {}).get("nonce", "")


class Routed(Http):
    """The transport of a test: what would go to Microsoft goes to the simulator."""

    def __init__(self, login: Login) -> None:
        super().__init__(Session(timeout=5))
        self._login = login

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        return super().send(method, url.replace(MICROSOFT, self._login.address), body, headers)


class Browser:
    """A browser with a person before it who allows everything; what `webbrowser` is handed."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self.opened: list[str] = []

    def open(self, url: str, *_unused: object, **_more: object) -> bool:
        """Go to the page, allow the access, and follow the way back: by a form that posts itself, or by address."""
        self.opened.append(url)
        threading.Thread(target=self._answer, args=(url,), daemon=True).start()
        return True

    def _answer(self, url: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        said = urlencode(self._login.authorize(url))
        if query.get("response_mode") == "form_post":
            urllib.request.urlopen(query["redirect_uri"], said.encode(), timeout=10).read()
        else:
            urllib.request.urlopen(f"{query['redirect_uri']}?{said}", timeout=10).read()


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        tenant = self.path.split("/")[1]
        if tenant in self.server.login.tenants:
            self._reply(200, self.server.login.configuration(tenant))
        else:
            self._reply(400, {"error": "invalid_tenant", "error_description": "AADSTS90002: no such tenant"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if re.search("/devicecode$", self.path):
            self._reply(200, {
                "user_code": "ABCD-EFGH", "device_code": "device", "interval": 1, "expires_in": 900,
                "verification_uri": "https://microsoft.com/devicelogin", "message": html.escape("Sign in"),
            })  # fmt: skip
        else:
            self._reply(*self.server.login.token(form))

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        said = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        self.wfile.write(head.encode() + said)


class _Server(Loopback):
    login: Login


def _packed(said: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@contextlib.contextmanager
def serving() -> Iterator[Login]:
    """Run it on loopback while the block lasts."""
    server = _Server(_Handler)
    server.login = Login(f"http://127.0.0.1:{server.server_port}")
    with running(server):
        yield server.login
