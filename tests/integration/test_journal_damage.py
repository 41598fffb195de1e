"""The journal lost or damaged in every way: found or harmless, and rebuilt with no write to either side."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.servers.kill_points import Stage, stage_on
from tests.servers.kill_scene import EVENT, FILE, LocalDav, edit_file, titled


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Six files and four events in step, one file deleted before, and one event that was deleted before."""
    with stage_on(tmp_path / "stage", LocalDav()) as made:
        made.sync()
        for number in range(7):
            (made.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}"))
        for number in range(5):
            made.dav.add(f"e{number}.ics", EVENT.format(uid=f"e{number}", title=f"Event {number}"))
        made.sync(2)
        shutil.copy2(made.store / "f6.yaml", made.root / "f6.yaml")
        (made.store / "f6.yaml").unlink()
        made.dav.remove("e4.ics")
        made.sync(2)
        made.keep()
        yield made


def everything(stage: Stage) -> tuple[dict[str, bytes], dict[str, str]]:
    files = {
        path.relative_to(stage.store).as_posix(): path.read_bytes()
        for path in stage.store.rglob("*")
        if path.is_file() and ".datebook" not in path.parts
    }
    return files, stage.dav.texts()


def delete(journal: Path) -> None:
    for path in journal.parent.glob("journal.db*"):
        path.unlink()


def empty(journal: Path) -> None:
    delete(journal)
    journal.touch()


def foreign(journal: Path) -> None:
    delete(journal)
    journal.write_bytes(b"This is no database at all. " * 1000)


def halved(journal: Path) -> None:
    raw = journal.read_bytes()
    journal.write_bytes(raw[: len(raw) // 2])


def old_schema(journal: Path) -> None:
    db = sqlite3.connect(journal)
    db.execute("PRAGMA user_version = 0")
    db.close()


LOSSES: list[Callable[[Path], None]] = [delete, empty, foreign, halved, old_schema]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_journal_is_rebuilt_without_a_write_to_either_side(stage: Stage, lose: Callable[[Path], None]) -> None:
    before = everything(stage)
    lose(stage.places.journal)
    stage.sync(2)
    assert everything(stage) == before
    assert stage.outcome()["conflicts"] == []
    assert stage.held() == {}
    edit_file(stage.store / "f0.yaml", "File 0", "File 0 edited")
    stage.dav.edit("e0.ics", lambda text: text.replace("Event 0", "Event 0 edited"))
    stage.sync(2)
    assert titled(stage, "File 0 edited")
    assert any("Event 0 edited" in text for text in stage.outcome()["files"].values())


def test_after_the_loss_unequal_fields_are_open_conflicts_and_one_sided_items_are_held(stage: Stage) -> None:
    edit_file(stage.store / "f0.yaml", "File 0", "File 0 here")
    (stage.store / "only-here.yaml").write_text(FILE.format(title="Only here"))
    stage.dav.add("only-there.ics", EVENT.format(uid="only-there", title="Only there"))
    before = everything(stage)
    delete(stage.places.journal)
    stage.sync(2)
    assert everything(stage) == before
    assert [key for key, _, _ in stage.outcome()["conflicts"]] == ["subject"]
    assert stage.held() == {"rebuild": 2}
    stage.approve()
    files, events = everything(stage)
    assert any(b"Only there" in text for text in files.values())
    assert any("Only here" in text for text in events.values())


def test_a_new_file_after_the_rebuild_goes_out_although_others_are_held(stage: Stage) -> None:
    stage.dav.add("only-there.ics", EVENT.format(uid="only-there", title="Only there"))
    delete(stage.places.journal)
    stage.sync()
    (stage.store / "new.yaml").write_text(FILE.format(title="After it"))
    stage.sync()
    assert titled(stage, "After it")
    assert stage.held() == {"rebuild": 1}


def test_what_was_unlinked_before_the_loss_does_not_come_back(stage: Stage) -> None:
    """The file of a deleted event is put back from a backup, with its old date: it is remembered all the same."""
    shutil.copy2(stage.root / "f6.yaml", stage.store / "f6.yaml")
    delete(stage.places.journal)
    stage.sync(2)
    assert stage.held() == {}
    assert all("File 6" not in text for text in stage.dav.texts().values())
    assert (stage.store / "f6.yaml").exists()


def test_the_store_remembers_which_calendars_were_known_and_no_text(stage: Stage) -> None:
    notes = list((stage.store / ".datebook" / "peers").iterdir())
    assert len(notes) == 1
    text = notes[0].read_text()
    assert "File" not in text
    assert "Event" not in text
    assert 'calendars: ["work"]' in text


def test_a_missing_log_of_the_journal_is_harmless(stage: Stage) -> None:
    (stage.store / "late.yaml").write_text(FILE.format(title="Late"))
    stage.sync()
    for suffix in ("-wal", "-shm"):
        stage.places.journal.with_name(f"journal.db{suffix}").unlink(missing_ok=True)
    stage.sync(2)
    assert titled(stage, "Late")
    assert stage.outcome()["conflicts"] == []


def flips(stage: Stage, cases: int, seed: int) -> None:
    """Turn single bits all over the journal: after it a plain edit on each side arrives, or the journal is rebuilt."""
    random = Random(seed)
    size = stage.places.journal.stat().st_size
    for case in range(cases):
        stage.begin()
        place, bit = random.randrange(size), 1 << random.randrange(8)
        with stage.places.journal.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ bit]))
        before = everything(stage)
        where = f"seed {seed}, case {case}: bit {bit} of byte {place}"
        stage.sync(2)
        assert everything(stage) == before, where
        edit_file(stage.store / "f0.yaml", "due_time: 9:00", "due_time: 9:30")
        stage.dav.edit("e0.ics", lambda text: text.replace("Event 0", "Event 0 edited"))
        stage.sync(2)
        files, events = everything(stage)
        assert sum("T093000" in text for text in events.values()) == 1, where
        assert sum(b"Event 0 edited" in text for text in files.values()) == 1, where
        assert len(files) == len(events) == 10, where
        for number in range(6):
            assert sum(f"SUMMARY:File {number}\r\n" in text for text in events.values()) == 1, where


@pytest.mark.slow
def test_a_flipped_bit_in_the_journal_is_found_or_harmless(stage: Stage) -> None:
    flips(stage, 40, 1)


@pytest.mark.slow
def test_a_journal_cut_at_any_page_is_found(stage: Stage) -> None:
    size = stage.places.journal.stat().st_size
    for place in range(0, size, max(4096, size // 8)):
        stage.begin()
        with stage.places.journal.open("r+b") as file:
            file.truncate(place)
        before = everything(stage)
        stage.sync(2)
        assert everything(stage) == before, place
        assert stage.outcome()["conflicts"] == [], place


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_flipped_bits(stage: Stage, seed: int) -> None:
    flips(stage, 100, seed)
