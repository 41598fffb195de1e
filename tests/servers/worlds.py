"""The stores that the contract suite runs against: one row of `WORLDS` for each.

A world is one empty calendar (or folder) behind a `Store`, and the hand of another person on the same
calendar, which does not go through Datebook. To add a service: write a function that makes its world
from the running servers and a temporary folder, and add its row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin

from adapters.dav.caldav_account import CalDavAccount
from adapters.dav.caldav_href import to_href, to_id
from adapters.dav.caldav_quirks import Listing, Quirks
from adapters.memory.memory_store import Manners, MemoryStore
from daemon.core.model import Field, Key
from daemon.core.store import Capabilities, Store
from tests.servers.null_dav import null_dav
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.xandikos_server import xandikos

ZONE = "Europe/Helsinki"
TYPES = ("call", "meeting", "task")
SUBJECT = Key(Field.SUBJECT)

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Another client//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:20300101T090000Z
DTEND:20300101T100000Z
SUMMARY:{subject}
X-ANOTHER-CLIENT;X-PARAMETER="a:b":what Datebook has no word for
ATTACH:https://example.com/agenda.pdf
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
DESCRIPTION:An alarm of another client
END:VALARM
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
UNKNOWN = (b"X-ANOTHER-CLIENT", b"agenda.pdf", b"An alarm of another client")


class Hand(Protocol):
    """Another person at the same calendar."""

    def add(self, uid: str, subject: str) -> str:
        """Add an event with properties that Datebook has no word for; its id."""

    def retitle(self, item: str, subject: str) -> None:
        """Give an event another title."""

    def remove(self, item: str) -> None:
        """Delete an event."""

    def subject(self, item: str) -> str | None:
        """The title of an event; None: it is gone."""

    def keeps_unknown(self, item: str) -> bool:
        """Whether what Datebook has no word for is still there, as `add` made it."""


@dataclass
class World:
    """A store under test."""

    store: Store
    hand: Hand
    expire: Callable[[], None] | None = None  # makes every cursor given out so far expire
    place: Callable[[str], str] = field(default=lambda _uid: "")  # Create.place for a uid, where it counts
    has_feed: bool = True  # a folder has none: it is looked at whole
    holds_twins: bool = False  # two items of one uid may be there (a copied file)
    reads_before_writing: bool = False  # a write without a version is a patch of what is there
    batch: int = 60  # writes that are more than are begun at once


@dataclass
class CalDavHand:
    """Another CalDAV client, over plain HTTP."""

    server: Program
    url: str

    def add(self, uid: str, subject: str) -> str:
        """PUT an event."""
        url = urljoin(self.url, f"{uid}.ics")
        self._put(url, EVENT.format(uid=uid, subject=subject).encode())
        return to_id(url)

    def retitle(self, item: str, subject: str) -> None:
        """GET and PUT an event with another SUMMARY."""
        body = self._get(item)
        assert body is not None
        self._put(self._url(item), re.sub(rb"SUMMARY:[^\r]*", b"SUMMARY:" + subject.encode(), body))

    def remove(self, item: str) -> None:
        """DELETE an event."""
        status, _, _ = self.server.ask("DELETE", self._url(item))
        assert status in {200, 204}

    def subject(self, item: str) -> str | None:
        """The SUMMARY of an event."""
        body = self._get(item)
        found = re.search(rb"SUMMARY:([^\r]*)", body) if body is not None else None
        return found.group(1).decode() if found else None

    def keeps_unknown(self, item: str) -> bool:
        """Whether the strange properties and the alarm are there."""
        body = self._get(item)
        return body is not None and all(part in body.replace(b"\r\n ", b"") for part in UNKNOWN)

    def _url(self, item: str) -> str:
        return urljoin(self.url, to_href(item))

    def _get(self, item: str) -> bytes | None:
        status, _, body = self.server.ask("GET", self._url(item))
        return body if status == 200 else None

    def _put(self, url: str, body: bytes) -> None:
        status, _, answer = self.server.ask("PUT", url, body, {"Content-Type": "text/calendar; charset=utf-8"})
        assert status in {200, 201, 204}, (status, answer)


@dataclass
class MemoryHand:
    """Another person at a calendar in memory."""

    store: MemoryStore

    def add(self, uid: str, subject: str) -> str:
        """Add an event."""
        return self.store.put(uid, {SUBJECT: subject}, extra=b"unknown").id

    def retitle(self, item: str, subject: str) -> None:
        """Change its title."""
        self.store.edit(item, {SUBJECT: subject})

    def remove(self, item: str) -> None:
        """Drop it."""
        self.store.drop(item)

    def subject(self, item: str) -> str | None:
        """Its title."""
        activity = self.store.events().get(item)
        return None if activity is None else str(activity.view.get(SUBJECT, ""))

    def keeps_unknown(self, item: str) -> bool:
        """Whether the opaque part is there."""
        return [reading.raw for reading in self.store.read([item])] == [b"unknown"]  # type: ignore[union-attr]  # Seen


def now() -> datetime:
    """The time of tests."""
    return datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def caldav_account(server: Program, url: str, quirks: Quirks = Quirks()) -> CalDavAccount:  # noqa: B008  a frozen value
    """An account of a test server."""
    return CalDavAccount(
        url, server.user, lambda: server.password, quirks=quirks, zone=ZONE, types=TYPES, clock=now, name="test"
    )


def _memory(manners: Manners) -> Callable[[Servers, Path], World]:
    def make(_servers: Servers, _folder: Path) -> World:
        store = MemoryStore(manners=manners)
        return World(store, MemoryHand(store), store.forget_history)

    return make


def _caldav(program: Callable[[], Program], quirks: Quirks = Quirks()) -> Callable[[Servers, Path], World]:  # noqa: B008  a frozen value
    def make(servers: Servers, _folder: Path) -> World:
        server = servers.get(program)
        url = servers.calendar(server)
        account = caldav_account(server, url, quirks)
        servers.own.callback(account.close)
        expire = (
            (lambda: server.ask("POST", urljoin(url, "/.expire")) and None)
            if program in {null_dav, paged_null_dav}
            else None
        )
        return World(account.open(url), CalDavHand(server, url), expire)

    return make


def _exchange(servers: Servers, folder: Path) -> World:
    from tests.servers.ews_worlds import exchange_world  # it needs World itself, and brings exchangelib

    return exchange_world(servers, folder)


def _graph(servers: Servers, folder: Path) -> World:
    from tests.servers.graph_worlds import graph_world  # as above

    return graph_world(servers, folder)


def _graph_view(servers: Servers, folder: Path) -> World:
    from tests.servers.graph_worlds import graph_view_world  # as above

    return graph_view_world(servers, folder)


def _google(servers: Servers, folder: Path) -> World:
    from tests.servers.google_world import Manners, google  # it needs World itself

    return google(Manners())(servers, folder)


def _google_otherwise(servers: Servers, folder: Path) -> World:
    from tests.servers.google_world import OTHERWISE, google  # as above

    return google(OTHERWISE)(servers, folder)


def _files(servers: Servers, folder: Path) -> World:
    from tests.servers.file_world import file_world  # it needs World itself

    return file_world(servers, folder)


GRAPH_LIKE = Manners(
    Capabilities(chooses_uid=True, versions_creates=False, versions_deletes=True), gives_ids=True, knows_tokens=True
)
EWS_LIKE = Manners(
    Capabilities(versions_creates=False, max_reminders=1), gives_ids=True, tells_versions=False, feeds_versions=False
)
GOOGLE_LIKE = Manners(
    Capabilities(versions_creates=False, versions_deletes=False), tells_versions=False, inline=True
)  # fmt: skip


def paged_null_dav() -> Program:
    """A server that sends changes three at a time."""
    return null_dav(page=3)


WORLDS: Mapping[str, Callable[[Servers, Path], World]] = {
    "files": _files,
    "memory": _memory(Manners()),
    "memory like Graph": _memory(GRAPH_LIKE),
    "memory like EWS": _memory(EWS_LIKE),
    "memory like Google": _memory(GOOGLE_LIKE),
    "null": _caldav(null_dav),
    "null without sync": _caldav(null_dav, Quirks(sync=False, listing=Listing.QUERY)),
    "null, small batches": _caldav(null_dav, Quirks(read_batch=7, conditional_delete=False)),
    "null, in pages": _caldav(paged_null_dav),
    "radicale": _caldav(radicale),
    "xandikos": _caldav(xandikos),
    "exchange": _exchange,
    "google": _google,
    "google, where the facts are open": _google_otherwise,
    "graph": _graph,
    "graph without events/delta": _graph_view,
}
