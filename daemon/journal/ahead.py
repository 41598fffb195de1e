"""Moments that a clock wrote down which was ahead: once it is set right, nothing waits for them to come."""

from __future__ import annotations

import sqlite3

_LONGEST = 25 * 3600.0  # seconds: nothing else than a clock that was ahead puts a retry off for longer
_STATEMENTS = (
    """UPDATE files INDEXED BY files_look_at SET changed = min(changed, :now), dirty = 1, look_at = NULL
    WHERE look_at IS NOT NULL AND (changed > :now OR look_at > :now + :longest)""",
    """UPDATE files INDEXED BY files_missing SET missing = :now, dirty = 1, look_at = NULL
    WHERE missing IS NOT NULL AND missing > :now""",
    "UPDATE events SET dirty = 1, look_at = NULL WHERE look_at IS NOT NULL AND look_at > :now + :longest",
    "UPDATE troubles SET retry = :now WHERE retry > :now + :longest",
    "UPDATE unreadable SET retry = :now WHERE retry > :now + :longest",
)


def bring_back(db: sqlite3.Connection, now: float) -> bool:
    """Have a grace begin anew that began after now, and what rests for longer than anything may be tried again.

    Whether there was anything. Called inside the journal's lock.
    """
    values = {"now": now, "longest": _LONGEST}
    return sum(db.execute(statement, values).rowcount for statement in _STATEMENTS) > 0
