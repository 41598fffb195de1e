"""One activity on one route with the decision on it: what plans, holds and jobs are made of."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.core import verdicts
from daemon.core.model import Base, Key
from daemon.core.plan import CreateEvent, Decision, DeleteEvent, UpdateEvent
from daemon.journal.rows import EventRow, FileRow


@dataclass(frozen=True, slots=True)
class Unit:
    """One activity on one route, and what is to be done about it; `approved`: its user said so."""

    file: FileRow | None
    event: EventRow | None
    decision: Decision
    approved: bool = False

    @property
    def base(self) -> Base:
        """What was agreed on; nothing, where they are not linked."""
        return (self.event.base if self.event else None) or Base()

    @property
    def is_in_grace(self) -> bool:
        """Whether a file was removed so lately that nothing follows yet."""
        return self.decision.verdict.code == verdicts.GRACE

    @property
    def signature(self) -> str:
        """What an approval is for: these steps, on these versions of both sides."""
        kinds = "+".join(type(step).__name__ for step in self.decision.steps)
        file = f"{self.file.id}@{self.file.digest}" if self.file else "-"
        event = f"{self.event.remote}@{self.event.version}" if self.event else "-"
        return f"{kinds}|{file}|{event}"

    @property
    def mails(self) -> tuple[str, ...]:
        """Whom its steps would mail."""
        found: set[str] = set()
        for step in self.decision.steps:
            if isinstance(step, CreateEvent | UpdateEvent | DeleteEvent):
                found.update(step.mails)
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Unsayable:
    """The keys of an event, as it was read last, that a file with this content can't say."""

    digest: str
    rev: int
    keys: frozenset[Key]
