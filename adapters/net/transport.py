"""HTTP for the adapters: one lean session over kept-alive connections, safe for threads.

It looks enough like `requests.Session` to serve as the session of other clients. A request that may have
been carried out is never sent twice. Every failure of the network is an `Unavailable`, whose `uncertain`
says whether the request may have taken effect; an HTTP status is no failure here, it is handed back.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from adapters.net.dialing import Dialer
from adapters.net.origin import Origin, split_url
from adapters.net.signing import Auth, Outgoing, Round
from adapters.net.wire import BrokenAnswer, Head, Limits, NothingAnswered, Wire, request_bytes
from daemon.core.errors import Unavailable

MEBIBYTE = 1 << 20
# Methods that change nothing: sent again when a kept-alive connection turns out to be dead, and redirected.
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS = 5
_MAX_IDLE = 16
_UNAUTHORIZED = 401
_BAD_REQUEST = 400
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(slots=True)
class Counters:
    """What went over the wire since the session was made; bytes as they were sent, heads included."""

    requests: int = 0
    connections: int = 0
    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end and unpacked. Header names are lower case, repeated ones joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")
    url: str = ""
    reason: str = ""

    @property
    def status_code(self) -> int:
        """The status, by the name that requests gives it."""
        return self.status

    @property
    def content(self) -> bytes:
        """The body, by the name that requests gives it."""
        return self.body

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the status is no error."""
        return self.status < _BAD_REQUEST


class Session:
    """Sends requests over kept-alive connections, from any number of threads at once.

    `timeout` counts seconds without progress, for connecting and for reading each. `patience` bounds a
    whole answer, `limit` its size in bytes, also after unpacking. `ca` is trusted beside the system's
    authorities. HTTPS_PROXY and NO_PROXY are honoured, for https alone.
    """

    def __init__(  # noqa: PLR0913  limits of a connection, all by name
        self,
        *,
        ca: Path | None = None,
        timeout: float = 30.0,
        patience: float = 300.0,
        limit: int = 64 * MEBIBYTE,
        agent: str = "Datebook",
        store: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = Counters()
        self._dialer = Dialer(ca=ca, timeout=timeout, store=store)
        self._limits = Limits(limit, patience, clock)
        self._agent, self._store = agent, store
        self._idle: dict[Origin, list[Wire]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        **_unused: object,
    ) -> Response:
        """Send one request and read its whole answer. Raises Unavailable, Forbidden.

        Redirects are followed for methods that change nothing, and to the same host alone.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            own = {"Accept-Encoding": "gzip", **(headers or {}), "User-Agent": self._agent}
            outgoing = Outgoing(method, url, own, data or b"")
            if auth is not None:
                auth(outgoing)
            response = self._answer_challenge(outgoing, self._exchange(outgoing))
            target = _redirect(method, response)
            if not target:
                return response
            url = target
        raise self._unavailable("it redirects in a circle", uncertain=False)

    def close(self) -> None:
        """Close the idle connections; those at work are closed when they come back."""
        with self._lock:
            idle = [wire for pool in self._idle.values() for wire in pool]
            self._idle.clear()
            self._closed = True
        for wire in idle:
            wire.close()

    def _answer_challenge(self, outgoing: Outgoing, response: Response) -> Response:
        """Show a 401 to the hooks of an auth handler; what their second request was answered, or the 401 itself."""
        if response.status != _UNAUTHORIZED or not outgoing.hooks:
            return response
        answers = [response]

        def resend(again: Outgoing) -> None:
            answers.append(self._exchange(again))

        for hook in outgoing.hooks:
            hook(Round(outgoing, response.status, response.headers, resend))
        return answers[-1]

    def _exchange(self, outgoing: Outgoing) -> Response:
        origin, target = split_url(outgoing.url)
        try:
            request = request_bytes(outgoing.method, target, origin.name, outgoing.headers, outgoing.body)
        except ValueError as error:
            raise self._unavailable(f"the request can't be sent: {error}", uncertain=False) from error
        changes = outgoing.method not in SAFE
        kept = self._take(origin)
        if kept is not None:
            try:
                return self._converse(kept, origin, outgoing, request)
            except NothingAnswered as lost:
                if changes:
                    raise self._unavailable(f"the connection was lost ({lost})", uncertain=True) from lost
        try:
            return self._converse(self._dial(origin), origin, outgoing, request)
        except NothingAnswered as lost:
            raise self._unavailable(f"the connection was lost ({lost})", uncertain=changes) from lost

    def _converse(self, wire: Wire, origin: Origin, outgoing: Outgoing, request: bytes) -> Response:
        uncertain = outgoing.method not in SAFE
        keep = False
        try:
            head, body = wire.exchange(request, bodiless=outgoing.method == "HEAD")
            keep = head.persistent
            self._count(len(request), wire.received)
        except TimeoutError as error:
            raise self._unavailable("no answer in time", uncertain=uncertain) from error
        except BrokenAnswer as error:
            raise self._unavailable(str(error), uncertain=uncertain) from error
        except OSError as error:
            raise self._unavailable(f"the answer broke off ({type(error).__name__})", uncertain=uncertain) from error
        finally:
            if keep:
                self._give_back(origin, wire)
            else:
                wire.close()
        return Response(head.status, head.headers, self._unpacked(head, body, uncertain), outgoing.url, head.reason)

    def _count(self, sent: int, received: int) -> None:
        with self._lock:
            self.counters.requests += 1
            self.counters.sent += sent
            self.counters.received += received

    def _unpacked(self, head: Head, body: bytes, uncertain: bool) -> bytes:  # noqa: FBT001  of one caller
        if not body or head.headers.get("content-encoding", "").lower() not in _PACKED:
            return body
        unpacker = zlib.decompressobj(wbits=47)
        try:
            plain = unpacker.decompress(body, self._limits.size + 1)
        except zlib.error as error:
            raise self._unavailable("the compressed answer is damaged", uncertain=uncertain) from error
        if len(plain) > self._limits.size or not unpacker.eof:
            raise self._unavailable("the compressed answer is cut off or too large", uncertain=uncertain)
        return plain

    def _dial(self, origin: Origin) -> Wire:
        wire = Wire(self._dialer.dial(origin), self._limits)
        with self._lock:
            self.counters.connections += 1
        return wire

    def _take(self, origin: Origin) -> Wire | None:
        while True:
            with self._lock:
                pool = self._idle.get(origin)
                if not pool:
                    return None
                wire = pool.pop()
            if wire.is_quiet():
                return wire
            wire.close()

    def _give_back(self, origin: Origin, wire: Wire) -> None:
        with self._lock:
            pool = self._idle.setdefault(origin, [])
            if not self._closed and len(pool) < _MAX_IDLE:
                pool.append(wire)
                return
        wire.close()

    def _unavailable(self, what: str, *, uncertain: bool) -> Unavailable:
        return Unavailable(f"the server can't be used now: {what}", store=self._store, uncertain=uncertain)


def _redirect(method: str, response: Response) -> str:
    """Where to ask instead; "" when the answer is to be taken as it is."""
    if response.status not in _REDIRECTS or method not in SAFE:
        return ""
    target = urljoin(response.url, response.headers.get("location", ""))
    here, there = urlsplit(response.url), urlsplit(target)
    same_host = here.hostname == there.hostname
    upgraded = (here.scheme, there.scheme) == ("http", "https")
    same_port = (here.scheme, here.port) == (there.scheme, there.port)
    return target if same_host and (same_port or upgraded) else ""
