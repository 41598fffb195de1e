"""What holds for every command: places, exit codes, errors, interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from daemon.cli import register
from daemon.cli.screen import age, plain, shortened, width
from daemon.core.plan import State

COMMAND = [sys.executable, "-m", "daemon"]


def datebook(*args: str, **how) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **how.pop("env", {})}
    return subprocess.run([*COMMAND, *args], capture_output=True, text=True, env=env, timeout=60, check=False, **how)


def commands() -> list[str]:
    (choices,) = (action.choices for action in register.parser()._actions if action.choices)
    return list(choices)


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help(command):
    done = datebook(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--config FILE" in done.stdout
    assert len(done.stdout.splitlines()) > 5


def test_the_help_names_every_command_and_the_exit_codes():
    text = datebook("--help").stdout
    for command in commands():
        assert f"\n    {command} " in text
    assert "Exit codes" in text


def test_the_help_of_list_names_every_state_of_a_sync():
    text = datebook("list", "--help").stdout
    assert [state for state in State if state not in text] == []


def test_the_version_is_told():
    assert datebook("--version").stdout.startswith("datebook 0.")


@pytest.mark.parametrize("args", [(), ("frob",), ("status", "--frob"), ("check", "--state")])
def test_wrong_usage_is_exit_code_2(args):
    done = datebook(*args)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("order", ["before", "after", "environment"])
def test_the_places_are_taken_before_and_after_the_command_and_from_the_environment(tmp_path, order):
    (tmp_path / "c.yaml").write_text("store: ~/D\nfrob: 1\n")
    places = ["--config", str(tmp_path / "c.yaml"), "--state", str(tmp_path / "s")]
    if order == "environment":
        env = {"DATEBOOK_CONFIG": places[1], "DATEBOOK_STATE": places[3]}
        done = datebook("check", env=env)
    else:
        done = datebook(*places, "check") if order == "before" else datebook("check", *places)
    assert done.returncode == 2
    assert f"{tmp_path}/c.yaml:2:1: There is no key `frob`." in done.stderr


def test_every_problem_of_a_config_is_shown_with_its_place_and_cure(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("store: ~/D\nshard: true\ntimezone: Europe/Helsinky\n")
    done = datebook("check", "--config", str(config))
    assert done.returncode == 2
    assert f"{config}:2:1: " in done.stderr
    assert "Did you mean `shared`?" in done.stderr
    assert f"{config}:3:11: " in done.stderr
    assert "Did you mean `Europe/Helsinki`?" in done.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}.yaml").write_text("subject:\n")
    line = f"{sys.executable} -m daemon check {tmp_path}/*.yaml | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert done.returncode == 128 + signal.SIGPIPE


def test_an_interruption_ends_it_without_a_word(tmp_path):
    config = tmp_path / "c.yaml"
    os.mkfifo(config)
    running = subprocess.Popen(
        [*COMMAND, "check", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Once the other end opens, the command is inside its work.
    with config.open("w"):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT
    assert "Traceback" not in out + err


NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (0, "0 s ago"),
        (12.7, "12 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (3600, "60 min ago"),
        (7200, "2 h ago"),
        (86400 * 3, "3 d ago"),
        (-300, "in 5 min"),
    ],
)
def test_ages_are_told_in_one_unit(ago, words):
    assert age(NOW - timedelta(seconds=ago), NOW) == words


def test_what_never_was_is_told_so():
    assert age(None, NOW) == "never"


def test_texts_of_others_are_shown_on_one_line_without_controls():
    assert plain("a\nb\x1b[31m\u202e\x9bc\r\nd") == "a b\\x1b[31m\\u202e\\x9bc d"


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_widths_are_those_of_a_terminal(text, columns):
    assert width(text) == columns


def test_a_long_text_is_cut_to_its_columns():
    assert shortened("日本語", 5) == "日本…"
    assert shortened("abc", 3) == "abc"
