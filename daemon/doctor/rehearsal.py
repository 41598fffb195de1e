"""The write test: makes, edits and deletes one private event in the far future, and says what the server kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from daemon.core.errors import SyncError
from daemon.core.model import Busy, Field, Guest, Key, Priority, Privacy, Timed, Value, View
from daemon.core.store import Create, Failed, Finding, Gone, Reading, Ref, Remove, Seen, Store, Update, Write, Written

_YEARS_AHEAD = 8
_LABELS = {
    Field.TYPE: "the type",
    Field.PRIVATE: "private (CLASS)",
    Field.REMINDERS: "reminders",
    Field.LOCATION: "the location",
    Field.DESCRIPTION: "the description",
    Field.MEETING_URL: "the meeting's address",
    Field.PRIORITY: "the priority",
    Field.BUSY: "free or busy",
    Field.WHEN: "time and zone",
    Field.SUBJECT: "the title",
    Field.ATTENDEES: "guests",
}
_TITLE, _EDITED = "Datebook write test", "Datebook write test, edited"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One test of one calendar. `uid` and `token` are new ones; `guest` "" invites nobody."""

    store: Store
    uid: str
    token: str
    today: date
    zone: str
    guest: str = ""

    def run(self) -> Iterator[Finding]:
        """Make, read, edit, read, delete; what is left behind is said."""
        sent = self._view()
        made = yield from self._write("create", Create(self.uid, f"{self.token}-1", sent, notify=self._mails))
        if made is None:
            return
        seen = self._read(made)
        try:
            yield from self._kept(sent, seen)
            if isinstance(seen, Seen):
                yield from self._edit(seen)
        finally:
            last = self._read(seen.ref if isinstance(seen, Seen) else made)
        yield from self._remove(last)

    @property
    def _mails(self) -> bool:
        """Whether a mail is ordered: whoever names a guest knows that a service without another way mails them."""
        return bool(self.guest) and not self.store.capabilities.suppresses_mail

    def _view(self) -> View:
        day = date(self.today.year + _YEARS_AHEAD, 1, 17)
        view: dict[Key, Value] = {
            Key(Field.SUBJECT): _TITLE,
            Key(Field.TYPE): "call",
            Key(Field.WHEN): Timed(datetime.combine(day, time(10, 30)), self.zone, timedelta(minutes=45)),
            Key(Field.LOCATION): "Nowhere",
            Key(Field.DESCRIPTION): "Made by `datebook doctor --write-test`.\nMay be deleted.",
            Key(Field.MEETING_URL): "https://meet.example.com/write-test",
            Key(Field.PRIVATE): Privacy.PRIVATE,
            Key(Field.PRIORITY): Priority.HIGH,
            Key(Field.BUSY): Busy.FREE,
            Key(Field.REMINDERS): frozenset({timedelta(minutes=10), timedelta(hours=1)}),
        }
        if self.guest:
            view[Key(Field.ATTENDEES)] = frozenset({Guest(self.guest)})
        return view

    def _write(self, what: str, write: Write) -> Generator[Finding, None, Ref | None]:
        """Carry one write out; returns the new ref, None when it was refused."""
        outcome = next(iter(self.store.write([write])))[1]
        if isinstance(outcome, Written):
            yield Finding(f"write_{what}", ok=True, message=f"an event can be {_DONE[what]}")
            return outcome.ref
        yield Finding(
            f"write_{what}", ok=False, message=f"an event can't be {_DONE[what]}: {outcome}", cure=_cure(outcome)
        )
        return None

    def _read(self, ref: Ref) -> Reading:
        return next(iter(self.store.read([ref.id])))

    def _kept(self, sent: View, seen: Reading) -> Iterator[Finding]:
        if not isinstance(seen, Seen):
            yield Finding(
                "write_read", ok=False, message="the new event can't be read back", cure="Look at the calendar."
            )
            return
        there = seen.activity.view
        lost = [_LABELS[key.field] for key, value in sent.items() if not _is_kept(key.field, value, there.get(key))]
        kept = [_LABELS[key.field] for key in sent if _LABELS[key.field] not in lost]
        yield Finding("write_kept", ok=True, message=f"kept by the server: {', '.join(kept)}")
        if lost:
            message = f"not kept as sent: {', '.join(lost)}"
            yield Finding("write_changed", ok=True, message=f"{message}. Your files keep it")
        if Key(Field.PRIVATE) in sent and there.get(Key(Field.PRIVATE)) not in _CLOSED:
            yield _unveiled()
        if there.get(Key(Field.REMINDERS)) not in {None, sent[Key(Field.REMINDERS)]}:
            message = "the calendar has reminders of its own, and puts them in place of yours"
            yield Finding("write_reminders", ok=True, message=message)
        if b"BEGIN:VCALENDAR" in seen.raw:
            yield from _of_the_type(seen.raw)
        if self.guest:
            yield self._guests(seen)

    def _guests(self, seen: Seen) -> Finding:
        """Whether the server leaves the mail to us (RFC 6638 section 7.1); what it sent, only the guest can tell."""
        if b"SCHEDULE-STATUS" in seen.raw:
            cure = "Keep `guests: never`."
            return Finding(
                "write_guests", ok=False, message="the server mails guests in spite of SCHEDULE-AGENT", cure=cure
            )
        if b"SCHEDULE-AGENT=CLIENT" in seen.raw:
            message = "the server kept SCHEDULE-AGENT=CLIENT; see that the guest got no mail"
        else:
            message = "the server dropped SCHEDULE-AGENT; see whether the guest got a mail"
        return Finding("write_guests", ok=True, message=message)

    def _edit(self, seen: Seen) -> Iterator[Finding]:
        patch: Mapping[Key, Value | None] = {Key(Field.SUBJECT): _EDITED}
        before = seen.activity.view
        update = Update(seen.ref, f"{self.token}-2", patch, raw=seen.raw, before=before, notify=self._mails)
        ref = yield from self._write("edit", update)
        if ref is None:
            return
        again = self._read(ref)
        if isinstance(again, Seen) and again.activity.view.get(Key(Field.SUBJECT)) != _EDITED:
            message = "an edit was taken, and is not there"
            yield Finding("write_edit", ok=False, message=message, cure="Tell the server's administrator.")

    def _remove(self, last: Reading) -> Iterator[Finding]:
        if isinstance(last, Gone):
            return
        if isinstance(last, Failed):
            cure = f"Delete `{_TITLE}` in the calendar by hand."
            yield Finding("write_delete", ok=False, message="the test's event can't be found again", cure=cure)
            return
        yield from self._write("delete", Remove(last.ref, f"{self.token}-3", "write test", notify=self._mails))
        if not isinstance(self._read(last.ref), Gone):
            cure = f"Delete `{_EDITED}` in the calendar by hand."
            yield Finding("write_delete", ok=False, message="the deleted event is still there", cure=cure)


def _unveiled() -> Finding:
    message = "private (CLASS) is not kept: whoever sees this calendar sees your private activities in it"
    cure = "Share this calendar with nobody, or write `sync: false` into what is private."
    return Finding("write_private", ok=False, message=message, cure=cure)


def _of_the_type(raw: bytes) -> Iterator[Finding]:
    """By what an event says of which type it is: in a property of ours, and in one that other programs show."""
    ours, shown = b"X-DATEBOOK-TYPE" in raw, b"\nCATEGORIES" in raw
    yield Finding("write_x_properties", ok=True, message=f"X- properties are {'kept' if ours else 'dropped'}")
    yield Finding("write_categories", ok=True, message=f"CATEGORIES are {'kept' if shown else 'dropped'}")
    if not ours and not shown:
        message = "an event there does not say its type: that stands in your files alone"
        yield Finding("write_type", ok=True, message=message)


_CLOSED = frozenset({Privacy.PRIVATE, Privacy.CONFIDENTIAL})
_DONE = {"create": "made", "edit": "edited", "delete": "deleted"}


def _is_kept(field: Field, sent: Value, there: Value | None) -> bool:
    if field is Field.ATTENDEES:
        return there is not None
    return sent == there


def _cure(error: SyncError) -> str:
    said = str(getattr(error, "what_to_do", "") or getattr(error, "reason", ""))
    return said or "If it may only be read, set `direction: from-calendar`."
