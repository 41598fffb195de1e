"""What Exchange's errors mean: each code and status has one answer."""

from datetime import timedelta

import pytest

from adapters.exchange.exchange_account import ExchangeAccount, refuse_cloud
from adapters.exchange.exchange_errors import MEANINGS, error_of, error_of_status
from daemon.core.errors import (
    CursorExpired,
    Forbidden,
    Full,
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    Unavailable,
    UsageError,
    VersionMismatch,
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ErrorServerBusy", Unavailable),
        ("ErrorTimeoutExpired", Unavailable),
        ("ErrorMailboxStoreUnavailable", Unavailable),
        ("ErrorMailboxMoveInProgress", Unavailable),
        ("ErrorInternalServerError", Unavailable),
        ("ErrorIrresolvableConflict", VersionMismatch),
        ("ErrorItemNotFound", NotFound),
        ("ErrorInvalidSyncStateData", CursorExpired),
        ("ErrorFolderNotFound", Missing),
        ("ErrorAccessDenied", Forbidden),
        ("ErrorPasswordExpired", SignInNeeded),
        ("ErrorQuotaExceeded", Full),
        ("ErrorOccurrenceCrossingBoundary", Refused),
        ("ErrorNobodyHasHeardOf", Refused),
    ],
)
def test_a_response_code_means_one_thing(code, kind):
    assert type(error_of(code, store="office", ref="item")) is kind


def test_every_code_of_the_table_stands_there_once():
    assert len(MEANINGS) == len(set(MEANINGS))
    assert all(code.startswith("Error") for code in MEANINGS)


def test_a_busy_server_is_asked_again_when_it_says_so():
    error = error_of("ErrorServerBusy", store="office", back_off=timedelta(seconds=7))
    assert isinstance(error, Unavailable)
    assert (error.after, error.throttled, error.uncertain) == (timedelta(seconds=7), True, False)


def test_what_is_refused_says_why_in_words():
    error = error_of("ErrorOccurrenceCrossingBoundary", store="office")
    assert isinstance(error, Refused)
    assert "neighbour" in error.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, SignInNeeded), (403, Forbidden), (404, Missing), (302, Missing), (429, Unavailable), (500, Unavailable),
     (501, Refused), (502, Unavailable), (503, Unavailable), (507, Full)],
)  # fmt: skip
def test_an_http_status_means_one_thing(status, kind):
    assert type(error_of_status(status, {}, store="office")) is kind


def test_a_forbidden_mailbox_is_told_about_microsoft365():
    error = error_of_status(403, {}, store="office")
    assert isinstance(error, Forbidden)
    assert "EWS is switched off for this mailbox" in str(error)
    assert "service: microsoft365" in error.what_to_do


@pytest.mark.parametrize(
    "host", ["outlook.office365.com", "OUTLOOK.office365.com", "eur.outlook.com", "outlook.live.com"]
)
def test_exchange_online_is_refused_with_the_reason_and_the_cure(host):
    with pytest.raises(UsageError, match="2026-10-01") as refused:
        ExchangeAccount(f"https://{host}/EWS/Exchange.asmx", "me@corp.example", lambda: "secret")
    assert "service: microsoft365" in refused.value.what_to_do


def test_a_server_of_ones_own_is_not_refused():
    refuse_cloud("https://mail.corp.example/EWS/Exchange.asmx")


def test_a_user_without_an_address_needs_one_beside():
    with pytest.raises(UsageError):
        ExchangeAccount("https://mail.corp.example/EWS/Exchange.asmx", "CORP\\alice", lambda: "secret")
    ExchangeAccount("https://mail.corp.example/x", "CORP\\alice", lambda: "secret", address="alice@corp.example")
