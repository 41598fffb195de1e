"""The state folder, or the journal in it, is taken away under the running daemon: it ends, says so and sends nothing.

Started again it makes a new journal from the files and the calendar: nothing is lost, nothing doubled.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.fault_proxy import FaultProxy
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until

pytestmark = pytest.mark.slow
CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
WRITES = {"PUT", "DELETE", "MOVE", "PROPPATCH"}


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.get(radicale).home) as proxy:
        yield proxy


@pytest.fixture
def person(servers: Servers, proxy: FaultProxy, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", proxy.url_of(servers.calendar(servers.get(radicale))))


def remove_the_folder(state: Path) -> None:
    state.rename(state.with_name("gone"))


def remove_the_journal(state: Path) -> None:
    for path in state.glob("journal.db*"):
        path.unlink()


def put_a_copy_in_its_place(state: Path) -> None:
    """As whoever takes a backup back does."""
    shutil.copy2(state / "journal.db", state / "copy.db")
    (state / "copy.db").replace(state / "journal.db")


TAKEN = {
    "the folder": remove_the_folder,
    "the journal": remove_the_journal,
    "replaced": put_a_copy_in_its_place,
}


def in_step(person: Person, *names: str) -> None:
    for name in names:
        person.write(f"{name.lower()}.yaml", CALL.format(who=name))
    until(lambda: len(person.events()) == len(names))
    until(lambda: all("uid:" in person.read(f"{name.lower()}.yaml") for name in names))
    until(lambda: status(person)["calendars"]["work"]["linked"] == len(names) and status(person)["state"] == "ok")


def said(person: Person) -> str:
    return (person.root / "daemon.log").read_text()


@pytest.mark.parametrize("how", TAKEN)
def test_it_ends_says_so_and_sends_nothing_more(person: Person, proxy: FaultProxy, how: str) -> None:
    take: Callable[[Path], None] = TAKEN[how]
    with running(person) as daemon:
        in_step(person, "Anna", "Boris")
        take(person.root / "state")
        before = len(proxy.methods())
        person.edit("anna.yaml", "10:30", "11:30")
        person.write("clara.yaml", CALL.format(who="Clara"))
        assert daemon.wait(30) == 1  # which systemd starts again
    assert not WRITES & set(proxy.methods()[before:])
    assert "was removed or replaced while it was in use" in said(person)
    assert "Start Datebook again" in said(person)
    if how != "the folder":
        assert status(person)["state"] == "failed"
        assert "was removed or replaced" in status(person)["problems"][0]["message"]


def test_an_idle_one_notices_within_seconds(person: Person) -> None:
    with running(person) as daemon:
        in_step(person, "Anna")
        remove_the_folder(person.root / "state")
        assert daemon.wait(30) == 1
    assert not (person.root / "state").exists()


def test_started_again_it_loses_and_doubles_nothing(person: Person) -> None:
    with running(person) as daemon:
        in_step(person, "Anna", "Boris")
        remove_the_folder(person.root / "state")
        person.edit("anna.yaml", "10:30", "11:30")
        person.write("clara.yaml", CALL.format(who="Clara"))
        daemon.wait(30)
    with running(person):
        until(lambda: status(person)["calendars"]["work"]["linked"] == 2)
        until(lambda: status(person)["conflicts"])
        assert sorted(person.events()) == ["Call Anna", "Call Boris"]
        assert "T103000" in person.events()["Call Anna"]
        assert "11:30" in person.read("anna.yaml")
        assert person.run("resolve", "anna.yaml", "--keep", "file").code == 3  # the new file waits
        until(lambda: "T113000" in person.events()["Call Anna"])
        person.run("approve")
        until(lambda: sorted(person.events()) == ["Call Anna", "Call Boris", "Call Clara"])
        until(lambda: status(person)["state"] == "ok")
    assert person.files() == ["anna.yaml", "boris.yaml", "clara.yaml"]
