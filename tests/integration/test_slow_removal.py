"""A removal takes its time: the first of many wait with the rest, and a file that is put back meanwhile is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.memory.memory_store import MemoryStore, Mishap
from daemon.core.errors import Unavailable
from daemon.core.policy import Brake
from daemon.core.store import Outcome, Remove, Store, Write
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


class Undone:
    """A calendar that is slow to delete: meanwhile the file is put back, and the daemon sees it."""

    def __init__(self, store: Store, put_back: Callable[[], object]) -> None:
        self._store, self._put_back = store, put_back

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def write(self, writes: Iterable[Write]) -> Iterator[tuple[Write, Outcome]]:
        for write, outcome in self._store.write(writes):
            if isinstance(write, Remove):
                self._put_back()
            yield write, outcome


WAYS: dict[str, Callable[[str], str]] = {
    "as it was": lambda text: text,
    "edited": lambda text: text.replace("10:30", "11:30"),
    "without its uid": lambda text: text[: text.index("uid:")],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_put_back_while_its_event_is_deleted_is_in_the_calendar_again(world: World, way: str) -> None:
    [(path, text)] = remove(world, range(1)).items()

    def put_back() -> None:
        world.write(path, WAYS[way](text))
        world.clock.pass_by(seconds=0.1)
        world.engine.look([path])
        world.clock.pass_by(seconds=0.1)

    world.wrap = lambda store: Undone(store, put_back)  # type: ignore[assignment,return-value]  # a store, by delegation
    world.clock.pass_by(seconds=11)
    world.pass_()
    world.wrap = lambda store: store
    world.settle()
    assert len(world.calendars["work"].events()) == 30
    assert "uid:" in world.read(path)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_put_back_before_the_deletion_is_known_to_have_happened_is_too(world: World, way: str) -> None:
    [(path, text)] = remove(world, range(1)).items()
    world.clock.pass_by(seconds=11)
    calendar = world.calendars["work"]
    assert isinstance(calendar, MemoryStore)
    calendar.mishaps.append(Mishap(Unavailable("the answer was lost", uncertain=True), applied=True))
    world.pass_()
    assert len(calendar.events()) == 29
    world.write(path, WAYS[way](text))
    world.clock.pass_by(seconds=5)
    world.restart()
    world.settle()
    assert len(calendar.events()) == 30
    assert "uid:" in world.read(path)
