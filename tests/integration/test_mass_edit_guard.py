"""What the brake takes for a mass edit: many items, never one that is saved again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.core.model import Field, Key, text_of
from daemon.core.policy import Brake
from tests.servers.world import World, route

CALL = "subject: Call {number}\ntype: call\ndue_date: 2030-12-24\ndue_time: 10:30\nlocation: Room 0\n"
SAVES = 130  # more than the brake lets through of edits


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for number in range(3):
        world.write(f"call-{number}.yaml", CALL.format(number=number))
    world.settle()
    return world


def test_an_editor_that_saves_all_the_time_is_no_mass_edit(world: World) -> None:
    for save in range(SAVES):
        world.edit("call-1.yaml", f"Room {save}\n", f"Room {save + 1}\n")
        world.clock.pass_by(seconds=3)
        world.pass_()
    assert not world.journal.holds.rows()
    places = {text_of(event.view, Field.LOCATION) for event in world.calendars["work"].events().values()}
    assert places == {"Room 0", f"Room {SAVES}"}


def test_an_event_that_is_dragged_about_is_no_mass_edit(world: World) -> None:
    calendar = world.calendars["work"]
    event = min(calendar.events())
    for turn in range(SAVES):
        calendar.edit(event, {Key(Field.LOCATION): f"Hall {turn}"})
        world.clock.pass_by(seconds=3)
        world.pass_()
    assert not world.journal.holds.rows()
    assert sum(f"location: Hall {SAVES - 1}\n" in world.read(path) for path in world.files()) == 1


def test_many_items_are_a_mass_edit_however_few_of_them_come_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path, {"work": route(brake=Brake(1, 0.2))})  # ten edits, and half of what is linked
    for number in range(20):
        world.write(f"call-{number}.yaml", CALL.format(number=number))
    world.settle()
    for number in range(20):
        world.edit(f"call-{number}.yaml", "Room 0\n", "Room 1\n")
        world.clock.pass_by(seconds=3)
        world.pass_()
    events = world.calendars["work"].events().values()
    assert sum(text_of(event.view, Field.LOCATION) == "Room 1" for event in events) == 10
    assert [row.reason for row in world.journal.holds.rows()] == ["brake"]
