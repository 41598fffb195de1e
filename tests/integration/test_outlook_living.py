"""What happens to a mailbox in its life beside Datebook: others at work in it, days away, moves, copies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.in_exchange import in_exchange
from tests.scenarios.in_graph import in_graph
from tests.scenarios.outlook import OutlookCalendar, OutlookPerson
from tests.servers.waiting import until
from tests.servers.world import HandClock

CALL = "subject: Call\ndue_date: 2027-11-24\ndue_time: 10:30\nuid: call-1\n"
LUNCH = "DTSTART;TZID=Europe/Helsinki:20271125T120000\nDTEND;TZID=Europe/Helsinki:20271125T130000\nSUMMARY:Lunch\n"
LUNCH_FILE = "2027/11/2027-11-25-lunch.yaml"
SERVES = {"exchange": in_exchange, "microsoft365": in_graph}


@dataclass
class Life:
    """A person, the calendar `Team` of their mailbox, and somebody else at it."""

    person: OutlookPerson
    calendar: OutlookCalendar
    clock: HandClock

    @property
    def hand(self) -> Any:
        return self.calendar.hand

    def sync(self, code: int = 0) -> None:
        reply = self.person.order("sync")
        assert reply.code == code, (reply.code, reply.message, reply.data)
        self.clock.pass_by(minutes=1)

    def edit(self, uid: str, **change: str) -> None:
        self.calendar.edit(uid, change, self.clock.now())

    def texts(self) -> list[str]:
        words = self.calendar.words
        return [words.text(one.told, {}, one.extra) for one in self.hand.kept()]

    def titles(self) -> list[str]:
        return sorted(one.told.body["subject"] for one in self.hand.kept())


@pytest.fixture(params=SERVES)
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    """A call of theirs and a lunch of somebody's are in step."""
    clock = HandClock()
    with SERVES[request.param](clock) as hand:
        add = getattr(hand.box, "add_folder", None) or hand.box.add_calendar
        hand.box.default = add("Team").id
        calendar = OutlookCalendar(hand, url="Team")
        person = OutlookPerson("me", tmp_path / "me", {"work": calendar}, {}, clock)
        person.write("call.yaml", CALL)
        calendar.put("lunch-1", LUNCH)
        made = Life(person, calendar, clock)
        made.sync()
        made.sync()
        assert sorted(person.files()) == [LUNCH_FILE, "call.yaml"]
        yield made
        person.close()
        assert hand.mails() == []


def test_a_mailbox_that_is_away_for_a_day_is_waited_for_and_both_sides_edits_are_kept(life: Life) -> None:
    life.hand.stop_answering(times=100_000)
    for hour in range(24):
        life.sync(1)
        life.clock.pass_by(hours=1)
        if hour == 3:
            life.person.edit("call.yaml", {"subject": "Call Anna"})
            life.person.write("new.yaml", CALL.replace("Call", "New").replace("call-1", "new-1"))
        if hour == 5:
            life.edit("lunch-1", SUMMARY="Late lunch")
            life.edit("call-1", LOCATION="Room 5")
    life.hand.answer_again()
    life.sync()
    life.sync()
    assert life.titles() == ["Call Anna", "Late lunch", "New"]
    files = life.person.files()
    assert sorted(files) == [LUNCH_FILE, "call.yaml", "new.yaml"]
    assert "location: Room 5" in files["call.yaml"]
    assert "subject: Late lunch" in files[LUNCH_FILE]


def test_a_calendar_that_gets_another_name_or_place_goes_on_and_is_asked_for_at_the_next_start(life: Life) -> None:
    life.hand.rename("Crew")
    life.edit("lunch-1", SUMMARY="Late lunch")
    life.sync()
    assert "subject: Late lunch" in life.person.files()[LUNCH_FILE]
    life.person.close()
    before = life.person.files(), life.texts()
    life.sync(1)
    reply = life.person.order("sync")
    assert "'Crew'" in f"{reply.message} {reply.data}"
    assert (life.person.files(), life.texts()) == before
    life.person.configure({"work": {"calendar": "Crew"}})
    life.person.edit("call.yaml", {"subject": "Call Anna"})
    life.sync()
    assert life.titles() == ["Call Anna", "Late lunch"]


def test_a_calendar_that_is_moved_to_another_mailbox_takes_no_file_along(life: Life) -> None:
    files = life.person.files()
    life.hand.move_away()
    life.sync(1)
    life.person.close()
    life.sync(1)
    assert life.person.files() == files
    assert life.titles() == ["Call", "Lunch"]


def test_a_copy_made_in_outlook_is_an_activity_of_its_own_though_it_carries_our_id(life: Life) -> None:
    original = next(one.handle for one in life.hand.kept() if one.told.body["subject"] == "Call")
    copy = life.hand.copy(original)
    life.hand.set(copy, {"subject": "Call again"})
    life.sync()
    life.sync()
    files = life.person.files()
    assert sorted(files) == ["2027/11/2027-11-24-call-again.yaml", LUNCH_FILE, "call.yaml"]
    assert "uid: call-1" in files["call.yaml"]
    assert "uid: call-1" not in files["2027/11/2027-11-24-call-again.yaml"]
    life.person.edit("call.yaml", {"location": "Room 1"})
    life.person.edit("2027/11/2027-11-24-call-again.yaml", {"location": "Room 2"})
    life.sync()
    places = {one.told.body["subject"]: one.told.body["location"]["displayName"] for one in life.hand.kept()}
    assert places == {"Call": "Room 1", "Call again": "Room 2", "Lunch": ""}


def test_what_somebody_changes_in_the_mailbox_while_the_daemon_runs_is_in_the_files(life: Life) -> None:
    life.person.configure({"work": {"poll": "1s"}})
    store = life.person.store
    places = ["--config", str(life.person.places.config), "--state", str(life.person.places.state)]
    daemon = subprocess.Popen(
        [sys.executable, "-m", "daemon", *places, "run"],
        env={**os.environ, "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        life.edit("lunch-1", SUMMARY="Late lunch")
        until(lambda: "subject: Late lunch" in (store / LUNCH_FILE).read_text())
        life.calendar.put("tea-1", LUNCH.replace("Lunch", "Tea"))
        until((store / "2027/11/2027-11-25-tea.yaml").exists)
        life.person.edit("call.yaml", {"subject": "Call Anna"})
        until(lambda: "Call Anna" in life.titles())
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
    assert daemon.returncode == 0
