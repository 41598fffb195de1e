"""Single writes to a Google calendar: what its CalDAV does otherwise than RFC 4791 says.

Before a write the event is read again where its ETag may hide another change; a UID that is spent is
replaced; what is refused though nobody else changed it is set aside, never repaired by delete and
re-create, which would mail its guests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_reading import Reader
from adapters.dav.caldav_writing import BareRefusal, Writer
from adapters.google_calendar.google_keeping import Keeping
from adapters.google_calendar.google_uids import replacements, resource_name
from adapters.google_calendar.google_versions import etag_in, is_young, version_of
from daemon.core.errors import Refused, StoreError, SyncError, Unavailable, VersionMismatch
from daemon.core.model import Field, Guest, Patch, View
from daemon.core.situation import others
from daemon.core.store import Create, Failed, Gone, Outcome, Ref, Remove, Seen, Update, Write, Written


@dataclass(slots=True)
class GoogleWriter:
    """Carries out writes by `inner`. `own` are the addresses of the account's user; `fresh` is told of new ids."""

    inner: Writer
    own: frozenset[str]
    fresh: Callable[[str], None]
    keeping: Keeping = field(default_factory=Keeping)
    _suspicious: bool = False  # the last write was refused without a reason
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _reader(self) -> Reader:
        return self.inner.reader

    @property
    def _collection(self) -> Collection:
        return self.inner.collection

    def outcome(self, write: Write) -> Outcome:
        """Carry out one write; its errors are an outcome."""
        try:
            match write:
                case Create():
                    outcome = self._create(write)
                case Update():
                    outcome = self._update(write)
                case Remove():
                    outcome = self._remove(write)
        except SyncError as error:
            return error
        if isinstance(outcome, Written) and not isinstance(write, Remove):
            outcome = self.keeping.seen(write, outcome, self._reader)
        if isinstance(outcome, Written):
            # An ETag in the answer, if there is one, is no version: what Google made of it has to be read.
            outcome = replace(outcome, ref=Ref(outcome.ref.id), exact=False)
        return self._weighed(outcome)

    # Creating --------------------------------------------------------------------------------------

    def _create(self, write: Create) -> Outcome:
        if not write.notify:
            self._refuse_mail(_guests(write.view), write.uid)
        outcome = self.inner.outcome(write)
        if isinstance(outcome, VersionMismatch | BareRefusal):
            outcome = self._under_another_uid(write, outcome)
        if isinstance(outcome, Written):
            self.fresh(outcome.ref.id)
        return outcome

    def _under_another_uid(self, write: Create, refused: StoreError) -> Outcome:
        """Google refused a create: because of an event that is there, or of one that was there (its UID is spent)."""
        there = self._reader.one(self._collection.id + resource_name(write.uid))
        if isinstance(there, Seen):
            return self._mismatch("another event has this UID", there.ref.id)
        if isinstance(there, Failed):
            return refused
        for uid in replacements(write.uid):
            outcome = self.inner.outcome(replace(write, uid=uid))
            if not isinstance(outcome, VersionMismatch | BareRefusal):
                return outcome
        if isinstance(refused, Refused):
            return refused
        what = "Google does not take this event (409), under no UID"
        return Refused(what, reason=what, store=self._collection.store)

    # Changing --------------------------------------------------------------------------------------

    def _update(self, write: Update) -> Outcome:
        if not write.ref.version:
            return self._mismatch("its version is not known: it has to be read first", write.ref.id)
        if not write.raw or write.before is None or is_young(write.raw, self._collection.clock()):
            there = self._as_expected(write.ref)
            write = replace(write, raw=there.raw, before=there.activity.view)
        if not write.notify:
            self._refuse_mail(_guests(write.before or {}) | _guests(write.patch), write.ref.id)
        outcome = self.inner.outcome(_plain(write))
        if not isinstance(outcome, VersionMismatch):
            return outcome
        return self._again(write, outcome)

    def _again(self, write: Update, refused: VersionMismatch) -> Outcome:
        """Once more, if nobody else has changed it: Google answers 409 to edits of series that are no conflict."""
        there = self._as_expected(write.ref, refused)
        outcome = self.inner.outcome(_plain(replace(write, raw=there.raw)))
        if not isinstance(outcome, VersionMismatch):
            return outcome
        self._as_expected(write.ref, outcome)
        what = "Google does not take this change (409), though nobody else has changed the event"
        cure = f"{what}. Make it in Google's own web page."
        return Refused(what, reason=cure, store=self._collection.store, ref=write.ref.id)

    def _remove(self, write: Remove) -> Outcome:
        if not write.ref.version:
            return self._mismatch("its version is not known: it has to be read first", write.ref.id)
        # Google deletes whatever is there, and says nothing of whom it mails.
        there = self._reader.one(write.ref.id)
        if isinstance(there, Gone):
            return Written(Ref(write.ref.id))
        there = self._as_expected(write.ref)
        if not write.notify:
            self._refuse_mail(_guests(there.activity.view), write.ref.id)
        outcome = self.inner.outcome(_plain(write))
        if not isinstance(outcome, VersionMismatch):
            return outcome
        self._as_expected(write.ref, outcome)
        what = "Google does not let this event be deleted (409)"
        return Refused(what, reason=what, store=self._collection.store, ref=write.ref.id)

    def _as_expected(self, ref: Ref, otherwise: VersionMismatch | None = None) -> Seen:
        """The event as it is now, if it is the version that is expected. Raises VersionMismatch, Unavailable."""
        there = self._reader.one(ref.id)
        if isinstance(there, Seen) and version_of(there.ref.version, there.raw) == ref.version:
            return there
        if isinstance(there, Failed) and isinstance(there.error, Unavailable):
            raise there.error
        raise otherwise or self._mismatch("it changed since it was read", ref.id)

    # What it means -----------------------------------------------------------------------------------

    def _refuse_mail(self, guests: frozenset[Guest], item: str) -> None:
        """The last gate: Google mails every guest of an event that is written, whatever SCHEDULE-AGENT says."""
        if others(guests, self.own):
            what = "Google would mail the guests of this event"
            raise Refused(what, reason=what, store=self._collection.store, ref=item)

    def _weighed(self, outcome: Outcome) -> Outcome:
        """Two refusals in a row without a reason are Google's limit of writes; one is the event's own."""
        with self._lock:
            before, self._suspicious = self._suspicious, isinstance(outcome, BareRefusal) and not self._suspicious
        if not (before and isinstance(outcome, BareRefusal)):
            return outcome
        what = "Google refuses one event after the other (403): too many requests"
        return Unavailable(what, store=outcome.store, ref=outcome.ref, throttled=True, uncertain=False)

    def _mismatch(self, what: str, item: str) -> VersionMismatch:
        return VersionMismatch(what, store=self._collection.store, ref=item)


def _plain(write: Update | Remove) -> Update | Remove:
    """The write with the ETag alone as its version, as Google knows it."""
    return replace(write, ref=Ref(write.ref.id, etag_in(write.ref.version)))


def _guests(says: View | Patch) -> frozenset[Guest]:
    """Everybody who stands anywhere on an event, in single instances too."""
    lists = (value for key, value in says.items() if key.field is Field.ATTENDEES and isinstance(value, frozenset))
    return frozenset(guest for guests in lists for guest in guests if isinstance(guest, Guest))
