"""The status file: what it says, how it is written, and that it is read back as it was."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pytest

from daemon.status import (
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Health,
    Held,
    Life,
    OpenConflict,
    Problem,
    Status,
    StoreStatus,
    Trouble,
    health,
)
from daemon.status.status_file import StatusUnreadable, parse_status, read_text, write_status
from daemon.status.status_mapping import build_status

SCHEMA = json.loads((Path(__file__).parents[2] / "config" / "status.schema.json").read_text())
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=timezone(timedelta(hours=2)))

QUIET = Status("0.1.0", 4711, NOW, NOW, StoreStatus("/home/anna/Datebook", activities=3))
FULL = replace(
    QUIET,
    state=Health.ATTENTION,
    accounts={
        "google": AccountStatus(last_success=NOW, token_expires=NOW),
        "office": AccountStatus(
            AccountState.SIGNED_OUT, NOW, error=Trouble("auth", "Refused.", "datebook connect office")
        ),
    },
    calendars={
        "work": CalendarStatus("google", "both", CalendarState.HELD, NOW, 5, held=Held("brake", deletes=12, id="h1")),
        "team": CalendarStatus("office", "from-calendar"),
    },
    problems=[
        Problem("duplicate_key", "`subject` stands here twice.", "Keep one.", NOW, file="a.yaml", line=3, column=1),
        Problem("calendar_missing", "Gone.", "datebook calendars office", calendar="team"),
        Problem("sync_conflict", "A replicator's copy.", "Delete it.", file="a.sync-conflict-1.yaml", needs_user=False),
    ],
    conflicts=[
        OpenConflict("b.yaml", "work", "subject", "Call Anna", "Call Änna", None, NOW),
        OpenConflict("c.yaml", "work", "location", "Doctor", None, "calendar", NOW, private=True),
    ],
)


@pytest.mark.parametrize("status", [QUIET, FULL], ids=["quiet", "full"])
def test_the_status_file_keeps_to_its_shipped_schema(status):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    written = json.loads(json.dumps(build_status(status)))
    jsonschema.validate(written, SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "status.json"
    masked = replace(FULL.conflicts[1], file_value="(private)")
    write_status(path, FULL)
    expected = replace(FULL, problems=tuple(FULL.problems), conflicts=(FULL.conflicts[0], masked))
    assert parse_status(read_text(path) or "") == expected


def test_no_text_of_a_private_activity_is_in_it():
    assert "Doctor" not in json.dumps(build_status(FULL))


def test_times_have_an_offset():
    assert build_status(QUIET)["updated"] == "2026-11-24T09:30:00.000+02:00"


def test_only_its_user_can_read_it_whatever_the_umask(tmp_path):
    path = tmp_path / "status.json"
    path.touch(0o644)
    old = os.umask(0)
    try:
        write_status(path, QUIET)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_a_leftover_of_a_killed_daemon_is_no_hindrance(tmp_path):
    path = tmp_path / "status.json"
    (tmp_path / f".status.json.{os.getpid()}.tmp").write_text("half")
    write_status(path, QUIET)
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "status.json"
    path.mkdir()
    with pytest.raises(OSError, match=r"status\.json"):
        write_status(path, QUIET)
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_a_missing_status_file_is_no_error(tmp_path):
    assert read_text(tmp_path / "status.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 2}', '{"schema": 1, "state": "fine"}', "null", "1"])
def test_a_status_file_that_cannot_be_understood_says_so(text):
    with pytest.raises(StatusUnreadable):
        parse_status(text)


HEALTHY = replace(QUIET, accounts={"a": AccountStatus()}, calendars={"w": CalendarStatus("a", "both")})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HEALTHY, Health.OK),
        (replace(HEALTHY, accounts={"a": AccountStatus(AccountState.THROTTLED)}), Health.OK),
        (replace(HEALTHY, accounts={"a": AccountStatus(AccountState.UNREACHABLE)}), Health.ATTENTION),
        (replace(HEALTHY, accounts={"a": AccountStatus(AccountState.SIGNED_OUT)}), Health.ATTENTION),
        (replace(HEALTHY, calendars={"w": CalendarStatus("a", "both", blocked=1)}), Health.ATTENTION),
        (replace(HEALTHY, calendars={"w": CalendarStatus("a", "both", held=Held("brake"))}), Health.ATTENTION),
        (replace(HEALTHY, calendars={"w": CalendarStatus("a", "both", CalendarState.WAITING)}), Health.OK),
        (replace(HEALTHY, store=StoreStatus("/d", broken=1)), Health.ATTENTION),
        (replace(HEALTHY, store=StoreStatus("/d", missing=Trouble("marker", "Gone."))), Health.ATTENTION),
        (replace(HEALTHY, problems=FULL.problems[:1]), Health.ATTENTION),
        (replace(HEALTHY, problems=FULL.problems[2:]), Health.OK),
        (replace(HEALTHY, conflicts=FULL.conflicts[:1]), Health.ATTENTION),
        (replace(HEALTHY, conflicts=FULL.conflicts[1:]), Health.OK),
    ],
)
def test_the_state_is_attention_when_something_needs_its_user(status, expected):
    assert health(Life.IDLE, status) is expected


def test_work_is_shown_only_when_nothing_needs_its_user():
    assert health(Life.WORKING, HEALTHY) is Health.SYNCING
    assert health(Life.WORKING, FULL) is Health.ATTENTION


def test_a_daemon_that_has_ended_says_how():
    assert health(Life.STOPPED, HEALTHY) is Health.STOPPED
    assert health(Life.FAILED, FULL) is Health.FAILED


def test_times_are_kept_with_their_own_offset():
    status = replace(QUIET, updated=NOW.astimezone(UTC))
    assert build_status(status)["updated"] == "2026-11-24T07:30:00.000+00:00"
