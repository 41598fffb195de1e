"""A series in Exchange and in Microsoft 365: one item for us, a master and instances there, changed in steps.

The steps survive a crash between any two of them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from daemon.core.errors import Refused, Unavailable, VersionMismatch
from daemon.core.model import AllDay, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Ref, Seen, Written
from tests.servers.one_order import made, ordered, seen, update, updated
from tests.servers.outlook_services import Cut, Step
from tests.servers.review_series import (
    BODY,
    FIRST,
    FOURTH,
    LOCATION,
    REPEAT,
    REVIEW,
    SECOND,
    SKIP,
    SKIPPED,
    SUBJECT,
    THIRD,
    WHEN,
    new_review,
)

# A service that names the exceptions of a series with it, and one that has to be asked for its instances.
NAMING = ("exchange", "graph", "graph that names no instances")
NEW_TIME = {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(minutes=45))}
LONGER = {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(hours=1))}


@pytest.fixture(params=NAMING)
def outlook(outlook):
    """Nobody is mailed by any of this."""
    yield outlook
    assert outlook.mailbox.outbox == []


def test_a_series_with_moved_renamed_and_skipped_instances_reads_back_as_it_was_meant(outlook, store):
    item = made(store, new_review())
    assert item.activity.view == REVIEW
    assert len(outlook.kept) == 1
    assert not outlook.is_pending(item.ref.id)


@pytest.mark.parametrize(
    "outlook",
    [*NAMING, "graph that tells of instances", "graph that names none and tells of them"],
    indirect=True,
)
def test_a_series_is_one_item_of_the_feed_and_an_edited_instance_is_a_change_of_it(outlook, store):
    item = made(store, new_review())
    cursor = store.changes(None).cursor
    assert len(store.changes(None).items) == 1
    outlook.move_instance(item.ref.id, FIRST, "Sauna")
    [changed] = store.changes(cursor).items
    after = seen(store, changed.id)
    assert after.activity.view == REVIEW | {Key(Field.LOCATION, FIRST): "Sauna"}
    assert after.ref.version != item.ref.version


@pytest.mark.parametrize(
    "patch",
    [
        {SUBJECT: "Weekly review"},
        {LOCATION: "Room 5"},
        {BODY: "Agenda"},
        {Key(Field.SUBJECT, SECOND): "Board"},
        {Key(Field.SUBJECT, FIRST): "Kick-off", Key(Field.LOCATION, FIRST): "Sauna"},
        {Key(Field.MEETING_URL, FIRST): "https://meet.example.com/once"},
        {Key(Field.WHEN, FIRST): AllDay(FIRST)},
        {SKIP: SKIPPED | {date(2027, 1, 4)}},
        LONGER,
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO"},
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO", Key(Field.SUBJECT, SECOND): "Both at once"},
        {SKIP: frozenset({date(2027, 5, 3)})},
        {SKIP: None},
    ],
    ids=lambda patch: "+".join(f"{key.field}{key.instance or ''}" for key in patch),
)
def test_an_edit_of_a_series_changes_what_it_names_and_keeps_all_else(outlook, store, patch):
    item = made(store, new_review())
    after = {key: value for key, value in (REVIEW | patch).items() if value is not None}
    assert updated(store, item, patch).activity.view == after
    assert not outlook.is_pending(item.ref.id)


def test_what_an_instance_no_longer_says_is_what_the_series_says(store):
    item = made(store, new_review())
    patch = {Key(Field.WHEN, SECOND): None, Key(Field.SUBJECT, FOURTH): None}
    after = {key: value for key, value in REVIEW.items() if key not in patch}
    assert updated(store, item, patch).activity.view == after


def test_a_series_becomes_a_single_event_and_a_series_again(store):
    plain = {key: value for key, value in REVIEW.items() if key.instance is None and key != SKIP}
    single = updated(store, made(store, new_review(plain)), {REPEAT: None})
    assert REPEAT not in single.activity.view
    assert updated(store, single, {REPEAT: "FREQ=DAILY;COUNT=3"}).activity.view[REPEAT] == "FREQ=DAILY;COUNT=3"


@pytest.mark.parametrize("outlook", ["exchange", "graph"], indirect=True)
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Europe/Helsinki"])
def test_an_all_day_series_has_its_days_whatever_the_zone(outlook, zone):
    account = outlook.account(zone=zone)
    days = {SUBJECT: "Watch", WHEN: AllDay(FIRST), REPEAT: "FREQ=WEEKLY;BYDAY=MO;COUNT=6", SKIP: frozenset({THIRD})}
    moved = Key(Field.WHEN, SECOND)
    item = made(account.open("primary"), new_review(days | {moved: AllDay(date(2026, 12, 8), 2)}))
    assert item.activity.view[WHEN] == AllDay(FIRST)
    assert item.activity.view[SKIP] == frozenset({THIRD})
    assert item.activity.view[moved] == AllDay(date(2026, 12, 8), 2)
    account.close()


def test_a_series_keeps_its_local_time_over_the_change_of_the_clocks(store):
    when = Timed(datetime(2026, 10, 19, 10, 0), "Europe/Helsinki", timedelta(hours=1))
    there = {Key(Field.LOCATION, date(2026, 11, 2)): "Sauna"}  # in winter
    item = made(store, new_review({SUBJECT: "x", WHEN: when, REPEAT: "FREQ=WEEKLY;COUNT=5"} | there))
    assert {key: value for key, value in item.activity.view.items() if key.instance} == there


def test_html_that_an_instance_has_of_its_own_survives_a_new_time_of_the_series(outlook, store):
    item = made(store, new_review())
    outlook.write_html(item.ref.id, FIRST, "<p><b>Theirs</b></p>")
    after = updated(store, seen(store, item.ref.id), NEW_TIME)
    assert after.activity.view[Key(Field.DESCRIPTION, FIRST)] == "Theirs"
    assert outlook.html(item.ref.id, FIRST) == "<p><b>Theirs</b></p>"


def test_an_instance_that_another_client_edited_meanwhile_is_not_overwritten(outlook, store):
    item = made(store, new_review())
    outlook.move_instance(item.ref.id, FIRST, "Sauna")
    assert isinstance(update(store, item, {Key(Field.LOCATION, FIRST): "Room 5"}), VersionMismatch)


def test_an_instance_that_somebody_deletes_is_a_skipped_day(outlook, store):
    item = made(store, new_review())
    outlook.delete_instance(item.ref.id, FIRST)
    assert seen(store, item.ref.id).activity.view[SKIP] == SKIPPED | {FIRST}


def test_an_instance_that_is_none_is_refused_and_nothing_is_written(outlook, store):
    item = made(store, new_review())
    before = len(outlook.writes)
    outcome = update(store, item, {SUBJECT: "x", Key(Field.SUBJECT, date(2026, 12, 8)): "No Monday"})
    assert isinstance(outcome, Refused)
    assert "2026-12-08" in outcome.reason
    assert len(outlook.writes) == before


def test_an_instance_far_in_the_future_is_found(store):
    far = Key(Field.SUBJECT, FIRST + timedelta(weeks=255))
    view = {SUBJECT: "x", WHEN: REVIEW[WHEN], REPEAT: "FREQ=WEEKLY;BYDAY=MO", far: "In five years"}
    assert made(store, new_review(view)).activity.view[far] == "In five years"


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYMONTHDAY=31"])
def test_a_rule_that_outlook_has_no_pattern_for_is_refused_with_the_reason(outlook, store, rule):
    view = {SUBJECT: "x", WHEN: Timed(datetime(2026, 12, 31, 9, 0), "Europe/Moscow", timedelta(hours=1)), REPEAT: rule}
    assert store.refuses(view)
    assert isinstance(ordered(store, Create("u", "t", view)), Refused)
    assert outlook.writes == []


YEARS = {SUBJECT: "x", WHEN: REVIEW[WHEN], REPEAT: "FREQ=YEARLY;INTERVAL=2"}


@pytest.mark.parametrize("outlook", ["exchange"], indirect=True)
def test_a_rule_that_exchange_has_no_pattern_for_is_refused_with_the_reason(store):
    assert store.refuses(YEARS)
    assert isinstance(ordered(store, Create("u", "t", YEARS)), Refused)


@pytest.mark.parametrize("outlook", ["graph", "graph that names no instances"], indirect=True)
def test_a_rule_that_graph_has_and_exchange_has_not_is_held(store):
    assert store.refuses(YEARS) == ""
    assert made(store, new_review(YEARS)).activity.view[REPEAT] == YEARS[REPEAT]


def test_guests_of_a_series_stay_on_all_its_instances(outlook, store):
    notify = outlook.guests_need_an_order
    guests = {Key(Field.ATTENDEES): frozenset({Guest("anna@r.example", "Anna")})}
    after = updated(store, made(store, new_review(REVIEW | guests, notify=notify)), LONGER, notify=notify)
    assert {guest.email for guest in after.activity.guests if not guest.organizer} == {"anna@r.example"}
    assert not [key for key in after.activity.view if key.field is Field.ATTENDEES and key.instance]
    if notify:
        outlook.mailbox.outbox.clear()  # these mails were ordered


# --- a crash or a fault between the steps

CUTS = [(how, Step.CHANGE, skip) for how in Cut for skip in range(4)]
CUTS += [(how, Step.DELETE, skip) for how in Cut for skip in range(2)]


@pytest.mark.parametrize(("how", "step", "skip"), CUTS, ids=lambda part: getattr(part, "name", part))
def test_wherever_a_change_of_the_pattern_is_cut_off_no_exception_is_lost(outlook, store, how, step, skip):
    item = made(store, new_review())
    outlook.cut(how, step, skip)
    assert isinstance(update(store, item, NEW_TIME), Unavailable)
    after = seen(store, item.ref.id)
    assert after.activity.view in (REVIEW, REVIEW | NEW_TIME)
    assert updated(store, after, NEW_TIME).activity.view == REVIEW | NEW_TIME
    assert not outlook.is_pending(item.ref.id)


@pytest.mark.parametrize("skip", range(3))
def test_a_create_that_is_cut_off_between_its_steps_is_finished_by_the_next_reader(outlook, store, skip):
    outlook.cut(Cut.LOST_AFTER, Step.CHANGE, skip)
    outcome = ordered(store, new_review())
    assert outcome == Written(Ref(outcome.ref.id))  # it stands there: called a failure, it would be made again
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    assert found.activity.view == REVIEW
    assert ordered(store, new_review()).ref.id == found.ref.id
    assert len(outlook.kept) == 1


def test_a_step_that_is_refused_keeps_the_item_back_with_the_reason_and_loses_nothing(outlook, store):
    item = made(store, new_review())
    outlook.refuse_changes(skip=1, times=2)
    assert isinstance(update(store, item, NEW_TIME), Refused)
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Refused)
    assert seen(store, item.ref.id).activity.view == REVIEW | NEW_TIME
