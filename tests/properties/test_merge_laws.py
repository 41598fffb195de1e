"""Laws of the merge, over random activities, series and guests among them, and one exhaustive oracle."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.fields import ROWS, Kind, effective, equal, guests_by_address, kind_of, order
from daemon.core.merge import Merged, advance, apply_patch, differences, first_contact, merge
from daemon.core.model import (
    AllDay,
    Answer,
    Base,
    Blank,
    Busy,
    Field,
    Guest,
    Key,
    Pair,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
)
from daemon.core.plan import Side

HOUR = timedelta(hours=1)
ANNA, OLEG = "anna@romashka.example", "oleg@romashka.example"
WEEKS = (date(2026, 12, 7), date(2026, 12, 14))


def guests(*people: Guest) -> frozenset[Guest]:
    return frozenset(people)


# Four different values of each field; the first is the one that both sides agreed on where a test needs one.
VALUES: Mapping[Field, tuple[Value, ...]] = {
    Field.SUBJECT: ("Pipeline review", "Pilot", "Kick-off", "Renewal"),
    Field.TYPE: ("call", "lunch", "task", "email"),
    Field.WHEN: (
        Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", HOUR),
        Timed(datetime(2026, 11, 30, 10), "Europe/Moscow", HOUR),
        Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", 2 * HOUR),
        AllDay(date(2026, 11, 30)),
    ),
    Field.LOCATION: ("room 1", "room 2", "room 3", "at Anna's"),
    Field.MEETING_URL: tuple(f"https://meet.example.com/{n}" for n in range(4)),
    Field.DESCRIPTION: ("one\ntwo\nthree", "one\ntwo\nthree\nfour", "zero\none\ntwo\nthree", "one\nTWO\nthree"),
    Field.ATTENDEES: (
        guests(Guest(ANNA)),
        guests(Guest(ANNA), Guest(OLEG, "Oleg")),
        guests(Guest(ANNA, optional=True)),
        guests(Guest(OLEG, answer=Answer.ACCEPTED)),
    ),
    Field.BUSY: (Busy.OOF, Busy.BUSY, Busy.FREE, Busy.TENTATIVE),
    Field.PRIVATE: (Privacy.PRIVATE, Privacy.CONFIDENTIAL, Privacy.PUBLIC),
    Field.PRIORITY: (Priority.HIGH, Priority.LOW, Priority.MEDIUM),
    Field.STATUS: (Status.TENTATIVE, Status.CANCELLED, Status.CONFIRMED),
    Field.REMINDERS: tuple(frozenset(set_) for set_ in ({HOUR}, {HOUR, 2 * HOUR}, {3 * HOUR}, {2 * HOUR})),
    Field.REPEAT: tuple(f"FREQ=WEEKLY;COUNT={n}" for n in (10, 11, 12, 13)),
    Field.SKIP: tuple(
        frozenset(days)
        for days in ({date(2027, 1, 4)}, {date(2027, 1, 4), date(2027, 1, 11)}, {date(2027, 1, 18)}, {WEEKS[1]})
    ),
    Field.CATEGORIES: tuple(frozenset(words) for words in ({"a"}, {"a", "b"}, {"c"}, {"b"})),
}
SERIES_KEYS = tuple(Key(name) for name in Field)
INSTANCE_KEYS = tuple(Key(name, week) for week in WEEKS for name in Field if ROWS[name].per_instance)
KEYS = SERIES_KEYS + INSTANCE_KEYS
CHOICES = (None, Side.FILE, Side.CALENDAR)


def consistent(view: View) -> View:
    """Nobody leaves an instance out and changes it."""
    skipped = view.get(Key(Field.SKIP), frozenset())
    assert isinstance(skipped, frozenset)
    return {key: value for key, value in view.items() if key.instance not in skipped}


def draw_view(draw: st.DrawFn, keys: tuple[Key, ...]) -> View:
    view = {}
    for key in draw(st.lists(st.sampled_from(keys), unique=True, max_size=8)):
        view[key] = draw(st.sampled_from(VALUES[key.field]))
    if any(key.instance for key in view):
        view[Key(Field.REPEAT)] = draw(st.sampled_from(VALUES[Field.REPEAT]))
    return consistent(view)


def draw_edit(draw: st.DrawFn, view: View, keys: tuple[Key, ...]) -> View:
    edited = dict(view)
    for key in draw(st.lists(st.sampled_from(keys), unique=True, max_size=5)):
        value = draw(st.sampled_from((None, *VALUES[key.field])))
        if value is None:
            edited.pop(key, None)
        else:
            edited[key] = value
    return consistent(edited)


@st.composite
def meetings(draw: st.DrawFn, keys: tuple[Key, ...] = KEYS) -> tuple[Base, View, View]:
    """What both sides agreed on, and each side after some edits of its own. A series where no key is `repeat`."""
    agreed = draw_view(draw, keys)
    if Key(Field.REPEAT) not in keys:
        agreed = {**agreed, Key(Field.REPEAT): VALUES[Field.REPEAT][0]}
    base = Base({key: Pair(value, value) for key, value in agreed.items()})
    return base, draw_edit(draw, agreed, keys), draw_edit(draw, agreed, keys)


choosers = st.sampled_from(CHOICES).map(lambda side: lambda _key: side)


def written(base: Base, merged: Merged) -> Base:
    """The base after every write of a merge."""
    return advance(base, merged.agrees, merged.file_agrees, merged.calendar_agrees, merged.both_agrees)


def after(file: View, calendar: View, merged: Merged) -> tuple[View, View]:
    return apply_patch(file, merged.to_file), apply_patch(calendar, merged.to_calendar)


def shuffled(view: View) -> View:
    return dict(sorted(view.items(), key=lambda item: repr(item[0]), reverse=True))


@given(meetings(), choosers)
def test_the_same_views_give_the_same_merge_in_whatever_order_their_keys_stand(views, chooser):
    base, file, calendar = views
    again = merge(Base(shuffled(base.pairs)), shuffled(file), shuffled(calendar), chooser=chooser)
    assert merge(base, file, calendar, chooser=chooser) == again


def show_the_same(file: View, calendar: View, key: Key) -> bool:
    return equal(Key(key.field), effective(file, key), effective(calendar, key))


def comparable(key: Key, merged: Merged, views: tuple[View, ...]) -> bool:
    """Whether a law of agreement applies: no open clash, no type, no instance of what is no series."""
    if key.field is Field.TYPE or key in {clash.key for clash in merged.open}:
        return False
    if Key(key.field) in {clash.key for clash in merged.open}:
        return False
    if Key(Field.WHEN) in {clash.key for clash in merged.open} and key.field in {Field.BUSY, Field.WHEN}:
        return False
    return (key.instance is None and key.field is not Field.SKIP) or all(Key(Field.REPEAT) in view for view in views)


@given(meetings(), choosers)
@settings(max_examples=400)
def test_after_both_writes_both_sides_show_the_same_save_open_clashes(views, chooser):
    base, file, calendar = views
    merged = merge(base, file, calendar, chooser=chooser)
    ours, theirs = after(file, calendar, merged)
    different = [
        key
        for key in {*base.pairs, *file, *calendar}
        if comparable(key, merged, (ours, theirs)) and not show_the_same(ours, theirs, key)
    ]
    assert not different


@given(meetings(), choosers)
@settings(max_examples=400)
def test_merging_again_writes_nothing_and_finds_no_new_clash(views, chooser):
    base, file, calendar = views
    merged = merge(base, file, calendar, chooser=chooser)
    ours, theirs = after(file, calendar, merged)
    again = merge(written(base, merged), ours, theirs, chooser=chooser)
    assert (again.to_file, again.to_calendar) == ({}, {})
    assert [clash.key for clash in again.clashes] == [clash.key for clash in merged.open]


@given(meetings(), choosers, st.sampled_from(Side))
@settings(max_examples=400)
def test_a_write_that_fails_changes_nothing_about_where_both_sides_end(views, chooser, failing):
    base, file, calendar = views
    whole = merge(base, file, calendar, chooser=chooser)
    half = whole.without(failing)
    now = after(file, calendar, half)
    moved = written(base, half)
    rest = merge(moved, *now, chooser=chooser)
    ends, planned = after(*now, rest), after(file, calendar, whole)
    assert not differences(planned[0], ends[0])
    assert not differences(planned[1], ends[1])
    final = merge(written(moved, rest), *ends, chooser=chooser)
    assert (final.to_file, final.to_calendar) == ({}, {})


def parts(key: Key, value: Value | None) -> set[object]:
    """What of a value must not get lost: the lines, the elements, the addresses, or the value itself."""
    if value is None:
        return set()
    match kind_of(key):
        case Kind.LINES:
            return set(str(value).split("\n"))
        case Kind.ELEMENTS:
            assert isinstance(value, frozenset)
            return set(value)
        case Kind.GUESTS:
            return {(email, guest.optional) for email, guest in guests_by_address(value).items()}
        case Kind.SCALAR:
            return {value}


def kept(key: Key, merged: Merged, views: tuple[View, ...]) -> set[object]:
    """All that can still be found of a key: on either side, or in a clash."""
    values = [value for view in views for value in (view.get(key), effective(view, key))]
    values += [value for clash in merged.clashes if clash.key == key for value in (clash.file, clash.calendar)]
    return set().union(*(parts(key, value) for value in values))


@given(meetings(), choosers)
@settings(max_examples=400)
def test_every_value_that_a_person_set_is_on_a_side_or_in_a_clash(views, chooser):
    base, file, calendar = views
    merged = merge(base, file, calendar, chooser=chooser)
    ends = after(file, calendar, merged)
    for view in (file, calendar):
        for key, value in view.items():
            if view is calendar and key.field is Field.TYPE:
                continue  # a category in the calendar is no edit of the type
            before = base.pairs.get(key)
            news = parts(key, value) - (parts(key, before.file) if before else set())  # type: ignore[arg-type]  # the key says which values it has
            if key.field is Field.SKIP:  # an instance that the other side edited comes back
                news -= {*WEEKS}
            assert news <= kept(key, merged, ends), key


PLAIN = tuple(
    Key(name, week)
    for week in (None, WEEKS[0])
    for name in (Field.LOCATION, Field.MEETING_URL, Field.DESCRIPTION, Field.REMINDERS, Field.CATEGORIES)
)


def other(side: Side | None) -> Side | None:
    return side.other if side else None


@given(meetings(PLAIN), st.sampled_from(CHOICES))
def test_swapping_the_sides_mirrors_the_merge_of_plain_fields(views, choice):
    base, file, calendar = views
    merged = merge(base, file, calendar, chooser=lambda _key: choice)
    mirror = merge(base, calendar, file, chooser=lambda _key: other(choice))
    assert set(mirror.to_calendar) == set(merged.to_file)
    assert not differences(apply_patch(file, merged.to_file), apply_patch(file, mirror.to_calendar))
    assert not differences(apply_patch(calendar, merged.to_calendar), apply_patch(calendar, mirror.to_file))
    assert [clash.key for clash in mirror.clashes] == [clash.key for clash in merged.clashes]


@given(meetings(), choosers, st.sets(st.sampled_from(KEYS)))
def test_a_key_that_is_not_held_is_never_written_to_the_calendar_nor_read_back(views, chooser, unheld):
    base, file, calendar = views
    merged = merge(base, file, calendar, chooser=chooser, unheld=unheld)
    assert not {key for key, value in merged.to_calendar.items() if value is not None} & unheld
    for key in merged.to_file.keys() & unheld:  # an instance that comes back brings what the file said of it
        assert merged.to_file[key] in (None, base.pair(key).file)
    assert not {clash.key for clash in merged.clashes if clash.chosen is None} & unheld


@given(meetings())
def test_two_sides_that_never_agreed_are_linked_without_a_write(views):
    _, file, calendar = views
    merged = first_contact(file, calendar)
    assert (merged.to_file, merged.to_calendar) == ({}, {})
    base = Base(merged.agrees)
    again = merge(base, file, calendar, chooser=lambda _key: Side.FILE)
    assert (again.to_file, again.to_calendar) == ({}, {})
    # What the file alone says of instances and skips waits until there is a series.
    series = Key(Field.REPEAT) in {*file, *calendar} or any(key.instance for key in calendar)
    waiting = {clash for clash in merged.open if not series and (clash.key.instance or clash.key.field is Field.SKIP)}
    assert set(again.open) | waiting == set(merged.open)


def edited_alone(key: Key, agreed: View, value: int) -> View:
    return {**agreed, key: VALUES[key.field][value]}


PAIRS = [(a, b) for a, b in itertools.product((*SERIES_KEYS, *INSTANCE_KEYS[:13]), repeat=2) if a != b]


def test_edits_of_different_fields_never_clash_and_both_arrive_for_every_pair_of_fields():
    assert len(PAIRS) >= 625
    agreed: View = {key: VALUES[key.field][0] for key in KEYS if key.instance is None}
    base = Base({key: Pair(value, value) for key, value in agreed.items()})
    for ours, theirs in PAIRS:
        file, calendar = edited_alone(ours, agreed, 1), edited_alone(theirs, agreed, 2)
        merged = merge(base, file, calendar)
        assert merged.clashes == (), (ours, theirs)
        assert merged.to_calendar == {ours: VALUES[ours.field][1]}, (ours, theirs)
        expected = {} if theirs.field is Field.TYPE else {theirs: VALUES[theirs.field][2]}
        assert merged.to_file == expected, (ours, theirs)


SCALARS = (Field.LOCATION, Field.MEETING_URL, Field.WHEN, Field.REPEAT)


def reference(base: object, file: object, calendar: object, choice: Side | None) -> tuple[object, object, bool]:
    """What three-way merges have always done with one value: (file, calendar, clash) afterwards."""
    if file == calendar:
        return file, calendar, False
    if file == base:
        return calendar, calendar, False
    if calendar == base:
        return file, file, False
    winner = {None: None, Side.FILE: file, Side.CALENDAR: calendar}[choice]
    return (file, calendar, True) if choice is None else (winner, winner, True)


@pytest.mark.parametrize("field", SCALARS)
@pytest.mark.parametrize("choice", CHOICES)
def test_one_value_is_merged_as_the_textbook_says_in_every_state(field, choice):
    key = Key(field)
    states = (None, *VALUES[field][:3])
    for was, ours, theirs in itertools.product(states, repeat=3):
        base = Base({} if was is None else {key: Pair(was, was)})
        file: View = {} if ours is None else {key: ours}
        calendar: View = {} if theirs is None else {key: theirs}
        merged = merge(base, file, calendar, chooser=lambda _key: choice)
        ends = [view.get(key) for view in after(file, calendar, merged)]
        assert (*ends, bool(merged.clashes)) == reference(was, ours, theirs, choice), (was, ours, theirs)
        for clash in merged.clashes:
            assert (clash.file, clash.calendar, clash.chosen) == (ours, theirs, choice)
            assert clash.base == (Blank.ABSENT if was is None else was)


def test_keys_have_one_order_in_which_the_series_comes_before_its_instances():
    ordered = sorted(shuffled(dict.fromkeys(KEYS, "")), key=order)
    assert [key.instance for key in ordered] == [None] * len(SERIES_KEYS) + [w for w in WEEKS for _ in range(13)]
