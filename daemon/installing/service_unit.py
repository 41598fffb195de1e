"""One installed unit: put to work, and taken away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.installing.systemctl import Systemctl, UnitState

_PATIENCE = 10.0  # seconds to see it start; a store that is missing is waited for without us
_STEP = 0.1


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """The user unit, or an instance of the template for the account `instance`. `file` is where the unit is written."""

    systemctl: Systemctl
    name: str
    file: Path
    instance: str = ""

    @property
    def drop_in(self) -> Path:
        """Where an instance of the template says its store."""
        return self.file.parent / f"{self.name}.d" / "store.conf"

    def state(self) -> UnitState:
        """How systemd sees it. Raises SystemdFailed."""
        return self.systemctl.show(self.name)

    def start(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> UnitState:
        """Have systemd read the unit, enable it, and start it anew; how it is then. Raises SystemdFailed."""
        self.systemctl.call("daemon-reload")
        if self.state().active == "failed":
            self.systemctl.call("reset-failed", "--", self.name)
        self.systemctl.call("enable", "--", self.name)
        # Not waited for: a daemon whose store is not there yet stays in its start until it is.
        self.systemctl.call("restart", "--no-block", "--", self.name)
        until = clock() + _PATIENCE
        state = self.state()
        while not (state.runs or state.has_failed or clock() > until):
            sleep(_STEP)
            state = self.state()
        return state

    def remove(self) -> bool:
        """Stop it and take its files away; whether there were any. Raises SystemdFailed."""
        was_there = self.file.exists() or self.drop_in.exists()
        if self.state().installed and was_there:
            self.systemctl.call("disable", "--now", "--", self.name)
        for path in self._files():
            path.unlink(missing_ok=True)
        folder = self.drop_in.parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        self.systemctl.call("daemon-reload")
        return was_there

    def _files(self) -> list[Path]:
        """The template stays while another instance of it is there."""
        if not self.instance:
            return [self.file]
        others = [one for one in self.file.parent.glob("datebook@*.service.d") if one != self.drop_in.parent]
        return [self.drop_in, *([] if others else [self.file])]
