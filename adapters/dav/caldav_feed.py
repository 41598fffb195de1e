"""What changed in a CalDAV calendar: sync-collection (RFC 6578), else ctag and ETags.

A cursor is JSON: the identity of the calendar and a sync-token or a ctag. The token is taken before
the listing, so that what changes in between is reported once more and never missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from adapters.dav.caldav_collection import GONE, XML_TYPE, Collection
from adapters.dav.caldav_href import to_id
from adapters.dav.caldav_quirks import Listing, Quirks
from adapters.dav.caldav_xml import (
    CALENDARSERVER,
    DAV,
    Member,
    Multistatus,
    names_in,
    propfind,
    query,
    sync_collection,
    text_of,
)
from daemon.core.errors import CursorExpired, Full, Refused, Unavailable, VersionMismatch
from daemon.core.store import Changes, Ref, Seen

_STATE = propfind("D:resourcetype", "D:sync-token", "S:getctag", "D:supported-report-set")
_LISTING = propfind("D:resourcetype", "D:getetag", "D:getcontenttype")
_MAX_PAGES = 1000
_TRUST = 2  # tokens in a row that the server may refuse right after it gave them


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the feed of one calendar."""

    identity: str
    token: str = ""
    ctag: str = ""

    def dump(self) -> str:
        """The text that the journal keeps."""
        return json.dumps({"calendar": self.identity, "token": self.token, "ctag": self.ctag})


def identity_of(url: str) -> str:
    """Which calendar a URL means, for good: its scheme, host, port and path, without who asks."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}{to_id(url)}"


class Feed:
    """Reads the changes of one calendar. `whole` makes an item of a member that came with its data."""

    def __init__(self, collection: Collection, quirks: Quirks, whole: Callable[[Member], Seen | None]) -> None:
        self._collection, self._quirks, self._whole = collection, quirks, whole
        self._identity = identity_of(collection.url)
        self._refused = 0

    def changes(self, cursor: str | None) -> Changes:
        """What changed since a cursor; None: everything. Raises any StoreError."""
        if cursor is None:
            return self._everything()
        known = self._load(cursor)
        if known.token:
            return self._since(known.token)
        state = self._state()
        if known.ctag and known.ctag == state.ctag:
            return Changes((), cursor=cursor, complete=False)
        return self._listing(state)

    def _load(self, cursor: str) -> Cursor:
        try:
            value = json.loads(cursor)
            known = Cursor(str(value["calendar"]), str(value["token"]), str(value["ctag"]))
        except (ValueError, KeyError, TypeError) as error:
            raise self._expired("the cursor is no place in a CalDAV calendar") from error
        if known.identity != self._identity:
            raise self._expired("the cursor belongs to another calendar")
        return known

    def _expired(self, what: str) -> CursorExpired:
        return CursorExpired(what, store=self._collection.store)

    def _everything(self) -> Changes:
        return self._listing(self._state())

    def _state(self) -> Cursor:
        answer = self._collection.propfind(_STATE, depth=0)
        own = next((member for member in answer.members if member.status is None), None)
        if own is None:
            raise self._short()
        reports = names_in(own, f"{DAV}supported-report-set")
        synced = self._quirks.sync and self._refused < _TRUST and f"{DAV}sync-collection" in reports
        token = text_of(own, f"{DAV}sync-token") if synced else ""
        return Cursor(self._identity, token, "" if token else text_of(own, f"{CALENDARSERVER}getctag"))

    def _short(self) -> Unavailable:
        return Unavailable(
            "the listing does not hold the calendar itself: it is not believed",
            store=self._collection.store,
            uncertain=False,
        )

    def _listing(self, state: Cursor) -> Changes:
        if self._quirks.listing is Listing.QUERY:
            answer = self._collection.report(query())
        else:
            answer = self._collection.propfind(_LISTING, depth=1, props=False)
            if not any(self._is_collection(member.id) for member in answer.members):
                raise self._short()
        if answer.truncated:
            raise self._short()
        items = [Ref(member.id, member.etag) for member in self._events(answer)]
        return Changes(items, cursor=state.dump(), complete=True)

    def _since(self, token: str) -> Changes:
        gathered = _Gathered()
        for _ in range(_MAX_PAGES):
            answer = self._page(token)
            for member in answer.members:
                gathered.take(member, event=self._is_event(member), whole=self._whole)
            last, token = token, answer.token
            if not answer.truncated:
                break
            if token == last:
                raise self._expired("the server sends the same page again and again")
        if not token:
            raise self._expired("the server gave no new sync-token")
        self._refused = 0
        return gathered.changes(Cursor(self._identity, token).dump())

    def _page(self, token: str) -> Multistatus:
        depth = {} if self._quirks.sync_depth is None else {"Depth": self._quirks.sync_depth}
        body = sync_collection(token, inline=self._quirks.inline)
        response = self._collection.send("REPORT", "", body, {**XML_TYPE, **depth})
        if response.status == GONE:
            raise self._expired("the sync-token is gone")
        try:
            return self._collection.read(response, props=False)
        except (Refused, VersionMismatch, Full, CursorExpired) as error:
            # Servers say "unknown token" with 400, 403, 409, 410, 412 and 507; listing anew is always safe.
            self._refused += 1
            raise self._expired(f"the sync-token is not taken: {error}") from error

    def _events(self, answer: Multistatus) -> Iterable[Member]:
        return (member for member in answer.members if self._is_event(member))

    def _is_event(self, member: Member) -> bool:
        if member.id.endswith("/") or self._is_collection(member.id):
            return False
        return not any(f"component={kind}" in member.content_type for kind in ("vtodo", "vjournal", "vfreebusy"))

    def _is_collection(self, item: str) -> bool:
        return item.rstrip("/") == self._collection.id.rstrip("/")


class _Gathered:
    """The members of all pages; a later page has the last word on an item."""

    def __init__(self) -> None:
        self._items: dict[str, Ref] = {}
        self._seen: dict[str, Seen] = {}
        self._gone: dict[str, None] = {}

    def take(self, member: Member, *, event: bool, whole: Callable[[Member], Seen | None]) -> None:
        if not event:
            return
        self._items.pop(member.id, None)
        self._seen.pop(member.id, None)
        self._gone.pop(member.id, None)
        if member.gone:
            self._gone[member.id] = None
            return
        # Any other status: it changed, and reading it will say how.
        self._items[member.id] = Ref(member.id, member.etag)
        if member.data is not None and (seen := whole(member)) is not None:
            self._seen[member.id] = seen

    def changes(self, cursor: str) -> Changes:
        return Changes(
            tuple(self._items.values()), tuple(self._gone), cursor, complete=False, seen=tuple(self._seen.values())
        )
