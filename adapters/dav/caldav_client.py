"""One sign-in at a CalDAV server: caldav's DAVClient, over our own session.

DAVClient signs in, negotiates, and sends; its session is the lean one of `transport`. What comes back
is read here and not by DAVClient, which would parse every body once more and log what it can't parse.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from adapters.dav.caldav_errors import PLAIN, Words
from adapters.net.origin import split_url
from adapters.net.signing import Auth, basic_auth, bearer_auth
from adapters.net.transport import Response, Session

_UNAUTHORIZED = 401
_ERRORS = 400
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Head:
    """An answer as DAVClient is shown it: without its body."""

    status_code: int
    headers: Mapping[str, str]
    url: str
    reason: str
    content: ClassVar[bytes] = b""
    text: ClassVar[str] = ""


class _Wire:
    """What DAVClient takes for its requests.Session; keeps the whole answer for the thread that asked."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers = threading.local()

    def request(
        self,
        method: str,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        **_unused: object,
    ) -> _Head:
        response = self._session.request(method, url, data, headers, auth)
        self._answers.last = response
        headers = response.headers if response.status >= _ERRORS else _NO_HEADERS  # it would copy and log them
        return _Head(response.status, headers, response.url, response.reason)

    def last(self) -> Response:
        response: Response = self._answers.last
        del self._answers.last
        return response

    def close(self) -> None:
        self._session.close()


class CalDavClient:
    """Sends requests, signed. The secret is asked for when it is first needed, and again after a 401.

    A server that wants a digest gets one. A 401 that stays is handed back like any other answer. `renew` gives
    another token in place of one that was refused; where it is given, the secret is a token that costs nothing
    to ask for, and is asked for before each request.
    """

    def __init__(  # noqa: PLR0913  where, as whom and how, the rest by name
        self,
        url: str,
        user: str,
        secret: Callable[[], str],
        session: Session,
        *,
        bearer: bool,
        renew: Callable[[str], str] | None = None,
        words: Words = PLAIN,
    ) -> None:
        self.url, self.words = url, words
        self._user, self._secret, self._bearer, self._renew = user, secret, bearer, renew
        self._wire = _Wire(session)
        self._lock = threading.Lock()
        self._client: Any = None
        self._known = ""
        self._signings = 0

    def send(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
        """Send one request to an absolute URL. Raises Unavailable, Forbidden, and what the secret's source raises."""
        split_url(url)
        signings = self._sign_in()
        response = self._ask(method, url, body, headers)
        if response.status == _UNAUTHORIZED and self._sign_again(signings, response):
            response = self._ask(method, url, body, headers)
        return response

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()

    def _ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str] | None) -> Response:
        # Imported here: caldav and niquests cost 0.2 s and 17 MiB.
        from caldav.lib.error import DAVError  # noqa: PLC0415  niquests costs 0.2 s: imported when an account is used

        # Its word for 401, 403, 429 and 503; the answer itself says more.
        with contextlib.suppress(DAVError):
            self._client.request(url, method, body, headers)
        return self._wire.last()

    def _sign_in(self) -> int:
        with self._lock:
            if self._client is None:
                self._known = self._secret()
                self._client = _dav_client(self.url, self._user, self._known, self._auth(self._known), self._wire)
            elif self._renew is not None:
                self._take(self._secret())
            return self._signings

    def _sign_again(self, signings: int, refused: Response) -> bool:
        """Whether there is another way to sign: a new secret, or the digest that the server asks for."""
        with self._lock:
            if self._signings != signings:
                return True
            fresh = self._secret() if self._renew is None else self._renew(self._known)
            if fresh != self._known:
                self._take(fresh)
            elif not self._wants_digest(refused):
                return False
            self._signings += 1
            return True

    def _take(self, secret: str) -> None:
        if secret != self._known:
            self._known = self._client.password = secret
            self._client.auth = self._auth(secret)

    def _wants_digest(self, refused: Response) -> bool:
        if self._bearer or not isinstance(self._client.auth, type(basic_auth("", ""))):
            return False
        offered = self._client.extract_auth_types(refused.headers.get("www-authenticate", ""))
        if "digest" not in offered:
            return False
        self._client.build_auth_object(["digest"])
        return True

    def _auth(self, secret: str) -> Auth:
        return bearer_auth(secret) if self._bearer else basic_auth(self._user, secret)


def _dav_client(url: str, user: str, password: str, auth: Auth, wire: _Wire) -> Any:
    from caldav.davclient import DAVClient  # noqa: PLC0415  see CalDavClient._ask

    # At DEBUG and INFO it quotes whole events and headers.
    logging.getLogger("caldav").setLevel(logging.WARNING)
    # With a path in it, an address is taken as it is; without, DAVClient would go looking in the DNS.
    address = url if urlsplit(url).path else f"{url}/"
    client = DAVClient(address, username=user, password=password, auth=auth, enable_rfc6764=False)
    client.session.close()
    client.session = wire
    return client
