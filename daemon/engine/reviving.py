"""An event that was deleted in the calendar is there again: its very file comes back from the trash."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from daemon.clock import Clock
from daemon.core.errors import SyncError
from daemon.core.plan import CreateFile, Side
from daemon.core.tombstones import DELETED_THERE, yields
from daemon.engine.outcomes import Applied
from daemon.engine.recasting import Closet
from daemon.engine.record import Recorder
from daemon.engine.unit import Unit
from daemon.journal import Journal, encoding
from daemon.journal.rows import EventRow, FileRow
from daemon.passes import Looked

_AGAIN = timedelta(minutes=1)
_REASON = "the event is in the calendar again"


@dataclass(frozen=True, slots=True)
class Reviver:
    """Brings files back on one route. Nobody else looks at the folder inside `looking`."""

    route: str
    closet: Closet
    journal: Journal
    clock: Clock
    result: Applied
    looking: AbstractContextManager[object]
    look: Callable[[Collection[str]], Looked]

    def run(self, units: Sequence[Unit]) -> list[Unit]:
        """Bring back what the trash has of them; the units that are left for others."""
        with self.journal.turn():
            if not self.journal.tombstones.is_any():
                return list(units)
        return [unit for unit in units if unit.event is None or not self._returns(unit) or not self._bring(unit.event)]

    def _returns(self, unit: Unit) -> bool:
        """Whether a file is to be made for an event that had one. What shows the times alone has nothing to bring."""
        if unit.file is not None or unit.event is None or unit.decision.hold is not None or not unit.event.uid:
            return False
        makes = any(isinstance(step, CreateFile) and not step.local.masked for step in unit.decision.steps)
        if not makes:
            return False
        with self.journal.turn():
            return bool(self._graves(unit.event.uid)) and not self.journal.files.by_uid(unit.event.uid)

    def _graves(self, uid: str) -> list[str]:
        """The routes on which its event had been deleted."""
        found = ((row.name, self.journal.tombstones.get(row.name, uid)) for row in self.journal.routes())
        return [name for name, grave in found if grave is not None and yields(grave[0])]

    def _bring(self, event: EventRow) -> bool:
        """Take the file out of the trash and link it; True: there is nothing left to do for the unit."""
        with self.looking:
            with self.journal.turn():
                text = encoding.dump_activity(event.activity)
                row = self.journal.files.reserve(event.uid, text, self.clock.now().timestamp())
            try:
                path = self.closet.bring_back(event.uid, DELETED_THERE)
            except SyncError:
                self._leave(row)
                self.result.look_at(self.clock.now() + _AGAIN)
                return True
            if not path:
                self._leave(row)
                return False
            with self.journal.turn():
                self._link(row._replace(path=path), event)
            self.result.more = True
            self.result.count_files(1)
            looked = self.look({path})
            if looked.error is not None:
                raise looked.error
        return True

    def _leave(self, row: FileRow) -> None:
        with self.journal.turn():
            self.journal.files.forget(row.id)

    def _link(self, file: FileRow, event: EventRow) -> None:
        """With what was agreed on before; where nothing is known of that, the two are met anew."""
        known = [one for one in self.journal.events.by_uid(event.uid) if one.id == event.id or one.gone]
        agreed = next((one for one in known if one.file is None and one.base_text is not None), None)
        if agreed is not None and agreed.base_text is not None:
            self.journal.events.filed(event.id, file.id, agreed.base_text)
            if agreed.id != event.id:
                self.journal.events.forget(agreed.id)
        for route in self._graves(event.uid):
            self.journal.tombstones.drop(route, event.uid)
        record = Recorder(self.route, self.journal, self.clock)
        view = dict(event.activity.view)
        record.history(file, Side.FILE, "create", "calendar", _REASON, {}, view, uid=event.uid)
