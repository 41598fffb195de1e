"""Kills `datebook sync`, a real process, on entering its n-th call of a system call: `strace -e inject` does it.

The kernel never carries that call out, so that every state of disk and socket between two of them is met.
strace counts for each thread and each call by itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.kill_points import Stage
from tests.servers.terminal import need

# What changes a disk or speaks to a server; receiving, too: there the request is out and its answer unknown.
CHANGING = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs"),
    *("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"),
    *("symlink", "symlinkat", "fchmod", "fchmodat", "fchown", "utimensat", "fsetxattr", "copy_file_range", "sendfile"),
    *("connect", "sendto", "sendmsg", "sendmmsg", "recvfrom"),
)
_CALL = re.compile(r"(\d+) +(\w+)\(")
_PROJECT = Path(__file__).parents[2]
_KILLED = {137, -9}  # strace ends itself with the signal of its child


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th call of a system call in whichever thread comes to it first."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def need_strace() -> None:
    """See that strace is there and may trace; else the test is skipped with the reason."""
    need("strace")
    done = subprocess.run(["strace", "-f", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"strace may not trace here: {' '.join(done.stderr.split())[-200:]}")


def _traced(stage: Stage, *options: str) -> int:
    places = ["--config", str(stage.places.config), "--state", str(stage.places.state)]
    command = [sys.executable, "-B", "-m", "daemon", *places, "sync"]
    log = stage.root / "strace.log"
    strace = ["strace", "-f", "-o", str(log), *options]  # with --seccomp-bpf it would inject no signal
    done = subprocess.run([*strace, *command], cwd=_PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def points(stage: Stage) -> list[Point]:
    """Every point of one whole sync, in order."""
    # The question mark: a machine of another kind knows some of these calls under one name only.
    assert _traced(stage, "-e", "trace=" + ",".join(f"?{call}" for call in CHANGING)) == 0
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[Point, None] = {}
    for line in (stage.root / "strace.log").read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match:
            counts[match[1], match[2]] += 1
            found[Point(match[2], counts[match[1], match[2]])] = None
    return list(found)


def killed(stage: Stage, point: Point) -> bool:
    """One sync that is killed there; False: it came to its end before, for no two runs are quite alike."""
    inject = f"inject={point.call}:signal=KILL:when={point.number}"
    code = _traced(stage, "-e", f"trace={point.call}", "-e", inject)
    assert code == 0 or code in _KILLED, f"{point}: {code}"
    return code != 0
