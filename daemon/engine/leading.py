"""Which of the links of a file leads, and what becomes of the others."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.core import verdicts
from daemon.core.moving import BACK
from daemon.core.plan import Decision, Link
from daemon.engine.outcomes import Applied
from daemon.engine.unit import Unit
from daemon.journal import Journal
from daemon.journal.rows import EventRow


@dataclass(frozen=True, slots=True)
class Links:
    """The links of files, as one route's pass changes them. Every method is called inside a turn of the journal."""

    route: str
    journal: Journal
    result: Applied

    def lead(self, decision: Decision, event: EventRow, file: int) -> None:
        """A link that is not only watched leads from now on."""
        if decision.verdict is verdicts.WATCHED:
            return
        back = links(decision, BACK)
        for other in self.journal.events.of_file(file):
            if other.role == "primary" and other.id != event.id:
                ours = other.origin == "file" and back  # the copy that our move made goes again
                self.journal.events.demote(other.id, "moved" if ours else "watched")
                self.result.touched.add(other.route)
        if back and event.uid:
            self._find_copies(event, file)

    def _find_copies(self, event: EventRow, file: int) -> None:
        """The copy that our move made goes even if it was unlinked meanwhile (`sync: false`)."""
        for copy in self.journal.events.by_uid(event.uid):
            if copy.file is None and copy.base is not None and copy.origin == "file" and not copy.gone:
                self.journal.events.link(copy.id, file, copy.base, role="moved")
                self.journal.events.touch(copy.id)
                self.result.touched.add(copy.route)

    def recall(self, unit: Unit) -> None:
        """What is said of a file that moved is for the calendar to say in which its old event stands, while it does."""
        if unit.file is None or (unit.event is not None and unit.event.role == "moved"):
            return
        for link in self.journal.events.links(unit.file.id):
            if link.role == "moved" and link.route != self.route:
                self.journal.events.touch(link.id)
                self.result.touched.add(link.route)


def links(decision: Decision, reason: str) -> bool:
    """Whether a decision links two for this reason."""
    return any(isinstance(step, Link) and step.reason == reason for step in decision.steps)
