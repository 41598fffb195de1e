"""Trouble with Microsoft 365: sign-in, rights, throttling inside and outside of batches, lost answers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from daemon.core.errors import (
    Forbidden,
    Full,
    Missing,
    Refused,
    SignInNeeded,
    Unavailable,
    VersionMismatch,
)
from daemon.core.model import Field, Key, Timed
from daemon.core.store import Create, Failed, Gone, Remove, Seen, Update, Written
from tests.servers.graph_server import Trouble, serving
from tests.servers.graph_worlds import graph_account
from tests.servers.one_order import made, ordered
from tests.servers.outlook_services import GraphService

SUBJECT, WHEN = Key(Field.SUBJECT), Key(Field.WHEN)
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))


@pytest.fixture
def outlook(graph):
    return GraphService(graph)


def new(number=1):
    return Create(f"uid-{number}", f"token {number}", {SUBJECT: "x", WHEN: NINE})


# --- sign-in and rights


def test_a_token_that_is_not_taken_stops_the_account_after_one_more_look_at_its_source(
    graph,
):
    tokens = ["old", "old"]
    account = graph_account(graph, token=lambda: tokens[0])
    with pytest.raises(SignInNeeded) as needed:
        account.calendars()
    assert "datebook connect" in needed.value.what_to_do
    assert len(graph.asked) == 1
    account.close()


def test_a_broker_that_has_a_newer_token_is_asked_again_at_once(graph):
    given = iter(["old", "token"])
    account = graph_account(graph, token=lambda: next(given))
    assert account.calendars()
    account.close()


def test_a_token_that_ends_while_writes_are_sent_loses_none_of_them(graph, store):
    item = made(store, new())
    graph.tokens.clear()
    assert isinstance(ordered(store, Update(item.ref, "t", {SUBJECT: "y"}, item.raw)), SignInNeeded)
    graph.tokens.add("token")
    assert isinstance(ordered(store, Update(item.ref, "t", {SUBJECT: "y"}, item.raw)), Written)


def test_a_token_that_is_none_is_never_sent(graph):
    account = graph_account(graph, token=lambda: "two\r\nlines: of it")
    with pytest.raises(SignInNeeded):
        account.calendars()
    assert graph.asked == []
    account.close()


def test_a_missing_permission_is_named(graph, store):
    graph.fail(Trouble.ANSWER, "GET", "delta", status=403, code="ErrorAccessDenied")
    with pytest.raises(Forbidden) as refused:
        store.changes(None)
    assert "Calendars.ReadWrite" in refused.value.what_to_do


def test_a_mailbox_that_is_on_a_server_of_ones_own_is_sent_to_the_other_service(graph):
    graph.fail(
        Trouble.ANSWER,
        "GET",
        "/me/calendars",
        status=404,
        code="MailboxNotEnabledForRESTAPI",
    )
    account = graph_account(graph)
    with pytest.raises(Missing) as missing:
        account.calendars()
    assert "service: exchange" in missing.value.what_to_do
    account.close()


def test_a_calendar_that_can_not_be_written_refuses_the_write_with_the_cure(graph):
    graph.mailbox.add_calendar("Holidays", writable=False)
    account = graph_account(graph)
    outcome = ordered(account.open("Holidays"), new())
    assert isinstance(outcome, Forbidden)
    assert "direction: from-calendar" in outcome.what_to_do
    account.close()


# --- throttling


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_graph_orders_is_handed_on(graph, store, status):
    graph.fail(Trouble.ANSWER, "GET", "delta", status=status, retry_after=17)
    with pytest.raises(Unavailable) as busy:
        store.changes(None)
    assert (busy.value.after, busy.value.throttled) == (timedelta(seconds=17), True)
    assert not busy.value.uncertain


def test_a_part_of_a_batch_that_is_throttled_does_not_hide_the_others(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(30)]
    graph.fail(
        Trouble.ANSWER,
        "GET",
        "",
        status=429,
        code="ApplicationThrottled",
        retry_after=9,
        inside=True,
        skip=4,
    )
    readings = store.read(ids)
    got = []
    with pytest.raises(Unavailable) as busy:
        got.extend(iter(readings.__next__, None))
    assert busy.value.after == timedelta(seconds=9)
    assert len([each for each in got if isinstance(each, Seen)]) == 19
    assert len(list(store.read(ids))) == 30


def test_a_part_of_a_batch_that_fails_by_itself_is_told_by_itself(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(5)]
    graph.fail(Trouble.ANSWER, "GET", "", status=404, code="ErrorItemNotFound", inside=True)
    graph.fail(Trouble.ANSWER, "GET", "", status=403, code="ErrorAccessDenied", inside=True)
    kinds = [type(reading) for reading in store.read(ids)]
    assert kinds == [Gone, Failed, Seen, Seen, Seen]


def test_a_batch_that_is_throttled_as_a_whole_says_for_how_long(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(5)]
    graph.fail(Trouble.ANSWER, "POST", "$batch", status=429, retry_after=30)
    with pytest.raises(Unavailable) as busy:
        list(store.read(ids))
    assert busy.value.after == timedelta(seconds=30)


def test_one_write_that_is_throttled_does_not_stop_the_others(graph, store):
    graph.fail(Trouble.ANSWER, "POST", "/events", status=429, retry_after=3)
    outcomes = [outcome for _, outcome in store.write([new(number) for number in range(8)])]
    assert len([each for each in outcomes if isinstance(each, Written)]) == 7
    [busy] = [each for each in outcomes if isinstance(each, Unavailable)]
    assert busy.after == timedelta(seconds=3)


# --- lost answers


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.DROP_AFTER])
def test_a_write_whose_answer_is_lost_is_uncertain_and_is_not_sent_twice(graph, store, method, trouble):
    item = made(store, new())
    graph.fail(trouble, method)
    order = Update(item.ref, "t", {SUBJECT: "y"}, item.raw) if method == "PATCH" else Remove(item.ref, "t")
    outcome = ordered(store, order)
    assert isinstance(outcome, Unavailable)
    assert outcome.uncertain
    assert [each.method for each in graph.writes].count(method) == 1


def test_a_server_that_does_not_answer_is_given_up_in_time(graph):
    account = graph_account(graph, timeout=0.3)
    graph.fail(Trouble.HANG, "GET", "/me/calendars")
    with pytest.raises(Unavailable):
        account.calendars()
    account.close()


def test_a_server_that_is_not_there_is_unavailable():
    with serving() as graph:
        account = graph_account(graph)
    with pytest.raises(Unavailable):
        account.calendars()
    account.close()


# --- one item


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ErrorPropertyValidationFailure", Refused),
        (413, "", Refused),
        (409, "ErrorIrresolvableConflict", VersionMismatch),
        (412, "ErrorIrresolvableConflict", VersionMismatch),
        (404, "ErrorItemNotFound", VersionMismatch),
        (507, "ErrorQuotaExceeded", Full),
    ],
)
def test_what_concerns_one_item_is_told_of_that_item(graph, store, status, code, expected):
    item = made(store, new())
    graph.fail(Trouble.ANSWER, "PATCH", "", status=status, code=code)
    outcome = ordered(store, Update(item.ref, "t", {SUBJECT: "y"}, item.raw))
    assert type(outcome) is expected
    assert "x" not in str(outcome).split()


def test_a_page_that_is_no_json_is_no_list(graph, store):
    graph.fail(Trouble.ANSWER, "GET", "delta", status=200)
    with pytest.raises(Unavailable):
        store.changes(None)
