"""The config that a daemon runs with, as it tells it to a command that was given one too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from config.fingerprint import fingerprint
from config.load import load
from config.schema import Config
from daemon.clock import Clock
from daemon.status import Json

ASKED = "config"  # the request on the control socket


@dataclass(frozen=True, slots=True)
class ConfigInForce:
    """A config, which bytes it was read from, and when."""

    config: Config
    path: Path
    fingerprint: str
    read: datetime

    @classmethod
    def read_from(cls, path: Path, clock: Clock) -> ConfigInForce:
        """Read it. Raises ConfigError."""
        mark = fingerprint(path)  # first: what is saved while it is read counts as later
        return cls(load(path), path, mark, clock.now())

    def told(self, zone: tzinfo | None) -> Mapping[str, Json]:
        """What a command needs to know of it; the time in its user's zone."""
        return {
            "path": str(self.path.absolute()),
            "fingerprint": self.fingerprint,
            "read": self.read.astimezone(zone).isoformat(timespec="seconds"),
            "pid": os.getpid(),
        }
