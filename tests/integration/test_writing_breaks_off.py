"""A calendar that stops answering in the middle of being written: only what had begun is asked for afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.memory.memory_store import MemoryStore, Mishap
from daemon.core.errors import Unavailable
from daemon.core.store import Reading, Store
from tests.servers.world import World


@dataclass
class CountsSearches:
    """The calendar, which notes each item that it is searched for."""

    store: Any
    searches: list[str]

    def find(self, uid: str, token: str) -> Reading | None:
        self.searches.append(uid)
        return self.store.find(uid, token)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def test_after_an_outage_only_the_writes_that_had_begun_are_asked_for(tmp_path: Path) -> None:
    searches: list[str] = []

    def counting(store: Store) -> Store:
        return CountsSearches(store, searches)  # type: ignore[return-value]  # it is a store by what it hands on

    world = World(tmp_path, wrap=counting)
    calendar = world.calendars["work"]
    assert isinstance(calendar, MemoryStore)
    for number in range(120):
        world.write(f"f{number:03}.yaml", f"subject: File {number}\ndue_date: 2026-12-24\n")
    calendar.mishaps.append(Mishap(Unavailable("the answer was lost", uncertain=True), applied=True))
    assert world.pass_()["work"].error is not None
    world.settle()
    assert len(searches) == 1
    assert len(calendar.events()) == 120
