"""Forgetting: nothing of a private event stays in the journal beyond what its file may show."""

from __future__ import annotations

import sqlite3

from daemon.core.model import Base, Field, Key, Privacy
from daemon.core.store import Seen
from daemon.journal import encoding
from daemon.journal.seals import sealed_raw

_HIDDEN = (Privacy.PRIVATE, Privacy.CONFIDENTIAL)


class Scrub:
    """Rewrites and deletes what tells of one activity. Every method is called inside a turn of the journal."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def history(self, file: int, uid: str, path: str) -> None:
        """The log keeps that something was done, and no more of it."""
        self._db.execute(
            "UPDATE history SET before = '{}', after = '{}', raw = NULL, path = ? WHERE file = ? OR uid = ?",
            (path, file, uid),
        )

    def remnants(self, route: str) -> list[str]:
        """The private activities that came from a calendar, and of which no file is there any more: their uids."""
        rows = self._db.execute(
            """SELECT uid, before, after FROM history WHERE uid != '' AND uid NOT IN (SELECT uid FROM files) AND uid IN
            (SELECT uid FROM history WHERE route = ? AND side = 'file' AND action = 'create' AND by = 'calendar')""",
            (route,),
        )
        return sorted({uid for uid, *patches in rows if any(map(_tells_private, patches))})

    def unlinked(self, route: str) -> list[tuple[int, str, str]]:
        """The events of a route for which no file stands: row, uid, encoded activity."""
        return self._db.execute(
            "SELECT id, uid, seen FROM events WHERE route = ? AND file IS NULL AND raw != ?",
            (route, sealed_raw(b"")),
        ).fetchall()

    def memory(self, file: int) -> None:
        """What was replaced in the file, and what was in conflict."""
        self._db.execute("DELETE FROM conflicts WHERE file = ?", (file,))
        self._db.execute("DELETE FROM replaced WHERE file = ?", (file,))

    def copies(self, file: int, uid: str) -> None:
        """What its user saved, and what was removed."""
        self._db.execute("DELETE FROM copies WHERE file = ?", (file,))
        self._db.execute("DELETE FROM removed WHERE uid = ?", (uid,))

    def event(self, id_: int, shown: Seen, base: Base | None) -> None:
        """The event as it may be remembered; without a base it is linked no more."""
        text = None if base is None else encoding.dump_base(base)
        row = (encoding.dump_activity(shown.activity), sealed_raw(shown.raw), text, id_)
        self._db.execute("UPDATE events SET seen = ?, raw = ?, base = ? WHERE id = ?", row)
        if base is None:
            self._db.execute("UPDATE events SET file = NULL WHERE id = ?", (id_,))


def _tells_private(patch: str) -> bool:
    return '"private' in patch and encoding.load_patch(patch).get(Key(Field.PRIVATE)) in _HIDDEN
