"""A server that invites guests by itself (RFC 6638): under `guests: never` it mails nobody because of Datebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.scenarios.calendars import Calendar, people_of
from tests.scenarios.person import Person
from tests.scenarios.scenario import read, scenarios
from tests.scenarios.story import Story
from tests.servers.program import Program
from tests.servers.running import Servers
from tests.servers.scheduling_dav import scheduling_dav
from tests.servers.world import HandClock

RULES = {"4.4-eligible", "4.5-deletions", "4.6-done", "4.7-guests"}
CASES = [path for path in scenarios() if path.parent.name in RULES and "{guests: " not in path.read_text()]
FILE = "subject: Review\ndue_date: 2026-11-26\ndue_time: 14:00\nattendees: [Anna <anna@example.org>]\nuid: review-1\n"
SERIES = FILE.replace("review-1", "series-1").replace("attendees", "repeat: FREQ=WEEKLY;COUNT=6\nattendees")
OLD = (
    "DTSTART;TZID=Europe/Helsinki:20261126T140000\nDTEND;TZID=Europe/Helsinki:20261126T150000\nSUMMARY:Old\n"
    "ORGANIZER:mailto:me@example.com\nATTENDEE;CN=Bob:mailto:bob@example.org\n"
)


def mails(server: Program) -> list[list[str]]:
    """What the server would have sent because of Datebook's writes."""
    _, _, body = server.ask("GET", f"{server.home.rsplit('/', 2)[0]}/.outbox")
    return [mail for mail in json.loads(body) if mail[0].startswith("Datebook")]


class Stage:
    """One person with one calendar on that server."""

    def __init__(self, servers: Servers, root: Path, server: Program) -> None:
        self.server = server
        self.calendar = Calendar(server, servers.calendar(server))
        self.clock = HandClock()
        self.me = Person("me", root / "me", {"work": self.calendar}, {}, self.clock)
        self.before = len(mails(server))
        self.sync()  # no first import mails anybody: what is told of here comes after it

    def sync(self) -> int:
        """One pass, a minute later."""
        self.clock.pass_by(minutes=1)
        return self.me.order("sync").code

    @property
    def mailed(self) -> list[list[str]]:
        """What was sent since the beginning."""
        return mails(self.server)[self.before :]

    def findings(self) -> dict[str, dict[str, object]]:
        """What the write test says, by code."""
        report = self.me.order("doctor", {"write_test": True}).data["accounts"]
        return {row["code"]: row for row in report["home"]}  # type: ignore[index,call-overload]  # the shape of JSON


@pytest.fixture
def stage(servers: Servers, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(servers, tmp_path, servers.get(scheduling_dav))
    yield made
    made.me.close()


def deaf() -> Program:
    """A server that mails whatever SCHEDULE-AGENT says."""
    return scheduling_dav(heeds=False)


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in CASES])
def test_no_case_mails_anybody_without_an_order(path: Path, servers: Servers, tmp_path: Path) -> None:
    scenario, server = read(path), servers.get(scheduling_dav)
    before = len(mails(server))
    Story(scenario, tmp_path, lambda: Calendar(server, servers.calendar(server))).play()
    assert mails(server)[before:] == []


def test_the_write_test_proves_the_silence_and_mails_nobody(stage: Stage) -> None:
    rows = stage.findings()
    assert "new guests may go out" in str(rows["write_guests"]["message"])
    assert stage.mailed == []
    assert stage.calendar.events() == {}


def test_without_the_proof_a_new_event_goes_out_without_its_guests(stage: Stage) -> None:
    stage.me.write("review.yaml", FILE)
    stage.sync()
    assert people_of(stage.calendar.events()["review-1"]) == []


def test_with_the_proof_guests_go_out_and_no_write_mails_them(stage: Stage) -> None:
    stage.findings()
    stage.me.write("review.yaml", FILE)
    stage.me.write("series.yaml", SERIES)
    assert stage.sync() == 0
    guest = 'ATTENDEE;CN="Anna";PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE;SCHEDULE-AGENT=CLIENT'
    people = [f"{guest}:mailto:anna@example.org", "ORGANIZER:mailto:me@example.com"]
    assert people_of(stage.calendar.events()["review-1"]) == people
    for path, edit in (
        ("review.yaml", {"location": "Room 5", "due_time": "15:00"}),
        ("series.yaml", {"skip": "[2026-12-03]"}),
        ("series.yaml", {"changes": "{2026-12-10: {due_time: '16:00'}}"}),
        ("review.yaml", {"done": "true"}),
    ):
        stage.me.edit(path, edit)
        stage.sync()
        assert people_of(stage.calendar.events()["review-1"]) == people
    assert stage.calendar.events()["review-1"].count("LOCATION:Room 5") == 1
    assert "EXDATE" in stage.calendar.events()["series-1"]
    entries = stage.me.order("log").data["entries"]
    moved = next(row["id"] for row in entries if row["side"] == "calendar" and "location" in row["after"])  # type: ignore[index,union-attr,operator]  # the shape of JSON
    stage.me.order("undo", {"entry": moved})
    assert "LOCATION:Room 5" not in stage.calendar.events()["review-1"]
    for path in ("review.yaml", "series.yaml"):
        (stage.me.store / path).unlink()
    stage.sync()
    assert list(stage.calendar.events()) == ["review-1"]  # it was done, and stays
    assert stage.mailed == []


def test_with_the_proof_guests_who_are_there_are_left_alone(stage: Stage) -> None:
    stage.findings()
    stage.calendar.put("old-1", OLD)
    stage.sync()
    there = people_of(stage.calendar.events()["old-1"])
    path = "2026/11/2026-11-26-old.yaml"
    for edit in ({"location": "Room 5"}, {"attendees": "[bob@example.org, carl@example.org]"}):
        stage.me.edit(path, edit)
        stage.sync()
        assert stage.me.order("why", {"file": path}).data["state"] == "read_only"
    (stage.me.store / path).unlink()
    stage.sync()
    stage.clock.pass_by(seconds=timedelta(minutes=5).total_seconds())
    stage.sync()
    assert people_of(stage.calendar.events()["old-1"]) == there
    assert stage.mailed == []


def test_a_server_that_mails_all_the_same_is_found_out(servers: Servers, tmp_path: Path) -> None:
    stage = Stage(servers, tmp_path, servers.get(deaf))
    rows = stage.findings()
    assert not rows["write_guests"]["ok"]
    assert {mail[2] for mail in stage.mailed} == {"datebook-write-test@nobody.invalid"}
    stage.me.write("review.yaml", FILE)
    stage.sync()
    assert people_of(stage.calendar.events()["review-1"]) == []
    stage.me.close()
