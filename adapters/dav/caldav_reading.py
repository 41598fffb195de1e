"""Reading of a calendar's items: multiget in batches, and single items where a batch does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from adapters.dav.caldav_collection import GONE, MULTISTATUS, NOT_FOUND, OK, XML_TYPE, Collection
from adapters.dav.caldav_errors import STATUS, Meaning
from adapters.dav.caldav_href import resource_name
from adapters.dav.caldav_xml import Member, NotXml, multiget, plain_etag, propfind, query, read_multistatus
from adapters.ics import ics_codec
from adapters.net.transport import Response
from daemon.core.errors import Refused, StoreError, Unavailable, Unreadable
from daemon.core.store import Failed, Gone, Reading, Ref, Seen

# What a server answers to a REPORT that it doesn't know, or finds too large: its items are asked for one by one.
_UNABLE = frozenset({400, 405, 413, 414, 415, 422, 501})
_HERE = propfind("D:resourcetype")
_BODY_START = b"BEGIN:VCALENDAR"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEARCHABLE = 200  # longer UIDs are not looked for: servers cut them


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads items of one collection; `zone` is where floating times are, `types` are the config's."""

    collection: Collection
    zone: str
    types: tuple[str, ...]
    name: Callable[[str], str] = resource_name  # what a new item is called, by its UID

    def batch(self, ids: Sequence[str]) -> list[Reading]:
        """Read some items in one request, where the server lets it. Raises any StoreError about the calendar."""
        if len(ids) == 1:
            return self._one_by_one(ids)
        response = self.collection.send("REPORT", "", multiget(ids), XML_TYPE | {"Depth": "1"})
        if response.status in _UNABLE:
            return self._one_by_one(ids)
        if response.status not in {OK, MULTISTATUS}:
            raise self.collection.error(response)
        try:
            answer = read_multistatus(response.body, self.collection.id, props=False)
        except NotXml:
            return self._halves(ids, response)
        return self._sorted_out(ids, {member.id: member for member in answer.members})

    def one(self, item: str) -> Reading:
        """Read one item. Raises SignInNeeded, Forbidden and Unavailable as they concern more than it."""
        response = self.collection.send("GET", item, headers={"Accept": "text/calendar"})
        if response.status in {NOT_FOUND, GONE}:
            return Gone(item)
        if response.status != OK:
            return self._failure(item, response)
        return self.parse(Ref(item, plain_etag(response.headers.get("etag", ""))), response.body)

    def whole(self, member: Member) -> Seen | None:
        """The item of a member that came with its data, if it can be read."""
        reading = self.parse(Ref(member.id, member.etag), member.data or b"")
        return reading if isinstance(reading, Seen) else None

    def parse(self, ref: Ref, raw: bytes) -> Seen | Failed:
        """Make an item of its bytes; what is no calendar at all (a login page) is the server's failure."""
        if raw.removeprefix(_BYTE_ORDER_MARK).lstrip()[:15].upper() != _BODY_START:
            what = "the server sent something else than the event"
            return Failed(
                ref.id, Unavailable(what, store=self.collection.store, ref=ref.id, uncertain=False), ref.version
            )
        try:
            return Seen(ref, ics_codec.read(raw, zone=self.zone, types=self.types, path=ref.id), raw)
        except Unreadable as error:
            return Failed(ref.id, error, ref.version, ics_codec.peek_title(raw))

    def find(self, uid: str, *, search: bool) -> Reading | None:
        """The item with this UID, at the name that we would give it or (`search`) at any; None: there is none."""
        named = self.one(self.collection.id + self.name(uid))
        if not isinstance(named, Gone) and not (isinstance(named, Seen) and named.activity.uid != uid):
            return named
        if not search or len(uid) > _SEARCHABLE:
            return None
        return self._search(uid)

    def _search(self, uid: str) -> Reading | None:
        try:
            members = self.collection.report(query(uid)).members
        except Refused:
            return None
        for reading in self._found([member.id for member in members if not member.gone]):
            if not isinstance(reading, Seen) or reading.activity.uid == uid:
                return reading
        return None

    def _found(self, ids: Sequence[str]) -> Iterator[Reading]:
        # text-match finds parts of UIDs too; the first few are looked at.
        return (reading for item in ids[:10] if not isinstance(reading := self.one(item), Gone))

    def _one_by_one(self, ids: Sequence[str]) -> list[Reading]:
        readings = [self.one(item) for item in ids]
        if any(isinstance(reading, Gone) for reading in readings):
            # 404 for an item says nothing about it when its whole calendar is not there: that raises Missing.
            self.collection.propfind(_HERE, depth=0)
        return readings

    def _halves(self, ids: Sequence[str], response: Response) -> list[Reading]:
        # One event with a character that XML forbids spoils its whole batch: it is looked for.
        if not response.headers.get("content-type", "").lower().partition(";")[0].strip().endswith("xml"):
            raise Unavailable("the answer is no XML", store=self.collection.store, uncertain=False)
        middle = len(ids) // 2
        return [*self.batch(ids[:middle]), *self.batch(ids[middle:])]

    def _sorted_out(self, ids: Sequence[str], members: dict[str, Member]) -> list[Reading]:
        return [self._reading(item, members.get(item)) for item in ids]

    def _reading(self, item: str, member: Member | None) -> Reading:
        if member is not None and member.gone:
            return Gone(item)
        if member is None or member.data is None:
            # Left out, or answered without its data: only the item itself can say why.
            return self.one(item)
        return self.parse(Ref(item, member.etag), member.data)

    def _failure(self, item: str, response: Response) -> Failed:
        error: StoreError = self.collection.error(response, item)
        if STATUS.get(response.status) is Meaning.SIGN_IN:
            raise error
        return Failed(item, error)
