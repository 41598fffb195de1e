"""The weekly review that stories of series in Exchange and Microsoft 365 are told of, with its exceptions."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from daemon.core.model import Busy, Field, Key, Timed, View
from daemon.core.store import Create

SUBJECT, WHEN, REPEAT, SKIP, BODY, LOCATION = (
    Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.REPEAT, Field.SKIP, Field.DESCRIPTION, Field.LOCATION)
)
FIRST, SECOND, THIRD, FOURTH = (date(2026, 11, 30) + timedelta(weeks=week) for week in range(4))
SKIPPED = frozenset({THIRD, date(2027, 5, 3)})
REVIEW: View = {
    SUBJECT: "Pipeline review",
    Key(Field.TYPE): "meeting",
    WHEN: Timed(datetime(2026, 11, 30, 9, 0), "Europe/Moscow", timedelta(minutes=45)),
    REPEAT: "FREQ=WEEKLY;UNTIL=20270628T060000Z;BYDAY=MO",
    Key(Field.BUSY): Busy.BUSY,
    SKIP: SKIPPED,
    Key(Field.WHEN, SECOND): Timed(datetime(2026, 12, 7, 11, 0), "Europe/Moscow", timedelta(minutes=45)),
    Key(Field.WHEN, FOURTH): Timed(datetime(2026, 12, 23, 9, 0), "Europe/Moscow", timedelta(minutes=90)),
    Key(Field.SUBJECT, FOURTH): "Pipeline review (half-year)",
}


def new_review(view: View = REVIEW, *, notify: bool = False) -> Create:
    """The order that makes it, or another series in its place."""
    return Create("uid-1", "token-1", view, notify=notify)
