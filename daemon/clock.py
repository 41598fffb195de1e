"""The clock that the daemon's threads are handed: what time it is, and how to wait.

Two times are told apart. Wall time is what people read and what a service's Retry-After may name;
it jumps. Monotonic time measures intervals; it stands still while the machine sleeps.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from threading import Condition
from typing import Protocol


class Clock(Protocol):
    """What the loop and the watcher ask of time; a test hands in one that it turns by hand."""

    def now(self) -> datetime:
        """Wall time, aware."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, from an origin that means nothing."""

    def wait(self, condition: Condition, timeout: float | None) -> None:
        """Wait on a condition that the caller holds, at most `timeout` seconds; it may return early."""


@dataclass(slots=True)
class ShownTime:
    """The time of day as its user is shown it: in the zone of the config once that is read, else the machine's."""

    clock: Clock
    zone: tzinfo | None = None

    def __call__(self) -> datetime:
        """The time, now."""
        return self.clock.now().astimezone(self.zone)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC, which does not count suspended time on Linux."""
        return time.monotonic()

    def wait(self, condition: Condition, timeout: float | None) -> None:
        """Wait on the condition itself."""
        condition.wait(timeout)


_MILLISECOND = 1_000_000  # nanoseconds
_VARIANT = ("8", "9", "a", "b")


def new_id() -> str:
    """A UUID that nobody else has made, of version 7 (RFC 9562 section 5.7): later ones are greater.

    What is made together stands together in the journal's indexes: random ones would touch a page of each of them
    for every event.
    """
    milliseconds, rest = divmod(time.time_ns(), _MILLISECOND)
    when, finer, chance = f"{milliseconds:012x}", f"{rest * 4096 // _MILLISECOND:03x}", os.urandom(8).hex()
    variant = _VARIANT[int(chance[0], 16) & 3]
    return f"{when[:8]}-{when[8:]}-7{finer}-{variant}{chance[1:4]}-{chance[4:]}"
