"""What a server lost when it was restored from a backup: it is not followed without its user's word.

A restore loses every write that came after its backup. So an event that is gone, or is as it was before, is the work of
one only if nothing that came after it is still there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from daemon.core import verdicts
from daemon.core.fields import moved
from daemon.core.merge import advance
from daemon.core.model import Base, Blank, Pair, View
from daemon.core.plan import CreateFile, Decision, FinishFile, Hold, TrashFile, UpdateFile, blank_or
from daemon.core.situation import EventNow


@dataclass(frozen=True, slots=True)
class Losses:
    """What one look at a calendar found lost; by id, since when there had been what is lost.

    `older` are as they were before, `gone` are not there. `newest`: when the newest version came of what is as it was
    left. `unvouched` are those of the gone of which the calendar's feed, asked from where it was left, knows nothing.
    """

    older: Mapping[str, float] = field(default_factory=dict)
    gone: Mapping[str, float] = field(default_factory=dict)
    newest: float = 0.0
    unvouched: Collection[str] = ()

    @property
    def doubtful(self) -> frozenset[str]:
        """Those that may have been lost by a restore: nothing came after them that is still there."""
        return frozenset(id_ for table in (self.older, self.gone) for id_, at in table.items() if at > self.newest)

    @property
    def taken_back(self) -> frozenset[str]:
        """Those that are not to be followed.

        Nobody gives an event the version back that it had. A single deletion may be just that: it counts only where
        the feed does not vouch for it, or together with what is as it was before.
        """
        back = self.doubtful & self.older.keys()
        return self.doubtful if back else back | (self.doubtful & frozenset(self.unvouched))


def unless_taken_back(decision: Decision, event: EventNow) -> Decision:
    """The decision; held, where its file would follow what a restore took back."""
    follows = any(isinstance(step, CreateFile | UpdateFile | TrashFile | FinishFile) for step in decision.steps)
    return held(decision) if event.taken_back and follows and decision.hold is None else decision


def held(decision: Decision) -> Decision:
    """The decision, waiting for its user's word."""
    return replace(decision, verdict=verdicts.HELD_TAKEN_BACK, hold=Hold.TAKEN_BACK)


def keeping_file(base: Base, calendar: View, *, gone: bool) -> Base:
    """The base with which the file alone counts as edited, so that what it says is sent again."""
    pairs = {
        key: Pair(Blank.UNKNOWN, blank_or(calendar.get(key)))
        for key in {*base.pairs, *calendar}
        if gone
        or (base.pair(key).calendar is not Blank.UNHELD and moved(key, base.pair(key).calendar, calendar.get(key)))
    }
    return advance(base, pairs)
