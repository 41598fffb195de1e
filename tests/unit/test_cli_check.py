"""`datebook check`: a linter for activity files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "daemon"]


@pytest.fixture
def datebook(tmp_path):
    """Calls the command with a config, where `config` has one, and a home of its own."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TZ": "Europe/Helsinki",
        "DATEBOOK_CONFIG": str(tmp_path / "c.yaml"),
        "DATEBOOK_STATE": str(tmp_path / "state"),
    }

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args], capture_output=True, text=True, env=env, timeout=60, check=False, cwd=tmp_path
        )

    return call


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_good_file_is_fine_without_any_config(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: Call Anna\ntype: whatever\ndue_date: 2026-11-24\n")
    done = datebook("check", "a.yaml")
    assert (done.returncode, done.stdout) == (0, "1 file: 0 errors, 0 warnings\n")


def test_a_fault_has_file_line_column_reason_and_cure(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: Call Anna\ndue_date: 2026-13-01\n")
    done = datebook("check", "a.yaml")
    assert done.returncode == 3
    place, cure = done.stdout.splitlines()
    assert place.startswith("a.yaml:2:11: error: ")
    assert cure.startswith("    ")


def test_what_is_read_forgivingly_is_said_aloud_and_is_no_failure(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: Romashka: pilot\n")
    write(tmp_path / "b.yaml", "subject: Deal #1\n")
    done = datebook("check", "a.yaml", "b.yaml")
    assert done.returncode == 0
    assert "a.yaml:1:10: warning: " in done.stdout
    assert "b.yaml:1:15: warning: " in done.stdout
    assert "0 errors, 2 warnings" in done.stderr
    said = json.loads(datebook("check", "--json", "a.yaml").stdout)["problems"]
    assert [(one["severity"], one["needs_user"]) for one in said] == [("warning", False)]


def test_a_bracket_that_is_never_closed_is_read_as_text_and_said_aloud(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: [unclosed\ndue_date: 2026-11-24\n")
    done = datebook("check", "a.yaml")
    assert done.returncode == 0, done.stdout
    assert "a.yaml:1:10: warning: " in done.stdout


def test_a_calendar_that_the_config_lacks_is_an_error_with_the_nearest_name(datebook, tmp_path):
    accounts = "accounts: {home: {service: caldav, url: 'http://127.0.0.1:1/', user: me}}\n"
    write(tmp_path / "c.yaml", f"store: D\n{accounts}calendars: {{work: {{account: home}}}}\n")
    write(tmp_path / "D/a.yaml", "subject: x\ndue_date: 2026-11-24\ncalendar: wrok\n")
    write(tmp_path / "D/b.yaml", "subject: y\ndue_date: 2026-11-24\ncalendar: work\n")
    done = datebook("check")
    assert done.returncode == 3
    assert "a.yaml:3:11: error: " in done.stdout
    assert "Did you mean `work`?" in done.stdout
    assert "b.yaml" not in done.stdout
    assert datebook("check", "D/a.yaml").returncode == 3


def test_an_empty_subject_before_a_comment_says_how_to_quote_it(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: #1 deal\n")
    done = datebook("check", "a.yaml")
    assert done.returncode == 3
    assert "quotes" in done.stdout


def test_programs_get_the_problems(datebook, tmp_path):
    write(tmp_path / "a.yaml", "subject: x\nsubject: y\n")
    done = datebook("check", "--json", "a.yaml")
    (problem,) = json.loads(done.stdout)["problems"]
    assert done.returncode == 3
    assert (problem["file"], problem["line"], problem["column"]) == ("a.yaml", 2, 1)
    assert problem["code"]
    assert problem["message"]
    assert problem["cure"]


def test_the_whole_store_is_looked_over_without_what_is_ignored_there(datebook, tmp_path):
    write(tmp_path / "c.yaml", "store: D\n")
    for name in (".datebook/x.yaml", ".hidden.yaml", "a.yaml~", "a.yaml.swp", "a.yaml.bak", ".git/b.yaml", "readme.md"):
        write(tmp_path / "D" / name, "- no activity\n")
    write(tmp_path / "D/2026/11/good.yaml", "subject: x\n")
    write(tmp_path / "D/2026/bad.YML", "subject:\n")
    write(tmp_path / "D/a.sync-conflict-20261124-1.yaml", "subject: x\n")
    done = datebook("check", "--json")
    found = {problem["file"]: problem["code"] for problem in json.loads(done.stdout)["problems"]}
    assert done.returncode == 3
    assert set(found) == {"2026/bad.YML", "a.sync-conflict-20261124-1.yaml"}


def test_the_configs_types_are_known(datebook, tmp_path):
    write(tmp_path / "c.yaml", "store: D\ntypes: [visit]\n")
    write(tmp_path / "D/a.yaml", "subject: x\ntype: vist\n")
    done = datebook("check")
    assert done.returncode == 3
    assert "visit" in done.stdout


def test_a_broken_config_does_not_keep_files_from_being_checked(datebook, tmp_path):
    write(tmp_path / "c.yaml", "store: [\n")
    write(tmp_path / "a.yaml", "subject: x\n")
    done = datebook("check", "a.yaml")
    assert done.returncode == 0
    assert "c.yaml is broken" in done.stderr


def test_an_ics_file_is_checked_too(datebook, tmp_path):
    write(tmp_path / "a.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n")
    done = datebook("check", "a.ics")
    assert done.returncode == 3
    assert "a.ics" in done.stdout


def test_links_pipes_and_missing_files_are_reported_and_not_waited_for(datebook, tmp_path):
    (tmp_path / "link.yaml").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.yaml")
    done = datebook("check", "link.yaml", "pipe.yaml", "gone.yaml")
    assert done.returncode == 2
    assert "Symbolic links" in done.stdout
    assert "no regular file" in done.stdout
    assert "gone.yaml: error: It can't be read" in done.stdout
    assert datebook("check", "link.yaml", "pipe.yaml").returncode == 3
    assert datebook("check", "gone.yaml", "--json").returncode == 2


def test_a_store_that_is_not_there_is_said_plainly(datebook, tmp_path):
    write(tmp_path / "c.yaml", "store: D\n")
    done = datebook("check")
    assert done.returncode == 2
    assert "is not there" in done.stderr
