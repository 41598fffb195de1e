"""`datebook connect` and `datebook calendars` against a real CalDAV server that asks for a password."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.load import load
from config.schema import SecretSource
from tests.servers.program import MKCALENDAR, Program, free_port
from tests.servers.radicale_server import radicale

COMMAND = [sys.executable, "-m", "daemon"]
WRITTEN = "# mine\nstore: ~/D   # here\nowner: me@example.com\n\n# the end\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    program = radicale(auth="htpasswd")
    (program.folder / "users").write_text("me:secret\n")
    config = program.folder / "config"
    users = f"htpasswd_filename = {program.folder / 'users'}\nhtpasswd_encryption = plain\ndelay = 0\n"
    config.write_text(config.read_text().replace("[rights]", users + "[rights]"))
    with program:
        program.make_calendar("work")
        program.make_calendar("private")
        assert program.ask("MKCALENDAR", f"{program.home}team/", MKCALENDAR % b"Sales Team")[0] == 201
        yield program


@pytest.fixture
def home(tmp_path):
    (tmp_path / "c.yaml").write_text(WRITTEN)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DATEBOOK_CONFIG": str(home / "c.yaml"),
        "DATEBOOK_STATE": str(home / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }


@pytest.fixture
def datebook(home):
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args],
            capture_output=True,
            text=True,
            env=environment(home),
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return call


def options(server: Program, home: Path, *more: str) -> tuple[str, ...]:
    known = ("--service", "caldav", "--url", server.home, "--user", "me", "--password-file", str(home / "password"))
    return ("connect", "home", *known, *more)


def test_a_new_account_is_added_below_what_was_there_once_the_login_has_worked(datebook, server, home):
    done = datebook(*options(server, home, "--calendar", "work", "--direction", "to-calendar"))
    assert (done.returncode, done.stderr) == (0, "")
    text = (home / "c.yaml").read_text()
    assert text.startswith(WRITTEN)
    config = load(home / "c.yaml", home=home)
    assert config.accounts["home"].url == server.home
    route = config.routes["home"]
    assert (route.account, route.calendar, route.direction) == ("home", "work", "to-calendar")
    assert "private" in done.stdout
    assert "secret" not in text + done.stdout


def test_given_again_it_signs_in_and_leaves_the_config_alone(datebook, server, home):
    datebook(*options(server, home, "--calendar", "work"))
    before = (home / "c.yaml").read_bytes()
    for args in (("connect", "home"), options(server, home, "--calendar", "work")):
        assert datebook(*args).returncode == 0
        assert (home / "c.yaml").read_bytes() == before


@pytest.mark.parametrize("wish", ["team", "Sales Team", "sales team", "/me/team/", "{home}team/", "{home}team"])
def test_a_calendar_is_known_by_every_name_that_the_config_may_give_it(datebook, server, home, wish):
    wish = wish.format(home=server.home)
    assert datebook(*options(server, home, "--calendar", wish)).returncode == 0
    before = (home / "c.yaml").read_bytes()
    again = datebook(*options(server, home, "--calendar", wish))
    assert (again.returncode, again.stderr) == (0, "")
    assert "connected already" in again.stdout
    assert (home / "c.yaml").read_bytes() == before
    offered = json.loads(datebook("calendars", "home", "--json").stdout)["calendars"]
    assert {one["name"]: one["route"] for one in offered}["Sales Team"] == "home"
    assert [one["route"] for one in offered].count("home") == 1


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--url", "https://dav.example.com/"), "url: http://127.0.0.1"),
        (("--user", "somebody"), "user: me"),
        (("--service", "exchange"), "service: caldav"),
        (("--password-env", "PASSWORD"), "password: {file: ...}"),
        (("--client-id", "abc"), "client: nothing"),
        (("--direction", "from-calendar"), "direction: both"),
        (("--calendar", "work", "--direction", "from-calendar"), "direction: both"),
    ],
)
def test_connecting_again_otherwise_says_what_the_config_has(datebook, server, home, more, word):
    datebook(*options(server, home, "--calendar", "work"))
    before = (home / "c.yaml").read_bytes()
    done = datebook("connect", "home", *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert (home / "c.yaml").read_bytes() == before


def test_a_second_calendar_of_an_account_is_added_by_its_name(datebook, server, home):
    datebook(*options(server, home, "--calendar", "work"))
    done = datebook("connect", "home", "--calendar", "private", "--direction", "from-calendar")
    assert done.returncode == 0
    routes = load(home / "c.yaml", home=home).routes
    assert [(route.name, route.calendar) for route in routes.values()] == [("home", "work"), ("home-2", "private")]


def test_a_wrong_password_changes_nothing_and_says_what_to_try(datebook, server, home):
    (home / "password").write_text("wrong\n")
    done = datebook(*options(server, home))
    assert done.returncode == 1
    assert "app password" in done.stderr
    assert "wrong" not in done.stdout + done.stderr
    assert (home / "c.yaml").read_text() == WRITTEN


def test_a_calendar_that_is_not_there_changes_nothing_and_names_those_that_are(datebook, server, home):
    done = datebook(*options(server, home, "--calendar", "wrok"))
    assert done.returncode == 1
    assert "work" in done.stderr
    assert (home / "c.yaml").read_text() == WRITTEN


def test_a_server_that_is_not_there_changes_nothing(datebook, home):
    url = f"http://127.0.0.1:{free_port()}/"
    done = datebook("connect", "home", "--service", "caldav", "--url", url, "--user", "me")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (home / "c.yaml").read_text() == WRITTEN


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ((), "--service"),
        (("--service", "caldavv"), "`caldav`"),
        (("--service", "caldav", "--user", "me"), "--url"),
        (("--service", "caldav", "--url", "http://dav.example.com/", "--user", "me"), "loopback"),
        (("--service", "exchange", "--url", "https://outlook.office365.com/EWS/Exchange.asmx"), "microsoft365"),
        (("--url", "https://dav.example.com/", "--user", "me"), "--service"),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_anything_is_asked_of_a_server(datebook, home, args, word):
    done = datebook("connect", "home", *args)
    assert done.returncode == 2
    assert word in done.stderr
    assert (home / "c.yaml").read_text() == WRITTEN


def test_an_account_that_is_there_is_not_changed_by_other_options(datebook, server, home):
    datebook(*options(server, home))
    before = (home / "c.yaml").read_bytes()
    done = datebook("connect", "home", "--url", "https://dav.example.com/")
    assert done.returncode == 2
    assert (home / "c.yaml").read_bytes() == before


def test_calendars_says_what_there_is_and_what_is_kept_in_step(datebook, server, home):
    datebook(*options(server, home, "--calendar", "work"))
    offered = json.loads(datebook("calendars", "home", "--json").stdout)["calendars"]
    assert {one["name"]: one["route"] for one in offered} == {
        "work": "home",
        "private": None,
        "Sales Team": None,
    }
    shown = datebook("calendars", "home")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "private" in shown.stdout


def test_an_unknown_account_names_the_nearest(datebook, server, home):
    datebook(*options(server, home))
    done = datebook("calendars", "hom")
    assert done.returncode == 2
    assert "`home`" in done.stderr


class Terminal:
    """A terminal with somebody who answers each question when it has been asked."""

    def __init__(self, home: Path, *args: str) -> None:
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *args], stdin=slave, stdout=slave, stderr=slave, env=environment(home), start_new_session=True
        )
        os.close(slave)
        self.seen = ""

    def answer(self, question: str, answer: str) -> None:
        """Wait for the question, then type."""
        before = len(self.seen)
        while question not in self.seen[before:]:
            chunk = os.read(self._master, 4096)
            assert chunk, self.seen
            self.seen += chunk.decode()
        os.write(self._master, answer.encode() + b"\n")

    def end(self) -> int:
        """Read to the end; the exit code."""
        watch = threading.Timer(60, self._process.kill)
        watch.start()
        try:
            while chunk := os.read(self._master, 4096):
                self.seen += chunk.decode()
        except OSError:
            pass
        code = self._process.wait()
        watch.cancel()
        os.close(self._master)
        return code


def test_on_a_terminal_it_asks_and_keeps_the_password_in_a_private_file(server, home):
    terminal = Terminal(home, "connect", "home")
    terminal.answer("Number", "4")
    terminal.answer("Address", server.home)
    terminal.answer("User", "me")
    terminal.answer("Password", "wrong")
    terminal.answer("Password", "secret")
    terminal.answer("Number", "2")
    assert terminal.end() == 0, terminal.seen
    config = load(home / "c.yaml", home=home)
    password = config.accounts["home"].password
    assert password is not None
    assert password.source is SecretSource.FILE
    kept = Path(password.value)
    assert (kept.parent.parent, kept.read_text()) == (home / "state", "secret\n")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(config.routes) == 1
    assert "secret" not in terminal.seen


def test_a_login_that_never_works_leaves_no_password_behind(server, home):
    terminal = Terminal(home, "connect", "home", "--service", "caldav", "--url", server.home, "--user", "me")
    for _ in range(3):
        terminal.answer("Password", "wrong")
    assert terminal.end() == 1
    assert (home / "c.yaml").read_text() == WRITTEN
    assert list((home / "state").rglob("*.password")) == []


def test_a_password_command_that_fails_is_not_taken_for_a_refused_login(datebook, server):
    known = ("--service", "caldav", "--url", server.home, "--user", "me", "--password-command", "cat ~/nowhere")
    done = datebook("connect", "home", *known)
    assert done.returncode == 1
    assert "app password" not in done.stderr
    assert "without a shell" in done.stderr
