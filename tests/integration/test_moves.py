"""Moves between two calendars, where somebody edits the old event in the very moment in which it is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.memory.memory_store import MemoryStore
from daemon.core.model import Field, Key
from daemon.core.store import Outcome, Remove, Write
from tests.servers.world import World, route

CALL = "subject: Call\ndue_date: 2026-12-01\ndue_time: 10:00\n"


class JustBeforeTheEnd(MemoryStore):
    """A calendar in which somebody writes a place into an event just before it is deleted, once."""

    was_edited = False

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        for write in writes:
            if isinstance(write, Remove) and not self.was_edited:
                self.was_edited = True
                self.edit(write.ref.id, {Key(Field.LOCATION): "Room 5"})
            yield from super().write([write])


def test_an_edit_of_the_old_event_just_before_it_is_deleted_moves_along(tmp_path: Path) -> None:
    world = World(tmp_path, routes={"work": route("work"), "other": route("other")})
    old = JustBeforeTheEnd(clock=world.clock.now)
    world.calendars["work"] = old
    world.write("call.yaml", CALL)
    world.settle()
    world.write("call.yaml", world.read("call.yaml") + "calendar: other\n")

    world.settle()

    there = world.calendars["other"]
    assert isinstance(there, MemoryStore)
    assert old.was_edited
    assert list(old.events()) == []
    assert [event.view[Key(Field.LOCATION)] for event in there.events().values()] == ["Room 5"]
    assert "location: Room 5" in world.read("call.yaml")
