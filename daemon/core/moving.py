"""An activity that its user sent to another calendar: what the old one still has to say, and the end of its event."""

from __future__ import annotations

from dataclasses import replace

from daemon.core import verdicts
from daemon.core.deletions import edited
from daemon.core.merge import advance
from daemon.core.model import Base, Key, Pair, View
from daemon.core.plan import (
    Agree,
    Decision,
    DeleteEvent,
    Link,
    Side,
    State,
    Step,
    Unlink,
    UpdateFile,
    Verdict,
    blank_or,
)
from daemon.core.policy import Direction, GuestMail
from daemon.core.situation import EventNow, FileNow, Situation, others, without_us
from daemon.core.together import both_there

MOVING = "moving"  # the code of what waits for a move
MOVED = "moved"  # why an event is deleted that stands in another calendar now
ARRIVES = "it moves here from "  # and the calendar that it leaves: why an event is made that stands there
BACK = "it moves back"  # why an event leads again that was to be deleted
STOOD = "its event stands in another calendar"  # why an event is linked again in the calendar that its file leaves
_MOVING = verdicts.waiting(MOVING, "It moves to another calendar.")
_MOVED = verdicts.waiting(MOVING, "It moved to another calendar.")
_LEFT_OFF = replace(
    verdicts.SYNC_OFF,
    reason=f"{verdicts.SYNC_OFF.reason} It moved to another calendar; its old event is taken out once it is synced.",
)


def leaves(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Its user sent it elsewhere: what was edited here comes into the file, and then it is made there."""
    if others(event.activity.guests, situation.own) and not event.left:
        return replace(both_there(base, file, event, situation), verdict=verdicts.MOVE_MAILS)
    return _carried(base, file, event, situation)


def left(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """It stands elsewhere now: its event here goes, unless that loses an edit or mails anybody."""
    carried = _carried(base, file, event, situation)
    if carried.verdict is not _MOVING or carried.clashes or any(isinstance(step, UpdateFile) for step in carried.steps):
        return carried
    people, can = others(event.activity.guests, situation.own), situation.capabilities
    silent = can.silences_added and set(people) <= event.activity.unmailed
    if people and not (can.suppresses_mail or silent):
        return replace(carried, verdict=_stays(situation.route.name))
    return Decision(_MOVED, (DeleteEvent(MOVED),), elsewhere=True, then=verdicts.SYNCED)


def _stays(old: str) -> Verdict:
    return Verdict(
        State.READ_ONLY,
        verdicts.MOVE_MAILS.code,
        f"It moved to another calendar. Its old event in `{old}` has guests since; taking that out would mail them.",
        f"Delete the old event in `{old}` yourself, or write `calendar: {old}` into the file to have it there again.",
    )


def rests() -> Decision:
    """Its user stopped the sync before its old event was taken out: that is still known as such."""
    return Decision(_LEFT_OFF)


def comes_back(base: Base, event: EventNow) -> Decision:
    """Its user sent it back while its old event still stood here: that one leads again."""
    if event.gone:
        return Decision(_MOVING, (Unlink("gone there", tombstone=False),), elsewhere=True)
    return Decision(_MOVING, (Link(base.pairs, base.overlay, BACK),))


def stood(base: Base, file: FileNow, where: str) -> Decision:
    """The event of a file was left in another calendar: it moves if its user says so, and is never made twice."""
    if not file.activity.local.calendar:
        return Decision(verdicts.left_in(where))
    return Decision(_MOVING, (Link(base.pairs, base.overlay, STOOD),))


def has_more_to_say(base: Base, view: View, situation: Situation) -> bool:
    """Whether an event was edited since its calendar and the file last agreed."""
    return bool(edited(base, view, Side.CALENDAR) and edited(base, without_us(view, situation.own), Side.CALENDAR))


def _carried(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """The merge without its writes to the event; with nothing left to merge the verdict is that it moves."""
    merged = both_there(base, file, event, _unhindered(situation))
    clashes = tuple(clash for clash in merged.clashes if clash.chosen is None)
    open_keys = {clash.key for clash in clashes} | file.unsayable
    update = next((step for step in merged.steps if isinstance(step, UpdateFile)), None)
    agrees = {key: pair for step in merged.steps if isinstance(step, Agree) for key, pair in step.agrees.items()}
    taken = update.agrees if update else {}
    now = advance(base, {**agrees, **taken})
    agrees |= {key: pair for key, pair in _weighed(now, event.activity.view).items() if key not in open_keys}
    news = {key: pair for key, pair in agrees.items() if key not in taken and pair != base.pair(key)}
    steps: list[Step] = [Agree(news)] if news else []
    steps += [update] if update else []
    stuck = merged.verdict if open_keys & _edited_keys(now, event.activity.view) or clashes else None
    return Decision(stuck or _MOVING, tuple(steps), merged.clashes, again=update is not None, elsewhere=True)


def _unhindered(situation: Situation) -> Situation:
    """What is not written to the event is neither asked about nor reported."""
    route = situation.route
    direction = Direction.BOTH if route.direction is Direction.FROM_CALENDAR else route.direction
    guests = GuestMail.SEND if route.guests is GuestMail.ASK else route.guests
    return replace(situation, route=replace(route, direction=direction, guests=guests))


def _weighed(base: Base, view: View) -> dict[Key, Pair]:
    """What the calendar said was weighed: where the file's value stays, it is no edit any more."""
    return {key: Pair(base.pair(key).file, blank_or(view.get(key))) for key in _edited_keys(base, view)}


def _edited_keys(base: Base, view: View) -> frozenset[Key]:
    return edited(base, view, Side.CALENDAR)
