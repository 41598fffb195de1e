"""Observing a calendar: what it says has changed, read item by item, into the journal.

An item is gone only when reading that very id says so; a notice, or an absence in a listing, is the
reason to ask. The cursor moves only after everything before it is in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.clock import Clock
from daemon.core.errors import CursorExpired, Missing, StoreError, Unavailable, Unreadable
from daemon.core.store import Changes, Failed, Gone, Reading, Seen, Store
from daemon.core.tombstones import yields
from daemon.engine.losses import Search
from daemon.journal import Journal
from daemon.journal.rows import RouteRow, Trouble

_AT_ONCE = 200  # readings in one transaction
_DOUBTS = 5  # short listings in a row, after which the cursor moves all the same
_WHOLE = timedelta(days=1)  # so often a calendar is listed whole, whatever its feed says
_WHOLE_AGAIN = timedelta(hours=6)  # and at most so often because the feed does not tell of our own writes
_ASK_AGAIN = timedelta(minutes=5)  # the first retry of an id that can't be read; doubled each time
_ASK_AT_MOST = timedelta(hours=24)


@dataclass(slots=True)
class Poll:
    """One route's calendar, and what this poll has found."""

    route: RouteRow
    store: Store
    journal: Journal
    clock: Clock
    conceal: Callable[[Seen], Seen]  # what the journal may keep of a private event
    progress: Callable[[int], None]
    read: int = 0
    wanted: dict[str, str] = field(default_factory=dict)  # id -> version, to be read
    absent: frozenset[str] = frozenset()  # known ids that a whole listing left out
    proven: bool = True  # whether all of those are gone indeed
    lost: Search = field(init=False)

    def __post_init__(self) -> None:
        self.lost = Search(self.route, self.store, self.journal, int(self.journal.get_meta(self._told) or 0))

    def run(self) -> int:
        """Ask for changes and record them; returns how many items were read. Raises StoreError."""
        written = self.journal.events.newest_write()
        changes = self._changes()
        self.lost.begin(changes)
        returned = frozenset(item.ref.id for item in changes.seen if self._has_returned(item))
        self._record([item for item in changes.seen if item.ref.id not in returned and self._is_news(item)])
        self._want(changes)
        self.wanted.update((item.ref.id, item.ref.version) for item in changes.seen if item.ref.id in returned)
        for readings in _chunks(self.store.read(list(self.wanted)) if self.wanted else iter(())):
            self._record(readings)
            self.progress(len(readings))
        self.lost.finish()
        if self._is_believed(changes):
            self.journal.set_route(self.route.name, cursor=changes.cursor)
        if changes.complete:
            self.journal.set_meta(listed_mark(self.route.name), str(self.clock.now().timestamp()))
        if self.journal.get_meta(self._told) != str(written):
            self.journal.set_meta(self._told, str(written))
        return self.read

    @property
    def _told(self) -> str:
        """Up to which entry of the log the feed has told of what was written."""
        return f"told of {self.route.name}"

    def _is_believed(self, changes: Changes) -> bool:
        """Whether the cursor may move. A whole listing that leaves out what is there may hide what is new, too.

        A calendar that always does that is believed in the end: its new items come with its feed.
        """
        key = f"short listings of {self.route.name}"
        doubts = int(self.journal.get_meta(key) or 0)
        if not changes.complete or (self.proven and not doubts):
            return True
        self.journal.set_meta(key, "0" if self.proven else str(doubts + 1))
        return self.proven or doubts + 1 >= _DOUBTS

    def _changes(self) -> Changes:
        """What changed; now and then everything, for a server that was restored knows nothing of what it lost."""
        if self._is_whole_due(_WHOLE):
            return self.store.changes(None)
        try:
            changes = self.store.changes(self.route.cursor)
        except CursorExpired:
            self.lost.is_reset = self.route.cursor is not None
            return self.store.changes(None)
        if changes.complete or self._tells_of_our_writes(changes) or not self._is_whole_due(_WHOLE_AGAIN):
            return changes
        return self.store.changes(None)

    def _is_whole_due(self, every: timedelta) -> bool:
        last = float(self.journal.get_meta(listed_mark(self.route.name)) or 0)
        return not 0 <= self.clock.now().timestamp() - last < every.total_seconds()

    def _tells_of_our_writes(self, changes: Changes) -> bool:
        """What was written after a cursor is news to it (RFC 6578 section 3.5), save where the server lost it since."""
        told = int(self.journal.get_meta(self._told) or 0)
        with self.journal.turn():
            ours = self.journal.events.written_after(self.route.name, told)
        return ours <= {ref.id for ref in changes.items} | {item.ref.id for item in changes.seen} | {*changes.gone}

    def _is_news(self, item: Seen) -> bool:
        """Whether an item that the feed delivered whole is not what is known already."""
        if not item.ref.version:
            return True
        with self.journal.turn():
            known = self.journal.events.versions(self.route.name, [item.ref.id])
        return known.get(item.ref.id) != item.ref.version

    def _has_returned(self, item: Seen) -> bool:
        """Whether the feed shows an event again that had been deleted: only reading it says that it is no echo."""
        with self.journal.turn():
            found = self.journal.tombstones.get(self.route.name, item.activity.uid)
            if found is None or not yields(found[0]):
                return False
            return item.ref.id not in self.journal.events.versions(self.route.name, [item.ref.id])

    def _want(self, changes: Changes) -> None:
        """Which ids have to be read: new or changed ones, and those of which something is to be asked."""
        name = self.route.name
        with self.journal.turn():
            events = self.journal.events
            known = events.versions(name, None if changes.complete else [ref.id for ref in changes.items])
            unread = events.unread(name)
            gone = events.versions(name, list(changes.gone))
            unreadable = self.journal.quarantine.unreadable(name)
        delivered = {item.ref.id for item in changes.seen}
        now = self.clock.now().timestamp()
        for ref in changes.items:
            if ref.id in delivered or (ref.version and known.get(ref.id) == ref.version):
                continue
            version, trouble = unreadable.get(ref.id, (None, None))
            if trouble is not None and version == ref.version and trouble.retry > now:
                continue
            self.wanted[ref.id] = ref.version
        listed = {ref.id for ref in changes.items}
        absent = [id_ for id_ in known if id_ not in listed] if changes.complete else []
        self.absent = frozenset(absent)
        retry = [id_ for id_, (_, trouble) in unreadable.items() if trouble.retry <= now]
        for id_ in (*unread, *gone, *absent, *retry):
            if id_ not in delivered:
                self.wanted.setdefault(id_, "")

    def _record(self, readings: Sequence[Reading]) -> None:
        if not readings:
            return
        name = self.route.name
        now = self.clock.now()
        _raise_if_down(readings)
        with self.journal.turn():
            seen = [self.conceal(reading) for reading in readings if isinstance(reading, Seen)]
            self.proven = self.proven and not any(item.ref.id in self.absent for item in seen)
            gone = [reading.id for reading in readings if isinstance(reading, Gone)]
            taken_back = self.lost.among([item.ref for item in seen], gone)
            self.journal.events.saw(name, seen, now.timestamp(), backlog=not self.route.adopted)
            self.journal.quarantine.readable(name, [item.ref.id for item in seen])
            for reading in readings:
                match reading:
                    case Gone(id_):
                        self.journal.events.gone(name, id_)
                        self.journal.quarantine.readable(name, [id_])
                    case Failed():
                        self._failed(reading, now)
                    case Seen():
                        self.read += 1
            self.journal.past.take_back(name, taken_back, is_so=None)

    def _failed(self, reading: Failed, now: datetime) -> None:
        """Listed and not readable: set aside with its own clock, whether known or new."""
        before = self.journal.quarantine.unreadable(self.route.name).get(reading.id)
        attempts = before[1].attempts + 1 if before else 1
        since = before[1].since if before else now.timestamp()
        wait = min(_ASK_AGAIN * 2 ** min(attempts - 1, 12), _ASK_AT_MOST)
        code, cure = describe(reading.error)
        what = f"{reading.title}: {reading.error}" if reading.title else str(reading.error)
        trouble = Trouble(code, what, cure, attempts, (now + wait).timestamp(), since)
        version = reading.version or self.wanted.get(reading.id, "")
        self.journal.quarantine.put_unreadable(self.route.name, reading.id, version, trouble)


def same_calendar(route: RouteRow, store: Store) -> None:
    """Raise Missing where another calendar stands in place of the one that is known."""
    if route.identity != store.identity:
        raise Missing(
            "another calendar stands where this one was",
            store=route.name,
            what_to_do="Put its old `calendar:` and `url:` back; another one gets a name of its own beside it.",
        )


def listed_mark(route: str) -> str:
    """Under which key the journal keeps when a calendar was last listed whole; "0": it is to be now."""
    return f"listed whole {route}"


def _raise_if_down(readings: Sequence[Reading]) -> None:
    """One item that can't be had is set aside; none at all means that the service is not there."""
    down = [item.error for item in readings if isinstance(item, Failed) and isinstance(item.error, Unavailable)]
    if down and len(down) == len(readings):
        raise down[0]


def describe(error: StoreError | Unreadable) -> tuple[str, str]:
    """Code and cure of an error about one item."""
    if isinstance(error, Unreadable):
        return error.code, error.cure or "Mend or delete the event in the calendar; the rest goes on."
    return "unreadable_event", "It is asked for again by itself; look at the event in the calendar."


def _chunks(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    """The readings in chunks. What was read before an error is handed on first: the rest is asked for again."""
    chunk: list[Reading] = []
    try:
        for reading in readings:
            chunk.append(reading)
            if len(chunk) >= _AT_ONCE:
                yield chunk
                chunk = []
    except StoreError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
