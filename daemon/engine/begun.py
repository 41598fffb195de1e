"""Writes that are handed to a store one by one, so that it can be told which of them it never took up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from daemon.core.store import Write


class Begun(Sequence[Write]):
    """The writes of one call, in order. What a store has taken it may have begun; whoever takes all, all of them."""

    def __init__(self, writes: Sequence[Write]) -> None:
        self._writes = writes
        self._taken = 0

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[Write]:
        for number, write in enumerate(self._writes, 1):
            self._taken = max(self._taken, number)
            yield write

    @overload
    def __getitem__(self, index: int) -> Write: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Write]: ...
    def __getitem__(self, index: int | slice) -> Write | Sequence[Write]:
        self._taken = len(self._writes)
        return self._writes[index]

    def never_begun(self) -> list[str]:
        """The tokens of the writes that no store has taken. To be asked once the call has been closed."""
        return [write.token for write in self._writes[self._taken :]]
