"""What keeps the kernel from telling of changes is in the status with its cure, and edits are found all the same.

The daemon as a process, on a real Radicale; the limits are set in a user namespace of its own, which nobody else feels.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until

pytestmark = pytest.mark.slow
CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
UNSHARE = ["unshare", "--user", "--map-root-user"]
LIMITED = 'echo "$1" > "/proc/sys/user/$0"; shift; exec "$@"'
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)))


def need_namespaces() -> None:
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets nobody make a user namespace: {done.stderr.strip()}")


def problem(person: Person, code: str) -> Any:
    return next((one for one in status(person).get("problems", ()) if one["code"] == code), None)


@pytest.mark.parametrize(
    ("knob", "limit", "code"),
    [
        ("max_inotify_watches", 5, "inotify_watches"),
        ("max_inotify_instances", 0, "inotify_instances"),
    ],
)
def test_a_limit_of_the_kernel_is_in_the_status_with_its_cure_and_edits_are_found(
    person: Person, knob: str, limit: int, code: str
) -> None:
    need_namespaces()
    for number in range(20):
        person.write(f"{number}/call.yaml", CALL.format(who=f"Anna {number}"))
    with running(person, within=[*UNSHARE, "sh", "-c", LIMITED, knob, str(limit)]):
        until(lambda: len(person.events()) == 20)
        until(lambda: problem(person, code))
        found = problem(person, code)
        assert found["cure"].startswith(f"raise fs.inotify.{knob.replace('inotify', 'user')}"), found
        assert found["file"] == str(person.store)
        assert status(person)["state"] == "ok"  # nothing is lost by it: it is only slower
        assert f"fs.inotify.{knob.replace('inotify', 'user')}" in person.run("status").out
        person.edit("7/call.yaml", "10:30", "11:30")
        until(lambda: "T113000" in person.events()["Call Anna 7"])


def test_what_the_kernel_could_not_tell_because_its_queue_was_full_is_found(person: Person) -> None:
    with running(person) as daemon:
        person.write("call.yaml", CALL.format(who="Anna"))
        until(lambda: "uid:" in person.read("call.yaml"))
        until(lambda: status(person)["state"] == "ok")
        os.kill(daemon.pid, signal.SIGSTOP)
        until(lambda: psutil.Process(daemon.pid).status() == psutil.STATUS_STOPPED)
        overflow(person)
        person.edit("call.yaml", "10:30", "11:30")  # of this the queue has no room to tell
        person.write("new/lunch.yaml", CALL.format(who="Boris"))
        os.kill(daemon.pid, signal.SIGCONT)
        until(lambda: "T113000" in person.events()["Call Anna"])
        until(lambda: "Call Boris" in person.events())
        person.edit("new/lunch.yaml", "10:30", "12:30")  # the folder that came meanwhile is watched, too
        until(lambda: "T123000" in person.events()["Call Boris"])
        until(lambda: "watch_overflow" in (person.root / "daemon.log").read_text())


def overflow(person: Person) -> None:
    """More events than the kernel's queue holds; like ones in a row would be told as one."""
    files = [person.store / "one.txt", person.store / "two.txt"]
    for file in files:
        file.touch()
    for number in range(int(QUEUE.read_text()) + 100):
        os.utime(files[number % 2])
