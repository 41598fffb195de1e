"""A series on Exchange: one item for us, a master and occurrences there, changed in steps that survive a crash."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from lxml import etree

from adapters.outlook.outlook_properties import PENDING, PROPERTY_SET
from daemon.core.errors import Refused, Unavailable, VersionMismatch
from daemon.core.model import AllDay, Busy, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Seen, Update, Written
from tests.servers.ews_kept import leaf
from tests.servers.ews_schema import T
from tests.servers.ews_server import Trouble, serving
from tests.servers.ews_worlds import exchange_account

SUBJECT, WHEN, REPEAT, SKIP, BODY, LOCATION = (
    Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.REPEAT, Field.SKIP, Field.DESCRIPTION, Field.LOCATION)
)
FIRST, SECOND, THIRD, FOURTH = (date(2026, 11, 30) + timedelta(weeks=week) for week in range(4))
ELEVEN = Timed(datetime(2026, 12, 7, 11, 0), "Europe/Moscow", timedelta(minutes=45))
REVIEW = {
    SUBJECT: "Pipeline review",
    Key(Field.TYPE): "meeting",
    WHEN: Timed(datetime(2026, 11, 30, 9, 0), "Europe/Moscow", timedelta(minutes=45)),
    REPEAT: "FREQ=WEEKLY;UNTIL=20270628T060000Z;BYDAY=MO",
    Key(Field.BUSY): Busy.BUSY,
    SKIP: frozenset({THIRD, date(2027, 5, 3)}),
    Key(Field.WHEN, SECOND): ELEVEN,
    Key(Field.WHEN, FOURTH): Timed(datetime(2026, 12, 23, 9, 0), "Europe/Moscow", timedelta(minutes=90)),
    Key(Field.SUBJECT, FOURTH): "Pipeline review (half-year)",
}


@pytest.fixture
def ews():
    with serving() as server:
        yield server
    assert server.violations == []
    assert server.mailbox.outbox == []


@pytest.fixture
def store(ews):
    account = exchange_account(ews)
    yield account.open("primary")
    account.close()


def made(store, view=None):
    [(_, outcome)] = store.write([Create("uid-1", "token-1", REVIEW if view is None else view)])
    assert isinstance(outcome, Written), outcome
    return seen(store, outcome.ref.id)


def seen(store, item):
    [reading] = store.read([item])
    assert isinstance(reading, Seen), reading
    return reading


def update(store, item, patch):
    [(_, outcome)] = store.write([Update(item.ref, "t", patch, item.raw, item.activity.view)])
    return outcome


def updated(store, item, patch):
    outcome = update(store, item, patch)
    assert isinstance(outcome, Written), outcome
    return seen(store, item.ref.id)


def pending(ews, item):
    return (PROPERTY_SET, PENDING) in ews.mailbox.item(item).properties


def test_a_series_with_moved_renamed_and_skipped_instances_reads_back_as_it_was_meant(ews, store):
    item = made(store)
    assert item.activity.view == REVIEW
    assert len(ews.mailbox.items) == 1
    assert not pending(ews, item.ref.id)


def test_a_series_is_one_item_of_the_feed_and_an_edited_occurrence_is_a_change_of_it(ews, store):
    item = made(store)
    cursor = store.changes(None).cursor
    assert len(store.changes(None).items) == 1
    master = ews.mailbox.item(item.ref.id)
    original = next(master.starts())
    change = ("SetItemField", "Location", leaf("Location", "Sauna"))
    ews.mailbox.update_occurrence(master, original, [change], "SendToNone")
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
        {Key(Field.WHEN, FIRST): AllDay(FIRST)},
        {SKIP: REVIEW[SKIP] | {date(2027, 1, 4)}},
        {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(hours=1))},
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO"},
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO", Key(Field.SUBJECT, SECOND): "Both at once"},
        {SKIP: frozenset({date(2027, 5, 3)})},
        {SKIP: None},
    ],
    ids=lambda patch: "+".join(f"{key.field}{key.instance or ''}" for key in patch),
)
def test_an_edit_of_a_series_changes_what_it_names_and_keeps_all_else(ews, store, patch):
    item = made(store)
    after = {key: value for key, value in (REVIEW | patch).items() if value is not None}
    assert updated(store, item, patch).activity.view == after
    assert not pending(ews, item.ref.id)


def test_what_an_instance_no_longer_says_is_what_the_series_says(store):
    item = made(store)
    patch = {Key(Field.WHEN, SECOND): None, Key(Field.SUBJECT, FOURTH): None}
    after = {key: value for key, value in REVIEW.items() if key not in patch}
    assert updated(store, item, patch).activity.view == after


def test_a_series_becomes_a_single_event_and_a_series_again(store):
    item = made(store, {key: value for key, value in REVIEW.items() if key.instance is None and key != SKIP})
    single = updated(store, item, {REPEAT: None})
    assert REPEAT not in single.activity.view
    assert updated(store, single, {REPEAT: "FREQ=DAILY;COUNT=3"}).activity.view[REPEAT] == "FREQ=DAILY;COUNT=3"


def test_an_all_day_series_has_its_days_whatever_the_zone(store):
    days = {SUBJECT: "Watch", WHEN: AllDay(FIRST), REPEAT: "FREQ=WEEKLY;BYDAY=MO;COUNT=6", SKIP: frozenset({THIRD})}
    moved = Key(Field.WHEN, SECOND)
    item = made(store, days | {moved: AllDay(date(2026, 12, 8), 2)})
    assert item.activity.view[SKIP] == frozenset({THIRD})
    assert item.activity.view[moved] == AllDay(date(2026, 12, 8), 2)


def test_a_series_keeps_its_local_time_over_the_change_of_the_clocks(store):
    when = Timed(datetime(2026, 10, 19, 10, 0), "Europe/Helsinki", timedelta(hours=1))
    winter = date(2026, 11, 2)
    item = made(store, {SUBJECT: "x", WHEN: when, REPEAT: "FREQ=WEEKLY;COUNT=5", Key(Field.LOCATION, winter): "Sauna"})
    instances = {key: value for key, value in item.activity.view.items() if key.instance}
    assert instances == {Key(Field.LOCATION, winter): "Sauna"}


def test_html_that_an_instance_has_of_its_own_survives_a_new_time_of_the_series(ews, store):
    item = made(store)
    master = ews.mailbox.item(item.ref.id)
    body = etree.fromstring(
        f'<t:Body xmlns:t="{T}" BodyType="HTML">&lt;p&gt;&lt;b&gt;Theirs&lt;/b&gt;&lt;/p&gt;</t:Body>'
    )
    ews.mailbox.update_occurrence(master, next(master.starts()), [("SetItemField", "Body", body)], "SendToNone")
    item = seen(store, item.ref.id)
    new_time = Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(minutes=45))
    after = updated(store, item, {WHEN: new_time})
    assert after.activity.view[Key(Field.DESCRIPTION, FIRST)] == "Theirs"
    assert "<b>Theirs</b>" in ews.mailbox.item(item.ref.id).exceptions[next(master.starts())].text("Body")


def test_an_occurrence_that_another_client_edited_meanwhile_is_not_overwritten(ews, store):
    item = made(store)
    master = ews.mailbox.item(item.ref.id)
    change = ("SetItemField", "Location", leaf("Location", "Sauna"))
    ews.mailbox.update_occurrence(master, next(master.starts()), [change], "SendToNone")
    assert isinstance(update(store, item, {Key(Field.LOCATION, FIRST): "Room 5"}), VersionMismatch)


def test_an_instance_that_is_none_is_refused_and_nothing_is_written(ews, store):
    item = made(store)
    before = len(ews.asked)
    outcome = update(store, item, {SUBJECT: "x", Key(Field.SUBJECT, date(2026, 12, 8)): "No Monday"})
    assert isinstance(outcome, Refused)
    assert "2026-12-08" in outcome.reason
    assert "UpdateItem" not in ews.operations[before:]


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=YEARLY;INTERVAL=2", "FREQ=MONTHLY;BYMONTHDAY=1,15"])
def test_a_rule_that_exchange_has_no_pattern_for_is_refused_with_the_reason(store, rule):
    view = {SUBJECT: "x", WHEN: REVIEW[WHEN], REPEAT: rule}
    assert store.refuses(view)
    [(_, outcome)] = store.write([Create("u", "t", view)])
    assert isinstance(outcome, Refused)


def test_guests_of_a_series_stay_on_all_its_instances(ews, store):
    guests = {Key(Field.ATTENDEES): frozenset({Guest("anna@r.example", "Anna")})}
    item = made(store, REVIEW | guests)
    after = updated(store, item, {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(hours=1))})
    assert {guest.email for guest in after.activity.guests if not guest.organizer} == {"anna@r.example"}
    assert not [key for key in after.activity.view if key.field is Field.ATTENDEES and key.instance]


# --- a crash or a fault between the steps

NEW_TIME = {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(minutes=45))}
CUTS = [*(("UpdateItem", skip) for skip in range(4)), ("DeleteItem", 0), ("DeleteItem", 1)]
TROUBLES = (Trouble.DROP, Trouble.DROP_AFTER, Trouble.UNAVAILABLE, Trouble.UNAVAILABLE_AFTER)
FAULTS = [(trouble, *cut) for trouble in TROUBLES for cut in CUTS]


@pytest.mark.parametrize(("trouble", "operation", "skip"), FAULTS)
def test_wherever_a_change_of_the_pattern_is_cut_off_no_exception_is_lost(ews, store, trouble, operation, skip):
    item = made(store)
    ews.fail(trouble, operation, skip=skip)
    outcome = update(store, item, NEW_TIME)
    assert isinstance(outcome, Unavailable)
    after = seen(store, item.ref.id)
    assert after.activity.view in (REVIEW, REVIEW | NEW_TIME)
    assert updated(store, after, NEW_TIME).activity.view == REVIEW | NEW_TIME
    assert not pending(ews, item.ref.id)


@pytest.mark.parametrize("skip", range(3))
def test_a_create_that_is_cut_off_between_its_steps_is_finished_by_the_next_reader(ews, store, skip):
    ews.fail(Trouble.DROP_AFTER, "UpdateItem", skip=skip)
    write = Create("uid-1", "token-1", REVIEW)
    [(_, outcome)] = store.write([write])
    assert isinstance(outcome, Written)  # it stands there: called a failure, it would be made again
    assert outcome.ref.version == ""
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    assert found.activity.view == REVIEW
    [(_, again)] = store.write([write])
    assert again.ref.id == found.ref.id
    assert len(ews.mailbox.items) == 1


def test_a_step_that_exchange_refuses_keeps_the_item_back_with_the_reason_and_loses_nothing(ews, store):
    item = made(store)
    ews.fail(Trouble.ERROR, "UpdateItem", code="ErrorMessageSizeExceeded", skip=1, times=2)
    assert isinstance(update(store, item, NEW_TIME), Refused)
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Refused)
    assert seen(store, item.ref.id).activity.view == REVIEW | NEW_TIME
