"""One Google calendar over CalDAV: the CalDAV store, with Google's ways as data and as four corrections.

Its ETags count seconds (`google_versions`), its UIDs can be spent (`google_uids`), its writes want care
(`google_writing`), and an href that it lists may answer 404: that is no deletion yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_quirks import Listing, Quirks
from adapters.dav.caldav_store import CalDavStore
from adapters.dav.caldav_writing import Writer
from adapters.google_calendar.google_errors import WORDS
from adapters.google_calendar.google_keeping import DOUBTFUL
from adapters.google_calendar.google_uids import original, replacements, resource_name
from adapters.google_calendar.google_versions import etag_in, is_young, version_of
from adapters.google_calendar.google_writing import GoogleWriter
from daemon.core.errors import Refused, StoreError, VersionMismatch
from daemon.core.store import Changes, Create, Failed, Gone, Outcome, Reading, Ref, Remove, Seen, Write, Written

GOOGLE = Quirks(
    agent_counts=False,  # it mails every guest, whatever SCHEDULE-AGENT says
    sync_depth=None,  # as the recorded clients send it
    inline=True,
    listing=Listing.QUERY,
    conditional_create=False,
    conditional_delete=False,
    name=resource_name,
    finds_by_uid=False,
    in_flight=2,  # 600 requests a minute for each user, and fewer writes to one calendar
    read_batch=50,
    may_drop=DOUBTFUL,
    words=WORDS,
)
_SETTLING = timedelta(seconds=60)  # so long a new event may not be found yet


class GoogleStore(CalDavStore):
    """One calendar. `own` are the addresses under which the account's user stands on events."""

    def __init__(  # noqa: PLR0913  what the account knows, all by name
        self,
        collection: Collection,
        *,
        zone: str,
        types: Sequence[str],
        organizer: str = "",
        own: frozenset[str] = frozenset(),
        quirks: Quirks = GOOGLE,
    ) -> None:
        super().__init__(collection, quirks, zone=zone, types=types, organizer=organizer)
        inner = Writer(collection, self._reader, quirks, organizer)
        self._writer = GoogleWriter(inner, own, self._made)
        self._last: Changes = Changes((), complete=False)
        self._listed: frozenset[str] = frozenset()
        self._fresh: dict[str, datetime] = {}
        self._known: dict[str, str] = {}  # versions whose ETag can't hide another change any more

    def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor` (None: everything). Raises CursorExpired, and any StoreError."""
        told = super().changes(cursor)
        seen = [self._outward(item) for item in told.seen]
        versions = {item.ref.id: item.ref.version for item in seen}
        items = [Ref(ref.id, versions.get(ref.id) or self._recognised(ref)) for ref in told.items]
        self._last = replace(told, items=items, seen=seen)
        self._listed = frozenset(ref.id for ref in items)
        return self._last

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read items by id, several batches at once; exactly one reading for each id. Raises any StoreError."""
        for reading in super().read(ids):
            match reading:
                case Seen():
                    yield self._outward(reading)
                case Gone() if self._is_doubtful(reading.id):
                    yield self._doubted(reading)
                case Failed():
                    yield replace(reading, version="")
                case _:
                    yield reading

    def find(self, uid: str, token: str) -> Reading | None:
        """The event with this UID, or with one that stands for it; None: there is none. Raises any StoreError."""
        for candidate in (uid, *replacements(uid)):
            found = super().find(candidate, token)
            if found is not None:
                return self._outward(found) if isinstance(found, Seen) else found
        return None

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes, `in_flight` at once; when Google fails or throttles, the rest is not tried."""
        names = {self._collection.id + resource_name(write.uid): write for write in writes if isinstance(write, Create)}
        taken = self._taken(list(names))
        for item in taken:
            what = "another event has this UID"
            yield names[item], VersionMismatch(what, store=self._collection.store, ref=item)
        there = {id(names[item]) for item in taken}
        for write, outcome in super().write([write for write in writes if id(write) not in there]):
            if isinstance(write, Remove) and isinstance(outcome, Written):
                self._fresh.pop(write.ref.id, None)
                self._listed -= {write.ref.id}
            yield write, outcome

    def _taken(self, names: Sequence[str]) -> list[str]:
        """Those of these names that are taken: a PUT to one would replace what is there (no If-None-Match)."""
        try:
            return [reading.ref.id for reading in super().read(names) if isinstance(reading, Seen)] if names else []
        except StoreError:
            return []  # the writes themselves will say what is wrong

    def _made(self, item: str) -> None:
        now = self._collection.clock()
        self._fresh = {known: at for known, at in self._fresh.items() if now - at < _SETTLING} | {item: now}

    def _is_doubtful(self, item: str) -> bool:
        """Whether a 404 for this id is contradicted: the feed lists it, or we made it a moment ago."""
        if item in self._last.gone or (self._last.complete and item not in self._listed):
            return False
        made = self._fresh.get(item)
        is_fresh = made is not None and self._collection.clock() - made < _SETTLING
        return is_fresh or item in self._listed

    def _doubted(self, gone: Gone) -> Failed:
        """Google lists it, and says that it is not there: it is asked for again later."""
        self._listed -= {gone.id}  # without a new listing the next 404 is believed
        what = "Google lists this event, and does not find it"
        return Failed(gone.id, Refused(what, reason=what, store=self._collection.store, ref=gone.id))

    def _recognised(self, ref: Ref) -> str:
        """The version of what a feed names by its ETag alone; "" where that says too little: it has to be read."""
        known = self._known.get(ref.id, "")
        return known if known and etag_in(known) == ref.version else ""

    def _outward(self, seen: Seen) -> Seen:
        """An event as the rest of Datebook is to see it."""
        version = version_of(seen.ref.version, seen.raw)
        if is_young(seen.raw, self._collection.clock()):
            self._known.pop(seen.ref.id, None)
        else:
            self._known[seen.ref.id] = version
        activity = replace(seen.activity, uid=original(seen.activity.uid))
        return replace(seen, ref=Ref(seen.ref.id, version), activity=activity)
