"""A small pass costs what has changed, however much the store holds: counted in work of the journal, not in time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.core.model import Field, Key, Timed
from daemon.keepsake import Keepsake
from tests.servers.world import World

CALL = "subject: Call {number}\ntype: call\ndue_date: 2026-12-24\ndue_time: 10:30\nduration: 15m\n"
FEW, MANY = 20, 200
MOST = 10  # statements that the first download makes for each event
_VALUES = re.compile(r"'[^']*'|\b[0-9.]+\b")
Change = Callable[[World], object]


def _nothing(_world: World) -> None:
    pass


def _edit_a_file(world: World) -> None:
    path = world.store / "call-7.yaml"
    path.write_text(path.read_text().replace("10:30", "11:00"))


def _edit_an_event(world: World) -> None:
    calendar = world.calendars["work"]
    calendar.edit(min(calendar.events()), {Key(Field.LOCATION): "Room 5"})


def _remove_a_file(world: World) -> None:
    (world.store / "call-7.yaml").unlink()


CHANGES: dict[str, Change] = {
    "nothing has changed": _nothing,
    "a file was edited": _edit_a_file,
    "an event was edited": _edit_an_event,
    "a removed file waits for its grace": _remove_a_file,
}


def in_step(root: Path, count: int) -> World:
    """A store of so many files that is in step with its calendar."""
    world = World(root)
    for number in range(count):
        world.write(f"call-{number}.yaml", CALL.format(number=number))
    world.settle()
    return world


def work_of_a_pass(world: World, change: Change) -> Counter[str]:
    """The steps that SQLite takes in a pass after a change, by statement."""
    change(world)
    work: Counter[str] = Counter()
    now = ""

    def begun(statement: str) -> None:
        nonlocal now
        now = _VALUES.sub("?", statement)

    db = world.journal._db
    db.set_trace_callback(begun)
    db.set_progress_handler(lambda: work.update([now]), 1)
    world.pass_()
    Keepsake(world.journal, world.store, "me@example.com")()
    db.set_progress_handler(None, 0)
    db.set_trace_callback(None)
    return work


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    few, many = (in_step(tmp_path_factory.mktemp(f"of-{count}"), count) for count in (FEW, MANY))
    return few, many


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_small_pass_takes_as_much_of_the_journal_in_a_large_store_as_in_a_small_one(
    worlds: tuple[World, World], change: Change
) -> None:
    few, many = (work_of_a_pass(world, change) for world in worlds)
    grown = {statement: (few[statement], steps) for statement, steps in many.items() if steps > few[statement] + FEW}
    assert few.total() > 100, "nothing was counted"
    assert grown == {}


def statements_of_a_first_download(root: Path, count: int) -> int:
    """How many statements the journal is given while files are made for so many events."""
    world = World(root)
    for number in range(count):
        when = Timed(datetime(2026, 12, 24, 10, 30), "Europe/Helsinki", timedelta(minutes=15))
        world.calendars["work"].put(f"event-{number}", {Key(Field.SUBJECT): f"Call {number}", Key(Field.WHEN): when})
    begun: list[str] = []
    world.journal._db.set_trace_callback(begun.append)
    world.pass_()
    world.journal._db.set_trace_callback(None)
    assert len(world.files()) == count
    return len(begun)


def test_a_first_download_makes_few_statements_for_each_event(tmp_path: Path) -> None:
    few, many = (statements_of_a_first_download(tmp_path / str(count), count) for count in (FEW, MANY))
    each = (many - few) / (MANY - FEW)
    assert 1 < each <= MOST
