"""Items that were refused, and ids that can't be read: each with its own clock."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.journal.rows import Trouble
from daemon.journal.seldom import Seldom


class Quarantine(Seldom):
    """Single items that a service or a folder refused, each with its own clock."""

    _table = "troubles"

    def put(self, kind: str, id_: int, route: str, trouble: Trouble, rev: int) -> None:
        """Set an item aside until its retry time, or until it changes."""
        self._filled = True
        self._db.execute(
            """INSERT INTO troubles (kind, id, route, code, message, cure, attempts, retry, rev, since)
            VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (kind, id, route) DO UPDATE SET code = excluded.code,
            message = excluded.message, cure = excluded.cure, attempts = excluded.attempts,
            retry = excluded.retry, rev = excluded.rev""",
            (
                kind,
                id_,
                route,
                trouble.code,
                trouble.message,
                trouble.cure,
                trouble.attempts,
                trouble.retry,
                rev,
                trouble.since,
            ),
        )

    def get(self, kind: str, id_: int, route: str) -> tuple[Trouble, int] | None:
        """The trouble of an item, and the observation that it belongs to."""
        if self._is_empty():
            return None
        row = self._db.execute(
            "SELECT code, message, cure, attempts, retry, since, rev FROM troubles WHERE kind=? AND id=? AND route=?",
            (kind, id_, route),
        ).fetchone()
        return (Trouble(*row[:-1]), row[-1]) if row else None

    def clear(self, kind: str, id_: int, route: str) -> None:
        """It went through."""
        if self._is_empty():
            return
        self._db.execute("DELETE FROM troubles WHERE kind = ? AND id = ? AND route = ?", (kind, id_, route))

    def all(self) -> list[tuple[str, int, str, Trouble]]:
        """Every item in quarantine: kind, row, route, trouble."""
        rows = self._db.execute(
            "SELECT kind, id, route, code, message, cure, attempts, retry, since FROM troubles ORDER BY since"
        )
        return [(kind, id_, route, Trouble(*rest)) for kind, id_, route, *rest in rows]

    def put_unreadable(self, route: str, remote: str, version: str, trouble: Trouble) -> None:
        """An id that is listed and can't be read."""
        self._db.execute(
            "INSERT OR REPLACE INTO unreadable VALUES (?,?,?,?,?,?,?,?,?)",
            (
                route,
                remote,
                version,
                trouble.code,
                trouble.message,
                trouble.cure,
                trouble.attempts,
                trouble.retry,
                trouble.since,
            ),
        )

    def unreadable(self, route: str) -> dict[str, tuple[str, Trouble]]:
        """The ids of a route that can't be read: version and trouble."""
        rows = self._db.execute(
            "SELECT remote, version, code, message, cure, attempts, retry, since FROM unreadable WHERE route = ?",
            (route,),
        )
        return {remote: (version, Trouble(*rest)) for remote, version, *rest in rows}

    def readable(self, route: str, remotes: Iterable[str]) -> None:
        """These ids could be read, or are gone."""
        if not self._db.execute("SELECT EXISTS (SELECT 1 FROM unreadable)").fetchone()[0]:
            return
        self._db.executemany(
            "DELETE FROM unreadable WHERE route = ? AND remote = ?", [(route, remote) for remote in remotes]
        )
