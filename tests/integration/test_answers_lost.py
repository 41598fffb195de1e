"""An answer that was lost, and an edit in the calendar before anybody could ask: what came after is an edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.memory.memory_store import MemoryStore, Mishap
from daemon.core.errors import Unavailable
from daemon.core.model import Field, Key
from daemon.core.policy import OnConflict
from tests.servers.world import World, route

SERIES = """\
subject: Call
due_date: 2026-12-01
due_time: 10:00
repeat: FREQ=WEEKLY;COUNT=4
location: Room 1
changes:
  2026-12-08:
    location: Room 2
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, routes={"work": route(on_conflict=OnConflict.ASK)})
    world.write("call.yaml", SERIES)
    world.settle()
    return world


def lose_the_answer(world: World) -> tuple[MemoryStore, str]:
    """The next write lands, and nobody hears of it; the calendar and the id of its one event."""
    calendar = world.calendars["work"]
    assert isinstance(calendar, MemoryStore)
    calendar.mishaps.append(Mishap(Unavailable("the answer was lost", uncertain=True), applied=True))
    assert world.pass_()["work"].error is not None
    return calendar, next(iter(calendar.events()))


def open_conflicts(world: World) -> list[str]:
    with world.journal.turn():
        return [row.key for row in world.journal.conflicts.rows()]


def test_what_is_edited_in_the_calendar_after_a_write_whose_answer_was_lost_is_an_edit(world: World) -> None:
    world.write("call.yaml", world.read("call.yaml").replace("Room 1", "Room 3").replace("Call", "Call Anna"))
    calendar, item = lose_the_answer(world)
    calendar.edit(item, {Key(Field.LOCATION): "Room 4"})
    world.restart()
    world.settle()
    assert open_conflicts(world) == []
    text = world.read("call.yaml")
    assert "subject: Call Anna" in text
    assert "location: Room 4" in text


def test_the_same_holds_for_an_instance_of_a_series_that_is_written_in_one_go(world: World) -> None:
    world.write("call.yaml", world.read("call.yaml").replace("Room 2", "Room 3").replace("Call", "Call Anna"))
    calendar, item = lose_the_answer(world)
    instance = next(key for key in calendar.events()[item].view if key.instance and key.field is Field.LOCATION)
    calendar.edit(item, {instance: "Room 4"})
    world.restart()
    world.settle()
    assert open_conflicts(world) == []
    assert "Room 4" in world.read("call.yaml")


def test_a_write_that_never_landed_and_an_edit_of_the_same_field_are_a_conflict(world: World) -> None:
    world.write("call.yaml", world.read("call.yaml").replace("Room 1", "Room 3").replace("Call", "Call Anna"))
    calendar = world.calendars["work"]
    assert isinstance(calendar, MemoryStore)
    calendar.mishaps.append(Mishap(Unavailable("the line was dead", uncertain=True), applied=False))
    world.pass_()
    calendar.edit(next(iter(calendar.events())), {Key(Field.LOCATION): "Room 4"})
    world.restart()
    world.settle()
    assert open_conflicts(world) == ["location"]
    assert calendar.events()[next(iter(calendar.events()))].view[Key(Field.SUBJECT)] == "Call Anna"
