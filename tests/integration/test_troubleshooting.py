"""docs/troubleshooting.md, trouble by trouble: each is made for real, and its commands print what the page says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SECTIONS = dict(re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8")))
CALL = "subject: Call Anna\ndue_date: 2027-11-24\ntype: call\ndue_time: 10:30\n"


@dataclass
class Bench:
    """A person who was well a moment ago, and what lies between them and the server."""

    person: Person
    proxy: FaultProxy

    def config(self, old: str, new: str) -> None:
        path = self.person.root / "config.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def new_file(self, text: str = CALL) -> None:
        self.person.store.mkdir(exist_ok=True)
        self.person.write("call.yaml", text)
        self.person.sync()

    def fails(self, status: int) -> None:
        self.person.sync()
        self.proxy.add(Fault(answer(status, b"denied", WWW_Authenticate="Basic"), times=None))
        self.person.sync()


def wrong_calendar(bench: Bench) -> None:
    bench.config(f"calendar: {bench.person.url}", "calendar: Wrok")
    bench.person.sync()


def wrong_direction(bench: Bench) -> None:
    bench.config("since: all", "since: all\n    direction: from-calendar")
    bench.new_file()


def type_not_sent(bench: Bench) -> None:
    bench.config("since: all", "since: all\n    send: [meeting]")
    bench.new_file()


def from_before(bench: Bench) -> None:
    bench.config("backlog: import", "backlog: skip")
    bench.new_file()


def waits(bench: Bench) -> None:
    bench.config("backlog: import", "backlog: ask")
    bench.new_file()


def wrong_type(bench: Bench) -> None:
    times = {"start": "20271124T120000", "end": "20271124T130000"}
    bench.person.add_event("Lunch with Anna", uid="lunch-1", **times)
    bench.person.sync()


def braked(bench: Bench) -> None:
    bench.person.store.mkdir(exist_ok=True)
    for number in range(6):
        bench.person.write(f"call-{number}.yaml", CALL.replace("Anna", f"Anna {number}"))
    bench.person.sync()
    for path in bench.person.store.glob("call-*.yaml"):
        path.unlink()
    bench.person.sync()


def restored_server(bench: Bench) -> None:
    times = {"start": "20271124T100000Z", "end": "20271124T110000Z"}
    bench.person.add_event("Call Anna", uid="call-1", **times)
    bench.person.sync()
    bench.person.add_event("Call Anna", uid="call-1", more="LOCATION:Room 5\r\n", **times)
    bench.person.sync()
    bench.person.add_event("Call Anna", uid="call-1", **times)
    bench.person.sync()


def in_the_past(bench: Bench) -> None:
    bench.config("since: all", "since: now")
    bench.person.sync()
    bench.new_file(CALL.replace("2027", "2020"))


def private(bench: Bench) -> None:
    bench.config("since: all", "since: all\n    private_events: busy")
    bench.person.sync()
    times = {"start": "20271124T100000", "end": "20271124T110000"}
    bench.person.add_event("Doctor", uid="doctor-1", more="CLASS:PRIVATE\r\n", **times)
    bench.person.sync()


def disconnected(bench: Bench) -> None:
    bench.new_file()
    bench.person.run("disconnect", "home")


def store_gone(bench: Bench) -> None:
    bench.person.sync()
    bench.person.store.rename(bench.person.root / "away")


TROUBLES: dict[str, Callable[[Bench], None]] = {
    "The permissions were not granted": lambda bench: bench.fails(403),
    "The login is refused (two-factor login, app passwords)": lambda bench: bench.fails(401),
    "The service is out of reach": lambda bench: bench.fails(503),
    "The wrong calendar": wrong_calendar,
    "The wrong direction": wrong_direction,
    "The type is not sent": type_not_sent,
    "Incoming events have the wrong type": wrong_type,
    "It existed before the calendar was connected": from_before,
    "It waits for your word": waits,
    "Much was removed or edited at once": braked,
    "The server was restored from a backup": restored_server,
    "It is in the past": in_the_past,
    "It has no date": lambda bench: bench.new_file("subject: Call Anna\n"),
    "An activity shows as private": private,
    "It is hidden by a filter": Bench.new_file,
    "The file is broken": lambda bench: bench.new_file("subject: Call\ndue_date: 2027-13-45\n"),
    "Disconnect and connect again": disconnected,
    "The store is not there": store_gone,
    "Nothing happens at all": lambda bench: bench.person.sync() and None,
}
# It takes a systemd to show: tests/integration/test_systemd.py.
ELSEWHERE = {"The daemon stops when I log out"}


# What goes wrong with a CRM's calendar sync, as such products' own help pages have it, and where this page answers.
ASKED = {
    "it wants rights that an administrator has to grant": "The permissions were not granted",
    "two-factor login takes no password": "The login is refused (two-factor login, app passwords)",
    "is it the provider or my login": "The service is out of reach",
    "the wrong calendar was chosen": "The wrong calendar",
    "it goes one way only": "The wrong direction",
    "this type does not go out": "The type is not sent",
    "every incoming event is a meeting": "Incoming events have the wrong type",
    "only what is new or to come is synced": "It existed before the calendar was connected",
    "the event is over": "It is in the past",
    "it has no due date": "It has no date",
    "it is missing from a filtered list": "It is hidden by a filter",
    "it shows as private": "An activity shows as private",
    "stop the sync and add the account again": "Disconnect and connect again",
    "nothing is synced at all": "Nothing happens at all",
}


@pytest.fixture
def bench(servers: Servers, tmp_path: Path) -> Iterator[Bench]:
    server = servers.get(radicale)
    url = servers.calendar(server)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", url)
        bench = Bench(person, proxy)
        bench.config(f"url: {url}", f"url: {proxy.url_of(url)}")
        bench.config(f"calendar: {url}", f"calendar: {proxy.url_of(url)}")
        person.url = proxy.url_of(url)
        yield bench


def said(section: str) -> dict[str, list[str]]:
    """The commands of a section, and the lines that they are to print."""
    found: dict[str, list[str]] = {}
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", SECTIONS[section]):
        command = ""
        for line in block.splitlines():
            if line.startswith("$ datebook "):
                command = line.removeprefix("$ datebook ")
                found[command] = []
            else:
                found[command].append(" ".join(line.split()))
    return found


def test_every_trouble_of_the_page_is_made_here() -> None:
    assert SECTIONS.keys() == TROUBLES.keys() | ELSEWHERE
    assert all(said(section) for section in TROUBLES)


def test_what_people_ask_about_such_a_sync_is_answered_on_the_page() -> None:
    assert [asked for asked, section in ASKED.items() if section not in SECTIONS] == []


@pytest.mark.parametrize("section", TROUBLES)
def test_the_commands_print_what_the_page_says(bench: Bench, section: str) -> None:
    TROUBLES[section](bench)
    for command, lines in said(section).items():
        done = bench.person.run(*shlex.split(command))
        printed = " ".join((done.out + " " + done.err).split())
        assert [line for line in lines if line not in printed] == [], printed


def test_after_the_cure_it_goes_on_by_itself(bench: Bench) -> None:
    bench.fails(503)
    bench.person.write("call.yaml", CALL)
    bench.proxy.clear()
    assert bench.person.sync().code == 0
    assert bench.person.run("status").out.count("unreachable") == 0
    assert bench.person.run("why", "call.yaml", "--json").json["state"] == "synced"


def test_what_a_restored_server_lost_is_sent_again_by_the_id_of_its_hold(bench: Bench) -> None:
    restored_server(bench)
    hold = bench.person.run("plan", "--json").json["held"][0]["id"]
    done = bench.person.run("resolve", hold, "--keep", "file")
    assert (done.code, done.out) == (0, "1 file resolved: what the file says is sent again.\n"), done
    assert bench.person.sync().code == 0
    assert bench.person.run("why", "2027/11/2027-11-24-call-anna.yaml", "--json").json["state"] == "synced"


def test_connecting_again_doubles_nothing(bench: Bench) -> None:
    disconnected(bench)
    assert bench.person.run("connect", "home").code in {0, 3}
    assert bench.person.sync().code == 0
    assert len(bench.person.files()) == 1
    assert bench.person.run("why", "call.yaml", "--json").json["state"] == "synced"
