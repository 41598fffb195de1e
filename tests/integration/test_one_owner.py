"""Many processes want one store at once: one gets it, the others name it and go; a killed one leaves it free."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RACER = """
import sys, time
from pathlib import Path
from daemon.lock import AlreadyRunning, hold_state
from daemon.store_hold import hold_store
root, start = Path(sys.argv[1]), float(sys.argv[2])
while time.time() < start:
    pass
began = time.monotonic()
try:
    with hold_state(root / "state" / "lock"), hold_store(root / "store"):
        print("owner", flush=True)
        sys.stdin.read()
except AlreadyRunning as error:
    print("loser", error.pid, time.monotonic() - began, flush=True)
"""


def race(root: Path, racers: int) -> None:
    start = time.time() + 0.6
    command = [sys.executable, "-c", RACER, str(root), str(start)]
    everyone = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(racers)
    ]
    words = {process.pid: process.stdout.readline().split() for process in everyone if process.stdout}
    owners = [pid for pid, said in words.items() if said[0] == "owner"]
    try:
        assert len(owners) == 1, words
        losers = [said for said in words.values() if said[0] == "loser"]
        assert [int(pid) for _, pid, _ in losers] == owners * (racers - 1), "each of them names the owner"
        assert all(float(seconds) < 1 for _, _, seconds in losers)
        os.kill(owners[0], signal.SIGKILL)
        for process in everyone:
            process.wait(10)
        late = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert late.stdout is not None
        assert late.stdout.readline().split() == ["owner"], "it is free when its owner was killed"
        late.kill()
        late.wait(10)
    finally:
        for process in everyone:
            process.kill()
            process.wait(10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / "store" / ".datebook").mkdir(parents=True)
    return tmp_path


def test_of_many_at_once_one_owns_the_store_and_the_others_name_it(root: Path) -> None:
    for _ in range(3):
        race(root, 4)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_two_hundred_races(root: Path) -> None:
    for _ in range(200):
        race(root, 3)
