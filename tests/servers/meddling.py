"""The calendar and the folder of a test with somebody's finger in each gap between two of their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from adapters.folder.file_store import FileStore
from adapters.memory.memory_store import MemoryStore
from daemon.core.store import Changes, Look, Outcome, Reading, Write


class Killed(BaseException):
    """The process ends here."""


class MeddledCalendar:
    """The calendar with somebody's finger in each gap between two of its steps."""

    def __init__(
        self, store: MemoryStore, step: Callable[[str], None], shuffle: Callable[[list[object]], None]
    ) -> None:
        self._store, self._step, self._shuffle = store, step, shuffle
        self.capabilities, self.identity = store.capabilities, store.identity
        self.refuses, self.close = store.refuses, store.close

    def changes(self, cursor: str | None) -> Changes:
        self._step("before the feed")
        found = self._store.changes(cursor)
        items = list(found.items)
        self._shuffle(items)
        self._step("after the feed")
        return replace(found, items=tuple(items))

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        order = list(dict.fromkeys(ids))
        self._shuffle(order)
        for item in order:
            self._step("before a read")
            yield from self._store.read([item])

    def find(self, uid: str, token: str) -> Reading | None:
        self._step("before a search")
        return self._store.find(uid, token)

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        order = list(writes)
        self._shuffle(order)
        for write in order:
            self._step("before a write")
            done = list(self._store.write([write]))
            self._step("after a write")
            yield from done


class MeddledFolder(FileStore):
    """The folder, the same way."""

    step: Callable[[str], None] = staticmethod(lambda _name: None)

    def look(self, places: Iterable[str] | None = None) -> Look:
        self.step("before a look")
        return super().look(places)  # type: ignore[arg-type]  # None means everywhere

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        for path in ids:
            self.step("before a file is read")
            yield from super().read([path])

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        for write in writes:
            self.step("before a file is written")
            done = list(super().write([write]))
            self.step("after a file is written")
            yield from done
