"""What is Microsoft 365's own about a series: its zones, its ids, and the steps that stand on an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.outlook.outlook_properties import PENDING, graph_id
from daemon.core.errors import Refused, Unavailable, Unreadable
from daemon.core.model import Field, Guest, Key
from daemon.core.store import Failed
from tests.servers.graph_server import Trouble
from tests.servers.graph_worlds import graph_account
from tests.servers.one_order import made, seen, update
from tests.servers.outlook_services import GraphService
from tests.servers.review_series import FIRST, REVIEW, SECOND, SUBJECT, THIRD, WHEN, new_review

GUESTS = frozenset({Guest("anna@r.example", "Anna")})


@pytest.fixture(params=[True, False], ids=["named", "not named"])
def store(request, graph):
    """With a service that names the exceptions of a series, and with one that does not."""
    graph.mailbox.knobs.names_occurrences = request.param
    account = graph_account(graph)
    yield account.open("primary")
    account.close()


def test_a_series_is_never_written_in_utc(graph, store):
    made(store, new_review())
    [post] = [each for each in graph.writes if each.method == "POST"]
    assert post.body["start"] == {"dateTime": "2026-11-30T09:00:00", "timeZone": "Europe/Moscow"}
    assert post.body["recurrence"]["range"]["recurrenceTimeZone"] == "Europe/Moscow"
    moves = [each.body["start"]["timeZone"] for each in graph.writes if each.method == "PATCH" and "start" in each.body]
    assert moves == ["Europe/Moscow"] * 2


def set_pending(graph, item, text):
    properties = [{"id": graph_id(PENDING), "value": text}]
    graph.mailbox.update(graph.mailbox.event(item), {"singleValueExtendedProperties": properties})


def test_steps_that_nobody_ordered_to_mail_are_not_carried_out_on_a_meeting(graph, store):
    item = made(store, new_review(REVIEW | {Key(Field.ATTENDEES): GUESTS}, notify=True))
    set_pending(graph, item.ref.id, json.dumps({"skip": ["2026-12-28"], "patch": {}, "mail": False}))
    sent = len(graph.mailbox.outbox)
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Refused)
    assert len(graph.mailbox.outbox) == sent


def test_steps_that_were_left_over_ews_are_told_and_not_guessed_at(graph, store):
    item = made(store, new_review())
    set_pending(graph, item.ref.id, json.dumps({"skip": [], "change": {"2026-11-30": "<UpdateItem/>"}}))
    [reading] = store.read([item.ref.id])
    assert isinstance(reading, Failed)
    assert isinstance(reading.error, Unreadable)


def test_a_day_that_was_left_out_already_is_left_out_without_a_word(graph, store):
    item = made(store, new_review())
    set_pending(graph, item.ref.id, json.dumps({"skip": [THIRD.isoformat()], "patch": {}, "mail": False}))
    assert seen(store, item.ref.id).activity.view == REVIEW
    assert not GraphService(graph).is_pending(item.ref.id)


def test_an_exception_is_no_item_of_its_own_even_if_it_is_asked_for(graph, store):
    item = made(store, new_review())
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


def test_a_look_that_fails_between_two_steps_leaves_the_write_uncertain(graph, store):
    graph.mailbox.knobs.names_occurrences = True
    item = made(store, new_review())
    graph.fail(Trouble.ANSWER, "GET", "/instances", status=503)
    outcome = update(store, item, {Key(Field.SUBJECT, FIRST): "Kick-off", SUBJECT: "Weekly"})
    assert isinstance(outcome, Unavailable)
    assert outcome.uncertain
