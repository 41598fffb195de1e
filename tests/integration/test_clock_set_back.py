"""A clock that was ahead is set right: what waits goes by the clock as it is now, not by moments that never came."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.memory.memory_store import MemoryStore, Mishap
from daemon.core.errors import Refused
from tests.servers.world import World

CALL = "subject: Call Anna\ntype: call\ndue_date: 2030-12-24\ndue_time: 10:30\n"
YEARS = timedelta(days=800)


@pytest.fixture(params=[timedelta(hours=1), YEARS], ids=["an hour", "years"])
def ahead(request: pytest.FixtureRequest) -> timedelta:
    return request.param  # type: ignore[no-any-return]  # one of those above


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def set_right(world: World, ahead: timedelta, *, minutes: float = 0, **waits: float) -> None:
    """The clock jumps back, which makes the daemon look at everything; then some time goes by."""
    world.clock.at -= ahead
    world.pass_()
    world.clock.pass_by(minutes=minutes, **waits)


def test_a_removed_file_takes_its_event_along_after_the_grace(world: World, ahead: timedelta) -> None:
    world.clock.at += ahead
    path = world.write("call.yaml", CALL)
    world.settle()
    path.unlink()
    world.pass_()
    set_right(world, ahead, seconds=11)
    world.settle()
    assert not world.calendars["work"].events()


def test_a_file_that_lost_its_date_takes_its_event_along_after_the_grace(world: World, ahead: timedelta) -> None:
    world.clock.at += ahead
    path = world.write("call.yaml", CALL)
    world.settle()
    path.write_text(path.read_text().replace("due_date: 2030-12-24\n", ""))
    world.pass_()
    set_right(world, ahead, seconds=11)
    world.settle()
    assert not world.calendars["work"].events()


def test_the_grace_that_the_jump_began_anew_is_one_still(world: World, ahead: timedelta) -> None:
    world.clock.at += ahead
    path = world.write("call.yaml", CALL)
    world.settle()
    text = path.read_text()
    path.unlink()
    world.pass_()
    set_right(world, ahead, seconds=5)
    path.write_text(text)
    world.settle()
    assert len(world.calendars["work"].events()) == 1
    assert world.files() == ["call.yaml"]


def test_what_a_service_refused_is_tried_again_within_a_day(world: World) -> None:
    world.clock.at += YEARS
    calendar = world.calendars["work"]
    assert isinstance(calendar, MemoryStore)
    calendar.mishaps.append(Mishap(Refused("400", reason="no")))
    world.write("call.yaml", CALL)
    world.pass_()
    set_right(world, YEARS, minutes=6)
    world.settle()
    assert len(calendar.events()) == 1
    assert not world.journal.quarantine.all()
