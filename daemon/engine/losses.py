"""What a look at a calendar finds lost: by an edit or a deletion, or by its server that was restored from a backup."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from daemon.core.errors import CursorExpired
from daemon.core.store import Changes, Ref, Store
from daemon.core.taken_back import Losses
from daemon.journal import Journal
from daemon.journal.rows import RouteRow


@dataclass(slots=True)
class Search:
    """One poll's search for what may have been taken back.

    `told`: the last entry of the log before the last look. `is_reset`: the feed no longer knows its cursor.
    """

    route: RouteRow
    store: Store
    journal: Journal
    told: int = 0
    is_reset: bool = False
    older: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    newest: float | None = None  # of what is as it was left; None: not asked for yet
    changes: Changes = field(default_factory=lambda: Changes(()))
    others: Collection[str] = ()  # which events are not as they were left, so that nothing follows from their versions

    def begin(self, changes: Changes) -> None:
        """These changes are about to be read: what the journal knows is from before them."""
        self.changes = changes
        with self.journal.turn():
            self.gone |= self.journal.past.unsure(self.route.name)
            self.others = self._others()

    def among(self, seen: Sequence[Ref], gone: Sequence[str]) -> frozenset[str]:
        """Those of these readings that may have been taken back, before they are recorded; inside the journal's turn.

        They count as taken back until the whole calendar is read: nobody follows them if that breaks off.
        """
        if not self.route.adopted:
            return frozenset()
        older = self.journal.past.older(self.route.name, seen)
        made = self.journal.past.made(self.route.name, gone)
        if not older and not made:
            return frozenset()
        self.older |= older
        self.gone |= made
        return Losses(older, made, self._newest()).doubtful

    def finish(self) -> None:
        """All is read: what was no more than edited or deleted is followed as ever. Raises StoreError."""
        if not self.older and not self.gone:
            return
        losses = Losses(self.older, self.gone, self._newest())
        losses = replace(losses, unvouched=self._unvouched(losses))
        with self.journal.turn():
            past, back = self.journal.past, losses.taken_back
            past.take_back(self.route.name, back, is_so=True)
            past.take_back(self.route.name, {*self.older, *self.gone} - back, is_so=False)

    def _newest(self) -> float:
        if self.newest is None:
            with self.journal.turn():
                self.newest = self.journal.past.newest(self.route.name, self.others)
        return self.newest

    def _others(self) -> set[str]:
        """The known ids of which this look does not say that they are as they were left.

        What was written since the last look may have come after a restore.
        """
        shown = {ref.id: ref.version for ref in (*self.changes.items, *(item.ref for item in self.changes.seen))}
        known = self.journal.events.versions(self.route.name, None if self.changes.complete else list(shown))
        same = {id_ for id_, version in known.items() if version and shown.get(id_) == version}
        ours = self.journal.events.written_after(self.route.name, self.told)
        return ({*known, *shown, *self.changes.gone} - same) | ours

    def _unvouched(self, losses: Losses) -> frozenset[str]:
        """The gone ones that the feed, asked from where it was left, does not tell of.

        Of a calendar without one nothing can be said, and what a feed itself has told is vouched for.
        """
        gone = losses.doubtful & self.gone.keys()
        if self.is_reset:
            return gone
        if not gone or not self.changes.complete or self.route.cursor is None:
            return frozenset()
        try:
            told = self.store.changes(self.route.cursor)
        except CursorExpired:
            return gone
        if told.complete:
            return frozenset()
        return gone - {*told.gone} - {ref.id for ref in told.items}
