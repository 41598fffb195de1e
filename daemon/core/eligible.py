"""Which items may be synced at all: by the END of an activity, against `since` and `backlog`."""

from __future__ import annotations

from datetime import UTC, datetime, time
from enum import Enum, auto

from daemon.core.model import Activity
from daemon.core.policy import Backlog, Route, Since
from daemon.core.times import has_ended, zone_of


class Eligibility(Enum):
    """Whether an item may be synced, or what is in its way."""

    YES = auto()
    OVER = auto()  # it ended before `since`
    BEFORE = auto()  # it was there before the calendar was connected, and `backlog: skip`


def eligible(activity: Activity, route: Route, *, connected: datetime | None, zone: str, backlog: bool) -> Eligibility:
    """Judge a scheduled item. `backlog`: from before the calendar was connected, and not edited since.

    A meeting under way at the cut-off counts; all-day: its last day; a series: one instance left.
    """
    cut_off = _cut_off(route, connected, zone)
    if cut_off is not None and has_ended(activity, cut_off, zone):
        return Eligibility.OVER
    if backlog and route.backlog is Backlog.SKIP:
        return Eligibility.BEFORE
    return Eligibility.YES


def _cut_off(route: Route, connected: datetime | None, zone: str) -> datetime | None:
    match route.since:
        case Since.ALL:
            return None
        case Since.NOW:
            return connected
        case day:
            return datetime.combine(day, time(), zone_of(zone) or UTC)
