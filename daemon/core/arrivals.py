"""Something that is on one side only: a new file, or a new event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from daemon.core import verdicts
from daemon.core.deletions import done_goes
from daemon.core.eligible import Eligibility, eligible
from daemon.core.fields import equal
from daemon.core.making import make_event, project, words_missing
from daemon.core.merge import first_contact
from daemon.core.model import Activity, Blank, Field, Key, Local, Pair, View, when_of
from daemon.core.naming import place
from daemon.core.overlay import recognise
from daemon.core.plan import CreateFile, Decision, Hold, Link, Verdict, blank_or
from daemon.core.policy import Backlog
from daemon.core.projection import incoming
from daemon.core.situation import EventNow, FileNow, Situation, organised_by_others, without_us
from daemon.core.store import Seen
from daemon.core.tombstones import yields

_TIMES = frozenset({Field.WHEN, Field.REPEAT, Field.SKIP})


def new_file(
    file: FileNow, tombstone: str | None, situation: Situation, like: Seen | None = None, reason: str = "a new file"
) -> Decision:
    """A file that is in no calendar yet, or leaves the one in which its event is, or was, `like` this."""
    if (early := _stays_here(file, tombstone, situation)) is not None:
        return early
    first = file.backlog or situation.rebuilding  # no first import ever mails anybody
    made = make_event(file, situation, reason, guests=not first, like=like)
    if isinstance(made, Verdict):
        return Decision(made)
    verdict, hold = _first_import(file.backlog, situation) or (made.gate.verdict, made.gate.hold)
    return Decision(verdict or verdicts.waiting("creating", "It goes out now."), (made.step,), hold=hold)


def _first_import(backlog: bool, situation: Situation) -> tuple[Verdict, Hold] | None:  # noqa: FBT001  a fact about the item
    """Whether what is on one side only waits for a word because it was there before, or the journal was lost."""
    if backlog and situation.rebuilding:
        return verdicts.HELD_REBUILD, Hold.REBUILD
    if backlog and situation.route.backlog is Backlog.ASK:
        return verdicts.HELD_FIRST, Hold.FIRST_IMPORT
    return None


def _stays_here(file: FileNow, tombstone: str | None, situation: Situation) -> Decision | None:
    if file.missing or file.broken:
        return Decision(verdicts.BROKEN if file.broken else verdicts.GONE)
    if not situation.route.sends:
        return Decision(verdicts.NOT_SENT)
    if file.activity.local.masked:
        return Decision(verdicts.MASKED)
    if done_goes(file, situation):
        return Decision(verdicts.DONE_DELETED)
    if file.activity.frozen:
        reason = next(iter(file.activity.frozen.values()))
        return Decision(verdicts.blocked("not_understood", reason, "Simplify it; nothing of it is approximated."))
    if tombstone is not None:
        return Decision(verdicts.REMEMBERED)
    verdict = _eligibility(file.activity, file.backlog, situation)
    return Decision(verdict) if verdict else None


def _eligibility(activity: Activity, backlog: bool, situation: Situation) -> Verdict | None:  # noqa: FBT001  a fact about the item
    match eligible(activity, situation.route, connected=situation.connected, zone=situation.zone, backlog=backlog):
        case Eligibility.OVER:
            return verdicts.OVER
        case Eligibility.BEFORE:
            return verdicts.EXISTED_BEFORE
        case Eligibility.YES:
            return None


def new_event(event: EventNow, tombstone: str | None, situation: Situation) -> Decision:
    """An event that has no file yet."""
    if event.gone:
        return Decision(verdicts.GONE)
    if not situation.route.receives:
        return Decision(verdicts.NOT_RECEIVED)
    if tombstone is not None and not yields(tombstone):
        return Decision(verdicts.REMEMBERED)
    if when_of(event.activity.view) is None:
        return Decision(verdicts.blocked("no_time", "The event has no time.", "Give it one in the calendar."))
    if (verdict := _eligibility(event.activity, event.backlog, situation)) is not None:
        return Decision(verdict)
    known = replace(event.activity, view=without_us(event.activity.view, situation.own))
    arrival = incoming(known, route=situation.route, types=situation.types)
    if arrival is None:
        return Decision(verdicts.PRIVATE_SKIPPED)
    local = Local(masked=arrival.masked, owner=_owner(event.activity, situation))
    uid, masked = event.activity.uid, arrival.masked
    where = place(situation.route, arrival.view, uid, shared=situation.shared, masked=masked)
    agrees = {
        key: Pair(arrival.view.get(key, Blank.ABSENT), known.view.get(key, Blank.ABSENT))
        for key in {*arrival.view, *known.view}
    }
    step = CreateFile(where, arrival.view, local, agrees, "a new event", secret=arrival.secret)
    shown = verdicts.SYNCED if masked else verdicts.linked(arrival.view, event.activity)
    verdict, hold = _first_import(event.backlog, situation) or (shown, None)
    return Decision(verdict, (step,), hold=hold)


def _owner(activity: Activity, situation: Situation) -> str | None:
    """In a shared store an incoming file says whose it is: the organiser's, where that is one of us."""
    if not situation.shared or not situation.own:
        return None
    if organised_by_others(activity.guests, situation.own):
        return next((guest.email for guest in activity.guests if guest.organizer), None)
    return min(situation.own)


def encounter(file: FileNow, event: EventNow, situation: Situation) -> Decision:
    """A file and an event with one uid that were never linked: equal pairs link, unequal ones are conflicts."""
    if file.activity.local.masked:
        return Decision(verdicts.SYNCED, (Link(_masked_pairs(file, event), {}, "the same uid on both sides"),))
    if event.remembered is not None and event.remembered.complete:
        known = event.remembered
        return Decision(verdicts.SYNCED, (Link(known.pairs, known.overlay, "they were linked before"),))
    out = project(file, event, situation)
    named = any(guest.organizer for guest in file.activity.guests)
    there = event.activity.view if named else without_us(event.activity.view, situation.own)
    shown, overlay = recognise(_with_types(there, situation), file.activity.view, out.cover)
    unheld = out.unheld | event.activity.frozen.keys()
    merged = first_contact(file.activity.view, shown, unheld=unheld, shown=out.shown, file_lacks=words_missing(file))
    link = Link(merged.agrees, overlay, "the same uid on both sides")
    verdict = verdicts.CONFLICT if merged.clashes else verdicts.linked(file.activity.view, event.activity)
    return Decision(verdict, (link,), merged.clashes)


def _with_types(view: View, situation: Situation) -> View:
    """The view without the words that an event is filed under and that are no types here: they say nothing of it."""
    known = {name.casefold() for name in situation.types}
    return {
        key: value
        for key, value in view.items()
        if key.field is not Field.TYPE or (isinstance(value, str) and value.casefold() in known)
    }


def _masked_pairs(file: FileNow, event: EventNow) -> Mapping[Key, Pair]:
    """Of a private event only the times are compared, and the calendar's count."""
    pairs = {}
    for key in {*file.activity.view, *event.activity.view}:
        here, there = file.activity.view.get(key), event.activity.view.get(key)
        differs = key.field in _TIMES and not equal(key, here, there)
        pairs[key] = Pair(blank_or(here), Blank.UNKNOWN if differs else blank_or(there))
    return pairs
