"""The calendars as they were last read, and what was agreed on with their files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from daemon.core.model import Base
from daemon.core.store import Seen, Written
from daemon.journal import encoding
from daemon.journal.rows import EVENT_COLUMNS, EventRow, LinkRow
from daemon.journal.seals import sealed_raw, unsealed_raw

_SELECT = f"SELECT {EVENT_COLUMNS} FROM events"  # noqa: S608  a constant
_SAW = """INSERT INTO events (route, remote, version, uid, seen, raw, seen_at, backlog) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (route, remote) DO UPDATE SET version = excluded.version, uid = excluded.uid, seen = excluded.seen,
raw = excluded.raw, seen_at = excluded.seen_at, gone = 0, rev = rev + 1, dirty = 1,
taken_back = CASE WHEN events.gone THEN 0 ELSE events.taken_back END,
backlog = CASE WHEN events.backlog AND events.seen != excluded.seen THEN 2 ELSE events.backlog END"""
_LINKED = """INSERT INTO events
(route, remote, version, uid, seen, raw, seen_at, file, role, origin, base, dirty, writes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'primary', 'file', ?, 0, 1)
ON CONFLICT (route, remote) DO UPDATE SET version = excluded.version, uid = excluded.uid, seen = excluded.seen,
raw = excluded.raw, seen_at = excluded.seen_at, file = excluded.file, base = excluded.base, gone = 0, dirty = 0,
taken_back = 0"""
_MANY = 500  # SQLite's older builds take at most 999 parameters


_RAW, _GONE, _BACK = (EVENT_COLUMNS.split(", ").index(name) for name in ("raw", "gone", "taken_back"))


def _row(values: Sequence[Any]) -> EventRow:
    columns = list(values)
    columns[_RAW] = unsealed_raw(columns[_RAW])
    columns[_GONE], columns[_BACK] = bool(columns[_GONE]), bool(columns[_BACK])
    return EventRow._make(columns)


class Events:
    """Reads and writes the rows of `events`. Every method is called inside the journal's lock."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.touches = 0  # how often something was to be decided on again without having been observed anew

    def versions(self, route: str, remotes: Sequence[str] | None = None) -> dict[str, str]:
        """The known versions by id: of all items, or of those named. What is gone is not among them."""
        if remotes is None:
            rows = self._db.execute("SELECT remote, version FROM events WHERE route = ? AND NOT gone", (route,))
            return dict(rows.fetchall())
        found: dict[str, str] = {}
        for start in range(0, len(remotes), _MANY):
            some = remotes[start : start + _MANY]
            marks = ",".join("?" * len(some))
            query = f"SELECT remote, version FROM events WHERE route = ? AND NOT gone AND remote IN ({marks})"  # noqa: S608  only question marks
            found.update(self._db.execute(query, (route, *some)).fetchall())
        return found

    def get(self, id_: int) -> EventRow | None:
        """An event by its row."""
        row = self._db.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
        return _row(row) if row else None

    def by_remote(self, route: str, remote: str) -> EventRow | None:
        """An event by the service's id."""
        row = self._db.execute(f"{_SELECT} WHERE route = ? AND remote = ?", (route, remote)).fetchone()
        return _row(row) if row else None

    def by_uid(self, uid: str) -> list[EventRow]:
        """All events with this uid, whatever their calendar."""
        return [_row(row) for row in self._db.execute(f"{_SELECT} WHERE uid = ? ORDER BY id", (uid,))]

    def of_file(self, file: int) -> list[EventRow]:
        """The events that a file is linked to."""
        return [_row(row) for row in self._db.execute(f"{_SELECT} WHERE file = ? ORDER BY role, id", (file,))]

    def links(self, file: int) -> list[LinkRow]:
        """Where a file is linked, in the same order: for those who don't ask what its events say."""
        rows = self._db.execute("SELECT id, route, role, origin FROM events WHERE file = ? ORDER BY role, id", (file,))
        return list(map(LinkRow._make, rows))

    def linked_files(self, route: str) -> set[int]:
        """The rows of all files that are linked on a route."""
        rows = self._db.execute("SELECT file FROM events WHERE route = ? AND file IS NOT NULL", (route,))
        return {row[0] for row in rows}

    def dirty(self, route: str) -> list[int]:
        """Events that have been seen changed and not yet been settled."""
        rows = self._db.execute("SELECT id FROM events WHERE route = ? AND dirty ORDER BY id", (route,))
        return [row[0] for row in rows]

    def strangers(self, route: str) -> Iterator[EventRow]:
        """The unlinked events of a route that were there before it was connected."""
        rows = self._db.execute(f"{_SELECT} WHERE route = ? AND file IS NULL AND backlog AND NOT gone", (route,))
        return map(_row, rows.fetchall())

    def all(self, route: str) -> Iterator[EventRow]:
        """Every event of a route."""
        return map(_row, self._db.execute(f"{_SELECT} WHERE route = ?", (route,)).fetchall())

    def saw(self, route: str, seen: Sequence[Seen], now: float, *, backlog: bool) -> None:
        """Items were read."""
        self._db.executemany(
            _SAW,
            [
                (
                    route,
                    item.ref.id,
                    item.ref.version,
                    item.activity.uid,
                    encoding.dump_activity(item.activity),
                    sealed_raw(item.raw),
                    now,
                    backlog,
                )
                for item in seen
            ],
        )

    def newest_write(self) -> int:
        """The last entry of the log: what is done from here on has a higher number."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM history").fetchone()[0])

    def written_after(self, route: str, entry: int) -> set[str]:
        """The ids of the events that were written by us after an entry of the log, and were there when last read."""
        rows = self._db.execute(
            """SELECT events.remote FROM history NOT INDEXED  -- from the end of the log on: SQLite would read all of it
            CROSS JOIN events INDEXED BY events_uid ON events.uid = history.uid AND events.route = history.route
            WHERE history.id > ? AND history.route = ? AND history.side = 'calendar'
            AND history.action IN ('create', 'update') AND NOT events.gone""",
            (entry, route),
        )
        return {row[0] for row in rows}

    def gone(self, route: str, remote: str) -> None:
        """Reading that very id said that it is not there."""
        self._db.execute(
            "UPDATE events SET gone = 1, rev = rev + 1, dirty = 1 WHERE route = ? AND remote = ? AND NOT gone",
            (route, remote),
        )

    def made(self, route: str, written: Written, uid: str, view: str, file: int, base: str, now: float) -> None:  # noqa: PLR0913, PLR0917  one row
        """An event was made for a file; what was sent is what is known of it. View and base are encoded already."""
        activity = encoding.activity_saying(uid, view)
        id_, version = written.ref.id, written.ref.version
        self._db.execute(_LINKED, (route, id_, version, uid, activity, sealed_raw(written.raw), now, file, base))

    def wrote(self, id_: int, seen: Seen, base: Base, now: float) -> None:
        """An event was changed; what was sent is what is known of it."""
        activity = encoding.dump_activity(seen.activity)
        self._db.execute(
            """UPDATE events SET remote = ?, version = ?, seen = ?, raw = ?, seen_at = ?, base = ?, gone = 0,
            taken_back = 0, writes = writes + 1 WHERE id = ?""",
            (
                seen.ref.id,
                seen.ref.version,
                activity,
                sealed_raw(seen.raw),
                now,
                encoding.dump_base(base),
                id_,
            ),
        )

    def link(self, id_: int, file: int, base: Base, *, role: str = "primary", origin: str | None = None) -> None:
        """This event and this file are one activity."""
        self._db.execute(
            "UPDATE events SET file = ?, base = ?, role = ?, origin = coalesce(?, origin), backlog = 0 WHERE id = ?",
            (file, encoding.dump_base(base), role, origin, id_),
        )

    def filed(self, id_: int, file: int, base: str, rev: int | None = None) -> None:
        """A file was made for this event, which settles what was seen up to `rev`. The base is encoded already."""
        self._db.execute(
            """UPDATE events SET file = ?, base = ?, role = 'primary', backlog = 0,
            dirty = CASE WHEN rev = ? THEN 0 ELSE dirty END WHERE id = ?""",
            (file, base, rev, id_),
        )

    def agree(self, id_: int, base: Base) -> None:
        """What both sides agree on has moved."""
        self._db.execute("UPDATE events SET base = ?, taken_back = 0 WHERE id = ?", (encoding.dump_base(base), id_))

    def unlink(self, id_: int, *, remember: bool = False) -> None:
        """The event stays known, without a file; `remember`: with what was agreed on while it had one."""
        self._db.execute(
            "UPDATE events SET file = NULL, base = CASE WHEN ? THEN base END WHERE id = ?", (remember, id_)
        )

    def forget_agreed(self, route: str) -> None:
        """Nothing is remembered of what was agreed on with files that are linked no more."""
        self._db.execute(
            "UPDATE events SET base = NULL WHERE route = ? AND file IS NULL AND base IS NOT NULL", (route,)
        )

    def adopt(self, id_: int) -> None:
        """It no longer counts as one from before the calendar was connected."""
        self._db.execute("UPDATE events SET backlog = 0 WHERE id = ?", (id_,))

    def touch(self, id_: int, look_at: float | None = None) -> None:
        """Have it decided on again, at once or then."""
        self.touches += 1
        if look_at is None:
            self._db.execute("UPDATE events SET dirty = 1, look_at = NULL WHERE id = ?", (id_,))
        else:
            self._db.execute("UPDATE events SET dirty = 0, look_at = ? WHERE id = ?", (look_at, id_))

    def touch_all(self) -> None:
        """Have every event decided on again."""
        self.touches += 1
        self._db.execute("UPDATE events SET dirty = 1, look_at = NULL")

    def take_due(self, route: str, now: float) -> None:
        """Whatever is to be looked at again by now becomes dirty."""
        self._db.execute("UPDATE events SET dirty = 1, look_at = NULL WHERE route = ? AND look_at <= ?", (route, now))

    def next_due(self, route: str) -> float | None:
        """When the next event of a route is to be looked at again."""
        query = "SELECT min(look_at) FROM events WHERE route = ? AND look_at IS NOT NULL"
        row = self._db.execute(query, (route,)).fetchone()
        return row[0]  # type: ignore[no-any-return]  # sqlite3 hands out Any; the schema says what it is

    def settle(self, id_: int, rev: int) -> None:
        """What was seen up to `rev` has been settled."""
        self._db.execute("UPDATE events SET dirty = 0 WHERE id = ? AND rev = ?", (id_, rev))

    def forget(self, id_: int) -> None:
        """The event is gone for good."""
        self._db.execute("DELETE FROM events WHERE id = ?", (id_,))

    def prune(self, before: float) -> None:
        """Forget what was agreed on with events that were deleted so long ago."""
        self._db.execute("DELETE FROM events WHERE gone AND file IS NULL AND NOT dirty AND seen_at < ?", (before,))

    def unread(self, route: str) -> list[str]:
        """Items whose version the service did not say after a write."""
        rows = self._db.execute("SELECT remote FROM events WHERE route = ? AND version = '' AND NOT gone", (route,))
        return [row[0] for row in rows]

    def count(self, route: str) -> int:
        """How many events of a route are linked."""
        # By the small index: the rows themselves are many megabytes.
        query = "SELECT count(*) FROM events INDEXED BY events_file WHERE route = ? AND file IS NOT NULL"
        row = self._db.execute(query, (route,))
        return int(row.fetchone()[0])

    def is_any_linked(self, route: str) -> bool:
        """Whether an event of a route is linked: where one is, it is not counted how many are."""
        query = "SELECT EXISTS (SELECT 1 FROM events INDEXED BY events_file WHERE route = ? AND file IS NOT NULL)"
        return bool(self._db.execute(query, (route,)).fetchone()[0])

    def demote(self, id_: int, role: str) -> None:
        """Another link leads; this one is `watched`, or `moved` and to be taken down."""
        self.touches += 1
        self._db.execute("UPDATE events SET role = ?, dirty = 1, look_at = NULL WHERE id = ?", (role, id_))

    def distrust(self, id_: int) -> None:
        """Its version is not what was thought: it must be read before it is written."""
        self.touches += 1
        self._db.execute("UPDATE events SET version = '', dirty = 1 WHERE id = ?", (id_,))

    def waiting(self) -> dict[str, int]:
        """How many observed events of each route are not settled."""
        return dict(self._db.execute("SELECT route, count(*) FROM events WHERE dirty GROUP BY route").fetchall())
