"""The state journal: SQLite, and the only package that opens it.

Every thread works through one connection under one lock; what is inside `with journal.turn():` is one
transaction. Intents are on disk when their turn ends (synchronous=FULL), before anything is sent.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.core.errors import JournalError, JournalLost
from daemon.journal import schema
from daemon.journal.ahead import bring_back
from daemon.journal.copies import Copies
from daemon.journal.events import Events
from daemon.journal.files import Files
from daemon.journal.intents import Intents
from daemon.journal.memory import Conflicts, History, Holds, Replaced, Tombstones
from daemon.journal.past import Past
from daemon.journal.quarantine import Quarantine
from daemon.journal.rows import EVENT_COLUMNS, FILE_COLUMNS, RouteRow
from daemon.journal.scrub import Scrub
from daemon.journal.seals import check_sealed, check_sealed_raw

_FILE_SEEN = FILE_COLUMNS.split(", ").index("seen") - 1  # `coalesce(path, '')` is one column
_EVENT_SEEN, _EVENT_RAW, _EVENT_BASE = (EVENT_COLUMNS.split(", ").index(name) for name in ("seen", "raw", "base"))
_UNSETTLED = (  # with how many times they are told the route
    (
        """SELECT count(*), sum(rev), sum(id) FROM files INDEXED BY files_dirty WHERE dirty AND
        (route = ? OR EXISTS (SELECT 1 FROM events WHERE events.file = files.id AND events.route = ?))""",
        2,
    ),
    ("SELECT count(*), sum(rev), sum(id) FROM events WHERE route = ? AND dirty", 1),
    ("SELECT count(*) FROM events INDEXED BY events_file WHERE route = ? AND file IS NOT NULL", 1),
    ("SELECT connected, adopted, rebuilding FROM routes WHERE name = ?", 1),
    ("SELECT count(*), max(at), sum(mail) FROM approvals", 0),
    ("SELECT count(*), total(at) FROM tombstones", 0),
    ("SELECT max(id) FROM history", 0),
)
_ROUTE = "name, identity, cursor, connected, adopted, rebuilding, disconnected, last_success"


class Journal:
    """The memory of one store on this machine. Raises JournalError when it is damaged or not ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        old_mask = os.umask(0o077)
        try:
            self._db = _open(path)
        finally:
            os.umask(old_mask)
        self._identity = _identity(path)
        self.files = Files(self._db)
        self.events = Events(self._db)
        self.past = Past(self._db, self.events)
        self.intents = Intents(self._db)
        self.history = History(self._db)
        self.conflicts = Conflicts(self._db)
        self.replaced = Replaced(self._db)
        self.tombstones = Tombstones(self._db)
        self.quarantine = Quarantine(self._db)
        self.holds = Holds(self._db)
        self.copies = Copies(self._db)
        self.scrub = Scrub(self._db)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One transaction, or a part of the one that is open: all of it is kept, or nothing.

        Raises JournalLost where it was kept in a file that nobody will find again.
        """
        with self._lock:
            if self._depth:
                yield
                return
            self._depth = 1
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
                self.check_in_place()
            except sqlite3.DatabaseError as error:
                raise _translated(error, self.path) from error
            finally:
                self._depth = 0

    def check_in_place(self) -> None:
        """Whether the file that is open is still the one at its path. Raises JournalLost."""
        if _identity(self.path) != self._identity:
            raise JournalLost(f"The journal {self.path} was removed or replaced while it was in use.")

    def get_meta(self, key: str) -> str | None:
        """A fact about the whole journal."""
        with self._lock:
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a fact about the whole journal."""
        with self.turn():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def route(self, name: str) -> RouteRow | None:
        """What is remembered of a calendar; None: it was never connected."""
        with self._lock:
            row = self._db.execute(f"SELECT {_ROUTE} FROM routes WHERE name = ?", (name,)).fetchone()  # noqa: S608  names of columns from this file
        if row is None:
            return None
        name, identity, cursor, connected, adopted, rebuilding, disconnected, last = row
        return RouteRow(name, identity, cursor, connected, bool(adopted), bool(rebuilding), bool(disconnected), last)

    def routes(self) -> list[RouteRow]:
        """All calendars that were ever connected."""
        with self._lock:
            names = [row[0] for row in self._db.execute("SELECT name FROM routes ORDER BY name")]
        return [row for name in names if (row := self.route(name))]

    def connect(self, name: str, identity: str, now: float, *, rebuilding: bool) -> None:
        """A calendar is connected for the first time, or again after another one stood under its name."""
        with self.turn():
            self._db.execute(
                """INSERT INTO routes (name, identity, connected, adopted, rebuilding) VALUES (?, ?, ?, 0, ?)
                ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, cursor = NULL, adopted = 0,
                connected = excluded.connected""",
                (name, identity, now, rebuilding),
            )

    def rename_route(self, old: str, new: str) -> None:
        """The same calendar has another name in the config now: everything that is known of it goes along."""
        with self.turn():
            self._db.execute("UPDATE routes SET name = ?, disconnected = 0 WHERE name = ?", (new, old))
            for table in schema.BY_ROUTE:
                self._db.execute(f"UPDATE OR REPLACE {table} SET route = ? WHERE route = ?", (new, old))  # noqa: S608  a constant

    def set_route(self, name: str, **values: object) -> None:
        """Change what is remembered of a calendar: `cursor`, `adopted`, `rebuilding` ..."""
        columns = ", ".join(f"{column} = ?" for column in values)
        with self.turn():
            self._db.execute(f"UPDATE routes SET {columns} WHERE name = ?", (*values.values(), name))  # noqa: S608  names of columns from this file

    def unsettled(self, route: str, period: float) -> tuple[object, ...]:
        """A fingerprint of what is unsettled on a route, and of what decides on it; equal ones are decided alike."""
        rows = [period, self.files.touches, self.events.touches]
        with self._lock:
            for query, count in _UNSETTLED:
                rows += self._db.execute(query, (route,) * count).fetchone()
        return tuple(rows)

    def go_by(self, now: float) -> None:
        """Have nothing wait for what a clock said that was ahead. Called inside a turn."""
        if bring_back(self._db, now):
            self.files.touches += 1

    def backlog_add(self, rows: list[tuple[int, str, str]]) -> None:
        """Files that were there before a calendar was connected: (file, route, digest)."""
        self._db.executemany("INSERT OR IGNORE INTO backlog VALUES (?, ?, ?)", rows)

    def backlog_digest(self, file: int, route: str) -> str | None:
        """The digest that such a file had then; None: it is not one of them."""
        row = self._db.execute("SELECT digest FROM backlog WHERE file = ? AND route = ?", (file, route)).fetchone()
        return row[0] if row else None

    def backlog_drop(self, file: int, route: str) -> None:
        """It no longer counts as one from before."""
        self._db.execute("DELETE FROM backlog WHERE file = ? AND route = ?", (file, route))

    def purge(self) -> None:
        """Leave nothing of what was deleted in the files of the journal."""
        with self._lock:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def compact(self) -> None:
        """Give room back, and fold the write-ahead log in."""
        with self._lock:
            self._db.executescript("PRAGMA incremental_vacuum")  # `execute` takes one step, which gives one page back
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Fold the log in and let go."""
        with self._lock:
            self._db.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there: device and inode; None: there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  asked for with each turn: a third of the time
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA cache_size = -200")  # the check reads every page, once
        _check(db, path)
        db.execute("PRAGMA cache_size = -600")  # kilobytes, held as long as the daemon runs; the system caches the rest
    except (UnicodeDecodeError, TypeError, AttributeError) as error:
        raise JournalError(f"{path} is damaged: a row can't be read") from error
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    return db


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file; refuse a file that is damaged, foreign or from a later version."""
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        db.execute("BEGIN EXCLUSIVE")
        _make_tables(db)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("COMMIT")
        return
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise JournalError(f"{path} is not a journal of Datebook")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != schema.VERSION:
        raise JournalError(f"{path} has schema {version}; this version of Datebook knows {schema.VERSION}")
    if _tables(db) != _tables(_blank()):
        raise JournalError(f"{path} is damaged: its tables are not those of a journal")
    verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JournalError(f"{path} is damaged: {verdict}")
    _check_rows(db)


def _check_rows(db: sqlite3.Connection) -> None:
    """Whether every row can be read, and says what was written into it."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _ in db.execute(f"SELECT * FROM {name}") if name not in {"files", "events", "history"} else ():  # noqa: S608  our tables
            pass
    for values in db.execute(f"SELECT {_as_bytes(FILE_COLUMNS, 'seen')} FROM files"):  # noqa: S608  a constant
        check_sealed(values[_FILE_SEEN])
    for values in db.execute(f"SELECT {_as_bytes(EVENT_COLUMNS, 'seen', 'base')} FROM events"):  # noqa: S608  a constant
        check_sealed(values[_EVENT_SEEN])
        check_sealed_raw(values[_EVENT_RAW])
        if values[_EVENT_BASE] is not None:
            check_sealed(values[_EVENT_BASE])


def _as_bytes(columns: str, *texts: str) -> str:
    """Columns to select, some of them not decoded: what is sealed is compared with its seal alone."""
    return ", ".join(f"CAST({name} AS BLOB)" if name in texts else name for name in columns.split(", "))


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in schema.TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)


def _blank() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    _make_tables(db)
    return db


def _tables(db: sqlite3.Connection) -> set[tuple[str, str | None]]:
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))


def _translated(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """A full disk passes by itself; damage does not."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY")):
        return OSError(f"the journal {path} can't be written: {error}")
    return JournalError(f"{path}: {error}")
