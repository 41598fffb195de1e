"""A great removal takes its time: what the first look sees of it is not a small one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from daemon.core.policy import Brake
from tests.servers.world import World, route

CALL = "subject: Call {number}\ntype: call\ndue_date: {year}-12-24\ndue_time: 10:30\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for number in range(30):
        world.write(f"call-{number}.yaml", CALL.format(number=number, year=2030))
    world.settle()
    return world


def remove(world: World, numbers: range) -> dict[str, str]:
    """Take files away, and have the daemon notice; what they said."""
    texts = {f"call-{number}.yaml": world.read(f"call-{number}.yaml") for number in numbers}
    for path in texts:
        (world.store / path).unlink()
    world.pass_()
    return texts


def test_the_first_of_many_removed_files_wait_for_the_rest(world: World) -> None:
    texts = remove(world, range(3))
    world.clock.pass_by(seconds=4)
    texts |= remove(world, range(3, 30))
    world.clock.pass_by(seconds=7)  # the grace of the first three is over
    world.settle()
    calendar = world.calendars["work"]
    assert len(calendar.events()) == 30
    world.clock.pass_by(seconds=60)
    world.settle()
    assert len(calendar.events()) == 30
    assert [row.reason for row in world.journal.holds.rows()] == ["brake"]
    for path, text in texts.items():
        world.write(path, text)
    world.settle()
    assert len(calendar.events()) == 30
    assert not world.journal.holds.rows()


def test_a_few_files_removed_one_after_the_other_take_their_events_along(world: World) -> None:
    remove(world, range(1))
    world.clock.pass_by(seconds=4)
    remove(world, range(1, 3))
    world.clock.pass_by(seconds=7)
    world.settle()
    assert len(world.calendars["work"].events()) == 29
    world.clock.pass_by(seconds=4)
    world.settle()
    assert len(world.calendars["work"].events()) == 27


def test_removed_files_of_the_past_are_no_deletions(tmp_path: Path) -> None:
    world = World(tmp_path, {"work": route(brake=Brake(2, 0.01))})
    for number in range(6):
        world.write(f"call-{number}.yaml", CALL.format(number=number, year=2030 if number == 0 else 2020))
    world.settle()
    remove(world, range(1))
    world.clock.pass_by(seconds=4)
    remove(world, range(1, 6))
    world.clock.pass_by(seconds=7)
    world.settle()
    assert len(world.calendars["work"].events()) == 5
    assert not world.journal.holds.rows()


def test_a_file_that_comes_back_after_its_event_was_deleted_is_in_the_calendar_again(world: World) -> None:
    texts = remove(world, range(1))
    world.clock.pass_by(seconds=11)
    world.settle()
    assert len(world.calendars["work"].events()) == 29
    world.clock.pass_by(seconds=1)
    for path, text in texts.items():
        world.write(path, text)
    world.settle()
    assert len(world.calendars["work"].events()) == 30


def test_a_file_that_comes_back_in_the_moment_of_the_deletion_is_in_the_calendar_again(world: World) -> None:
    texts = remove(world, range(1))
    world.clock.pass_by(seconds=11)
    calendar = world.calendars["work"]
    world.engine.sync("work", poll=True)
    assert len(calendar.events()) == 29
    for path, text in texts.items():
        world.write(path, text)
    world.clock.pass_by(seconds=timedelta(milliseconds=1).total_seconds())
    world.settle()
    assert len(calendar.events()) == 30
