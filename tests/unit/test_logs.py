"""What the log says, and what it never says."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from datetime import UTC, datetime

import pytest
import structlog

from daemon.logs import log_faults, redacted, set_up_logs, under_systemd

CANARIES = ["hunter2", "anna@example.com", "Call Anna", "eyJhbGciOi"]


@pytest.fixture
def logged():
    """Sets the log up into a buffer and puts everything back after."""
    root = logging.getLogger()
    before, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)

    def start(**how):
        stream = io.StringIO()
        set_up_logs(stream, clock=lambda: datetime(2026, 11, 24, 9, 30, tzinfo=UTC), **how)
        return stream

    yield start
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def test_people_read_key_and_value(logged):
    stream = logged(journal=False)
    structlog.get_logger().info("pass done", calendar="work", count=3, full=True, took=None, reason="a b")
    assert stream.getvalue() == '09:30:00 info    pass done  calendar=work count=3 full=yes took=- reason="a b"\n'


def test_journald_reads_the_level_and_json(logged):
    stream = logged(journal=True)
    log = structlog.get_logger()
    log.info("one", calendar="work")
    log.warning("two\nlines")
    log.error("three")
    lines = stream.getvalue().splitlines()
    assert [line[:3] for line in lines] == ["<6>", "<4>", "<3>"]
    assert json.loads(lines[0][3:]) == {"event": "one", "calendar": "work", "level": "info"}


def test_quiet_events_are_left_out_unless_asked_for(logged):
    stream = logged(journal=False)
    structlog.get_logger().debug("detail")
    assert stream.getvalue() == ""
    stream = logged(journal=False, level="debug")
    structlog.get_logger().debug("detail")
    assert "detail" in stream.getvalue()


@pytest.mark.parametrize("journal", [False, True])
def test_no_words_addresses_or_secrets_are_in_the_log(logged, journal):
    stream = logged(journal=journal)
    log = structlog.get_logger()
    log.info("a", subject="Call Anna", public_description="Call Anna", password="hunter2", Authorization="hunter2")
    log.info("b", request={"headers": {"x": "hunter2"}, "mails": ["anna@example.com"]}, data=b"hunter2")
    log.warning("to anna@example.com", error="401 for https://me:hunter2@dav.example.com/x")
    log.error("c", error="Bearer eyJhbGciOi.abc", query="GET /?access_token=hunter2&x=1")
    try:
        int("anna@example.com")
    except ValueError:
        log.exception("d")
    text = stream.getvalue()
    assert len(text.splitlines()) >= 5
    for canary in CANARIES:
        assert canary not in text


def test_a_library_that_logs_a_whole_event_is_reduced_to_its_name(logged):
    stream = logged(journal=False)
    logging.getLogger("caldav").warning("broken: %s", "SUMMARY:Call Anna")
    logging.getLogger("caldav").info("SUMMARY:Call Anna")
    assert "library=caldav" in stream.getvalue()
    assert "Anna" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_no_control_character_reaches_a_terminal(logged):
    stream = logged(journal=False)
    structlog.get_logger().info("a\x1b[31m\nb", reason="x\r\ny\x9b\u202e")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not [letter for letter in text[:-1] if not letter.isprintable()]


def test_a_fault_in_a_thread_is_one_event(logged):
    stream = logged(journal=True)
    log_faults()
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line[3:])
    assert (line[:3], event["event"], event["thread"]) == ("<2>", "fault", "worker")
    assert "ZeroDivisionError" in event["exception"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:x@host/p", "https://[redacted]@host/p"),
        ("Basic dXNlcjpwYXNz", "Basic [redacted]"),
        ("mail anna@example.com now", "mail [redacted] now"),
        ("2026-11-24 call.yaml 10:30", "2026-11-24 call.yaml 10:30"),
    ],
)
def test_texts_lose_what_is_private_and_nothing_else(text, expected):
    assert redacted(text) == expected


def test_journald_is_recognised_by_its_stream(tmp_path):
    with (tmp_path / "out").open("w") as stream:
        info = (tmp_path / "out").stat()
        assert under_systemd({"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}, stream)
        assert not under_systemd({"JOURNAL_STREAM": "1:2"}, stream)
        assert not under_systemd({}, stream)
    assert not under_systemd({"JOURNAL_STREAM": "1:2"}, io.StringIO())
