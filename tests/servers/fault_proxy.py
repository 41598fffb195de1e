"""An HTTP proxy in front of a real server that lies, stumbles and falls over, as a test tells it to.

`with FaultProxy(server) as proxy: proxy.add(Fault(answer(503), method="PUT", after=True))`. Its `url_of`
turns an address of the server into its own. `log` has every request that came in, `served` those that
the server behind was given.
"""

from __future__ import annotations

import argparse
import gzip
import re
import signal
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Request:
    """A request as the client sent it; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    """An answer on its way back to the client; a `length` that is not None is a lie about the body's."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None

    def raw(self) -> bytes:
        """The bytes on the wire."""
        size = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} Said"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name.lower() not in _HOP]
        if self.status not in {204, 304}:
            lines.append(f"Content-Length: {size}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Exchange:
    """One request, and everything that a fault can do with it."""

    def __init__(self, proxy: FaultProxy, sock: socket.socket, request: Request) -> None:
        self.proxy, self.sock, self.request = proxy, sock, request

    def forward(self) -> Answer:
        """Let the server behind carry it out."""
        return self.proxy.forward(self.request)

    def send(self, answer: Answer) -> None:
        """Answer the client."""
        self.sock.sendall(answer.raw())

    def reset(self) -> None:
        """End the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def drop(self) -> None:
        """End the connection in good order, without an answer."""
        raise ConnectionAbortedError


Act = Callable[[Exchange], None]
Change = Callable[[Answer], None]


@dataclass
class Fault:
    """What goes wrong, and when: from the `first` request that fits, for so many `times` (None: for ever).

    `after`: the server behind has carried the request out before.
    """

    act: Act
    method: str = ""  # "": any
    path: str = ""  # a part of the path
    says: bytes = b""  # a part of the body
    first: int = 1
    times: int | None = 1
    after: bool = False
    hits: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of those; counts it."""
        if self.method not in {"", request.method} or self.path not in request.path or self.says not in request.body:
            return False
        self.hits += 1
        last = None if self.times is None else self.first + self.times - 1
        return self.hits >= self.first and (last is None or self.hits <= last)


def answer(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer with a status; underscores in the names of headers become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(Answer(status, dict(named), body))


def hang(exchange: Exchange) -> None:
    """Answer nothing until the proxy is closed."""
    exchange.proxy.closing.wait()
    exchange.drop()


def drop(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.drop()


def reset(exchange: Exchange) -> None:
    """Reset the connection."""
    exchange.reset()


def reset_in_head(exchange: Exchange) -> None:
    """Send half of a head, then reset."""
    exchange.sock.sendall(b"HTTP/1.1 207 Multi-Sta")
    exchange.reset()


def garbage(exchange: Exchange) -> None:
    """Send what is no HTTP."""
    exchange.sock.sendall(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
    exchange.drop()


def half_body(exchange: Exchange) -> None:
    """Send half of the server's answer, then close."""
    full = exchange.forward()
    exchange.send(Answer(full.status, full.headers, full.body[: len(full.body) // 2], length=len(full.body) or 10))
    exchange.drop()


def short_length(exchange: Exchange) -> None:
    """Announce less than is sent."""
    full = exchange.forward()
    exchange.send(Answer(full.status, full.headers, full.body, length=len(full.body) // 2))


def bad_gzip(exchange: Exchange) -> None:
    """Send damaged compressed data."""
    exchange.send(Answer(207, {"Content-Encoding": "gzip", "Content-Type": "application/xml"}, b"\x1f\x8b\x08junk"))


def gzip_bomb(exchange: Exchange) -> None:
    """Send 200 MiB of nothing in 200 KiB."""
    body = gzip.compress(bytes(200 << 20), 1)
    exchange.send(Answer(207, {"Content-Encoding": "gzip", "Content-Type": "application/xml"}, body))


def login_page(exchange: Exchange) -> None:
    """Send a login page, with 200, as a captive portal does."""
    body = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"
    exchange.send(Answer(200, {"Content-Type": "text/html; charset=utf-8"}, body))


def bad_xml(exchange: Exchange) -> None:
    """Send XML that ends too early, with the right length."""
    full = exchange.forward()
    exchange.send(Answer(full.status, full.headers, full.body[: len(full.body) * 2 // 3]))


def entity_bomb(exchange: Exchange) -> None:
    """Send a billion laughs."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<?xml version="1.0"?><!DOCTYPE lol [<!ENTITY a0 "lol">{entities}]>'.encode()
    body += b'<D:multistatus xmlns:D="DAV:"><D:sync-token>&a9;</D:sync-token></D:multistatus>'
    exchange.send(Answer(207, {"Content-Type": "application/xml"}, body))


def empty_multistatus(exchange: Exchange) -> None:
    """Send a multistatus that holds nothing at all."""
    exchange.send(Answer(207, {"Content-Type": "application/xml"}, b'<D:multistatus xmlns:D="DAV:"/>'))


def redirect_in_a_circle(exchange: Exchange) -> None:
    """Redirect to the same place."""
    exchange.send(Answer(302, {"Location": exchange.request.path}))


def changed(change: Change) -> Act:
    """Let the server answer, and change its answer."""

    def act(exchange: Exchange) -> None:
        full = exchange.forward()
        change(full)
        exchange.send(full)

    return act


def without_etag(full: Answer) -> None:
    """Take the ETag out of the head."""
    full.headers = {name: value for name, value in full.headers.items() if name.lower() != "etag"}


def weak_etags(full: Answer) -> None:
    """Mark every ETag as weak, as a compressing proxy does."""
    for name in full.headers:
        if name.lower() == "etag":
            full.headers[name] = f"W/{full.headers[name]}"
    full.body = re.sub(rb"(getetag>)(&quot;|\")", rb"\1W/\2", full.body)


def fewer_members(full: Answer) -> None:
    """Leave out every second member of a multistatus, but not the first one."""
    parts = re.split(rb"(?=<(?:\w+:)?response[ >])", full.body)
    head, first, rest = parts[0], parts[1:2], parts[2:]
    tail = re.sub(rb"(?s)^.*</(?:\w+:)?response>", b"", rest[-1]) if rest else b""
    kept = [re.sub(rb"(?s)(</(?:\w+:)?response>).*$", rb"\1", part) for part in rest[1::2]]
    full.body = b"".join([head, *first, *kept, tail])


class FaultProxy:
    """Listens on a loopback port and passes everything on, save what its faults strike."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self.faults: list[Fault] = []
        self.log: list[Request] = []
        self.served: list[Request] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), self)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, fault: Fault) -> Fault:
        """Let something go wrong from now on."""
        with self._lock:
            self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Let nothing go wrong any more, and forget what came in."""
        with self._lock:
            self.faults.clear()
            self.log.clear()
            self.served.clear()

    def url_of(self, url: str) -> str:
        """The address of the proxy for an address of the server behind."""
        return urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{self.port}"))

    def methods(self) -> list[str]:
        """The methods that came in, in order."""
        return [request.method for request in self.log]

    def forward(self, request: Request) -> Answer:
        """Pass a request to the server behind."""
        connection = HTTPConnection(self._host, self._port, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name not in _HOP | {"accept-encoding"}}
            connection.request(request.method, request.path, request.body or None, headers)
            got = connection.getresponse()
            body = got.read()
        finally:
            connection.close()
        with self._lock:
            self.served.append(request)
        headers = {name: value.replace(f":{self._port}", f":{self.port}") for name, value in got.headers.items()}
        return Answer(got.status, headers, body)

    def handle(self, sock: socket.socket, request: Request) -> None:
        """Answer one request, or fail to."""
        exchange = Exchange(self, sock, request)
        with self._lock:
            self.log.append(request)
            fault = next((fault for fault in self.faults if fault.strikes(request)), None)
        if fault is None:
            exchange.send(exchange.forward())
            return
        if fault.after:
            exchange.forward()
        fault.act(exchange)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Listener
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while (request := self._read()) is not None:
                self.server.proxy.handle(self.connection, request)
        except OSError:
            self.connection.close()

    def _read(self) -> Request | None:
        line = self.rfile.readline().decode("latin-1").split()
        if len(line) != 3:
            return None
        headers: dict[str, str] = {}
        while (text := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Request(line[0], line[1], headers, body)


def main() -> None:
    """Run by hand: `python -m tests.servers.fault_proxy URL --method PUT --status 503 --after`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="an address of the server behind")
    parser.add_argument("--method", default="", help="strike this method alone")
    parser.add_argument("--status", type=int, help="answer this in place of the server")
    parser.add_argument("--after", action="store_true", help="after the server has carried the request out")
    parser.add_argument("--times", type=int, help="so many times; for ever if not given")
    options = parser.parse_args()
    with FaultProxy(options.target) as proxy:
        if options.status is not None:
            proxy.add(Fault(answer(options.status), options.method, after=options.after, times=options.times))
        print(proxy.url_of(options.target), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
