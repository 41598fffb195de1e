"""What the store remembers in case the journal is lost, and what a new journal learns from it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.folder.peer_notes import Grave, PeerNote, read_note, together, write_note
from daemon.journal import Journal

REBUILDING = "rebuilding"  # the names of the calendars that the lost journal may have known, as JSON
_ID = "id"


def journal_id(journal: Journal) -> str:
    """The id of a journal; a new one is given one."""
    known = journal.get_meta(_ID)
    if known is None:
        known = str(uuid.uuid4())
        journal.set_meta(_ID, known)
    return known


def recover(journal: Journal, store: Path, owner: str, calendars: Iterable[str]) -> None:
    """Tell a new journal of the one before it, if there was one: which calendars it knew, and what it had unlinked.

    `calendars` are those of the config: each of them counts as known where nothing says which were.
    """
    note = read_note(store, owner)
    damaged = journal.get_meta(REBUILDING) is not None
    if note is None and not damaged:
        return
    known = note.calendars if note is not None and note.journal else tuple(calendars)
    with journal.turn():
        journal.set_meta(REBUILDING, json.dumps(sorted(known)))
        for grave in note.graves if note is not None else ():
            journal.tombstones.put(grave.calendar, grave.uid, "", grave.reason, grave.at)


@dataclass(slots=True)
class Keepsake:
    """Keeps an owner's file in the store up to date; called after each pass, it writes where something has changed."""

    journal: Journal
    store: Path
    owner: str
    _kept: PeerNote | None = None

    def __call__(self) -> None:
        """Write down what the store has to remember; what can't be written now is written after a later pass."""
        with self.journal.turn():
            calendars = tuple(row.name for row in self.journal.routes() if self.journal.events.is_any_linked(row.name))
            rows = self.journal.tombstones.all()
        if not calendars and not rows:
            return
        graves = tuple(sorted(Grave(route, uid, at, reason) for route, uid, _, reason, at in rows))
        note = PeerNote(journal_id(self.journal), calendars, graves)
        if note == self._kept:
            return
        with suppress(OSError):
            there = read_note(self.store, self.owner)
            if there is not None and there.journal != note.journal:  # another machine of this owner, or a lost journal
                merged = PeerNote(note.journal, note.calendars, together(note.graves, there.graves))
                write_note(self.store, self.owner, merged)
            elif there != note:
                write_note(self.store, self.owner, note)
            self._kept = note
