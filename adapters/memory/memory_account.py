"""A sign-in whose calendars are in memory: for tests and dry runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.memory.memory_store import MemoryStore
from daemon.core.errors import Missing
from daemon.core.store import CalendarInfo, Finding


@dataclass
class MemoryAccount:
    """The calendars of one sign-in, by name; the first is the primary one."""

    stores: Mapping[str, MemoryStore]

    def calendars(self) -> Sequence[CalendarInfo]:
        """What there is."""
        infos = [CalendarInfo(f"memory:{name}", name, writable=True) for name in self.stores]
        return [replace(infos[0], primary=True), *infos[1:]] if infos else []

    def open(self, calendar: str) -> MemoryStore:
        """Open a calendar by name, id, or `primary`. Raises Missing."""
        for info in self.calendars():
            if calendar in {info.id, info.name} or (calendar == "primary" and info.primary):
                return self.stores[info.name]
        offered = ", ".join(self.stores)
        raise Missing(f"{calendar}: there is no such calendar", what_to_do=f"Name one of: {offered}.", store="memory")

    def check(self) -> Iterable[Finding]:
        """Nothing can be wrong with it."""
        return (Finding("login", ok=True, message="a calendar in memory"),)

    def close(self) -> None:
        """Nothing to let go of."""
