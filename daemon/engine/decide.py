"""Gathers what the journal knows of a route's unsettled items, and has the planner decide on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from daemon.core import planner, verdicts
from daemon.core.guard import Recent, brake, deletes, edits, may_stop
from daemon.core.model import Base
from daemon.core.moving import ARRIVES
from daemon.core.pairing import Candidate, pair_up
from daemon.core.plan import (
    Decision,
    Hold,
    Recast,
    Side,
    UpdateEvent,
    UpdateFile,
)
from daemon.core.policy import Backlog, Route
from daemon.core.situation import EventNow, FileNow, Situation
from daemon.engine.belonging import Router, homes
from daemon.engine.elsewhere import Elsewhere
from daemon.engine.unit import Unit, Unsayable
from daemon.journal import Journal, encoding
from daemon.journal.files import load_verdict
from daemon.journal.rows import EventRow, FileRow, instant

_HOUR = timedelta(hours=1)
_PING_PONG = timedelta(hours=3)
_REPEATS = 3  # writes of the same words to one side within that time; the next one is not made
_UNCHANGED, _EDITED = 1, 2  # an event from before the calendar was connected
_REMOVALS = {Side.CALENDAR: ("delete",), Side.FILE: ("trash", "done")}


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides on one route at one moment. Reads the journal, writes nothing."""

    journal: Journal
    situation: Situation
    router: Router
    unsayable: Mapping[int, Unsayable] = field(default_factory=dict)  # by file
    routes: Mapping[str, Route] = field(default_factory=dict)  # all of the config
    looks_ahead: bool = False  # a move is shown as if what has to come before it were done

    def units(self) -> list[Unit]:
        """Everything that is not settled on this route, decided on; what is held says so."""
        return self.guarded(list(self.each()))

    def unit_of(self, file: FileRow) -> Unit | None:
        """The decision on one file, settled or not."""
        return self._of_file(file)

    def at_the_end(self, unit: Unit) -> Unit | None:
        """The decision on a unit when its grace has ended, if nothing else comes in between; None: it is in none."""
        until = unit.decision.not_before
        if not unit.is_in_grace or until is None or unit.file is None:
            return None
        then = replace(self, situation=replace(self.situation, now=until)).unit_of(unit.file)
        return replace(then, decision=replace(then.decision, not_before=until)) if then else None

    def each(self) -> Iterator[Unit]:
        """The same one by one, before the guard: what it may hold is left to `guarded`."""
        done: set[int] = set()
        coming: set[str] = set()
        name = self.situation.route.name
        with self.journal.turn():
            file_ids = self.journal.files.dirty(name)
            event_ids = self.journal.events.dirty(name)
            in_question = self.journal.intents.in_question(name)
        file_ids = [id_ for id_ in file_ids if id_ not in in_question]
        alike = self._alike(file_ids)
        for id_ in file_ids:
            file = self.journal.files.get(id_)
            unit = self._of_file(file, alike.get(id_)) if file else None
            if unit is not None:
                done.add(unit.event.id if unit.event else 0)
                yield unit
        for id_ in event_ids:
            event = self.journal.events.get(id_) if id_ not in done else None
            if event is not None and event.file in in_question:
                continue
            unit = self._of_event(event) if event and (not event.uid or event.uid not in coming) else None
            if unit is not None and unit.event is not None:
                done.add(unit.event.id)
                if unit.file is None and unit.decision.steps:
                    coming.add(unit.event.uid)  # of two events with one uid the second waits for the file of the first
                yield unit

    def _alike(self, file_ids: Sequence[int]) -> Mapping[int, int]:
        """Unlinked files, each with an event from before the calendar was connected that looks the same."""
        name = self.situation.route.name
        strangers = list(self.journal.events.strangers(name)) if file_ids else []
        if not strangers:
            return {}
        rows = [file for id_ in file_ids if (file := self.journal.files.get(id_)) and file.route == name]
        files = [file for file in rows if not self.journal.events.of_file(file.id)]
        found = pair_up(
            [Candidate(str(file.id), file.uid, file.activity.view) for file in files],
            [Candidate(str(event.id), event.uid, event.activity.view) for event in strangers],
        )
        return {int(one.file): int(one.event) for one in found.suggestions}

    def _of_file(self, file: FileRow, alike: int | None = None) -> Unit | None:
        name = self.situation.route.name
        links = self.journal.events.of_file(file.id)
        event = next((link for link in links if link.route == name), None)
        if event is not None:
            return self._linked(file, event)
        now = self._file_now(file, links)
        there = [link for link in links if link.role != "watched" and not link.gone]
        leading = max(there, key=lambda link: link.role == "primary", default=None)  # or what it is leaving still
        if now.choice.route != name or self._elsewhere.would_mail(links) or self._waits(file, leading):
            return None
        if file.uid and (meeting := self._same_uid(file.uid)) is not None:
            return Unit(file, meeting, planner.plan_meeting(now, self._event_now(meeting), self.situation))
        twin = self.journal.events.get(alike) if alike is not None else None
        if twin is not None:
            return Unit(file, twin, planner.plan_likeness(now, self._event_now(twin), self.situation))
        stood = self._elsewhere.stood(file) if leading is None else None
        if stood is not None:
            left = planner.plan_stood(stood.base or Base(), now, stood.route)
            return Unit(file, stood if left.steps else None, left)
        like = self._elsewhere.like(file, leading)
        reason = f"{ARRIVES}{leading.route}" if leading else "a new file"
        grave = self._tombstone(file) if leading is None else None  # it is not gone while it is moving
        made = planner.plan_file(now, grave, self.situation, like, reason)
        return Unit(file, None, self._unless_quarantined("file", file.id, file.rev, made))

    @property
    def _elsewhere(self) -> Elsewhere:
        return Elsewhere(self.journal, self.situation, self.routes)

    def _waits(self, file: FileRow, leading: EventRow | None) -> bool:
        return leading is not None and not self.looks_ahead and self._elsewhere.has_to_wait(file, leading)

    def _same_uid(self, uid: str) -> EventRow | None:
        here = (one for one in self.journal.events.by_uid(uid) if one.route == self.situation.route.name)
        return next((one for one in here if one.file is None and not one.gone), None)

    def _of_event(self, event: EventRow) -> Unit | None:
        if event.file is not None:
            file = self.journal.files.get(event.file)
            return self._linked(file, event) if file else None
        now, files = self._event_now(event), self.journal.files.by_uid(event.uid)
        if files and not event.gone:
            lost = next((link for link in self.journal.events.of_file(files[0].id) if link.role == "primary"), None)
            if lost is not None and lost.gone and self._elsewhere.heir(files[0], lost) == event:
                return Unit(files[0], event, planner.plan_heir(lost.base or Base()))
            return Unit(files[0], event, self._met(files[0], now))
        found = self.journal.tombstones.get(self.situation.route.name, event.uid)
        decision = planner.plan_event(now, found[0] if found else None, self.situation)
        return Unit(None, event, self._unless_quarantined("event", event.id, event.rev, decision))

    def _met(self, file: FileRow, event: EventNow) -> Decision:
        """An event of which the folder has the file already."""
        links = self.journal.events.of_file(file.id)
        if any(link.role == "primary" and not self._leads(event, link) for link in links):
            return planner.plan_watched()
        return planner.plan_meeting(self._file_now(file, links), event, self.situation)

    def _leads(self, event: EventNow, leading: EventRow) -> bool:
        """Whether this calendar's account invites, and not the one whose calendar leads so far."""
        inviting = {guest.email for guest in event.activity.guests if guest.organizer}
        return bool(inviting & self.situation.account) and not inviting & self.situation.account_of(leading.route)

    def _linked(self, file: FileRow, event: EventRow) -> Unit:
        base = event.base or Base()
        links = self.journal.events.of_file(file.id)
        file_now, event_now = self._file_now(file, links), self._event_now(event)
        known = self.unsayable.get(file.id)
        if known is not None and (known.digest, known.rev) == (file.digest, event.rev):
            file_now = replace(file_now, unsayable=known.keys)
        heir = self._elsewhere.heir(file, event) if event.gone and event.role == "primary" else None
        if heir is not None:
            return Unit(file, heir, planner.plan_heir(base))
        if event.gone and event.role == "primary" and any(link.role == "watched" and not link.gone for link in links):
            return Unit(file, event, planner.plan_succession())
        decision = planner.plan_link(base, file_now, event_now, self.situation)
        if decision.elsewhere and not event.gone and self._elsewhere.is_made(file):
            decision = planner.plan_moved(base, file_now, event_now, self.situation)
        decision = self._unless_ping_pong(file, decision)
        return Unit(file, event, self._unless_quarantined("file", file.id, file.rev, decision))

    def _unless_ping_pong(self, file: FileRow, decision: Decision) -> Decision:
        """Stop where the same words were written to the same side again and again."""
        since = (self.situation.now - _PING_PONG).timestamp()
        for step in decision.steps:
            if isinstance(step, UpdateEvent | UpdateFile):
                side = Side.CALENDAR if isinstance(step, UpdateEvent) else Side.FILE
                text = encoding.dump_view(step.patch)
                if self.journal.history.repeats(file.id, side.value, text, since) >= _REPEATS:
                    return Decision(verdicts.PING_PONG, not_before=self.situation.now + _PING_PONG)
        return decision

    def _file_now(self, file: FileRow, links: Sequence[EventRow]) -> FileNow:
        activity = file.activity
        hour_ago = (self.situation.now - _HOUR).timestamp()
        replaced = self.journal.replaced.of(file.id, hour_ago)
        backlog = self.journal.backlog_digest(file.id, self.situation.route.name)
        return FileNow(
            activity=activity,
            ref=file.ref,
            changed=instant(file.changed),
            choice=self.router(activity, *homes(links)),
            missing=instant(file.missing) if file.missing is not None else None,
            broken=file.problem is not None and file.missing is None,
            replaced={
                (key := encoding.load_key(name)): None if text is None else encoding.load_patch(text)[key]
                for name, text in replaced.items()
            },
            backlog=backlog is not None and (backlog == file.digest or not self._skips),
            told_removed=file.verdict is not None and load_verdict(file.verdict).code in verdicts.TOLD_REMOVED,
            kept=frozenset(map(encoding.load_key, self.journal.conflicts.chosen(file.id, self.situation.route.name))),
        )

    def _event_now(self, event: EventRow) -> EventNow:
        return EventNow(
            activity=event.activity,
            ref=event.ref,
            seen=instant(event.seen_at),
            raw=event.raw,
            gone=event.gone,
            born_in_calendar=event.origin == "calendar",
            watched=event.role == "watched",
            left=event.role == "moved",
            remembered=event.base if event.file is None else None,
            taken_back=event.taken_back,
            backlog=event.backlog == _UNCHANGED or (event.backlog == _EDITED and not self._skips),
        )

    @property
    def _skips(self) -> bool:
        """Whether an edit makes what was there before eligible; under `ask` it waits for a word all the same."""
        return self.situation.route.backlog is Backlog.SKIP

    def _tombstone(self, file: FileRow) -> str | None:
        """Why a file is not put into the calendar again; an edit since then lifts it."""
        if not file.uid:
            return None
        found = self.journal.tombstones.get(self.situation.route.name, file.uid)
        return found[0] if found is not None and file.changed <= found[1] else None

    def _unless_quarantined(self, kind: str, id_: int, rev: int, decision: Decision) -> Decision:
        """An item that was refused rests until its clock says so, or until it changes."""
        found = self.journal.quarantine.get(kind, id_, self.situation.route.name)
        if found is None or not decision.steps:
            return decision
        trouble, at_rev = found
        if at_rev != rev or trouble.retry <= self.situation.now.timestamp():
            return decision
        verdict = verdicts.blocked(trouble.code, trouble.message, trouble.cure)
        return Decision(verdict, not_before=instant(trouble.retry))

    def guarded(self, units: list[Unit]) -> list[Unit]:
        """Hold what looks like an accident or asks for its user, save what was approved."""
        if not units:
            return units
        approved = self.journal.holds.approved()
        free = [unit for unit in units if unit.signature not in approved and unit.decision.hold is not Hold.TAKEN_BACK]
        order, recent = self.situation.route.brake, self._recent()
        linked = 0
        if any(deletes(unit.decision) is Side.CALENDAR for unit in free):
            coming = recent.deletions[Side.CALENDAR] + self._coming()
            recent = replace(recent, deletions={**recent.deletions, Side.CALENDAR: coming})
        if may_stop(len(free), order, recent):
            linked = self.journal.events.count(self.situation.route.name)
            recent = replace(recent, edits={side: self._others_edited(side, free) for side in Side})
        held = brake([unit.decision for unit in free], order=order, linked=linked, recent=recent)
        braked = {id(unit): why for unit, why in zip(free, held, strict=True) if why is not None}
        return [_stopped(unit, why) if (why := braked.get(id(unit))) else _released(unit, approved) for unit in units]

    def _recent(self) -> Recent:
        since = (self.situation.now - _HOUR).timestamp()
        name = self.situation.route.name
        count = self.journal.history.count
        return Recent(
            deletions={side: count(name, side.value, _REMOVALS[side], since) for side in Side},
            edits={side: count(name, side.value, ("update",), since) for side in Side},
        )

    def _coming(self) -> int:
        """How many more events are deleted when a grace ends: a great removal takes its time, and is one."""
        with self.journal.turn():
            rows = self.journal.files.put_off()
        ends = (self.at_the_end(unit) for row in rows if (unit := self.unit_of(row)) is not None)
        return sum(unit is not None and deletes(unit.decision) is Side.CALENDAR for unit in ends)

    def _others_edited(self, side: Side, units: Sequence[Unit]) -> int:
        """How many other items than these were rewritten within the hour: one that is saved all the time is one."""
        mine = {unit.file.id for unit in units if unit.file is not None and edits(unit.decision) is side}
        since = (self.situation.now - _HOUR).timestamp()
        return len(self.journal.history.edited(self.situation.route.name, side.value, since) - mine)


def _released(unit: Unit, approved: dict[str, bool]) -> Unit:
    """An approval lifts a hold; what mails anybody needs to have been approved with mail."""
    if not approved or unit.signature not in approved:
        return unit
    if unit.mails and not approved[unit.signature]:
        return unit
    return replace(unit, decision=replace(unit.decision, hold=None), approved=True)


def _stopped(unit: Unit, why: str) -> Unit:
    verdict = replace(verdicts.HELD_BRAKE, reason=why)
    return replace(unit, decision=replace(unit.decision, verdict=verdict, hold=Hold.BRAKE))


def concerns_the_guard(unit: Unit) -> bool:
    """Whether it waits for a word, or is of a kind that may have to, together with others."""
    decision = unit.decision
    recasts = any(isinstance(step, Recast) for step in decision.steps)
    return recasts or decision.hold is not None or deletes(decision) is not None or edits(decision) is not None
