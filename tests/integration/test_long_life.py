"""What a daemon meets that runs for months: other zones, editors of its status file, mode changes, load."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until

CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
SCHEMA = json.loads((Path(__file__).parents[2] / "config" / "status.schema.json").read_text("utf-8"))


@dataclass(slots=True)
class Traveller(Person):
    """A person whose laptop is set to another zone now and then."""

    zone: str = "Europe/Helsinki"

    @property
    def environment(self) -> dict[str, str]:
        return {**Person.environment.fget(self), "TZ": self.zone}  # type: ignore[attr-defined]  # a property of the class has a getter


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.calendar(servers.get(radicale))


def test_a_laptop_that_travels_moves_no_event(url: str, tmp_path: Path) -> None:
    person = Traveller(tmp_path / "me", url)
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace("timezone: Europe/Helsinki\n", ""))
    person.sync()
    person.write("anna.yaml", CALL.format(who="Anna"))
    person.sync()
    file, event = person.read("anna.yaml"), person.events()["Call Anna"]
    assert "DTSTART;TZID=Europe/Helsinki:20271124T103000" in event
    person.zone = "America/New_York"
    assert person.run("sync", "--full").code == 0
    assert (person.read("anna.yaml"), person.events()["Call Anna"]) == (file, event)
    person.write("boris.yaml", CALL.format(who="Boris"))
    person.sync()
    assert "DTSTART;TZID=Europe/Helsinki:20271124T103000" in person.events()["Call Boris"]


def test_the_status_file_is_whole_and_valid_whenever_one_looks(url: str, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", url, "    poll: 1s\n")
    looks = 0
    with running(person):
        for number in range(40):
            person.write(f"call-{number}.yaml", CALL.format(who=f"Anna {number}"))
            jsonschema.validate(status(person), SCHEMA)
        while status(person)["calendars"]["work"]["linked"] < 40:
            jsonschema.validate(status(person), SCHEMA)
            looks += 1
        said = status(person)
    assert looks > 5
    assert datetime.fromisoformat(said["updated"]).utcoffset() is not None
    assert [path.name for path in (person.root / "state").iterdir() if "tmp" in path.name] == []


def test_a_daemon_that_ends_with_an_error_says_why_in_its_status(url: str, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", url)
    person.sync()
    (person.root / "config.yaml").write_text("store: ~/x\ntimezone: Europe/Atlantis\n")
    assert person.run("run").code == 2
    found = status(person)
    jsonschema.validate(found, SCHEMA)
    (problem,) = found["problems"]
    assert (found["state"], problem["line"]) == ("failed", 2)
    assert problem["cure"]
    shown = person.run("status")
    assert shown.code == 1
    assert "config.yaml:2" in shown.out


def test_the_status_is_written_anew_when_somebody_has_removed_it(url: str, tmp_path: Path) -> None:
    person = Person(tmp_path / "me", url)
    with running(person):
        (person.root / "state" / "status.json").unlink()
        person.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: status(person).get("state") == "ok")
