"""A small fast CalDAV server in memory, which measures its client and not itself.

`python -m tests.servers.null_dav --port 5555 --seed 1000 --latency 0.1`. It keeps connections alive and
speaks discovery, PROPFIND, sync-collection (RFC 6578), calendar-multiget and conditional PUT and DELETE.
Beside that, for tests and benches: `GET /.stats` counts what it served since `POST /.reset`, and says when
the last PUT came in (`put_at_ns`, the monotonic clock);
`POST /.backup` and `/.restore` take it back to a moment, sync tokens and all;
`POST /.expire` forgets every sync token given out so far; `POST /.latency` takes seconds as its body.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from tests.servers.program import Program, free_port, serve_by_hand

HOME = "/me/"
PAGE = 0  # members in one answer to sync-collection; 0: no limit

_HREF = re.compile(rb"<(?:[\w-]+:)?href[^>]*>\s*([^<]*?)\s*</")
_TOKEN = re.compile(rb"<(?:[\w-]+:)?sync-token[^>]*>\s*([^<]*?)\s*</")
_NAME = re.compile(rb"<(?:[\w-]+:)?displayname[^>]*>\s*([^<]*?)\s*</")
_UID = re.compile(rb"^UID:(.*?)\r?$", re.MULTILINE)
_UID_MATCH = re.compile(rb"<(?:[\w-]+:)?text-match[^>]*>([^<]*)</")
_REASONS = {200: "OK", 201: "Created", 204: "No Content", 207: "Multi-Status", 404: "Not Found"}

_OPEN = (
    b'<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:" '
    b'xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/">'
)
_PRIVILEGES = (
    "<D:current-user-privilege-set><D:privilege><D:read/></D:privilege><D:privilege><D:write/></D:privilege>"
    "</D:current-user-privilege-set>"
)


@dataclass
class Item:
    """One stored object; `block` is its answer to a multiget, made once."""

    etag: str
    body: bytes
    uid: bytes
    block: bytes = b""


@dataclass
class Collection:
    """One calendar: its items by name, and the log of changes that sync-collection reads."""

    name: str
    label: str
    secret: str = field(default_factory=lambda: secrets.token_hex(4))
    items: dict[str, Item] = field(default_factory=dict)
    uids: dict[bytes, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    oldest: int = 0

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{HOME}{self.name}/"

    def token(self, at: int | None = None) -> str:
        """The sync token of now, or of a place in the log."""
        return f"http://null.invalid/{self.secret}/{len(self.log) if at is None else at}"

    def put(self, name: str, body: bytes) -> str:
        """Store a body; its new ETag."""
        uid = match.group(1) if (match := _UID.search(body)) else b""
        self.log.append(name)
        etag = f'"{self.secret}-{len(self.log)}"'
        self.items[name] = Item(etag, body, uid)
        self.uids[uid] = name
        return etag

    def delete(self, name: str) -> None:
        """Take an item away."""
        self.log.append(name)
        self.uids.pop(self.items.pop(name).uid, None)


@dataclass
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What came in; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """The calendars and what is done with them; knows nothing of sockets."""

    def __init__(self, *, page: int = PAGE) -> None:
        self.calendars = {"work": Collection("work", "Work")}
        self.saved: dict[str, Collection] = {}
        self.page = page
        self.latency = 0.0
        self.counts: dict[str, int] = {}
        self._methods: dict[str, Callable[[Request], Answer]] = {
            "GET": self.get, "PUT": self.put, "DELETE": self.delete, "PROPFIND": self.propfind,
            "REPORT": self.report, "MKCALENDAR": self.mkcalendar, "POST": self.post, "OPTIONS": self.options,
        }  # fmt: skip

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        method = self._methods.get(request.method)
        return method(request) if method else Answer(405)

    def get(self, request: Request) -> Answer:
        """GET an item, or the counts."""
        if request.path == "/.stats":
            return Answer(200, json.dumps(self.counts).encode(), {"Content-Type": "application/json"})
        calendar, name = self._place(request.path)
        item = calendar.items.get(name) if calendar else None
        if item is None:
            return Answer(404)
        return Answer(200, item.body, {"ETag": item.etag, "Content-Type": "text/calendar; charset=utf-8"})

    def put(self, request: Request) -> Answer:
        """PUT an item, with If-Match and If-None-Match (RFC 9110), and one resource for each UID."""
        calendar, name = self._place(request.path)
        if calendar is None:
            return Answer(409)
        if not request.body.startswith(b"BEGIN:VCALENDAR"):
            return _error(403, '<C:valid-calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/>')
        current = calendar.items.get(name)
        if not _holds(request, current):
            return _error(412, "")
        uid = match.group(1) if (match := _UID.search(request.body)) else b""
        if calendar.uids.get(uid, name) != name:
            other = escape(quote(calendar.path + calendar.uids[uid]))
            conflict = (
                '<C:no-uid-conflict xmlns:C="urn:ietf:params:xml:ns:caldav"><D:href>%s</D:href></C:no-uid-conflict>'
            )
            return _error(409, conflict % other)
        return Answer(204 if current else 201, b"", {"ETag": calendar.put(name, request.body)})

    def delete(self, request: Request) -> Answer:
        """DELETE an item, or a whole calendar."""
        calendar, name = self._place(request.path)
        if calendar is not None and not name:
            del self.calendars[calendar.name]
            return Answer(204)
        if calendar is None or name not in calendar.items:
            return Answer(404)
        if not _holds(request, calendar.items[name]):
            return _error(412, "")
        calendar.delete(name)
        return Answer(204)

    def propfind(self, request: Request) -> Answer:
        """PROPFIND on the root, the home and calendars; it answers what it has, whatever was asked for."""
        deep = request.headers.get("depth", "0") != "0"
        if request.path in {"/", "/.well-known/caldav", HOME}:
            members = [_principal(request.path)]
            members += [_calendar(calendar) for calendar in self.calendars.values() if deep and request.path == HOME]
            return _multistatus(members)
        calendar, name = self._place(request.path)
        if calendar is None or (name and name not in calendar.items):
            return Answer(404)
        if name:
            return _multistatus([_entry(calendar, name)])
        return _multistatus([_calendar(calendar), *(_entry(calendar, item) for item in calendar.items if deep)])

    def report(self, request: Request) -> Answer:
        """REPORT: sync-collection, calendar-multiget, calendar-query (whole, or by one UID)."""
        calendar, _ = self._place(request.path)
        if calendar is None:
            return Answer(404)
        if b"sync-collection" in request.body:
            return self._sync(calendar, request)
        if b"calendar-multiget" in request.body:
            return _multistatus(_full(calendar, unquote(href.decode())) for href in _HREF.findall(request.body))
        wanted = _UID_MATCH.search(request.body)
        uid = wanted.group(1).replace(b"&lt;", b"<").replace(b"&gt;", b">").replace(b"&amp;", b"&") if wanted else None
        return _multistatus(_entry(calendar, name) for name, item in calendar.items.items() if uid in {None, item.uid})

    def mkcalendar(self, request: Request) -> Answer:
        """MKCALENDAR below the home."""
        name = request.path.removeprefix(HOME).strip("/")
        if not request.path.startswith(HOME) or not name or name in self.calendars:
            return Answer(405)
        label = match.group(1).decode() if (match := _NAME.search(request.body)) else name
        self.calendars[name] = Collection(name, label)
        return Answer(201)

    def post(self, request: Request) -> Answer:
        """Settings of the server itself."""
        match request.path:
            case "/.reset":
                self.counts.clear()
            case "/.expire":
                for calendar in self.calendars.values():
                    calendar.secret = secrets.token_hex(4)
            case "/.latency":
                self.latency = float(request.body)
            case "/.backup":
                self.saved = copy.deepcopy(self.calendars)
            case "/.restore":  # to the very tokens and ETags that were given out then
                self.calendars = copy.deepcopy(self.saved)
            case "/.seed":
                self.seed(int(request.body))
            case _:
                return Answer(404)
        return Answer(204)

    def options(self, _request: Request) -> Answer:
        """OPTIONS: what it speaks."""
        return Answer(200, b"", {"DAV": "1, 3, calendar-access", "Allow": ", ".join(self._methods)})

    def seed(self, count: int) -> None:
        """Put plain events into the first calendar."""
        calendar = next(iter(self.calendars.values()))
        for number in range(count):
            calendar.put(f"seed-{number}.ics", event(number))

    def _sync(self, calendar: Collection, request: Request) -> Answer:
        token = match.group(1).decode() if (match := _TOKEN.search(request.body)) else ""
        prefix = calendar.token(0)[:-1]
        if not token:
            start, names = 0, list(calendar.items)
        elif (
            token.startswith(prefix)
            and token[len(prefix) :].isdigit()
            and int(token[len(prefix) :]) <= len(calendar.log)
        ):
            start = int(token[len(prefix) :])
            names = list(dict.fromkeys(calendar.log[start:]))
        else:
            return _error(403, "<D:valid-sync-token/>")
        end = len(calendar.log)
        more = b""
        if token and self.page and end - start > self.page:
            end = start + self.page
            names = list(dict.fromkeys(calendar.log[start:end]))
            more = _response(calendar.path, status="507 Insufficient Storage")
        members = (_entry(calendar, name) for name in names)
        tail = f"<D:sync-token>{calendar.token(end)}</D:sync-token>".encode()
        return _multistatus(members, more + tail)

    def _place(self, path: str) -> tuple[Collection | None, str]:
        parts = unquote(path).removeprefix(HOME).split("/", 1)
        if not path.startswith(HOME) or parts[0] not in self.calendars:
            return None, ""
        return self.calendars[parts[0]], parts[1] if len(parts) > 1 else ""


def event(number: int) -> bytes:
    """A plain event of one hour, in UTC."""
    day = (date(2030, 1, 1) + timedelta(days=number % 3650)).strftime("%Y%m%d")
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//null_dav//EN", "BEGIN:VEVENT", f"UID:seed-{number}",
        "DTSTAMP:20260101T000000Z", f"DTSTART:{day}T090000Z", f"DTEND:{day}T100000Z", f"SUMMARY:Event {number}",
        "DESCRIPTION:" + "Notes. " * 20, "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def _holds(request: Request, current: Item | None) -> bool:
    if request.headers.get("if-none-match") == "*" and current is not None:
        return False
    expected = request.headers.get("if-match")
    return expected is None or (current is not None and expected in {"*", current.etag})


def _error(status: int, condition: str) -> Answer:
    body = f'<?xml version="1.0"?><D:error xmlns:D="DAV:">{condition}</D:error>'.encode()
    return Answer(status, body, {"Content-Type": "application/xml"})


def _multistatus(members: Iterable[bytes], tail: bytes = b"") -> Answer:
    body = b"".join([_OPEN, *members, tail, b"</D:multistatus>"])
    return Answer(207, body, {"Content-Type": "application/xml; charset=utf-8"})


def _response(href: str, props: str = "", status: str = "") -> bytes:
    inner = f"<D:status>HTTP/1.1 {status}</D:status>" if status else ""
    if props:
        inner = f"<D:propstat><D:prop>{props}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
    return f"<D:response><D:href>{escape(quote(href))}</D:href>{inner}</D:response>".encode()


def _principal(path: str) -> bytes:
    props = (
        f"<D:current-user-principal><D:href>{HOME}</D:href></D:current-user-principal>"
        f"<C:calendar-home-set><D:href>{HOME}</D:href></C:calendar-home-set>"
        "<D:resourcetype><D:collection/><D:principal/></D:resourcetype>"
    )
    return _response(path, props)


def _calendar(calendar: Collection) -> bytes:
    props = (
        "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
        f"<D:displayname>{escape(calendar.label)}</D:displayname><D:sync-token>{calendar.token()}</D:sync-token>"
        f"<S:getctag>{calendar.token()}</S:getctag>{_PRIVILEGES}"
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        "<D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>"
        "<D:supported-report><D:report><C:calendar-multiget/></D:report></D:supported-report></D:supported-report-set>"
        f"<D:current-user-principal><D:href>{HOME}</D:href></D:current-user-principal>"
    )
    return _response(calendar.path, props)


def _entry(calendar: Collection, name: str) -> bytes:
    item = calendar.items.get(name)
    if item is None:
        return _response(calendar.path + name, status="404 Not Found")
    return _response(calendar.path + name, f"<D:getetag>{escape(item.etag)}</D:getetag><D:resourcetype/>")


def _full(calendar: Collection, href: str) -> bytes:
    item = calendar.items.get(href.removeprefix(calendar.path))
    if item is None:
        return _response(href, status="404 Not Found")
    if not item.block:
        data = escape(item.body.decode()).replace("\r", "&#13;")
        props = f"<D:getetag>{escape(item.etag)}</D:getetag><C:calendar-data>{data}</C:calendar-data>"
        item.block = _response(href, props)
    return item.block


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as a CalDAV client needs."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send small answers at once."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.counts["connections"] = self.server.counts.get("connections", 0) + 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while True:
            head, mark, rest = self.buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            request = _parse_head(head)
            length = int(request.headers.get("content-length", "0"))
            if len(rest) < length:
                return
            request.body, self.buffer = rest[:length], rest[length:]
            self.respond(request, len(head) + 4 + length)

    def respond(self, request: Request, size: int) -> None:
        """Handle a request and write its answer, after the latency that was asked for."""
        server = self.server
        answer = server.handle(request)
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Other')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(answer.body)}")
        raw = "\r\n".join([*lines, "", ""]).encode() + answer.body
        if not request.path.startswith("/."):
            for key, amount in ((request.method, 1), ("requests", 1), ("received", size), ("sent", len(raw))):
                server.counts[key] = server.counts.get(key, 0) + amount
            if request.method == "PUT":
                server.counts["put_at_ns"] = time.monotonic_ns()
        if server.latency:
            asyncio.get_running_loop().call_later(server.latency, self.transport.write, raw)
        else:
            self.transport.write(raw)


def _parse_head(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, path, headers, b"")


async def serve(port: int, server: Server) -> None:
    """Serve for ever."""
    listener = await asyncio.get_running_loop().create_server(lambda: Connection(server), "127.0.0.1", port)
    async with listener:
        await listener.serve_forever()


def null_dav(port: int = 0, *, seed: int = 0, latency: float = 0.0, page: int = PAGE) -> Program:
    """The server in a process of its own."""
    port = port or free_port()
    command = [sys.executable, "-m", "tests.servers.null_dav", "--serve", "--port", str(port), "--seed", str(seed)]
    command += ["--latency", str(latency), "--page", str(page)]
    return Program(command, port, f"http://127.0.0.1:{port}{HOME}")


def main() -> None:
    """Run by hand, or as the child of a test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--page", type=int, default=PAGE)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.serve:
        serve_by_hand(null_dav(options.port, seed=options.seed, latency=options.latency, page=options.page))
        return
    server = Server(page=options.page)
    server.seed(options.seed)
    server.latency = options.latency
    asyncio.run(serve(options.port, server))


if __name__ == "__main__":
    main()
