"""What events were before: by that, a server that was restored from a backup is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from daemon.core.store import Ref
from daemon.journal.events import Events

_MANY = 500  # SQLite's older builds take at most 999 parameters
_OLDER = """SELECT events.remote, past.version, past.at FROM events JOIN past ON past.event = events.id
WHERE events.route = ? AND events.file IS NOT NULL AND events.version != past.version AND events.remote IN ({marks})"""
_MADE = """SELECT events.remote, coalesce(
    (SELECT max(at) FROM history WHERE history.file = events.file AND history.route = events.route
     AND history.action = 'create'), routes.connected)
FROM events JOIN routes ON routes.name = events.route
WHERE events.route = ? AND events.file IS NOT NULL AND NOT events.gone AND events.remote IN ({marks})"""
_SINCE = """SELECT remote, coalesce((SELECT max(at) FROM past WHERE past.event = events.id), seen_at) AS at
FROM events WHERE route = ? AND NOT gone AND NOT taken_back AND version != '' ORDER BY at DESC"""


class Past:
    """Earlier versions of events, and which events look taken back. Every method is called inside the journal's lock.

    The journal itself notes each version that another one takes the place of.
    """

    def __init__(self, db: sqlite3.Connection, events: Events) -> None:
        self._db, self._events = db, events

    def older(self, route: str, refs: Sequence[Ref]) -> dict[str, float]:
        """The linked events that are shown as they were before; by id, when they stopped being so."""
        shown = {ref.id: ref.version for ref in refs}
        rows = self._named(_OLDER, route, list(shown))
        return {remote: at for remote, version, at in rows if shown[remote] == version}

    def made(self, route: str, remotes: Sequence[str]) -> dict[str, float]:
        """Since when the linked ones of these that were there so far have been known; by id."""
        return dict(self._named(_MADE, route, remotes))

    def newest(self, route: str, besides: Collection[str]) -> float:
        """When the newest version came of all events that are as they were, which those `besides` are not."""
        rows = self._db.execute(_SINCE, (route,))
        return next((at for remote, at in rows if remote not in besides), 0.0)

    def unsure(self, route: str) -> dict[str, float]:
        """The gone ones of a look that broke off before it was said whether they are taken back; as `made`."""
        query = "SELECT remote FROM events WHERE route = ? AND taken_back AND taken_back = 2 AND gone"
        remotes = [row[0] for row in self._db.execute(query, (route,))]
        return dict(self._named(_MADE.replace(" AND NOT events.gone", ""), route, remotes))

    def take_back(self, route: str, remotes: Collection[str], *, is_so: bool | None) -> None:
        """These look taken back by a restore, do not after all, or (None) may be."""
        self._events.touches += bool(remotes)
        self._db.executemany(
            "UPDATE events SET taken_back = ? WHERE route = ? AND remote = ?",
            [(2 if is_so is None else is_so, route, remote) for remote in remotes],
        )

    def prune(self, before: float) -> None:
        """Forget the versions of long ago."""
        self._db.execute("DELETE FROM past WHERE at < ?", (before,))

    def _named(self, query: str, route: str, remotes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(remotes), _MANY):
            some = remotes[start : start + _MANY]
            yield from self._db.execute(query.format(marks=",".join("?" * len(some))), (route, *some)).fetchall()
