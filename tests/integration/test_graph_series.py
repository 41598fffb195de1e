"""A series in Microsoft 365: one item for us, a master and instances there, changed in steps that survive a crash."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.outlook.outlook_properties import PENDING, graph_id
from daemon.core.errors import Refused, Unavailable, Unreadable, VersionMismatch
from daemon.core.model import AllDay, Busy, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Ref, Seen, Update, Written
from tests.servers.graph_server import Trouble, serving
from tests.servers.graph_worlds import graph_account

SUBJECT, WHEN, REPEAT, SKIP, BODY, LOCATION = (
    Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.REPEAT, Field.SKIP, Field.DESCRIPTION, Field.LOCATION)
)
FIRST, SECOND, THIRD, FOURTH = (date(2026, 11, 30) + timedelta(weeks=week) for week in range(4))
REVIEW = {
    SUBJECT: "Pipeline review",
    Key(Field.TYPE): "meeting",
    WHEN: Timed(datetime(2026, 11, 30, 9, 0), "Europe/Moscow", timedelta(minutes=45)),
    REPEAT: "FREQ=WEEKLY;UNTIL=20270628T060000Z;BYDAY=MO",
    Key(Field.BUSY): Busy.BUSY,
    SKIP: frozenset({THIRD, date(2027, 5, 3)}),
    Key(Field.WHEN, SECOND): Timed(datetime(2026, 12, 7, 11, 0), "Europe/Moscow", timedelta(minutes=45)),
    Key(Field.WHEN, FOURTH): Timed(datetime(2026, 12, 23, 9, 0), "Europe/Moscow", timedelta(minutes=90)),
    Key(Field.SUBJECT, FOURTH): "Pipeline review (half-year)",
}
GUESTS = frozenset({Guest("anna@r.example", "Anna")})


@pytest.fixture
def graph():
    with serving() as server:
        yield server
    assert server.problems == []


@pytest.fixture(params=[True, False], ids=["named", "not named"])
def store(request, graph):
    """With a service that names the exceptions of a series, and with one that does not."""
    graph.mailbox.knobs.names_occurrences = request.param
    account = graph_account(graph)
    yield account.open("primary")
    account.close()


def made(store, view=None, **more):
    [(_, outcome)] = store.write([Create("uid-1", "token-1", REVIEW if view is None else view, **more)])
    assert isinstance(outcome, Written), outcome
    return seen(store, outcome.ref.id)


def seen(store, item):
    [reading] = store.read([item])
    assert isinstance(reading, Seen), reading
    return reading


def update(store, item, patch, **more):
    [(_, outcome)] = store.write([Update(item.ref, "t", patch, item.raw, item.activity.view, **more)])
    return outcome


def updated(store, item, patch, **more):
    outcome = update(store, item, patch, **more)
    assert isinstance(outcome, Written), outcome
    return seen(store, item.ref.id)


def pending(graph, item):
    return bool(graph.mailbox.event(item).properties.get(graph_id(PENDING).casefold()))


def by_hand(graph, item, day, **body):
    """Another client changes one instance."""
    master = graph.mailbox.event(item)
    graph.mailbox.update(master.exceptions.get(day) or graph.mailbox.occurrence(master, day), body)


def test_a_series_with_moved_renamed_and_skipped_instances_reads_back_as_it_was_meant(graph, store):
    item = made(store)
    assert item.activity.view == REVIEW
    assert len(graph.mailbox.events) == 1
    assert not pending(graph, item.ref.id)


def test_a_series_is_never_written_in_utc(graph, store):
    made(store)
    [post] = [each for each in graph.writes if each.method == "POST"]
    assert post.body["start"] == {"dateTime": "2026-11-30T09:00:00", "timeZone": "Europe/Moscow"}
    assert post.body["recurrence"]["range"]["recurrenceTimeZone"] == "Europe/Moscow"
    moves = [each.body["start"]["timeZone"] for each in graph.writes if each.method == "PATCH" and "start" in each.body]
    assert moves == ["Europe/Moscow"] * 2


@pytest.mark.parametrize("told", [True, False])
def test_a_series_is_one_item_of_the_feed_and_an_edited_instance_is_a_change_of_it(graph, store, told):
    graph.mailbox.knobs.delta_exceptions = told
    item = made(store)
    cursor = store.changes(None).cursor
    assert len(store.changes(None).items) == 1
    by_hand(graph, item.ref.id, FIRST, location={"displayName": "Sauna"})
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
        {SKIP: REVIEW[SKIP] | {date(2027, 1, 4)}},
        {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(hours=1))},
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO"},
        {REPEAT: "FREQ=WEEKLY;UNTIL=20270906T060000Z;BYDAY=MO", Key(Field.SUBJECT, SECOND): "Both at once"},
        {SKIP: frozenset({date(2027, 5, 3)})},
        {SKIP: None},
    ],
    ids=lambda patch: "+".join(f"{key.field}{key.instance or ''}" for key in patch),
)
def test_an_edit_of_a_series_changes_what_it_names_and_keeps_all_else(graph, store, patch):
    item = made(store)
    after = {key: value for key, value in (REVIEW | patch).items() if value is not None}
    assert updated(store, item, patch).activity.view == after
    assert not pending(graph, item.ref.id)


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


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Europe/Helsinki"])
def test_an_all_day_series_has_its_days_whatever_the_zone(graph, zone):
    account = graph_account(graph, zone=zone)
    store = account.open("primary")
    days = {SUBJECT: "Watch", WHEN: AllDay(FIRST), REPEAT: "FREQ=WEEKLY;BYDAY=MO;COUNT=6", SKIP: frozenset({THIRD})}
    moved = Key(Field.WHEN, SECOND)
    item = made(store, days | {moved: AllDay(date(2026, 12, 8), 2)})
    assert item.activity.view[WHEN] == AllDay(FIRST)
    assert item.activity.view[SKIP] == frozenset({THIRD})
    assert item.activity.view[moved] == AllDay(date(2026, 12, 8), 2)
    account.close()


def test_a_series_keeps_its_local_time_over_the_change_of_the_clocks(store):
    when = Timed(datetime(2026, 10, 19, 10, 0), "Europe/Helsinki", timedelta(hours=1))
    winter = date(2026, 11, 2)
    item = made(store, {SUBJECT: "x", WHEN: when, REPEAT: "FREQ=WEEKLY;COUNT=5", Key(Field.LOCATION, winter): "Sauna"})
    instances = {key: value for key, value in item.activity.view.items() if key.instance}
    assert instances == {Key(Field.LOCATION, winter): "Sauna"}


def test_html_that_an_instance_has_of_its_own_survives_a_new_time_of_the_series(graph, store):
    item = made(store)
    by_hand(graph, item.ref.id, FIRST, body={"contentType": "html", "content": "<p><b>Theirs</b></p>"})
    new_time = Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(minutes=45))
    after = updated(store, seen(store, item.ref.id), {WHEN: new_time})
    assert after.activity.view[Key(Field.DESCRIPTION, FIRST)] == "Theirs"
    kept = graph.mailbox.event(item.ref.id).exceptions[FIRST]
    assert kept.fields["body"]["content"] == "<p><b>Theirs</b></p>"


def test_an_instance_that_another_client_edited_meanwhile_is_not_overwritten(graph, store):
    item = made(store)
    by_hand(graph, item.ref.id, FIRST, location={"displayName": "Sauna"})
    assert isinstance(update(store, item, {Key(Field.LOCATION, FIRST): "Room 5"}), VersionMismatch)


def test_an_instance_that_somebody_deletes_is_a_skipped_day(graph, store):
    item = made(store)
    master = graph.mailbox.event(item.ref.id)
    graph.mailbox.delete(graph.mailbox.occurrence(master, FIRST))
    assert seen(store, item.ref.id).activity.view[SKIP] == REVIEW[SKIP] | {FIRST}


def test_an_instance_that_is_none_is_refused_and_nothing_is_written(graph, store):
    item = made(store)
    before = len(graph.writes)
    outcome = update(store, item, {SUBJECT: "x", Key(Field.SUBJECT, date(2026, 12, 8)): "No Monday"})
    assert isinstance(outcome, Refused)
    assert "2026-12-08" in outcome.reason
    assert len(graph.writes) == before


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYMONTHDAY=31"])
def test_a_rule_that_graph_has_no_pattern_for_is_refused_with_the_reason(store, rule):
    view = {SUBJECT: "x", WHEN: Timed(datetime(2026, 12, 31, 9, 0), "Europe/Moscow", timedelta(hours=1)), REPEAT: rule}
    assert store.refuses(view)
    [(_, outcome)] = store.write([Create("u", "t", view)])
    assert isinstance(outcome, Refused)


def test_a_rule_that_graph_has_and_exchange_has_not_is_held(store):
    view = {SUBJECT: "x", WHEN: REVIEW[WHEN], REPEAT: "FREQ=YEARLY;INTERVAL=2"}
    assert store.refuses(view) == ""
    assert made(store, view).activity.view[REPEAT] == "FREQ=YEARLY;INTERVAL=2"


def test_an_instance_far_in_the_future_is_found(store):
    far = FIRST + timedelta(weeks=255)
    view = {SUBJECT: "x", WHEN: REVIEW[WHEN], REPEAT: "FREQ=WEEKLY;BYDAY=MO", Key(Field.SUBJECT, far): "In five years"}
    assert made(store, view).activity.view[Key(Field.SUBJECT, far)] == "In five years"


def test_guests_of_a_series_stay_on_all_its_instances(store):
    item = made(store, REVIEW | {Key(Field.ATTENDEES): GUESTS}, notify=True)
    new_time = {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(hours=1))}
    after = updated(store, item, new_time, notify=True)
    assert {guest.email for guest in after.activity.guests if not guest.organizer} == {"anna@r.example"}
    assert not [key for key in after.activity.view if key.field is Field.ATTENDEES and key.instance]


# --- a crash or a fault between the steps

NEW_TIME = {WHEN: Timed(datetime(2026, 11, 30, 8, 0), "Europe/Moscow", timedelta(minutes=45))}
CUTS = [*(("PATCH", skip) for skip in range(4)), ("DELETE", 0), ("DELETE", 1)]
TROUBLES = (Trouble.DROP, Trouble.DROP_AFTER, Trouble.ANSWER, Trouble.ANSWER_AFTER)
FAULTS = [(trouble, *cut) for trouble in TROUBLES for cut in CUTS]


@pytest.mark.parametrize(("trouble", "method", "skip"), FAULTS)
def test_wherever_a_change_of_the_pattern_is_cut_off_no_exception_is_lost(graph, store, trouble, method, skip):
    item = made(store)
    graph.fail(trouble, method, skip=skip, status=500)
    outcome = update(store, item, NEW_TIME)
    assert isinstance(outcome, Unavailable)
    after = seen(store, item.ref.id)
    assert after.activity.view in (REVIEW, REVIEW | NEW_TIME)
    assert updated(store, after, NEW_TIME).activity.view == REVIEW | NEW_TIME
    assert not pending(graph, item.ref.id)


@pytest.mark.parametrize("skip", range(3))
def test_a_create_that_is_cut_off_between_its_steps_is_finished_by_the_next_reader(graph, store, skip):
    graph.fail(Trouble.DROP_AFTER, "PATCH", skip=skip)
    write = Create("uid-1", "token-1", REVIEW)
    [(_, outcome)] = store.write([write])
    assert outcome == Written(Ref(outcome.ref.id))
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    assert found.activity.view == REVIEW
    [(_, again)] = store.write([write])
    assert again.ref.id == found.ref.id
    assert len(graph.mailbox.events) == 1


def test_a_look_that_fails_between_two_steps_leaves_the_write_uncertain(graph, store):
    graph.mailbox.knobs.names_occurrences = True
    item = made(store)
    graph.fail(Trouble.ANSWER, "GET", "/instances", status=503)
    outcome = update(store, item, {Key(Field.SUBJECT, FIRST): "Kick-off", SUBJECT: "Weekly"})
    assert isinstance(outcome, Unavailable)
    assert outcome.uncertain


def test_a_step_that_graph_refuses_keeps_the_item_back_with_the_reason_and_loses_nothing(graph, store):
    item = made(store)
    graph.fail(Trouble.ANSWER, "PATCH", status=413, code="ErrorMessageSizeExceeded", skip=1, times=2)
    assert isinstance(update(store, item, NEW_TIME), Refused)
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Refused)
    assert seen(store, item.ref.id).activity.view == REVIEW | NEW_TIME


def set_pending(graph, item, text):
    properties = [{"id": graph_id(PENDING), "value": text}]
    graph.mailbox.update(graph.mailbox.event(item), {"singleValueExtendedProperties": properties})


def test_steps_that_nobody_ordered_to_mail_are_not_carried_out_on_a_meeting(graph, store):
    item = made(store, REVIEW | {Key(Field.ATTENDEES): GUESTS}, notify=True)
    set_pending(graph, item.ref.id, json.dumps({"skip": ["2026-12-28"], "patch": {}, "mail": False}))
    sent = len(graph.mailbox.outbox)
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Refused)
    assert len(graph.mailbox.outbox) == sent


def test_steps_that_were_left_over_ews_are_told_and_not_guessed_at(graph, store):
    item = made(store)
    set_pending(graph, item.ref.id, json.dumps({"skip": [], "change": {"2026-11-30": "<UpdateItem/>"}}))
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Unreadable)


def test_a_day_that_was_left_out_already_is_left_out_without_a_word(graph, store):
    item = made(store)
    set_pending(graph, item.ref.id, json.dumps({"skip": [THIRD.isoformat()], "patch": {}, "mail": False}))
    assert seen(store, item.ref.id).activity.view == REVIEW
    assert not pending(graph, item.ref.id)


def test_an_exception_is_no_item_of_its_own_even_if_it_is_asked_for(graph, store):
    item = made(store)
    exception = graph.mailbox.event(item.ref.id).exceptions[SECOND]
    [reading] = store.read([exception.id])
    assert type(reading).__name__ == "Gone"


def test_the_zone_of_a_foreign_series_is_its_own(graph, store):
    body = {
        "subject": "Theirs",
        "start": {"dateTime": "2026-11-30T10:00:00", "timeZone": "Europe/Rome"},
        "end": {"dateTime": "2026-11-30T11:00:00", "timeZone": "Europe/Rome"},
        "recurrence": {
            "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "sunday"},
            "range": {"type": "noEnd", "startDate": "2026-11-30", "recurrenceTimeZone": "Europe/Rome"},
        },
    }
    event = graph.mailbox.create(graph.mailbox.default, body)
    assert seen(store, event.id).activity.view[WHEN].zone == "Europe/Rome"
    graph.mailbox.knobs.tells_windows_names = True
    assert seen(store, event.id).activity.view[WHEN].zone == "Europe/Berlin"
    assert event.start == datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
