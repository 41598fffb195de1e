"""A calendar that stops answering in the middle of being read: what was read is kept, the rest is asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from adapters.memory.memory_store import Manners, MemoryStore
from daemon.core.errors import Unavailable
from daemon.core.model import AllDay, Field, Key
from daemon.core.store import Reading, Store
from tests.servers.world import World


@dataclass
class BreaksOff:
    """The calendar, which drops the connection after so many items of one read."""

    store: Any
    after: int
    asked: list[int]

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        self.asked.append(len(ids))
        for number, reading in enumerate(self.store.read(ids)):
            if number == self.after:
                raise Unavailable("the connection was dropped")
            yield reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def test_a_read_that_breaks_off_keeps_what_it_got_and_asks_for_the_rest_again(tmp_path: Path) -> None:
    asked: list[int] = []

    def breaks_off(store: Store) -> Store:
        return BreaksOff(store, 5, asked)  # type: ignore[return-value]  # it is a store by what it hands on

    world = World(tmp_path, wrap=breaks_off)
    calendar = world.calendars["work"] = MemoryStore(manners=Manners(inline=False), clock=world.clock.now)
    for number in range(12):
        day = AllDay(date(2026, 12, 1 + number))
        calendar.put(f"e{number}", {Key(Field.SUBJECT): f"Event {number}", Key(Field.WHEN): day})
    for _ in range(4):
        world.pass_()
    world.settle()
    assert asked == [12, 7, 2]
    assert len(world.files()) == 12
