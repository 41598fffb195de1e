"""The engine with a real folder and a calendar in memory: what every user does first."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.core.model import Field, Key
from tests.servers.world import World

CALL = """\
subject: Call Anna about the renewal
type: call
due_date: 2026-11-24
due_time: 10:30
duration: 0:15

note: |
  She asked for the 3-year price last time.  # not for the calendar
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def only(world: World):
    events = world.calendars["work"].events()
    assert len(events) == 1
    return next(iter(events.values()))


def test_a_new_file_becomes_an_event_and_gets_its_uid_as_the_last_line(world: World) -> None:
    world.write("call.yaml", CALL)
    world.settle()
    event = only(world)
    assert event.view[Key(Field.SUBJECT)] == "Call Anna about the renewal"
    text = world.read("call.yaml")
    assert text.startswith(CALL)
    assert text == f"{CALL}uid: {event.uid}\n"


def test_a_second_pass_writes_nothing(world: World) -> None:
    world.write("call.yaml", CALL)
    world.settle()
    before = world.read("call.yaml")
    result = world.pass_()["work"]
    assert (result.wrote, result.read, result.error) == (0, 0, None)
    assert world.read("call.yaml") == before


def test_an_edit_in_the_file_changes_the_event(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    path.write_text(path.read_text().replace("10:30", "11:00"))
    world.settle()
    assert only(world).view[Key(Field.WHEN)].start.hour == 11


def test_an_edit_in_the_calendar_changes_just_that_line_of_the_file(world: World) -> None:
    world.write("call.yaml", CALL)
    world.settle()
    before = world.read("call.yaml")
    calendar = world.calendars["work"]
    item = next(iter(calendar.events()))
    calendar.edit(item, {Key(Field.SUBJECT): "Call Anna again"})
    world.settle()
    assert world.read("call.yaml") == before.replace("Call Anna about the renewal", "Call Anna again")


def test_different_fields_edited_on_both_sides_are_both_kept(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    calendar = world.calendars["work"]
    calendar.edit(next(iter(calendar.events())), {Key(Field.LOCATION): "Room 5"})
    path.write_text(path.read_text().replace("10:30", "11:00"))
    world.settle()
    assert only(world).view[Key(Field.WHEN)].start.hour == 11
    assert "location: Room 5" in world.read("call.yaml")


def test_a_new_event_becomes_a_file(world: World) -> None:
    world.write("call.yaml", CALL)
    world.settle()
    calendar = world.calendars["work"]
    view = dict(only(world).view)
    view[Key(Field.SUBJECT)] = "Lunch with Oleg"
    calendar.put("foreign-1", view)
    world.settle()
    assert "2026/11/2026-11-24-lunch-with-oleg.yaml" in world.files()
    assert len(world.files()) == 2


def test_a_removed_file_takes_its_event_along_after_the_grace(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    path.unlink()
    world.pass_()
    assert len(world.calendars["work"].events()) == 1
    world.clock.pass_by(seconds=11)
    world.settle()
    assert not world.calendars["work"].events()


def test_a_removed_event_moves_its_file_to_the_trash(world: World) -> None:
    world.write("call.yaml", CALL)
    world.settle()
    calendar = world.calendars["work"]
    calendar.drop(next(iter(calendar.events())))
    world.settle()
    assert world.files() == []
    assert [entry.path for entry in world.folder.trash_list()] == ["call.yaml"]


def test_a_renamed_file_is_still_that_activity(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    uid = only(world).uid
    path.rename(world.store / "anna.yaml")
    world.clock.pass_by(seconds=60)
    world.settle()
    assert only(world).uid == uid
    assert world.files() == ["anna.yaml"]


def test_a_copied_file_becomes_a_new_activity(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    world.write("copy.yaml", path.read_text().replace("Anna", "Oleg"))
    world.settle()
    events = world.calendars["work"].events()
    assert len({event.uid for event in events.values()}) == 2
    assert world.read("copy.yaml").count("uid:") == 1
    assert world.read("copy.yaml").split("uid: ")[1] != world.read("call.yaml").split("uid: ")[1]


def test_a_broken_file_is_never_taken_for_deleted(world: World) -> None:
    path = world.write("call.yaml", CALL)
    world.settle()
    path.write_text("subject: Call\ndue_date: [2026-11-24\n")
    world.clock.pass_by(hours=2)
    world.settle()
    assert len(world.calendars["work"].events()) == 1
    assert world.read("call.yaml").startswith("subject: Call\ndue_date: [2026")
