"""Trouble with an Exchange server: sign-in, throttling, lost answers, silence; and the zone of the host."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.exchange.exchange_account import discover
from daemon.core.errors import (
    Forbidden,
    Missing,
    SignInNeeded,
    Unavailable,
    VersionMismatch,
)
from daemon.core.model import Field, Key, Timed
from daemon.core.store import Create, Finding, Update
from tests.servers.ews_server import Trouble, serving
from tests.servers.ews_worlds import ExchangeHand, exchange_account
from tests.servers.one_order import ordered
from tests.servers.outlook_services import ExchangeService

ROOT = Path(__file__).parents[2]
VIEW = {
    Key(Field.SUBJECT): "Secret plan",
    Key(Field.WHEN): Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1)),
}


@pytest.fixture
def outlook(ews):
    return ExchangeService(ews)


def outcome(store, uid="uid-1"):
    return ordered(store, Create(uid, f"token {uid}", VIEW))


# --- sign-in


def test_a_wrong_password_is_tried_once_and_the_user_is_told(ews):
    account = exchange_account(ews, secret=lambda: "wrong")
    with pytest.raises(SignInNeeded) as refused:
        account.open("primary")
    assert "datebook connect" in refused.value.what_to_do
    assert ews.logins == 1


def test_a_password_that_was_put_right_is_used_from_then_on(ews):
    passwords = ["wrong"]
    account = exchange_account(ews, secret=lambda: passwords[-1])
    with pytest.raises(SignInNeeded):
        account.calendars()
    passwords.append(ews.password)
    assert account.calendars()


def test_a_password_that_is_changed_while_the_daemon_runs_stops_at_the_first_refusal(ews, store):
    cursor = store.changes(None).cursor
    ews.password, before = (
        "another",
        ews.logins,
    )  # on the server; the session goes on with the old one
    with pytest.raises(SignInNeeded):
        store.changes(cursor)
    assert ews.logins == before + 1


def test_signing_in_asks_for_as_little_as_it_can(ews):
    account = exchange_account(ews)
    account.open("primary")
    assert ews.operations == ["GetFolder"]
    account.close()


def test_a_server_that_takes_kerberos_alone_says_what_to_install(ews):
    ews.challenge = "Negotiate"
    with pytest.raises(SignInNeeded) as refused:
        exchange_account(ews).open("primary")
    assert "datebook[kerberos]" in refused.value.what_to_do


def test_a_token_from_a_broker_signs_in(ews):
    ews.tokens.add("token-1")
    account = exchange_account(ews, bearer=True, secret=lambda: "token-1")
    assert account.open("primary").changes(None).complete


def test_a_token_that_expired_is_asked_for_again_and_once(ews):
    broker = ["token-1"]
    ews.tokens = {"token-1"}
    store = exchange_account(ews, bearer=True, secret=lambda: broker[-1]).open("primary")
    ews.tokens = {"token-2"}
    broker.append("token-2")
    assert store.changes(None).complete
    ews.tokens = {"token-3"}
    with pytest.raises(SignInNeeded):
        store.changes(None)


def test_a_mailbox_whose_ews_is_switched_off_is_told_about_microsoft365(ews, store):
    ews.fail(Trouble.FORBIDDEN)
    with pytest.raises(Forbidden) as refused:
        store.changes(None)
    assert "service: microsoft365" in refused.value.what_to_do


def test_check_says_what_is_fine_and_what_is_not(ews):
    ews.mailbox.add_folder("Holidays", writable=False)
    account = exchange_account(ews)
    findings = list(account.check())
    assert [finding.code for finding in findings if finding.ok] == ["login", "rights"]
    assert [finding.cure != "" for finding in findings if not finding.ok] == [True]
    [refused] = exchange_account(ews, secret=lambda: "wrong").check()
    assert isinstance(refused, Finding)
    assert not refused.ok


def test_a_mail_domain_that_names_no_exchange_is_told_and_leaves_nothing_in_the_common_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Missing) as missing:
        discover("me@nowhere.invalid", "me@nowhere.invalid", lambda: "secret")
    assert "--url" in missing.value.what_to_do
    assert list(tmp_path.iterdir()) == []


# --- the network


@pytest.mark.parametrize("trouble", [Trouble.THROTTLED, Trouble.UNAVAILABLE])
def test_a_server_that_says_how_long_to_wait_is_heard(ews, store, trouble):
    ews.fail(trouble, retry_after=42)
    with pytest.raises(Unavailable) as later:
        store.changes(None)
    assert later.value.after == timedelta(seconds=42)
    assert later.value.throttled
    assert store.changes(None).complete


def test_the_back_off_of_a_busy_fault_is_heard(ews, store):
    ews.fail(Trouble.BUSY)
    with pytest.raises(Unavailable) as later:
        store.changes(None)
    assert later.value.after == timedelta(seconds=7)


@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.BROKEN])
def test_a_broken_answer_is_trouble_for_later_and_asked_once(ews, store, trouble):
    before = len(ews.asked)
    ews.fail(trouble)
    with pytest.raises(Unavailable):
        store.changes(None)
    assert len(ews.asked) == before + 1


def test_silence_ends_after_the_time_limit(ews):
    store = exchange_account(ews, timeout=0.3).open("primary")
    ews.fail(Trouble.HANG)
    with pytest.raises(Unavailable) as later:
        store.changes(None)
    assert later.value.uncertain


def test_a_server_that_is_not_there_got_nothing_for_certain(ews):
    store = exchange_account(ews).open("primary")
    with serving() as other:
        assert exchange_account(other).open("primary")
    with pytest.raises(Unavailable) as later:
        exchange_account(other).open("primary")
    assert not later.value.uncertain
    assert store.changes(None).complete


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.BUSY, Trouble.DROP, Trouble.UNAUTHORIZED])
def test_an_error_of_one_write_is_its_outcome_and_the_next_go_on(ews, store, trouble):
    ews.fail(trouble, "CreateItem")
    writes = [Create(f"uid-{number}", f"token-{number}", VIEW) for number in range(3)]
    outcomes = [type(result).__name__ for _, result in store.write(writes)]
    assert outcomes[0] in {"Unavailable", "SignInNeeded"}
    assert outcomes[1:] == ["Written", "Written"]


def test_a_throttled_reading_is_no_deletion_and_the_whole_batch_is_asked_for_again(ews, store):
    hand = ExchangeHand(ews.mailbox, ews.mailbox.default)
    ids = [hand.add(f"uid-{number}", "Event") for number in range(12)]
    ews.fail(Trouble.UNAVAILABLE, "GetItem", skip=1)
    with pytest.raises(Unavailable):
        list(store.read(ids))
    assert len(list(store.read(ids))) == 12


def test_a_conflict_that_the_server_reports_is_a_version_mismatch(ews, store):
    written = outcome(store)
    [item] = store.read([written.ref.id])
    ews.fail(Trouble.ERROR, "UpdateItem", code="ErrorIrresolvableConflict")
    [(_, result)] = store.write([Update(item.ref, "t", {Key(Field.SUBJECT): "x"}, item.raw)])
    assert isinstance(result, VersionMismatch)


def test_no_text_of_an_event_is_in_a_log_or_an_error(ews, store, caplog):
    caplog.set_level(logging.DEBUG)
    for trouble in (Trouble.DROP, Trouble.BROKEN, Trouble.BUSY, Trouble.ERROR):
        ews.fail(trouble, "CreateItem", code="ErrorCorruptData")
        assert "Secret plan" not in str(outcome(store))
    assert "Secret plan" not in caplog.text


# --- the program's own manners


def test_exchangelib_is_not_imported_before_an_account_is_used():
    code = (
        "import sys; from adapters.exchange.exchange_account import ExchangeAccount as A; "
        "A('https://mail.corp.example/EWS/Exchange.asmx', 'me@corp.example', str); "
        "sys.exit('exchangelib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_the_zone_of_the_host_changes_nothing(zone):
    tests = ["tests/unit/test_ews_codec.py", "tests/integration/test_outlook_series.py"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *tests,
            "-k",
            "not cut_off and not graph",
        ],
        cwd=ROOT,
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_exchange_works_beside_the_caldav_library_which_brings_another_urllib3(ews):
    code = (
        "import caldav, sys; from adapters.exchange.exchange_account import ExchangeAccount as A; "
        "store = A(sys.argv[1], 'me@corp.example', lambda: 'secret').open('primary'); "
        "sys.exit(not store.changes(None).complete)"
    )
    assert subprocess.run([sys.executable, "-c", code, ews.address], cwd=ROOT, check=False).returncode == 0


def test_how_the_server_takes_the_login_is_remembered_and_not_asked_at_the_next_start(
    ews,
):
    kept = {}
    first = exchange_account(
        ews,
        recall=lambda: kept.get("manner", ""),
        remember=lambda word: kept.update(manner=word),
    )
    first.calendars()
    first.close()
    assert kept["manner"].startswith("basic 15.")
    ews.challenge = "Negotiate"  # who asks how to log in is told of Kerberos now; who remembers does not ask
    second = exchange_account(ews, recall=lambda: kept["manner"])
    assert second.calendars()
    second.close()
    with pytest.raises(SignInNeeded):
        exchange_account(ews).calendars()


def test_a_login_that_is_refused_forgets_how_it_was_taken(ews):
    kept = {"manner": "basic 15.2.1748.10"}
    ews.password = "another"
    account = exchange_account(
        ews,
        secret=lambda: "old",
        recall=lambda: kept["manner"],
        remember=lambda word: kept.update(manner=word),
    )
    with pytest.raises(SignInNeeded):
        account.calendars()
    assert kept["manner"] == ""
