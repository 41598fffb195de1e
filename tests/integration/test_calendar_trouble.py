"""A calendar or a server that is not there is told in every command's own words, and forgotten when it is back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

CALL = "subject: Call Anna\ndue_date: 2027-11-24\ntype: call\ndue_time: 10:30\n"


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    someone = Person(tmp_path / "me", servers.calendar(servers.get(radicale)))
    someone.store.mkdir()
    someone.write("call.yaml", CALL)
    return someone


def until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def status(person: Person) -> dict:
    path = person.root / "state" / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def misspell(person: Person) -> str:
    config = person.root / "config.yaml"
    good = config.read_text()
    config.write_text(good.replace(f"calendar: {person.url}", "calendar: Wrok"))
    return good


def test_a_calendar_that_is_not_there_is_a_problem_with_its_cure_until_it_is(person: Person) -> None:
    assert person.sync().code == 0
    good = misspell(person)
    person.edit("call.yaml", "10:30", "11:30")
    assert person.sync().code == 1
    found = [one for one in status(person)["problems"] if one.get("calendar") == "work"]
    assert [one["code"] for one in found] == ["missing"]
    assert found[0]["cure"]
    shown = person.run("status")
    assert shown.code == 3
    assert found[0]["message"] in shown.out
    assert status(person)["accounts"]["home"]["state"] == "ok"
    told = person.run("why", "call.yaml", "--json").json
    assert told["state"] == "waiting"
    assert told["cure"] == found[0]["cure"]
    assert [one["code"] for one in status(person)["problems"]] == ["missing"]  # another command forgets nothing
    (person.root / "config.yaml").write_text(good)
    assert person.sync().code == 0
    assert status(person)["problems"] == []
    assert person.run("status").code == 0


def test_the_running_daemon_tells_of_a_calendar_that_is_not_there(person: Person) -> None:
    good = misspell(person)
    daemon = person.start()
    try:
        until(lambda: [one["code"] for one in status(person).get("problems", [])] == ["missing"])
        assert status(person)["problems"][0]["cure"]
        (person.root / "config.yaml").write_text(good)
        daemon.send_signal(1)
        until(lambda: status(person)["problems"] == [] and status(person)["calendars"]["work"]["state"] == "ok")
    finally:
        daemon.terminate()
        daemon.wait(12)


@pytest.mark.parametrize("is_running", [False, True])
def test_status_right_after_a_sync_says_what_the_sync_found(
    servers: Servers, tmp_path: Path, *, is_running: bool
) -> None:
    server = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        person.store.mkdir()
        person.write("call.yaml", CALL)
        assert person.sync().code == 0
        daemon = person.start() if is_running else None
        try:
            if daemon:
                until(lambda: status(person).get("pid") == daemon.pid and status(person)["state"] == "ok")
            proxy.add(Fault(answer(503, b"away"), times=None))
            person.edit("call.yaml", "10:30", "11:30")
            assert person.sync().code == 1
            told = person.run("why", "call.yaml", "--json").json
            assert told["state"] == "waiting"
            if not is_running:  # the daemon forgives a first failure
                error = status(person)["accounts"]["home"]["error"]
                assert error["message"].rstrip(".") in told["reason"]
            proxy.clear()
            assert person.sync().code == 0
            assert person.run("status").code == 0
            assert status(person)["accounts"]["home"]["state"] == "ok"
        finally:
            if daemon:
                daemon.terminate()
                daemon.wait(12)


def test_plan_says_how_many_files_no_sync_can_send(person: Person) -> None:
    assert person.sync().code == 0
    person.write("broken.yaml", "subject: Call\ndue_date: 2027-13-45\n")
    planned = person.run("plan")
    assert planned.code == 3
    assert "in step" not in planned.out
    assert "1 broken" in planned.out
    assert person.run("plan", "--json").json["broken"] == 1


def test_another_calendar_under_an_old_name_says_how_to_go_on(servers: Servers, person: Person) -> None:
    assert person.sync().code == 0
    config = person.root / "config.yaml"
    good = config.read_text()
    config.write_text(good.replace(f"calendar: {person.url}", f"calendar: {servers.calendar(servers.get(radicale))}"))
    assert person.sync().code == 1
    (problem,) = status(person)["problems"]
    assert "old `calendar:`" in problem["cure"]
    config.write_text(good)
    assert person.sync().code == 0
    assert status(person)["problems"] == []
