"""What commands say where something is not as usual, on a real Radicale."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until

CALL = """\
subject: Call Anna
type: call
due_date: 2027-11-24
due_time: 10:30
"""
BROKEN = "subject: Lunch\ndue_date: 2027\n"


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)))


@pytest.fixture
def synced(person: Person) -> Person:
    person.sync()
    person.write("call.yaml", CALL)
    assert person.sync().code == 0
    return person


@pytest.fixture
def kept(synced: Person) -> Iterator[Person]:
    """A person whose daemon runs."""
    with running(synced):
        yield synced


def test_a_broken_file_is_listed_as_broken(synced: Person) -> None:
    synced.write("lunch.yaml", BROKEN)
    synced.edit("call.yaml", "due_date: 2027-11-24", "due_date: soon")
    rows = synced.run("list", "--sync", "broken", "--json").json["activities"]
    assert {row["file"]: (row["state"], row["subject"]) for row in rows} == {
        "call.yaml": ("broken", "Call Anna"),
        "lunch.yaml": ("broken", ""),
    }


def test_list_and_why_say_that_an_account_is_disconnected_and_the_cure(synced: Person) -> None:
    assert synced.run("disconnect", "home").code == 0
    listed = synced.run("list", "--json").json
    assert [(row["state"], row["code"]) for row in listed["activities"]] == [("ignored", "disconnected")]
    assert ["datebook connect home" in hint for hint in listed["hints"]] == [True]
    assert "disconnected" in synced.run("list").out
    why = synced.run("why", "call.yaml", "--json").json
    assert (why["state"], why["code"]) == ("ignored", "disconnected")
    assert "`home`" in why["reason"]
    assert "datebook connect home" in why["cure"]


def test_connect_after_disconnect_says_so_and_doubles_nothing(synced: Person) -> None:
    synced.run("disconnect", "home")
    assert "connected again" in synced.run("connect", "home").out
    assert "connected already" in synced.run("connect", "home").out
    assert synced.sync().code == 0
    assert (list(synced.events()), synced.files()) == (["Call Anna"], ["call.yaml"])


def test_the_log_names_the_file_that_an_entry_is_of(synced: Person) -> None:
    (synced.store / "call.yaml").unlink()
    assert synced.sync().code == 0
    synced.write("lunch.yaml", CALL.replace("Call Anna", "Lunch"))
    assert synced.sync().code == 0
    entries = synced.run("log", "--json").json["entries"]
    uids = {entry["uid"]: entry["file"] for entry in entries}
    assert sorted(uids.values()) == ["call.yaml", "lunch.yaml"]
    assert {entry["file"] for entry in synced.run("log", "lunch.yaml", "--json").json["entries"]} == {"lunch.yaml"}


def test_resolve_names_the_fields_that_are_in_conflict(servers: Servers, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)), extra="    on_conflict: ask\n")
    person.sync()
    person.write("call.yaml", CALL)
    person.sync()
    without = person.run("resolve", "call.yaml", "--keep", "file")
    assert (without.code, "has no open conflict" in without.err) == (2, True)
    person.edit("call.yaml", "Call Anna", "Call Anna today")
    person.change("Call Anna", "SUMMARY:Call Anna", "SUMMARY:Call Anna later")
    assert person.sync().code == 3
    unknown = person.run("resolve", "call.yaml", "--keep", "file", "--field", "titel")
    assert unknown.code == 2
    assert "There is no field `titel`" in unknown.err
    assert "In conflict: subject" in unknown.err
    other = person.run("resolve", "call.yaml", "--keep", "file", "--field", "due_time")
    assert "`due_time` of call.yaml is not in conflict" in other.err
    assert person.run("resolve", "call.yaml", "--keep", "file", "--field", "subject").code == 0
    assert list(person.events()) == ["Call Anna today"]


def test_export_as_json_is_json(synced: Person) -> None:
    synced.write("idea.yaml", "subject: Idea\n")
    said = synced.run("export", "--json").json
    assert (said["format"], said["activities"], said["left_out"]) == ("ics", 1, 1)
    assert "SUMMARY:Call Anna" in said["text"]


def test_an_odd_file_is_reported_while_it_is_there(kept: Person) -> None:
    (kept.store / "link.yaml").symlink_to("call.yaml")
    until(lambda: [one["file"] for one in status(kept)["problems"]] == ["link.yaml"])
    (kept.store / "link.yaml").unlink()
    until(lambda: not status(kept)["problems"])
    assert kept.run("status").code == 0


def test_a_sync_does_not_wait_for_an_editor_and_says_what_it_left(kept: Person) -> None:
    swap = kept.store / ".call.yaml.swp"
    swap.write_bytes(b"b0VIM 9.0\0\0\0".ljust(24, b"\0") + os.getpid().to_bytes(4, "little") + bytes(4068))
    kept.change("Call Anna", "SUMMARY:Call Anna", "SUMMARY:Call Anna later")
    said = kept.run("sync", "--json")
    assert said.code == 0
    assert [row["file"] for row in said.json["waiting"]] == ["call.yaml"]
    assert "open in vim" in kept.run("sync").out
    until(lambda: [one["since"] for one in status(kept)["problems"]] == [None])  # not that of the file's last edit
    swap.unlink()
    until(lambda: "later" in kept.read("call.yaml"))


def test_times_are_shown_in_the_zone_of_the_config_on_whatever_machine(synced: Person) -> None:
    synced.write("far.yaml", "subject: Far\ndue_date: 2027-11-24\ndue_time: 20:30\ntimezone: America/New_York\n")
    assert synced.sync().code == 0
    shown = [line.split("  ")[0] for line in synced.run("list").out.splitlines()]
    assert shown == ["2027-11-24 10:30", "2027-11-25 03:30", "2 activities"]
    rows = synced.run("list", "--from", "2027-11-25", "--json").json["activities"]
    assert [(row["file"], row["start"]) for row in rows] == [("far.yaml", "2027-11-24T20:30-05:00")]
    entry = synced.run("log", "--json").json["entries"][0]
    moment = datetime.fromisoformat(entry["when"])
    assert moment.utcoffset() == ZoneInfo("Europe/Helsinki").utcoffset(moment)
    assert f"  {moment:%H:%M}  " in synced.run("log").out
    written = datetime.fromisoformat(synced.run("status", "--json").json["started"])
    assert f"since {written:%H:%M}," in synced.run("status").out
    assert written.utcoffset() == moment.utcoffset()


def test_a_service_that_is_out_of_reach_has_a_cure(synced: Person) -> None:
    config = synced.root / "config.yaml"
    config.write_text(config.read_text().replace(synced.url, "http://127.0.0.1:1/me/"))
    assert synced.sync().code == 1
    account = status(synced)["accounts"]["home"]
    assert (account["state"], account["error"]["code"]) == ("unreachable", "unavailable")
    assert "Check the network" in account["error"]["cure"]
    assert "Nothing is lost" in account["error"]["cure"]


def test_what_is_not_there_is_named_with_what_there_is(synced: Person) -> None:
    for command, said, cure in (
        (("sync", "wrok"), "no calendar `wrok`", "work"),
        (("log", "nope.yaml"), "no file nope.yaml", "datebook log"),
        (("restore", "nope.yaml"), "no nope.yaml in the trash", "trash of the store is empty"),
        (("log", "--limit", "0"), "--limit", "1 or more"),
        (("list", "--open", "--done"), "--done", "not allowed"),
    ):
        ran = synced.run(*command)
        assert (ran.code, ran.out) == (2, ""), command
        assert said in ran.err, command
        assert cure in ran.err, command


def test_a_disconnected_calendar_is_not_synced_by_name(synced: Person) -> None:
    synced.run("disconnect", "home")
    ran = synced.run("sync", "work")
    assert (ran.code, "datebook connect home" in ran.err) == (2, True)


def test_a_file_is_restored_by_its_path_from_the_folder_it_stood_in(synced: Person) -> None:
    folder = synced.write("customers/anna/visit.yaml", CALL.replace("Call Anna", "Visit")).parent
    synced.write("visit.yaml", "subject: Another visit\n")
    assert synced.sync().code == 0
    synced.drop("Visit")
    assert synced.sync().code == 0
    assert not (folder / "visit.yaml").exists()
    assert "customers/anna/visit.yaml" in synced.run("restore", "nope.yaml").err
    restored = synced.run("restore", "visit.yaml", "--json", cwd=folder)
    assert (restored.code, restored.json["restored"]) == (0, "customers/anna/visit.yaml")
    assert sorted(synced.events()) == ["Call Anna", "Visit"]


def test_init_begins_anew_where_store_and_config_were_deleted_and_the_memory_of_the_old_one_is_kept(
    synced: Person,
) -> None:
    again = ("init", "--store", str(synced.store), "--owner", "me@example.com", "--yes")
    config = (synced.root / "config.yaml").read_text()
    (synced.root / "config.yaml").unlink()
    other = synced.run("init", "--store", str(synced.root / "other"), "--owner", "me@example.com", "--yes")
    assert (other.code, f"--store {synced.store}" in other.err) == (2, True)
    shutil.rmtree(synced.store)
    made = synced.run(*again)
    assert made.code == 0
    (aside,) = (synced.root / "state").glob("journal.db.of-*[0-9a-f]")
    assert str(aside) in made.out
    (synced.root / "config.yaml").write_text(config)
    assert synced.sync().code == 0
    assert (list(synced.events()), len(synced.files())) == (["Call Anna"], 2)


def test_no_calendar_of_an_account_that_is_signed_out_reads_ok(synced: Person, servers: Servers) -> None:
    config = synced.root / "config.yaml"
    other = servers.calendar(servers.get(radicale))
    good = f"{config.read_text()}  team:\n    account: home\n    calendar: {other}\n"
    config.write_text(good)
    assert synced.sync().code == 0
    config.write_text(good.replace("{env: DATEBOOK_TEST_PASSWORD}", f"{{file: {synced.root / 'none'}}}"))
    assert synced.sync().code == 1
    _see_all_stopped(synced)
    with running(synced):
        until(lambda: status(synced)["accounts"]["home"]["state"] == "signed_out")
        _see_all_stopped(synced)
        assert synced.run("disconnect", "home").code == 0
        until(lambda: status(synced)["accounts"]["home"]["state"] == "held")
        assert status(synced)["accounts"]["home"]["error"]["code"] == "disconnected"
    config.write_text(good)
    assert synced.run("connect", "home").code == 0
    assert synced.run("sync", "work").code == 0
    assert {name: one["state"] for name, one in status(synced)["calendars"].items()} == {"work": "ok", "team": "ok"}


def _see_all_stopped(person: Person) -> None:
    said = status(person)
    assert said["accounts"]["home"]["state"] == "signed_out"
    assert {one["state"] for one in said["calendars"].values()} == {"stopped"}
