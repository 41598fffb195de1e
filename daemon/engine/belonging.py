"""Which route each file belongs on, said anew when the file has changed or the config."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from daemon.core.model import Activity
from daemon.core.plan import Verdict
from daemon.core.routing import Choice
from daemon.journal import Journal
from daemon.journal.rows import EventRow, FileRow, LinkRow

Router = Callable[[Activity, str | None, str | None], Choice]  # with the routes that `homes` tells


class Belonging:
    """Writes into the journal where files belong. `forget` is told of paths that nothing is known of any more."""

    def __init__(self, journal: Journal, router: Router, forget: Callable[[str], object]) -> None:
        self._journal = journal
        self._router = router
        self._forget = forget
        self._unsaid: set[int] | None = None  # None: the journal has not been asked yet

    def note(self, changed: Collection[int]) -> None:
        """Of these it has to be said, even if what comes before that breaks off."""
        if self._unsaid is not None:
            self._unsaid |= set(changed)

    def say(self, changed: Iterable[int], routed: Iterable[int]) -> frozenset[str]:
        """Say it of these and all that were noted, save the `routed`; returns the routes that have something to do."""
        wake: set[str] = set()
        with self._journal.turn():
            if self._unsaid is None:
                self._unsaid = self._journal.files.unsettled()
            self._unsaid |= set(changed)
            self._unsaid -= set(routed)
            for id_ in sorted(self._unsaid):
                row = self._journal.files.get(id_)
                if row is not None:
                    wake |= self._choose(row)
        self._unsaid.clear()
        return frozenset(wake)

    def _choose(self, row: FileRow) -> set[str]:
        links = self._journal.events.links(row.id)
        choice = self._router(row.activity, *homes(links))
        self._journal.files.belong(row.id, choice.route)
        wake = {link.route for link in links}
        if choice.route is not None:
            wake.add(choice.route)
        if not wake:
            self._settle_here(row, choice.verdict)
        return wake

    def _settle_here(self, row: FileRow, verdict: Verdict | None) -> None:
        """It is in no calendar and goes to none."""
        if row.missing is not None:
            self._journal.files.forget(row.id)
            self._forget(row.path)
            return
        if verdict is not None and row.problem is None:
            self._journal.files.judge(row.id, verdict)
        self._journal.files.settle(row.id, row.rev)


def homes(links: Iterable[EventRow | LinkRow]) -> tuple[str | None, str | None]:
    """The route that an activity came from, or the one that it went out to; of one that is linked nowhere, neither."""
    leading = next((link for link in links if link.role == "primary"), None)
    if leading is None:
        return None, None
    return (leading.route, None) if leading.origin == "calendar" else (None, leading.route)
