"""Secrets and private texts planted everywhere: no log, status file, error or output has them, whatever goes wrong."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import CONFIG, Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import status, until

pytestmark = pytest.mark.slow
PASSWORD = "canary-Passw0rd-7351"
SECRETS = (
    PASSWORD,
    base64.b64encode(f"me:{PASSWORD}".encode()).decode(),
    "canary-token-8842",  # in an address that the server redirects to
    "canary-cookie-1190",
    "canary-said-by-the-password-command-5520",
)
# Words of people: they are in the files and in the calendar, and in what their owner asks to see.
WORDS = ("canary-title", "canary-description", "canary-note", "canary-place", "canary-guest")
PRIVATE = ("canary-private-title", "canary-private-description")
OPEN = """\
subject: canary-title call
due_date: 2027-11-24
due_time: 10:30
location: canary-place
public_description: canary-description
note: canary-note
attendees: [canary-guest <canary-guest@example.com>]
"""
CLOSED = """\
subject: canary-private-title
due_date: 2027-11-25
private: true
public_description: canary-private-description
"""
BROKEN = "subject: canary-title\nnote: canary-note\npublic_description: [canary-description\n"
ECHO = b"<html>canary-title canary-private-title " + PASSWORD.encode() + b" canary-token-8842</html>"


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.get(radicale).home) as proxy:
        yield proxy


class Guarded(Person):
    """A person whose password is a canary in a file; everything runs under umask 000."""

    def configure(self, extra: str = "") -> None:
        secret = self.root / "secret"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        text = CONFIG.format(store=self.store, url=self.url, extra=extra)
        text = text.replace("{env: DATEBOOK_TEST_PASSWORD}", f"{{file: {secret}}}")
        (self.root / "config.yaml").write_text(text)

    def daemon(self, *, journald: bool) -> subprocess.Popen[bytes]:
        log = (self.root / "daemon.log").open("ab")
        info = os.fstat(log.fileno())
        env = {**self.environment, **({"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"} if journald else {})}
        command = [sys.executable, "-m", "daemon", *self.places, "run"]
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=0)


@pytest.fixture
def person(servers: Servers, proxy: FaultProxy, tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "me", proxy.url_of(servers.calendar(servers.get(radicale))), "    poll: 2s\n")


TROUBLES = {
    "a refused login": Fault(
        answer(401, ECHO, WWW_Authenticate="Basic", Set_Cookie="x=canary-cookie-1190"), times=None
    ),
    "a missing right": Fault(answer(403, ECHO), times=None),
    "a server error": Fault(answer(500, ECHO), times=None),
    "an answer that is no XML": Fault(answer(207, ECHO), times=None),
    "a refused event": Fault(answer(400, ECHO), method="PUT", times=None),
    "a redirect with a token": Fault(
        answer(302, b"", Location="http://other.example/?access_token=canary-token-8842"), times=None
    ),
}


def seen_by_others(person: Person) -> dict[str, str]:
    """Everything that leaves the program unasked: its log, its status file, and what it keeps."""
    state = person.root / "state"
    kept = {path.name: path.read_bytes().decode("latin-1") for path in state.iterdir() if path.is_file()}
    return {"log": (person.root / "daemon.log").read_text(), **kept}


def outputs(person: Person) -> dict[str, str]:
    """What the commands say, on both streams."""
    commands = [
        ["status"],
        ["status", "--json"],
        ["doctor"],
        ["conflicts"],
        ["why", "open.yaml"],
        ["why", "broken.yaml"],
    ]
    commands += [["sync"], ["calendars", "home"], ["check"], ["log", "--json"], ["service", "status"]]
    said = {}
    for command in commands:
        done = person.run(*command)
        said[" ".join(command)] = done.out + done.err
    return said


def none_of(canaries: tuple[str, ...], texts: dict[str, str]) -> None:
    found = [(name, canary) for name, text in texts.items() for canary in canaries if canary in text]
    assert not found


@pytest.mark.parametrize("number", range(len(TROUBLES)), ids=list(TROUBLES))
def test_no_trouble_tells_a_secret_or_anybodys_words(person: Guarded, proxy: FaultProxy, number: int) -> None:
    trouble = replace(list(TROUBLES.values())[number])
    daemon = person.daemon(journald=number % 2 == 0)
    try:
        until(lambda: status(person).get("state"))
        person.write("open.yaml", OPEN)
        person.write("closed.yaml", CLOSED)
        person.write("broken.yaml", BROKEN)
        until(lambda: "uid:" in person.read("closed.yaml"))
        proxy.add(trouble)
        person.edit("open.yaml", "10:30", "11:30")
        person.edit("closed.yaml", "2027-11-25", "2027-11-26")
        until(lambda: trouble.hits)  # one may be all: after a refused login nothing more is asked
        said = outputs(person)
        until(lambda: status(person)["problems"] or status(person)["accounts"]["home"]["error"])
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)
    unasked = seen_by_others(person)
    none_of(SECRETS, unasked)
    none_of(SECRETS, said)
    none_of((*WORDS, *PRIVATE), {"log": unasked["log"]})
    none_of((*PRIVATE, *WORDS[1:]), {"status.json": unasked["status.json"]})
    none_of(PRIVATE, {name: said[name] for name in ("status", "status --json", "doctor", "conflicts")})


def test_the_state_is_its_users_alone_whatever_the_umask(person: Guarded) -> None:
    daemon = person.daemon(journald=False)
    try:
        until(lambda: status(person).get("state") == "ok")
        state = person.root / "state"
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in state.iterdir()}
        assert {"journal.db", "journal.db-wal", "status.json", "lock", "control.sock"} <= modes.keys()
        assert set(modes.values()) == {"0o600"}
        assert oct(state.stat().st_mode & 0o777) == "0o700"
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)


def test_a_password_command_that_talks_is_not_quoted(person: Guarded) -> None:
    config = person.root / "config.yaml"
    command = "echo canary-said-by-the-password-command-5520 >&2; exit 1"
    config.write_text(config.read_text().replace(f"{{file: {person.root / 'secret'}}}", f'{{command: "{command}"}}'))
    texts = {name: (done := person.run(*name.split())).out + done.err for name in ("sync", "doctor", "status")}
    none_of(SECRETS, texts)


def test_a_login_in_an_address_is_refused_and_not_repeated(person: Guarded) -> None:
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace("http://", f"http://me:{PASSWORD}@"))
    texts = {name: (done := person.run(*name.split())).out + done.err for name in ("sync", "run", "doctor")}
    none_of(SECRETS, texts)
    state = person.root / "state" / "status.json"
    none_of(SECRETS, {"status": state.read_text() if state.exists() else ""})


def test_private_events_of_the_calendar_are_in_no_log_and_no_status(servers: Servers, tmp_path: Path) -> None:
    extra = "    private_events: busy\n    poll: 2s\n"
    person = Guarded(tmp_path / "me", servers.calendar(servers.get(radicale)), extra)
    person.client.password = PASSWORD
    daemon = person.daemon(journald=True)
    try:
        until(lambda: status(person).get("state") == "ok")
        person.add_event(
            "canary-private-title",
            uid="closed-1",
            start="20271125T120000",
            end="20271125T130000",
            more="CLASS:PRIVATE\r\nDESCRIPTION:canary-private-description\r\n",
        )
        until(person.files)
        said = outputs(person)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)
    (name,) = person.files()
    assert "subject: Busy" in person.read(name)
    none_of(PRIVATE, seen_by_others(person))  # the journal holds no more than the file
    none_of(PRIVATE, said)
    assert "canary" not in name
