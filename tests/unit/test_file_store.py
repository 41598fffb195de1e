"""The folder as a store: what is there, what is read, and writes that never lose a save."""

import errno
import os
import socket
import stat
from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.folder.editor_locks import held_by
from adapters.folder.file_marker import make_marker
from adapters.folder.file_names import safe_place
from adapters.folder.file_store import FileStore
from adapters.folder.file_writes import Rewrite
from daemon.core.errors import Forbidden, Held, Missing, NotFound, Unreadable, VersionMismatch
from daemon.core.model import AllDay, Field, Key, Local, Timed
from daemon.core.store import Create, Failed, Gone, Marker, Ref, Remove, Seen, Update, Written

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CALL = "# mine\nsubject: Call Anna   # soon\ndue_date: 2026-11-24\nx: 1\n"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "store"
    make_marker(folder, Marker("id-1", "Europe/Moscow"))
    return folder


@pytest.fixture
def store(root):
    return FileStore(root, zone="Europe/Moscow", clock=lambda: NOW, types=("call", "meeting"))


def put(root, path, text=CALL):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def seen(store, path):
    reading = next(iter(store.read([path])))
    assert isinstance(reading, Seen)
    return reading


def carry_out(store, write):
    return next(iter(store.write([write])))[1]


def rename(store, path, subject="Call Oleg", token="t1"):
    return carry_out(store, Update(seen(store, path).ref, token, {Key(Field.SUBJECT): subject}))


def papers(root):
    return [path.name for path in (root / ".datebook/tmp").rglob("*") if not path.is_dir()]


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}


def test_activities_are_found_and_everything_else_is_passed_over(root, store):
    wanted = ["a.yaml", "b.yml", "deep/er/c.ics", "D.YAML", "space d.yaml"]
    others = [".hidden.yaml", "a.yaml~", "b.yaml.swp", "c.yaml.tmp", "d.yaml.bak", "notes.txt", ".git/e.yaml",
              "old~/f.yaml", ".datebook/trash/2026-01-01/g.yaml"]  # fmt: skip
    for path in [*wanted, *others]:
        put(root, path)
    look = store.look()
    assert set(look.stamps) == set(wanted)
    assert look.problems == ()
    assert not look.partial
    said = (root / "a.yaml").stat()
    stamp = look.stamps["a.yaml"]
    assert (stamp.size, stamp.mtime_ns, stamp.inode) == (said.st_size, said.st_mtime_ns, said.st_ino)


def test_folders_that_are_nested_without_end_are_reported_and_not_taken_for_empty(root, store):
    (root / "/".join("d" * 70)).mkdir(parents=True)
    look = store.look()
    assert [problem.code for problem in look.problems] == ["too_deep"]
    assert look.problems[0].cure
    assert look.unsure


def test_links_devices_and_replicators_copies_are_reported_and_never_opened(root, store, tmp_path):
    outside = put(tmp_path, "outside/secret.yaml")
    (root / "out.yaml").symlink_to(outside)
    (root / "dangling.ics").symlink_to(root / "nowhere")
    (root / "folder").symlink_to(outside.parent)
    os.mkfifo(root / "pipe.ics")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket.yaml"))
    (root / "dir.yaml").mkdir()
    put(root, "dir.yaml/inner.yaml")
    put(root, "a.sync-conflict-20261123-120000-ABCDEFG.yaml")
    look = store.look()
    listener.close()
    assert dict(look.stamps) == {}
    assert {problem.path: problem.code for problem in look.problems} == {
        "out.yaml": "symlink",
        "dangling.ics": "symlink",
        "folder": "symlink",
        "pipe.ics": "not_a_file",
        "socket.yaml": "not_a_file",
        "dir.yaml": "not_a_file",
        "a.sync-conflict-20261123-120000-ABCDEFG.yaml": "replicator_conflict",
    }
    assert all(problem.cure for problem in look.problems)
    readings = list(store.read(["out.yaml", "folder/secret.yaml", "pipe.ics", "socket.yaml", "dir.yaml"]))
    assert all(isinstance(reading, Failed) for reading in readings)


def test_names_that_other_systems_take_for_one_are_reported(root, store):
    for path in ("Call.yaml", "call.yaml", "re\u0301sume\u0301.yaml", "r\u00e9sum\u00e9.yaml"):
        put(root, path)
    look = store.look()
    assert len(look.stamps) == 4
    assert [problem.code for problem in look.problems] == ["name_twin", "name_twin"]


def test_a_name_that_is_no_text_is_reported(root, store):
    put(root, os.fsdecode(b"\xff.yaml"))
    look = store.look()
    assert [problem.code for problem in look.problems] == ["bad_name"]
    assert not look.stamps


def test_only_the_places_asked_for_are_looked_at(root, store, tmp_path):
    for path in ("a.yaml", "b/c.yaml", "b/d/e.yaml", "f.yaml"):
        put(root, path)
    (root / "link").symlink_to(root / "b")
    look = store.look(["a.yaml", "b", "b/d", "gone.yaml", "link/c.yaml", "../x.yaml", ".datebook/store.yaml"])
    assert look.partial
    assert set(look.stamps) == {"a.yaml", "b/c.yaml", "b/d/e.yaml"}
    assert set(store.look([""]).stamps) == {"a.yaml", "b/c.yaml", "b/d/e.yaml", "f.yaml"}


@pytest.fixture
def as_nobody(root, store):
    """A user with no rights of root, for whom the folder is their own."""
    put(root, "b/c.yaml")
    list(store.write([]))
    if os.geteuid() != 0:
        yield
        return
    for path in [root, *root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    above = [folder for folder in root.parents if (folder.stat().st_mode & 0o055) != 0o055]
    modes = {folder: folder.stat().st_mode for folder in above}
    for folder in above:
        folder.chmod(modes[folder] | 0o055)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)
    for folder, mode in modes.items():
        folder.chmod(mode)


NOBODY = 65534


@pytest.mark.usefixtures("as_nobody")
def test_a_folder_without_the_right_to_read_is_unsure_not_gone(root, store):
    (root / "b").chmod(0)
    look = store.look()
    (reading,) = store.read(["b/c.yaml"])
    (root / "b").chmod(0o700)
    assert isinstance(reading, Failed)
    assert list(look.unsure) == ["b/"]
    assert look.problems[0].code == "unreadable_place"


def test_without_folder_or_marker_nothing_is_done_and_the_disk_is_named(root, store):
    put(root, "a.yaml")
    ref = seen(store, "a.yaml").ref
    (root / ".datebook" / "store.yaml").unlink()
    attempts = [
        store.look,
        lambda: list(store.read(["a.yaml"])),
        lambda: carry_out(store, Remove(ref, "t")),
        lambda: store.sweep([]),
        lambda: store.identity,
    ]
    for attempt in attempts:
        with pytest.raises(Missing) as caught:
            attempt()
        assert str(root) in caught.value.what_to_do
    assert store.marker() is None
    assert (root / "a.yaml").exists()
    root.rename(f"{root}-unmounted")
    for attempt in [*attempts, store.marker]:
        with pytest.raises(Missing):
            attempt()
    assert not root.exists()


def test_a_marker_is_made_once_and_says_whose_folder_it_is(root, store):
    assert store.marker() == Marker("id-1", "Europe/Moscow")
    assert store.identity == "id-1"
    with pytest.raises(FileExistsError):
        make_marker(root, Marker("id-2", "UTC"))
    make_marker(root, Marker("id-1", "UTC", shared=True), replace=True)
    assert store.marker() == Marker("id-1", "UTC", shared=True)


def test_reading_gives_exactly_one_answer_for_each_id(root, store):
    put(root, "a.yaml")
    put(root, "broken.yaml", "subject: x\nbusy: [x\n")
    (root / "huge.yaml").touch()
    os.truncate(root / "huge.yaml", 1 << 30)
    a, broken, huge, gone = store.read(["a.yaml", "broken.yaml", "huge.yaml", "gone.yaml"])
    assert isinstance(a, Seen)
    assert a.raw == CALL.encode()
    assert a.activity.view == {Key(Field.SUBJECT): "Call Anna", Key(Field.WHEN): AllDay(date(2026, 11, 24))}
    assert isinstance(broken, Failed)
    assert isinstance(broken.error, Unreadable)
    assert (broken.error.path, broken.error.line) == ("broken.yaml", 3)
    assert broken.version
    assert isinstance(huge, Failed)
    assert gone == Gone("gone.yaml")


def test_an_update_changes_its_lines_and_keeps_mode_and_the_rest(root, store):
    file = put(root, "a.yaml")
    file.chmod(0o640)
    outcome = rename(store, "a.yaml")
    assert isinstance(outcome, Written)
    assert file.read_text() == CALL.replace("Call Anna", "Call Oleg")
    assert outcome.raw == file.read_bytes()
    assert outcome.ref == seen(store, "a.yaml").ref
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_an_edit_saved_since_the_reading_is_never_overwritten(root, store):
    file = put(root, "a.yaml")
    ref = seen(store, "a.yaml").ref
    file.write_text("subject: edited\n")
    for write in (Update(ref, "t1", {Key(Field.SUBJECT): "x"}), Remove(ref, "t2")):
        assert isinstance(carry_out(store, write), VersionMismatch)
    assert file.read_text() == "subject: edited\n"
    assert not store.happened("t1")
    assert papers(root) == []


def test_a_file_that_is_gone_is_said_to_be(root, store):
    ref = Ref("gone.yaml", "0" * 32)
    assert isinstance(carry_out(store, Update(ref, "t1", {Key(Field.SUBJECT): "x"})), NotFound)
    assert isinstance(carry_out(store, Remove(ref, "t2")), NotFound)


def test_a_file_that_an_editor_holds_is_left_alone(root, store):
    put(root, "a.yaml")
    ref = seen(store, "a.yaml").ref
    (root / ".~lock.a.yaml#").write_text(",me,host,23.11.2026 12:00,file:///home/me;")
    for write in (Update(ref, "t1", {Key(Field.SUBJECT): "x"}), Remove(ref, "t2")):
        outcome = carry_out(store, write)
        assert isinstance(outcome, Held)
        assert outcome.by == "LibreOffice"
    assert (root / "a.yaml").read_text() == CALL
    (root / ".~lock.a.yaml#").unlink()
    assert isinstance(rename(store, "a.yaml", token="t3"), Written)


def vim_swap(pid, host):
    header = bytearray(b"b0VIM 9.1\0".ljust(1024, b"\0"))
    header[24:28] = pid.to_bytes(4, "little")
    header[68 : 68 + len(host)] = host.encode()
    return bytes(header)


def test_locks_of_living_editors_count_and_those_of_dead_ones_do_not(root):
    put(root, "a.yaml")
    dead = 2**22 + 12345  # above the highest process number
    swap, lock = root / ".a.yaml.swp", root / ".#a.yaml"
    swap.write_bytes(vim_swap(dead, "here"))
    assert held_by(root, "a.yaml", host="here") == ""
    swap.write_bytes(vim_swap(dead, "elsewhere"))
    assert held_by(root, "a.yaml", host="here") == "vim"
    swap.write_bytes(vim_swap(os.getpid(), "here"))
    assert held_by(root, "a.yaml", host="here") == ""  # that process is no vim: its number was given again
    swap.write_bytes(b"")
    assert held_by(root, "a.yaml", host="here") == "vim"
    swap.unlink()
    lock.symlink_to(f"me@here.{dead}:1700000000")
    assert held_by(root, "a.yaml", host="here") == ""
    lock.unlink()
    lock.symlink_to(f"me@elsewhere.{dead}")
    assert held_by(root, "a.yaml", host="here") == "Emacs"


def test_a_new_file_never_takes_anothers_name(root, store):
    put(root, "2026/11/2026-11-24-call.yaml")
    view = {Key(Field.SUBJECT): "Call", Key(Field.WHEN): AllDay(date(2026, 11, 24))}
    writes = [Create(f"u{n}", f"t{n}", view, place="2026/11/2026-11-24-Call.yaml") for n in range(3)]
    paths = [outcome.ref.id for _, outcome in store.write(writes)]
    assert paths == [f"2026/11/2026-11-24-Call-{n}.yaml" for n in (2, 3, 4)]
    assert (root / "2026/11/2026-11-24-call.yaml").read_text() == CALL
    assert seen(store, paths[2]).activity.uid == "u2"


def test_a_new_file_says_everything_and_is_secret_if_asked(root, store):
    view = {
        Key(Field.SUBJECT): "Doctor: Anna",
        Key(Field.WHEN): Timed(datetime(2026, 11, 24, 9), "UTC", timedelta(hours=1)),
    }
    local = Local(owner="me@example.com", calendar="work", masked=True)
    outcome = carry_out(store, Create("u1", "t1", view, place="x.yaml", local=local, secret=True))
    reading = seen(store, outcome.ref.id)
    assert reading.activity.view == view
    assert reading.activity.local == local
    assert reading.ref == outcome.ref
    assert stat.S_IMODE((root / "x.yaml").stat().st_mode) == 0o600


def test_the_same_create_twice_makes_one_file(root, store):
    write = Create("u1", "t1", {Key(Field.SUBJECT): "x"}, place="x.yaml")
    first, second = carry_out(store, write), carry_out(store, write)
    assert first.ref == second.ref
    (root / "x.yaml").rename(root / "y.yaml")
    assert carry_out(store, write).ref.id == "y.yaml"
    assert list(store.look().stamps) == ["y.yaml"]
    found = store.find("u1", "t1")
    assert isinstance(found, Seen)
    assert found.ref.id == "y.yaml"
    store.forget(["t1"])
    found = store.find("u1", "other")
    assert isinstance(found, Seen)
    assert store.find("u2", "other") is None


def test_a_removed_file_lies_in_the_trash_with_date_and_reason_and_comes_back(root, store):
    put(root, "a/b.yaml")
    outcome = carry_out(store, Remove(seen(store, "a/b.yaml").ref, "t1", reason="the event was deleted"))
    assert isinstance(outcome, Written)
    assert not (root / "a/b.yaml").exists()
    (entry,) = store.trash_list()
    assert (entry.path, entry.when, entry.reason) == ("a/b.yaml", NOW, "the event was deleted")
    assert (root / ".datebook/trash/2026-11-23/b.yaml").read_text() == CALL
    assert store.happened("t1")
    store.forget(["t1"])
    assert store.trash_read(entry) == CALL.encode()
    put(root, "a/b.yaml", "subject: newer\n")
    assert store.restore(entry) == "a/b-2.yaml"
    assert (root / "a/b-2.yaml").read_text() == CALL
    assert store.trash_list() == []


def test_the_trash_is_sorted_by_the_days_of_its_users_zone(root):
    put(root, "a.yaml")
    late = FileStore(root, zone="Europe/Moscow", clock=lambda: NOW.replace(hour=21, minute=53), types=("call",))
    carry_out(late, Remove(seen(late, "a.yaml").ref, "t1", reason="the event was deleted"))
    assert (root / ".datebook/trash/2026-11-24/a.yaml").exists()
    (entry,) = late.trash_list()
    assert entry.when == NOW.replace(hour=21, minute=53)


def test_two_files_of_one_name_lie_in_the_trash_side_by_side(root, store):
    for folder in ("a", "b"):
        put(root, f"{folder}/x.yaml")
        carry_out(store, Remove(seen(store, f"{folder}/x.yaml").ref, f"t{folder}"))
    assert sorted(entry.path for entry in store.trash_list()) == ["a/x.yaml", "b/x.yaml"]
    store.forget(["ta", "tb"])
    store.trash_erase(store.trash_list()[0])
    assert len(store.trash_list()) == 1


def test_keys_that_never_travel_are_edited_the_same_way(root, store):
    put(root, "a.yaml")
    ref = seen(store, "a.yaml").ref
    outcome = store.rewrite(Rewrite(ref, "t1", lambda raw: raw + b"done: true\n"))
    assert isinstance(outcome, Written)
    assert seen(store, "a.yaml").activity.local.done
    assert isinstance(store.rewrite(Rewrite(ref, "t2", lambda raw: raw)), VersionMismatch)


EVIL = [
    "../../etc/cron.d/x.yaml", "/etc/passwd.yaml", "a/../../b.yaml", "..", ".", "", "a\0b.yaml", "CON.yaml", "con",
    "nul.txt", "COM1.ics", "x" * 300 + ".yaml", "é" * 300 + ".yaml", "\u202etxt.yaml", ".hidden.yaml", "a/.git/b.yaml",
    "-rf.yaml",
    "a\nb.yaml", "a\x1b[31m.yaml", "C:\\x.yaml", "x.yaml.swp", "x~",
    "x.sync-conflict-1.yaml", " .yaml", "a//b.yaml",
    "x.sh", "a\ud800b.yaml", "\ufeffx.yaml", "dir.yaml/x.yaml", "*?<>|.yaml", "a/" * 60 + "b.yaml", "~/x.yaml",
    "$HOME/x.yaml",
    ".datebook/store.yaml", "x.", "\u200b.yaml", "\x85.yaml", "LPT9.yaml/x.yaml", "../.datebook/tmp/x.yaml", "%00.yaml",
]  # fmt: skip


@pytest.mark.parametrize("name", EVIL, ids=ascii)
def test_no_name_leads_out_of_the_store(name, root, store, tmp_path):
    before = everything(tmp_path)
    writes = [Create(uid, f"t{uid}", {Key(Field.SUBJECT): "x"}, place=name) for uid in ("u1", "u2")]
    outcomes = [outcome for _, outcome in store.write(writes)]
    paths = [outcome.ref.id for outcome in outcomes]
    assert len(set(paths)) == 2
    assert set(store.look().stamps) == set(paths)
    assert store.look().problems == ()
    for path in paths:
        assert all(part.isprintable() and len(part.encode()) <= 200 for part in path.split("/"))
    new = {name for name in everything(tmp_path) if name not in before and "/.datebook/tmp/" not in f"/{name}"}
    assert new == {f"store/{path}" for path in paths}
    (reading,) = store.read([name])
    assert isinstance(reading, Failed | Gone) or reading.ref.id in paths


def test_safe_names_stay_as_they_are():
    for name in ("2026/11/2026-11-24-call-anna.yaml", "Вызов.ics", "a b (2).yml", "会議.yaml"):
        assert safe_place(name) == name


def test_nothing_is_written_through_a_linked_folder(root, store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    put(outside, "a.yaml")
    version = "0" * 32
    writes = [
        Create("u1", "t1", {Key(Field.SUBJECT): "x"}, place="link/x.yaml"),
        Update(Ref("link/a.yaml", version), "t2", {Key(Field.SUBJECT): "x"}),
        Remove(Ref("link/a.yaml", version), "t3"),
        Update(Ref("../outside/a.yaml", version), "t4", {Key(Field.SUBJECT): "x"}),
    ]
    assert not any(isinstance(outcome, Written) for _, outcome in store.write(writes))
    assert everything(outside) == {"a.yaml": CALL.encode()}
    assert papers(root) == []


def test_a_file_swapped_for_a_link_during_the_write_is_not_followed(root, store, tmp_path, monkeypatch):
    outside = put(tmp_path, "outside.yaml")
    file = put(root, "a.yaml")
    ref = seen(store, "a.yaml").ref

    def swap_then_hold(path):
        return ""

    monkeypatch.setattr(store, "held_by", swap_then_hold)
    from adapters.folder import file_writes

    sync = file_writes.sync_folder

    def swap(folder):
        if not file.is_symlink():
            file.unlink()
            file.symlink_to(outside)
        sync(folder)

    monkeypatch.setattr(file_writes, "sync_folder", swap)
    outcome = carry_out(store, Update(ref, "t1", {Key(Field.SUBJECT): "x"}))
    assert isinstance(outcome, VersionMismatch)
    assert outside.read_text() == CALL
    assert file.is_symlink()
    assert papers(root) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE])
def test_a_failing_disk_leaves_nothing_half_written(code, root, store, monkeypatch):
    """The n-th call fails, for every n, until a run passes: no file is torn, none is missing, none is left behind."""
    failing = 0
    while True:
        failing += 1
        file = put(root, "a.yaml")
        ref = seen(store, "a.yaml").ref
        view = {Key(Field.SUBJECT): "new"}
        writes = [Update(ref, "t1", {Key(Field.SUBJECT): "Call Oleg"}), Create("u", "t2", view, place="n.yaml")]
        with monkeypatch.context() as patched:
            calls = _fail_nth(patched, failing, code)
            try:
                outcomes = [outcome for _, outcome in store.write(writes)]
            except Exception as error:  # noqa: BLE001  whatever it is, it must be ours
                assert type(error).__module__ == "daemon.core.errors"  # noqa: PT017  the error is an outcome, not raised
                outcomes = []
        assert file.read_text() in (CALL, CALL.replace("Call Anna", "Call Oleg"))
        new = root / "n.yaml"
        assert not new.exists() or new.read_text() == "subject: new\nuid: u\n"
        if len(outcomes) == 2:
            assert isinstance(outcomes[0], Written) <= ("Oleg" in file.read_text())
            assert isinstance(outcomes[1], Written) <= new.exists()
        store.sweep([])
        assert papers(root) == []
        assert file.read_text() in (CALL, CALL.replace("Call Anna", "Call Oleg"))
        new.unlink(missing_ok=True)
        if calls["count"] < failing:
            break
    assert failing > 10


def _fail_nth(patched, failing, code):
    calls = {"count": 0}

    def failing_form(function):
        def call(*args, **kwargs):
            calls["count"] += 1
            if calls["count"] == failing:
                raise OSError(code, os.strerror(code))
            return function(*args, **kwargs)

        return call

    for name in ("write", "fsync", "link", "rename", "symlink", "mkdir", "open"):
        patched.setattr(os, name, failing_form(getattr(os, name)))
    from adapters.folder import atomic_files, file_staging

    for module in (atomic_files, file_staging):
        for name in ("move_new", "exchange"):
            patched.setattr(module, name, failing_form(getattr(module, name)), raising=False)
    return calls


@pytest.mark.usefixtures("as_nobody")
def test_a_folder_without_the_right_to_write_says_so(root, store):
    ref = seen(store, "b/c.yaml").ref
    (root / "b").chmod(0o500)
    outcome = carry_out(store, Update(ref, "t1", {Key(Field.SUBJECT): "x"}))
    (root / "b").chmod(0o700)
    assert isinstance(outcome, Forbidden)
    assert outcome.what_to_do
    assert (root / "b/c.yaml").read_text() == CALL
    assert papers(root) == []
