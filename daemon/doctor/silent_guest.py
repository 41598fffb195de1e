"""The silent guest: whether a CalDAV server leaves alone whoever is put on an event with SCHEDULE-AGENT=CLIENT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol, runtime_checkable

from daemon.core.model import Field, Guest, Key, Privacy, Timed, Value
from daemon.core.store import Create, Finding, Gone, Reading, Ref, Remove, Seen, Store, Update, Write, Written

NOBODY = "datebook-write-test@nobody.invalid"  # RFC 2606: no mail reaches it, whatever a server does
_YEARS_AHEAD = 8
_TITLE = "Datebook write test with a guest"


@runtime_checkable
class Scheduling(Protocol):
    """A store whose server may invite guests by itself."""

    def schedules(self) -> bool | None:
        """Whether the server says that it does; None: a test of it shows nothing here."""


@dataclass(slots=True)
class SilentGuest:
    """One test of one calendar: an event with a guest is made, edited and deleted, with the order to mail nobody.

    `guest` is NOBODY unless somebody was named. `proven` is the result: the server says that it schedules
    (RFC 6638 section 2), kept the guest's SCHEDULE-AGENT=CLIENT through every write, and never set the
    SCHEDULE-STATUS that it must set where it sends (section 7.3).
    """

    store: Store
    uid: str
    token: str
    today: date
    zone: str
    guest: str = NOBODY
    schedules: bool = True
    proven: bool = False

    def run(self) -> Iterator[Finding]:
        """Carry it out; what could not be found out is no fault."""
        made = self._write(Create(self.uid, f"{self.token}-1", self._view()))
        if made is None:
            yield _untested("the server takes no event with a guest")
            return
        first = self._read(made)
        edited: Reading | None = None
        try:
            if isinstance(first, Seen):
                patch: dict[Key, Value | None] = {Key(Field.SUBJECT): f"{_TITLE}, edited"}
                write = Update(first.ref, f"{self.token}-2", patch, raw=first.raw, before=first.activity.view)
                ref = self._write(write)
                edited = self._read(ref) if ref is not None else None
        finally:
            gone = self._remove(self._read(made))
        if not gone:
            cure = f"Delete `{_TITLE}` in the calendar by hand."
            yield Finding("write_delete", ok=False, message="the test's event with a guest is still there", cure=cure)
        yield self._finding([first, edited])

    def _finding(self, readings: list[Reading | None]) -> Finding:
        seen = [each for each in readings if isinstance(each, Seen)]
        if any(b"SCHEDULE-STATUS" in each.raw.replace(b"\r\n ", b"") for each in seen):
            cure = "Keep `guests: never`."
            message = "the server mails guests in spite of SCHEDULE-AGENT"
            return Finding("write_guests", ok=False, message=message, cure=cure)
        if len(seen) < len(readings) or not all(self.guest in each.activity.unmailed for each in seen):
            return Finding(
                "write_guests", ok=True, message="the server dropped SCHEDULE-AGENT: guests are not sent to it"
            )
        if not self.schedules:
            message = (
                "the server kept SCHEDULE-AGENT, but does not say that it invites guests: see whether it mails them"
            )
            return Finding("write_guests", ok=True, message=message)
        self.proven = True
        message = "the server mails no guest whom Datebook puts on an event: with `guests: never` new guests may go out"
        return Finding("write_guests", ok=True, message=message)

    def _view(self) -> dict[Key, Value]:
        start = datetime.combine(date(self.today.year + _YEARS_AHEAD, 1, 18), time(10, 30))
        return {
            Key(Field.SUBJECT): _TITLE,
            Key(Field.WHEN): Timed(start, self.zone, timedelta(minutes=45)),
            Key(Field.PRIVATE): Privacy.PRIVATE,
            Key(Field.ATTENDEES): frozenset({Guest(self.guest)}),
        }

    def _write(self, write: Write) -> Ref | None:
        outcome = next(iter(self.store.write([write])))[1]
        return outcome.ref if isinstance(outcome, Written) else None

    def _read(self, ref: Ref) -> Reading:
        return next(iter(self.store.read([ref.id])))

    def _remove(self, last: Reading) -> bool:
        if isinstance(last, Seen):
            self._write(Remove(last.ref, f"{self.token}-3", "write test"))
            last = self._read(last.ref)
        return isinstance(last, Gone)


def _untested(message: str) -> Finding:
    return Finding("write_guests", ok=True, checked=False, message=message)
