"""Many file-system events become one wake-up: places are gathered until the folder is quiet."""

from __future__ import annotations

from dataclasses import dataclass

QUIET = 0.2
BOUND = 1.0
MANY = 4096


@dataclass(slots=True)
class _Touched:
    first: float
    settled: bool


class Gathering:
    """Places that were touched and not yet told; times are monotonic seconds, handed in.

    A place is told `quiet` seconds after the last event, but at most `bound` seconds after its own first
    one, so that a stream of saves can't hold itself up; what else is closed by then goes with it. A file
    that is still being written waits for its close, up to that bound. More than `many` places are told as
    "everywhere".
    """

    def __init__(self, *, quiet: float = QUIET, bound: float = BOUND, many: int = MANY) -> None:
        self._quiet = quiet
        self._bound = bound
        self._many = many
        self._places: dict[str, _Touched] = {}
        self._everywhere: float | None = None
        self._last = 0.0

    def add(self, place: str, now: float, *, settled: bool) -> None:
        """Something happened at a place; not `settled`: it is open and being written."""
        self._last = now
        if self._everywhere is not None:
            return
        known = self._places.get(place)
        if known is None:
            self._places[place] = _Touched(now, settled)
        else:
            known.settled = settled
        if len(self._places) > self._many:
            self.add_everywhere(now)

    def add_everywhere(self, now: float) -> None:
        """It is no longer known where something happened."""
        self._last = now
        if self._everywhere is None:
            self._everywhere = min((touched.first for touched in self._places.values()), default=now)
        self._places.clear()

    def due(self) -> float | None:
        """When there is something to tell; None: nothing was touched."""
        if self._everywhere is not None:
            return min(self._last + self._quiet, self._everywhere + self._bound)
        return min((self._ready_at(touched) for touched in self._places.values()), default=None)

    def take(self, now: float) -> frozenset[str] | None:
        """Take what is due: places (none of them: nothing is due), or None for everywhere."""
        due = self.due()
        if due is None or due > now:
            return frozenset()
        if self._everywhere is not None:
            self._everywhere = None
            return None
        ready = frozenset(
            place for place, touched in self._places.items() if touched.settled or self._ready_at(touched) <= now
        )
        for place in ready:
            del self._places[place]
        return ready

    def _ready_at(self, touched: _Touched) -> float:
        latest = touched.first + self._bound
        return min(self._last + self._quiet, latest) if touched.settled else latest
