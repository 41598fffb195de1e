"""A whole Datebook with a calendar in Microsoft 365: both ways, guests, and a daemon that is killed at any request."""

from __future__ import annotations

from datetime import date

import pytest

from daemon.core.policy import GuestMail
from tests.servers.graph_server import Trouble, serving
from tests.servers.graph_worlds import graph_account
from tests.servers.world import World, route

CALL = """\
subject: Call Anna about the renewal
type: call
due_date: 2026-11-24
due_time: 10:30
duration: 0:15
attendees:
  - Anna <anna@r.example>

note: |
  She asked for the 3-year price last time.
"""
REVIEW = """\
subject: Pipeline review
due_date: 2026-11-30
due_time: 9:00
duration: 45m
timezone: Europe/Moscow
repeat: FREQ=WEEKLY;BYDAY=MO;COUNT=10
skip: [2026-12-14]
changes:
  2026-12-07: {due_time: 11:00}
  2026-12-21: {subject: Half-year review}
"""


@pytest.fixture
def world(graph, tmp_path):
    return make(graph, tmp_path)


def make(graph, folder, **orders):
    """A Datebook whose address is that of the mailbox."""
    store = graph_account(graph).open("primary")
    own = frozenset({graph.mailbox.address})
    return World(folder, routes={"work": route(**orders)}, calendars={"work": store}, own=own)


def only(graph):
    [event] = graph.mailbox.events.values()
    return event


def by_hand(graph, event, **body):
    graph.mailbox.update(event, body)


def test_a_file_becomes_an_event_without_its_guests_and_without_its_note(graph, world):
    world.write("call.yaml", CALL)
    world.settle()
    event = only(graph)
    assert event.fields["subject"] == "Call Anna about the renewal"
    assert event.fields["start"] == {
        "dateTime": "2026-11-24T10:30:00",
        "timeZone": "Europe/Helsinki",
    }
    assert "3-year" not in str(event.fields)
    assert event.guests == ()
    assert world.read("call.yaml").startswith(CALL)
    assert graph.mailbox.outbox == []


def test_a_quiet_pass_writes_and_reads_nothing(graph, world):
    world.write("call.yaml", CALL)
    world.write("review.yaml", REVIEW)
    world.settle()
    before = len(graph.asked)
    result = world.pass_()["work"]
    assert (result.wrote, result.read, result.error) == (0, 0, None)
    assert len(graph.asked) - before == 1


def test_edits_on_both_sides_are_both_kept(graph, world):
    path = world.write("call.yaml", CALL)
    world.settle()
    by_hand(graph, only(graph), location={"displayName": "Room 5"})
    path.write_text(path.read_text().replace("10:30", "11:00"))
    world.settle()
    assert only(graph).fields["start"]["dateTime"] == "2026-11-24T11:00:00"
    assert "location: Room 5" in world.read("call.yaml")


def test_a_series_and_its_instances_travel_both_ways(graph, world):
    world.write("review.yaml", REVIEW)
    world.settle()
    master = only(graph)
    assert master.cancelled == {date(2026, 12, 14)}
    assert set(master.exceptions) == {date(2026, 12, 7), date(2026, 12, 21)}
    graph.mailbox.delete(graph.mailbox.occurrence(master, date(2026, 12, 28)))
    by_hand(
        graph,
        graph.mailbox.occurrence(master, date(2027, 1, 4)),
        subject="First of the year",
    )
    world.settle()
    text = world.read("review.yaml")
    assert "2026-12-28" in text
    assert "First of the year" in text
    assert "repeat: FREQ=WEEKLY;BYDAY=MO;COUNT=10\n" in text
    assert "timezone: Europe/Moscow\n" in text


def meeting(graph):
    """An event with guests that our user organised in Outlook."""
    body = {
        "subject": "Kick-off",
        "start": {"dateTime": "2026-11-26T10:00:00", "timeZone": "FLE Standard Time"},
        "end": {"dateTime": "2026-11-26T11:00:00", "timeZone": "FLE Standard Time"},
        "attendees": [
            {
                "emailAddress": {"address": "anna@r.example", "name": "Anna"},
                "type": "required",
            }
        ],
    }
    event = graph.mailbox.create(graph.mailbox.default, body)
    graph.mailbox.outbox.clear()
    return event


def test_a_meeting_that_we_organise_is_read_only_from_the_file_and_mails_nobody(graph, world):
    event = meeting(graph)
    world.settle()
    [name] = world.files()
    text = world.read(name)
    assert "anna@r.example" in text
    world.write(name, text.replace("Kick-off", "Kick-off, moved"))
    world.pass_()
    world.pass_()
    assert event.fields["subject"] == "Kick-off"
    assert "Kick-off, moved" in world.read(name)
    (world.store / name).unlink()
    world.pass_()
    world.clock.pass_by(seconds=20)
    world.pass_()
    assert event.id in graph.mailbox.events
    assert graph.mailbox.outbox == []
    assert not [each for each in graph.writes if event.id in each.address]


def test_where_guests_may_be_mailed_they_are_invited_and_told(graph, tmp_path):
    world = make(graph, tmp_path, guests=GuestMail.SEND)
    world.settle()  # a first import mails nobody
    path = world.write("call.yaml", CALL)
    world.settle()
    assert only(graph).guests == ("anna@r.example",)
    path.write_text(path.read_text().replace("10:30", "11:00"))
    world.settle()
    assert [mail.kind for mail in graph.mailbox.outbox] == ["invitation", "update"]


# --- killed at any request


def play(world, graph):
    """Some days of work: new files, edits of single instances and of the series, a file removed."""
    world.write("call.yaml", CALL)
    path = world.write("review.yaml", REVIEW)
    yield
    path.write_text(path.read_text().replace("9:00", "8:30").replace("Half-year review", "Half-year"))
    yield
    (world.store / "call.yaml").unlink()
    yield
    world.clock.pass_by(seconds=20)
    yield


def run(world, graph, fault=None):
    """Play it; at the fault the daemon is killed and started again."""
    if fault:
        graph.fail(fault[0], skip=fault[1], status=500)
    for _ in play(world, graph):
        for _ in range(4):
            results = world.pass_()
            if any(result.error for result in results.values()):
                world.restart()
            world.clock.pass_by(seconds=1)
    for _ in range(4):
        world.clock.pass_by(hours=1)
        world.pass_()
    world.settle()


def state(graph):
    """What there is in the end, times of writing aside."""
    return [
        (
            {name: value for name, value in event.fields.items() if name != "body"},
            event.cancelled,
            {day: (each.fields["subject"], each.fields["start"]) for day, each in event.exceptions.items()},
        )
        for event in sorted(graph.mailbox.events.values(), key=lambda each: each.fields["subject"])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.DROP_AFTER, Trouble.ANSWER_AFTER])
@pytest.mark.parametrize("at", range(0, 45, 2))
def test_a_daemon_that_is_cut_off_at_any_request_ends_where_it_would_have(tmp_path, trouble, at):
    with serving() as undisturbed:
        expected = make(undisturbed, tmp_path / "undisturbed")
        run(expected, undisturbed)
        files = {name: expected.read(name).rpartition("uid:")[0] for name in expected.files()}
    with serving() as graph:
        world = make(graph, tmp_path / "cut")
        run(world, graph, (trouble, at + (1 if trouble is Trouble.DROP else 0)))
        assert state(graph) == state(undisturbed)
        assert {name: world.read(name).rpartition("uid:")[0] for name in world.files()} == files
        assert graph.mailbox.outbox == []
        assert graph.problems == []


def test_a_feed_that_is_forgotten_while_the_daemon_is_away_deletes_nothing(graph, world):
    world.write("call.yaml", CALL)
    world.write("review.yaml", REVIEW)
    world.settle()
    graph.expire()
    world.restart()
    world.clock.pass_by(hours=1)
    for _ in range(3):
        world.pass_()
    assert world.files() == ["call.yaml", "review.yaml"]
    assert len(graph.mailbox.events) == 2


def test_an_hour_of_throttling_is_waited_out(graph, world):
    world.write("call.yaml", CALL)
    graph.fail(Trouble.ANSWER, status=429, retry_after=60, times=3)
    for _ in range(3):
        assert world.pass_()["work"].error is not None
        world.clock.pass_by(seconds=61)
    world.clock.pass_by(hours=1)
    world.settle()
    assert only(graph).fields["subject"].startswith("Call Anna")


# --- a service that does not answer by the book

PORTAL = "<html><body>Please sign in to the network.</body></html>"


@pytest.mark.parametrize("answer", [{"status": 202}, {"status": 200, "page": PORTAL}])
@pytest.mark.parametrize("trouble", [Trouble.ANSWER, Trouble.ANSWER_AFTER])
def test_a_new_file_stays_whose_event_was_taken_without_an_id(graph, world, trouble, answer):
    world.write("call.yaml", CALL)
    graph.fail(trouble, "POST", "/events", **answer)
    assert world.pass_()["work"].error is not None
    assert world.read("call.yaml").startswith(CALL)
    world.settle()
    assert only(graph).fields["subject"] == "Call Anna about the renewal"
    assert world.read("call.yaml").startswith(CALL)


@pytest.mark.parametrize("answer", [{"page": PORTAL}, {"code": "ResourceNotFound"}, {"code": "UnknownError"}])
def test_a_file_stays_whose_event_is_answered_with_a_404_that_does_not_say_gone(graph, world, answer):
    world.write("call.yaml", CALL)
    world.settle()
    by_hand(graph, only(graph), location={"displayName": "Room 5"})
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=404, **answer)
    world.settle()
    assert world.read("call.yaml").startswith(CALL)
    by_hand(graph, only(graph), subject="Call Anna")
    world.settle()
    assert "subject: Call Anna\n" in world.read("call.yaml")
    assert "location: Room 5" in world.read("call.yaml")
