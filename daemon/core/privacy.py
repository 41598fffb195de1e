"""How much of a private event is kept: the journal never holds more of it than its file may show."""

from __future__ import annotations

from dataclasses import replace

from daemon.core.model import Activity, Field, Key, Privacy
from daemon.core.policy import PrivateEvents
from daemon.core.store import Seen

KEPT = frozenset({Field.WHEN, Field.REPEAT, Field.SKIP, Field.PRIVATE})


def is_private(activity: Activity) -> bool:
    """Whether its CLASS is anything but PUBLIC."""
    return activity.view.get(Key(Field.PRIVATE), Privacy.PUBLIC) is not Privacy.PUBLIC


def conceal(seen: Seen, mode: PrivateEvents) -> Seen:
    """What may be remembered of an event that was born in the calendar: all of it, or the times alone."""
    if mode is PrivateEvents.FULL or not is_private(seen.activity):
        return seen
    view = {key: value for key, value in seen.activity.view.items() if key.field in KEPT}
    return replace(seen, activity=replace(seen.activity, view=view), raw=b"")
