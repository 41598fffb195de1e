"""What every answer of Graph means: the table, row by row."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from adapters.graph.graph_errors import _CODES, CODES, Answer, Asked, error_of, meaning_of
from daemon.core.errors import (
    CursorExpired,
    Forbidden,
    Full,
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    Unavailable,
    VersionMismatch,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def answer(status, code="", **headers):
    body = {"error": {"code": code, "message": "me@corp.example: Salary talk"}} if code else {}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def error(found, asked=Asked.ITEM, *, changing=True):
    return error_of(found, asked=asked, changing=changing, now=NOW, store="office", ref="item-1")


@pytest.mark.parametrize(
    ("status", "code", "asked", "expected"),
    [
        (401, "InvalidAuthenticationToken", Asked.ITEM, SignInNeeded),
        (401, "", Asked.CALENDAR, SignInNeeded),
        (403, "ErrorAccessDenied", Asked.CALENDAR, Forbidden),
        (403, "", Asked.ITEM, Forbidden),
        (403, "ErrorQuotaExceeded", Asked.ITEM, Full),
        (404, "ErrorItemNotFound", Asked.ITEM, NotFound),
        (404, "ErrorItemNotFound", Asked.CALENDAR, Missing),
        (404, "", Asked.ITEM, Unavailable),
        (404, "ResourceNotFound", Asked.ITEM, Unavailable),
        (404, "ResourceNotFound", Asked.CALENDAR, Unavailable),
        (404, "ErrorInvalidUser", Asked.ITEM, Missing),
        (410, "", Asked.ITEM, Unavailable),
        (404, "MailboxNotEnabledForRESTAPI", Asked.CALENDAR, Missing),
        (404, "", Asked.FEED, CursorExpired),
        (409, "ErrorIrresolvableConflict", Asked.ITEM, VersionMismatch),
        (410, "SyncStateNotFound", Asked.FEED, CursorExpired),
        (410, "", Asked.FEED, CursorExpired),
        (400, "SyncStateNotFound", Asked.CALENDAR, CursorExpired),
        (400, "ErrorInvalidIdMalformed", Asked.FEED, CursorExpired),
        (400, "ErrorInvalidIdMalformed", Asked.ITEM, Refused),
        (412, "ErrorIrresolvableConflict", Asked.ITEM, VersionMismatch),
        (412, "", Asked.ITEM, VersionMismatch),
        (413, "", Asked.ITEM, Refused),
        (415, "", Asked.ITEM, Refused),
        (422, "", Asked.ITEM, Refused),
        (423, "", Asked.ITEM, Unavailable),
        (424, "", Asked.ITEM, Unavailable),
        (429, "ApplicationThrottled", Asked.ITEM, Unavailable),
        (500, "ErrorInternalServerError", Asked.ITEM, Unavailable),
        (500, "", Asked.ITEM, Unavailable),
        (502, "UnknownError", Asked.ITEM, Unavailable),
        (503, "", Asked.ITEM, Unavailable),
        (504, "UnknownError", Asked.ITEM, Unavailable),
        (507, "", Asked.ITEM, Full),
        (302, "", Asked.ITEM, Unavailable),
    ],
)
def test_every_answer_has_its_error(status, code, asked, expected):
    assert type(error(answer(status, code), asked)) is expected


def test_no_code_means_two_things():
    assert len(CODES) == sum(len(codes.split()) for codes in _CODES.values())
    assert all(meaning_of(answer(400, code)) is meaning for code, meaning in CODES.items())


def test_an_unknown_error_means_what_its_status_says():
    assert type(error(answer(404, "UnknownError"))) is Unavailable
    assert type(error(answer(401, "UnknownError"))) is SignInNeeded


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("17", timedelta(seconds=17)),
        ("Tue, 24 Nov 2026 09:02:00 GMT", timedelta(minutes=2)),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_what_the_service_orders(said, wait):
    assert error(answer(429, retry_after=said)).after == wait
    assert error(answer(503, retry_after=said)).after == wait


def test_only_a_failure_in_the_middle_of_a_change_leaves_it_uncertain():
    assert error(answer(500)).uncertain
    assert not error(answer(500), changing=False).uncertain
    assert not error(answer(429)).uncertain
    assert error(answer(429)).throttled
    assert not error(answer(500)).throttled


def test_no_error_repeats_what_graph_says_in_words():
    for status in (400, 401, 403, 404, 409, 429, 500):
        assert "Salary" not in str(error(answer(status, "SomeCode")))
        assert "corp.example" not in str(error(answer(status, "<me@corp.example>")))


def test_a_missing_permission_is_named():
    assert "Calendars.ReadWrite" in error(answer(403, "Authorization_RequestDenied"), Asked.CALENDAR).what_to_do
    assert "service: exchange" in error(answer(404, "MailboxNotEnabledForRESTAPI"), Asked.CALENDAR).what_to_do


def test_an_account_is_made_without_the_heavy_libraries():
    heavy = "{name for name in ('msal', 'exchangelib', 'requests', 'cryptography') if name in sys.modules}"
    program = f"import sys, adapters.graph.graph_account, adapters.sign_in.microsoft_signin; print({heavy})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
