"""A private event of which the file shows more, or less, than `private_events` orders now."""

from __future__ import annotations

import re
from dataclasses import replace

from daemon.core import verdicts
from daemon.core.model import Base, Blank, Field, Key, Privacy, text_of
from daemon.core.naming import place, slug
from daemon.core.plan import Decision, Hold, Recast
from daemon.core.policy import PrivateEvents
from daemon.core.privacy import KEPT, is_private
from daemon.core.projection import Arrival, incoming, masked_view
from daemon.core.situation import EventNow, FileNow, Situation, without_us

_PRIVATE = Key(Field.PRIVATE)
_OUR_NAME = re.compile(r"\d{4}-\d\d-\d\d-")


def recast(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision | None:
    """What brings the file to what is ordered; None: it is so. A new mode waits for a word, after its preview.

    An event that its user makes private is hidden at once; one that is made public shows at once.
    """
    mode = situation.route.private_events if is_private(event.activity) else PrivateEvents.FULL
    masked = file.activity.local.masked
    half_done = masked and _tells(base)
    is_so = (mode is PrivateEvents.FULL) is not masked and mode is not PrivateEvents.SKIP and not half_done
    if is_so or not event.born_in_calendar or not situation.route.receives or not event.ref.version:
        return None
    known = replace(event.activity, view=without_us(event.activity.view, situation.own))
    arrival = incoming(known, route=situation.route, types=situation.types)
    was_private = base.pair(_PRIVATE).calendar in {Privacy.PRIVATE, Privacy.CONFIDENTIAL}
    hold = Hold.PRIVATE if was_private and is_private(event.activity) and not half_done else None
    step = Recast(
        arrival.view if arrival else None,
        _place(file, event, arrival, situation),
        _REASONS[mode],
        masked=mode is not PrivateEvents.FULL,
        secret=arrival is not None and arrival.secret,
    )
    verdict = verdicts.HELD_PRIVATE if hold else verdicts.waiting("private", _REASONS[mode])
    return Decision(verdict, (step,), hold=hold)


def _tells(base: Base) -> bool:
    """Whether what was agreed on tells more than a masked file may: hiding it was begun, and not ended."""
    return any(key.field not in KEPT and not isinstance(pair.calendar, Blank) for key, pair in base.pairs.items())


_REASONS = {
    PrivateEvents.FULL: "the whole event is shown",
    PrivateEvents.BUSY: "of a private event only the times are shown",
    PrivateEvents.SKIP: "private events are not shown",
}


def _place(file: FileNow, event: EventNow, arrival: Arrival | None, situation: Situation) -> str:
    """A new name for a file whose name tells what is to be hidden; "": it can stay.

    A name that begins with a day is taken for one that Datebook gave: it holds a subject, be it an earlier one.
    """
    if arrival is not None and not arrival.masked:
        return ""
    folder, _, name = file.ref.id.rpartition("/")
    told = slug(text_of(file.activity.view, Field.SUBJECT))
    if _OUR_NAME.match(name) is None and told not in name.lower():
        return ""
    shown = masked_view(event.activity.view, situation.route)
    uid, shared = event.activity.uid, situation.shared
    fresh = place(situation.route, shown, uid, shared=shared, masked=True).rpartition("/")[2]
    fresh = fresh.rpartition(".")[0] + name[name.rfind(".") :]
    path = f"{folder}/{fresh}" if folder else fresh
    return "" if path == file.ref.id else path
