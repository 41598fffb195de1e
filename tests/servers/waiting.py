"""Waiting for an event of another process, and a daemon that runs while a test does."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.servers.person import Person

PATIENCE = 40.0


def until(ready: Callable[[], object], patience: float = PATIENCE) -> float:
    """Wait for an event of another process; how long it took."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < patience, "it does not happen"
        time.sleep(0.02)
    return time.monotonic() - began


def status(person: Person) -> Any:
    """The status file; {} while there is none."""
    path = person.root / "state" / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


@contextmanager
def running(person: Person, within: Sequence[str] = (), **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, from when it is well until SIGTERM has ended it; `within` is a command that becomes it."""
    daemon = person.start(within, **env)
    try:
        until(lambda: status(person).get("pid") == daemon.pid and status(person)["state"] in {"ok", "attention"})
        yield daemon
    finally:
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
        daemon.wait(12)
