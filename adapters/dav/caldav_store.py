"""Any CalDAV calendar behind the door (RFC 4791)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_feed import Feed, identity_of
from adapters.dav.caldav_quirks import Quirks
from adapters.dav.caldav_reading import Reader
from adapters.dav.caldav_writing import Writer
from adapters.net.in_flight import in_flight
from daemon.core.errors import SignInNeeded, StoreError, Unavailable
from daemon.core.model import View
from daemon.core.store import Capabilities, Changes, Outcome, Reading, Write

_READS = 3  # batches that are read at once: each takes some megabytes until it is in the journal
_PATIENCE = 3  # failures of the server in a row, after which the rest is not tried


class CalDavStore:
    """One calendar. The connections belong to the account that opened it."""

    def __init__(  # noqa: PLR0913  what a calendar works with, all but two by name
        self,
        collection: Collection,
        quirks: Quirks,
        *,
        zone: str,
        types: Sequence[str],
        organizer: str = "",
        silences: Callable[[], bool] = lambda: False,
    ) -> None:
        self._collection, self._quirks = collection, quirks
        self._reader = Reader(collection, zone, tuple(types), quirks.name)
        self._writer: Carrier = Writer(collection, self._reader, quirks, organizer)
        self._feed = Feed(collection, quirks, self._reader.whole)
        self._capabilities = quirks.capabilities()
        self._silences = silences

    @property
    def capabilities(self) -> Capabilities:
        """What this calendar can hold and do; a proof that comes later counts from then on."""
        proven = self._quirks.agent_counts and self._silences()
        return replace(self._capabilities, silences_added=True) if proven else self._capabilities

    def schedules(self) -> bool | None:
        """Whether the server says that it invites guests (RFC 6638 section 2); None: a test shows nothing here."""
        if not self._quirks.agent_counts:
            return None
        told = self._collection.send("OPTIONS", "").headers.get("dav", "")
        return "calendar-auto-schedule" in {word.strip().lower() for word in told.split(",")}

    @property
    def identity(self) -> str:
        """The calendar's URL, without who asks."""
        return identity_of(self._collection.url)

    def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor` (None: everything). Raises CursorExpired, and any StoreError."""
        return self._feed.changes(cursor)

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read items by id, several batches at once; exactly one reading for each id. Raises any StoreError."""
        wanted = list(dict.fromkeys(ids))
        size = self._capabilities.read_batch
        batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        for readings in in_flight(self._reader.batch, batches, min(_READS, self._capabilities.in_flight)):
            yield from readings

    def find(self, uid: str, token: str) -> Reading | None:  # noqa: ARG002  a UID names a create here, not its token
        """The event with this UID; None: there is none. Raises any StoreError."""
        return self._reader.find(uid, search=self._quirks.finds_by_uid)

    def refuses(self, view: View) -> str:  # noqa: ARG002  iCalendar has a word for all that a view can say
        """Nothing: whatever an activity file can say, iCalendar can."""
        return ""

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes, `in_flight` at once; when the server fails or throttles, the rest is not tried."""
        run = _Run(self._writer)
        return in_flight(run.carry_out, writes, self._capabilities.in_flight)

    def close(self) -> None:
        """Nothing: the account closes the connections."""


class Carrier(Protocol):
    """What carries out single writes; several threads use it at once."""

    def outcome(self, write: Write) -> Outcome:
        """Carry out one write; its errors are an outcome."""


@dataclass(slots=True)
class _Run:
    """One call of `write`: what has stopped it, once something has."""

    writer: Carrier
    failures: int = 0
    stopped: StoreError | None = field(default=None)

    def carry_out(self, write: Write) -> tuple[Write, Outcome]:
        if self.stopped is not None:
            return write, _not_tried(self.stopped)
        outcome = self.writer.outcome(write)
        self._take_note(outcome)
        return write, outcome

    def _take_note(self, outcome: Outcome) -> None:
        match outcome:
            case SignInNeeded():
                self.stopped = outcome
            case Unavailable():
                self.failures += 1
                if outcome.throttled or self.failures >= _PATIENCE:
                    self.stopped = outcome
            case _:
                self.failures = 0


def _not_tried(cause: StoreError) -> StoreError:
    if isinstance(cause, SignInNeeded):
        return SignInNeeded(f"not tried: {cause}", what_to_do=cause.what_to_do, store=cause.store)
    assert isinstance(cause, Unavailable)  # noqa: S101  the only other cause that stops a run
    return Unavailable(
        f"not tried: {cause}", store=cause.store, after=cause.after, throttled=cause.throttled, uncertain=False
    )
