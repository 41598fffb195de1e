"""Writes that are about to be made: on disk before they are sent, settled after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from daemon.core.plan import Side
from daemon.journal.rows import Intent

_COLUMNS = "token, route, side, kind, file, event, uid, agrees, overlay, patch, expect, reason, made"


def _intent(values: tuple[str, ...]) -> Intent:
    token, route, side, *rest = values
    return Intent(token, route, Side(side), *rest)  # type: ignore[arg-type]  # the columns are those of _COLUMNS


class Intents:
    """Reads and writes the rows of `intents`. Every method is called inside the journal's lock."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, intents: Iterable[Intent]) -> None:
        """Note writes before they are made."""
        self._db.executemany(
            f"INSERT INTO intents ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  a constant
            [(token, route, side.value, *rest) for token, route, side, *rest in intents],
        )

    def drop(self, tokens: Iterable[str]) -> None:
        """These writes are settled, one way or the other."""
        self._db.executemany("DELETE FROM intents WHERE token = ?", [(token,) for token in tokens])

    def open(self, side: Side, route: str | None = None) -> list[Intent]:
        """Writes of which it is not known whether they happened, oldest first."""
        query = f"SELECT {_COLUMNS} FROM intents WHERE side = ? AND (? IS NULL OR route = ?) ORDER BY made, token"  # noqa: S608  a constant
        return [_intent(row) for row in self._db.execute(query, (side.value, route, route))]

    def in_question(self, route: str) -> set[int]:
        """Files of which it is not known what became of a write to this calendar."""
        rows = self._db.execute(
            "SELECT file FROM intents WHERE file IS NOT NULL AND side = ? AND route = ?", (Side.CALENDAR.value, route)
        )
        return {row[0] for row in rows}

    def busy_files(self) -> set[int]:
        """Files with a write of which it is not known whether it happened."""
        return {row[0] for row in self._db.execute("SELECT file FROM intents WHERE file IS NOT NULL")}
