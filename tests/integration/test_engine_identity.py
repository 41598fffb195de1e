"""Whose a file is, after what people and programs do to files between two looks; and passes while much is held."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.memory.memory_store import Manners, MemoryStore, Mishap
from daemon.core.errors import Unavailable
from daemon.core.model import AllDay, Field, Key
from daemon.core.policy import Backlog
from daemon.core.store import Capabilities
from daemon.engine import decide
from tests.servers.world import NOW, World, route

FILE = "subject: {title}\ndue_date: 2026-12-24\n"
SUBJECT = Key(Field.SUBJECT)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.write("a.yaml", FILE.format(title="Anna"))
    world.write("b.yaml", FILE.format(title="Boris"))
    world.settle()
    return world


def titles(world: World) -> dict[str, str]:
    """The events by uid."""
    return {event.uid: str(event.view[SUBJECT]) for event in world.calendars["work"].events().values()}


def later(world: World) -> None:
    """At rest, and every grace is over."""
    world.pass_()
    world.clock.pass_by(minutes=5)
    world.settle()


def test_two_files_that_swap_their_names_stay_what_they_are(world: World) -> None:
    before = titles(world)
    (world.store / "a.yaml").rename(world.store / "t")
    (world.store / "b.yaml").rename(world.store / "a.yaml")
    (world.store / "t").rename(world.store / "b.yaml")
    later(world)
    assert titles(world) == before
    assert world.read("a.yaml").startswith("subject: Boris")


def test_three_files_that_change_places_in_a_circle_stay_what_they_are(world: World) -> None:
    world.write("c.yaml", FILE.format(title="Clara"))
    world.settle()
    before = titles(world)
    for old, new in (("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")):
        (world.store / f"{old}.yaml").rename(world.store / f"{new}.yaml")
    later(world)
    assert titles(world) == before


def test_a_renamed_and_edited_file_is_still_that_activity(world: World) -> None:
    before = titles(world)
    text = world.read("a.yaml").replace("Anna", "Anna again")
    (world.store / "a.yaml").unlink()
    world.write("sub/anna.yaml", text)
    later(world)
    assert titles(world).keys() == before.keys()
    assert "Anna again" in titles(world).values()


def test_of_a_file_that_is_moved_and_copied_at_once_one_keeps_the_event_and_one_is_new(world: World) -> None:
    before = titles(world)
    text = world.read("a.yaml")
    (world.store / "a.yaml").unlink()
    world.write("one.yaml", text)
    world.write("two.yaml", text)
    later(world)
    assert before.keys() < titles(world).keys()
    assert len(titles(world)) == 3
    assert world.read("one.yaml") != world.read("two.yaml")


def test_a_copy_that_is_edited_before_it_was_ever_seen_apart_is_a_new_activity(world: World) -> None:
    text = world.read("a.yaml")
    world.write("copy.yaml", text)
    world.engine.look(None)
    world.write("copy.yaml", text.replace("Anna", "Oleg"))
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris", "Oleg"]


def test_a_copy_whose_original_is_removed_is_what_stays(world: World) -> None:
    world.write("copy.yaml", world.read("a.yaml"))
    world.engine.look(None)
    (world.store / "a.yaml").unlink()
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris"]
    assert world.files() == ["b.yaml", "copy.yaml"]


def test_a_file_without_a_uid_that_is_renamed_before_the_first_sync_makes_one_event(world: World) -> None:
    world.write("new.yaml", FILE.format(title="New"))
    world.engine.look(None)
    (world.store / "new.yaml").rename(world.store / "newer.yaml")
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris", "New"]


def test_a_file_without_a_uid_that_is_renamed_and_edited_after_a_lost_answer_makes_one_event(world: World) -> None:
    world.write("new.yaml", FILE.format(title="New"))
    world.calendars["work"].mishaps.append(Mishap(Unavailable("503", uncertain=True), applied=True))
    world.pass_()
    (world.store / "new.yaml").rename(world.store / "newer.yaml")
    with (world.store / "newer.yaml").open("a") as file:
        file.write("location: Room 5\n")
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris", "New"]


def test_a_broken_file_that_is_renamed_keeps_its_event_and_is_known_when_it_is_mended(world: World) -> None:
    before = titles(world)
    good = world.read("a.yaml")
    with (world.store / "a.yaml").open("a") as file:
        file.write("oops: [\n")
    world.pass_()
    (world.store / "a.yaml").rename(world.store / "moved.yaml")
    later(world)
    assert titles(world) == before
    world.write("moved.yaml", good.replace("Anna", "Anna mended"))
    later(world)
    assert titles(world).keys() == before.keys()
    assert "Anna mended" in titles(world).values()


def test_a_broken_file_that_is_removed_is_a_removed_file(world: World) -> None:
    world.write("a.yaml", "oops: [\n")
    world.pass_()
    (world.store / "a.yaml").unlink()
    world.pass_()
    later(world)
    assert list(titles(world).values()) == ["Boris"]


def test_a_file_saved_over_another_one_is_a_copy_and_the_other_is_gone(world: World) -> None:
    world.write("b.yaml", world.read("a.yaml"))
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Anna"]
    uids = {line for path in world.files() for line in world.read(path).splitlines() if line.startswith("uid")}
    assert len(uids) == 2


def test_a_rename_that_is_seen_in_two_looks_deletes_nothing(world: World) -> None:
    before = titles(world)
    text = world.read("a.yaml")
    (world.store / "a.yaml").unlink()
    world.pass_()
    calendar = world.calendars["work"]
    item = next(item for item, event in calendar.events().items() if event.view[SUBJECT] == "Anna")
    calendar.edit(item, {Key(Field.LOCATION): "Room 5"})
    world.pass_()
    world.write("z.yaml", text)
    later(world)
    assert titles(world) == before
    assert world.files() == ["b.yaml", "z.yaml"]
    assert "location: Room 5" in world.read("z.yaml")


def test_an_event_that_is_deleted_and_made_again_with_its_uid_is_linked_again(world: World) -> None:
    calendar = world.calendars["work"]
    item, event = next(iter(calendar.events().items()))
    calendar.drop(item)
    calendar.put(event.uid, event.view)
    later(world)
    assert len(world.files()) == 2
    assert not world.folder.trash_list()


def test_two_events_with_one_uid_make_one_file(world: World) -> None:
    calendar = MemoryStore(
        "twins", Manners(Capabilities(versions_creates=False), gives_ids=True), clock=world.clock.now
    )
    other = World(world.root / "other", calendars={"work": calendar})
    view = {SUBJECT: "Twin", Key(Field.WHEN): AllDay(NOW.date().replace(day=28))}
    calendar.put("twin", view)
    calendar.put("twin", view)
    other.settle()
    assert len(other.files()) == 1
    assert len(calendar.events()) == 2
    later(other)
    assert len(other.files()) == 1


def test_a_look_that_fails_half_way_forgets_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("new.yaml", FILE.format(title="New"))
    with monkeypatch.context() as patch:
        patch.setattr(type(world.engine.eyes), "choose", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
        assert world.engine.look(None).error is not None
    later(world)
    assert "New" in titles(world).values()


def test_while_everything_is_held_a_pass_decides_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, routes={"work": route(backlog=Backlog.ASK)})
    for number in range(50):
        world.write(f"f{number}.yaml", FILE.format(title=f"File {number}"))
    world.pass_()
    world.pass_()
    assert not world.calendars["work"].events()
    decided: list[object] = []
    of_file = decide.Decider._of_file
    monkeypatch.setattr(decide.Decider, "_of_file", lambda *rest: decided.append(rest) or of_file(*rest))
    for _ in range(5):
        world.pass_()
    assert decided == []
    world.write("new.yaml", FILE.format(title="New since"))
    world.pass_()
    assert list(titles(world).values()) == ["New since"]
    with world.journal.turn():
        holds = world.journal.holds.rows()
    assert len(holds) == 1


def test_a_broken_file_that_got_a_freed_inode_is_not_taken_for_the_removed_file(world: World) -> None:
    (world.store / "a.yaml").rename(world.store / "stranger.yaml")
    (world.store / "stranger.yaml").write_text("subject: Another\ndue_date: [2026-11-24\n")
    world.pass_()
    later(world)
    assert list(titles(world).values()) == ["Boris"]


def test_a_file_that_datebook_wrote_last_is_known_when_it_is_renamed_and_broken_before_the_next_look(
    world: World,
) -> None:
    calendar = world.calendars["work"]
    item = next(item for item, event in calendar.events().items() if event.view[SUBJECT] == "Anna")
    calendar.edit(item, {Key(Field.LOCATION): "Room 5"})
    world.pass_()
    before = titles(world)
    good = world.read("a.yaml")
    (world.store / "a.yaml").rename(world.store / "moved.yaml")
    world.write("moved.yaml", f"{good}oops: [\n")
    later(world)
    assert titles(world) == before
    world.write("moved.yaml", good.replace("Anna", "Anna mended"))
    later(world)
    assert sorted(titles(world).values()) == ["Anna mended", "Boris"]
    assert world.files() == ["b.yaml", "moved.yaml"]


def test_a_file_that_is_renamed_and_broken_by_an_editor_that_saves_anew_is_still_that_activity(world: World) -> None:
    before = titles(world)
    good = world.read("a.yaml")
    (world.store / "a.yaml").unlink()
    world.write("moved.yaml", f"{good}oops: [\n")
    later(world)
    assert titles(world) == before


def test_a_broken_file_saved_over_another_one_is_itself_and_the_other_is_gone(world: World) -> None:
    (world.store / "a.yaml").rename(world.store / "b.yaml")
    with (world.store / "b.yaml").open("a") as file:
        file.write("oops: [\n")
    later(world)
    assert list(titles(world).values()) == ["Anna"]


def test_a_copy_that_is_renamed_and_edited_before_it_got_its_uid_makes_one_event(world: World) -> None:
    world.engine.around = replace(world.engine.around, may_name=lambda _unit: False)
    world.write("copy.yaml", world.read("a.yaml"))
    world.pass_()
    (world.store / "copy.yaml").unlink()
    world.write("moved.yaml", world.read("a.yaml").replace("Anna", "Clara"))
    world.restart()
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris", "Clara"]
    assert world.files() == ["a.yaml", "b.yaml", "moved.yaml"]


def test_a_file_of_which_only_a_broken_copy_is_left_is_not_taken_for_deleted(world: World) -> None:
    before = titles(world)
    world.write("copy.yaml", f"{world.read('a.yaml')}oops: [\n")
    later(world)
    (world.store / "a.yaml").unlink()
    later(world)
    assert titles(world) == before


def test_a_file_that_grew_beyond_all_bounds_is_reported_and_the_rest_goes_on(world: World) -> None:
    before = titles(world)
    world.write("a.yaml", world.read("a.yaml") + "# more\n" * 200_000)
    world.write("huge.yaml", "subject: Huge\n" + "# more\n" * 200_000)
    world.write("c.yaml", FILE.format(title="Clara"))
    later(world)
    assert sorted(titles(world).values()) == ["Anna", "Boris", "Clara"]
    assert before.items() <= titles(world).items()


def _linked_elsewhere(world: World, path: Path) -> None:
    path.parent.rename(world.root / "elsewhere")
    path.parent.symlink_to(world.root / "elsewhere")


def _a_link(world: World, path: Path) -> None:
    path.rename(world.root / "call.yaml")
    path.symlink_to(world.root / "call.yaml")


def _a_folder(_world: World, path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_pipe(_world: World, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _no_text(_world: World, path: Path) -> None:
    path.rename(path.parent / os.fsdecode(b"caf\xe9.yaml"))


@pytest.mark.parametrize("hide", [_linked_elsewhere, _a_link, _a_folder, _a_pipe, _no_text])
@pytest.mark.parametrize("folder", ["cust/", "cust/deep/"])
def test_what_hides_a_file_does_not_delete_its_event(
    world: World, folder: str, hide: Callable[[World, Path], None]
) -> None:
    world.write(f"{folder}call.yaml", FILE.format(title="Call"))
    world.settle()
    hide(world, world.store / folder / "call.yaml")
    world.settle()
    world.clock.pass_by(minutes=5)
    world.settle()
    assert len(world.calendars["work"].events()) == 3


def test_a_folder_that_is_renamed_and_leaves_a_link_behind_is_renamed(world: World) -> None:
    world.write("cust/call.yaml", FILE.format(title="Call"))
    world.settle()
    (world.store / "cust").rename(world.store / "customers")
    (world.store / "cust").symlink_to("customers")
    world.settle()
    world.clock.pass_by(minutes=5)
    world.settle()
    assert len(world.calendars["work"].events()) == 3
    assert "customers/call.yaml" in world.files()
