from datetime import date, datetime, timedelta

import pytest

from daemon.core.fields import NO_TITLE
from daemon.core.merge import advance, apply_patch, differences, first_contact, keeping, merge
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
    Status,
    Timed,
)
from daemon.core.plan import Side
from daemon.core.threeway import merge_lines

SUBJECT, PLACE, TEXT, BUSY = Key(Field.SUBJECT), Key(Field.LOCATION), Key(Field.DESCRIPTION), Key(Field.BUSY)
GUESTS, REMINDERS, REPEAT, SKIP = Key(Field.ATTENDEES), Key(Field.REMINDERS), Key(Field.REPEAT), Key(Field.SKIP)
WHEN, TYPE = Key(Field.WHEN), Key(Field.TYPE)
MINUTE = timedelta(minutes=1)
NINE = Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", 60 * MINUTE)
WEEK, NEXT = date(2026, 12, 7), date(2026, 12, 14)
ANNA, OLEG = Guest("anna@romashka.example", "Anna"), Guest("oleg@romashka.example", "Oleg")


def agreed(view):
    return Base({key: Pair(value, value) for key, value in view.items()})


def people(*guests):
    return frozenset(guests)


def times(*minutes):
    return frozenset(n * MINUTE for n in minutes)


def test_different_fields_changed_on_both_sides_are_both_kept():
    base = {SUBJECT: "Call", PLACE: "here"}
    merged = merge(agreed(base), {**base, SUBJECT: "Call Anna"}, {**base, PLACE: "there"})
    assert merged.to_calendar == {SUBJECT: "Call Anna"}
    assert merged.to_file == {PLACE: "there"}
    assert merged.calendar_agrees == {SUBJECT: Pair("Call Anna", "Call Anna")}
    assert merged.file_agrees == {PLACE: Pair("there", "there")}
    assert merged.clashes == ()


def test_what_a_file_never_said_stays_in_the_calendar():
    base = advance(agreed({SUBJECT: "Call"}), {PLACE: Pair(Blank.ABSENT, "there")})
    merged = merge(base, {SUBJECT: "Call"}, {SUBJECT: "Call", PLACE: "there"})
    assert (merged.to_file, merged.to_calendar) == ({}, {})


def test_what_a_file_said_and_says_no_more_is_cleared_in_the_calendar():
    base = {SUBJECT: "Call", PLACE: "here"}
    assert merge(agreed(base), {SUBJECT: "Call"}, base).to_calendar == {PLACE: None}
    assert merge(agreed(base), {**base, PLACE: ""}, base).to_calendar == {PLACE: None}


def test_a_value_that_a_service_only_spells_differently_is_written_nowhere():
    base = agreed({TEXT: "one\ntwo", WHEN: NINE})
    merged = merge(base, {TEXT: "one\ntwo", WHEN: NINE}, {TEXT: "one\r\ntwo\r\n", WHEN: NINE})
    assert (merged.to_file, merged.to_calendar, merged.clashes) == ({}, {}, ())


def test_a_default_that_the_server_spells_out_moves_only_its_half():
    merged = merge(agreed({SUBJECT: "a"}), {SUBJECT: "a"}, {SUBJECT: "a", Key(Field.STATUS): Status.CONFIRMED})
    assert (merged.to_file, merged.to_calendar) == ({}, {})
    assert merged.agrees == {Key(Field.STATUS): Pair(Blank.ABSENT, Status.CONFIRMED)}


def test_a_default_that_the_user_spells_out_is_sent():
    priority = Key(Field.PRIORITY)
    merged = merge(agreed({SUBJECT: "a"}), {SUBJECT: "a", priority: Priority.MEDIUM}, {SUBJECT: "a"})
    assert merged.to_calendar == {priority: Priority.MEDIUM}


def test_a_busy_line_taken_out_of_the_file_shows_the_default_in_the_calendar():
    base = {WHEN: AllDay(date(2026, 11, 30)), BUSY: Busy.OOF}
    merged = merge(agreed(base), {WHEN: base[WHEN]}, base)
    assert merged.to_calendar == {BUSY: Busy.FREE}
    assert merged.calendar_agrees == {BUSY: Pair(Blank.ABSENT, Busy.FREE)}


def test_an_activity_that_becomes_all_day_becomes_free_if_its_file_leaves_that_to_the_default():
    base = advance(agreed({WHEN: NINE}), {BUSY: Pair(Blank.ABSENT, Busy.BUSY)})
    day = AllDay(date(2026, 11, 30))
    merged = merge(base, {WHEN: day}, {WHEN: NINE, BUSY: Busy.BUSY})
    assert merged.to_calendar == {WHEN: day, BUSY: Busy.FREE}


@pytest.mark.parametrize(
    ("choice", "to_file", "to_calendar"),
    [
        (Side.FILE, {}, {SUBJECT: "ours"}),
        (Side.CALENDAR, {SUBJECT: "theirs"}, {}),
        (None, {}, {}),
    ],
)
def test_a_clash_goes_as_chosen_and_keeps_both_values(choice, to_file, to_calendar):
    merged = merge(agreed({SUBJECT: "was"}), {SUBJECT: "ours"}, {SUBJECT: "theirs"}, chooser=lambda _key: choice)
    assert (merged.to_file, merged.to_calendar) == (to_file, to_calendar)
    (clash,) = merged.clashes
    assert (clash.base, clash.file, clash.calendar, clash.chosen) == ("was", "ours", "theirs", choice)
    assert bool(merged.open) == (choice is None)
    assert not merged.agrees


def test_a_clash_that_its_user_decided_carries_that_side_over():
    base = agreed({SUBJECT: "was"})
    (clash,) = merge(base, {SUBJECT: "ours"}, {SUBJECT: "theirs"}).clashes
    for side, patch in ((Side.FILE, ({}, {SUBJECT: "ours"})), (Side.CALENDAR, ({SUBJECT: "theirs"}, {}))):
        settled = advance(base, {SUBJECT: keeping(clash, side)})
        merged = merge(settled, {SUBJECT: "ours"}, {SUBJECT: "theirs"})
        assert (merged.to_file, merged.to_calendar) == patch
        assert merged.clashes == ()


def test_lines_changed_in_different_places_are_both_kept():
    base = {TEXT: "agenda\n1. intro\n2. scope\n3. dates\n"}
    file = {TEXT: "agenda\n1. introductions\n2. scope\n3. dates\n"}
    calendar = {TEXT: "agenda\r\n1. intro\r\n2. scope\r\n3. dates\r\n4. price\r\n"}
    merged = merge(agreed(base), file, calendar)
    text = "agenda\n1. introductions\n2. scope\n3. dates\n4. price\n"
    assert merged.to_file == merged.to_calendar == {TEXT: text}
    assert merged.both_agrees == {TEXT: Pair(text, text)}


def test_the_same_line_changed_twice_is_a_clash():
    merged = merge(agreed({TEXT: "a\nb\nc"}), {TEXT: "a\nB\nc"}, {TEXT: "a\nbb\nc"})
    assert [clash.key for clash in merged.open] == [TEXT]


@pytest.mark.parametrize(("base", "ours", "theirs", "together"), [
    ("a\nb", "a\nb\nx", "a\nb\ny", None),
    ("a\nb", "a\nx\nb", "a\nx\nb", "a\nx\nb"),
    ("a\nb\nc", "b\nc", "a\nb", "b"),
    ("a\nb\nc", "A\nb\nc", "a\nB\nc", "A\nB\nc"),
    ("a\nb\nc\nd", "a\nd", "a\nb\nC\nd", None),
    ("a\nb", "a\nb", "a", "a"),
])  # fmt: skip
def test_texts_merge_by_line(base, ours, theirs, together):
    assert merge_lines(base, ours, theirs) == together
    assert merge_lines(base, theirs, ours) == together


def test_a_huge_text_changed_on_both_sides_is_a_clash_and_costs_no_time():
    lines = ["x"] * 300_000
    assert merge_lines("\n".join(lines), "\n".join(["a", *lines]), "\n".join([*lines, "b"])) is None


def test_reminders_merge_by_element():
    base = {REMINDERS: times(15, 60)}
    merged = merge(agreed(base), {REMINDERS: times(5, 15, 60)}, {REMINDERS: times(15)})
    assert merged.to_file == merged.to_calendar == {REMINDERS: times(5, 15)}


def test_a_reminder_that_the_calendar_could_not_hold_stays_in_the_file():
    base = Base({REMINDERS: Pair(times(15, 1440), times(15))})
    merged = merge(base, {REMINDERS: times(15, 1440)}, {REMINDERS: times(30)})
    assert merged.to_file == {REMINDERS: times(30, 1440)}
    assert merged.file_agrees == {REMINDERS: Pair(times(30, 1440), times(30))}


def test_what_the_calendar_shows_of_a_change_is_what_is_agreed():
    base = Base({REMINDERS: Pair(times(15), times(15))})

    def nearest(_key, value):
        return frozenset(sorted(value)[:1])

    merged = merge(base, {REMINDERS: times(5, 15)}, {REMINDERS: times(15)}, shown=nearest)
    assert merged.to_calendar == {REMINDERS: times(5)}
    assert merged.calendar_agrees == {REMINDERS: Pair(times(5, 15), times(5))}


def test_guests_merge_by_address():
    base = {GUESTS: people(ANNA)}
    maria = Guest("maria@example.com", "Maria")
    merged = merge(agreed(base), {GUESTS: people(ANNA, OLEG)}, {GUESTS: people(ANNA, maria)})
    assert merged.to_file == merged.to_calendar == {GUESTS: people(ANNA, OLEG, maria)}


def test_an_answer_comes_into_the_file_and_goes_nowhere_else():
    base = agreed({GUESTS: people(ANNA, OLEG)})
    yes = Guest(ANNA.email, "Anna", answer=Answer.ACCEPTED)
    merged = merge(base, {GUESTS: people(ANNA, OLEG)}, {GUESTS: people(yes, OLEG)})
    assert merged.to_file == {GUESTS: people(yes, OLEG)}
    assert merged.to_calendar == {}
    typed = Guest(OLEG.email, "Oleg", answer=Answer.DECLINED)
    assert merge(base, {GUESTS: people(ANNA, typed)}, {GUESTS: people(ANNA, OLEG)}).to_calendar == {}


def test_an_answer_is_no_conflict_with_an_edit_of_the_same_guest():
    base = agreed({GUESTS: people(ANNA)})
    yes = Guest(ANNA.email, "Anna", answer=Answer.ACCEPTED)
    merged = merge(base, {GUESTS: people(Guest(ANNA.email, "Anna", optional=True))}, {GUESTS: people(yes)})
    both = people(Guest(ANNA.email, "Anna", optional=True, answer=Answer.ACCEPTED))
    assert merged.to_file == merged.to_calendar == {GUESTS: both}
    assert merged.clashes == ()


def test_a_guest_taken_off_the_list_does_not_come_back_because_of_an_answer():
    base = agreed({GUESTS: people(ANNA, OLEG)})
    yes = Guest(ANNA.email, "Anna", answer=Answer.ACCEPTED)
    merged = merge(base, {GUESTS: people(OLEG)}, {GUESTS: people(yes, OLEG)})
    assert merged.to_calendar == {GUESTS: people(OLEG)}
    assert merged.to_file == {}


def test_a_guest_edited_on_one_side_and_removed_on_the_other_stays():
    base = agreed({GUESTS: people(ANNA, OLEG)})
    edited = Guest(ANNA.email, "Anna", optional=True)
    merged = merge(base, {GUESTS: people(OLEG)}, {GUESTS: people(edited, OLEG)})
    assert merged.to_file == {GUESTS: people(edited, OLEG)}
    assert merged.to_calendar == {}


def test_two_names_for_one_guest_clash_and_the_rest_of_the_list_merges():
    base = agreed({GUESTS: people(ANNA)})
    file = {GUESTS: people(Guest(ANNA.email, "Anya"), OLEG)}
    calendar = {GUESTS: people(Guest(ANNA.email, "Anna Petrova"))}
    assert [clash.key for clash in merge(base, file, calendar).open] == [GUESTS]
    merged = merge(base, file, calendar, chooser=lambda _key: Side.CALENDAR)
    both = people(Guest(ANNA.email, "Anna Petrova"), OLEG)
    assert apply_patch(file, merged.to_file) == apply_patch(calendar, merged.to_calendar) == {GUESTS: both}


def test_guests_that_were_not_sent_are_neither_sent_nor_taken_for_removed():
    base = advance(agreed({SUBJECT: "a"}), {GUESTS: Pair(people(ANNA), Blank.UNHELD)})
    file = {SUBJECT: "a", GUESTS: people(ANNA, OLEG)}
    merged = merge(base, file, {SUBJECT: "a"}, unheld={GUESTS})
    assert (merged.to_file, merged.to_calendar) == ({}, {})
    assert merged.agrees == {GUESTS: Pair(people(ANNA, OLEG), Blank.UNHELD)}


def test_guests_go_out_with_their_next_edit_once_they_may():
    base = advance(agreed({SUBJECT: "a"}), {GUESTS: Pair(people(ANNA), Blank.UNHELD)})
    same = merge(base, {SUBJECT: "a", GUESTS: people(ANNA)}, {SUBJECT: "a"})
    assert same.to_calendar == {}
    more = merge(base, {SUBJECT: "a", GUESTS: people(ANNA, OLEG)}, {SUBJECT: "a"})
    assert more.to_calendar == {GUESTS: people(ANNA, OLEG)}


def test_a_type_is_never_taken_from_a_category():
    merged = merge(agreed({TYPE: "call"}), {TYPE: "call"}, {TYPE: "Personal"})
    assert (merged.to_file, merged.to_calendar, merged.clashes) == ({}, {}, ())
    assert merged.agrees == {TYPE: Pair("call", "Personal")}
    assert merge(agreed({TYPE: "call"}), {TYPE: "task"}, {TYPE: "call"}).to_calendar == {TYPE: "task"}


def test_categories_of_an_event_are_left_alone_where_the_file_has_no_word_for_them():
    key = Key(Field.CATEGORIES)
    merged = merge(Base(), {}, {key: frozenset({"Red"})}, file_lacks={Field.CATEGORIES})
    assert merged.to_file == {}
    assert merged.agrees == {key: Pair(Blank.ABSENT, frozenset({"Red"}))}


def test_a_title_taken_away_in_the_calendar_is_no_title_in_the_file():
    merged = merge(agreed({SUBJECT: "Call"}), {SUBJECT: "Call"}, {})
    assert merged.to_file == {SUBJECT: NO_TITLE}
    settled = advance(agreed({SUBJECT: "Call"}), merged.file_agrees)
    again = merge(settled, {SUBJECT: NO_TITLE}, {})
    assert (again.to_file, again.to_calendar) == ({}, {})
    assert merge(agreed({SUBJECT: "Call"}), {SUBJECT: NO_TITLE}, {SUBJECT: "Call"}).to_calendar == {SUBJECT: None}


def test_an_instance_edited_here_and_left_out_there_comes_back():
    series = {REPEAT: "FREQ=WEEKLY", SKIP: frozenset({NEXT}), Key(Field.LOCATION, WEEK): "room 1"}
    file = {**series, Key(Field.LOCATION, WEEK): "room 2"}
    calendar = {REPEAT: "FREQ=WEEKLY", SKIP: frozenset({WEEK, NEXT})}
    merged = merge(agreed(series), file, calendar)
    assert merged.to_calendar == {SKIP: frozenset({NEXT}), Key(Field.LOCATION, WEEK): "room 2"}
    assert merged.to_file == {}


def test_an_instance_left_out_there_and_untouched_here_is_left_out_here():
    series = {REPEAT: "FREQ=WEEKLY", Key(Field.LOCATION, WEEK): "room 1"}
    merged = merge(agreed(series), series, {REPEAT: "FREQ=WEEKLY", SKIP: frozenset({WEEK})})
    assert merged.to_file == {SKIP: frozenset({WEEK}), Key(Field.LOCATION, WEEK): None}
    assert merged.to_calendar == {}


def test_a_moved_series_and_an_edited_instance_are_both_kept():
    series = {REPEAT: "FREQ=WEEKLY", WHEN: NINE}
    later = Timed(datetime(2026, 11, 30, 10), "Europe/Moscow", 60 * MINUTE)
    place = Key(Field.LOCATION, WEEK)
    merged = merge(agreed(series), {**series, WHEN: later}, {**series, place: "room 2"})
    assert merged.to_calendar == {WHEN: later}
    assert merged.to_file == {place: "room 2"}


def test_the_end_of_a_series_takes_its_instances_and_keeps_what_was_edited_in_them_as_a_clash():
    place = Key(Field.LOCATION, WEEK)
    series = {SUBJECT: "a", REPEAT: "FREQ=WEEKLY", place: "room 1", Key(Field.LOCATION, NEXT): "room 9"}
    file = {**series, place: "room 2"}
    merged = merge(agreed(series), file, {SUBJECT: "a"})
    assert merged.to_file == {REPEAT: None, place: None, Key(Field.LOCATION, NEXT): None}
    (clash,) = merged.clashes
    assert (clash.key, clash.file, clash.calendar, clash.chosen) == (place, "room 2", None, Side.CALENDAR)


def test_a_file_that_stops_repeating_ends_the_exceptions_in_the_calendar_and_may_repeat_again():
    place = Key(Field.LOCATION, WEEK)
    series = {SUBJECT: "a", REPEAT: "FREQ=WEEKLY", place: "room 1"}
    once = {SUBJECT: "a", place: "room 1"}
    merged = merge(agreed(series), once, series)
    assert merged.to_calendar == {REPEAT: None, place: None}
    assert merged.to_file == {}
    base = advance(agreed(series), merged.agrees, merged.calendar_agrees)
    assert merge(base, once, {SUBJECT: "a"}).to_calendar == {}
    assert merge(base, series, {SUBJECT: "a"}).to_calendar == {REPEAT: "FREQ=WEEKLY", place: "room 1"}


def test_a_rule_that_no_longer_has_an_instance_drops_it_with_its_edits_kept_as_a_clash():
    place = Key(Field.LOCATION, WEEK)
    series = {REPEAT: "FREQ=WEEKLY"}
    file, calendar = {**series, place: "room 2"}, {REPEAT: "FREQ=MONTHLY"}
    merged = merge(agreed(series), file, calendar, occurs=lambda view, _original: view[REPEAT] == "FREQ=WEEKLY")
    assert merged.to_file == {REPEAT: "FREQ=MONTHLY", place: None}
    assert [clash.key for clash in merged.clashes] == [place]


def _day(view, original):
    return view[REPEAT] == "FREQ=WEEKLY" or original == WEEK


def test_a_series_that_its_file_shortens_ends_what_it_says_of_the_rest_in_the_calendar_and_not_in_the_file():
    here, beyond = Key(Field.LOCATION, WEEK), Key(Field.LOCATION, NEXT)
    series = {REPEAT: "FREQ=WEEKLY", here: "room 1", beyond: "room 2"}
    short = {**series, REPEAT: "FREQ=WEEKLY;COUNT=2"}
    merged = merge(agreed(series), short, series, occurs=_day)
    assert (merged.to_calendar, merged.to_file) == ({REPEAT: "FREQ=WEEKLY;COUNT=2", beyond: None}, {})
    base = advance(agreed(series), merged.agrees, merged.calendar_agrees)
    there = apply_patch(series, merged.to_calendar)
    assert not merge(base, short, there, occurs=_day).to_calendar
    assert merge(base, series, there, occurs=_day).to_calendar == {REPEAT: "FREQ=WEEKLY", beyond: "room 2"}


def test_what_a_file_says_of_a_day_on_which_the_series_has_no_instance_is_not_sent_and_stays():
    beyond = Key(Field.LOCATION, NEXT)
    series = {REPEAT: "FREQ=WEEKLY;COUNT=2"}
    merged = merge(agreed(series), {**series, beyond: "room 2"}, series, occurs=_day)
    assert (merged.to_calendar, merged.to_file, merged.clashes) == ({}, {}, ())


def test_what_a_calendar_has_on_a_day_beside_its_rule_is_its_own():
    beyond = Key(Field.LOCATION, NEXT)
    series = {REPEAT: "FREQ=WEEKLY;COUNT=2"}
    merged = merge(agreed(series), series, {**series, beyond: "room 2"}, occurs=_day)
    assert (merged.to_calendar, merged.to_file) == ({}, {beyond: "room 2"})
    both = {**series, beyond: "room 2"}
    assert merge(agreed(both), both, series, occurs=_day).to_file == {beyond: None}


def test_an_instance_that_only_repeats_its_series_follows_it_when_the_calendar_changes_the_series():
    place = Key(Field.LOCATION, WEEK)
    base = advance(agreed({REPEAT: "FREQ=WEEKLY", PLACE: "room 1"}), {place: Pair("room 1", Blank.ABSENT)})
    file = {REPEAT: "FREQ=WEEKLY", PLACE: "room 1", place: "room 1"}
    theirs = merge(base, file, {REPEAT: "FREQ=WEEKLY", PLACE: "room 2"})
    assert theirs.to_file == {PLACE: "room 2", place: None}
    ours = merge(base, {**file, PLACE: "room 3"}, {REPEAT: "FREQ=WEEKLY", PLACE: "room 1"})
    assert ours.to_calendar == {PLACE: "room 3", place: "room 1"}


def test_after_a_rebuild_equal_values_link_and_unequal_ones_are_open_whatever_the_policy():
    file = {SUBJECT: "ours", PLACE: "here", WHEN: NINE}
    calendar = {SUBJECT: "theirs", PLACE: "here", WHEN: NINE, BUSY: Busy.BUSY}
    merged = first_contact(file, calendar)
    assert (merged.to_file, merged.to_calendar) == ({}, {})
    assert [clash.key for clash in merged.open] == [SUBJECT]
    assert merged.agrees[BUSY] == Pair(Blank.ABSENT, Busy.BUSY)
    base = Base(merged.agrees)
    again = merge(base, file, calendar, chooser=lambda _key: Side.FILE)
    assert [clash.chosen for clash in again.clashes] == [None]


def test_after_a_rebuild_a_type_that_differs_is_open_and_either_word_can_be_kept():
    file, calendar = {TYPE: "task"}, {TYPE: "call"}
    merged = first_contact(file, calendar)
    assert ([clash.key for clash in merged.open], merged.to_file, merged.to_calendar) == ([TYPE], {}, {})
    kept = {
        side: merge(advance(Base(merged.agrees), {TYPE: keeping(merged.open[0], side)}), file, calendar)
        for side in Side
    }
    assert (kept[Side.FILE].to_calendar, kept[Side.FILE].to_file) == ({TYPE: "task"}, {})
    assert (kept[Side.CALENDAR].to_calendar, kept[Side.CALENDAR].to_file) == ({}, {TYPE: "call"})


def test_after_a_rebuild_a_calendar_that_says_no_type_leaves_the_file_its_own():
    merged = first_contact({TYPE: "task"}, {})
    assert (merged.clashes, merged.agrees) == ((), {TYPE: Pair("task", Blank.ABSENT)})
    assert first_contact({}, {TYPE: "meeting"}).clashes == ()


def test_a_write_that_is_refused_leaves_its_keys_to_come_up_again():
    base = {SUBJECT: "Call", PLACE: "here"}
    merged = merge(agreed(base), {SUBJECT: "Call Anna", PLACE: "there"}, base).without(Side.CALENDAR, {SUBJECT})
    assert merged.to_calendar == {PLACE: "there"}
    assert set(merged.calendar_agrees) == {PLACE}
    assert merge(agreed(base), {SUBJECT: "x", PLACE: "y"}, base).without(Side.CALENDAR).to_calendar == {}


def test_differences_are_what_turns_one_view_into_the_other():
    before, after = {SUBJECT: "a", PLACE: "here"}, {SUBJECT: "b", REMINDERS: times(5)}
    assert differences(before, after) == {SUBJECT: "b", PLACE: None, REMINDERS: times(5)}
    assert apply_patch(before, differences(before, after)) == after
    assert differences({TEXT: "a\r\n"}, {TEXT: "a"}) == {}
