"""Carries out a plan: every write is an intent in the journal first, is made, and is settled after.

Writes of one pass are made in batches, as concurrently as the store allows. An error of one item sets that
item aside; an error of the service ends the pass and is handed up, with what was uncertain left open in
the journal, to be settled by asking.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar, get_args

from daemon.clock import Clock
from daemon.core import verdicts
from daemon.core.errors import StoreError
from daemon.core.model import Activity, Base, Local
from daemon.core.moving import MOVING, STOOD
from daemon.core.plan import Agree, Decision, Link, Side, State, Step, Unlink, Verdict
from daemon.core.planner import HEIR
from daemon.core.store import Create, Folder, Outcome, Remove, Store, Write
from daemon.engine.begun import Begun
from daemon.engine.jobs import EVENT_STEPS, FILE_STEPS, Job, JobMaker
from daemon.engine.leading import Links, links
from daemon.engine.outcomes import Applied, Outcomes
from daemon.engine.record import Recorder
from daemon.engine.unit import Unit
from daemon.journal import Journal, encoding
from daemon.journal.files import load_verdict
from daemon.journal.rows import FileRow

_BATCH = 512  # files whose intents share one commit
_SETTLE_FILES = 256  # writes to the folder that share one commit: they are on the disk together
_ON_THE_WIRE = 200  # the same for events: after an outage, this many may have to be asked for
_SETTLE = 50  # outcomes that share one commit, and are waited for before the program may end
_WRITES = (*get_args(FILE_STEPS), *get_args(EVENT_STEPS))
_WHY_NOT = frozenset({State.IGNORED, State.BLOCKED, State.HELD, State.READ_ONLY})
_DONE_WITH_THE_WRITE = frozenset({State.WAITING, State.HELD})  # what the last write ends
_AT_HOME = Local()  # of a file that says nothing for itself
_T = TypeVar("_T")


@dataclass(slots=True)
class Applier:
    """Carries out the decisions of one pass over one route.

    `may_name`: whether our daemon may add a uid to this file. `progress` is told how many writes are done.
    """

    route: str
    store: Store
    folder: Folder
    journal: Journal
    clock: Clock
    new_id: Callable[[], str]
    may_name: Callable[[Unit], bool]
    progress: Callable[[int], None]
    result: Applied = field(default_factory=Applied)

    @property
    def _record(self) -> Recorder:
        return Recorder(self.route, self.journal, self.clock)

    @property
    def _links(self) -> Links:
        return Links(self.route, self.journal, self.result)

    @property
    def _jobs(self) -> JobMaker:
        return JobMaker(self.route, self.clock, self.new_id)

    def run(self, units: Sequence[Unit]) -> Applied:
        """Carry out the units that are not held. Raises the StoreError that ended the pass, if one did."""
        for some in _chunks(units, _BATCH):
            with self.journal.turn():
                for unit in some:
                    self._note(unit)
        ready = [unit for unit in units if unit.decision.hold is None]
        for jobs in _chunks(self._jobs.for_files(ready), _BATCH):
            self._make(jobs, self.folder)
        sound = [unit for unit in ready if unit.file is None or unit.file.id not in self.result.failed]
        error: StoreError | None = None
        for jobs in _chunks(self._jobs.for_events(sound), _ON_THE_WIRE):
            error = self._make(jobs, self.store)
            if error is not None:
                break
        self._name({unit.file.id for unit in units if unit.file is not None})
        if error is not None:
            raise error
        return self.result

    def finish(self, units: Sequence[Unit]) -> Applied:
        """Carry out the last units, and give their names to all files that lack them. Raises as `run` does."""
        self.run(units)
        self._name()
        return self.result

    # Without a write -----------------------------------------------------------------------------

    def _note(self, unit: Unit) -> None:
        """What needs no write: the verdict, conflicts, links, agreements; and what is settled by them."""
        decision = unit.decision
        if _is_heir(decision) and unit.file is not None and unit.file.id in self.journal.intents.busy_files():
            self.result.look_at(self.clock.now())  # another calendar's pass has the file in hand
            return
        watched = decision.verdict is verdicts.WATCHED  # what becomes of the file is the leading calendar's to say
        if unit.file is not None and not watched:
            self._judge(unit.file, decision)
            self._record.clashes(unit)
        if decision.hold is not None:
            return  # stays unsettled: what is held is planned anew at each pass
        for step in decision.steps:
            self._note_step(unit, step)
        if watched and unit.event is not None:
            self.journal.events.settle(unit.event.id, unit.event.rev)
            if unit.decision.not_before is None:
                self.journal.quarantine.clear("event", unit.event.id, self.route)
        elif not any(isinstance(step, _WRITES) for step in decision.steps):
            self._settle(unit)
            if decision.elsewhere and decision.steps:
                self._pass_on(unit)
        if unit.file is not None and not watched and any(isinstance(step, Link) for step in decision.steps):
            self.journal.files.touch(unit.file.id)  # what either side was edited to meanwhile comes over at once
            self.result.more = True
        if decision.not_before is not None and unit.file is not None:
            self.result.look_at(decision.not_before)
            self.journal.files.touch(unit.file.id, decision.not_before.timestamp())

    def _judge(self, file: FileRow, decision: Decision) -> None:
        """Keep what its user is told. That it moves is less than why the calendar that it goes to does not take it."""
        known = load_verdict(file.verdict) if file.verdict else None
        waits = decision.elsewhere and decision.verdict.code == MOVING and not decision.steps
        if not (waits and known is not None and known.state in _WHY_NOT and known.code != verdicts.MOVE_MAILS.code):
            self.journal.files.judge(file.id, decision.verdict)

    def _note_step(self, unit: Unit, step: Step) -> None:
        file, event = unit.file, unit.event
        if event is None:
            return
        match step:
            case Agree(agrees):
                self._record.agreed(event, agrees)
            case Link() if unit.decision.verdict is verdicts.WATCHED and self._is_linked(event.id):
                pass  # another calendar's pass has linked it meanwhile
            case Link() if file is not None:
                self._links.lead(unit.decision, event, file.id)
                role = "watched" if unit.decision.verdict is verdicts.WATCHED else "primary"
                self.journal.events.link(event.id, file.id, Base(step.agrees, step.overlay), role=role)
                self._record.history(file, Side.CALENDAR, "link", "datebook", step.reason, {}, {})
                if not file.uid:
                    self.journal.files.give_uids([(event.uid, file.id)])
                if _is_heir(unit.decision):
                    self.journal.tombstones.drop(event.route, event.uid)
                    self.result.touched.add(event.route)
            case Unlink(reason, tombstone, remember):
                if file is not None:
                    self.result.touched |= {link.route for link in self.journal.events.links(file.id)} - {self.route}
                self._record.history(file, Side.CALENDAR, "unlink", "datebook", reason, {}, {}, uid=event.uid)
                self._record.unlinked(event, reason, tombstone=tombstone, remember=remember)
            case _:
                pass

    def _is_linked(self, event: int) -> bool:
        fresh = self.journal.events.get(event)
        return fresh is not None and fresh.file is not None

    def _settle(self, unit: Unit, verdict: Verdict | None = None) -> None:
        """What was observed of it up to here needs no more deciding; this is what its user is told, where it is new."""
        if unit.file is not None:
            self.journal.conflicts.carried_out(unit.file.id, self.route)
            if not unit.decision.elsewhere:  # else the calendar in which it belongs settles it
                self.journal.files.settle(unit.file.id, unit.file.rev, verdict)
                self._links.recall(unit)
            elif verdict is not None:
                self.journal.files.judge(unit.file.id, verdict)
            if unit.decision.not_before is None:
                self.journal.quarantine.clear("file", unit.file.id, self.route)
        if unit.event is not None:
            self.journal.events.settle(unit.event.id, unit.event.rev)
            if unit.event.taken_back and unit.decision.verdict is verdicts.SYNCED:
                self.journal.past.take_back(self.route, [unit.event.remote], is_so=False)

    def _pass_on(self, unit: Unit) -> None:
        """What is new about a file is news to the calendar in which it belongs; then it is decided here again."""
        if unit.file is not None:
            self.journal.files.touch(unit.file.id)
            self.result.touched |= {unit.file.route} if unit.file.route else set()
        if unit.event is not None:
            self.journal.events.touch(unit.event.id)
        self.result.more = True

    # Writes --------------------------------------------------------------------------------------

    def _make(self, jobs: list[Job], store: Store) -> StoreError | None:
        """Note the intents, make the writes, settle them; returns the error that ends the pass."""
        with self.journal.turn():
            jobs = [self._reserved(job) for job in jobs if self._is_meant(job)]
            self.journal.intents.add(job.intent for job in jobs)
            self._give_uids(jobs)
        by_token = {job.write.token: job for job in jobs}
        fatal: StoreError | None = None
        writes = Begun([job.write for job in jobs])
        outcomes = store.write(writes)
        for some in _chunks(outcomes, _SETTLE_FILES if store is self.folder else _SETTLE):
            book = Outcomes(self._record, self.result)
            with self.journal.turn():
                for write, outcome in some:
                    fatal = self._settle_job(book, by_token[write.token], outcome) or fatal
                self.journal.intents.drop(book.settled)
            if store is self.folder:
                self.folder.forget([write.token for write, _ in some])
            self.progress(len(some))
            if fatal is not None:
                break
        _close(outcomes)
        if fatal is not None:
            with self.journal.turn():
                self.journal.intents.drop(writes.never_begun())  # of the others the service has to be asked
        return fatal

    def _give_uids(self, jobs: Sequence[Job]) -> None:
        """A uid is the file's before its event is sent: whatever is answered, no second attempt makes a second."""
        self.journal.files.give_uids(
            (job.write.uid, file.id)
            for job in jobs
            if (file := job.unit.file) is not None
            and not file.uid
            and isinstance(job.write, Create)
            and job.intent.side is Side.CALENDAR
        )

    def _is_meant(self, job: Job) -> bool:
        """Not where a file was to follow its event to the trash, and has been linked to another one meanwhile."""
        file, event = job.unit.file, job.unit.event
        if not isinstance(job.write, Remove) or job.intent.side is not Side.FILE or file is None or event is None:
            return True
        fresh = self.journal.events.get(event.id)
        meant = fresh is not None and (fresh.gone, fresh.role, fresh.file) == (True, "primary", file.id)
        self.result.more = self.result.more or not meant
        return meant

    def _reserved(self, job: Job) -> Job:
        """A file that is about to be made has its row first, so that it is known when it is seen."""
        write = job.write
        if not isinstance(write, Create) or job.unit.file is not None:
            return job
        if write.local == _AT_HOME:
            text = encoding.activity_saying(write.uid, job.intent.patch)
        else:
            text = encoding.dump_activity(Activity(write.uid, write.view, write.local))
        row = self.journal.files.reserve(write.uid, text, self.clock.now().timestamp())
        unit = Unit(row, job.unit.event, job.unit.decision)
        return Job(unit, write, job.intent._replace(file=row.id), job.agrees, job.overlay, reserved=True)

    def _settle_job(self, book: Outcomes, job: Job, outcome: Outcome) -> StoreError | None:
        error = book.settle(job, outcome)
        unit = job.unit
        writes = [step for step in unit.decision.steps if isinstance(step, _WRITES)]
        last = writes[-1] if writes else None
        is_last = isinstance(last, EVENT_STEPS) == (job.intent.side is Side.CALENDAR)
        if is_last and job.intent.kind != "name" and not (unit.file and unit.file.id in self.result.failed):
            done = unit.decision.verdict.state in _DONE_WITH_THE_WRITE
            if unit.decision.again:
                self.result.more = True  # both rows are as unsettled as they were
                if unit.decision.elsewhere:
                    self._pass_on(unit)
            elif done or not job.is_settled_when_made:
                self._settle(unit, (unit.decision.then or verdicts.SYNCED) if done else None)
            if self.journal.holds.is_any_approved():
                self.journal.holds.spend([unit.signature])
        return error

    def _name(self, among: Collection[int] | None = None) -> None:
        """Put the uid into files of this route that have one in the journal and do not say it, from earlier passes too.

        `among` are the rows of files that no unit still waits to write: naming a file changes its version.
        """
        with self.journal.turn():
            rows = self.journal.files.nameless(self.route)
        units = [Unit(row, None, Decision(verdicts.SYNCED)) for row in rows if among is None or row.id in among]
        for jobs in _chunks(self._jobs.for_uids([unit for unit in units if self.may_name(unit)]), _BATCH):
            self._make(jobs, self.folder)


def _is_heir(decision: Decision) -> bool:
    return links(decision, HEIR) or links(decision, STOOD)


def _close(outcomes: Iterator[tuple[Write, Outcome]]) -> None:
    """Stop a generator that was not read to its end."""
    close = getattr(outcomes, "close", None)
    if close is not None:
        close()


def _chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
