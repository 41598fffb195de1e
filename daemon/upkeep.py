"""What is done once a day so that months of running leave no trace: old history goes, the journal gives room back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from daemon.clock import Clock
from daemon.journal import Journal

_log = structlog.get_logger("datebook.upkeep")

_EVERY = timedelta(days=1)
_BUFFER = timedelta(days=1)  # an editor's old buffer is told for an hour; a suspended laptop may need longer
_SHOWN = timedelta(days=1)  # what came of an old buffer is news that long
_MARK = "upkeep"


@dataclass(slots=True)
class Upkeep:
    """`keep` is how long `log` and `undo` reach back. Tombstones are never forgotten: nothing shall come back."""

    journal: Journal
    clock: Clock
    keep: timedelta

    def run_if_due(self) -> bool:
        """Do it if the last time, by whichever daemon, was a day ago; whether it was done. Raises OSError."""
        now = self.clock.now()
        last = self._last()
        if last is not None and timedelta() <= now - last < _EVERY:
            return False
        self.run(now)
        return True

    def _last(self) -> datetime | None:
        said = self.journal.get_meta(_MARK)
        with suppress(ValueError):
            return datetime.fromisoformat(said) if said else None
        return None

    def run(self, now: datetime) -> None:
        """Forget what is older than its user wants kept, and make the journal small again."""
        self.journal.set_meta(_MARK, now.isoformat())  # first: what fails today is tried tomorrow, not every 30 s
        with self.journal.turn():
            self.journal.history.prune((now - self.keep).timestamp())
            self.journal.events.prune((now - self.keep).timestamp())
            self.journal.past.prune((now - self.keep).timestamp())
            self.journal.copies.prune()
            self.journal.replaced.prune((now - _BUFFER).timestamp())
            self.journal.conflicts.prune((now - _SHOWN).timestamp())
        self.journal.compact()
        self._drop_old_damaged(now)
        _log.info("upkeep_done", journal=self.journal.path.stat().st_size)

    def _drop_old_damaged(self, now: datetime) -> None:
        """Journals that were damaged and set aside are kept as long as the history."""
        for path in self.journal.path.parent.glob(f"{self.journal.path.name}.damaged-*"):
            if path.stat().st_mtime < (now - self.keep).timestamp():
                path.unlink()
