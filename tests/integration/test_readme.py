"""The first five minutes of the README, typed in as a new user would, with what it says is answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.radicale_server import radicale

ROOT = Path(__file__).parents[2]
_SECTION = re.compile(r"^## The first five minutes\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _typed() -> Iterator[tuple[str, list[str]]]:
    """The commands, each with the lines that are printed below it."""
    section = _SECTION.search((ROOT / "README.md").read_text("utf-8"))
    assert section
    for block in _BLOCK.findall(section[1]):
        for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            yield command, answer.splitlines()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[list[str], list[str]]]]:
    """By command of the README: what it says is printed, and what is."""
    home = tmp_path_factory.mktemp("home")
    (home / "pass").write_text("me\n")
    answers = {}
    with radicale() as server:
        server.make_calendar("Work")
        for command, said in _typed():
            real = _for_this_machine(command, server.home, home)
            answers[command.split()[1]] = (said, _printed(real, home))
            if command.startswith("datebook plan"):
                assert _printed("datebook sync", home)[0].startswith("home: ")
        yield answers


def _for_this_machine(text: str, url: str, home: Path) -> str:
    """The README's server is ours, its password store a file, and its day is still to come."""
    here = text.replace("https://dav.example.com/", url).replace("pass show datebook/home", f"cat {home / 'pass'}")
    return here.replace("2026", "2036")


def _printed(command: str, home: Path) -> list[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("DATEBOOK_", "XDG_"))}
    environment = {**clean, "HOME": str(home), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    line = command.replace("datebook ", f"{sys.executable} -m daemon ", 1)
    done = subprocess.run(
        line,
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
    )
    assert not done.stderr, done.stderr
    return done.stdout.replace(str(home), "/home/me").replace("2036", "2026").splitlines()


@pytest.mark.parametrize("command", ["init", "connect", "new", "plan"])
def test_a_command_prints_what_the_readme_shows(told, command):
    said, printed = told[command]
    wanted = [line.rstrip().lower() for line in said if line.strip()]
    assert [line.rstrip().lower() for line in printed if line.strip()][: len(wanted)] == wanted


def test_the_status_has_the_form_that_the_readme_shows(told):
    said, printed = told["status"]
    for line in said:
        if line.startswith(("store", "account", "calendar", "Datebook")):
            assert line.split()[0] in {one.split()[0] for one in printed if one}, line


def test_a_pass_without_a_daemon_is_a_success_of_its_account_too(told):
    _, printed = told["status"]
    (row,) = (line for line in printed if line.startswith("home     ok"))
    assert row.endswith(" ago")
