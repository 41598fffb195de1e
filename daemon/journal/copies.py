"""The files as their users last saved them, byte for byte: what an undo of their removal brings back."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from daemon.core.model import Activity
from daemon.journal import encoding
from daemon.journal.seals import sealed_raw, unsealed_raw


class Removed(NamedTuple):
    """A file that is forgotten: where it was and what it said last; `raw` None: its user never saved it."""

    path: str
    activity: Activity
    raw: bytes | None


class Copies:
    """Copies of files that are there, and of those that are gone. Every method is called inside a turn of the journal.

    A forgotten file's copy moves on by itself (the trigger `files_forgotten`).
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, file: int, raw: bytes) -> None:
        """Its user saved these bytes."""
        self._db.execute("INSERT OR REPLACE INTO copies VALUES (?, ?)", (file, sealed_raw(raw)))

    def of(self, file: int) -> bytes | None:
        """What its user saved last. Raises JournalError."""
        row = self._db.execute("SELECT raw FROM copies WHERE file = ?", (file,)).fetchone()
        return None if row is None else unsealed_raw(row[0])

    def removed(self, uid: str) -> Removed | None:
        """The last file with this uid that was forgotten. Raises JournalError."""
        row = self._db.execute("SELECT path, seen, raw FROM removed WHERE uid = ?", (uid,)).fetchone()
        if row is None:
            return None
        path, seen, raw = row
        return Removed(path, encoding.load_activity(seen), None if raw is None else unsealed_raw(raw))

    def prune(self) -> None:
        """Forget the files that no entry of the log tells of any more."""
        self._db.execute("DELETE FROM removed WHERE uid NOT IN (SELECT uid FROM history)")
