"""What was done and what is to be remembered: history, conflicts, tombstones, holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from daemon.core.plan import Side
from daemon.journal.rows import ConflictRow, Entry, HoldRow
from daemon.journal.seldom import Seldom

_ENTRY = "id, at, route, file, path, uid, side, action, by, reason, before, after"


class History:
    """What was done, by whom, before and after."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, entries: Iterable[tuple[object, ...]]) -> None:
        """Append entries: (at, route, file, path, uid, side, action, by, reason, before, after, raw, approved)."""
        self._db.executemany(
            """INSERT INTO history (at, route, file, path, uid, side, action, by, reason, before, after, raw, approved)
            VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)""",
            list(entries),
        )

    def entries(self, *, file: int | None = None, limit: int = 1000) -> list[Entry]:
        """The newest entries, newest first; of one file, or of all."""
        rows = self._db.execute(
            f"SELECT {_ENTRY} FROM history WHERE ? IS NULL OR file = ? ORDER BY id DESC LIMIT ?",  # noqa: S608  names of columns from this file
            (file, file, limit),
        )
        return [Entry(*row) for row in rows]

    def explain(self, file: int | None, since: int, keys: Iterable[str], reason: str) -> None:
        """Say why the entries of a file after that one were made, those that changed nothing but these keys."""
        wanted = set(keys)
        rows = self._db.execute("SELECT id, after, before FROM history WHERE id > ? AND file IS ?", (since, file))
        about = [id_ for id_, after, before in rows if {*json.loads(after), *json.loads(before)} <= wanted]
        self._db.executemany("UPDATE history SET reason = ? WHERE id = ?", [(reason, id_) for id_ in about])

    def newest(self) -> int:
        """The number of the last entry; 0: there is none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM history").fetchone()[0])

    def newest_of(self, path: str) -> Entry | None:
        """The last that was done to the file of this path, or to its event."""
        row = self._db.execute(
            f"SELECT {_ENTRY} FROM history WHERE path = ? ORDER BY id DESC LIMIT 1",  # noqa: S608  names of columns from this file
            (path,),
        ).fetchone()
        return Entry(*row) if row else None

    def get(self, id_: int) -> tuple[Entry, bytes | None] | None:
        """One entry, with the remote object that it replaced or removed."""
        row = self._db.execute(f"SELECT {_ENTRY}, raw FROM history WHERE id = ?", (id_,)).fetchone()  # noqa: S608  names of columns from this file
        return (Entry(*row[:-1]), row[-1]) if row else None

    def deleted(self, uid: str) -> tuple[str, bytes] | None:
        """The last event with this uid that was deleted: what it said, encoded, and its raw object."""
        row = self._db.execute(
            """SELECT before, raw FROM history WHERE uid = ? AND side = 'calendar' AND action = 'delete'
            AND raw IS NOT NULL ORDER BY id DESC LIMIT 1""",
            (uid,),
        ).fetchone()
        return (str(row[0]), bytes(row[1])) if row else None

    def count(self, route: str, side: str, actions: Sequence[str], since: float) -> int:
        """How many times one of these actions was done to a side since then without its user's word."""
        marks = ",".join("?" * len(actions))
        row = self._db.execute(
            f"""SELECT count(*) FROM history
            WHERE at > ? AND route = ? AND side = ? AND action IN ({marks}) AND NOT approved""",  # noqa: S608  only question marks
            (since, route, side, *actions),
        )
        return int(row.fetchone()[0])

    def edited(self, route: str, side: str, since: float) -> set[int | None]:
        """The files of which a side was rewritten since then without its user's word, however often."""
        rows = self._db.execute(
            """SELECT DISTINCT file FROM history
            WHERE at > ? AND route = ? AND side = ? AND action = 'update' AND NOT approved""",
            (since, route, side),
        )
        return {row[0] for row in rows}

    def repeats(self, file: int, side: str, after: str, since: float) -> int:
        """How often the same keys were set to the same values on a side since then: ping-pong."""
        row = self._db.execute(
            "SELECT count(*) FROM history WHERE file = ? AND side = ? AND action = 'update' AND after = ? AND at > ?",
            (file, side, after, since),
        )
        return int(row.fetchone()[0])

    def prune(self, before: float) -> None:
        """Forget what is older than its user wants kept."""
        self._db.execute("DELETE FROM history WHERE at < ?", (before,))


class Conflicts(Seldom):
    """Fields on which both sides differ, or differed and one was chosen: by its user, or because the other was old."""

    _table = "conflicts"
    _OLD = "old-buffer"  # in place of the side that was chosen: the calendar's value stays, and nothing is to be done

    def put(self, row: ConflictRow) -> None:
        """Note a conflict; one that is already open keeps its date."""
        self._filled = True
        self._db.execute(
            """INSERT INTO conflicts (file, route, key, file_value, calendar_value, chosen, since)
            VALUES (?,?,?,?,?,?,?) ON CONFLICT (file, route, key) DO UPDATE SET file_value = excluded.file_value,
            calendar_value = excluded.calendar_value, chosen = excluded.chosen""",
            (row.file, row.route, row.key, row.file_value, row.calendar_value, row.chosen, row.since),
        )

    def keep_open(self, file: int, route: str, keys: Sequence[str]) -> None:
        """Only these keys of the file are still open; what was shown of it before it was edited is no news any more."""
        if self._is_empty():
            return
        self._db.execute(
            """DELETE FROM conflicts WHERE file = ? AND route = ? AND chosen = ?
            AND since < (SELECT changed FROM files WHERE files.id = conflicts.file)""",
            (file, route, self._OLD),
        )
        marks = ",".join("?" * len(keys))
        self._db.execute(
            f"DELETE FROM conflicts WHERE file = ? AND route = ? AND chosen IS NULL AND key NOT IN ({marks})",  # noqa: S608  only question marks
            (file, route, *keys),
        )

    def choose(self, file: int, route: str, key: str, side: str) -> None:
        """Its user said which side's value stays."""
        self._db.execute(
            "UPDATE conflicts SET chosen = ? WHERE file = ? AND route = ? AND key = ?", (side, file, route, key)
        )

    def chosen(self, file: int, route: str) -> list[str]:
        """The keys of which its user said so, until that is carried out."""
        if self._is_empty():
            return []
        rows = self._db.execute(
            "SELECT key FROM conflicts WHERE file = ? AND route = ? AND chosen != ?", (file, route, self._OLD)
        )
        return [row[0] for row in rows]

    def carried_out(self, file: int, route: str) -> None:
        """What was chosen holds on both sides now."""
        if self._is_empty():
            return
        self._db.execute("DELETE FROM conflicts WHERE file = ? AND route = ? AND chosen != ?", (file, route, self._OLD))

    def show(self, row: ConflictRow) -> None:
        """An old buffer was saved, and the calendar's value stays: shown until the file changes again, or for a day."""
        self._db.execute("DELETE FROM conflicts WHERE (file, route, key) = (?, ?, ?)", (row.file, row.route, row.key))
        self.put(replace(row, chosen=self._OLD))

    def prune(self, before: float) -> None:
        """Show no more what is that old."""
        self._db.execute("DELETE FROM conflicts WHERE chosen = ? AND since < ?", (self._OLD, before))

    def rows(self) -> list[ConflictRow]:
        """The open conflicts, oldest first."""
        return self._rows("chosen IS NULL")

    def settled(self) -> list[ConflictRow]:
        """Those that are only shown: what was saved from an old buffer, with the calendar's value chosen."""
        return [replace(row, chosen=Side.CALENDAR.value) for row in self._rows(f"chosen = '{self._OLD}'")]

    def _rows(self, where: str) -> list[ConflictRow]:
        query = "SELECT file, route, key, file_value, calendar_value, chosen, since FROM conflicts"
        return [ConflictRow(*row) for row in self._db.execute(f"{query} WHERE {where} ORDER BY since, file, key")]


class Replaced(Seldom):
    """What Datebook replaced in files: a save that puts it back exactly is an old buffer, once."""

    _table = "replaced"

    def put(self, file: int, key: str, value: str | None, now: float) -> None:
        """The value that stood in the file before; None: the key was not there."""
        self._filled = True
        self._db.execute("INSERT OR REPLACE INTO replaced VALUES (?,?,?,?)", (file, key, value, now))

    def of(self, file: int, since: float) -> dict[str, str | None]:
        """What was replaced in a file since then, by key."""
        if self._is_empty():
            return {}
        rows = self._db.execute("SELECT key, value FROM replaced WHERE file = ? AND at > ?", (file, since))
        return dict(rows.fetchall())

    def drop(self, file: int, keys: Iterable[str]) -> None:
        """The next such save is believed."""
        self._db.executemany("DELETE FROM replaced WHERE file = ? AND key = ?", [(file, key) for key in keys])

    def prune(self, before: float) -> None:
        """Forget what is too old to come from an open buffer."""
        self._db.execute("DELETE FROM replaced WHERE at < ?", (before,))


class Tombstones(Seldom):
    """What was unlinked and does not come back."""

    _table = "tombstones"

    def put(self, route: str, uid: str, remote: str, reason: str, now: float) -> None:
        """Remember that this activity was unlinked on a route."""
        self._filled = True
        self._db.execute("INSERT OR REPLACE INTO tombstones VALUES (?,?,?,?,?)", (route, uid, remote, reason, now))

    def get(self, route: str, uid: str) -> tuple[str, float] | None:
        """Why it does not come back, and since when; None: there is no tombstone."""
        if self._is_empty():
            return None
        row = self._db.execute("SELECT reason, at FROM tombstones WHERE route = ? AND uid = ?", (route, uid)).fetchone()
        return (row[0], row[1]) if row else None

    def standing(self) -> list[tuple[int, str]]:
        """Files that were unlinked from an event which is there still, and are linked to none: (file, route)."""
        if self._is_empty():
            return []
        return self._db.execute(
            """SELECT DISTINCT files.id, buried.route FROM tombstones AS buried
            JOIN files ON files.uid = buried.uid AND files.uid != '' AND files.path IS NOT NULL
            JOIN events ON events.uid = buried.uid AND events.route = buried.route
            WHERE NOT events.gone AND events.file IS NULL AND files.missing IS NULL
            AND NOT EXISTS (SELECT 1 FROM events AS others WHERE others.file = files.id)
            ORDER BY files.path"""
        ).fetchall()

    def is_any(self) -> bool:
        """Whether there is a tombstone at all."""
        return not self._is_empty()

    def drop(self, route: str, uid: str) -> None:
        """It was brought back on purpose."""
        if self._is_empty():
            return
        self._db.execute("DELETE FROM tombstones WHERE route = ? AND uid = ?", (route, uid))

    def all(self) -> list[tuple[str, str, str, str, float]]:
        """Every tombstone: route, uid, remote id, reason, when."""
        return self._db.execute("SELECT route, uid, remote, reason, at FROM tombstones").fetchall()


class Holds(Seldom):
    """Actions that wait for their user's word, and the words that were given."""

    _table = "approvals"

    def replace(self, route: str, rows: Sequence[HoldRow]) -> None:
        """These are all the holds of a route now; one that stays keeps its date."""
        dates = {row.id: row.since for row in self.rows() if row.route == route}
        self._db.execute("DELETE FROM holds WHERE route = ?", (route,))
        self._db.executemany(
            "INSERT INTO holds VALUES (?,?,?,?,?)",
            [(row.id, row.route, row.reason, row.actions, dates.get(row.id, row.since)) for row in rows],
        )

    def rows(self) -> list[HoldRow]:
        """The holds, oldest first."""
        return [HoldRow(*row) for row in self._db.execute("SELECT * FROM holds ORDER BY since, id")]

    def approve(self, signatures: Iterable[str], now: float, *, mail: bool) -> None:
        """Exactly these actions may go, each while its item is unchanged."""
        self._filled = True
        self._db.executemany(
            "INSERT OR REPLACE INTO approvals VALUES (?,?,?)", [(signature, mail, now) for signature in signatures]
        )

    def is_any_approved(self) -> bool:
        """Whether there is an approval at all."""
        return not self._is_empty()

    def approved(self) -> dict[str, bool]:
        """The approved signatures, and whether mail was approved with them."""
        return {signature: bool(mail) for signature, mail in self._db.execute("SELECT signature, mail FROM approvals")}

    def spend(self, signatures: Iterable[str]) -> None:
        """These actions were carried out."""
        self._db.executemany("DELETE FROM approvals WHERE signature = ?", [(item,) for item in signatures])


def encode_actions(actions: Sequence[object]) -> str:
    """Held actions as they are kept."""
    return json.dumps(actions, ensure_ascii=False, separators=(",", ":"))
