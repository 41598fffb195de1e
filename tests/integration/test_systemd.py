"""The service under a real systemd: installed by its own command on a machine booted for it, and a real Radicale."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import caldav
import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, hang
from tests.servers.machine import CannotBoot, Machine, tree
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
CONFIG = """\
store: ~/Datebook
owner: me@example.com
timezone: Europe/Helsinki
accounts:
  home:
    service: caldav
    url: {url}
    user: me
    password: {password}
calendars:
  work: {{account: home, calendar: "{url}", since: all, backlog: import, poll: 10s}}
"""
# The unit as it is shipped, but for a test's patience.
HASTE = "[Service]\nRestartSec=500ms\nWatchdogSec=6s\nEnvironment=DATEBOOK_STUCK_AFTER=4\n{more}"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    try:
        with Machine(tree()) as booted:
            yield booted
    except CannotBoot as reason:
        pytest.skip(str(reason))


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.calendar(servers.get(radicale))


@dataclass
class Account:
    """An account of the machine with Datebook as its service: `system` as an instance of the template, else its own."""

    machine: Machine
    name: str
    url: str
    system: bool = True
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = caldav.DAVClient(url=self.url, username="me", password="me", auth_type="basic")
        assert self.machine.run(f"useradd --create-home {self.name}").returncode == 0
        self.configure()

    @property
    def unit(self) -> str:
        return f"datebook@{self.name}.service" if self.system else "datebook.service"

    @property
    def config(self) -> str:
        home = f"/home/{self.name}/.config/datebook"
        return f"/etc/datebook/{self.name}/config.yaml" if self.system else f"{home}/config.yaml"

    @property
    def state(self) -> str:
        return f"/var/lib/datebook/{self.name}" if self.system else f"/home/{self.name}/.local/state/datebook"

    @property
    def store(self) -> Path:
        return self.machine.path(f"/home/{self.name}/Datebook")

    def configure(self, url: str = "", more: str = "") -> None:
        """Write the config; the secret is a credential of the system's service, a file of the user's one."""
        password = "{credential: home}" if self.system else f"{{file: /home/{self.name}/secret}}"
        text = CONFIG.format(url=url or self.url, password=password) + more
        folder = str(Path(self.config).parent)
        self.machine.run(f"install -d -o {self.name} {folder}")
        self.machine.path(self.config).write_text(text)
        secret = f"/etc/datebook/{self.name}/home.secret" if self.system else f"/home/{self.name}/secret"
        self.machine.path(secret).write_text("me")
        owner = "root" if self.system else self.name
        self.machine.run(f"chown {owner} {secret}; chmod 600 {secret}; chown {self.name} {self.config}")
        self._hasten(f"LoadCredential=home:{secret}\n" if self.system else "")

    def _hasten(self, more: str) -> None:
        base = "/etc/systemd/system" if self.system else f"/home/{self.name}/.config/systemd/user"
        folder = f"{base}/{self.unit}.d"
        self.machine.run(f"install -d {folder}")
        self.machine.path(f"{folder}/haste.conf").write_text(HASTE.format(more=more))
        if not self.system:
            self.machine.run(f"chown -R {self.name} /home/{self.name}/.config")

    def service(self, what: str) -> Any:
        """`datebook service ... --json`: exit code and report."""
        if self.system:
            done = self.machine.datebook(f"service {what} --json --system --user {self.name}")
        else:
            done = self.machine.datebook(f"service {what} --json", self.name)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def install(self) -> Any:
        code, report = self.service("install")
        assert (code, report["active"]) == (0, "active"), (report, self.journal())
        until(lambda: self.status()["state"] in {"ok", "attention"})
        return report

    def systemctl(self, command: str) -> str:
        if self.system:
            done = self.machine.run(f"systemctl {command}")
        else:
            uid = self.machine.run(f"id -u {self.name}").stdout.strip()
            done = self.machine.run(f"XDG_RUNTIME_DIR=/run/user/{uid} systemctl --user {command}", self.name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def shown(self, key: str) -> str:
        return self.systemctl(f"show {self.unit} --property={key} --value")

    def status(self) -> Any:
        try:
            return json.loads(self.machine.path(f"{self.state}/status.json").read_text())
        except FileNotFoundError:
            return {"state": "", "problems": []}

    def journal(self) -> str:
        return self.machine.run("journalctl --no-pager -n 200 -o cat").stdout

    def write(self, name: str, text: str) -> None:
        """Save a file as the account itself would."""
        self.machine.path(f"/home/{self.name}/{name}").write_text(text)
        done = self.machine.run(f"cp /home/{self.name}/{name} /home/{self.name}/Datebook/{name}", self.name)
        assert done.returncode == 0, done.stderr

    def titles(self) -> list[str]:
        """What is in the calendar, as another program sees it."""
        events = self.client.calendar(url=self.url).events()
        return sorted(str(one.icalendar_component.get("summary", "")) for one in events)

    def syncs(self, who: str) -> None:
        self.write(f"{who.lower()}.yaml", CALL.format(who=who))
        until(lambda: f"Call {who}" in self.titles())
        until(lambda: "uid:" in (self.store / f"{who.lower()}.yaml").read_text())


@pytest.fixture
def account(machine: Machine, url: str, request: pytest.FixtureRequest) -> Iterator[Account]:
    name = "u" + str(abs(hash(request.node.name)) % 10**8)
    account = Account(machine, name, url)
    yield account
    account.service("uninstall")


def test_it_becomes_ready_syncs_and_says_how_it_is(account: Account) -> None:
    report = account.install()
    assert report["written"] == [
        "/etc/systemd/system/datebook@.service",
        f"/etc/systemd/system/{account.unit}.d/store.conf",
    ]
    account.syncs("Anna")
    until(lambda: account.shown("StatusText") == "1 calendar in step")
    assert account.service("status")[0] == 0
    rating = account.machine.run(f"systemd-analyze security --no-pager {account.unit}").stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", rating)
    assert found is not None
    assert float(found[1]) <= 2.0


def test_killed_it_is_started_again_and_doubles_nothing(account: Account) -> None:
    account.install()
    for number in range(8):
        account.write(f"call-{number}.yaml", CALL.format(who=f"Anna {number}"))
    until(account.titles)
    account.systemctl(f"kill --signal=KILL {account.unit}")
    until(lambda: account.shown("NRestarts") == "1" and account.shown("ActiveState") == "active")
    account.syncs("Boris")
    until(lambda: account.status()["calendars"]["work"]["linked"] == 9)
    assert account.titles() == [*(f"Call Anna {number}" for number in range(8)), "Call Boris"]


def test_its_state_folder_that_is_removed_is_made_anew_and_nothing_is_doubled(account: Account) -> None:
    account.install()
    account.syncs("Anna")
    account.machine.run(f"rm -rf {account.state}/* {account.state}")
    until(lambda: account.shown("NRestarts") == "1" and account.shown("ActiveState") == "active")
    until(lambda: account.status()["calendars"]["work"]["linked"] == 1)
    account.syncs("Boris")
    assert account.titles() == ["Call Anna", "Call Boris"]
    assert "was removed or replaced while it was in use" in account.journal()


def test_it_reloads_its_config_and_keeps_the_old_one_while_that_is_broken(account: Account) -> None:
    account.install()
    pid = account.shown("MainPID")
    good = account.machine.path(account.config).read_text()
    account.machine.path(account.config).write_text(good + "nonsense: [\n")
    account.systemctl(f"reload {account.unit}")
    until(lambda: [one["code"] for one in account.status()["problems"]] == ["config"])
    account.syncs("Anna")
    account.machine.path(account.config).write_text(good.replace("poll:", "direction: to-calendar, poll:"))
    account.systemctl(f"reload {account.unit}")
    until(lambda: account.status()["calendars"]["work"]["direction"] == "to-calendar")
    assert account.status()["problems"] == []
    assert account.shown("MainPID") == pid


def test_it_stops_within_ten_seconds_and_leaves_the_word(account: Account) -> None:
    account.install()
    account.syncs("Anna")
    began = time.monotonic()
    account.systemctl(f"stop {account.unit}")
    assert time.monotonic() - began < 10
    assert (account.shown("Result"), account.status()["state"]) == ("success", "stopped")
    assert account.service("status")[0] == 1


def test_it_starts_without_a_network_and_goes_on_when_there_is_one(machine: Machine) -> None:
    with radicale() as server:
        account = Account(machine, "offline", server.make_calendar("later"))
        port = server.port
    code, _report = account.service("install")
    assert code == 0
    until(lambda: account.status()["state"])
    with radicale(port) as server:
        server.make_calendar("later")
        account.syncs("Anna")
    account.service("uninstall")


def test_a_worker_that_hangs_is_killed_and_started_again(machine: Machine, servers: Servers) -> None:
    server: Program = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        account = Account(machine, "hung", proxy.url_of(servers.calendar(server)))
        account.install()
        proxy.add(Fault(hang, method="PUT", times=None))
        account.write("anna.yaml", CALL.format(who="Anna"))
        until(lambda: account.shown("NRestarts") != "0", 60)
        proxy.clear()
        until(lambda: account.shown("ActiveState") == "active")
        account.syncs("Boris")
    said = account.journal()
    assert "watchdog" in said.lower()
    assert "no_progress" in said
    account.service("uninstall")


def test_a_broken_config_at_the_start_is_left_as_failed_and_said(account: Account) -> None:
    account.install()
    account.machine.path(account.config).write_text("store: [\n")
    account.machine.run(f"systemctl restart {account.unit}")
    until(lambda: account.shown("ActiveState") == "failed")
    assert account.shown("NRestarts") == "0"  # starting again would not make it right
    assert account.status()["state"] == "failed"
    (problem,) = account.status()["problems"]
    assert (problem["code"], problem["file"]) == ("config", account.config)
    account.configure()
    account.systemctl(f"reset-failed {account.unit}")


def test_the_store_that_comes_later_is_waited_for(account: Account) -> None:
    account.install()
    account.syncs("Anna")
    account.systemctl(f"stop {account.unit}")
    home = f"/home/{account.name}"
    account.machine.run(f"mv {home}/Datebook {home}/away")
    account.systemctl(f"start --no-block {account.unit}")
    until(lambda: account.status()["state"] == "attention")
    assert account.shown("ActiveState") == "activating"
    account.machine.run(f"mv {home}/away {home}/Datebook")
    until(lambda: account.shown("ActiveState") == "active")
    assert account.titles() == ["Call Anna"]
    account.syncs("Boris")  # which writes a uid: systemd's read-only view of the folders has been made anew


def test_a_user_without_rights_has_it_as_a_service_of_their_own(machine: Machine, url: str) -> None:
    account = Account(machine, "carol", url, system=False)
    uid = machine.run("id -u carol").stdout.strip()
    refused = machine.datebook("service install", "carol")
    assert refused.returncode == 2
    assert "loginctl enable-linger carol" in refused.stderr
    assert machine.run("loginctl enable-linger carol").returncode == 0
    until(lambda: machine.path(f"/run/user/{uid}/systemd/private").exists())
    # In a container systemd has covered /proc/kmsg so that a user's service can't be fenced in.
    report = account.install()
    assert "fenced in" in " ".join(report["hints"])
    account.syncs("Anna")
    # As on a machine that was not booted in a container:
    assert machine.run("umount /proc/kmsg").returncode == 0
    assert account.install()["hints"] == []
    account.syncs("Boris")
    assert account.service("status")[0] == 0
    fenced = machine.run(f"nsenter --target={account.shown('MainPID')} --mount touch /usr/x /home/carol/x")
    assert fenced.stderr.count("Read-only file system") == 2
    code, report = account.service("uninstall")
    assert (code, report["removed"]) == (0, True)
    assert not machine.path("/home/carol/.config/systemd/user/datebook.service").exists()
    assert account.service("status")[0] == 1
    assert (account.store / "anna.yaml").exists()


def found_by_doctor(account: Account) -> dict[str, dict[str, Any]]:
    report = json.loads(account.machine.datebook("doctor --json", account.name).stdout)
    return {row["code"]: row for part in report.values() for row in part}


def test_doctor_sees_the_unit_and_whether_it_runs_without_a_login(machine: Machine, url: str) -> None:
    account = Account(machine, "dora", url, system=False)
    uid = machine.run("id -u dora").stdout.strip()
    assert "loginctl enable-linger dora" in " ".join(map(str, found_by_doctor(account)["service"].values()))
    machine.run("loginctl enable-linger dora")
    until(lambda: machine.path(f"/run/user/{uid}/systemd/private").exists())
    none = found_by_doctor(account)["service"]
    assert (none["ok"], none["cure"]) == (False, "datebook service install")
    account.install()
    rows = found_by_doctor(account)
    assert (rows["service"]["ok"], rows["service"]["message"]) == (True, "the service runs")
    assert (rows["lingering"]["ok"], rows["lingering"]["cure"]) == (True, "")
    account.systemctl("disable datebook.service")
    rows = found_by_doctor(account)
    assert (rows["service"]["ok"], "disabled" in rows["service"]["message"]) == (False, True)
    account.systemctl("stop datebook.service")
    stopped = found_by_doctor(account)
    assert "inactive" in stopped["service"]["message"]
    assert not stopped["daemon"]["ok"]
    machine.run(f"rm -rf {account.state}")  # which the unit makes again, though it may write nothing beside it
    account.systemctl("start datebook.service")
    until(lambda: account.status()["state"] in {"ok", "attention"})
    # Last: from here on systemd ends what nobody is logged in for.
    machine.path("/var/lib/systemd/linger/dora").unlink()
    lingering = found_by_doctor(account)["lingering"]
    assert (lingering["ok"], "loginctl enable-linger" in lingering["cure"]) == (False, True)


@pytest.mark.parametrize("folder", ["", "/below/Datebook"], ids=["which is the store", "with the store in a folder"])
def test_a_disk_that_is_taken_away_stops_it_and_its_return_goes_on(machine: Machine, url: str, folder: str) -> None:
    account = Account(machine, f"d{len(folder)}", url)
    disk = f"/home/{account.name}/disk"
    make = f"mkdir {disk} && mount -t tmpfs -o size=8m disk {disk} && mkdir -p {disk}{folder}"
    make += f" && chown -R {account.name} {disk} && ln -s disk{folder} /home/{account.name}/Datebook"
    assert machine.run(make).returncode == 0
    config = machine.path(account.config)
    config.write_text(config.read_text().replace("~/Datebook", f"{disk}{folder}"))
    account.install()
    account.syncs("Anna")
    account.machine.run(f"mkdir -p /mnt/{account.name}; mount --bind {disk} /mnt/{account.name}")
    until(lambda: account.machine.run(f"umount {disk}").returncode == 0)  # not even the unit's fence holds it
    mounts = account.machine.run(f"cat /proc/{account.shown('MainPID')}/mountinfo").stdout
    assert disk not in mounts
    until(lambda: account.status()["state"] == "attention")
    assert "mount " in account.status()["store"]["missing"]["cure"].lower()
    assert account.titles() == ["Call Anna"]
    assert account.machine.run(f"mount --bind /mnt/{account.name} {disk}").returncode == 0
    account.syncs("Boris")
    assert account.titles() == ["Call Anna", "Call Boris"]
    account.systemctl(f"stop {account.unit}")
    assert account.machine.run(f"umount {disk} /mnt/{account.name}").returncode == 0
    account.service("uninstall")
