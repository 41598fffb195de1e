"""What `undo` and `restore` do with edits that came since, with two files of one path, and with no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

_CALL = "subject: {}\ndue_date: 2027-11-24\ndue_time: 10:30\nlocation: Room 99\n"


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)))
    person.sync()
    person.write("call.yaml", _CALL.format("Anna"))
    assert person.sync().code == 0
    return person


def _newest(person: Person, action: str, side: str) -> str:
    entries = person.run("log", "--json").json["entries"]
    return str(next(one["id"] for one in entries if (one["action"], one["side"]) == (action, side)))


def _out_of_reach(person: Person) -> None:
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace(person.url.split("/")[2], "127.0.0.1:9"))


def test_an_edit_that_did_not_go_out_yet_is_not_lost_and_the_refusal_says_how_to_go_on(person: Person) -> None:
    person.edit("call.yaml", "Room 99", "Room 77")
    assert person.sync().code == 0
    entry = _newest(person, "update", "calendar")
    person.edit("call.yaml", "Room 77", "Room 55")
    refused = person.run("undo", entry)
    assert refused.code in {1, 2}
    assert "call.yaml says something newer in `location`" in refused.err
    assert "datebook log call.yaml" in refused.err
    assert "location: Room 55" in person.read("call.yaml")
    assert "LOCATION:Room 77" in person.events()["Anna"]


def test_a_file_that_was_changed_elsewhere_and_not_read_yet_is_synced_first(person: Person) -> None:
    person.edit("call.yaml", "Room 99", "Room 77")
    assert person.sync().code == 0
    entry = _newest(person, "update", "calendar")
    person.edit("call.yaml", "Anna", "Anna twice")
    refused = person.run("undo", entry)
    assert refused.code in {1, 2}
    assert "datebook sync" in refused.err
    assert person.sync().code == 0
    assert person.run("undo", entry).code == 0
    assert "location: Room 99" in person.read("call.yaml")
    assert "LOCATION:Room 99" in person.events()["Anna twice"]


def test_of_two_files_trashed_under_one_path_undo_brings_back_the_one_of_the_entry(person: Person) -> None:
    person.drop("Anna")
    assert person.sync().code == 0
    first = _newest(person, "trash", "file")
    person.write("call.yaml", _CALL.format("Bob"))
    assert person.sync().code == 0
    person.drop("Bob")
    assert person.sync().code == 0
    assert person.run("undo", first).code == 0
    assert "subject: Anna" in person.read("call.yaml")
    assert list(person.events()) == ["Anna"]
    newest = person.run("log", "call.yaml", "--json").json["entries"][0]
    assert (newest["action"], newest["reason"]) == ("create", f"entry {first} was taken back")


def test_a_restored_files_event_is_logged_as_that(person: Person) -> None:
    person.drop("Anna")
    assert person.sync().code == 0
    assert person.run("restore", "call.yaml").code == 0
    newest = person.run("log", "call.yaml", "--json").json["entries"][0]
    assert (newest["action"], newest["reason"]) == ("create", "restored from the trash")


def test_without_a_server_undo_says_that_the_calendar_follows(person: Person) -> None:
    person.edit("call.yaml", "Room 99", "Room 77")
    assert person.sync().code == 0
    entry = _newest(person, "update", "calendar")
    _out_of_reach(person)
    ran = person.run("undo", entry)
    assert ran.code == 1
    assert "taken back in the file; the calendar follows" in ran.out
    assert "location: Room 99" in person.read("call.yaml")
    lines = ran.err.splitlines()
    assert all(line.strip() for line in lines)
    assert "as soon as it can be reached" in lines[-1]
