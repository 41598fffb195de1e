"""What a person does with the commands, on a real Radicale."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

CALL = """\
subject: Call Anna about the renewal   # she is back on Tuesday
type: call
due_date: 2027-11-24
due_time: 10:30
duration: 0:15

note: |
  Do not offer the 3-year price first.
"""


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)))


@pytest.fixture
def synced(person: Person) -> Person:
    person.sync()
    person.write("call.yaml", CALL)
    assert person.sync().code == 0
    return person


def test_a_hand_written_config_needs_no_init(person: Person) -> None:
    assert person.sync().code == 0
    assert (person.store / ".datebook").is_dir()


def test_a_file_is_in_the_calendar_after_sync_and_its_note_is_not(synced: Person) -> None:
    event = synced.events()["Call Anna about the renewal"]
    assert "DTSTART;TZID=Europe/Helsinki:20271124T103000" in event
    assert "3-year" not in event


def test_the_file_gets_one_line_more_and_every_other_byte_stays(synced: Person) -> None:
    assert re.fullmatch(re.escape(CALL) + r"uid: [0-9a-f-]{36}\n", synced.read("call.yaml"))


def test_an_edit_in_the_calendar_changes_one_line_and_keeps_the_comment(synced: Person) -> None:
    before = synced.read("call.yaml")
    synced.change("Call Anna about the renewal", "SUMMARY:Call Anna about the renewal", "SUMMARY:Call Anna twice")
    assert synced.sync().code == 0
    after = synced.read("call.yaml")
    assert "subject: Call Anna twice   # she is back on Tuesday" in after
    assert after.splitlines()[1:] == before.splitlines()[1:]


def test_unknown_properties_survive_an_edit_of_the_file(person: Person) -> None:
    person.add_event("Lunch", uid="lunch-1", start="20271125T120000", end="20271125T130000")
    assert person.sync().code == 0
    (path,) = person.files()
    assert path == "2027/11/2027-11-25-lunch.yaml"
    person.edit(path, "subject: Lunch", "subject: Late lunch")
    assert person.sync().code == 0
    assert "X-SOMEBODY:keeps this" in person.events()["Late lunch"]


def test_plan_changes_nothing_and_says_what_sync_would_do(person: Person) -> None:
    person.sync()
    person.write("call.yaml", CALL)
    plan = person.run("plan", "--json")
    (action,) = plan.json["actions"]
    assert (action["calendar"], action["side"], action["action"], action["file"]) == (
        "work",
        "calendar",
        "create",
        "call.yaml",
    )
    assert action["subject"] == "Call Anna about the renewal"
    assert action["mails"] == []
    assert plan.code == 0
    assert person.events() == {}
    assert person.read("call.yaml") == CALL


def test_guests_that_are_left_out_are_named_before_and_after(person: Person) -> None:
    person.sync()
    person.write("call.yaml", f"{CALL}attendees: [Anna <anna@romashka.example>, me@example.com]\n")
    (action,) = person.run("plan", "--json").json["actions"]
    assert action["left_out"] == ["anna@romashka.example"]
    assert action["reason"] == "a new file, without its guests (guests: never)"
    synced = person.run("sync", "--json")
    assert [(row["wrote"], row["read"]) for row in synced.json["calendars"]] == [(1, 0)]
    said = person.run("why", "call.yaml", "--json").json
    assert (said["state"], said["left_out"]) == ("synced", ["anna@romashka.example"])
    assert "1 guest of the file is not on the event" in person.run("why", "call.yaml").out
    assert "ATTENDEE" not in person.events()["Call Anna about the renewal"]


def test_sync_and_approve_say_what_went_to_which_side(person: Person) -> None:
    person.sync()
    person.write("call.yaml", CALL)
    person.add_event("Doctor", uid="doctor-1", start="20271125T120000", end="20271125T130000", more="CLASS:PRIVATE\r\n")
    assert person.sync().out == "work: 1 to the calendar, 1 to files\n"
    assert person.sync().out == "work: up to date\n"
    person.configure("    private_events: busy\n")
    assert person.sync().code == 3
    assert person.run("approve").out == "work: 1 to files\n"
    assert len([path for path in person.files() if "busy" in path]) == 1


def test_after_connect_the_status_says_that_nothing_is_decided_yet(person: Person) -> None:
    person.write("call.yaml", CALL)
    assert person.run("connect", "home").code == 0
    assert "up to 1 out" in person.run("status").out
    person.sync()
    assert " out" not in person.run("status").out


def test_a_first_import_waits_for_approval_and_then_goes(servers: Servers, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)))
    text = (person.root / "config.yaml").read_text().replace("backlog: import", "backlog: ask")
    (person.root / "config.yaml").write_text(text)
    person.write("call.yaml", CALL)
    person.add_event("Lunch", uid="lunch-1", start="20271125T120000", end="20271125T130000")
    assert person.sync().code == 3
    assert list(person.events()) == ["Lunch"]
    assert person.files() == ["call.yaml"]
    (held,) = person.run("plan", "--json").json["held"]
    assert held["reason"] == "first_import"
    assert len(held["actions"]) == 2
    assert person.run("why", "call.yaml", "--json").json["state"] == "held"
    assert person.run("approve", held["id"]).code == 0
    assert sorted(person.events()) == ["Call Anna about the renewal", "Lunch"]
    assert len(person.files()) == 2
    assert person.run("why", "call.yaml", "--json").json["state"] == "synced"


def test_why_explains_a_synced_an_unscheduled_a_broken_and_an_ignored_file(synced: Person) -> None:
    synced.write("idea.yaml", "subject: Think about it\n")
    synced.write("broken.yaml", "subject: Call\ndue_date: [2027-11-24\n")
    synced.write("quiet.yaml", f"{CALL}sync: false\n")
    assert synced.sync().code == 3
    states = {}
    for name in ("call", "idea", "broken", "quiet"):
        said = synced.run("why", f"{name}.yaml", "--json").json
        states[name] = said["state"]
        assert set(said) >= {"file", "uid", "calendar", "state", "code", "reason", "cure"}
    assert states == {"call": "synced", "idea": "unscheduled", "broken": "broken", "quiet": "ignored"}


def test_a_private_event_of_the_calendar_is_in_no_path_of_the_status(person: Person) -> None:
    times = {"start": "20271125T120000", "end": "20271125T130000"}
    person.add_event("Cardiologist", uid="doctor-1", more="CLASS:PRIVATE\r\n", **times)
    assert person.sync().code == 0
    (path,) = person.files()
    assert re.fullmatch(r"2027/11/2027-11-25-private-[0-9a-f]{8}\.yaml", path)
    assert "subject: Cardiologist" in person.read(path)
    person.edit(path, "due_date: 2027-11-25", "due_date: 2027-13-45")
    assert person.sync().code == 3
    status = person.run("status", "--json")
    assert [one["file"] for one in status.json["problems"]] == [path]
    assert "cardiologist" not in status.out.casefold()
    person.edit(path, "due_date: 2027-13-45", "due_date: 2027-11-25")
    person.change("Cardiologist", "SUMMARY:Cardiologist", "SUMMARY:Oncologist")
    assert person.sync().code == 0
    assert person.files() == [path]


def test_why_says_too_what_was_read_otherwise_than_yaml_has_it(person: Person) -> None:
    person.sync()
    person.write("odd.yaml", "subject: [unclosed\ndue_date: 2027-11-24\n")
    assert person.sync().code == 0
    assert list(person.events()) == ["[unclosed"]
    said = person.run("why", "odd.yaml", "--json").json
    assert (said["state"], [one["line"] for one in said["warnings"]]) == ("synced", [1])
    assert "line 1: warning: " in person.run("why", "odd.yaml").out


def test_nothing_held_is_nothing_wrong_and_a_hold_that_is_not_there_is(person: Person) -> None:
    person.sync()
    nothing = person.run("approve")
    assert (nothing.code, nothing.out) == (0, "Nothing is held.\n")
    assert person.run("approve", "--json").json["approved"] == []
    wrong = person.run("approve", "abc123")
    assert (wrong.code, "datebook plan" in wrong.err) == (2, True)


def test_a_filter_that_means_something_else_is_answered_with_what_it_may_mean(synced: Person) -> None:
    def hint(*options: str) -> str:
        listed = synced.run("list", *options)
        assert listed.code == 0
        return listed.err

    assert "--sync synced" in hint("--status", "synced")
    assert "`confirmed`" in hint("--status", "confirmd")
    assert "--status tentative" in hint("--sync", "tentative")
    wrong = synced.run("list", "--type", "cal")
    assert (wrong.code, "There is no type `cal`" in wrong.err, "`call`" in wrong.err) == (2, True, True)
    assert hint("--sync", "synced", "--type", "call", "--status", "confirmed") == ""
    assert synced.run("list", "--sync", "broken", "--json").json["hidden"] == {"sync": 1}


def test_check_names_file_line_and_column(person: Person) -> None:
    person.sync()
    path = person.write("bad.yaml", "subject: Call\ndue_date: 2027-13-45\n")
    checked = person.run("check", str(path))
    assert checked.code == 3
    assert re.search(r"bad\.yaml:2:\d+: ", checked.out + checked.err)


def test_list_of_some_days_has_the_series_with_an_instance_on_them(synced: Person) -> None:
    weekly = "type: meeting\ndue_date: 2027-01-05\nrepeat: every week on Tuesday\nskip: [2027-11-23]\n"
    synced.write("weekly.yaml", f"subject: Review\n{weekly}")
    synced.write("late.yaml", f"subject: Late\n{weekly}due_time: 23:30\ntimezone: America/New_York\n")

    def listed(*days: str) -> list[str]:
        return [row["subject"] for row in synced.run("list", *days, "--json").json["activities"]]

    assert listed("--from", "2027-11-16", "--to", "2027-11-16") == ["Review"]
    assert listed("--from", "2027-11-17", "--to", "2027-11-17") == ["Late"]  # it is Wednesday in Helsinki by then
    assert listed("--from", "2027-11-23", "--to", "2027-11-23") == []
    assert listed("--to", "2027-01-04") == []
    assert listed("--from", "2027-12-01") == ["Review", "Late"]


def test_list_says_how_many_each_filter_hides(synced: Person) -> None:
    synced.write("task.yaml", "subject: Write the offer\ntype: task\ndue_date: 2027-11-26\n")
    synced.sync()
    listed = synced.run("list", "--type", "call", "--json").json
    assert [row["subject"] for row in listed["activities"]] == ["Call Anna about the renewal"]
    assert listed["hidden"] == {"type": 1}
    row = listed["activities"][0]
    assert set(row) >= {"file", "uid", "subject", "type", "start", "end", "done", "calendar", "state"}


def test_a_conflict_stays_open_under_ask_and_resolve_takes_one_side(servers: Servers, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)), extra="    on_conflict: ask\n")
    person.sync()
    person.write("call.yaml", CALL)
    person.sync()
    person.edit("call.yaml", "Call Anna about the renewal", "Call Anna first")
    person.change("Call Anna about the renewal", "SUMMARY:Call Anna about the renewal", "SUMMARY:Call Anna last")
    assert person.sync().code == 3
    (conflict,) = person.run("conflicts", "--json").json["conflicts"]
    assert (conflict["field"], conflict["file_value"], conflict["calendar_value"]) == (
        "subject",
        "Call Anna first",
        "Call Anna last",
    )
    assert person.run("resolve", "call.yaml", "--keep", "file").code == 0
    assert list(person.events()) == ["Call Anna first"]
    assert person.run("conflicts").code == 0
    newest = person.run("log", "call.yaml", "--json").json["entries"][0]
    assert newest["reason"] == "the conflict was resolved: the file's value is kept"


def test_the_newest_edit_wins_and_the_loser_is_in_the_log(synced: Person) -> None:
    synced.change("Call Anna about the renewal", "SUMMARY:Call Anna about the renewal", "SUMMARY:Call Anna last")
    synced.edit("call.yaml", "Call Anna about the renewal", "Call Anna first")
    assert synced.sync().code == 0
    (title,) = synced.events()
    assert title in synced.read("call.yaml")
    loser = "Call Anna first" if title == "Call Anna last" else "Call Anna last"
    entries = synced.run("log", "call.yaml", "--json").json["entries"]
    assert loser in json.dumps(entries)


def test_a_removed_file_takes_its_event_along_and_undo_is_not_needed_for_a_rename(synced: Person) -> None:
    (synced.store / "call.yaml").rename(synced.store / "anna.yaml")
    assert synced.sync().code == 0
    assert len(synced.events()) == 1
    (synced.store / "anna.yaml").unlink()
    assert synced.sync().code == 0
    assert synced.events() == {}


def test_a_removed_file_is_found_from_the_folder_it_stood_in_and_its_waiting_is_told(person: Person) -> None:
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace("delete_grace: 1s", "delete_grace: 1h"))
    person.sync()
    place = person.write("2027/call.yaml", CALL).parent
    person.sync()
    (place / "call.yaml").unlink()
    assert person.sync().code == 0
    said = person.run("why", "call.yaml", "--json", cwd=place).json
    assert (said["file"], said["state"], said["code"]) == ("2027/call.yaml", "waiting", "grace")
    assert re.search(r"at \d\d:\d\d:\d\d, unless it is put back", said["reason"])
    (action,) = person.run("plan", "--json").json["actions"]
    assert (action["action"], action["side"], action["file"]) == ("delete", "calendar", "2027/call.yaml")
    assert datetime.fromisoformat(action["not_before"]) > datetime.now(UTC)
    status = person.run("status", "--json").json
    assert status["calendars"]["work"]["pending_out"] == 1
    assert [(one["file"], one["code"], one["needs_user"]) for one in status["problems"]] == [
        ("2027/call.yaml", "grace", False)
    ]
    assert person.run("status").code == 0


def test_of_a_removed_file_why_says_what_was_done_and_its_cure_brings_it_back(synced: Person) -> None:
    (synced.store / "call.yaml").unlink()
    synced.sync()
    said = synced.run("why", "call.yaml", "--json", cwd=synced.store).json
    assert (said["state"], said["code"]) == ("ignored", "removed")
    assert synced.run(*said["cure"].partition("datebook ")[2].split()).code == 0
    assert list(synced.events()) == ["Call Anna about the renewal"]
    assert synced.files() == ["call.yaml"]
    assert synced.run("why", "never-was.yaml").code == 2


def test_a_removed_event_moves_the_file_to_the_trash_and_restore_brings_both_back(synced: Person) -> None:
    synced.drop("Call Anna about the renewal")
    assert synced.sync().code == 0
    assert synced.files() == []
    assert synced.run("restore", "call.yaml").code == 0
    assert synced.files() == ["call.yaml"]
    assert list(synced.events()) == ["Call Anna about the renewal"]


def test_undo_takes_an_edit_back_on_both_sides(synced: Person) -> None:
    synced.change("Call Anna about the renewal", "SUMMARY:Call Anna about the renewal", "SUMMARY:Oops")
    synced.sync()
    entries = synced.run("log", "call.yaml", "--json").json["entries"]
    entry = next(one for one in entries if one["action"] == "update" and one["side"] == "file")
    assert entry["before"] == {"subject": "Call Anna about the renewal"}
    assert synced.run("undo", str(entry["id"])).code == 0
    assert "subject: Call Anna about the renewal" in synced.read("call.yaml")
    assert list(synced.events()) == ["Call Anna about the renewal"]
    newest = synced.run("log", "call.yaml", "--json").json["entries"][0]
    assert newest["reason"] == f"entry {entry['id']} was taken back"


def test_what_a_replicator_left_is_told_and_needs_nobody(synced: Person) -> None:
    left = "call.sync-conflict-20261123-101500-ABCDEFG.yaml"
    synced.write(left, CALL.replace("Anna", "Bob"))
    assert synced.sync().code == 0
    status = synced.run("status", "--json")
    assert (status.code, status.json["store"]["activities"]) == (0, 1)
    assert [(one["file"], one["code"], one["needs_user"]) for one in status.json["problems"]] == [
        (left, "replicator_conflict", False)
    ]
    said = synced.run("why", left, "--json", cwd=synced.store)
    assert (said.code, said.json["state"], said.json["code"]) == (0, "ignored", "replicator_conflict")
    (problem,) = synced.run("check", "--json").json["problems"]
    assert (problem["code"], problem["severity"]) == ("replicator_conflict", "warning")


def test_one_broken_file_does_not_hold_up_the_others(person: Person) -> None:
    person.sync()
    person.write("broken.yaml", "subject: Call\ndue_date: [2027-11-24\n")
    person.write("call.yaml", CALL)
    assert person.sync().code == 3
    assert list(person.events()) == ["Call Anna about the renewal"]


def test_many_removed_files_wait_for_a_word(person: Person) -> None:
    person.sync()
    for number in range(20):
        person.write(f"call-{number:02}.yaml", CALL.replace("Anna", f"Anna {number:02}"))
    person.sync()
    for number in range(15):
        (person.store / f"call-{number:02}.yaml").unlink()
    assert person.sync().code == 3
    assert len(person.events()) == 20
    (held,) = person.run("plan", "--json").json["held"]
    assert held["reason"] == "brake"
    figures = "15 events are deleted within an hour, of 20 linked; the brake lets 10 through"
    assert figures in held["message"]
    assert figures in person.run("plan").out
    assert figures in person.run("status").out
    assert person.run("approve", held["id"]).code == 0
    assert len(person.events()) == 5


def test_removed_files_that_the_brake_holds_are_put_back_by_one_command(person: Person) -> None:
    person.sync()
    for number in range(8):
        person.write(f"call-{number}.yaml", CALL.replace("Anna", f"Anna {number}"))
    person.sync()
    before = {path: person.read(path) for path in person.files()}
    for path in before:
        (person.store / path).unlink()
    assert person.sync().code == 3
    (held,) = person.run("plan", "--json").json["held"]
    resolved = person.run("resolve", held["id"], "--keep", "file")
    assert resolved.code == 2
    assert "is a plan that is held, not a conflict: 8 events" in resolved.err
    assert f"datebook approve {held['id']}" in resolved.err
    assert f"datebook restore {held['id']}" in resolved.err
    assert person.run("restore", "call-0.yaml").code == 3  # the others still wait
    (held,) = person.run("plan", "--json").json["held"]
    restored = person.run("restore", held["id"])
    assert (restored.code, restored.err) == (0, "")
    assert {path: person.read(path) for path in person.files()} == before
    assert len(person.events()) == 8
    assert person.run("plan", "--json").json["held"] == []


def test_disconnect_and_connect_again_doubles_nothing(synced: Person) -> None:
    assert synced.run("disconnect", "home").code == 0
    synced.edit("call.yaml", "10:30", "11:30")
    synced.sync()
    assert "T103000" in synced.events()["Call Anna about the renewal"]
    assert synced.run("connect", "home").code == 0
    assert synced.sync().code == 0
    assert len(synced.events()) == 1
    assert "T113000" in synced.events()["Call Anna about the renewal"]
    assert synced.files() == ["call.yaml"]


def test_a_lost_journal_is_rebuilt_without_a_write_to_either_side(synced: Person) -> None:
    before, event = synced.read("call.yaml"), synced.events()
    for path in (synced.root / "state").glob("journal.db*"):
        path.unlink()
    synced.sync()
    assert synced.read("call.yaml") == before
    assert synced.events() == event
    synced.edit("call.yaml", "10:30", "11:30")
    assert synced.sync().code == 0
    assert "T113000" in synced.events()["Call Anna about the renewal"]


def test_after_single_commands_status_says_how_they_left_things(synced: Person) -> None:
    healthy = synced.run("status", "--json")
    assert (healthy.code, healthy.json["by"]) == (0, "command")
    synced.write("broken.yaml", "subject: Call\ndue_date: [2027-11-24\n")
    synced.sync()
    assert synced.run("status").code == 3


def test_a_calendar_that_is_renamed_in_the_config_and_back_keeps_its_links(synced: Person) -> None:
    config = synced.root / "config.yaml"
    text = config.read_text()
    for name in ("job", "work"):
        config.write_text(text.replace("  work:\n", f"  {name}:\n"))
        assert synced.sync().code == 0
    synced.edit("call.yaml", "10:30", "11:30")
    assert synced.sync().code == 0
    assert "T113000" in synced.events()["Call Anna about the renewal"]
    assert len(synced.events()) == 1
    assert synced.files() == ["call.yaml"]


def test_guests_of_a_single_instance_are_guests(synced: Person) -> None:
    guests = "ORGANIZER:mailto:me@example.com\r\nATTENDEE:mailto:anna@x.example\r\n"
    override = (
        "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:series-1\r\nDTSTAMP:20261101T000000Z\r\n"
        "RECURRENCE-ID;TZID=Europe/Helsinki:20271208T120000\r\nDTSTART;TZID=Europe/Helsinki:20271208T120000\r\n"
        f"DTEND;TZID=Europe/Helsinki:20271208T130000\r\nSUMMARY:Review\r\n{guests}"
    )
    more = f"RRULE:FREQ=WEEKLY;COUNT=9\r\n{override}"
    synced.add_event("Review", uid="series-1", start="20271201T120000", end="20271201T130000", more=more)
    assert synced.sync().code == 0
    (path,) = [name for name in synced.files() if "review" in name]
    before = synced.events()["Review"]
    synced.edit(path, "subject: Review", "subject: Another review")
    assert synced.sync().code == 3
    assert synced.events()["Review"] == before
    (synced.store / path).unlink()
    assert synced.sync().code in {0, 3}
    assert synced.events()["Review"] == before


def test_an_ics_file_with_a_rule_that_nobody_understands_stays_here_and_is_reported(synced: Person) -> None:
    synced.write(
        "odd.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:odd-1\r\nDTSTAMP:20261101T000000Z\r\n"
        "DTSTART;TZID=Europe/Helsinki:20271201T120000\r\nSUMMARY:Odd\r\nRRULE:FREQ=FOO\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    )
    assert synced.sync().code == 3
    assert "Odd" not in synced.events()
    assert synced.run("why", "odd.ics", "--json").json["state"] == "blocked"


def test_an_event_that_no_file_can_say_is_named_with_its_cure(synced: Person) -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-P9999999D\r\nEND:VALARM\r\n"
    synced.add_event("Strange alarm", uid="alarm-1", start="20271201T120000", end="20271201T130000", more=alarm)
    assert synced.sync().code == 3
    (problem,) = synced.run("status", "--json").json["problems"]
    assert "Strange alarm" in problem["message"]
    assert problem["cure"]
