"""Turns the steps of a plan into writes, each with the intent that is journalled before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.clock import Clock
from daemon.core.model import Key, Pair, Patch
from daemon.core.plan import (
    CreateEvent,
    CreateFile,
    DeleteEvent,
    FinishFile,
    Side,
    TrashFile,
    UpdateEvent,
    UpdateFile,
)
from daemon.core.store import Create, Remove, Update, Write
from daemon.engine.unit import Unit
from daemon.journal import encoding
from daemon.journal.rows import Intent

FILE_STEPS = CreateFile | UpdateFile | FinishFile | TrashFile
EVENT_STEPS = CreateEvent | UpdateEvent | DeleteEvent


@dataclass(frozen=True, slots=True)
class Job:
    """One write, the unit that it belongs to, and the pairs that are agreed when it is done."""

    unit: Unit
    write: Write
    intent: Intent
    agrees: Mapping[Key, Pair] = field(default_factory=dict)
    overlay: Patch = field(default_factory=dict)
    reserved: bool = False  # its file has a row that was made for it alone, and says what is written

    @property
    def is_settled_when_made(self) -> bool:
        """Whether it is all that was to be done about an event: then nobody else has decided on its file."""
        return self.reserved and len(self.unit.decision.steps) == 1 and not self.unit.decision.again

    @property
    def reason(self) -> str:
        """Why it is made, for the log."""
        return self.intent.reason


@dataclass(frozen=True, slots=True)
class JobMaker:
    """Makes the jobs of one pass over one route. `new_id` gives tokens and uids."""

    route: str
    clock: Clock
    new_id: Callable[[], str]

    def for_files(self, units: Sequence[Unit]) -> Iterator[Job]:
        """The writes to the folder."""
        for unit in units:
            for step in unit.decision.steps:
                match step:
                    case CreateFile() if unit.event is not None:
                        yield self._create_file(unit, step)
                    case UpdateFile() | FinishFile() | TrashFile() if unit.file is not None:
                        yield self._change_file(unit, step)
                    case _:
                        pass

    def for_events(self, units: Sequence[Unit]) -> Iterator[Job]:
        """The writes to the calendar."""
        for unit in units:
            for step in unit.decision.steps:
                match step:
                    case CreateEvent() if unit.file is not None:
                        yield self._create_event(unit, step)
                    case UpdateEvent() | DeleteEvent() if unit.event is not None:
                        yield self._change_event(unit, step)
                    case _:
                        pass

    def for_uids(self, units: Sequence[Unit]) -> Iterator[Job]:
        """Adding the uid to files that do not say it: their last line, once."""
        for unit in units:
            file = unit.file
            if file is not None:
                write = Update(file.ref, self.new_id(), {}, uid=file.uid)
                intent = self._intent(unit, write, Side.FILE, "name", expect=file.digest, reason="its uid")
                yield Job(unit, write, intent)

    def _create_file(self, unit: Unit, step: CreateFile) -> Job:
        event = unit.event
        assert event is not None  # noqa: S101  the caller's case says so
        write = Create(
            event.uid or self.new_id(),
            self.new_id(),
            step.view,
            place=step.place,
            local=step.local,
            secret=step.secret,
            floating=event.floating,
        )
        intent = self._intent(unit, write, Side.FILE, "create", step.agrees, step.view, reason=step.reason)
        return Job(unit, write, intent._replace(uid=write.uid), step.agrees)

    def _change_file(self, unit: Unit, step: UpdateFile | FinishFile | TrashFile) -> Job:
        file = unit.file
        assert file is not None  # noqa: S101  the caller's case says so
        agrees: Mapping[Key, Pair] = {}
        patch: Patch = {}
        match step:
            case UpdateFile():
                agrees, patch, kind = step.agrees, step.patch, "update"
                write: Write = Update(file.ref, self.new_id(), patch)
            case FinishFile():
                kind = "finish"
                write = Update(file.ref, self.new_id(), {}, says={"done": "true"})
            case TrashFile():
                kind = "delete"
                write = Remove(file.ref, self.new_id(), step.reason)
        intent = self._intent(unit, write, Side.FILE, kind, agrees, patch, file.digest, step.reason)
        return Job(unit, write, intent, agrees)

    def _create_event(self, unit: Unit, step: CreateEvent) -> Job:
        file = unit.file
        assert file is not None  # noqa: S101  the caller's case says so
        uid = file.uid or self.new_id()
        write = Create(uid, self.new_id(), step.view, notify=bool(step.mails), like=step.like)
        intent = self._intent(unit, write, Side.CALENDAR, "create", step.agrees, step.view, reason=step.reason)
        intent = intent._replace(uid=write.uid, overlay=encoding.dump_view(step.overlay))
        return Job(unit, write, intent, step.agrees, step.overlay)

    def _change_event(self, unit: Unit, step: UpdateEvent | DeleteEvent) -> Job:
        event = unit.event
        assert event is not None  # noqa: S101  the caller's case says so
        if isinstance(step, DeleteEvent):
            write: Write = Remove(event.ref, self.new_id(), step.reason, notify=bool(step.mails))
            intent = self._intent(unit, write, Side.CALENDAR, "delete", expect=event.version, reason=step.reason)
            return Job(unit, write, intent)
        before = event.activity.view
        write = Update(event.ref, self.new_id(), step.patch, event.raw, before, notify=bool(step.mails))
        intent = self._intent(unit, write, Side.CALENDAR, "update", step.agrees, step.patch, event.version, step.reason)
        intent = intent._replace(overlay=encoding.dump_view(step.overlay))
        return Job(unit, write, intent, step.agrees, step.overlay)

    def _intent(  # noqa: PLR0913, PLR0917  one row
        self,
        unit: Unit,
        write: Write,
        side: Side,
        kind: str,
        agrees: Mapping[Key, Pair] | None = None,
        patch: Patch | None = None,
        expect: str = "",
        reason: str = "",
    ) -> Intent:
        return Intent(
            token=write.token,
            route=self.route,
            side=side,
            kind=kind,
            file=unit.file.id if unit.file else None,
            event=unit.event.id if unit.event else None,
            uid=unit.file.uid if unit.file else "",
            agrees=encoding.dump_pairs(agrees) if agrees else "{}",
            overlay=None,
            patch=encoding.dump_view(patch) if patch else "{}",
            expect=expect,
            reason=reason,
            made=self.clock.now().timestamp(),
        )
