"""Killed at any instant: the store says for sure whether a write happened, and no save of its user is lost."""

import itertools
import os
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from adapters.folder import atomic_files, file_staging, file_writes, trash
from adapters.folder.file_marker import make_marker
from adapters.folder.file_store import FileStore
from daemon.core.errors import VersionMismatch
from daemon.core.model import Field, Key
from daemon.core.store import Create, Marker, Remove, Seen, Update, Written

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLD = "subject: old\n"
NEW = "subject: new\n"
MADE = "subject: new\nuid: u1\n"
SAVED = "subject: the user's\n"


class Kill(BaseException):
    """Stands for kill -9: nothing in the program catches it."""


@pytest.fixture
def store(tmp_path):
    make_marker(tmp_path, Marker("id-1", "UTC"))
    (tmp_path / "a.yaml").write_text(OLD)
    return FileStore(tmp_path, zone="UTC", clock=lambda: NOW)


def update(store):
    (reading,) = store.read(["a.yaml"])
    assert isinstance(reading, Seen)
    return Update(reading.ref, "t1", {Key(Field.SUBJECT): "new"})


def create(store):
    return Create("u1", "t1", {Key(Field.SUBJECT): "new"}, place="n.yaml")


def removal(store):
    return Remove(update(store).ref, "t1", reason="gone in the calendar")


WRITES = {"update": update, "create": create, "removal": removal}
STEPS = {
    os: ("open", "write", "fsync", "link", "rename", "symlink", "mkdir", "unlink", "close", "replace"),
    atomic_files: ("_rename",),
}


def at_step(patched, step, act, *, after):
    """Have `act` run before (or after) the n-th step that changes anything; the count of steps."""
    count = itertools.count(1)
    passed = []

    def wrapped(function):
        def call(*args, **kwargs):
            mine = next(count) == step
            if mine:
                passed.append(function.__name__)
                if not after:
                    act()
            result = function(*args, **kwargs)
            if mine and after:
                act()
            return result

        call.__name__ = function.__name__
        return call

    for module, names in STEPS.items():
        for name in names:
            patched.setattr(module, name, wrapped(getattr(module, name)))
    return passed


def kill():
    raise Kill


def papers(root):
    return [path.name for path in (root / ".datebook/tmp").rglob("*") if not path.is_dir()]


def texts(root):
    files = [p for p in root.rglob("*") if p.is_file() and p.suffix == ".yaml" and p.name != "store.yaml"]
    return {p.relative_to(root).as_posix(): p.read_text() for p in files if "/.datebook/tmp/" not in str(p)}


def effect(root, kind):
    """Whether the write shows in the folder."""
    said = texts(root)
    if kind == "create":
        return said.get("n.yaml") == MADE
    if kind == "update":
        return said.get("a.yaml") == NEW
    return "a.yaml" not in said


def crash(monkeypatch, store, write, step, *, after):
    """Carry out a write that is killed at a step; False when there are no so many steps."""
    with monkeypatch.context() as patched:
        passed = at_step(patched, step, kill, after=after)
        with suppress(Kill):
            list(store.write([write]))
    return bool(passed)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
@pytest.mark.parametrize("kind", WRITES)
def test_after_a_kill_at_any_step_the_store_knows_whether_it_happened(kind, links, after, tmp_path, monkeypatch):
    if not links:
        for module in (file_staging, trash):
            monkeypatch.setattr(module, "link", lambda *_: False)
    for step in itertools.count(1):
        root = tmp_path / str(step)
        make_marker(root, Marker("id-1", "UTC"))
        (root / "a.yaml").write_text(OLD)
        store = FileStore(root, zone="UTC", clock=lambda: NOW)
        killed = crash(monkeypatch, store, WRITES[kind](store), step, after=after)
        assert store.happened("t1") == effect(root, kind)
        happened = store.happened("t1")
        said = texts(root)
        store.sweep(["t1"])
        assert store.happened("t1") == happened
        store.sweep([])
        assert texts(root) == said
        assert papers(root) == []
        if kind == "removal":
            assert [text for path, text in said.items() if path.endswith("a.yaml")] == [OLD]
            assert len(store.trash_list()) == happened
        if not killed:
            break
    assert step > 8


def edits(root):
    """What users and their editors do to a file."""
    file, kept = root / "a.yaml", root / "saved.tmp"
    return {
        "save in place": lambda: file.write_text(SAVED),
        "save by rename": lambda: (kept.write_text(SAVED), kept.rename(file)),
        "rename": lambda: file.rename(root / "b.yaml"),
        "remove": lambda: file.unlink(missing_ok=True),
    }


@pytest.mark.parametrize("edit", ["save in place", "save by rename", "rename", "remove"])
@pytest.mark.parametrize("kind", WRITES)
def test_what_the_user_does_after_the_kill_changes_no_answer(kind, edit, tmp_path, monkeypatch):
    for step in itertools.count(1):
        root = tmp_path / str(step)
        make_marker(root, Marker("id-1", "UTC"))
        (root / "a.yaml").write_text(OLD)
        store = FileStore(root, zone="UTC", clock=lambda: NOW)
        killed = crash(monkeypatch, store, WRITES[kind](store), step, after=True)
        expected = effect(root, kind)
        with suppress(FileNotFoundError):
            edits(root)[edit]()
        left = texts(root)
        assert store.happened("t1") == expected
        store.sweep([])
        now = texts(root)
        assert {path: text for path, text in now.items() if not path.startswith(".datebook/")} == {
            path: text for path, text in left.items() if not path.startswith(".datebook/")
        }
        if not killed:
            break


@pytest.mark.parametrize("edit", ["save in place", "save by rename"])
@pytest.mark.parametrize("kind", ["update", "removal"])
def test_a_save_at_any_instant_of_a_write_survives(kind, edit, tmp_path, monkeypatch):
    """The user saves right before the n-th step of the write: their text is in the file, or goes there again."""
    for step in itertools.count(1):
        root = tmp_path / str(step)
        make_marker(root, Marker("id-1", "UTC"))
        (root / "a.yaml").write_text(OLD)
        store = FileStore(root, zone="UTC", clock=lambda: NOW)
        write = WRITES[kind](store)
        with monkeypatch.context() as patched:
            saving = []

            def save(root=root, saving=saving):
                saving.append(1)
                edits(root)[edit]()

            passed = at_step(patched, step, save, after=False)
            ((_, outcome),) = store.write([write])
            assert len(saving) == len(passed)
        store.forget(["t1"])
        if not passed:
            break
        kept = [text for path, text in texts(root).items() if text == SAVED]
        assert len(kept) == 1, (step, passed, outcome, texts(root))
        assert (root / "a.yaml").read_text() == SAVED
        assert isinstance(outcome, VersionMismatch | Written)
        assert papers(root) == []
    assert step > 8


def test_an_editor_that_had_the_file_open_may_still_save_into_it(store, tmp_path):
    """A save in place, into the file that was just replaced, comes back into the file."""
    with (tmp_path / "a.yaml").open("r+") as editor:
        ((_, outcome),) = store.write([update(store)])
        assert isinstance(outcome, Written)
        editor.truncate(0)
        editor.write(SAVED)
    assert (tmp_path / "a.yaml").read_text() == NEW
    store.forget(["t1"])
    assert (tmp_path / "a.yaml").read_text() == SAVED
    assert papers(tmp_path) == []


def test_a_late_save_into_a_file_that_has_moved_on_is_kept_in_the_trash(store, tmp_path):
    with (tmp_path / "a.yaml").open("r+") as editor:
        list(store.write([update(store)]))
        editor.truncate(0)
        editor.write(SAVED)
    (tmp_path / "other.tmp").write_text("subject: saved by another editor\n")
    (tmp_path / "other.tmp").rename(tmp_path / "a.yaml")
    store.sweep([])
    assert (tmp_path / "a.yaml").read_text() == "subject: saved by another editor\n"
    (entry,) = store.trash_list()
    assert store.trash_read(entry) == SAVED.encode()


def test_many_files_are_written_in_one_go_and_forgotten(store, tmp_path, monkeypatch):
    synced = []
    whole = file_writes.sync_all
    monkeypatch.setattr(file_writes, "sync_all", lambda folder: synced.append(1) or whole(folder))
    writes = [Create(f"u{n}", f"t{n}", {Key(Field.SUBJECT): "x"}, place=f"{n % 3}/x.yaml") for n in range(200)]
    outcomes = [outcome for _, outcome in store.write(writes)]
    assert len({outcome.ref.id for outcome in outcomes}) == 200
    assert len(synced) == 2
    assert all(store.happened(write.token) for write in writes[:3])
    store.forget(write.token for write in writes)
    assert papers(tmp_path) == []
    assert not store.happened("t1")


def test_closing_the_iterator_stops_what_was_not_begun(store):
    writes = [Create(f"u{n}", f"t{n}", {Key(Field.SUBJECT): "x"}, place="x.yaml") for n in range(600)]
    outcomes = store.write(writes)
    next(outcomes)
    outcomes.close()
    assert len(store.look().stamps) < 600


def test_papers_that_a_replicator_carried_here_from_another_machine_are_left_alone(store, tmp_path):
    foreign = tmp_path / ".datebook/tmp/another-machine"
    foreign.mkdir(parents=True)
    (foreign / "t9.new").write_text("subject: half a write\n")
    (foreign / "t9.keep").write_text("subject: half a write\n")
    (foreign / "t9.was").symlink_to("0000 a.yaml")
    store.sweep([])
    assert (tmp_path / "a.yaml").read_text() == OLD
    assert not store.happened("t9")
    assert len(papers(tmp_path)) == 3
