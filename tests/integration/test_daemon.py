"""The daemon as a process, on a real Radicale: edits travel, signals are obeyed, trouble is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.terminal import Terminal

CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
PATIENCE = 15.0


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)))


def until(ready: Callable[[], object]) -> float:
    """Wait for an event of another process; how long it took."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < PATIENCE, "it does not happen"
        time.sleep(0.02)
    return time.monotonic() - began


@contextmanager
def running(person: Person) -> Iterator[subprocess.Popen[bytes]]:
    daemon = person.start()
    try:
        until(lambda: status(person).get("state") in {"ok", "attention"})
        yield daemon
    finally:
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
        daemon.wait(12)


def status(person: Person) -> dict:
    path = person.root / "state" / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_a_saved_file_is_in_the_calendar_within_a_second(person: Person) -> None:
    with running(person):
        person.write("first.yaml", CALL.format(who="Anna"))
        until(lambda: "Call Anna" in person.events())
        until(lambda: "uid:" in person.read("first.yaml"))
        person.edit("first.yaml", "10:30", "11:30")
        took = until(lambda: "T113000" in person.events()["Call Anna"])
    assert took < 1.5  # a second, and half of one for asking a loaded Radicale again and again


def test_a_burst_of_files_becomes_few_passes(person: Person) -> None:
    with running(person):
        for number in range(60):
            person.write(f"call-{number}.yaml", CALL.format(who=f"Anna {number}"))
        until(lambda: len(person.events()) == 60)
        until(lambda: status(person)["calendars"]["work"]["linked"] == 60)
    log = (person.root / "daemon.log").read_text()
    assert log.count("passed") < 15


def test_sync_is_done_by_the_running_daemon(person: Person) -> None:
    with running(person):
        person.add_event("Lunch", uid="lunch-1", start="20271125T120000", end="20271125T130000")
        assert person.run("sync").code == 0
        assert len(person.files()) == 1
        assert person.run("status").code == 0


def test_the_status_command_shows_the_last_poll_and_not_the_last_change(person: Person) -> None:
    person.configure("    poll: 1s\n")
    with running(person):
        until(lambda: status(person)["calendars"]["work"]["last_sync"])
        written = status(person)["updated"]

        def polled() -> bool:
            last = person.run("status", "--json").json["calendars"]["work"]["last_sync"]
            return datetime.fromisoformat(last) > datetime.fromisoformat(written)

        until(polled)  # half a minute before the file is written anyway


def test_a_second_daemon_refuses_to_start_and_names_the_first(person: Person) -> None:
    with running(person) as first:
        second = person.run("run")
    assert second.code == 1
    assert str(first.pid) in second.err


def test_sigterm_ends_it_orderly_and_the_status_says_so(person: Person) -> None:
    with running(person) as daemon:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0
    assert status(person)["state"] == "stopped"
    assert person.run("status").code == 1


def test_sighup_takes_a_new_config_up_and_keeps_the_old_one_while_it_is_broken(person: Person) -> None:
    config = person.root / "config.yaml"
    good = config.read_text()
    with running(person) as daemon:
        config.write_text(good.replace("direction", "x") + "\nnonsense: [\n")
        daemon.send_signal(signal.SIGHUP)
        until(lambda: any(problem["code"] == "config" for problem in status(person)["problems"]))
        person.write("call.yaml", CALL.format(who="Anna"))
        until(lambda: "Call Anna" in person.events())
        config.write_text(good + "    direction: to-calendar\n")
        daemon.send_signal(signal.SIGHUP)
        until(lambda: status(person)["calendars"]["work"]["direction"] == "to-calendar")
        assert status(person)["problems"] == []


def test_a_command_checks_the_config_it_was_given_and_says_when_the_daemon_runs_with_another(person: Person) -> None:
    config = person.root / "config.yaml"
    good = config.read_text()
    with running(person) as daemon:
        assert (person.run("plan").code, person.run("plan").err) == (0, "")
        config.write_text(good + "    brakes: 3\n")
        broken = person.run("plan")
        assert (broken.code, broken.out) == (2, "")
        assert "Did you mean `brake`?" in broken.err
        absent = person.run("--config", str(person.root / "none.yaml"), "sync")
        assert (absent.code, "There is no config file" in absent.err) == (2, True)
        config.write_text(good + "    direction: to-calendar\n")
        stale = person.run("plan", "--json")
        assert (stale.code, stale.json["actions"]) == (0, [])
        assert f"kill -HUP {daemon.pid}" in stale.err
        assert len(stale.err.splitlines()) == 1
        daemon.send_signal(signal.SIGHUP)
        until(lambda: status(person)["calendars"]["work"]["direction"] == "to-calendar")
        assert person.run("plan").err == ""
        (person.root / "other.yaml").write_text(good)
        assert f"another config: {config}" in person.run("--config", str(person.root / "other.yaml"), "plan").err


def test_killed_and_started_again_it_doubles_nothing(person: Person) -> None:
    with running(person) as daemon:
        for number in range(10):
            person.write(f"call-{number}.yaml", CALL.format(who=f"Anna {number}"))
        until(person.events)
        daemon.kill()
        daemon.wait()
    with running(person):
        until(lambda: status(person)["calendars"]["work"]["linked"] == 10)
    assert len(person.events()) == 10
    assert len(person.files()) == 10


def test_it_starts_without_a_network_and_goes_on_when_there_is_one(servers: Servers, tmp_path: Path) -> None:
    with radicale() as server:
        person = Person(tmp_path / "me", server.make_calendar("later"))
        port = server.port
    daemon = person.start()
    try:
        until(lambda: status(person))
        with radicale(port) as server:
            server.make_calendar("later")
            person.run("sync")
            person.write("call.yaml", CALL.format(who="Anna"))
            until(lambda: "Call Anna" in person.events())
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(12)


def test_the_status_file_keeps_to_its_schema_while_things_go_wrong(person: Person) -> None:
    schema = json.loads((Path(__file__).parents[2] / "config" / "status.schema.json").read_text())
    with running(person):
        person.write("broken.yaml", "subject: Call\ndue_date: 2027-13-45\n")
        person.write("call.yaml", CALL.format(who="Anna"))
        until(lambda: status(person).get("problems"))
        found = status(person)
    jsonschema.validate(found, schema)
    (problem,) = found["problems"]
    assert (problem["file"], problem["line"]) == ("broken.yaml", 2)
    assert problem["cure"]
    mode = (person.root / "state" / "status.json").stat().st_mode & 0o777
    assert mode == 0o600


def test_the_store_that_is_gone_stops_everything_and_its_return_goes_on(person: Person) -> None:
    with running(person):
        person.write("call.yaml", CALL.format(who="Anna"))
        until(lambda: "Call Anna" in person.events())
        until(lambda: "uid:" in person.read("call.yaml"))
        away = person.root / "unmounted"
        person.store.rename(away)
        until(lambda: status(person)["state"] == "attention")
        assert list(person.events()) == ["Call Anna"]
        away.rename(person.store)
        until(lambda: status(person)["state"] == "ok")
        person.edit("call.yaml", "10:30", "11:30")
        until(lambda: "T113000" in person.events()["Call Anna"])


def test_the_demo_shows_both_ways_and_ends_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "+due_time: 11:00" in done.stdout
    assert "+location: Romashka office, room 5.11" in done.stdout
    assert "everything is in step" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_demo_whose_window_is_closed_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    program = Path(sys.executable).with_name("datebook")
    with Terminal([str(program), "demo"], Path(__file__).parents[2], TMPDIR=str(tmp_path), COLUMNS="400") as terminal:
        terminal.expect("It goes on running")
        terminal.expect(f"{program} --config")
        left = [each.name for each in tmp_path.iterdir()]
        os.kill(terminal.pid, number)
        assert terminal.wait() == 128 + number
    assert left
    assert list(tmp_path.iterdir()) == []
    until(lambda: not any(name in command for command in commands_running() for name in left))


def commands_running() -> list[str]:
    """The command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_a_removed_file_takes_its_event_along_when_the_grace_ends_with_nothing_else_going_on(person: Person) -> None:
    with running(person):
        person.write("call.yaml", CALL.format(who="Anna"))
        until(lambda: "Call Anna" in person.events())
        until(lambda: "uid:" in person.read("call.yaml"))
        (person.store / "call.yaml").unlink()
        took = until(lambda: not person.events())
    assert 0.9 < took < 10  # the grace is one second here, and the next poll a minute away
