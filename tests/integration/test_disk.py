"""Full and read-only disks under the running daemon: nothing half-written, it is said, and it goes on when it can."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk"),
]
CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
TIMES = {"start": "20271125T120000", "end": "20271125T130000"}


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk_of_its_own(person: Person) -> Iterator[Path]:
    """The store is a disk that can be put in again, as a stick can; where else it is mounted."""
    disk = person.root / "disk"
    with small_disk(disk, "1m"):
        person.store.mkdir()
        put_in(disk, person.store)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(person.store)], capture_output=True, check=False)


def put_in(disk: Path, folder: Path) -> None:
    subprocess.run(["mount", "--bind", str(disk), str(folder)], check=True)


def taken_out(folder: Path) -> bool:
    """Unmount it as a desktop does: it fails while anybody has anything open there."""
    done = subprocess.run(["umount", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "busy" in done.stderr, done.stderr
    return done.returncode == 0


def fill(folder: Path) -> Path:
    """Use up the last byte."""
    filler = folder / "filler.bin"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return filler


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)), "    poll: 2s\n")


def whole_files(person: Person) -> None:
    for name in person.files():
        assert name.endswith(("filler.bin", ".yaml")), name
        assert name.endswith("filler.bin") or person.read(name).startswith("subject:"), name


def test_a_full_store_is_said_and_filled_when_there_is_room(person: Person) -> None:
    with small_disk(person.store, "256k"), running(person):
        person.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: "uid:" in person.read("anna.yaml"))
        filler = fill(person.store)
        person.add_event("Lunch", uid="lunch-1", **TIMES)
        person.change("Call Anna", "T103000", "T143000")
        until(lambda: status(person)["state"] == "attention")
        said = person.run("status")
        assert "space" in said.out or "full" in said.out, said.out
        assert "10:30" in person.read("anna.yaml")  # whole, as it was
        whole_files(person)
        assert sorted(person.events()) == ["Call Anna", "Lunch"]
        filler.unlink()
        assert person.run("sync").code in {0, 3}
        until(lambda: len(person.files()) == 2 and "14:30" in person.read("anna.yaml"), 90)
        until(lambda: status(person)["state"] == "ok")
        assert sorted(person.events()) == ["Call Anna", "Lunch"]


def test_a_read_only_store_is_said_and_written_when_it_may_be(person: Person) -> None:
    with small_disk(person.store, "1m"), running(person):
        person.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: "uid:" in person.read("anna.yaml"))
        remount(person.store, "ro")
        person.change("Call Anna", "T103000", "T143000")
        until(lambda: status(person)["state"] == "attention")
        assert sorted(person.events()) == ["Call Anna"]
        remount(person.store, "rw")
        assert person.run("sync").code in {0, 3}
        until(lambda: "14:30" in person.read("anna.yaml"), 90)
        until(lambda: status(person)["state"] == "ok")


def test_a_full_disk_under_the_journal_sends_nothing_and_loses_nothing(person: Person) -> None:
    state = person.root / "state"
    with small_disk(state, "2m"), running(person) as daemon:
        person.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: "uid:" in person.read("anna.yaml"))
        filler = fill(state)
        for number in range(20):
            person.write(f"call-{number}.yaml", CALL.format(who=f"Boris {number}") + f"note: {'x' * 4000}\n")
        until(lambda: "cannot" in (log := (person.root / "daemon.log").read_text()) or "can't be written" in log)
        assert daemon.poll() is None
        filler.unlink()
        until(lambda: len(person.events()) == 21, 90)
        until(lambda: status(person)["state"] == "ok", 90)
        assert len(person.files()) == 21
    assert len(person.events()) == 21


def test_a_disk_can_be_unmounted_while_the_daemon_runs_and_its_return_goes_on(person: Person) -> None:
    with disk_of_its_own(person) as disk, running(person) as daemon:
        person.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: "uid:" in person.read("anna.yaml"))
        for old, new in (("10:30", "11:30"), ("11:30", "12:30")):  # once more when the daemon has met its return
            until(lambda: taken_out(person.store), 20)  # the daemon may look at it just now
            until(lambda: "mount it again" in (status(person)["store"].get("missing") or {}).get("cure", ""))
            assert status(person)["state"] == "attention"
            assert person.files() == []
            assert sorted(person.events()) == ["Call Anna"]
            put_in(disk, person.store)
            until(lambda: status(person)["state"] == "ok")
            person.edit("anna.yaml", old, new)
            until(lambda wanted=new: f"T{wanted.replace(':', '')}00" in person.events()["Call Anna"])
        second = person.run("run", "--state", str(person.root / "another"))
        assert (second.code, f"process {daemon.pid}" in second.err) == (1, True), second.err
