"""`datebook init` and `datebook new`: the first minutes with Datebook."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config.load import load

SCHEMA = Path(__file__).parents[2] / "config" / "activity.schema.json"
COMMAND = [sys.executable, "-m", "daemon"]


@pytest.fixture
def environment(tmp_path):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TZ": "Europe/Helsinki",
        "DATEBOOK_CONFIG": str(tmp_path / "config" / "c.yaml"),
        "DATEBOOK_STATE": str(tmp_path / "state"),
    }


@pytest.fixture
def datebook(tmp_path, environment):
    def call(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args],
            capture_output=True,
            text=True,
            env={**environment, **more},
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )

    return call


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


INIT = ("init", "--store", "D", "--owner", "me@example.com", "--yes")


def test_it_makes_store_marker_config_and_state_and_asks_nothing(datebook, tmp_path):
    done = datebook(*INIT)
    assert (done.returncode, done.stderr) == (0, "")
    config = load(tmp_path / "config" / "c.yaml", home=tmp_path)
    assert (config.store, config.owner, config.timezone) == (tmp_path / "D", "me@example.com", "Europe/Helsinki")
    assert (tmp_path / "D" / ".datebook" / "store.yaml").exists()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert (tmp_path / "D" / ".datebook" / "activity.schema.json").read_bytes() == SCHEMA.read_bytes()
    assert "activity.schema.json" in (tmp_path / "D" / ".vscode" / "settings.json").read_text()
    assert "datebook connect" in done.stdout


def test_the_store_is_named_from_home_so_that_the_config_can_travel(datebook, tmp_path):
    datebook(*INIT)
    assert "store: ~/D\n" in (tmp_path / "config" / "c.yaml").read_text()


def test_given_again_it_changes_nothing(datebook, tmp_path):
    datebook(*INIT)
    before = tree(tmp_path)
    done = datebook(*INIT)
    assert done.returncode == 0
    assert tree(tmp_path) == before


def test_a_config_with_another_store_is_not_overwritten(datebook, tmp_path):
    datebook(*INIT)
    before = tree(tmp_path)
    done = datebook("init", "--store", "E", "--owner", "me@example.com", "--yes")
    assert done.returncode == 2
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--owner", "you@example.com"), "owner: me@example.com"),
        (("--timezone", "Asia/Tokyo"), "timezone: Europe/Helsinki"),
        (("--shared",), "shared: false"),
    ],
)
def test_options_that_differ_from_the_config_are_answered_and_not_ignored(datebook, tmp_path, options, word):
    datebook(*INIT)
    before = tree(tmp_path)
    done = datebook("init", *options, "--yes")
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr
    assert "Edit it" in done.stderr
    assert tree(tmp_path) == before


def test_a_store_whose_disk_is_missing_gets_no_new_marker(datebook, tmp_path):
    datebook(*INIT)
    (tmp_path / "state" / "journal.db").touch()
    (tmp_path / "D").rename(tmp_path / "unplugged")
    done = datebook("init", "--yes")
    assert done.returncode == 2
    assert "mount" in done.stderr
    assert not (tmp_path / "D").exists()


def test_a_second_person_joins_a_shared_store_by_its_marker(datebook, tmp_path, environment):
    datebook(*INIT, "--shared")
    marker = (tmp_path / "D" / ".datebook" / "store.yaml").read_bytes()
    done = datebook(*INIT, DATEBOOK_CONFIG=str(tmp_path / "c2.yaml"), DATEBOOK_STATE=str(tmp_path / "s2"))
    assert done.returncode == 0
    assert (tmp_path / "D" / ".datebook" / "store.yaml").read_bytes() == marker
    assert load(tmp_path / "c2.yaml", home=tmp_path).shared


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("--owner", "me"), "mail address"),
        (("--timezone", "Europe/Helsinky"), "Europe/Helsinki"),
        (("--store", "file"), "no folder"),
    ],
)
def test_wrong_answers_make_nothing(datebook, tmp_path, args, word):
    (tmp_path / "file").touch()
    done = datebook("init", "--yes", *args)
    assert done.returncode == 2
    assert word in done.stderr
    assert set(tree(tmp_path)) == {"file"}


def test_where_nobody_can_answer_it_says_which_options_to_give(datebook):
    done = datebook("init")
    assert done.returncode == 2
    assert "--store DIR --owner MAIL --yes" in done.stderr


def test_on_a_terminal_four_questions_with_defaults_are_enough(tmp_path, environment):
    master, slave = os.openpty()
    running = subprocess.Popen(
        [*COMMAND, "init"], stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=environment, text=True
    )
    os.close(slave)
    os.write(master, b"\nnobody\nme@example.com\n\n\n")
    out, _ = running.communicate(timeout=60)
    os.close(master)
    assert running.returncode == 0, out
    config = load(tmp_path / "config" / "c.yaml", home=tmp_path)
    assert (config.store, config.owner, config.shared) == (tmp_path / "Datebook", "me@example.com", False)


def test_new_writes_a_file_that_check_finds_good(datebook, tmp_path):
    datebook(*INIT)
    done = datebook("new", "call", "Call Anna: #1 deal", "--date", "2026-11-24", "--time", "9:30", "--duration", "45m")
    path = tmp_path / "D/2026/11/2026-11-24-call-anna-1-deal.yaml"
    assert (done.returncode, done.stdout) == (0, f"{path}\n")
    lines = path.read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../../.datebook/activity.schema.json"
    assert lines[1:] == [
        'subject: "Call Anna: #1 deal"',
        "type: call",
        "due_date: 2026-11-24",
        "due_time: 9:30",
        "duration: 45m",
        "note:",
    ]
    assert datebook("check").returncode == 0


def test_new_without_a_date_is_unscheduled_and_takes_no_taken_name(datebook, tmp_path):
    datebook(*INIT)
    first = datebook("new", "task", "Write", "to", "Änna").stdout.strip()
    second = datebook("new", "task", "Write to Änna").stdout.strip()
    assert (first, second) == (str(tmp_path / "D/write-to-änna.yaml"), str(tmp_path / "D/write-to-änna-2.yaml"))
    assert "not synced" in datebook("new", "task", "Write to Änna").stderr
    assert "subject: Write to Änna\n" in Path(first).read_text()


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("cal", "x"), "`call`"),
        (("call", "x", "--date", "24.11.2026"), "2026-11-24"),
        (("call", "x", "--date", "2026-11-24", "--time", "25:00"), "due_time"),
        (("call", "x", "--time", "9:30"), "--date"),
        (("call", " "), "subject"),
    ],
)
def test_new_writes_nothing_that_is_broken(datebook, tmp_path, args, word):
    datebook(*INIT)
    before = tree(tmp_path)
    done = datebook("new", *args)
    assert done.returncode == 2
    assert word in done.stderr
    assert tree(tmp_path) == before


def test_new_opens_the_editor_on_a_terminal_and_looks_the_file_over_after(datebook, tmp_path, environment):
    datebook(*INIT)
    (tmp_path / "editor").write_text('#!/bin/sh\necho "due_date: 2026-13-01" > "$1"\n')
    (tmp_path / "editor").chmod(0o755)
    master, slave = os.openpty()
    running = subprocess.Popen(
        [*COMMAND, "new", "call", "Anna"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "EDITOR": str(tmp_path / "editor")},
    )
    os.close(slave)
    assert running.wait(60) == 3
    assert b"2026-13-01" in os.read(master, 65536)
    os.close(master)
