"""`datebook status`, as a person and as a script see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.lock import hold_state
from daemon.status import (
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Health,
    Held,
    OpenConflict,
    Problem,
    Status,
    StoreStatus,
    Trouble,
)
from daemon.status.status_file import write_status

COMMAND = [sys.executable, "-m", "daemon"]


def datebook(*args: str, env: dict[str, str] | None = None, **how) -> subprocess.CompletedProcess[str]:
    own = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
    return subprocess.run([*COMMAND, *args], capture_output=True, text=True, env=own, timeout=60, check=False, **how)


def now() -> datetime:
    return datetime.now().astimezone()


def healthy(**parts) -> Status:
    status = Status(
        "0.1.0",
        os.getpid(),
        now() - timedelta(hours=30),
        now() - timedelta(seconds=12),
        StoreStatus("/home/anna/Datebook", activities=1204, unscheduled=3),
        accounts={"google": AccountStatus(last_success=now() - timedelta(seconds=12))},
        calendars={"work": CalendarStatus("google", "both", last_sync=now() - timedelta(minutes=5), linked=1201)},
    )
    return replace(status, **parts)


TROUBLE = {
    "state": Health.ATTENTION,
    "accounts": {
        "google": AccountStatus(
            AccountState.SIGNED_OUT, error=Trouble("revoked", "Token revoked.", "datebook connect google")
        )
    },
    "calendars": {
        "work": CalendarStatus("google", "both", CalendarState.HELD, held=Held("brake", deletes=12, id="h7"))
    },
    "problems": [
        Problem("bad_date", "There is no such day.", "Correct the month.", file="a\x1b[31m.yaml", line=2, column=11)
    ],
    "conflicts": [OpenConflict("b.yaml", "work", "subject", "Call\nAnna", "Call Änna")],
}


@pytest.fixture
def running(tmp_path):
    """A state folder that a daemon, this process, holds, with a status file in it."""
    with hold_state(tmp_path / "lock"):

        def write(status: Status) -> Path:
            write_status(tmp_path / "status.json", status)
            return tmp_path

        yield write


def test_all_is_well(running):
    done = datebook("status", "--state", str(running(healthy())))
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("everything is in step", "1,204 activities, 3 unscheduled", "12 s ago", "5 min ago", "1,201"):
        assert words in done.stdout
    assert "\x1b" not in done.stdout


def test_each_trouble_comes_with_its_cure(running):
    done = datebook("--state", str(running(healthy(**TROUBLE))), "status")
    assert done.returncode == 3
    for words in (
        "something needs you",
        "Token revoked.",
        "-> datebook connect google",
        "12 deletions",
        "datebook approve h7",
        ":2:11: There is no such day.",
        "-> Correct the month.",
        "Call Anna",
        "datebook resolve b.yaml --keep file|calendar",
    ):
        assert words in done.stdout


def test_nothing_in_a_file_name_can_steer_the_terminal(running):
    assert "\x1b" not in datebook("status", "--state", str(running(healthy(**TROUBLE)))).stdout


def test_a_terminal_without_unicode_is_no_trouble(running):
    done = datebook("status", "--state", str(running(healthy(**TROUBLE))), env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 3
    assert "Call \\xc4nna" in done.stdout


def test_programs_get_the_status_file(running):
    done = datebook("status", "--json", "--state", str(running(healthy(**TROUBLE))))
    said = json.loads(done.stdout)
    assert (done.returncode, said["state"], said["running"], said["schema"]) == (3, "attention", True, 1)


def test_a_daemon_that_is_gone_is_said_to_be_gone(tmp_path):
    write_status(tmp_path / "status.json", healthy(pid=2**22 - 1))
    done = datebook("status", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "The daemon does not run" in done.stdout
    assert json.loads(datebook("status", "--json", "--state", str(tmp_path)).stdout)["running"] is False


def test_another_process_with_the_dead_daemons_number_is_not_taken_for_it(tmp_path):
    (tmp_path / "lock").touch()
    write_status(tmp_path / "status.json", healthy())
    assert datebook("status", "--state", str(tmp_path)).returncode == 1


def test_a_daemon_that_hangs_is_said_to_hang(running):
    state = running(healthy(updated=now() - timedelta(seconds=91)))
    done = datebook("status", "--state", str(state))
    assert done.returncode == 1
    assert "does not answer" in done.stdout


def test_before_the_first_run_it_says_how_to_start(tmp_path):
    places = ("--state", str(tmp_path), "--config", str(tmp_path / "config.yaml"))
    done = datebook("status", *places)
    assert done.returncode == 1
    assert "datebook init" in done.stdout
    assert "datebook run" not in done.stdout
    (tmp_path / "config.yaml").write_text("store: store\n")
    done = datebook("status", *places)
    assert done.returncode == 1
    assert "datebook run" in done.stdout
    done = datebook("status", "--json", *places)
    assert (done.returncode, done.stdout) == (1, "")


def test_a_damaged_status_file_is_an_error_in_words(tmp_path):
    (tmp_path / "status.json").write_text("{")
    done = datebook("status", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "can't be understood" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_needs_no_config(running, tmp_path):
    state = running(healthy())
    done = datebook("status", "--state", str(state), "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 0


def test_watching_needs_a_terminal(running):
    done = datebook("status", "--watch", "--state", str(running(healthy())))
    assert done.returncode == 2
    assert "--json" in done.stderr


def test_watching_follows_the_file_until_it_is_interrupted(running):
    state = running(healthy())
    master, slave = os.openpty()
    watching = subprocess.Popen(
        [*COMMAND, "status", "--watch", "--state", str(state)], stdout=slave, stderr=slave, stdin=slave
    )
    os.close(slave)
    seen, grown = [b""], threading.Condition()

    def read() -> None:
        while chunk := _read(master):
            with grown:
                seen[0] += chunk
                grown.notify_all()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        with grown:
            assert grown.wait_for(lambda: b"everything is in step" in seen[0], 30)
        running(healthy(**TROUBLE))
        with grown:
            assert grown.wait_for(lambda: b"something needs you" in seen[0], 30)
        assert b"\x1b[" in seen[0], "a terminal gets colours"
        watching.send_signal(2)
        assert watching.wait(30) == 0
    finally:
        watching.kill()
        watching.wait()
        reader.join(10)
        os.close(master)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def test_it_loads_nothing_heavy(running):
    state = running(healthy())
    probe = (
        "import sys; from daemon.cli.main import main; main(['status', '--state', sys.argv[1], '--config', 'c.yaml']);"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe, str(state)], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert not loaded & {
        "yaml",
        "structlog",
        "sqlite3",
        "caldav",
        "niquests",
        "lxml",
        "keyring",
        "platformdirs",
        "daemon.app",
    }


def test_it_answers_within_150_ms_of_the_processor(running):
    state = running(healthy())
    spent = []
    for _ in range(5):
        before = os.times()
        datebook("status", "--state", str(state))
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.15, spent


def test_it_answers_at_once_even_when_the_machine_is_cold(running):
    state = running(healthy())
    began = time.perf_counter()
    datebook("status", "--state", str(state))
    assert time.perf_counter() - began < 5
