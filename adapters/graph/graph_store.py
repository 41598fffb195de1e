"""One calendar of a Microsoft 365 mailbox, over Graph, behind the store's door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from adapters.graph.graph_client import AT_ONCE, GraphClient, Request, query, segment
from adapters.graph.graph_errors import Asked
from adapters.graph.graph_event import OUR_PROPERTIES, item_of
from adapters.graph.graph_feed import Feed
from adapters.graph.graph_reading import Reader
from adapters.graph.graph_writing import Writer
from adapters.net.in_flight import in_flight
from adapters.outlook.outlook_codec import refusal
from adapters.outlook.outlook_copies import Copies
from adapters.outlook.outlook_item import OutlookItem
from adapters.outlook.outlook_properties import TOKEN, UID, graph_id
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import Refused, SyncError
from daemon.core.model import View
from daemon.core.store import Capabilities, Changes, Outcome, Reading, Remove, Write

_PAGE = 100
_NOT_IMPLEMENTED = 501

CAPABILITIES = Capabilities(
    in_flight=AT_ONCE,
    read_batch=20,
    max_reminders=1,
    chooses_uid=True,
    suppresses_mail=False,  # Graph has no way to do so
    versions_creates=False,
    versions_deletes=True,
    whole_series=False,
)


class GraphStore:
    """A calendar over Graph. Its methods are for one thread at a time; writes are sent by several."""

    def __init__(self, client: GraphClient, calendar: str, owner: Owner, clock: Callable[[], datetime]) -> None:
        self._client, self._calendar, self._owner = client, calendar, owner
        self._copies = Copies(self._all_carrying)
        self._feed = Feed(client, calendar, lambda: clock().astimezone(UTC).date())
        self._reader = Reader(client, calendar, owner, self._copies)
        self._writer = Writer(client, calendar, owner, self._reader)

    @property
    def capabilities(self) -> Capabilities:
        """What Microsoft 365 can hold and do."""
        return CAPABILITIES

    @property
    def identity(self) -> str:
        """The id of the calendar, which stays when it is renamed."""
        return f"graph:{self._calendar}"

    def changes(self, cursor: str | None) -> Changes:
        """Ids of what changed; a deltaLink belongs to one calendar. Raises CursorExpired."""
        changes = self._feed.changes(cursor)
        if changes.complete:
            self._copies.keep(ref.id for ref in changes.items)
        self._copies.forget(changes.gone)
        self._reader.moved |= set(changes.gone)
        self._reader.moved -= {ref.id for ref in changes.items}
        return changes

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read events, twenty at a time; one that can't be read is told apart from its neighbours."""
        yield from self._reader.read(ids)

    def find(self, uid: str, token: str) -> Reading | None:
        """The event that carries this token, else the oldest that carries the uid."""
        carrying = sorted(self._carrying(uid), key=lambda item: _age(item, token))
        if not carrying:
            return None
        return next(self._reader.read([carrying[0].id]))

    def refuses(self, view: View) -> str:
        """Why Microsoft 365 can't hold this; "": it can."""
        return refusal(view, self._owner.limits)

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes, four at a time."""
        for write, outcome in in_flight(self._outcome, writes, AT_ONCE):
            if isinstance(write, Remove) and not isinstance(outcome, SyncError):
                self._copies.forget([write.ref.id])
            yield write, outcome

    def close(self) -> None:
        """The connections belong to the account, which closes them."""

    def _outcome(self, write: Write) -> tuple[Write, Outcome]:
        try:
            return write, self._writer.write(write)
        except SyncError as error:
            return write, error

    def _carrying(self, uid: str) -> Iterator[OutlookItem]:
        """The events that carry this uid in our property; Graph itself compares without regard to case."""
        value = uid.replace("'", "''")
        for item in self._filtered(f"ep/value eq '{value}'"):
            if item.properties.get(UID) == uid:
                yield item

    def _all_carrying(self) -> Iterator[OutlookItem]:
        """The events that carry any uid; none where the service can't be asked so."""
        try:
            yield from self._filtered("ep/value ne null")
        except Refused:
            return

    def _filtered(self, condition: str) -> Iterator[OutlookItem]:
        wanted = f"singleValueExtendedProperties/any(ep: ep/id eq '{graph_id(UID)}' and {condition})"
        options = query(filter=wanted, select="id,createdDateTime,iCalUId", expand=OUR_PROPERTIES, top=str(_PAGE))
        request = Request("GET", f"/me/calendars/{segment(self._calendar)}/events{options}", page=_PAGE)
        answer = self._client.send(request)
        if answer.status == _NOT_IMPLEMENTED:
            reason = "the service can't be asked for the event that carries a uid"
            raise Refused("no filter on extended properties", reason=reason, store=self._client.name)
        if not answer.ok:
            raise self._client.error(answer, request, asked=Asked.CALENDAR)
        for page in self._client.rest_of(answer.body, request, asked=Asked.CALENDAR):
            found = page.get("value")
            for each in found if isinstance(found, list) else ():
                if isinstance(each, Mapping):
                    yield item_of(each, self._owner)


def _age(item: OutlookItem, token: str) -> tuple[bool, str, str]:
    created = "" if item.created is None else item.created.isoformat()
    return item.properties.get(TOKEN) != token, created, item.id
