"""The clock that the daemon's threads are handed: what time it is, and how to wait.

Two times are told apart. Wall time is what people read and what a service's Retry-After may name;
it jumps. Monotonic time measures intervals; it stands still while the machine sleeps.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
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
