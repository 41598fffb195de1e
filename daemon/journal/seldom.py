"""A table that is empty as a rule."""

from __future__ import annotations

import sqlite3
from typing import ClassVar


class Seldom:
    """A table that is empty as a rule, and then not asked about each single item: only this object fills it."""

    _table: ClassVar[str]

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._filled: bool | None = None

    def _is_empty(self) -> bool:
        if self._filled is None:
            query = f"SELECT EXISTS (SELECT 1 FROM {self._table})"  # noqa: S608  a constant
            self._filled = bool(self._db.execute(query).fetchone()[0])
        return not self._filled
