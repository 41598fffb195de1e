"""The truth table: base, file and calendar in, one decision out. Pure.

============  ============  =====================================================
file          event         decision
============  ============  =====================================================
there         there         merge field by field                    (`together`)
there         gone          trash, done, keep; an edit wins         (`deletions`)
there         taken back    hold what would follow the calendar     (`taken_back`)
gone          there         delete after a grace; an edit wins      (`deletions`)
gone          gone          unlink
there         never linked  make an event, if it may go out         (`arrivals`)
never linked  there         make a file, if it may come in          (`arrivals`)
both, never linked          link what is equal, the rest conflicts  (`arrivals`)
============  ============  =====================================================
"""

from __future__ import annotations

from dataclasses import replace

from daemon.core import moving, verdicts
from daemon.core.arrivals import encounter, new_event, new_file
from daemon.core.deletions import done_goes, event_gone, file_gone, in_grace, without_done
from daemon.core.model import Base, when_of
from daemon.core.plan import Decision, Hold, Link, State, Unlink
from daemon.core.policy import PrivateEvents
from daemon.core.recasting import recast
from daemon.core.situation import EventNow, FileNow, Situation
from daemon.core.store import Seen
from daemon.core.taken_back import unless_taken_back
from daemon.core.together import both_there
from daemon.core.tombstones import STANDS_ELSEWHERE

HEIR = "the event has another id now"


def plan_link(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Decide on a linked activity."""
    if file.broken:
        return Decision(verdicts.BROKEN)
    if event.watched and file.is_there and file.choice.route == situation.route.name and not event.gone:
        return encounter(file, event, situation)  # its user sent it here, where the meeting stands already
    if event.watched:
        return Decision(verdicts.WATCHED, (Unlink("gone there", tombstone=False),) if event.gone else ())
    if event.left and (event.gone or (file.is_there and file.choice.route == situation.route.name)):
        return moving.comes_back(base, event)
    if not file.activity.local.sync and file.is_there:
        off = Unlink("sync: false", tombstone=False, remember=_remembers(situation))
        return moving.rests() if event.left else Decision(verdicts.SYNC_OFF, (off,))
    here = file.is_there and when_of(file.activity.view) is not None
    if file.is_there and not event.gone and (changed := recast(base, file, event, situation)) is not None:
        return changed
    match here, event.gone:
        case True, False:
            return unless_taken_back(_stays(base, file, event, situation), event)
        case False, False:
            return unless_taken_back(file_gone(base, file, event, situation), event)
        case True, True:
            return event_gone(base, file, event, situation)
        case _:
            gone = Decision(verdicts.GONE, (Unlink("gone on both sides", tombstone=True),))
            return in_grace(file, situation) or gone


def _stays(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Once linked, it stays linked, unless its user sent it elsewhere or it no longer fits."""
    choice = file.choice
    if choice.route == situation.route.name or (choice.route is None and event.born_in_calendar):
        merged = both_there(base, file, event, situation)
        return without_done(merged, event, situation) if done_goes(file, situation) else merged
    if choice.route is None and choice.verdict is not None and choice.verdict.state is State.IGNORED:
        reason = choice.verdict.reason
        return Decision(choice.verdict, (Unlink(reason, tombstone=True, remember=_remembers(situation)),))
    if choice.route is None:
        merged = both_there(base, file, event, situation)
        return replace(merged, verdict=choice.verdict or merged.verdict)
    return moving.leaves(base, file, event, situation)


def _remembers(situation: Situation) -> bool:
    """Whether what was agreed on may be kept of what is linked no more: where nothing has to be concealed."""
    return situation.route.private_events is PrivateEvents.FULL


def plan_moved(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """The activity stands in another calendar now: take it out of this one."""
    return moving.left(base, file, event, situation)


def plan_stood(base: Base, file: FileNow, where: str) -> Decision:
    """The file would go to another calendar than the one in which its event was left, which is named."""
    return moving.stood(base, file, where)


def plan_file(
    file: FileNow, tombstone: str | None, situation: Situation, like: Seen | None = None, reason: str = "a new file"
) -> Decision:
    """Decide on a file that is in no calendar; its event elsewhere, or the one that it had, is `like` this."""
    return new_file(file, tombstone, situation, like, reason)


def plan_event(event: EventNow, tombstone: str | None, situation: Situation) -> Decision:
    """Decide on an event that has no file."""
    return new_event(event, tombstone, situation)


def plan_likeness(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Offer to link a file and an event that look alike; they are never linked silently, nor doubled."""
    met = encounter(file, event, situation)
    steps = tuple(replace(step, reason="equal subject and time") for step in met.steps if isinstance(step, Link))
    return Decision(verdicts.HELD_LIKENESS, steps, hold=Hold.FIRST_IMPORT)


def plan_watched() -> Decision:
    """The same meeting stands in another calendar too, and that one leads: this one is only watched."""
    return Decision(verdicts.WATCHED, (Link({}, {}, "the same meeting as in another calendar"),))


def plan_succession() -> Decision:
    """The leading event is gone, and the same meeting still stands in another calendar: that one leads from now on."""
    return Decision(verdicts.WATCHED, (Unlink(STANDS_ELSEWHERE, tombstone=True),))


def plan_heir(base: Base) -> Decision:
    """The linked event is gone, and one with its uid has another id: the link goes over, with what was agreed."""
    return Decision(verdicts.SYNCED, (Link(base.pairs, base.overlay, HEIR),))


def plan_meeting(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Decide on a file and an event with one uid that are not linked; a file that is to be in no calendar stays so."""
    if file.choice.route is None and file.choice.verdict is not None:
        return Decision(file.choice.verdict)
    return encounter(file, event, situation)
