"""The world of the contract suite behind Graph: a mailbox in the simulator, and another client at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.graph.graph_account import GraphAccount
from tests.servers.graph_mailbox import GraphError, Mailbox
from tests.servers.graph_server import GraphServer, serving
from tests.servers.running import Servers
from tests.servers.worlds import World

ZONE = "Europe/Helsinki"
UID_PROPERTY = "String {b2c4f9a6-5d1e-4c83-9f27-6e0a7d3b8c15} Name datebook-uid"
THEIRS = "String {00062002-0000-0000-c000-000000000046} Name theirs"
AGENDA = "<p>Another <b>client's</b> agenda</p>"


def now() -> datetime:
    """The time of tests."""
    return datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@dataclass
class GraphHand:
    """Another client of the same mailbox."""

    mailbox: Mailbox
    calendar: str

    def add(self, uid: str, subject: str, **more: object) -> str:
        """Make an event with a property of another program."""
        properties = [{"id": THEIRS, "value": "what Datebook has no word for"}, {"id": UID_PROPERTY, "value": uid}]
        body = {
            "subject": subject, "body": {"contentType": "html", "content": AGENDA},
            "start": {"dateTime": "2030-01-01T11:00:00", "timeZone": "FLE Standard Time"},
            "end": {"dateTime": "2030-01-01T12:00:00", "timeZone": "FLE Standard Time"},
            "location": {"displayName": "Their place"}, "singleValueExtendedProperties": properties,
        }  # fmt: skip
        return self.mailbox.create(self.calendar, body | more).id

    def retitle(self, item: str, subject: str) -> None:
        """Set its subject."""
        self.mailbox.update(self.mailbox.event(item), {"subject": subject})

    def remove(self, item: str) -> None:
        """Delete it."""
        self.mailbox.delete(self.mailbox.event(item))

    def subject(self, item: str) -> str | None:
        """Its subject."""
        try:
            return self.mailbox.event(item).fields["subject"]
        except GraphError:
            return None

    def keeps_unknown(self, item: str) -> bool:
        """Whether the other program's property and the HTML are there."""
        found = self.mailbox.event(item)
        theirs = found.properties.get(THEIRS.casefold())
        return theirs == "what Datebook has no word for" and found.fields["body"]["content"] == AGENDA


def graph_account(graph: GraphServer, **more: object) -> GraphAccount:
    """An account of the simulator."""
    options = {"token": lambda: "token", "zone": ZONE, "clock": now, "name": "test", "timeout": 5.0} | more
    return GraphAccount(graph.address, **options)  # type: ignore[arg-type]  # any option


def graph_world(servers: Servers, _folder: Path) -> World:
    """A fresh calendar of a running simulator."""
    return _world(servers, GraphServer())


def graph_view_world(servers: Servers, _folder: Path) -> World:
    """The same of a service whose v1.0 has no events/delta."""
    graph = GraphServer()
    graph.mailbox.knobs.events_delta = False
    return _world(servers, graph)


def _world(servers: Servers, server: GraphServer) -> World:
    graph = servers.own.enter_context(serving(server))
    account = graph_account(graph)
    servers.own.callback(account.close)
    calendar = graph.mailbox.add_calendar("Work").id
    return World(account.open("Work"), GraphHand(graph.mailbox, calendar), graph.expire)
