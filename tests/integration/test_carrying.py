"""`datebook import` and `datebook export`, as commands on a real Radicale."""

from __future__ import annotations

import csv
from pathlib import Path

import icalendar
import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

BIG = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Somebody//Else//EN\r
BEGIN:VEVENT\r
UID:fair\r
DTSTART;VALUE=DATE:20271201\r
SUMMARY:Fair\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:review\r
DTSTART:20271202T080000Z\r
DTEND:20271202T090000Z\r
SUMMARY:Review\r
END:VEVENT\r
END:VCALENDAR\r
"""


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)))
    assert person.sync().code == 0
    return person


def test_a_calendar_file_in_the_store_is_split_as_its_report_says(person: Person) -> None:
    person.write("all.ics", BIG)
    assert person.sync().code == 3
    assert "datebook import" in person.run("why", "all.ics").out
    shown = person.run("import", str(person.store / "all.ics"), "--preview", "--json").json
    assert (shown["new"], shown["known"]) == (2, 0)
    assert person.files() == ["all.ics"]
    assert shown["trashed"] == [str(person.store / "all.ics")]
    done = person.run("import", str(person.store / "all.ics"))
    assert (done.code, "went to the store's trash" in done.out) == (0, True)
    assert len(person.files()) == 2
    assert person.sync().code == 0
    assert sorted(person.events()) == ["Fair", "Review"]
    (person.root / "again.ics").write_text(BIG)
    assert person.run("import", str(person.root / "again.ics"), "--json").json["known"] == 2
    assert len(person.files()) == 2


def test_what_is_exported_is_a_calendar_or_a_table_of_all_activities(person: Person) -> None:
    person.write("call.yaml", "subject: Call Anna\ndue_date: 2027-11-24\ndue_time: 10:30\nnote: not this\n")
    person.write("idea.yaml", "subject: An idea\n")
    target = person.root / "all.ics"
    said = person.run("export", "--format", "ics", "--output", str(target), "--json").json
    assert (said["activities"], said["left_out"]) == (1, 1)
    assert "not this" not in target.read_text()
    (event,) = icalendar.Calendar.from_ical(target.read_text()).walk("VEVENT")
    assert (str(event["SUMMARY"]), event["DTSTART"].dt.hour) == ("Call Anna", 10)
    table = person.root / "all.csv"
    assert person.run("export", "--format", "csv", "--output", str(table)).code == 0
    with table.open(newline="") as file:
        assert [row["subject"] for row in csv.DictReader(file)] == ["Call Anna", "An idea"]


def test_a_file_that_is_no_calendar_is_wrong_usage(person: Person) -> None:
    (person.root / "x.ics").write_text("hello")
    assert person.run("import", str(person.root / "x.ics")).code == 2
    assert person.run("import", str(person.root / "none.ics")).code == 2
