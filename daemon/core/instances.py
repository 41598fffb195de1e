"""What binds the keys of single instances to their series: inheritance, removal, and the end of a series."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from daemon.core.expansion import TooMuchWork, Walk, forwards, is_expandable
from daemon.core.fields import ROWS, effective, equal, moved, said
from daemon.core.model import Base, Blank, Field, Key, Original, Value, View, text_of, when_of
from daemon.core.plan import Side
from daemon.core.times import bound_of, rule_in, wall_start

# Whether a series, as a view tells it, has an instance with this original start.
Occurs = Callable[[View, Original], bool]

REPEAT = Key(Field.REPEAT)
SKIP = Key(Field.SKIP)
WHEN = Key(Field.WHEN)
SERIES = frozenset({REPEAT, SKIP, WHEN})  # what says which instances there are


def occurs(view: View, original: Original) -> bool:
    """Whether the series that a view tells has an instance of this name; True where that can't be told."""
    when = when_of(view)
    if when is None:
        return True
    if not text_of(view, Field.REPEAT):
        return False
    rule = rule_in(view)
    if rule is None or not is_expandable(rule):
        return True
    start, bound = wall_start(when), bound_of(rule, when)
    timed, day = isinstance(original, datetime), original.date() if isinstance(original, datetime) else original
    if (start if timed else start.date()) == original:  # RFC 5545 section 3.8.5.3: DTSTART is the first, fit or not
        return True
    try:
        for moment in forwards(rule, start, Walk(), since=day):
            if moment.date() > day or (bound is not None and moment > bound):
                return False
            if (moment if timed else moment.date()) == original:
                return True
    except TooMuchWork:
        return True
    return False


def strays(view: View) -> frozenset[Original]:
    """The instances of which a view says something, and which its series (or what is none) does not have."""
    return frozenset(original for original in every_original(view) if not occurs(view, original))


def every_original(keys: Iterable[Key]) -> set[Original]:
    """The instances that keys name."""
    return {key.instance for key in keys if key.instance is not None}


def own(view: View) -> dict[Key, Value]:
    """The view without what an instance repeats of its series: a value equal to the master's counts as inherited."""
    series = {key: value for key, value in view.items() if key.instance is None}
    return {
        key: value
        for key, value in view.items()
        if key.instance is None or not equal(Key(key.field), value, effective(series, key))
    }


def skipped(value: Value | None) -> frozenset[Original]:
    """The originals that a `skip` leaves out."""
    items = value if isinstance(value, frozenset) else frozenset()
    return frozenset(item for item in items if isinstance(item, date))


def without_skipped(view: View, skip: Value | None) -> View:
    """The view without what it says of instances that are left out: no calendar has a place for that."""
    out = skipped(skip)
    return {key: value for key, value in view.items() if key.instance not in out} if out else view


def _edited(base: Base, side: Side, view: View, original: Original) -> bool:
    """Whether a side has changed what it says about an instance that it still has."""
    keys = {key for key in (*base.pairs, *view) if key.instance == original}
    if side is Side.CALENDAR:
        keys = {key for key in keys if not ROWS[key.field].file_decides}
    return _changed(base, side, view, keys)


def revive(base: Base, side: Side, view: View, other: View, unheld: Collection[Key] = ()) -> View:
    """The view of `side` as if it had not removed those instances that the other side has edited since.

    They come back as they were agreed, without the keys in `unheld`.
    """
    half = getattr(base.pair(SKIP), side.value)
    if half is Blank.UNKNOWN:
        return view
    removed = skipped(view.get(SKIP)) - skipped(said(half)) - skipped(other.get(SKIP))
    back = {original for original in removed if _edited(base, side.other, other, original)}
    if not back:
        return view
    revived = dict(view)
    revived[SKIP] = skipped(view.get(SKIP)) - back
    for key, pair in base.pairs.items():
        value = said(getattr(pair, side.value))
        if key.instance in back and value is not None and key not in unheld:
            revived.setdefault(key, value)
    return revived


@dataclass(frozen=True, slots=True)
class Ended:
    """Instances that one side's change of the series has ended (its `skip` too, if so), and which side that was."""

    by: Side
    originals: frozenset[Original]
    skip: bool = False


def _changed(base: Base, side: Side, view: View, keys: Iterable[Key]) -> bool:
    halves = {key: getattr(base.pair(key), side.value) for key in keys}
    return any(half is not Blank.UNKNOWN and moved(key, half, view.get(key)) for key, half in halves.items())


def ended(base: Base, before: Mapping[Side, View], after: Mapping[Side, View], occurs: Occurs | None) -> Ended | None:
    """What a change of the series ended: everything where it no longer repeats, else what no longer occurs.

    What the file alone says of days on which the series has no instance stays there, and is not sent.
    """
    file, calendar = before[Side.FILE], before[Side.CALENDAR]
    originals = every_original((*base.pairs, *file, *calendar))
    if not any(REPEAT in view for view in after.values()):
        if any(said(half) is not None for half in base.pair(REPEAT)):
            return _no_longer_series(base, calendar, frozenset(originals))
        return _not_yet_series(base, calendar, frozenset(originals))
    if occurs is None or not all(equal(key, *(view.get(key) for view in after.values())) for key in (REPEAT, WHEN)):
        return None
    outside = {original for original in originals if not occurs(after[Side.FILE], original)}
    changer = next((side for side in Side if _changed(base, side, before[side], [REPEAT, WHEN])), None)
    if changer is Side.FILE:
        return Ended(Side.FILE, frozenset(outside)) if outside else None
    outside -= every_original(calendar)  # what the calendar has there is its own
    if changer is None:
        outside -= {
            key.instance for key, pair in base.pairs.items() if key.instance and said(pair.calendar) is not None
        }
    return Ended(changer or Side.FILE, frozenset(outside)) if outside else None


def _no_longer_series(base: Base, calendar: View, originals: frozenset[Original]) -> Ended | None:
    """The rule is gone. A calendar may go on with instances that no rule names which Datebook understands (RDATE)."""
    if not _changed(base, Side.CALENDAR, calendar, [REPEAT]):
        return Ended(Side.FILE, originals, skip=True)
    return None if every_original(calendar) else Ended(Side.CALENDAR, originals)


def _not_yet_series(base: Base, calendar: View, originals: frozenset[Original]) -> Ended | None:
    """Where nobody but the file speaks of instances, of a series that is none (yet), that is not sent."""
    if not base.complete:
        return None
    known = {key for key, pair in base.pairs.items() if said(pair.calendar) is not None} | calendar.keys()
    return None if every_original(known) else Ended(Side.FILE, originals, skip=SKIP not in known)
