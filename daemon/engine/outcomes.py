"""What becomes of a write: settled in the journal, set aside, tried again, or the end of the pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daemon.core.errors import (
    Forbidden,
    Full,
    Held,
    NotFound,
    Refused,
    StoreError,
    SyncError,
    Unavailable,
    Unreadable,
    VersionMismatch,
)
from daemon.core.model import Activity, Blank, Field, Key, Pair, text_of
from daemon.core.moving import MOVED
from daemon.core.plan import Side, Verdict
from daemon.core.privacy import is_private
from daemon.core.store import Create, Outcome, Remove, Update, Written
from daemon.core.verdicts import HELD_BY_EDITOR, blocked, waiting
from daemon.engine.jobs import Job
from daemon.engine.record import Recorder
from daemon.engine.unit import Unsayable
from daemon.journal import encoding
from daemon.journal.rows import EventRow, FileRow, Trouble

_HELD_AGAIN = timedelta(seconds=5)  # an editor may have let go; the end of its lock file is a hint too
_DISK, _DISK_AT_MOST = timedelta(seconds=5), timedelta(minutes=1)
_CALENDAR_CURE = "Change it in the calendar to something that a file can say."
_RETRY = timedelta(minutes=5)
_RETRY_AT_MOST = timedelta(hours=24)


@dataclass(slots=True)
class Applied:
    """What became of a plan."""

    wrote: int = 0  # items, on either side
    files: int = 0  # of them those of the folder
    again: datetime | None = None
    reread: bool = False  # something was not as expected: ask the calendar and plan again
    more: bool = False  # what was just linked is to be decided on at once
    touched: set[str] = field(default_factory=set)  # routes that have something to do because of this
    made: set[str] = field(default_factory=set)  # paths of files that were made
    unsayable: dict[int, Unsayable] = field(default_factory=dict)  # by file, what it can't say of its event
    failed: set[int] = field(default_factory=set)  # files of which a write did not go through

    def count_files(self, many: int) -> None:
        """So many files of the folder were written."""
        self.wrote += many
        self.files += many

    def look_at(self, moment: datetime) -> None:
        """Look again then, if not before."""
        self.again = moment if self.again is None else min(self.again, moment)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Writes down what became of each write of one pass. Every method is called inside a turn of the journal."""

    record: Recorder
    result: Applied
    settled: list[str] = field(default_factory=list)  # the tokens of writes of which it is known what became of them

    def settle(self, job: Job, outcome: Outcome) -> StoreError | None:
        """Write down one outcome; returns an error that is about the whole service."""
        if isinstance(outcome, Written):
            told = int(job.intent.kind != "name")  # the line of the uid belongs to the making of its event
            if job.intent.side is Side.FILE:
                self.result.count_files(told)
            else:
                self.result.wrote += told
            self.settled.append(job.write.token)
            if job.intent.side is Side.FILE:
                self._file_done(job, outcome)
            else:
                self._event_done(job, outcome)
            return None
        if job.unit.file is not None:
            self.result.failed.add(job.unit.file.id)
        if not (isinstance(outcome, Unavailable) and outcome.uncertain):
            self.settled.append(job.write.token)
            self._unreserve(job)
        return self._failed(job, outcome)

    def _unreserve(self, job: Job) -> None:
        """A file that was not made has no row."""
        file = job.unit.file
        if isinstance(job.write, Create) and job.intent.side is Side.FILE and file is not None:
            row = self.record.journal.files.get(file.id)
            if row is not None and not row.path and not self.record.journal.events.of_file(row.id):
                self.record.journal.files.forget(row.id)

    # The folder ----------------------------------------------------------------------------------

    def _file_done(self, job: Job, written: Written) -> None:
        file, event = job.unit.file, job.unit.event
        assert file is not None  # noqa: S101  a file that is written has its row
        match job.write:
            case Create() as write:
                self._file_made(job, write, written, file, event)
            case Update(uid=uid) if uid:
                self.record.file_named(file, written.ref, uid)
            case Update(says=says) if says:
                self.record.file_said(file, written.ref, says)
                self.record.history(file, Side.FILE, "done", "calendar", job.reason, {}, {}, approved=job.unit.approved)
                if event is not None:
                    self.record.unlinked(event, job.reason, tombstone=True)
            case Update(patch=patch):
                before = {key: file.activity.view.get(key) for key in patch}
                self.record.file_changed(file, written.ref, patch)
                approved = job.unit.approved
                self.record.history(file, Side.FILE, "update", "calendar", job.reason, before, patch, approved=approved)
                if event is not None:
                    self.record.agreed(event, job.agrees)
            case Remove():
                view = dict(file.activity.view)
                approved = job.unit.approved
                self.record.history(file, Side.FILE, "trash", "calendar", job.reason, view, {}, approved=approved)
                self.record.journal.files.lost([file.path], self.record.now)
                if event is not None:
                    self.record.trashed(event, job.reason)

    def _file_made(self, job: Job, write: Create, written: Written, file: FileRow, event: EventRow | None) -> None:
        journal = self.record.journal
        if not job.reserved:
            activity = Activity(write.uid, write.view, write.local)
            journal.files.wrote(file.id, written.ref.id, written.ref.version, activity, uid=write.uid)
        journal.files.made(file.id, written.ref.id, written.ref.version, self.record.route, job.unit.decision.verdict)
        self.result.made.add(written.ref.id)
        if event is not None:
            settled = event.rev if job.is_settled_when_made else None
            journal.events.filed(event.id, file.id, encoding.base_of(job.intent.agrees, ""), settled)
            journal.tombstones.drop(self.record.route, write.uid)
        made = file._replace(path=written.ref.id)
        self.record.history(made, Side.FILE, "create", "calendar", job.reason, "{}", job.intent.patch)

    # The calendar --------------------------------------------------------------------------------

    def _event_done(self, job: Job, written: Written) -> None:
        record, approved, reason = self.record, job.unit.approved, job.reason
        if written.dropped:
            agrees = _without(job.agrees, written.dropped)
            intent = job.intent._replace(agrees=encoding.dump_pairs(agrees))
            job = replace(job, agrees=agrees, intent=intent)
        match job.write, job.unit.file, job.unit.event:
            case Create() as write, FileRow() as file, event:
                self._event_made(job, write, written, file, event)
            case Update(patch=patch), file, EventRow() as event:
                before = {key: event.activity.view.get(key) for key in patch}
                after = _without(self._after(job), written.dropped)
                record.event_changed(event, patch, written, after, job.overlay)
                raw = event.raw
                record.history(file, Side.CALENDAR, "update", "user", reason, before, patch, raw, approved=approved)
            case Remove(), file, EventRow() as event:
                view = dict(event.activity.view)
                raw, uid = event.raw, event.uid
                record.history(file, Side.CALENDAR, "delete", "user", reason, view, {}, raw, uid=uid, approved=approved)
                record.event_deleted(event, reason, remember=reason != MOVED)
            case _:
                pass

    def _after(self, job: Job) -> Mapping[Key, Pair]:
        """The pairs that hold now: those of this write, or of both where the file was written too."""
        file = job.unit.file
        if file is not None and file.id not in self.result.failed:
            return {**job.agrees, **job.unit.decision.after_all}
        return job.agrees

    def _event_made(self, job: Job, write: Create, written: Written, file: FileRow, event: EventRow | None) -> None:
        if event is not None and event.remote != written.ref.id:
            self.record.journal.events.forget(event.id)
        intent = job.intent
        base = encoding.base_of(intent.agrees, intent.overlay or "")
        self.result.touched |= self.record.event_made(file, write.uid, intent.patch, written, base)
        self.record.history(file, Side.CALENDAR, "create", "user", job.reason, "{}", intent.patch, uid=write.uid)

    # What went wrong -----------------------------------------------------------------------------

    def _failed(self, job: Job, error: SyncError) -> StoreError | None:
        """One item's error sets it aside; anything else is about the service."""
        now = self.record.clock.now()
        match error:
            case VersionMismatch() | NotFound() if job.intent.side is Side.CALENDAR:
                self._not_as_expected(job)
            case Unreadable(code="unwritable", keys=keys) if keys and job.unit.file and job.unit.event:
                known = frozenset(key for key in keys if isinstance(key, Key))
                self.result.unsayable[job.unit.file.id] = Unsayable(job.unit.file.digest, job.unit.event.rev, known)
                self.result.more = True  # the rest of it goes
            case Unreadable(code="unwritable"):
                self._set_aside(job, error.message, error.code, now, cure=error.cure or _CALENDAR_CURE)
            case VersionMismatch() | NotFound() | Unreadable():
                self.result.look_at(now)
            case Held() if job.unit.file is not None:
                self._wait_for_editor(job.unit.file, error, now)
            case Refused():
                self._set_aside(job, error.reason, "refused", now)
            case StoreError() if job.intent.side is Side.CALENDAR:
                return error
            case Full() | Forbidden():  # the store's disk or its rights, which may be mended at any moment
                cure = getattr(error, "what_to_do", "") or "Make room on the disk of the store."
                self._set_aside(job, str(error), "not_writable", now, cure=cure, first=_DISK, most=_DISK_AT_MOST)
            case _:
                self._set_aside(job, str(error), "not_writable", now)
        return None

    def _not_as_expected(self, job: Job) -> None:
        """It changed since we looked, or is gone, or all of its calendar is: it is read again, and planned again."""
        self.result.reread = True
        event = job.unit.event
        if event is None:
            self.result.look_at(self.record.clock.now())
        else:
            self.record.journal.events.distrust(event.id)

    def _wait_for_editor(self, file: FileRow, error: Held, now: datetime) -> None:
        again = now + _HELD_AGAIN
        reason = f"The file is open in {error.by}; it is written when the editor lets go."
        self._rest(file, waiting(HELD_BY_EDITOR, reason, "Save and close it there."), again)

    def _rest(self, file: FileRow, verdict: Verdict, again: datetime) -> None:
        self.record.journal.files.judge(file.id, verdict)
        self.record.journal.files.touch(file.id, again.timestamp())
        self.result.look_at(again)

    def _set_aside(  # noqa: PLR0913  what, why, and its clock
        self,
        job: Job,
        reason: str,
        code: str,
        now: datetime,
        *,
        cure: str = "Change what it names; it is tried again then, and by itself later.",
        first: timedelta = _RETRY,
        most: timedelta = _RETRY_AT_MOST,
    ) -> None:
        """One item that is refused rests on its own clock; the rest goes on."""
        never_made = code == "unwritable" and isinstance(job.write, Create)
        kind, row = ("event", job.unit.event) if never_made else ("file", job.unit.file)
        if row is None:
            kind, row = "event", job.unit.event
        if row is None:
            return
        if isinstance(row, EventRow):
            reason = f"{_titled(row)}: {reason}"
        journal, route = self.record.journal, self.record.route
        known = journal.quarantine.get(kind, row.id, route)
        attempts = known[0].attempts + 1 if known else 1
        again = now + min(first * 2 ** min(attempts - 1, 12), most)
        since = known[0].since if known else now.timestamp()
        journal.quarantine.put(
            kind, row.id, route, Trouble(code, reason, cure, attempts, again.timestamp(), since), row.rev
        )
        if isinstance(row, FileRow):
            self._rest(row, blocked(code, reason, cure), again)
        else:
            journal.events.touch(row.id, again.timestamp())
            self.result.look_at(again)


def _titled(event: EventRow) -> str:
    """An event as a report may name it: nothing of a private one."""
    activity = event.activity
    return "a private event" if is_private(activity) else f'"{text_of(activity.view, Field.SUBJECT)}"'


def _without(agrees: Mapping[Key, Pair], dropped: Collection[Key]) -> Mapping[Key, Pair]:
    """The pairs that are agreed, where the calendar has no half of what it did not keep."""
    return {key: Pair(pair.file, Blank.UNHELD) if key in dropped else pair for key, pair in agrees.items()}
