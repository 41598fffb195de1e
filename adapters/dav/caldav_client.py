"""One sign-in at a CalDAV server: requests over our own session, signed.

A basic or bearer signature is a header. Where a server asks for a digest, caldav's DAVClient chooses and builds what
signs; it is made then and not before, because it costs 0.2 s and 17 MiB, and 0.1 ms for each request that it sends.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.net.origin import split_url
from adapters.net.signing import Auth, basic_auth, bearer_auth
from adapters.net.transport import Response, Session

_UNAUTHORIZED = 401
_ACCEPT = {"Accept": "text/xml, text/calendar"}


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
    ) -> None:
        self.url = url
        self._user, self._secret, self._bearer, self._renew = user, secret, bearer, renew
        self._session = session
        self._lock = threading.Lock()
        self._auth: Auth | None = None
        self._signs_by_digest = False
        self._known = ""
        self._signings = 0

    def send(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
        """Send one request to an absolute URL. Raises Unavailable, Forbidden, and what the secret's source raises."""
        split_url(url)
        auth, signings = self._sign_in()
        own = {**_ACCEPT, **(headers or {})}
        response = self._session.request(method, url, body, own, auth)
        if response.status == _UNAUTHORIZED and self._sign_again(signings, response):
            response = self._session.request(method, url, body, own, self._sign_in()[0])
        return response

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _sign_in(self) -> tuple[Auth, int]:
        with self._lock:
            if self._auth is None or self._renew is not None:
                self._take(self._secret())
            assert self._auth is not None  # noqa: S101  it was just made
            return self._auth, self._signings

    def _sign_again(self, signings: int, refused: Response) -> bool:
        """Whether there is another way to sign: a new secret, or the digest that the server asks for."""
        with self._lock:
            if self._signings != signings:
                return True
            fresh = self._secret() if self._renew is None else self._renew(self._known)
            if fresh != self._known:
                self._take(fresh)
            elif not self._takes_digest(refused):
                return False
            self._signings += 1
            return True

    def _take(self, secret: str) -> None:
        if self._auth is None or secret != self._known:
            self._known, self._signs_by_digest = secret, False
            self._auth = bearer_auth(secret) if self._bearer else basic_auth(self._user, secret)

    def _takes_digest(self, refused: Response) -> bool:
        offered = refused.headers.get("www-authenticate", "")
        if self._bearer or self._signs_by_digest or "digest" not in offered.lower():
            return False
        client = _dav_client(self.url, self._user, self._known)
        if "digest" not in client.extract_auth_types(offered):
            return False
        client.build_auth_object(["digest"])
        self._auth, self._signs_by_digest = client.auth, True
        return True


def _dav_client(url: str, user: str, password: str) -> Any:
    from caldav.davclient import DAVClient  # noqa: PLC0415  see the module

    # At DEBUG and INFO it quotes whole events and headers.
    logging.getLogger("caldav").setLevel(logging.WARNING)
    # With a path in it, an address is taken as it is; without, DAVClient would go looking in the DNS.
    address = url if urlsplit(url).path else f"{url}/"
    client = DAVClient(address, username=user, password=password, enable_rfc6764=False)
    client.session.close()
    return client
