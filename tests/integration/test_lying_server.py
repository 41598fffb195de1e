"""A server that lies, forgets and rewrites: no false conflict, no ping-pong, nothing deleted, nothing sent twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.memory.memory_store import Manners, MemoryStore, Mishap
from daemon.core.errors import Unavailable
from daemon.core.model import Field, Key, View
from daemon.core.store import Capabilities
from daemon.status.standing import standing
from tests.servers.world import World

FILE = "# mine\nsubject: Call {number}\ndue_date: 2026-12-24\ndue_time: 9:00\nlocation: Main  Street\n"
SUBJECT, LOCATION = Key(Field.SUBJECT), Key(Field.LOCATION)
PROFILES = {
    "says no version": Manners(tells_versions=False),
    "says no version and feeds bare ids": Manners(tells_versions=False, feeds_versions=False),
    "gives its own ids": Manners(Capabilities(versions_creates=False), gives_ids=True, tells_versions=False),
    "delivers changes whole": Manners(inline=True),
}


@dataclass
class Rewriting(MemoryStore):
    """A calendar that stores something else than it is sent; counts what it is asked."""

    rewrite: Callable[[View], View] = lambda view: view
    reads: int = 0
    writes: int = 0

    def _held(self, view: View) -> View:
        return self.rewrite(super()._held(view))

    def read(self, ids):
        for reading in super().read(ids):
            self.reads += 1
            yield reading

    def write(self, writes):
        for done in super().write(writes):
            self.writes += 1
            yield done


@dataclass
class Breaking(MemoryStore):
    """A calendar whose connection ends, when it is told to, once all was read."""

    breaks: bool = False
    broke: int = 0

    def read(self, ids):
        yield from super().read(ids)
        if self.breaks:
            self.broke += 1
            raise Unavailable("the connection has ended")


def upper(view: View) -> View:
    return {key: value.upper() if key == LOCATION and isinstance(value, str) else value for key, value in view.items()}


def single_spaced(view: View) -> View:
    return {key: " ".join(value.split()) if key == LOCATION else value for key, value in view.items()}  # type: ignore[union-attr]  # a location is text


def without_location(view: View) -> View:
    return {key: value for key, value in view.items() if key != LOCATION}


def started(tmp_path: Path, store: MemoryStore, files: int = 3) -> World:
    world = World(tmp_path, calendars={"work": store})
    store.clock = world.clock.now
    for number in range(files):
        world.write(f"f{number}.yaml", FILE.format(number=number))
    return world


def conflicts(world: World) -> list[object]:
    with world.journal.turn():
        return list(world.journal.conflicts.rows())


@pytest.mark.parametrize("manners", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("rewrite", [upper, single_spaced, without_location])
def test_a_server_that_rewrites_is_answered_once_and_then_left_in_peace(
    tmp_path: Path, manners: Manners, rewrite: Callable[[View], View]
) -> None:
    store = Rewriting(manners=manners, rewrite=rewrite)
    world = started(tmp_path, store)
    world.settle()
    sent = store.writes
    assert sent == 3, "each event is sent once"
    assert conflicts(world) == []
    reads = store.reads
    texts = [world.read(path) for path in world.files()]
    for _ in range(10):
        world.clock.pass_by(minutes=1)
        world.pass_()
    assert (store.writes, store.reads) == (sent, reads)
    assert [world.read(path) for path in world.files()] == texts


@pytest.mark.parametrize("manners", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("again", ["", "file", "calendar"])
def test_a_write_whose_answer_is_lost_is_made_once_and_is_no_conflict(
    tmp_path: Path, manners: Manners, *, applied: bool, again: str
) -> None:
    store = MemoryStore(manners=manners)
    world = started(tmp_path, store)
    lost = Mishap(Unavailable("500 after all", uncertain=True), applied=applied)
    store.mishaps.extend([lost, lost, lost])
    world.pass_()
    for path in world.files():
        if again == "file":
            world.write(path, world.read(path).replace("Call", "Phone"))
    if again == "calendar":
        for item in store.events():
            store.edit(item, {SUBJECT: "Edited there"})
    store.mishaps.clear()
    world.clock.pass_by(minutes=10)
    world.settle()
    assert len(store.events()) == len(world.files()) == 3
    assert conflicts(world) == []
    assert len({event.uid for event in store.events().values()}) == 3
    if again == "file":
        assert all("Phone" in event.view[SUBJECT] for event in store.events().values())
    if again == "calendar" and applied:
        assert all("Edited there" in world.read(path) for path in world.files())


def test_an_edit_whose_answer_is_lost_and_that_is_edited_again_is_no_conflict(tmp_path: Path) -> None:
    store = MemoryStore()
    world = started(tmp_path, store, files=1)
    world.settle()
    store.mishaps.append(Mishap(Unavailable("503", uncertain=True), applied=True))
    world.write("f0.yaml", world.read("f0.yaml").replace("Call 0", "Call 0 once"))
    world.pass_()
    world.write("f0.yaml", world.read("f0.yaml").replace("Call 0 once", "Call 0 twice"))
    world.clock.pass_by(minutes=5)
    world.settle()
    assert [event.view[SUBJECT] for event in store.events().values()] == ["Call 0 twice"]
    assert conflicts(world) == []


# The feed -----------------------------------------------------------------------------------------


def garbage(store: MemoryStore, world: World) -> None:
    world.journal.set_route("work", cursor="\x00 no cursor of mine")


def from_the_future(store: MemoryStore, world: World) -> None:
    world.journal.set_route("work", cursor=f"{store.identity}#999999")


def of_another_calendar(store: MemoryStore, world: World) -> None:
    world.journal.set_route("work", cursor="memory:other#3")


def expired(store: MemoryStore, world: World) -> None:
    store.forget_history()


@pytest.mark.parametrize("harm", [garbage, from_the_future, of_another_calendar, expired])
def test_a_cursor_that_is_worth_nothing_costs_a_listing_and_nothing_else(
    tmp_path: Path, harm: Callable[[MemoryStore, World], None]
) -> None:
    store = Rewriting()
    world = started(tmp_path, store, files=20)
    world.settle()
    sent, reads, files = store.writes, store.reads, world.files()
    harm(store, world)
    store.edit(next(iter(store.events())), {SUBJECT: "Changed meanwhile"})
    store.drop(list(store.events())[-1])
    world.settle()
    assert store.writes == sent
    assert store.reads <= reads + 3
    assert len(world.files()) == len(files) - 1
    assert any("Changed meanwhile" in world.read(path) for path in world.files())


def test_a_server_restored_from_a_backup_loses_nothing_of_the_folder(tmp_path: Path) -> None:
    """Yesterday's state with yesterday's versions: newer events are gone there, edits are undone."""
    store = MemoryStore()
    world = started(tmp_path, store, files=6)
    world.settle()
    kept = dict(store._items)
    world.clock.pass_by(minutes=5)
    world.write("f0.yaml", world.read("f0.yaml").replace("Call 0", "Call 0 edited"))
    world.write("late.yaml", FILE.format(number=99))
    world.settle()
    files = world.files()
    store._items = kept
    store.forget_history()
    world.clock.pass_by(minutes=5)
    world.settle()
    assert world.files() == files
    assert "Call 0 edited" in world.read("f0.yaml")
    assert len(store.events()) == len(files) - 1
    assert not world.folder.trash_list()
    with world.journal.turn():
        assert [row.reason for row in world.journal.holds.rows()] == ["taken_back"]


@pytest.mark.parametrize("expires", [False, True])
def test_a_look_that_breaks_off_holds_no_more_than_a_whole_one(tmp_path: Path, *, expires: bool) -> None:
    """An event is deleted; the look that finds it ends before it is told whether a restore took it."""
    store = Breaking()
    world = started(tmp_path, store, files=2)
    world.settle()
    world.clock.pass_by(minutes=5)
    world.write("late.yaml", FILE.format(number=99))
    world.settle()
    store.drop(list(store.events())[-1])
    if expires:
        store.forget_history()
    store.breaks = True
    world.pass_()
    assert store.broke
    assert "late.yaml" in world.files()
    store.breaks = False
    world.settle()
    assert ("late.yaml" in world.files()) is expires


# Ping-pong ----------------------------------------------------------------------------------------


@dataclass
class Stubborn:
    """Another program that sets a field of every event back as soon as it is changed."""

    store: MemoryStore
    sets: int = 0
    names: itertools.count = field(default_factory=itertools.count)

    def act(self) -> None:
        for item, event in self.store.events().items():
            if event.view.get(LOCATION) != "Theirs":
                self.store.edit(item, {LOCATION: "Theirs"})
                self.sets += 1


def test_two_programs_that_undo_each_other_are_stopped_and_it_is_said(tmp_path: Path) -> None:
    store = MemoryStore()
    world = started(tmp_path, store, files=1)
    world.settle()
    robot = Stubborn(store)
    for _ in range(30):
        robot.act()
        text = world.read("f0.yaml")
        world.write("f0.yaml", text.replace("location: Theirs", "location: Ours").replace("Main  Street", "Ours"))
        world.clock.pass_by(minutes=1)
        world.pass_()
    assert robot.sets <= 5, "a few times, and then it stops"
    problems = standing(world.journal, world.routes, "store", ()).problems
    assert [problem.code for problem in problems] == ["ping_pong"]
    world.write("f0.yaml", world.read("f0.yaml").replace("subject: Call 0", "subject: A person's edit"))
    world.clock.pass_by(hours=4)
    world.settle()
    assert next(iter(store.events().values())).view[SUBJECT] == "A person's edit"


def test_a_person_who_changes_a_mind_a_few_times_is_not_stopped(tmp_path: Path) -> None:
    store = MemoryStore()
    world = started(tmp_path, store, files=1)
    world.settle()
    for place in ("A", "B", "A", "B", "A"):
        text = world.read("f0.yaml")
        line = next(line for line in text.splitlines() if line.startswith("location"))
        world.write("f0.yaml", text.replace(line, f"location: {place}"))
        world.clock.pass_by(minutes=1)
        world.settle()
        assert next(iter(store.events().values())).view[LOCATION] == place
