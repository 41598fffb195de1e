"""Processes and what they cost: CPU, wall time, peak memory of one child; the CPU clock of another process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environments import environment


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took. Seconds, MiB; requests and bytes as the server counted them (None: not counted)."""

    cpu: float
    wall: float
    rss: float = 0.0
    requests: int | None = None
    received: int | None = None  # bytes that came from the server
    sent: int | None = None


class ChildFailed(Exception):
    """A program under measurement ended with an error."""


def run(
    command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, okay: tuple[int, ...] = (0,)
) -> Cost:
    """Run a program to its end; its cost by wait4, so that no other child is counted in."""
    start = time.monotonic()
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=out, env={**environment(), **(env or {})}
        )
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if child.returncode not in okay:
        raise ChildFailed(f"{command[0]} ended with {child.returncode}: see {log}\n{tail(log)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def tail(log: Path, size: int = 2000) -> str:
    """The end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-size:]


def cpu_of(pid: int) -> float:
    """The CPU seconds of a running process, all its threads (the kernel's per-process clock)."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_of(pid: int) -> float:
    """Resident memory of a running process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
