"""The merge: what each side is to say, key by key, given what both said when they last agreed.

A side has changed a key only if it differs from its own half of the pair. What one side changed goes to
the other; what both changed to the same is agreed; what both changed differently is merged where the
field can be (sets, guests, lines), else it is a clash, which `chooser` decides or leaves open.

Of two sides of which one edits an instance and the other removes it from the series, the edit wins. A
series that stops being one takes its instances with it; what the other side had edited in them is a clash.
What a side says of an instance that it leaves out stays there, and counts as not said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from daemon.core.fields import equal, moved, order, same
from daemon.core.instances import SKIP, Ended, Occurs, ended, revive, skipped, without_skipped
from daemon.core.key_table import Chooser, KeyTable, Met, Shown, as_it_is, leave_open
from daemon.core.model import Base, Blank, Field, Key, Original, Pair, Patch, Value, View
from daemon.core.plan import Clash, Side, blank_or

_T = TypeVar("_T")
_NOTHING = Pair(Blank.ABSENT, Blank.ABSENT)


@dataclass(frozen=True, slots=True)
class Merged:
    """What to write on each side, and which pairs hold after which writes.

    `agrees` hold without a write; `file_agrees` once `to_file` is written; `calendar_agrees` once
    `to_calendar` is written. A key that is written on both sides stands in both, each time with the pair that
    is true if the other write never happens, and in `both_agrees` with the one that is true after both.
    A clash that was decided is in `clashes` with its loser; one left open is in neither patch, and its pair stays.
    """

    to_file: Patch = field(default_factory=dict)
    to_calendar: Patch = field(default_factory=dict)
    agrees: Mapping[Key, Pair] = field(default_factory=dict)
    file_agrees: Mapping[Key, Pair] = field(default_factory=dict)
    calendar_agrees: Mapping[Key, Pair] = field(default_factory=dict)
    both_agrees: Mapping[Key, Pair] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()

    @property
    def open(self) -> tuple[Clash, ...]:
        """The clashes that their user must decide."""
        return tuple(clash for clash in self.clashes if clash.chosen is None)

    def without(self, side: Side, keys: Collection[Key] | None = None) -> Merged:
        """The same with these keys (None: all) not written on `side`; their pairs stay, so they come up again."""
        both = _left(self.both_agrees, keys)
        if side is Side.FILE:
            to_file, agrees = _left(self.to_file, keys), _left(self.file_agrees, keys)
            return replace(self, to_file=to_file, file_agrees=agrees, both_agrees=both)
        to_calendar, agrees = _left(self.to_calendar, keys), _left(self.calendar_agrees, keys)
        return replace(self, to_calendar=to_calendar, calendar_agrees=agrees, both_agrees=both)


def _left(table: Mapping[Key, _T], keys: Collection[Key] | None) -> dict[Key, _T]:
    return {key: item for key, item in table.items() if keys is not None and key not in keys}


def merge(  # noqa: PLR0913  the three views, and the rules by name
    base: Base,
    file: View,
    calendar: View,
    *,
    unheld: Collection[Key] = (),
    chooser: Chooser = leave_open,
    shown: Shown = as_it_is,
    file_lacks: Collection[Field] = (),
    occurs: Occurs | None = None,
) -> Merged:
    """Merge two views of one activity.

    `unheld` are keys that the calendar can't hold or may not be sent. `shown` is what it holds of a value
    (fewer reminders). `file_lacks` are fields that the file has no word for: the calendar's changes of them
    only move the pair. `occurs`, if given, lets a changed rule end instances that the other side edited.

    A patch may clear `when` on the calendar: the caller decides what an activity without a date means.
    """
    ours, theirs = file, calendar
    if SKIP not in unheld:
        ours = revive(base, Side.FILE, file, calendar)
        theirs = revive(base, Side.CALENDAR, calendar, file, unheld)
        file, ours = (without_skipped(view, ours.get(SKIP)) for view in (file, ours))
        calendar, theirs = (without_skipped(view, theirs.get(SKIP)) for view in (calendar, theirs))
    table = KeyTable(base, ours, theirs, unheld, file_lacks, chooser, shown)
    keys = sorted({*base.pairs, *ours, *theirs}, key=order)
    met = {key: table.meet(key) for key in keys}
    end = ended(base, {Side.FILE: ours, Side.CALENDAR: theirs}, _says(table), occurs)
    if end:
        met |= {key: _end(table, end.by, key) for key in keys if _ends(end, key)}
    merged = _collect(base, file, calendar, met)
    merged = _tied(merged, _back(file, ours), Side.FILE)
    return _tied(merged, _back(calendar, theirs), Side.CALENDAR)


def _back(view: View, revived: View) -> frozenset[Original]:
    return skipped(view.get(SKIP)) - skipped(revived.get(SKIP))


def _says(table: KeyTable) -> Mapping[Side, View]:
    return {Side.FILE: table.file_says, Side.CALENDAR: table.calendar_says}


def _ends(end: Ended, key: Key) -> bool:
    return key.instance in end.originals or (end.skip and key == SKIP)


def _end(table: KeyTable, by: Side, key: Key) -> Met:
    """A key of an instance that is no more: gone on the other side; what was edited there is a clash."""
    case = table.case(key)
    word, half = (case.calendar, case.pair.calendar) if by is Side.FILE else (case.file, case.pair.file)
    clash = case.clash(by) if word is not None and moved(key, half, word) else None
    pair = None if case.pair == _NOTHING and word is None else _NOTHING
    if by is Side.FILE:
        return Met(case.file, None, pair, clash=clash)
    return Met(None, case.calendar, pair, clash=clash)


def _collect(base: Base, file: View, calendar: View, met: Mapping[Key, Met]) -> Merged:
    """Sort what came of the keys by the writes that they need."""
    to_file = {key: _word(key, one.file) for key, one in met.items() if not same(key, file.get(key), one.file)}
    to_calendar = {
        key: _word(key, one.calendar) for key, one in met.items() if not equal(key, calendar.get(key), one.calendar)
    }
    pairs = {key: one.pair for key, one in met.items() if one.pair is not None}
    both = to_file.keys() & to_calendar.keys()
    either = to_file.keys() | to_calendar.keys()
    file_only = {key: one.after_file for key, one in met.items() if key in both and one.after_file}
    calendar_only = {key: one.after_calendar for key, one in met.items() if key in both and one.after_calendar}
    return Merged(
        to_file,
        to_calendar,
        agrees={key: pair for key, pair in pairs.items() if key not in either and base.pairs.get(key) != pair},
        file_agrees={**{key: pairs[key] for key in pairs.keys() & to_file.keys() - both}, **file_only},
        calendar_agrees={**{key: pairs[key] for key in pairs.keys() & to_calendar.keys() - both}, **calendar_only},
        both_agrees={key: pairs[key] for key in pairs.keys() & both},
        clashes=tuple(one.clash for one in met.values() if one.clash),
    )


def _tied(merged: Merged, back: Collection[Original], side: Side) -> Merged:
    """What is agreed of instances that come back holds only once they are back on the side that had left them out.

    Else, if that write fails, the edit that brings them back would be forgotten.
    """
    tied = {key: pair for key, pair in merged.agrees.items() if key.instance in back}
    agrees = _left(merged.agrees, tied)
    if side is Side.FILE:
        return replace(merged, agrees=agrees, file_agrees={**merged.file_agrees, **tied})
    return replace(merged, agrees=agrees, calendar_agrees={**merged.calendar_agrees, **tied})


def _word(key: Key, value: Value | None) -> Value | None:
    """What a patch says: nothing for an empty value, save of an instance, where that differs from its series."""
    return value if value or key.instance is not None else None


def first_contact(
    file: View,
    calendar: View,
    *,
    unheld: Collection[Key] = (),
    shown: Shown = as_it_is,
    file_lacks: Collection[Field] = (),
) -> Merged:
    """Merge two views that never agreed: nothing is written, equal pairs agree, unequal ones are open clashes.

    `agrees` has a pair for every key of either view, an unknown one for a clash: a base made of it is complete.
    """
    return merge(Base(complete=False), file, calendar, unheld=unheld, shown=shown, file_lacks=file_lacks)


def apply_patch(view: View, patch: Patch) -> View:
    """The view with the patch carried out."""
    patched = {**view, **patch}
    return {key: value for key, value in patched.items() if value is not None}


def differences(before: View, after: View) -> Patch:
    """The patch that turns what `before` means into what `after` means; spelling alone is no difference."""
    keys = sorted({*before, *after}, key=order)
    return {key: after.get(key) for key in keys if not same(key, before.get(key), after.get(key))}


def advance(base: Base, *agrees: Mapping[Key, Pair]) -> Base:
    """The base with these pairs agreed, later ones over earlier ones."""
    pairs = dict(base.pairs)
    for table in agrees:
        pairs |= table
    if base.complete:
        pairs = {key: pair for key, pair in pairs.items() if pair != _NOTHING}
    return replace(base, pairs=pairs)


def keeping(clash: Clash, side: Side) -> Pair:
    """The pair that lets the next merge carry the kept side's value over: only that side counts as changed."""
    if side is Side.FILE:
        return Pair(Blank.UNKNOWN, blank_or(clash.calendar))
    return Pair(blank_or(clash.file), Blank.UNKNOWN)
