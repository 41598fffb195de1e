"""Looks at a journal from outside, also while a daemon works with it: whether it is whole, and how large."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from daemon.journal import schema


@dataclass(frozen=True, slots=True)
class Examined:
    """What a journal looks like. `fault` is "" where it is whole; sizes in bytes, the log included."""

    fault: str
    size: int
    links: int
    entries: int  # of the history


def examine(path: Path) -> Examined:
    """Read the journal at a path, and write nothing. Raises OSError where it can't be opened."""
    size = sum(part.stat().st_size for suffix in ("", "-wal") if (part := path.with_name(path.name + suffix)).exists())
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return Examined(_fault(db), size, *_counts(db))
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorname", "")
        if code.startswith(("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_IOERR", "SQLITE_READONLY")):
            raise OSError(str(error)) from error
        return Examined(str(error), size, 0, 0)


def _fault(db: sqlite3.Connection) -> str:
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        return "it is no journal of Datebook"
    verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if verdict == "ok" else verdict


def _counts(db: sqlite3.Connection) -> tuple[int, int]:
    links = db.execute("SELECT count(*) FROM events WHERE base IS NOT NULL").fetchone()[0]
    return links, db.execute("SELECT count(*) FROM history").fetchone()[0]


def bound_to(path: Path) -> tuple[str | None, str | None]:
    """The store id and the default zone that a journal is bound to; None where it does not say."""
    if not path.exists():
        return None, None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            found = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('store', 'timezone')").fetchall())
    except sqlite3.DatabaseError:
        return None, None
    return found.get("store"), found.get("timezone")
