"""HTTP for the adapters: one lean session over http.client, safe for threads.

It looks enough like `requests.Session` to serve as the session of other clients. Connections are kept
alive; a request that may have been carried out is never sent twice. Every failure of the network is an
`Unavailable`, whose `uncertain` says whether the request may have taken effect; an HTTP status is no
failure here, it is handed back.
"""

from __future__ import annotations

import functools
import http.client
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from adapters.origin import Origin, origin_of, proxy_for, proxy_headers
from adapters.signing import Auth, Outgoing, Round
from daemon.core.errors import Forbidden, Unavailable

MEBIBYTE = 1 << 20
# Methods that change nothing: sent again when a kept-alive connection turns out to be dead, and redirected.
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REDIRECTS = 5
_MAX_IDLE = 16
_CHUNK = 1 << 16
_BODILESS = frozenset({204, 304})


@dataclass(slots=True)
class Counters:
    """What went over the wire since the session was made; bytes before decompression, heads included."""

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
        return self.status < http.HTTPStatus.BAD_REQUEST


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
        self._ca, self._timeout, self._patience, self._limit = ca, timeout, patience, limit
        self._agent, self._store, self._clock = agent, store, clock
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
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
            outgoing = Outgoing(method, url, self._headers(headers), data or b"")
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
            idle = [connection for pool in self._idle.values() for connection in pool]
            self._idle.clear()
            self._closed = True
        for connection in idle:
            connection.close()

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        own = {"Accept-Encoding": "gzip", "User-Agent": self._agent}
        own.update(headers or {})
        own["User-Agent"] = self._agent
        return own

    def _answer_challenge(self, outgoing: Outgoing, response: Response) -> Response:
        """Show a 401 to the hooks of an auth handler; what their second request was answered, or the 401 itself."""
        if response.status != http.HTTPStatus.UNAUTHORIZED or not outgoing.hooks:
            return response
        answers = [response]
        for hook in outgoing.hooks:
            hook(
                Round(outgoing, response.status, response.headers, lambda again: answers.append(self._exchange(again)))
            )
        return answers[-1]

    def _exchange(self, outgoing: Outgoing) -> Response:
        origin = origin_of(outgoing.url)
        kept = self._take(origin)
        if kept is not None:
            try:
                return self._converse(kept, origin, outgoing)
            except _NothingAnswered as lost:
                if outgoing.method not in SAFE:
                    raise self._unavailable(str(lost), uncertain=True) from lost
        try:
            return self._converse(self._connect(origin), origin, outgoing)
        except _NothingAnswered as lost:
            raise self._unavailable(str(lost), uncertain=outgoing.method not in SAFE) from lost

    def _converse(self, connection: http.client.HTTPConnection, origin: Origin, outgoing: Outgoing) -> Response:
        keep = False
        try:
            with self._translating(outgoing):
                answer = _ask(connection, outgoing)
                body = self._read_body(answer)
                keep = not answer.will_close
            response = self._response(answer, body, outgoing)
        finally:
            if keep:
                self._give_back(origin, connection)
            else:
                connection.close()
        return response

    @contextmanager
    def _translating(self, outgoing: Outgoing) -> Iterator[None]:
        uncertain = outgoing.method not in SAFE
        try:
            yield
        except TimeoutError as error:
            raise self._unavailable("no answer in time", uncertain=uncertain) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise self._unavailable(f"the answer broke off ({type(error).__name__})", uncertain=uncertain) from error

    def _response(self, answer: http.client.HTTPResponse, body: bytes, outgoing: Outgoing) -> Response:
        headers = _joined(answer)
        with self._lock:
            self.counters.requests += 1
            self.counters.sent += _head_size(outgoing.headers) + len(outgoing.url) + len(outgoing.body)
            self.counters.received += _head_size(headers) + len(body)
        if body and headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}:
            body = self._unpack(body, uncertain=outgoing.method not in SAFE)
        return Response(answer.status, headers, body, outgoing.url, answer.reason)

    def _read_body(self, answer: http.client.HTTPResponse) -> bytes:
        # http.client says nothing when a read of a given size meets an early end: `length` is what it still owes.
        if answer.length is not None and answer.length > self._limit:
            raise http.client.HTTPException("too large")
        until = self._clock() + self._patience
        chunks: list[bytes] = []
        size = 0
        while answer.length != 0 and (chunk := answer.read(_CHUNK)):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limit:
                raise http.client.HTTPException("too large")
            if self._clock() > until:
                raise TimeoutError
        if answer.length and answer.status not in _BODILESS:
            raise http.client.IncompleteRead(b"", answer.length)
        answer.close()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _unpack(self, body: bytes, *, uncertain: bool) -> bytes:
        unpacker = zlib.decompressobj(wbits=47)
        try:
            plain = unpacker.decompress(body, self._limit + 1)
        except zlib.error as error:
            raise self._unavailable("the compressed answer is damaged", uncertain=uncertain) from error
        if len(plain) > self._limit or not unpacker.eof:
            raise self._unavailable("the compressed answer is cut off or too large", uncertain=uncertain)
        return plain

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        proxy = proxy_for(origin)
        connection = self._connection(origin, proxy)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unavailable(_why_not_connected(origin, proxy, error), uncertain=False) from error
        with self._lock:
            self.counters.connections += 1
        return connection

    def _connection(self, origin: Origin, proxy: str) -> http.client.HTTPConnection:
        if origin.scheme == "http":
            return http.client.HTTPConnection(origin.host, origin.port, timeout=self._timeout)
        if not proxy:
            return http.client.HTTPSConnection(
                origin.host, origin.port, timeout=self._timeout, context=self._tls_context
            )
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 8080, timeout=self._timeout, context=self._tls_context
        )
        connection.set_tunnel(origin.host, origin.port, headers=proxy_headers(parts.username, parts.password))
        return connection

    @functools.cached_property
    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca is not None:
            try:
                context.load_verify_locations(cafile=self._ca)
            except OSError as error:
                raise Forbidden(
                    f"{self._ca}: the certificate authority can't be read ({type(error).__name__})",
                    what_to_do="Point the account's `ca` at a readable PEM file.",
                    store=self._store,
                ) from error
        return context

    def _take(self, origin: Origin) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                pool = self._idle.get(origin)
                if not pool:
                    return None
                connection = pool.pop()
            if _is_quiet(connection):
                return connection
            connection.close()

    def _give_back(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            pool = self._idle.setdefault(origin, [])
            if not self._closed and len(pool) < _MAX_IDLE:
                pool.append(connection)
                return
        connection.close()

    def _unavailable(self, what: str, *, uncertain: bool) -> Unavailable:
        return Unavailable(f"the server can't be used now: {what}", store=self._store, uncertain=uncertain)


class _NothingAnswered(Exception):
    """The connection ended before the first byte of an answer."""


def _ask(connection: http.client.HTTPConnection, outgoing: Outgoing) -> http.client.HTTPResponse:
    """Send a request and read the head of its answer. Raises _NothingAnswered when there is none."""
    parts = urlsplit(outgoing.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request(outgoing.method, target, body=outgoing.body or None, headers=outgoing.headers)
        return connection.getresponse()
    except (http.client.RemoteDisconnected, ConnectionError) as error:
        raise _NothingAnswered(f"the connection was lost ({type(error).__name__})") from error


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection is open with nothing unread: neither closed nor holding a stray answer."""
    sock: socket.socket | None = connection.sock
    if sock is None:
        return False
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


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


def _joined(answer: http.client.HTTPResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _head_size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.items()) + 20


def _why_not_connected(origin: Origin, proxy: str, error: Exception) -> str:
    where = f"{origin.host}:{origin.port}" + (" through the proxy" if proxy else "")
    match error:
        case socket.gaierror():
            return f"the name {origin.host} is not known (DNS)"
        case ssl.SSLCertVerificationError():
            return f"{where}: its certificate is not trusted ({error.verify_message}); a private one needs `ca:`"
        case ssl.SSLError():
            return f"{where}: no secure connection ({error.reason or 'TLS'})"
        case TimeoutError():
            return f"{where}: no connection in time"
        case ConnectionRefusedError():
            return f"{where}: the connection was refused"
        case _:
            return f"{where}: no connection ({type(error).__name__})"
