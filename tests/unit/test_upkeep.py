"""Once a day old history goes and the journal gives its room back, and nothing else is forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.core.model import Activity
from daemon.core.store import Stamp
from daemon.journal import Journal
from daemon.upkeep import Upkeep
from tests.servers.world import HandClock

KEEP = timedelta(days=30)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def remember(journal: Journal, clock: HandClock, days_ago: int, many: int = 1, raw: bytes = b"") -> None:
    at = (clock.now() - timedelta(days=days_ago)).timestamp()
    row = (at, "work", None, "call.yaml", "uid", "file", "update", "user", "edited", "{}", "{}", raw, 0)
    with journal.turn():
        journal.history.add([row] * many)


def test_history_is_kept_for_as_long_as_its_user_wants(journal: Journal, clock: HandClock) -> None:
    for days_ago in (0, 29, 31, 400):
        remember(journal, clock, days_ago)
    assert Upkeep(journal, clock, KEEP).run_if_due()
    kept = [round((clock.now().timestamp() - entry.at) / 86400) for entry in journal.history.entries()]
    assert kept == [29, 0]


def test_it_is_done_once_a_day_also_by_a_daemon_that_is_started_often(journal: Journal, clock: HandClock) -> None:
    assert Upkeep(journal, clock, KEEP).run_if_due()
    assert not Upkeep(journal, clock, KEEP).run_if_due()
    clock.at += timedelta(hours=23)
    assert not Upkeep(journal, clock, KEEP).run_if_due()
    clock.at += timedelta(hours=2)
    assert Upkeep(journal, clock, KEEP).run_if_due()


def test_a_clock_that_was_set_back_does_not_end_it_for_years(journal: Journal, clock: HandClock) -> None:
    clock.at += timedelta(days=3650)
    Upkeep(journal, clock, KEEP).run_if_due()
    clock.at -= timedelta(days=3650)
    assert Upkeep(journal, clock, KEEP).run_if_due()


def test_the_journal_is_small_again_after_a_busy_year(journal: Journal, clock: HandClock) -> None:
    remember(journal, clock, 100, many=4000, raw=os.urandom(1000))
    journal.compact()
    before = journal.path.stat().st_size
    Upkeep(journal, clock, KEEP).run_if_due()
    wal = journal.path.with_name("journal.db-wal")
    assert journal.path.stat().st_size < before / 10
    assert not wal.exists() or wal.stat().st_size == 0


def test_tombstones_are_never_forgotten(journal: Journal, clock: HandClock) -> None:
    with journal.turn():
        journal.tombstones.put("work", "uid", "remote", "removed", clock.now().timestamp() - 10**9)
    Upkeep(journal, clock, KEEP).run_if_due()
    with journal.turn():
        assert journal.tombstones.get("work", "uid") is not None


def test_a_journal_that_was_damaged_long_ago_goes_too(journal: Journal, clock: HandClock) -> None:
    old = journal.path.with_name("journal.db.damaged-20200101T000000")
    new = journal.path.with_name("journal.db.damaged-20261101T000000")
    for path, days_ago in ((old, 1000), (new, 10)):
        path.write_bytes(b"x")
        moment = (clock.now() - timedelta(days=days_ago)).timestamp()
        os.utime(path, (moment, moment))
    Upkeep(journal, clock, KEEP).run_if_due()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_removed_file_is_kept_as_long_as_the_log_tells_of_it(journal: Journal, clock: HandClock) -> None:
    for uid in ("uid", "untold"):
        with journal.turn():
            stamp, activity = Stamp(1, 1, 1, 1), Activity(uid, {})
            file = journal.files.add(uid, f"{uid}.yaml", stamp, "digest", activity, clock.now().timestamp())
            journal.copies.keep(file, b"# as it was\n")
            journal.files.forget(file)
    remember(journal, clock, days_ago=1)
    assert Upkeep(journal, clock, KEEP).run_if_due()
    with journal.turn():
        kept = journal.copies.removed("uid")
        assert journal.copies.removed("untold") is None
    assert kept is not None
    assert (kept.path, kept.raw) == ("uid.yaml", b"# as it was\n")
