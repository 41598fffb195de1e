"""`datebook doctor`, on a real Radicale and on a machine with faults: each of them is named with its cure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.load import load
from config.places import Places
from daemon.doctor import machine
from daemon.doctor.running import of_daemon, of_service
from daemon.journal import Journal
from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", servers.calendar(servers.get(radicale)))


def found(report: dict, part: str) -> dict[str, dict]:
    return {row["code"]: row for row in report[part]}


def test_a_healthy_setup_is_all_well_but_for_the_daemon_that_does_not_run(person: Person) -> None:
    assert person.sync().code == 0
    report = person.run("doctor", "--json")
    bad = [row["code"] for part in report.json.values() for row in part if not row["ok"]]
    assert bad == ["daemon"]
    assert report.code == 3
    assert found(report.json, "account home")["calendar"]["message"] == "`work` is there"
    assert found(report.json, "state")["journal"]["ok"]
    for row in (row for part in report.json.values() for row in part if not row["ok"]):
        assert row["cure"]


def test_the_write_test_says_what_the_server_kept_and_leaves_nothing_behind(person: Person) -> None:
    person.add_event("Lunch", uid="lunch-1", start="20271125T120000", end="20271125T130000")
    rows = found(person.run("doctor", "home", "--write-test", "--json").json, "account home")
    assert [rows[code]["ok"] for code in ("write_create", "write_edit", "write_delete")] == [True] * 3
    assert "private (CLASS)" in rows["write_kept"]["message"]
    assert "reminders" in rows["write_kept"]["message"]
    assert rows["write_x_properties"]["message"] == "X- properties are kept"
    assert list(person.events()) == ["Lunch"]


def test_without_the_flag_nothing_is_written(servers: Servers, tmp_path: Path) -> None:
    server = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        assert person.run("doctor", "home").code == 0
        assert not {"PUT", "DELETE", "POST", "MKCALENDAR", "PROPPATCH"} & set(proxy.methods())


def test_the_running_daemon_tests_its_own_accounts(person: Person) -> None:
    with running(person) as daemon:
        report = person.run("doctor")
    assert (report.code, f"process {daemon.pid}" in report.out) == (0, True), report.out


def test_a_wrong_password_is_named_with_its_cure(servers: Servers, tmp_path: Path) -> None:
    server = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        proxy.add(Fault(answer(401, WWW_Authenticate="Basic"), times=None))
        report = person.run("doctor", "home", "--json")
    assert report.code == 3
    bad = [row for row in report.json["account home"] if not row["ok"]]
    assert bad
    assert "datebook connect home" in " ".join(row["cure"] for row in bad) or "password" in str(bad)


def test_a_clock_that_is_wrong_is_said(servers: Servers, tmp_path: Path) -> None:
    server = servers.get(radicale)
    late = (datetime.now(UTC) - timedelta(hours=3)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        proxy.add(Fault(answer(200, Date=late, DAV="1, calendar-access"), method="OPTIONS", times=None))
        rows = found(person.run("doctor", "home", "--json").json, "account home")
    assert not rows["clock"]["ok"]
    assert "ahead of" in rows["clock"]["message"]


def test_a_calendar_that_is_gone_is_said_and_the_others_are_tested(person: Person) -> None:
    config = person.root / "config.yaml"
    config.write_text(config.read_text() + "  other: {account: home, calendar: Holidays}\n")
    report = person.run("doctor", "home", "--json")
    calendars = [row for row in report.json["account home"] if row["code"] == "calendar"]
    assert [row["ok"] for row in calendars] == [True, False]
    assert "Name one of these" in calendars[1]["cure"]


def test_a_store_without_its_marker_or_another_one_is_said(person: Person) -> None:
    person.sync()
    marker = person.store / ".datebook"
    marker.rename(person.root / "kept")
    row = found(person.run("doctor", "--json").json, "store")["marker"]
    assert not row["ok"]
    assert "Do not make a new marker" in row["cure"]
    person.store.rename(person.root / "away")
    assert not found(person.run("doctor", "--json").json, "store")["store"]["ok"]


def test_a_damaged_journal_is_said(person: Person) -> None:
    person.sync()
    journal = person.root / "state" / "journal.db"
    data = bytearray(journal.read_bytes())
    data[4096 * 2 : 4096 * 6] = b"\xff" * (4096 * 4)
    journal.write_bytes(bytes(data))
    row = found(person.run("doctor", "--json").json, "state")["journal"]
    assert not row["ok"]
    assert "damaged" in row["message"]


def test_a_state_folder_that_others_can_read_is_said(person: Person) -> None:
    person.sync()
    (person.root / "state" / "journal.db").chmod(0o644)
    row = found(person.run("doctor", "--json").json, "state")["state"]
    assert not row["ok"]
    assert "chmod go=" in row["cure"]


def test_a_package_that_claims_our_names_is_named() -> None:
    (finding,) = machine.of_packages({"daemon": ["datebook"], "config": ["datebook", "python-config2"]})
    assert (finding.ok, "python-config2" in finding.message) == (False, True)
    (fine,) = machine.of_packages({"daemon": ["datebook"], "adapters": ["datebook"], "config": ["datebook"]})
    assert fine.ok


def test_without_systemd_the_service_is_not_said_to_be_well(person: Person, tmp_path: Path) -> None:
    config = load(person.root / "config.yaml")
    (finding,) = of_service(config, Places(tmp_path / "config.yaml", tmp_path), {"PATH": ""})
    assert (finding.code, finding.ok, finding.checked) == ("service", True, False)
    assert "not tested" in finding.message
    assert "datebook run" in finding.cure


def test_too_low_limits_of_inotify_are_said_with_the_command_that_raises_them(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "2027" / "11").mkdir(parents=True)
    limits = tmp_path / "limits"
    limits.mkdir()
    (limits / "max_user_watches").write_text("2\n")
    (limits / "max_user_instances").write_text("128\n")
    (finding,) = machine.of_watching(store, limits)
    assert (finding.code, finding.ok) == ("inotify_watches", False)
    assert "sysctl fs.inotify.max_user_watches=" in finding.cure


def test_zone_data_that_lacks_the_zone_is_said() -> None:
    (finding,) = machine.of_zones("Europe/Atlantis")
    assert (finding.ok, "tzdata" in finding.cure) == (False, True)


def test_a_journal_in_use_can_be_looked_at(tmp_path: Path) -> None:
    places = Places(tmp_path / "config.yaml", tmp_path)
    tmp_path.chmod(0o700)
    journal = Journal(places.journal)
    try:
        journal.set_meta("store", "x")
        rows = {one.code: one for one in machine.of_state(places)}
        assert rows["journal"].ok
        assert [one.ok for one in of_daemon(places)] == [False]
    finally:
        journal.close()
