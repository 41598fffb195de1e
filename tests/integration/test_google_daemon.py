"""The daemon with a Google account: a sign-in that ends is said, the other accounts go on, a new one is taken up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.sign_in.oauth_tokens import KeptTokens, Tokens
from adapters.sign_in.token_places import FilePlace
from tests.servers.google_home import SIGNED_IN
from tests.servers.google_persona import GooglePersona
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

CONFIG = (
    SIGNED_IN
    + """\
  home:
    service: caldav
    url: {home}
    user: me
    password: {{env: DATEBOOK_TEST_PASSWORD}}
calendars:
  work: {{account: google, calendar: primary, send: [call], since: all, backlog: import, poll: 1s}}
  private: {{account: home, calendar: "{home}", send: [lunch], since: all, backlog: import, poll: 1s}}
"""
)
FILE = "subject: {title}\ntype: {type}\ndue_date: 2027-11-24\ndue_time: 10:30\n"
PATIENCE = 20.0


class Machine:
    """A person's machine with two accounts."""

    def __init__(self, root: Path, persona: GooglePersona, server: Program, calendar: str) -> None:
        self.root, self.persona, self.server, self.calendar = root, persona, server, calendar
        text = CONFIG.format(root=root, url=persona.url, id=persona.oauth.client, home=calendar)
        (root / "config.yaml").write_text(text)

    def sign_in(self) -> None:
        """As `datebook connect` leaves it."""
        oauth = self.persona.oauth
        access, refresh = oauth.issue()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.persona.url))
        now = datetime.now(UTC)
        until = now + timedelta(seconds=oauth.lifetime)
        file = KeptTokens(FilePlace(self.root / "state" / "secrets" / "google.google.json", "google"))
        (self.root / "state").mkdir(mode=0o700, exist_ok=True)
        file.save(Tokens(access, now, until, refresh, f"{origin}/token", oauth.client))

    def write(self, name: str, *, type: str) -> None:  # noqa: A002  the file's own word
        (self.root / "store").mkdir(exist_ok=True)
        (self.root / "store" / f"{name}.yaml").write_text(FILE.format(title=name, type=type))

    def status(self) -> dict:
        path = self.root / "state" / "status.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def account(self, name: str) -> dict:
        return self.status().get("accounts", {}).get(name, {})

    def on_google(self) -> set[str]:
        bodies = (item.body.decode() for item in self.persona.primary.items.values())
        return {line[8:] for body in bodies for line in body.split("\r\n") if line.startswith("SUMMARY:")}

    def at_home(self) -> set[str]:
        query = b'<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/>'
        query += b'</D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
        _, _, body = self.server.ask("REPORT", self.calendar, query, {"Depth": "1"})
        return {line[8:].strip() for line in body.decode().splitlines() if line.startswith("SUMMARY:")}


@pytest.fixture
def machine(tmp_path: Path, servers: Servers) -> Iterator[Machine]:
    server = servers.get(radicale)
    with GooglePersona() as persona:
        yield Machine(tmp_path, persona, server, servers.calendar(server))


def until(ready: Callable[[], object]) -> None:
    """Wait for an event of another process."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < PATIENCE, "it does not happen"
        time.sleep(0.05)


@contextmanager
def running(machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "DATEBOOK_TEST_CLIENT": machine.persona.oauth.secret, "DATEBOOK_TEST_PASSWORD": "me"}
    places = ["--config", str(machine.root / "config.yaml"), "--state", str(machine.root / "state")]
    with (machine.root / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "daemon", *places, "run"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)


def test_a_sign_in_that_ends_is_said_with_the_cure_and_the_other_account_goes_on(machine: Machine) -> None:
    machine.sign_in()
    machine.write("Call", type="call")
    with running(machine):
        until(lambda: machine.on_google() == {"Call"})
        until(lambda: machine.account("google").get("state") == "ok" and machine.account("google")["token_expires"])
        machine.persona.oauth.revoke_all()
        until(lambda: machine.account("google")["state"] == "signed_out")
        assert "datebook connect google" in machine.account("google")["error"]["cure"]
        assert machine.status()["state"] == "attention"
        asked = len(machine.persona.oauth.log)
        machine.write("Lunch", type="lunch")
        until(lambda: machine.at_home() == {"Lunch"})
        assert machine.account("home")["state"] == "ok"
        assert len(machine.persona.oauth.log) == asked  # Google is left in peace until somebody signs in
        machine.sign_in()
        places = ["--config", str(machine.root / "config.yaml"), "--state", str(machine.root / "state")]
        environment = {**os.environ, "DATEBOOK_TEST_CLIENT": machine.persona.oauth.secret}
        command = [sys.executable, "-m", "daemon", *places, "connect", "google"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        machine.write("Call again", type="call")
        until(lambda: machine.on_google() == {"Call", "Call again"})
        until(lambda: machine.account("google")["state"] == "ok")
    log = (machine.root / "daemon.log").read_text()
    assert not any(token in log for token in [*machine.persona.oauth.refresh, *machine.persona.oauth.access])


def test_an_account_to_which_nobody_has_signed_in_yet_says_so(machine: Machine) -> None:
    machine.write("Lunch", type="lunch")
    with running(machine):
        until(lambda: machine.at_home() == {"Lunch"})
        until(lambda: machine.account("google").get("state") == "signed_out")
        assert machine.account("google")["token_expires"] is None
        assert "datebook connect google" in machine.account("google")["error"]["cure"]


def test_tokens_end_many_times_under_a_running_daemon_and_nothing_is_noticed(machine: Machine) -> None:
    machine.persona.oauth.lifetime = 0.2
    machine.sign_in()
    with running(machine):
        for number in range(3):
            machine.write(f"Call {number}", type="call")
            until(lambda number=number: f"Call {number}" in machine.on_google())
        assert machine.account("google")["state"] in {"ok", "syncing"}
    assert machine.persona.oauth.log.count("refresh_token") >= 3


def test_an_account_without_a_client_says_how_to_make_one_and_the_other_goes_on(machine: Machine) -> None:
    config = machine.root / "config.yaml"
    lines = [line for line in config.read_text().splitlines(keepends=True) if "client:" not in line]
    config.write_text("".join(lines))
    machine.write("Lunch", type="lunch")
    with running(machine):
        until(lambda: machine.at_home() == {"Lunch"})
        until(lambda: machine.account("google").get("state") == "signed_out")
        assert "docs/google.md" in machine.account("google")["error"]["cure"]
