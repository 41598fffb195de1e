"""The meeting of two sides over one key: a truth table, its rows in the order in which they apply."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from daemon.core.fields import (
    NO_TITLE,
    ROWS,
    Kind,
    default,
    effective,
    equal,
    kind_of,
    moved,
    normal,
    pair_of,
    said,
    same,
)
from daemon.core.model import Base, Blank, Field, Key, Pair, Value, View
from daemon.core.plan import Clash, Side, blank_or
from daemon.core.threeway import Unmerged, merge_values

# Who wins a clash; None leaves it open.
Chooser = Callable[[Key], Side | None]
# What the calendar will show of a value of the file, where it can't hold all of it.
Shown = Callable[[Key, Value], Value]

_UNKNOWN = Pair(Blank.UNKNOWN, Blank.UNKNOWN)
_SETS = frozenset({Kind.ELEMENTS, Kind.GUESTS})


def leave_open(_key: Key) -> None:
    """The chooser that leaves every clash to its user."""


def as_it_is(_key: Key, value: Value) -> Value:
    """What a calendar shows that holds everything."""
    return value


@dataclass(frozen=True, slots=True)
class Met:
    """What came of one key: the words of both sides, and the pair that holds then (None: the old one stays).

    `after_file` and `after_calendar` are the pairs that hold if only that side is written of the two.
    """

    file: Value | None
    calendar: Value | None
    pair: Pair | None = None
    after_file: Pair | None = None
    after_calendar: Pair | None = None
    clash: Clash | None = None


class Case(NamedTuple):
    """One key as it was agreed and as both sides have it now."""

    key: Key
    pair: Pair
    file: Value | None
    calendar: Value | None

    @property
    def file_moved(self) -> bool:
        """Whether the file has changed it."""
        return moved(self.key, self.pair.file, self.file)

    @property
    def calendar_moved(self) -> bool:
        """Whether the calendar has changed it."""
        return moved(self.key, self.pair.calendar, self.calendar)

    def clash(self, chosen: Side | None) -> Clash:
        """The record that both sides changed it."""
        return Clash(self.key, self.pair.file, self.file, self.calendar, chosen)

    def stays(self, pair: Pair | None = None) -> Met:
        """Nothing to write on either side."""
        return Met(self.file, self.calendar, pair)

    def agreed(self) -> Met:
        """Both sides hold what they should."""
        return self.stays(pair_of(self.file, self.calendar))


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Both views and the rules; `file_says` and `calendar_says` grow with each key, the series before its instances."""

    base: Base
    file: View
    calendar: View
    unheld: Collection[Key] = ()
    file_lacks: Collection[Field] = ()
    chooser: Chooser = leave_open
    shown: Shown = as_it_is
    file_says: dict[Key, Value] = field(default_factory=dict)
    calendar_says: dict[Key, Value] = field(default_factory=dict)

    def case(self, key: Key) -> Case:
        """One key with all that is known of it."""
        return Case(key, self.base.pair(key), self.file.get(key), self.calendar.get(key))

    def meet(self, key: Key) -> Met:
        """Decide one key, and remember what both sides are to say."""
        met = self._decide(self.case(key))
        for says, value in ((self.file_says, met.file), (self.calendar_says, met.calendar)):
            if value is not None:
                says[key] = value
        return met

    def _decide(self, case: Case) -> Met:
        if case.key in self.unheld:
            return _unheld(case)
        if case.key.field in self.file_lacks:
            return case.stays(pair_of(None, case.calendar) if case.calendar_moved else None)
        if ROWS[case.key.field].file_decides:
            return self._file_decides(case)
        if case.pair.calendar is Blank.UNHELD:
            return self._held_at_last(case)
        return self._both_speak(case)

    def _file_decides(self, case: Case) -> Met:
        """What the calendar says of it is never news; where both never agreed, its user says which word stays."""
        if Blank.UNKNOWN in case.pair:
            return self._never_agreed(case)
        if not case.file_moved:
            return case.agreed() if case.calendar_moved else case.stays()
        return self._file_wins(case)

    def _never_agreed(self, case: Case) -> Met:
        if case.calendar is None or self._alike(case):
            return case.agreed()
        if case.pair == _UNKNOWN:
            return replace(case.stays(_UNKNOWN), clash=case.clash(None))
        return self._file_wins(case) if case.pair.file is Blank.UNKNOWN else _calendar_wins(case)

    def _file_wins(self, case: Case) -> Met:
        word = self._sent(case.key, case.file)
        return Met(case.file, word, pair_of(case.file, word))

    def _held_at_last(self, case: Case) -> Met:
        """A key that the calendar had no half of, and that may be sent now: the file's next change goes out."""
        if not case.file_moved:
            return case.stays()
        if case.file is not None and kind_of(case.key) in _SETS:
            added = merge_values(case.key, pair_of(None, case.calendar), case.file, case.calendar)
            if isinstance(added, Unmerged):
                return case.stays()
            return Met(case.file, added.calendar, pair_of(case.file, added.calendar))
        return self._file_wins(case)

    def _both_speak(self, case: Case) -> Met:
        we, they = case.file_moved, case.calendar_moved
        if not we and not they and not _answers_moved(case):
            return self._untouched(case)
        if self._shows_the_same(case):
            return case.agreed()
        if case.pair == _UNKNOWN:
            return replace(case.stays(_UNKNOWN), clash=case.clash(None))
        return self._two_changes(case) if we and they else self._one_change(case)

    def _untouched(self, case: Case) -> Met:
        if case.key.instance is not None:
            return self._series_moved(case)
        if case.key.field is Field.BUSY and case.file is None:
            return self._default_moved(case)
        return case.stays()

    def _default_moved(self, case: Case) -> Met:
        """What the file leaves to its default follows, where the file itself became all-day or timed."""
        when = self.case(Key(Field.WHEN))
        was = said(when.pair.file)
        before = default({} if was is None else {when.key: was}, case.key.field)
        word = effective(self.file_says, case.key)
        if was is None or not when.file_moved or case.calendar != before or word == before:
            return case.stays()
        return Met(None, word, pair_of(None, word))

    def _series_moved(self, case: Case) -> Met:
        """Nobody touched this key; but an instance that one side spells out and the other inherits may differ now.

        A value equal to the series' counts as inherited: it follows where the side that inherits changed the
        series, and is spelt out there where its own side did.
        """
        spelt, blank = (Side.FILE, Side.CALENDAR) if case.calendar is None else (Side.CALENDAR, Side.FILE)
        if (case.file is None) == (case.calendar is None) or self._alike(case):
            return case.stays()
        series = self.case(Key(case.key.field))
        moved_by = {Side.FILE: series.file_moved, Side.CALENDAR: series.calendar_moved}
        if moved_by[blank] and not moved_by[spelt]:
            return Met(None, None, pair_of(None, None))
        return self._chosen(case, spelt) if moved_by[spelt] else case.stays()

    def _shows_the_same(self, case: Case) -> bool:
        """Whether nothing need be written although something moved.

        The file's word goes out even where it only says the default: its user wrote it down. Guests of an
        agreed list are always merged, for their answers.
        """
        if kind_of(case.key) is Kind.GUESTS and case.pair != _UNKNOWN:
            return False
        typed = case.calendar is None and case.key.instance is None and normal(case.key, case.file) is not None
        if typed and case.file_moved and not case.calendar_moved:
            return False
        return self._alike(case)

    def _alike(self, case: Case) -> bool:
        """Whether both sides show the same, whichever of them says so and whichever leaves it to a default."""
        plain = Key(case.key.field)
        if case.file is None and case.calendar is None:
            return True
        if case.file is None:
            return equal(plain, effective(self.file_says, case.key), case.calendar)
        if case.calendar is None:
            return equal(plain, case.file, effective(self.calendar_says, case.key))
        return any(equal(plain, word, case.calendar) for word in (case.file, self.shown(case.key, case.file)))

    def _one_change(self, case: Case) -> Met:
        """Carry one side's change over: of a set what it added and removed, of anything else the whole."""
        met = self._merged(case) if kind_of(case.key) in _SETS else None
        if met:
            return met
        if case.file_moved:
            return self._file_wins(case)
        return _calendar_wins(case)

    def _two_changes(self, case: Case) -> Met:
        met = self._merged(case)
        if met:
            return met
        side = self.chooser(case.key)
        if side is None:
            return replace(case.stays(), clash=case.clash(None))
        guests = self._merged(case, side) if kind_of(case.key) is Kind.GUESTS else None
        return replace(guests or self._chosen(case, side), clash=case.clash(side))

    def _chosen(self, case: Case, side: Side) -> Met:
        if side is Side.FILE:
            return self._file_wins(case)
        return _calendar_wins(case)

    def _merged(self, case: Case, prefer: Side | None = None) -> Met | None:
        """Both changes together, with the pairs that hold while only one of them has come over."""
        key, pair, file, calendar = case
        inherits = key.instance is not None and (file is None or calendar is None)
        if Blank.UNKNOWN in pair or inherits:  # an instance that goes back to its series has no elements to merge
            return None
        merged = merge_values(key, pair, file, calendar, prefer)
        ours = merge_values(key, pair, file, said(pair.calendar), prefer)
        theirs = merge_values(key, pair, said(pair.file), calendar, prefer)
        if isinstance(merged, Unmerged) or isinstance(ours, Unmerged) or isinstance(theirs, Unmerged):
            return None
        word = self._sent(key, merged.calendar) if case.file_moved else merged.calendar
        return Met(
            merged.file,
            word,
            pair_of(merged.file, word),
            after_file=pair_of(theirs.file, calendar),
            after_calendar=pair_of(file, ours.calendar),
        )

    def _sent(self, key: Key, value: Value | None) -> Value | None:
        """What the calendar is to say of the file's word; the file's silence may have to be spelt out there."""
        if key.field is Field.SUBJECT and isinstance(value, str) and not normal(key, value):
            value = None if key.instance is None else ""  # `(no title)` stays without one
        if value is None and key.instance is None and ROWS[key.field].always_shown:
            return effective({**self.file, **self.file_says}, key)
        return None if value is None else self.shown(key, value)


def _calendar_wins(case: Case) -> Met:
    """The file takes the calendar's word; a subject is the one thing that it can't be without."""
    word = case.calendar
    if case.key.field is Field.SUBJECT and normal(Key(Field.SUBJECT), word) is None:
        word = NO_TITLE if case.key.instance is None or word is not None else None
    return Met(word, case.calendar, pair_of(word, case.calendar))


def _unheld(case: Case) -> Met:
    settled = case.pair.calendar is Blank.UNHELD or (case.file is None and case.pair.file is Blank.ABSENT)
    if settled and not case.file_moved:
        return case.stays()
    return case.stays(Pair(blank_or(case.file), Blank.UNHELD))


def _answers_moved(case: Case) -> bool:
    if kind_of(case.key) is not Kind.GUESTS or Blank.UNKNOWN in case.pair:
        return False
    return not same(case.key, said(case.pair.calendar), case.calendar)
