"""A wall clock that a test sets while the daemon runs, as a suspend, a traveller or a time server does: libfaketime.

Only what stands on the wall jumps: the monotonic clock runs on, and files keep their true times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers.terminal import need

_LIBRARY = "*/faketime/libfaketimeMT.so.1"


def _libraries() -> Iterator[Path]:
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib"):
        with suppress(OSError):
            yield from Path(folder).glob(_LIBRARY)


@dataclass
class WallClock:
    """`file` says how far from the true time it is; it is asked at each look at the clock."""

    file: Path
    ahead: timedelta = timedelta()

    def __post_init__(self) -> None:
        need("faketime")
        if next(_libraries(), None) is None:
            pytest.skip(f"faketime is here without its library {_LIBRARY}")
        self.set(timedelta())

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to go by this clock."""
        return {
            "LD_PRELOAD": str(next(_libraries())),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        """What it shows."""
        return datetime.now(UTC) + self.ahead

    def set(self, ahead: timedelta) -> None:
        """Have it be ahead of the true time."""
        self.ahead = ahead
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{int(ahead.total_seconds()):+d}\n")
        fresh.replace(self.file)

    def jump(self, by: timedelta) -> None:
        """Set it forward or back."""
        self.set(self.ahead + by)

    def jump_to(self, moment: datetime) -> None:
        """Have it show this moment."""
        self.set(moment - datetime.now(UTC))
