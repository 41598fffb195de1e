"""A linked activity whose file and event are both there: merge, and the gates before each write."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from daemon.core import verdicts
from daemon.core.fields import equal
from daemon.core.gates import mail_gate
from daemon.core.instances import SERIES, occurs
from daemon.core.key_table import Chooser
from daemon.core.making import project, words_missing
from daemon.core.merge import Merged, apply_patch, merge
from daemon.core.model import Base, Blank, Field, Guest, Key, Pair, Patch, View, everyone_on
from daemon.core.overlay import Cover, underlay
from daemon.core.plan import (
    Agree,
    Clash,
    Decision,
    Hold,
    Side,
    Step,
    UpdateEvent,
    UpdateFile,
    Verdict,
    blank_or,
)
from daemon.core.policy import Direction, OnConflict
from daemon.core.projection import Outgoing
from daemon.core.situation import (
    EventNow,
    FileNow,
    Situation,
    organised_by_others,
    others,
    with_organizer,
    without_us,
)

_SAME_MOMENT = timedelta(seconds=2)  # within it the calendar counts as the newer
_TIMES = frozenset({Field.WHEN, Field.REPEAT, Field.SKIP})


@dataclass(frozen=True, slots=True)
class _Gate:
    """Whether the event may be written: not at all, after a word, or now."""

    verdict: Verdict | None = None
    hold: Hold | None = None
    mails: tuple[str, ...] = ()

    @property
    def is_shut(self) -> bool:
        return self.verdict is not None and self.hold is None


def both_there(base: Base, file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """Merge the two sides of a link, and say what may be written."""
    shown = _shown(base, file, event, situation)
    out = project(file, event, situation)
    merged = merge(
        base,
        file.activity.view,
        shown,
        unheld=out.unheld | event.activity.frozen.keys(),
        chooser=_chooser(file, event, situation),
        shown=out.shown,
        file_lacks=words_missing(file),
        occurs=None if SERIES & (out.unheld | event.activity.frozen.keys()) else occurs,
    )
    merged = _old_buffer(merged, base, file, shown)
    one_way = _one_way(merged, file, shown, situation)
    merged = _received(merged, file, situation)
    unsaid = file.unsayable & merged.to_file.keys()
    merged = _sayable(merged, unsaid)
    overlay, patch = _covered(merged, base, out if situation.route.sends else replace(out, cover=Cover()), shown, event)
    gate = _gate(patch, file, event, situation)
    steps = _steps(merged, patch, overlay, gate)
    clashes = (*merged.clashes, *one_way)
    return Decision(
        _verdict(clashes, one_way, gate, file, event, unsaid),
        steps,
        clashes,
        hold=gate.hold,
        after_all={} if gate.is_shut else merged.both_agrees,
    )


def _shown(base: Base, file: FileNow, event: EventNow, situation: Situation) -> View:
    """What the calendar says, without what only we put over it and without our own entry as organiser."""
    under = underlay(event.activity.view, base)
    named = any(guest.organizer for guest in file.activity.guests)
    return under if named else without_us(under, situation.own)


def _chooser(file: FileNow, event: EventNow, situation: Situation) -> Chooser:
    side = _winner(file, event, situation)
    return lambda _key: side


def _winner(file: FileNow, event: EventNow, situation: Situation) -> Side | None:
    if situation.route.direction is not Direction.BOTH:
        return None
    match situation.route.on_conflict:
        case OnConflict.ASK:
            return None
        case OnConflict.FILE:
            return Side.FILE
        case OnConflict.CALENDAR:
            return Side.CALENDAR
        case OnConflict.NEWEST:
            theirs = event.activity.modified or event.seen
            return Side.FILE if file.changed > theirs + _SAME_MOMENT else Side.CALENDAR


def _old_buffer(merged: Merged, base: Base, file: FileNow, shown: View) -> Merged:
    """A save that puts back exactly what Datebook replaced within the hour is an old buffer, once."""
    view = file.activity.view
    stale = [
        key for key in merged.to_calendar if key in file.replaced and equal(key, file.replaced[key], view.get(key))
    ]
    if not stale:
        return merged
    clashes = [
        Clash(key, base.pair(key).file, view.get(key), shown.get(key), Side.CALENDAR, old_buffer=True) for key in stale
    ]
    halves = {key: blank_or(shown.get(key)) for key in stale}
    rest = merged.without(Side.CALENDAR, stale)
    return replace(
        rest,
        to_file={**rest.to_file, **{key: shown.get(key) for key in stale}},
        file_agrees={**rest.file_agrees, **{key: Pair(half, half) for key, half in halves.items()}},
        clashes=(*rest.clashes, *clashes),
    )


def _one_way(merged: Merged, file: FileNow, shown: View, situation: Situation) -> tuple[Clash, ...]:
    """What the side that only receives was edited to: reported with both values, never reverted."""
    match situation.route.direction:
        case Direction.FROM_CALENDAR:
            keys = list(merged.to_calendar)
        case Direction.TO_CALENDAR:
            keys = list(merged.to_file)
        case Direction.BOTH:
            keys = []
    view = file.activity.view
    return tuple(Clash(key, Blank.UNKNOWN, view.get(key), shown.get(key), None) for key in keys if key not in file.kept)


def _received(merged: Merged, file: FileNow, situation: Situation) -> Merged:
    """Without the writes to a side that only sends, save those that its user ordered one by one."""
    match situation.route.direction:
        case Direction.FROM_CALENDAR:
            return merged.without(Side.CALENDAR, merged.to_calendar.keys() - file.kept)
        case Direction.TO_CALENDAR:
            return merged.without(Side.FILE, merged.to_file.keys() - file.kept)
        case Direction.BOTH:
            return merged


def _sayable(merged: Merged, unsaid: Collection[Key]) -> Merged:
    """Without the writes of what the file can't say, nor those that would meet a time that it doesn't know."""
    if not unsaid:
        return merged
    rest = merged.without(Side.FILE, unsaid)
    if not any(key.field in _TIMES for key in unsaid):
        return rest
    return rest.without(
        Side.CALENDAR, [key for key in merged.to_calendar if key.field in _TIMES or key.instance is not None]
    )


def _covered(merged: Merged, base: Base, out: Outgoing, shown: View, event: EventNow) -> tuple[Patch, Patch]:
    """The overlay of what was merged, and the patch that shows it; an overlay that is on is not put on again."""
    desired = apply_patch(shown, merged.to_calendar)
    overlay = out.cover.over(desired)
    target = apply_patch(desired, overlay)
    news = {key for key, value in overlay.items() if key not in base.overlay or base.overlay[key] != value}
    keys = {*merged.to_calendar, *news, *(base.overlay.keys() - overlay.keys())}
    there = event.activity.view
    patch = {key: target.get(key) for key in keys if not equal(key, there.get(key), target.get(key))}
    return overlay, with_organizer(patch, there)


def _gate(patch: Patch, file: FileNow, event: EventNow, situation: Situation) -> _Gate:
    """Who or what forbids writing this to the event."""
    if not patch:
        return _Gate()
    if file.activity.local.masked:
        return _Gate(verdicts.MASKED)
    if organised_by_others(event.activity.guests, situation.own):
        return _Gate(verdicts.NOT_ORGANISER)
    refusal = situation.refuses(apply_patch(event.activity.view, patch))
    if refusal:
        return _Gate(verdicts.blocked("not_held", refusal, "Simplify it, or name another calendar."))
    known = event.activity.guests
    added = _new_guests(patch)
    there = {guest.email for guest in known}
    unmailed = event.activity.unmailed | {guest.email for guest in added if guest.email not in there}
    gate = mail_gate(others(known | added, situation.own), situation, unmailed)
    return _Gate(gate.verdict, gate.hold, gate.mails)


def _new_guests(patch: Patch) -> frozenset[Guest]:
    return everyone_on({key: value for key, value in patch.items() if value is not None})


def _steps(merged: Merged, patch: Patch, overlay: Patch, gate: _Gate) -> tuple[Step, ...]:
    """The file first: what is read from the calendar is worth more than what is sent there."""
    steps: list[Step] = []
    agrees = dict(merged.agrees)
    if not patch and merged.to_calendar:
        agrees |= merged.calendar_agrees  # all of it lies under an overlay
    if agrees:
        steps.append(Agree(agrees))
    if merged.to_file and (gate.hold is None):
        steps.append(UpdateFile(merged.to_file, merged.file_agrees, "changed in the calendar"))
    if patch and not gate.is_shut:
        steps.append(UpdateEvent(patch, merged.calendar_agrees, overlay, "changed in the file", gate.mails))
    return tuple(steps)


def _verdict(  # noqa: PLR0913, PLR0917  all that there may be to tell
    clashes: tuple[Clash, ...],
    one_way: tuple[Clash, ...],
    gate: _Gate,
    file: FileNow,
    event: EventNow,
    unsaid: Collection[Key],
) -> Verdict:
    if one_way:
        return verdicts.ONE_WAY
    if any(clash.chosen is None for clash in clashes):
        return verdicts.CONFLICT
    if gate.verdict is not None:
        return gate.verdict
    if unsaid:
        return verdicts.unsayable(", ".join(sorted({key.field.value for key in unsaid})))
    return verdicts.linked(file.activity.view, event.activity)
