"""Microsoft 365 that does not answer by the book: gateways, other clouds, options and addresses that are not there."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from daemon.core.errors import Missing, Refused, Unavailable
from daemon.core.model import AllDay, Busy, Field, Key, Timed
from daemon.core.store import Create, Failed, Gone, Remove, Seen, Update, Written
from tests.servers.graph_server import Trouble
from tests.servers.graph_worlds import graph_account
from tests.servers.one_order import made, ordered, seen
from tests.servers.outlook_services import GraphService

SUBJECT, WHEN, REPEAT, SKIP = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.REPEAT, Field.SKIP))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
FIRST, SECOND, THIRD, FOURTH = (date(2026, 11, 30) + timedelta(weeks=week) for week in range(4))
SERIES = {
    SUBJECT: "Review",
    Key(Field.BUSY): Busy.BUSY,
    WHEN: NINE,
    REPEAT: "FREQ=WEEKLY;COUNT=6;BYDAY=MO",
    SKIP: frozenset({THIRD}),
    Key(Field.LOCATION, FIRST): "Sauna",
    Key(Field.LOCATION, SECOND): "Room 5",
    Key(Field.LOCATION, FOURTH): "Harbour",
}
PORTAL = "<html><body>Please sign in to the network.</body></html>"
ANNA = {
    "emailAddress": {"address": "anna@r.example", "name": "Anna"},
    "type": "required",
}


@pytest.fixture
def knobs(graph):
    return graph.mailbox.knobs


@pytest.fixture
def outlook(graph):
    return GraphService(graph)


def new(view=SERIES, uid="uid-1"):
    return Create(uid, f"token {uid}", view)


# --- answers that are none


@pytest.mark.parametrize("answer", [{"status": 202}, {"status": 200, "page": PORTAL}, {"status": 302}])
def test_an_event_that_is_taken_without_an_id_is_in_question_and_found_later(graph, store, answer):
    graph.fail(Trouble.ANSWER_AFTER, "POST", "/events", **answer)
    order = Create("uid-1", "token", {SUBJECT: "Call", WHEN: NINE})
    outcome = ordered(store, order)
    assert isinstance(outcome, Unavailable)
    found = store.find("uid-1", "token")
    assert found.activity.view[SUBJECT] == "Call"
    assert ordered(store, order).ref.id == found.ref.id


@pytest.mark.parametrize("answer", [{"status": 202}, {"status": 200, "page": PORTAL}])
def test_an_event_that_may_have_been_made_is_said_to_be_uncertain(graph, store, answer):
    graph.fail(Trouble.ANSWER, "POST", "/events", **answer)
    assert ordered(store, Create("uid-1", "token", {SUBJECT: "Call", WHEN: NINE})).uncertain


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_portals_page_in_answer_to_a_write_is_not_taken_for_its_success(graph, store, method):
    item = made(store, new({SUBJECT: "Call", WHEN: NINE}))
    graph.fail(Trouble.ANSWER, method, status=200, page=PORTAL)
    order = Update(item.ref, "t", {SUBJECT: "y"}, item.raw) if method == "PATCH" else Remove(item.ref, "t")
    outcome = ordered(store, order)
    assert isinstance(outcome, Unavailable)
    assert outcome.uncertain


def test_a_portals_page_in_place_of_an_event_is_no_event(graph, store, hand):
    item = hand.add("one", "One")
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=200, page=PORTAL)
    with pytest.raises(Unavailable):
        list(store.read([item]))


# --- what is not there


@pytest.mark.parametrize("code", ["", "ResourceNotFound", "UnknownError", "NotFound"])
@pytest.mark.parametrize("how_many", [1, 3])
def test_a_404_that_does_not_say_gone_holds_the_event_back_and_its_neighbours_are_read(
    graph, store, hand, code, how_many
):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(how_many)]
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, code=code)
    first, *others = store.read(ids)
    assert isinstance(first, Failed)
    assert isinstance(first.error, Refused)
    assert all(isinstance(each, Seen) for each in others)


@pytest.mark.parametrize("answer", [{"code": ""}, {"code": "ResourceNotFound"}, {"page": PORTAL}])
def test_where_the_calendar_does_not_answer_either_nothing_is_gone(graph, store, hand, knobs, answer):
    cursor = store.changes(None).cursor
    item = hand.add("one", "One")
    hand.remove(item)
    store.changes(cursor)
    knobs.calendars_answer = False
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, **answer)
    with pytest.raises(Unavailable):
        list(store.read([item]))


def test_what_the_feed_called_gone_and_reads_so_in_other_words_is_gone(graph, store, hand):
    item = hand.add("one", "One")
    cursor = store.changes(None).cursor
    hand.remove(item)
    assert store.changes(cursor).gone == [item]
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, code="ResourceNotFound")
    [reading] = store.read([item])
    assert isinstance(reading, Gone)


def test_a_user_whom_the_service_does_not_find_is_no_deleted_event(graph, store, hand):
    item = hand.add("one", "One")
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, code="ErrorInvalidUser")
    with pytest.raises(Missing):
        list(store.read([item]))


def test_a_write_to_an_event_that_is_unclear_is_neither_done_nor_taken_for_a_deletion(graph, store):
    item = made(store, new({SUBJECT: "Call", WHEN: NINE}))
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, times=2)
    assert isinstance(ordered(store, Update(item.ref, "t", {SUBJECT: "y"}, item.raw)), Refused)
    assert isinstance(ordered(store, Remove(item.ref, "t")), Refused)
    assert seen(store, item.ref.id).activity.view[SUBJECT] == "Call"


# --- what a series does not tell


@pytest.mark.parametrize("page", [0, 1, 2])
def test_exceptions_that_come_in_pages_are_all_read(store, knobs, page):
    knobs.expands = page
    assert made(store, new()).activity.view == SERIES


def test_a_page_of_exceptions_that_is_not_answered_holds_the_series_back(graph, store, knobs):
    item = made(store, new())
    knobs.expands = 1
    graph.fail(Trouble.ANSWER, "GET", "/exceptionOccurrences", status=500)
    with pytest.raises(Unavailable):
        list(store.read([item.ref.id]))
    assert seen(store, item.ref.id).activity.view == SERIES


@pytest.mark.parametrize(
    "omits",
    [
        {"exceptionOccurrences"},
        {"cancelledOccurrences"},
        {"exceptionOccurrences", "cancelledOccurrences"},
    ],
    ids=lambda hidden: "+".join(sorted(hidden)),
)
def test_a_service_that_ignores_what_is_asked_for_takes_no_instance_from_the_file(store, knobs, omits):
    knobs.omits = frozenset(omits)
    assert made(store, new()).activity.view == SERIES


def test_a_series_is_known_as_one_without_its_type(graph, store, knobs):
    item = made(store, new())
    knobs.omits = frozenset({"type"})
    assert seen(store, item.ref.id).activity.view == SERIES
    graph.mailbox.update(graph.mailbox.event(item.ref.id).exceptions[FIRST], {"subject": "Kick-off"})
    assert seen(store, item.ref.id).ref.version != item.ref.version


def test_a_series_of_which_nothing_tells_the_exceptions_is_held_back(store, knobs):
    item = made(store, new())
    knobs.omits = frozenset({"type", "exceptionOccurrences"})
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert "instances" in reading.error.reason


@pytest.mark.parametrize(
    "refusal",
    [
        (400, "invalidRequest"),
        (400, "ErrorInvalidRequest"),
        (400, "ErrorInvalidParameter"),
        (400, "RequestBroker--ParseUri"),
        (400, ""),
        (501, ""),
        (501, "notSupported"),
    ],
)
def test_however_a_service_says_that_it_has_no_such_option_the_event_is_read(graph, store, knobs, refusal):
    knobs.refuses_options = refusal
    item = made(store, new())
    assert item.activity.view == SERIES
    before = len(graph.asked)
    seen(store, item.ref.id)
    assert not [each for each in graph.asked[before:] if "exceptionOccurrences" in each.address]


def test_one_event_that_is_refused_does_not_make_the_others_dearer(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(3)]
    graph.fail(
        Trouble.ANSWER,
        "GET",
        "/me/events",
        status=400,
        code="ErrorOfItsOwn",
        inside=True,
    )
    assert all(isinstance(each, Seen) for each in store.read(ids))
    before = len(graph.asked)
    list(store.read(ids))
    assert all("exceptionOccurrences" in each.address for each in graph.asked[before:] if each.inside)


# --- whole days


@pytest.mark.parametrize("zone", ["Europe/Helsinki", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"])
def test_whole_days_that_are_told_in_utc_stay_on_their_days(graph, knobs, zone):
    knobs.shifts_all_day = True
    account = graph_account(graph, zone=zone)
    store = account.open("primary")
    for number, day in enumerate((date(2026, 7, 1), date(2026, 12, 24))):
        item = made(store, new({SUBJECT: "Holiday", WHEN: AllDay(day, 2)}, uid=f"day-{number}"))
        assert item.activity.view[WHEN] == AllDay(day, 2)
    account.close()


def test_a_series_of_whole_days_that_is_told_in_utc_keeps_its_instances(store, knobs):
    knobs.shifts_all_day = True
    watch = {
        SUBJECT: "Watch",
        Key(Field.BUSY): Busy.FREE,
        WHEN: AllDay(FIRST),
        REPEAT: "FREQ=WEEKLY;COUNT=6;BYDAY=MO",
        SKIP: frozenset({THIRD}),
        Key(Field.WHEN, SECOND): AllDay(SECOND + timedelta(days=1), 2),
    }
    assert made(store, new(watch)).activity.view == watch


# --- addresses that are not there


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_service_without_batches_is_asked_four_at_a_time_and_for_no_batch_again(graph, store, hand, knobs, status):
    ids = [hand.add(f"uid-{number}", f"Event {number}") for number in range(45)]
    knobs.batches = status
    assert [each.activity.view[SUBJECT] for each in store.read(ids)] == [f"Event {number}" for number in range(45)]
    assert len([each for each in graph.asked if "$batch" in each.address]) == 1
    assert graph.most_at_work <= 4


def test_a_batch_that_is_throttled_is_not_taken_for_a_service_without_batches(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(3)]
    graph.fail(Trouble.ANSWER, "POST", "$batch", status=429)
    with pytest.raises(Unavailable):
        list(store.read(ids))
    assert all(isinstance(each, Seen) for each in store.read(ids))
    assert len([each for each in graph.asked if "$batch" in each.address]) == 2


def test_a_service_that_takes_delta_for_an_id_is_followed_by_its_view(store, hand, knobs):
    knobs.delta_as_id = True
    one = hand.add("one", "One")
    first = store.changes(None)
    assert [ref.id for ref in first.items] == [one]
    two = hand.add("two", "Two")
    assert two in {ref.id for ref in store.changes(first.cursor).items}


def test_a_calendar_that_is_deleted_is_missing_to_both_feeds(graph, hand, knobs):
    knobs.delta_as_id = True
    team = graph.mailbox.add_calendar("Team")
    account = graph_account(graph)
    store = account.open("Team")
    del graph.mailbox.calendars[team.id]
    with pytest.raises(Missing):
        store.changes(None)
    account.close()


@pytest.mark.parametrize("status", [400, 501])
def test_a_service_without_filters_leaves_one_event_in_question_and_reads_the_others(store, knobs, status):
    item = made(store, new({SUBJECT: "Call", WHEN: NINE}))
    knobs.refuses_filter = status
    with pytest.raises(Refused):
        store.find("uid-1", "token uid-1")
    assert seen(store, item.ref.id).activity.uid == "uid-1"


# --- mail, and copies


@pytest.mark.parametrize("named", [True, False])
def test_a_series_of_which_one_instance_has_guests_is_neither_deleted_nor_changed_without_an_order(
    graph, store, knobs, named
):
    knobs.names_occurrences = named
    item = made(store, new())
    graph.mailbox.update(graph.mailbox.event(item.ref.id).exceptions[SECOND], {"attendees": [ANNA]})
    item = seen(store, item.ref.id)
    graph.mailbox.outbox.clear()
    for order in (
        Remove(item.ref, "t"),
        Update(item.ref, "t", {SUBJECT: "y"}, item.raw, item.activity.view),
    ):
        outcome = ordered(store, order)
        assert isinstance(outcome, Refused)
        assert "mails" in outcome.reason
    assert graph.mailbox.outbox == []
    assert isinstance(ordered(store, Remove(item.ref, "t", notify=True)), Written)
    assert [mail.to for mail in graph.mailbox.outbox] == [("anna@r.example",)]


def test_a_series_without_guests_is_deleted_without_an_order(graph, store):
    item = made(store, new())
    assert isinstance(ordered(store, Remove(item.ref, "t")), Written)
    assert graph.mailbox.events == {}


def test_an_event_whose_id_changed_without_a_word_keeps_its_uid(graph, store):
    item = made(store, new({SUBJECT: "Call", WHEN: NINE}))
    event = graph.mailbox.events.pop(item.ref.id)
    event.id = "AAkALg-moved"
    graph.mailbox.events[event.id] = event
    graph.mailbox.log[:] = [(event.calendar, event.id)]
    assert [ref.id for ref in store.changes(None).items] == [event.id]
    assert seen(store, event.id).activity.uid == "uid-1"
