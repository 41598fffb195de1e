"""One side of a link is gone: what that means for the other. "Missing" is never "deleted"."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from daemon.core import verdicts
from daemon.core.fields import default, effective, equal, moved, said
from daemon.core.gates import mail_gate
from daemon.core.making import make_event
from daemon.core.model import Activity, Base, Blank, Field, Half, Key, Pair, View, when_of
from daemon.core.naming import place
from daemon.core.plan import (
    CreateFile,
    Decision,
    DeleteEvent,
    FinishFile,
    Hold,
    Side,
    Step,
    TrashFile,
    Unlink,
    UpdateFile,
    Verdict,
)
from daemon.core.policy import DoneShown, OnCalendarDelete
from daemon.core.situation import EventNow, FileNow, Situation, organised_by_others, others, without_us
from daemon.core.store import Seen
from daemon.core.taken_back import held
from daemon.core.times import has_ended, last_end
from daemon.core.tombstones import DATE_LOST, DELETED_THERE, FILE_REMOVED


def file_gone(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """The file was removed, or lost its date."""
    if (waiting := in_grace(file, situation)) is not None:
        return waiting
    view = event.activity.view
    if file.activity.local.masked:
        return Decision(verdicts.REMEMBERED, (Unlink("the file of a private event was removed", tombstone=True),))
    if is_finished(file, event, situation):
        reason = FILE_REMOVED if file.missing else DATE_LOST
        return Decision(verdicts.REMEMBERED, (Unlink(f"{reason}; past or done", tombstone=True),))
    if organised_by_others(event.activity.guests, situation.own):
        return Decision(verdicts.GUEST_KEPT, (Unlink("the file was removed, and you are a guest", tombstone=True),))
    if not situation.route.sends:
        return Decision(verdicts.FILE_REMOVED, not_before=_end(file, event, situation))
    if has_edits(base, view, Side.CALENDAR) and has_edits(base, without_us(view, situation.own), Side.CALENDAR):
        if not situation.route.receives:
            return Decision(
                verdicts.REMEMBERED, (Unlink("the file was removed; edited in the calendar", tombstone=True),)
            )
        return _restore_file(file, event, situation)
    return _if_told(file, _delete_event(file, event, situation))


def in_grace(file: FileNow, situation: Situation) -> Decision | None:
    """Whether a removal is still so fresh that it may be half of a rename or of an editor's save."""
    until = (file.missing or file.changed) + situation.route.delete_grace
    if situation.now >= until:
        return None
    return Decision(
        verdicts.waiting(
            verdicts.GRACE, "The file was removed; what follows waits for a grace.", "Put the file back to keep both."
        ),
        not_before=until,
    )


def _if_told(file: FileNow, decision: Decision) -> Decision:
    """What was removed while the direction kept the other side waits for a word: no change of the config deletes."""
    if not file.told_removed or not decision.steps or decision.hold is not None:
        return decision
    if all(isinstance(step, Unlink) for step in decision.steps):
        return decision
    return replace(decision, verdict=verdicts.HELD_REMOVAL, hold=Hold.DIRECTION)


def _restore_file(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Edited there, removed here: the edit wins."""
    view = event.activity.view
    where = file.ref.id or place(situation.route, view, event.activity.uid, shared=situation.shared)
    verdict = verdicts.waiting("restored", "It was removed here and edited in the calendar: the edit wins.")
    if not file.missing:  # it has the rest of its keys: with its date back, both sides are merged as ever
        when = {key: value for key, value in view.items() if key == Key(Field.WHEN)}
        agrees = {key: Pair(value, value) for key, value in when.items()}
        steps = (UpdateFile(when, agrees, "edited in the calendar"),) if when else ()
        return Decision(verdict, steps, again=True)
    agrees = {key: Pair(value, value) for key, value in view.items()}
    step = CreateFile(where, view, file.activity.local, agrees, "edited in the calendar")
    return Decision(verdict, (step,))


def _delete_event(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    gate = mail_gate(others(event.activity.guests, situation.own), situation, event.activity.unmailed)
    reason = FILE_REMOVED if file.missing else DATE_LOST
    if gate.verdict is not None and gate.hold is None:
        return Decision(verdicts.GUESTS_KEEP_EVENT if file.missing else verdicts.GUESTS_KEEP_UNDATED)
    step = DeleteEvent(reason, mails=gate.mails)
    verdict = gate.verdict or verdicts.waiting("deleting", reason)
    return Decision(verdict, (step,), hold=gate.hold, then=None if file.missing else verdicts.UNSCHEDULED)


def event_gone(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Reading that very event said that it is not there."""
    if file.broken:
        return Decision(verdicts.BROKEN)
    if is_finished(file, event, situation):
        return Decision(verdicts.KEPT_HERE, (Unlink("the event was deleted; past or done", tombstone=True),))
    if situation.shared and not _ours(file, event, situation):
        return Decision(verdicts.KEPT_HERE, (Unlink("the event left a guest's calendar", tombstone=True),))
    if has_edits(base, file.activity.view, Side.FILE):
        if not situation.route.sends:
            return Decision(verdicts.KEPT_HERE, (Unlink("the event was deleted; edited here", tombstone=True),))
        return _restore_event(file, event, situation)
    followed = _follow(file, situation.route.on_calendar_delete)
    if not situation.route.receives and not any(isinstance(step, Unlink) for step in followed.steps):
        return Decision(verdicts.EVENT_REMOVED, not_before=_end(file, event, situation))
    if event.taken_back:
        return held(followed)
    return _if_told(file, followed)


def _follow(file: FileNow, order: OnCalendarDelete) -> Decision:
    match order:
        case OnCalendarDelete.KEEP:
            return Decision(verdicts.KEPT_HERE, (Unlink("the event was deleted; kept as ordered", tombstone=True),))
        case OnCalendarDelete.DONE:
            return Decision(verdicts.KEPT_HERE, (FinishFile(DELETED_THERE),))
        case OnCalendarDelete.TRASH:
            step: Step = TrashFile(DELETED_THERE)
            if not file.is_there:
                step = Unlink("gone on both sides", tombstone=True)
            return Decision(verdicts.GONE, (step,))


def _restore_event(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Edited here, deleted there: the edit wins; never where that would mail without an order."""
    gate = mail_gate(others(event.activity.guests, situation.own), situation, event.activity.unmailed)
    if gate.verdict is not None and gate.hold is None:
        return Decision(gate.verdict)
    like = Seen(event.ref, event.activity, event.raw)
    made = make_event(file, situation, "edited here after the deletion", guests=True, like=like)
    if isinstance(made, Verdict):
        return Decision(made)
    verdict = verdicts.waiting("restored", "It was deleted in the calendar and edited here: the edit wins.")
    return Decision(made.gate.verdict or verdict, (made.step,), hold=made.gate.hold)


def done_goes(file: FileNow, situation: Situation) -> bool:
    """Whether an activity is taken out of the calendar because it is done; never a series."""
    order = situation.route.done_in_calendar is DoneShown.DELETE and situation.route.sends
    return order and file.activity.local.done and Key(Field.REPEAT) not in file.activity.view


def without_done(merged: Decision, event: EventNow, situation: Situation) -> Decision:
    """A merge of a done activity, with the end of its event; not while somebody else is on it or asks are open."""
    people = others(event.activity.guests, situation.own) or organised_by_others(event.activity.guests, situation.own)
    if people or merged.hold is not None or any(clash.chosen is None for clash in merged.clashes):
        return merged
    kept = tuple(step for step in merged.steps if isinstance(step, UpdateFile))
    verdict = verdicts.waiting("done", "It is done; its event goes.")
    return replace(merged, verdict=verdict, steps=(*kept, DeleteEvent("it is done")), then=verdicts.DONE_DELETED)


def _ours(file: FileNow, event: EventNow, situation: Situation) -> bool:
    """Whether our account owns or organises it."""
    owner = (file.activity.local.owner or "").lower()
    if owner and owner not in situation.own:
        return False
    return not organised_by_others(event.activity.guests, situation.own)


def is_finished(file: FileNow, event: EventNow, situation: Situation) -> bool:
    """Past or done: the end of an activity's life in a calendar is no reason to touch the other side."""
    return file.activity.local.done or has_ended(_scheduled(file, event), situation.now, situation.zone)


def _end(file: FileNow, event: EventNow, situation: Situation) -> datetime | None:
    """When it will be finished by itself; None: never."""
    scheduled = _scheduled(file, event)
    end = last_end(scheduled.view, zone=situation.zone)
    return end if end is None or scheduled.lasts is None else max(end, scheduled.lasts)


def _scheduled(file: FileNow, event: EventNow) -> Activity:
    return event.activity if when_of(event.activity.view) else file.activity


def has_edits(base: Base, view: View, side: Side) -> bool:
    """Whether a side has edited anything since both last agreed; a guest's answer is no edit."""
    return bool(edited(base, view, side))


def edited(base: Base, view: View, side: Side) -> frozenset[Key]:
    """The keys that a side has edited since both last agreed; a guest's answer is no edit.

    A file that lost its date counts by the rest of it: the loss is what is being decided.
    """
    found = set()
    lost_date = side is Side.FILE and when_of(view) is None
    for key in {*base.pairs, *view}:
        pair = base.pair(key)
        half = pair.file if side is Side.FILE else pair.calendar
        if half is Blank.UNHELD or key in base.overlay or (lost_date and key.field is Field.WHEN):
            continue
        if moved(key, half, view.get(key)) and not _spelt_out(key, half, view):
            found.add(key)
    return frozenset(found)


def _spelt_out(key: Key, half: Half, view: View) -> bool:
    """Whether a side only says, or no longer says, what is the default anyway (Google adds STATUS:CONFIRMED)."""
    if half is Blank.UNKNOWN or key.instance is not None:
        return False
    then = said(half)
    shown = default(view, key.field) if then is None else then
    return equal(key, shown, effective(view, key))
