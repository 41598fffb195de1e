"""One daemon for one state folder and one store."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from daemon.lock import AlreadyRunning, hold_state, holder
from daemon.store_hold import hold_store

HOLD = """
import sys, pathlib
from daemon.lock import hold_state
from daemon.store_hold import hold_store
with {0}(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(request):
    """Starts a process that holds a place, and gives it back once it does."""
    running = []

    def start(what: str, place: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(what), str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_the_second_one_learns_the_firsts_pid_at_once(tmp_path, other):
    lock = tmp_path / "lock"
    first = other("hold_state", lock)
    began = time.perf_counter()
    with pytest.raises(AlreadyRunning) as caught, hold_state(lock):
        pass
    assert time.perf_counter() - began < 0.1
    assert caught.value.pid == first.pid
    assert str(first.pid) in str(caught.value)
    assert holder(lock) == first.pid


def test_a_killed_holder_leaves_it_free(tmp_path, other):
    lock = tmp_path / "lock"
    first = other("hold_state", lock)
    first.kill()
    first.wait()
    assert holder(lock) is None
    with hold_state(lock):
        pass


def test_it_is_free_after_an_orderly_end(tmp_path):
    lock = tmp_path / "lock"
    with hold_state(lock), pytest.raises(AlreadyRunning), hold_state(lock):
        pass
    with hold_state(lock):
        pass
    assert holder(lock) is None
    assert lock.stat().st_mode & 0o777 == 0o600


def test_nobody_holds_what_was_never_held(tmp_path):
    assert holder(tmp_path / "lock") is None


def test_two_daemons_with_states_of_their_own_meet_at_the_store(tmp_path, other):
    (tmp_path / ".datebook").mkdir()
    first = other("hold_store", tmp_path)
    with pytest.raises(AlreadyRunning) as caught, hold_store(tmp_path):
        pass
    assert caught.value.pid == first.pid


def test_holding_a_store_leaves_nothing_in_it(tmp_path):
    (tmp_path / ".datebook").mkdir()
    with hold_store(tmp_path):
        assert list((tmp_path / ".datebook").iterdir()) == []


def test_a_store_without_a_marker_folder_cannot_be_held(tmp_path):
    with pytest.raises(FileNotFoundError), hold_store(tmp_path):
        pass


def test_a_link_is_no_lock(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="lock"), hold_state(tmp_path / "lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_asking_who_holds_it_keeps_nobody_from_starting(tmp_path):
    lock = tmp_path / "lock"
    lock.touch()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            holder(lock)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with hold_state(lock):
                pass
    finally:
        done.set()
        asking.join()
