"""What looks like an accident deletes nothing: a folder or a calendar that is gone, empty, half there or replaced.

Adds and edits go on meanwhile, the status says in one line what waits, `approve` carries out exactly that, and what
comes back ends the hold.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.memory.memory_store import MemoryStore
from daemon.core.errors import Missing
from daemon.core.model import AllDay, Field, Key
from daemon.core.store import Changes, Reading
from daemon.status.standing import standing
from tests.servers.world import NOW, World

SIZES = (6, 20, 60)
FILE = "subject: File {number}\ndue_date: 2026-12-24\n"


@dataclass
class Lying:
    """A calendar whose listings, or whose very place, can't be trusted; reading a single id tells the truth."""

    store: MemoryStore
    listing: Callable[[Changes], Changes] = lambda changes: changes
    gone: bool = False
    name: str = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    @property
    def identity(self) -> str:
        return self.name or self.store.identity

    def changes(self, cursor: str | None) -> Changes:
        self._there()
        if self.listing.__name__ == "<lambda>":
            return self.store.changes(cursor)
        return self.listing(self.store.changes(None))

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        self._there()
        return self.store.read(ids)

    def _there(self) -> None:
        if self.gone:
            raise Missing("404", what_to_do="look for it")


def none_of_them(changes: Changes) -> Changes:
    return replace(changes, items=())


def half_of_them(changes: Changes) -> Changes:
    return replace(changes, items=changes.items[::2])


def one_of_them(changes: Changes) -> Changes:
    return replace(changes, items=changes.items[:1])


def all_as_gone(changes: Changes) -> Changes:
    """Notices that everything is gone, which asking does not bear out."""
    return replace(changes, items=(), gone=[ref.id for ref in changes.items], complete=False)


@pytest.fixture(params=SIZES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """So many activities in step."""
    world = World(tmp_path)
    lying = Lying(world.calendars["work"])
    world.wrap = lambda store: lying if store is lying.store else store
    for number in range(request.param):
        world.write(f"f{number}.yaml", FILE.format(number=number))
    world.settle()
    assert len(calendar(world).events()) == request.param
    return world


def liar(world: World) -> Lying:
    found = world.wrap(world.calendars["work"])
    assert isinstance(found, Lying)
    return found


def calendar(world: World) -> MemoryStore:
    store = world.calendars["work"]
    assert isinstance(store, MemoryStore)
    return store


def pass_(world: World) -> None:
    """A pass that may find a side missing."""
    looked = world.engine.look(None)
    if looked.error is None:
        world.engine.sync("work", poll=True)


def hold_of(world: World):
    return standing(world.journal, world.routes, "store", ()).calendars["work"].held


def approve(world: World) -> None:
    with world.journal.turn():
        for row in world.journal.holds.rows():
            signatures = {action["signature"] for action in json.loads(row.actions)}
            world.journal.holds.approve(signatures, world.clock.now().timestamp(), mail=False)


def wait(world: World) -> None:
    for _ in range(3):
        world.clock.pass_by(seconds=30)
        pass_(world)


# The folder ---------------------------------------------------------------------------------------


def emptied(world: World) -> None:
    for path in world.files():
        (world.store / path).unlink()


def nearly_emptied(world: World) -> None:
    for path in world.files()[1:]:
        (world.store / path).unlink()


def folder_gone(world: World) -> None:
    world.store.rename(world.root / "unplugged")


def unmounted(world: World) -> None:
    """The mount point is there, and empty: no marker."""
    world.store.rename(world.root / "unplugged")
    world.store.mkdir()


def checked_out_an_empty_branch(world: World) -> None:
    (world.store / ".git").mkdir()
    emptied(world)


@pytest.mark.parametrize("accident", [emptied, nearly_emptied, checked_out_an_empty_branch])
def test_files_that_vanish_in_a_mass_delete_no_event_until_it_is_approved(
    world: World, accident: Callable[[World], None]
) -> None:
    before = len(calendar(world).events())
    left = 1 if accident is nearly_emptied else 0
    accident(world)
    world.write("new.yaml", "subject: New one\ndue_date: 2026-12-25\n")
    wait(world)
    assert len(calendar(world).events()) == before + 1, "a new file goes out, and nothing is deleted"
    hold = hold_of(world)
    assert (hold.reason, hold.deletes) == ("brake", before - left)
    assert hold.id
    approve(world)
    world.settle()
    assert len(calendar(world).events()) == left + 1
    assert hold_of(world) is None


@pytest.mark.parametrize("accident", [folder_gone, unmounted])
def test_a_folder_that_is_not_there_deletes_nothing_and_says_so(
    world: World, accident: Callable[[World], None]
) -> None:
    before = len(calendar(world).events())
    accident(world)
    wait(world)
    assert isinstance(world.engine.look(None).error, Missing)
    assert len(calendar(world).events()) == before
    shutil.rmtree(world.store, ignore_errors=True)
    (world.root / "unplugged").rename(world.store)
    world.settle()
    assert len(world.files()) == len(calendar(world).events()) == before


def test_files_that_come_back_end_the_hold(world: World) -> None:
    kept = {path: world.read(path) for path in world.files()}
    emptied(world)
    wait(world)
    assert hold_of(world) is not None
    for path, text in kept.items():
        world.write(path, text)
    world.settle()
    assert hold_of(world) is None
    assert len(calendar(world).events()) == len(kept)


def test_an_approval_is_for_what_was_shown_and_for_nothing_else(world: World) -> None:
    emptied(world)
    wait(world)
    approve(world)
    edited = next(iter(calendar(world).events()))
    calendar(world).edit(edited, {Key(Field.SUBJECT): "Edited since"})
    wait(world)
    assert [event.view[Key(Field.SUBJECT)] for event in calendar(world).events().values()] == ["Edited since"]
    assert any("Edited since" in world.read(path) for path in world.files())


# The calendar -------------------------------------------------------------------------------------


@pytest.mark.parametrize("listing", [none_of_them, one_of_them, half_of_them, all_as_gone])
def test_a_listing_that_leaves_events_out_deletes_no_file(world: World, listing: Callable[[Changes], Changes]) -> None:
    before = world.files()
    liar(world).listing = listing
    world.write("new.yaml", "subject: New one\ndue_date: 2026-12-25\n")
    wait(world)
    assert world.files() == sorted([*before, "new.yaml"])
    assert len(calendar(world).events()) == len(before) + 1
    assert hold_of(world) is None


def test_a_calendar_that_answers_404_deletes_no_file(world: World) -> None:
    before = world.files()
    liar(world).gone = True
    wait(world)
    assert isinstance(world.engine.sync("work", poll=True).error, Missing)
    assert world.files() == before
    liar(world).gone = False
    world.settle()
    assert world.files() == before


def test_another_calendar_in_its_place_is_not_taken_for_it(world: World) -> None:
    before = world.files()
    world.calendars["work"] = MemoryStore(name="stranger")
    wait(world)
    assert isinstance(world.engine.sync("work", poll=True).error, Missing)
    assert world.files() == before
    assert not calendar(world).events()


@pytest.mark.parametrize("keep", [0, 1])
def test_events_that_are_deleted_in_a_mass_take_no_file_along_until_it_is_approved(world: World, keep: int) -> None:
    before = world.files()
    for item in list(calendar(world).events())[keep:]:
        calendar(world).drop(item)
    calendar(world).put("new", {Key(Field.SUBJECT): "New one", Key(Field.WHEN): AllDay(NOW.date().replace(day=28))})
    wait(world)
    assert set(before) <= set(world.files())
    assert len(world.files()) == len(before) + 1, "a new event comes in"
    hold = hold_of(world)
    assert (hold.reason, hold.deletes) == ("brake", len(before) - keep)
    approve(world)
    world.settle()
    assert len(world.files()) == keep + 1
    assert len(world.folder.trash_list()) == len(before) - keep


def test_a_calendar_that_was_emptied_and_refilled_ends_the_hold(world: World) -> None:
    events = calendar(world).events()
    for item in events:
        calendar(world).drop(item)
    wait(world)
    assert hold_of(world) is not None
    for item, event in events.items():
        calendar(world)._store(item, event.uid, event.view, b"")
    world.settle()
    assert hold_of(world) is None
    assert len(world.files()) == len(events)
    assert not world.folder.trash_list()
