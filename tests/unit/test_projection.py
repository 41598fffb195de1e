import re
from datetime import UTC, date, datetime, timedelta

import pytest

from daemon.core.merge import advance, apply_patch, merge
from daemon.core.model import (
    CONTEXT_FENCE_END,
    CONTEXT_FENCE_START,
    Activity,
    AllDay,
    Base,
    Blank,
    Busy,
    Field,
    Guest,
    Key,
    Local,
    Pair,
    Privacy,
    Timed,
)
from daemon.core.policy import DoneShown, FileFormat, PrivateEvents, Route, Rule
from daemon.core.projection import incoming, outgoing, recognise, underlay

SUBJECT, WHEN, TEXT, BUSY = Key(Field.SUBJECT), Key(Field.WHEN), Key(Field.DESCRIPTION), Key(Field.BUSY)
GUESTS, REMINDERS, REPEAT, TYPE = Key(Field.ATTENDEES), Key(Field.REMINDERS), Key(Field.REPEAT), Key(Field.TYPE)
ROUTE = Route("work", "google")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NINE = Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", 60 * MINUTE)
ANNA = Guest("anna@romashka.example")
CALL = {SUBJECT: "Call", WHEN: NINE}


def out(view, local=None, **changes):
    orders = {
        "route": ROUTE,
        "holds": frozenset(Field),
        "max_reminders": None,
        "creating": True,
        "guests_on_event": False,
        "may_send_guests": False,
        "now": NOW,
        "zone": "Europe/Moscow",
    }
    return outgoing(Activity("u1", view, local or Local()), **(orders | changes))


def done(how):
    return Route("work", "google", done_in_calendar=how)


def times(*minutes):
    return frozenset(n * MINUTE for n in minutes)


def test_a_plain_activity_goes_out_as_it_is():
    shown = out(CALL)
    assert shown.view == CALL
    assert shown.overlay == {}


def test_under_never_a_new_event_is_written_without_its_guests():
    view = {**CALL, GUESTS: frozenset({ANNA})}
    shown = out(view)
    assert GUESTS not in shown.view
    assert GUESTS in shown.unheld
    assert shown.agreed(view, shown.view)[GUESTS] == Pair(frozenset({ANNA}), Blank.UNHELD)
    assert out(view, may_send_guests=True).view == view


def test_guests_who_are_on_the_event_stay_a_field_of_both_sides():
    assert GUESTS not in out(CALL, creating=False, guests_on_event=True).unheld


def test_a_field_that_the_calendar_cannot_hold_stays_home():
    view = {**CALL, Key(Field.PRIORITY): "high", Key(Field.CATEGORIES, date(2026, 12, 7)): frozenset({"a"})}
    shown = out(view, holds=frozenset(Field) - {Field.PRIORITY, Field.CATEGORIES})
    assert shown.view == CALL
    assert {Key(Field.PRIORITY), Key(Field.CATEGORIES, date(2026, 12, 7))} <= shown.unheld


def test_of_more_reminders_than_fit_the_nearest_goes_out_and_all_stay_in_the_file():
    view = {**CALL, REMINDERS: times(15, 1440)}
    shown = out(view, max_reminders=1)
    assert shown.view[REMINDERS] == times(15)
    base = Base(shown.agreed(view, shown.view))
    calm = merge(base, view, shown.view, shown=shown.shown)
    assert (calm.to_file, calm.to_calendar) == ({}, {})
    sooner = {**view, REMINDERS: times(5, 15, 1440)}
    assert merge(base, sooner, shown.view, shown=shown.shown).to_calendar == {REMINDERS: times(5)}


def test_a_busy_word_that_the_calendar_lacks_is_shown_as_busy_and_never_comes_back_as_that():
    view = {**CALL, BUSY: Busy.OOF}
    shown = out(view, busy_words=frozenset({Busy.BUSY, Busy.FREE}))
    assert shown.view[BUSY] is Busy.BUSY
    base = Base(shown.agreed(view, shown.view))
    assert merge(base, view, shown.view, shown=shown.shown).to_file == {}
    freed = {**shown.view, BUSY: Busy.FREE}
    assert merge(base, view, freed, shown=shown.shown).to_file == {BUSY: Busy.FREE}


def test_no_title_stays_without_one_in_the_calendar():
    view = {**CALL, SUBJECT: "(no title)"}
    shown = out(view)
    assert SUBJECT not in shown.view
    assert shown.agreed(view, shown.view)[SUBJECT] == Pair("(no title)", Blank.ABSENT)


def test_what_a_file_says_of_instances_before_it_repeats_waits():
    place = Key(Field.LOCATION, date(2026, 12, 7))
    view = {**CALL, place: "room 2"}
    shown = out(view)
    assert place not in shown.view
    base = Base(shown.agreed(view, shown.view))
    assert merge(base, view, shown.view).to_calendar == {}
    weekly = {**view, REPEAT: "FREQ=WEEKLY"}
    assert merge(base, weekly, shown.view).to_calendar == {REPEAT: "FREQ=WEEKLY", place: "room 2"}


def test_done_is_shown_free_and_without_reminders_and_undone_restores_what_was_there():
    view = {**CALL, BUSY: Busy.OOF, REMINDERS: times(15)}
    shown = out(view, Local(done=True))
    assert shown.overlay == {BUSY: Busy.FREE, REMINDERS: None}
    calendar = apply_patch(shown.view, shown.overlay)
    base = Base(shown.agreed(view, shown.view), overlay=shown.overlay)
    under = underlay(calendar, base)
    assert under == view
    merged = merge(base, view, under)
    assert (merged.to_file, merged.to_calendar, merged.clashes) == ({}, {}, ())
    assert out(view).overlay == {}


def test_done_with_a_prefix_marks_the_title_and_a_new_title_under_the_mark_is_an_edit():
    shown = out(CALL, Local(done=True), route=done(DoneShown.PREFIX))
    assert shown.overlay == {SUBJECT: "✓ Call"}
    base = Base(shown.agreed(CALL, shown.view), overlay=shown.overlay)
    assert underlay({**CALL, SUBJECT: "✓ Call"}, base) == CALL
    assert underlay({**CALL, SUBJECT: "✓ Call Anna"}, base)[SUBJECT] == "Call Anna"
    assert underlay({**CALL, SUBJECT: "Call"}, base) == CALL


@pytest.mark.parametrize("how", [DoneShown.NOTHING, DoneShown.DELETE])
def test_done_may_change_nothing_in_the_event(how):
    assert out(CALL, Local(done=True), route=done(how)).overlay == {}


def test_done_shows_nothing_where_somebody_else_is_on_the_event():
    assert out(CALL, Local(done=True), creating=False, guests_on_event=True).overlay == {}
    guests = {**CALL, GUESTS: frozenset({ANNA})}
    assert out(guests, Local(done=True), may_send_guests=True).overlay == {}
    assert out(guests, Local(done=True), may_send_guests=True, own_addresses=frozenset({ANNA.email})).overlay
    assert out(guests, Local(done=True)).overlay


def test_in_a_series_the_instances_that_are_done_are_shown_so():
    view = {**CALL, REPEAT: "FREQ=WEEKLY", REMINDERS: times(15)}
    local = Local(done_through=date(2026, 12, 7), done_instances=frozenset({date(2026, 12, 21)}))
    overlay = out(view, local).overlay
    days = [date(2026, 11, 30), date(2026, 12, 7), date(2026, 12, 21)]
    assert sorted(key.instance for key in overlay if key.field is Field.BUSY) == days
    assert all(overlay[Key(Field.REMINDERS, day)] == frozenset() for day in days)
    marked = out(view, local, route=done(DoneShown.PREFIX)).overlay
    assert marked == {Key(Field.SUBJECT, day): "✓ Call" for day in days}


def test_a_date_in_the_far_future_does_not_make_an_exception_of_every_day_to_come():
    view = {**CALL, REPEAT: "FREQ=DAILY"}
    assert len(out(view, Local(done_through=date(2999, 1, 1))).overlay) < 400


def test_context_is_a_block_at_the_end_that_is_never_read_back():
    route = Route("work", "google", include_context=True)
    view = {**CALL, TEXT: "Agenda\n"}
    local = Local(context=(("person", "anna-petrova"), ("deal", "romashka")))
    shown = out(view, local, route=route)
    text = shown.overlay[TEXT]
    assert text == f"Agenda\n\n{CONTEXT_FENCE_START}\nperson: anna-petrova\ndeal: romashka\n{CONTEXT_FENCE_END}"
    base = Base(shown.agreed(view, shown.view), overlay=shown.overlay)
    calm = merge(base, view, underlay({**CALL, TEXT: text.replace("\n", "\r\n")}, base))
    assert (calm.to_file, calm.to_calendar) == ({}, {})
    edited = underlay({**CALL, TEXT: text.replace("Agenda", "Plan") + "\nmore"}, base)
    assert edited[TEXT] == "Plan\nmore"
    assert out(view, local, route=route, creating=False, guests_on_event=True).overlay == {}
    assert out(view, local).overlay == {}


def test_an_edit_above_the_block_is_merged_and_the_block_follows():
    route = Route("work", "google", include_context=True)
    local = Local(context=(("deal", "romashka"),))
    shown = out(CALL, local, route=route)
    base = advance(Base(shown.agreed(CALL, shown.view), overlay=shown.overlay))
    under = underlay({**CALL, TEXT: f"Bring the offer\n\n{shown.overlay[TEXT]}"}, base)
    merged = merge(base, CALL, under)
    assert merged.to_file == {TEXT: "Bring the offer"}
    assert shown.cover.over(apply_patch(under, merged.to_calendar))[TEXT].startswith("Bring the offer\n\n---")


def test_a_rebuilt_journal_knows_its_own_overlay_again():
    view = {**CALL, REMINDERS: times(15)}
    shown = out(view, Local(done=True))
    under, overlay = recognise({**CALL, BUSY: Busy.FREE}, view, shown.cover)
    assert under == view
    assert overlay == shown.overlay
    still_busy, none = recognise({**view, BUSY: Busy.OOF}, view, shown.cover)
    assert still_busy == {**view, BUSY: Busy.OOF}
    assert none == {}


def arrive(view, route=ROUTE):
    return incoming(Activity("u1", view), route=route, types=("call", "meeting", "lunch"))


RULES = (
    Rule("call", title=re.compile(r"^Call\b")),
    Rule("lunch", category="Food"),
    Rule("deadline", longer=4 * 60 * MINUTE),
    Rule("email", guest_domain="romashka.example", video=False),
)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({SUBJECT: "Call Anna"}, "call"),
        ({SUBJECT: "Recall"}, "meeting"),
        ({TYPE: "Lunch"}, "lunch"),
        ({Key(Field.CATEGORIES): frozenset({"Red", "Call"})}, "call"),
        ({TYPE: "food", SUBJECT: "x"}, "lunch"),
        ({SUBJECT: "x", WHEN: AllDay(date(2026, 11, 30))}, "deadline"),
        ({SUBJECT: "x", GUESTS: frozenset({ANNA})}, "email"),
        ({SUBJECT: "x", GUESTS: frozenset({ANNA}), Key(Field.MEETING_URL): "https://x.example"}, "meeting"),
    ],
)
def test_a_new_event_gets_its_type_from_a_category_else_a_rule_else_the_default(more, kind):
    arrival = arrive({SUBJECT: "x", WHEN: NINE, **more}, Route("work", "google", rules=RULES))
    assert arrival.view[TYPE] == kind


def test_an_event_without_a_title_says_so_in_the_file():
    assert arrive({WHEN: NINE}).view[SUBJECT] == "(no title)"


def test_categories_beyond_the_type_are_only_for_files_that_have_a_word_for_them():
    view = {**CALL, Key(Field.CATEGORIES): frozenset({"Red"})}
    assert Key(Field.CATEGORIES) not in arrive(view).view
    ics = Route("work", "google", format=FileFormat.ICS)
    assert arrive(view, ics).view[Key(Field.CATEGORIES)] == frozenset({"Red"})


def test_a_private_event_is_shown_as_its_calendar_orders():
    secret = {
        **CALL,
        TEXT: "salary",
        GUESTS: frozenset({ANNA}),
        Key(Field.PRIVATE): Privacy.PRIVATE,
        REPEAT: "FREQ=WEEKLY",
        Key(Field.SUBJECT, date(2026, 12, 7)): "Salary talk",
    }
    full = arrive(secret)
    assert full.secret
    assert full.view[TEXT] == "salary"
    assert arrive(secret, Route("work", "google", private_events=PrivateEvents.SKIP)) is None
    busy = arrive(secret, Route("work", "google", private_events=PrivateEvents.BUSY))
    assert busy.masked
    assert busy.view == {WHEN: NINE, REPEAT: "FREQ=WEEKLY", SUBJECT: "Busy"}


def test_an_event_that_is_not_private_is_no_secret():
    arrival = arrive(CALL)
    assert not arrival.secret
    assert not arrival.masked
