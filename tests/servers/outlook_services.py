"""Exchange and Microsoft 365 in their simulators behind one set of words, for the stories that are true of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import partial

from lxml import etree

from adapters.exchange.exchange_account import ExchangeAccount
from adapters.graph.graph_account import GraphAccount
from adapters.outlook.outlook_properties import PENDING, PROPERTY_SET, graph_id
from tests.servers import ews_server, graph_server
from tests.servers.ews_kept import Item, leaf
from tests.servers.ews_mailbox import Mailbox as ExchangeMailbox
from tests.servers.ews_schema import T
from tests.servers.ews_server import EwsServer
from tests.servers.ews_worlds import ExchangeHand, exchange_account
from tests.servers.graph_mailbox import Mailbox as GraphMailbox
from tests.servers.graph_server import GraphServer
from tests.servers.graph_worlds import GraphHand, graph_account


class Cut(Enum):
    """How a request ends that does not end well."""

    LOST = "the connection breaks before anything is done"
    LOST_AFTER = "the connection breaks once it is done"
    DOWN = "the service says that it is down, and nothing is done"
    DOWN_AFTER = "the service says that it is down, and it is done"


class Step(Enum):
    """A request that changes something."""

    CREATE = "an item is made"
    CHANGE = "an item or an instance is changed"
    DELETE = "an item or an instance is deleted"


@dataclass
class ExchangeService:
    """A mailbox on Exchange, and what others do to it."""

    server: EwsServer
    tells_state: bool = True  # the error about a forgotten sync state holds a sync state
    guests_need_an_order = False

    @property
    def mailbox(self) -> ExchangeMailbox:
        return self.server.mailbox

    @property
    def hand(self) -> ExchangeHand:
        return ExchangeHand(self.mailbox, self.mailbox.default)

    @property
    def wrongs(self) -> list[str]:
        """What was said against Microsoft's schema."""
        return self.server.violations

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [name for name in self.server.operations if name in {"CreateItem", "UpdateItem", "DeleteItem"}]

    @property
    def kept(self) -> list[str]:
        """The ids of what is in the mailbox."""
        return list(self.mailbox.items)

    def account(self, **more: object) -> ExchangeAccount:
        return exchange_account(self.server, **more)

    def add_calendar(self, name: str, *, writable: bool = True) -> str:
        return self.mailbox.add_folder(name, writable=writable).id

    def rename_calendar(self, calendar: str, name: str) -> None:
        self.mailbox.folders[calendar].name = name

    def drop_calendar(self, calendar: str) -> None:
        del self.mailbox.folders[calendar]

    def forget_cursors(self) -> None:
        self.server.invalidate_sync_states(with_state=self.tells_state)

    def is_pending(self, item: str) -> bool:
        """Whether steps stand on it that are still to be done."""
        return (PROPERTY_SET, PENDING) in self.mailbox.item(item).properties

    def spoil(self, item: str) -> None:
        """Make an item one that nobody can understand."""
        fields = self.mailbox.item(item).fields
        fields["Recurrence"] = etree.fromstring(
            f'<t:Recurrence xmlns:t="{T}"><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>'
            "<t:NoEndRecurrence><t:StartDate>2030-01-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
        )
        fields["StartTimeZone"] = etree.Element(f"{{{T}}}StartTimeZone", Id="tzone://Microsoft/Custom")

    def copied(self, item: str) -> str:
        """What Outlook does with Ctrl+C, Ctrl+V: all fields, our properties too."""
        original = self.mailbox.item(item)
        element = etree.Element(f"{{{T}}}CalendarItem")
        element.extend(value for name, value in original.fields.items() if name != "UID")
        copy = self.mailbox.create(original.folder, element, "SendToNone", "UTC")
        copy.properties = dict(original.properties)
        return copy.id

    # --- another client at one instance of a series

    def move_instance(self, item: str, day: date, place: str) -> None:
        self._by_hand(item, day, leaf("Location", place))

    def write_html(self, item: str, day: date, html: str) -> None:
        body = leaf("Body", html)
        body.set("BodyType", "HTML")
        self._by_hand(item, day, body)

    def html(self, item: str, day: date) -> str:
        master, original = self._instance(item, day)
        return master.exceptions[original].text("Body")

    def delete_instance(self, item: str, day: date) -> None:
        self.mailbox.delete_occurrence(*self._instance(item, day), "SendToNone")

    def _by_hand(self, item: str, day: date, element: etree._Element) -> None:
        change = ("SetItemField", etree.QName(element).localname, element)
        self.mailbox.update_occurrence(*self._instance(item, day), [change], "SendToNone")

    def _instance(self, item: str, day: date) -> tuple[Item, datetime]:
        master = self.mailbox.item(item)
        return master, next(start for start in master.starts() if start.date() == day)

    # --- trouble

    def cut(self, how: Cut, step: Step, skip: int = 0) -> None:
        """Cut off the next such request, or one after `skip` more."""
        trouble = {
            Cut.LOST: ews_server.Trouble.DROP,
            Cut.LOST_AFTER: ews_server.Trouble.DROP_AFTER,
            Cut.DOWN: ews_server.Trouble.UNAVAILABLE,
            Cut.DOWN_AFTER: ews_server.Trouble.UNAVAILABLE_AFTER,
        }[how]
        operation = {Step.CREATE: "CreateItem", Step.CHANGE: "UpdateItem", Step.DELETE: "DeleteItem"}[step]
        self.server.fail(trouble, operation, skip=skip)

    def refuse_changes(self, *, skip: int, times: int) -> None:
        """Find changes too large."""
        self.server.fail(
            ews_server.Trouble.ERROR, "UpdateItem", code="ErrorMessageSizeExceeded", skip=skip, times=times
        )

    def refuse_reading(self) -> None:
        """Refuse to give the next item."""
        self.server.fail(ews_server.Trouble.ERROR, "GetItem", code="ErrorCorruptData")


@dataclass
class GraphService:
    """A mailbox in Microsoft 365, and what others do to it."""

    server: GraphServer
    guests_need_an_order = True  # whoever is written as a guest is mailed

    @property
    def mailbox(self) -> GraphMailbox:
        return self.server.mailbox

    @property
    def hand(self) -> GraphHand:
        return GraphHand(self.mailbox, self.mailbox.default)

    @property
    def wrongs(self) -> list[str]:
        """What no client should do."""
        return self.server.problems

    @property
    def writes(self) -> list[str]:
        """The requests that change something."""
        return [each.method for each in self.server.writes]

    @property
    def kept(self) -> list[str]:
        """The ids of what is in the mailbox."""
        return list(self.mailbox.events)

    def account(self, **more: object) -> GraphAccount:
        return graph_account(self.server, **more)

    def add_calendar(self, name: str, *, writable: bool = True) -> str:
        return self.mailbox.add_calendar(name, writable=writable).id

    def rename_calendar(self, calendar: str, name: str) -> None:
        self.mailbox.calendars[calendar].name = name

    def drop_calendar(self, calendar: str) -> None:
        del self.mailbox.calendars[calendar]

    def forget_cursors(self) -> None:
        self.server.expire()

    def is_pending(self, item: str) -> bool:
        """Whether steps stand on it that are still to be done."""
        return bool(self.mailbox.event(item).properties.get(graph_id(PENDING).casefold()))

    def spoil(self, item: str) -> None:
        """Make an event one that nobody can understand."""
        event = self.mailbox.event(item)
        event.fields["attendees"] = "nonsense"
        event.fields["recurrence"] = {"pattern": {"type": "daily"}, "range": {"startDate": "x"}}
        event.owned["iCalUId"] = 5

    def copied(self, item: str) -> str:
        """What Outlook does with Ctrl+C, Ctrl+V: all fields, our properties too."""
        original = self.mailbox.event(item)
        names = ("subject", "start", "end", "body")
        copy = self.mailbox.create(original.calendar, {name: original.fields[name] for name in names})
        copy.properties = dict(original.properties)
        return copy.id

    # --- another client at one instance of a series

    def move_instance(self, item: str, day: date, place: str) -> None:
        self._by_hand(item, day, location={"displayName": place})

    def write_html(self, item: str, day: date, html: str) -> None:
        self._by_hand(item, day, body={"contentType": "html", "content": html})

    def html(self, item: str, day: date) -> str:
        content: str = self.mailbox.event(item).exceptions[day].fields["body"]["content"]
        return content

    def delete_instance(self, item: str, day: date) -> None:
        self.mailbox.delete(self.mailbox.occurrence(self.mailbox.event(item), day))

    def _by_hand(self, item: str, day: date, **body: object) -> None:
        master = self.mailbox.event(item)
        self.mailbox.update(master.exceptions.get(day) or self.mailbox.occurrence(master, day), body)

    # --- trouble

    def cut(self, how: Cut, step: Step, skip: int = 0) -> None:
        """Cut off the next such request, or one after `skip` more."""
        trouble = {
            Cut.LOST: graph_server.Trouble.DROP,
            Cut.LOST_AFTER: graph_server.Trouble.DROP_AFTER,
            Cut.DOWN: graph_server.Trouble.ANSWER,
            Cut.DOWN_AFTER: graph_server.Trouble.ANSWER_AFTER,
        }[how]
        method = {Step.CREATE: "POST", Step.CHANGE: "PATCH", Step.DELETE: "DELETE"}[step]
        self.server.fail(trouble, method, skip=skip, status=500)

    def refuse_changes(self, *, skip: int, times: int) -> None:
        """Find changes too large."""
        code = "ErrorMessageSizeExceeded"
        self.server.fail(graph_server.Trouble.ANSWER, "PATCH", status=413, code=code, skip=skip, times=times)

    def refuse_reading(self) -> None:
        """Refuse to give the next event."""
        self.server.fail(graph_server.Trouble.ANSWER, "GET", "/me/events", status=400, code="ErrorCorruptData")


OutlookService = ExchangeService | GraphService
OutlookAccount = ExchangeAccount | GraphAccount
Hand = ExchangeHand | GraphHand


@contextmanager
def on_exchange(*, tells_state: bool = True) -> Iterator[ExchangeService]:
    """Exchange in the simulator."""
    with ews_server.serving() as server:
        yield ExchangeService(server, tells_state)


@contextmanager
def on_graph(**knobs: bool) -> Iterator[GraphService]:
    """Microsoft 365 in the simulator, with manners of its own."""
    with graph_server.serving() as server:
        for name, value in knobs.items():
            assert hasattr(server.mailbox.knobs, name), name
            setattr(server.mailbox.knobs, name, value)
        yield GraphService(server)


SERVICES = ("exchange", "graph")
# As the services are, and by one manner in which they differ or may.
MANNERS: Mapping[str, Callable[[], AbstractContextManager[OutlookService]]] = {
    "exchange": on_exchange,
    "exchange that forgets without a state": partial(on_exchange, tells_state=False),
    "graph": on_graph,
    "graph by windows": partial(on_graph, events_delta=False),
    "graph that ignores If-Match": partial(on_graph, checks_if_match=False),
    "graph that tells of instances": partial(on_graph, delta_exceptions=True),
    "graph that names no instances": partial(on_graph, names_occurrences=False),
    "graph that names none and tells of them": partial(on_graph, names_occurrences=False, delta_exceptions=True),
}
