"""The folder as it was last read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from daemon.core.model import Activity
from daemon.core.plan import State, Verdict
from daemon.core.store import Stamp
from daemon.journal import encoding
from daemon.journal.rows import FILE_COLUMNS, FileRow

_SELECT = f"SELECT {FILE_COLUMNS} FROM files"  # noqa: S608  a constant
_MISSING = "INDEXED BY files_missing WHERE missing IS NOT NULL"  # SQLite would rather scan all for the order
_NEW = """INSERT INTO files (uid, path, said_uid, size, mtime_ns, inode, ctime_ns, digest, seen, changed, dirty, route)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SEEN = """UPDATE files SET uid = ?, path = ?, said_uid = ?, size = ?, mtime_ns = ?, inode = ?, ctime_ns = ?,
digest = ?, seen = ?, changed = ?, missing = NULL, problem = NULL, rev = rev + 1, dirty = 1 WHERE id = ?"""
_NOTHING = encoding.dump_activity(Activity(uid="", view={}))


_row = FileRow._make  # the columns are those of FILE_COLUMNS


class Files:
    """Reads and writes the rows of `files`. Every method is called inside the journal's lock."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.touches = 0  # how often something was to be decided on again without having been observed anew
        self._any_missing: bool | None = None  # None: has to be looked up; none is, as a rule

    def stamps(self, like: Mapping[str, Stamp]) -> dict[str, Stamp]:
        """The stamp of every file that is there, by path; one that is as in `like` is that one, and no copy."""
        rows = self._db.execute(
            "SELECT path, size, mtime_ns, inode, ctime_ns FROM files WHERE path IS NOT NULL AND missing IS NULL"
        )
        found = {}
        for path, size, mtime, inode, ctime in rows:
            stamp = Stamp(size or 0, mtime or 0, inode or 0, ctime or 0)
            same = like.get(path)
            found[path] = same if same is not None and same == stamp else stamp
        return found

    def get(self, id_: int) -> FileRow | None:
        """A file by its row."""
        row = self._db.execute(f"{_SELECT} WHERE id = ?", (id_,)).fetchone()
        return _row(row) if row else None

    def by_path(self, path: str) -> FileRow | None:
        """The file that was last read at this path."""
        row = self._db.execute(f"{_SELECT} WHERE path = ?", (path,)).fetchone()
        return _row(row) if row else None

    def by_uid(self, uid: str) -> list[FileRow]:
        """The files with this uid: one, save in a shared store."""
        rows = self._db.execute(f"{_SELECT} WHERE uid = ? AND uid != '' ORDER BY id", (uid,))
        return [_row(row) for row in rows]

    def by_digest(self, digest: str) -> list[FileRow]:
        """Missing files whose last content had this digest: where a moved file without uid came from."""
        if not self._is_any_missing():
            return []
        rows = self._db.execute(f"{_SELECT} {_MISSING} AND digest = ? ORDER BY id", (digest,))
        return [_row(row) for row in rows]

    def _is_any_missing(self) -> bool:
        if self._any_missing is None:
            self._any_missing = bool(self._db.execute(f"SELECT EXISTS (SELECT 1 FROM files {_MISSING})").fetchone()[0])  # noqa: S608  a constant
        return self._any_missing

    def all(self) -> Iterator[FileRow]:
        """Every file, in the order of paths."""
        return map(_row, self._db.execute(f"{_SELECT} WHERE path IS NOT NULL ORDER BY path").fetchall())

    def dirty(self, route: str) -> list[int]:
        """Files that belong on a route or are linked there, seen changed and not yet settled."""
        rows = self._db.execute(
            """SELECT id FROM files INDEXED BY files_dirty WHERE dirty AND (route = ?
            OR EXISTS (SELECT 1 FROM events WHERE events.file = files.id AND events.route = ?)) ORDER BY id""",
            (route, route),
        )
        return [row[0] for row in rows]

    def unsettled(self) -> set[int]:
        """Every file that is not settled, on whatever route."""
        return {row[0] for row in self._db.execute("SELECT id FROM files WHERE dirty")}

    def is_dirty(self, id_: int) -> bool:
        """Whether it has been seen changed and not yet been settled."""
        return self._db.execute("SELECT 1 FROM files WHERE id = ? AND dirty", (id_,)).fetchone() is not None

    def belong(self, id_: int, route: str | None) -> None:
        """Which route this file belongs on."""
        self._db.execute("UPDATE files SET route = ? WHERE id = ? AND route IS NOT ?", (route, id_, route))

    def put_off(self) -> list[FileRow]:
        """Files that are not there now, and those that are to be looked at again at some time."""
        rows = self._db.execute(
            f"{_SELECT} {_MISSING} UNION {_SELECT} INDEXED BY files_look_at WHERE look_at IS NOT NULL ORDER BY 1"
        )
        return [_row(row) for row in rows]

    def unsettled_by_route(self) -> list[tuple[str | None, str | None, int]]:
        """How many files were seen changed and are not settled: (verdict, route, how many)."""
        return self._db.execute(
            """SELECT verdict, route, count(*) FROM files INDEXED BY files_dirty
            WHERE dirty AND path IS NOT NULL AND problem IS NULL GROUP BY route, verdict"""
        ).fetchall()

    def add(  # noqa: PLR0913, PLR0917  one row
        self,
        uid: str,
        path: str | None,
        stamp: Stamp,
        digest: str,
        activity: Activity,
        now: float,
        route: str | None = None,
    ) -> int:
        """A file that was not known. Returns its row."""
        values = (uid, path, bool(activity.uid), *stamp, digest, encoding.dump_activity(activity), now, True, route)
        return int(self._db.execute(_NEW, values).lastrowid or 0)

    def saw(self, row: FileRow, path: str, stamp: Stamp, digest: str, activity: Activity, now: float) -> None:  # noqa: PLR0913, PLR0917  one row
        """A known file was read again, changed."""
        uid = row.uid or activity.uid
        says = bool(uid) and activity.uid == uid  # a copy may still say the uid of what it was copied from
        values = (uid, path, says, *stamp, digest, encoding.dump_activity(activity), now, row.id)
        self._db.execute(_SEEN, values)

    def digests(self, paths: Sequence[str]) -> dict[str, str]:
        """The digests of those files (999 at most) that are there and could be read at the last look."""
        marks = ",".join("?" * len(paths))
        query = f"""SELECT path, digest FROM files
        WHERE path IN ({marks}) AND missing IS NULL AND problem IS NULL AND digest != ''"""  # noqa: S608  only question marks
        return dict(self._db.execute(query, tuple(paths)).fetchall())

    def restamp(self, stamps: Mapping[str, Stamp]) -> None:
        """The content is what it was; only the stamps moved."""
        self._db.executemany(
            "UPDATE files SET size = ?, mtime_ns = ?, inode = ?, ctime_ns = ?, missing = NULL WHERE path = ?",
            [(*stamp, path) for path, stamp in stamps.items()],
        )

    def wrote(self, id_: int, path: str, digest: str, activity: Activity, *, uid: str) -> None:
        """Datebook itself wrote the file: known content, nothing to settle because of it."""
        self._db.execute(
            """UPDATE files SET path = ?, digest = ?, seen = ?, uid = ?, said_uid = ?, missing = NULL, problem = NULL
            WHERE id = ?""",
            (path, digest, encoding.dump_activity(activity), uid, bool(uid) and activity.uid == uid, id_),
        )

    def named(self, id_: int, digest: str, text: str) -> None:
        """Datebook itself wrote the uid that it knows into a file; `text` is the encoded activity."""
        self._db.execute(
            "UPDATE files SET digest = ?, seen = ?, said_uid = 1, missing = NULL, problem = NULL WHERE id = ?",
            (digest, text, id_),
        )

    def reserve(self, uid: str, text: str, now: float) -> FileRow:
        """A row for a file that is about to be made; `text` is the encoded activity."""
        values = (uid, None, True, None, None, None, None, "", text, now, False, None)
        id_ = int(self._db.execute(_NEW, values).lastrowid or 0)
        return FileRow(id_, uid, "", True, "", text, now, None, None, None, 0, None)  # noqa: FBT003  as it is read

    def made(self, id_: int, path: str, digest: str, route: str, verdict: Verdict) -> None:
        """A file was made that a row had been reserved for, just as it was reserved."""
        self._db.execute(
            "UPDATE files SET path = ?, digest = ?, route = ?, verdict = ? WHERE id = ?",
            (path, digest, route, _verdict_text(verdict), id_),
        )

    def missing_with(self, inode: int) -> list[FileRow]:
        """Missing files that had this inode: what was renamed, perhaps edited besides."""
        if not self._is_any_missing():
            return []
        by_inode = _MISSING.replace("files_missing", "files_missing_inode")
        rows = self._db.execute(f"{_SELECT} {by_inode} AND inode = ? ORDER BY id", (inode,))
        return [_row(row) for row in rows]

    def missing_nameless(self) -> list[FileRow]:
        """Missing files that did not say a uid of their own."""
        return [_row(row) for row in self._db.execute(f"{_SELECT} {_MISSING} AND NOT said_uid ORDER BY id")]

    def broken(self, id_: int, path: str, stamp: Stamp, problem: str, now: float) -> None:
        """The file as it is now can't be read, since `now` or before; its last good state stays, unsynced."""
        self._db.execute(
            """UPDATE files SET path = ?, size = ?, mtime_ns = ?, inode = ?, ctime_ns = ?,
            changed = CASE WHEN problem IS NULL THEN ? ELSE changed END, problem = ?, missing = NULL,
            digest = '', dirty = 0, rev = rev + 1 WHERE id = ?""",
            (path, *stamp, now, problem, id_),
        )

    def add_broken(self, path: str, stamp: Stamp, problem: str, now: float) -> int:
        """A file that could not be read at its first sight: nothing good is known of it."""
        values = ("", path, False, *stamp, "", _NOTHING, now, False, None)
        id_ = int(self._db.execute(_NEW, values).lastrowid or 0)
        self._db.execute("UPDATE files SET problem = ? WHERE id = ?", (problem, id_))
        return id_

    def lost(self, paths: Iterable[str], now: float) -> None:
        """These files are not where they were."""
        self._any_missing = None
        self._db.executemany(
            "UPDATE files SET missing = ?, rev = rev + 1, dirty = 1 WHERE path = ? AND missing IS NULL",
            [(now, path) for path in paths],
        )

    def returned(self, id_: int) -> None:
        """It is there again: news, whatever is being settled of it in this moment."""
        self.touches += 1
        self._db.execute("UPDATE files SET rev = rev + 1, dirty = 1, look_at = NULL WHERE id = ?", (id_,))

    def unseen(self, id_: int, now: float) -> None:
        """It was made, and where it is now the next look has to say."""
        self._any_missing = None
        self._db.execute(
            "UPDATE files SET missing = ?, dirty = 1, look_at = NULL WHERE id = ? AND path IS NULL", (now, id_)
        )

    def moved_off(self, id_: int) -> None:
        """Another file stands at its path now."""
        self._db.execute("UPDATE files SET path = NULL, rev = rev + 1, dirty = 1 WHERE id = ?", (id_,))

    def touch(self, id_: int, look_at: float | None = None) -> None:
        """Have it decided on again, at once or then."""
        self.touches += 1
        if look_at is None:
            self._db.execute("UPDATE files SET dirty = 1, look_at = NULL WHERE id = ?", (id_,))
        else:
            self._db.execute("UPDATE files SET dirty = 0, look_at = ? WHERE id = ?", (look_at, id_))

    def touch_all(self) -> list[int]:
        """Have every file decided on again; their rows."""
        self.touches += 1
        self._db.execute("UPDATE files SET dirty = 1, look_at = NULL WHERE problem IS NULL")
        return [row[0] for row in self._db.execute("SELECT id FROM files ORDER BY id")]

    def take_due(self, now: float) -> None:
        """Whatever is to be looked at again by now becomes dirty."""
        self._db.execute("UPDATE files SET dirty = 1, look_at = NULL WHERE look_at <= ?", (now,))

    def waiting_routes(self) -> frozenset[str]:
        """The routes on which a file is not settled."""
        rows = self._db.execute(
            """SELECT DISTINCT route FROM files INDEXED BY files_dirty WHERE dirty AND route IS NOT NULL
            UNION SELECT DISTINCT events.route FROM files INDEXED BY files_dirty CROSS JOIN events
            ON events.file = files.id WHERE files.dirty"""
        )
        return frozenset(row[0] for row in rows)

    def next_due(self) -> float | None:
        """When the next file is to be looked at again."""
        return self._db.execute("SELECT min(look_at) FROM files WHERE look_at IS NOT NULL").fetchone()[0]  # type: ignore[no-any-return]  # sqlite3 hands out Any; the schema says what it is

    def settle(self, id_: int, rev: int, verdict: Verdict | None = None) -> None:
        """What was seen up to `rev` has been settled; with a verdict, this is what its user is told."""
        if verdict is None:
            self._db.execute("UPDATE files SET dirty = 0 WHERE id = ? AND rev = ?", (id_, rev))
            return
        self._db.execute(
            "UPDATE files SET verdict = ?, dirty = CASE WHEN rev = ? THEN 0 ELSE dirty END WHERE id = ?",
            (_verdict_text(verdict), rev, id_),
        )

    def nameless(self, route: str) -> list[FileRow]:
        """Files that have a uid here, are linked on the route, and do not say it yet."""
        rows = self._db.execute(
            f"""{_SELECT} INDEXED BY files_nameless WHERE NOT said_uid AND uid != '' AND path IS NOT NULL
            AND missing IS NULL AND problem IS NULL
            AND EXISTS (SELECT 1 FROM events WHERE file = files.id AND route = ?) ORDER BY id""",  # noqa: S608  constants
            (route,),
        )
        return [_row(row) for row in rows]

    def give_uids(self, named: Iterable[tuple[str, int]]) -> None:
        """The uid under which a file will be known, before it says so: uid and row of each."""
        self._db.executemany("UPDATE files SET uid = ? WHERE id = ?", named)

    def judge(self, id_: int, verdict: Verdict) -> None:
        """Keep what its user is to be told."""
        text = _verdict_text(verdict)
        self._db.execute("UPDATE files SET verdict = ? WHERE id = ? AND verdict IS NOT ?", (text, id_, text))

    def forget(self, id_: int) -> None:
        """The file is gone for good."""
        self._db.execute("DELETE FROM files WHERE id = ?", (id_,))

    def tally(self) -> list[tuple[str | None, str | None, bool, int]]:
        """How many files have a verdict on a route: (verdict, route, is it there, how many). Reads an index alone."""
        rows = self._db.execute(
            """SELECT verdict, route, missing IS NULL AS here, count(*) FROM files INDEXED BY files_standing
            WHERE path IS NOT NULL GROUP BY verdict, route, here"""
        )
        return [(verdict, route, bool(here), count) for verdict, route, here, count in rows]

    def broken_ones(self) -> list[FileRow]:
        """The files that can't be read as they are now, in the order of paths."""
        query = f"{_SELECT} INDEXED BY files_problem WHERE problem IS NOT NULL AND path IS NOT NULL ORDER BY path"
        return [_row(row) for row in self._db.execute(query)]

    def judged(self, verdict: str) -> list[FileRow]:
        """The files with this verdict, as `tally` has it, in the order of paths."""
        query = f"{_SELECT} INDEXED BY files_standing WHERE path IS NOT NULL AND verdict = ? ORDER BY path"
        return [_row(row) for row in self._db.execute(query, (verdict,))]


@lru_cache(maxsize=64)
def _verdict_text(verdict: Verdict) -> str:
    return json.dumps([verdict.state, verdict.code, verdict.reason, verdict.cure], ensure_ascii=False)


def load_verdict(text: str) -> Verdict:
    """A verdict as `judge` keeps it."""
    state, code, reason, cure = json.loads(text)
    return Verdict(State(state), code, reason, cure)
