"""The real watcher on a real folder, and the ways in which programs save, move and replace files.

Whatever a program does to save one file, the watcher names that one place and no other. It never says
what happened there, so a save by rename can't be mistaken for a deletion and a new file.
"""

import os
import queue
import shutil
import subprocess
from pathlib import Path

import pytest

from daemon.clock import SystemClock
from daemon.watch import How, Watcher

PATIENCE = 30
BEFORE = "subject: Call Ann\ndue_date: 2026-11-24\n"
AFTER = "subject: Call Ann\ndue_date: 2026-11-25\n"


class Watched:
    """A folder, its watcher, and what that told."""

    def __init__(self, store: Path):
        self.store = store
        self.told = queue.Queue()
        self.watcher = Watcher(store, self.told.put, clock=SystemClock())

    def start(self):
        self.watcher.start()
        assert self.told.get(timeout=PATIENCE) is None  # a fresh watch: everything is looked at

    def places_of(self, action) -> list:
        """What is told because of an action; a last file marks the end, so that nothing waits for a clock."""
        action()
        told = []
        while True:
            if not told or told[-1] is None:  # the mark went under in "look everywhere"
                (self.store / "the-end.yaml").write_text(AFTER)
            places = self.told.get(timeout=PATIENCE)
            told.append(places)
            if places is not None and "the-end.yaml" in places:
                return told


@pytest.fixture
def watched(tmp_path):
    store = tmp_path / "store"
    (store / ".datebook" / "trash").mkdir(parents=True)
    (store / "2026").mkdir()
    (store / "call.yaml").write_text(BEFORE)
    watched = Watched(store)
    watched.start()
    yield watched
    watched.watcher.stop()


def write(path, text=AFTER):
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def vim_backupcopy_no(store):
    write(store / ".call.yaml.swp", "swap")
    write(store / "4913", "")
    (store / "4913").unlink()
    (store / "call.yaml").rename(store / "call.yaml~")
    write(store / "call.yaml")
    (store / "call.yaml").chmod(0o644)
    (store / "call.yaml~").unlink()
    (store / ".call.yaml.swp").unlink()


def vim_backupcopy_yes(store):
    write(store / ".call.yaml.swp", "swap")
    shutil.copy2(store / "call.yaml", store / "call.yaml~")
    write(store / "call.yaml")
    (store / "call.yaml~").unlink()
    (store / ".call.yaml.swp").unlink()


def emacs(store):
    (store / ".#call.yaml").symlink_to("ann@host.1:2")
    write(store / "#call.yaml#", "auto-save")
    (store / "call.yaml").rename(store / "call.yaml~")
    write(store / "call.yaml")
    (store / "#call.yaml#").unlink()
    (store / ".#call.yaml").unlink()


def nano(store):
    write(store / "call.yaml")


def nano_with_backup_and_lock(store):
    write(store / ".call.yaml.swp", "lock")
    shutil.copy2(store / "call.yaml", store / "call.yaml~")
    write(store / "call.yaml")
    (store / ".call.yaml.swp").unlink()


def sed_in_place(store):
    subprocess.run(["sed", "-i", "s/24/25/", "call.yaml"], cwd=store, check=True)


def vs_code(store):
    file = os.open(store / "call.yaml", os.O_RDWR)
    os.ftruncate(file, 0)
    os.write(file, AFTER.encode())
    os.fsync(file)
    os.close(file)


def jetbrains_safe_write(store):
    write(store / "call.yaml___jb_tmp___")
    (store / "call.yaml").rename(store / "call.yaml___jb_old___")
    (store / "call.yaml___jb_tmp___").rename(store / "call.yaml")
    (store / "call.yaml___jb_old___").unlink()


def copy_that_keeps_times(store):
    other = store.parent / "call.yaml"
    write(other)
    os.utime(other, (1_600_000_000, 1_600_000_000))
    shutil.copy2(other, store / "call.yaml")


def rsync(store):
    temporary = store / ".call.yaml.Zk81aQ"
    write(temporary)
    temporary.chmod(0o644)
    os.utime(temporary, (1_600_000_000, 1_600_000_000))
    temporary.rename(store / "call.yaml")


def syncthing(store):
    write(store / ".syncthing.call.yaml.tmp")
    os.utime(store / ".syncthing.call.yaml.tmp", (1_600_000_000, 1_600_000_000))
    (store / ".syncthing.call.yaml.tmp").rename(store / "call.yaml")


def hard_link_save(store):
    write(store / "call.yaml.tmp")
    (store / "call.yaml").unlink()
    os.link(store / "call.yaml.tmp", store / "call.yaml")
    (store / "call.yaml.tmp").unlink()


def real_vim(store):
    subprocess.run(
        ["vim", "-u", "NONE", "-i", "NONE", "-es", "-c", "set swapfile", "-c", "%s/24/25/", "-c", "wq", "call.yaml"],
        cwd=store,
        check=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    "save",
    [
        vim_backupcopy_no,
        vim_backupcopy_yes,
        emacs,
        nano,
        nano_with_backup_and_lock,
        sed_in_place,
        vs_code,
        jetbrains_safe_write,
        copy_that_keeps_times,
        rsync,
        syncthing,
        pytest.param(real_vim, marks=pytest.mark.skipif(not shutil.which("vim"), reason="vim is not installed")),
    ],
)
def test_a_save_names_the_one_file_that_was_saved(watched, save):
    told = watched.places_of(lambda: save(watched.store))
    assert frozenset().union(*told) - {"the-end.yaml"} == {"call.yaml"}
    assert (watched.store / "call.yaml").read_text() == AFTER


def test_a_save_by_hard_link_is_told_though_nothing_was_closed_under_that_name(watched):
    hard_link_save(watched.store)
    named = set()
    while "call.yaml" not in named or (watched.store / "call.yaml").read_text() != AFTER:
        named |= watched.told.get(timeout=PATIENCE)
    assert named == {"call.yaml"}


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_checkout_of_a_thousand_files_is_few_wake_ups(watched):
    def git(*arguments):
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *arguments], cwd=watched.store, check=True, capture_output=True)

    names = {f"{number}.yaml" for number in range(1000)}
    for name in names:
        (watched.store / name).write_text(BEFORE)
    git("init", "--initial-branch", "main")
    git("add", "-A")
    git("commit", "-m", "before")
    git("checkout", "-b", "other")
    for name in names:
        (watched.store / name).write_text(AFTER)
    git("commit", "-a", "-m", "after")
    watched.places_of(lambda: None)

    told = watched.places_of(lambda: git("checkout", "main"))
    assert None in told or frozenset().union(*told) >= names
    assert len(told) <= 10


def test_a_removed_file_is_a_place_like_any_other(watched):
    told = watched.places_of((watched.store / "call.yaml").unlink)
    assert frozenset().union(*told) == {"call.yaml", "the-end.yaml"}


def test_a_renamed_file_names_both_places(watched):
    told = watched.places_of(lambda: (watched.store / "call.yaml").rename(watched.store / "2026" / "ann.yaml"))
    assert frozenset().union(*told) == {"call.yaml", "2026/ann.yaml", "the-end.yaml"}


def test_what_the_daemon_and_replicators_keep_for_themselves_wakes_nobody(watched):
    def act():
        write(watched.store / ".datebook" / "trash" / "call.yaml")
        (watched.store / ".stfolder").mkdir(exist_ok=True)

    told = watched.places_of(act)
    named = frozenset().union(*(places for places in told if places is not None))
    assert named == {"the-end.yaml"}


def test_reading_every_file_wakes_nobody(watched):
    def read():
        for path in watched.store.rglob("*.yaml"):
            path.read_bytes()
        list(os.scandir(watched.store))

    assert watched.places_of(read) == [{"the-end.yaml"}]


def test_a_new_folder_is_looked_at_and_its_files_are_watched_from_then_on(watched):
    def act():
        (watched.store / "2027" / "01").mkdir(parents=True)
        write(watched.store / "2027" / "01" / "first.yaml")

    assert None in watched.places_of(act)
    later = watched.places_of(lambda: write(watched.store / "2027" / "01" / "second.yaml"))
    assert frozenset().union(*later) == {"2027/01/second.yaml", "the-end.yaml"}


def test_a_moved_folder_is_looked_at_and_watched_under_its_new_name(watched):
    (watched.store / "2026" / "11").mkdir()
    assert None in watched.places_of(lambda: (watched.store / "2026").rename(watched.store / "old"))
    later = watched.places_of(lambda: write(watched.store / "old" / "11" / "call.yaml"))
    assert frozenset().union(*later) == {"old/11/call.yaml", "the-end.yaml"}


def test_a_folder_moved_out_of_the_store_is_no_longer_told(watched):
    outside = watched.store.parent / "outside"
    assert None in watched.places_of(lambda: (watched.store / "2026").rename(outside))
    assert watched.places_of(lambda: write(outside / "call.yaml")) == [{"the-end.yaml"}]


def test_linked_folders_are_not_followed(watched):
    outside = watched.store.parent / "outside"
    outside.mkdir()
    watched.places_of(lambda: (watched.store / "link").symlink_to(outside))
    assert watched.places_of(lambda: write(outside / "call.yaml")) == [{"the-end.yaml"}]


def test_a_store_behind_a_link_is_watched_and_a_link_that_is_turned_is_noticed(tmp_path):
    first, second, link = tmp_path / "first", tmp_path / "second", tmp_path / "link"
    first.mkdir()
    second.mkdir()
    link.symlink_to(first)
    watched = Watched(link)
    watched.start()
    try:
        assert watched.places_of(lambda: write(first / "a.yaml")) == [{"a.yaml", "the-end.yaml"}]
        link.unlink()
        link.symlink_to(second)
        assert watched.told.get(timeout=PATIENCE) is None
        assert watched.places_of(lambda: write(second / "b.yaml")) == [{"b.yaml", "the-end.yaml"}]
    finally:
        watched.watcher.stop()


def test_a_store_that_goes_away_and_comes_back_is_watched_again(watched):
    away = watched.store.parent / "away"
    watched.store.rename(away)
    assert watched.told.get(timeout=PATIENCE) is None
    assert watched.watcher.watching.how is How.NOT_THERE
    assert watched.watcher.watching.cure
    away.rename(watched.store)
    assert watched.told.get(timeout=PATIENCE) is None
    assert watched.watcher.watching.how is How.EVENTS
    assert watched.places_of(lambda: write(watched.store / "call.yaml")) == [{"call.yaml", "the-end.yaml"}]


def test_a_store_that_is_replaced_by_another_folder_is_watched_anew(watched):
    other = watched.store.parent / "other"
    other.mkdir()
    watched.store.rename(watched.store.parent / "away")
    other.rename(watched.store)
    assert watched.told.get(timeout=PATIENCE) is None
    watched.places_of(lambda: None)
    assert watched.places_of(lambda: write(watched.store / "new.yaml")) == [{"new.yaml", "the-end.yaml"}]


def test_a_store_that_is_not_there_yet_is_watched_as_soon_as_it_is(tmp_path):
    watched = Watched(tmp_path / "later")
    watched.start()
    try:
        assert watched.watcher.watching.code == "store_missing"
        watched.store.mkdir()
        assert watched.told.get(timeout=PATIENCE) is None
        assert watched.places_of(lambda: write(watched.store / "a.yaml")) == [{"a.yaml", "the-end.yaml"}]
    finally:
        watched.watcher.stop()


def test_thirty_thousand_files_behind_a_slow_watcher_mean_look_everywhere(watched):
    with watched.watcher._changed:  # the watcher is held up, as a busy machine would hold it
        for number in range(30_000):
            (watched.store / f"{number}.yaml").touch()
    told = watched.places_of(lambda: None)
    assert None in told
    (watched.store / "fresh").mkdir()
    watched.places_of(lambda: None)
    assert watched.places_of(lambda: write(watched.store / "fresh" / "a.yaml")) == [{"fresh/a.yaml", "the-end.yaml"}]


def test_on_a_network_file_system_the_folder_is_polled_too(tmp_path):
    told = queue.Queue()
    watcher = Watcher(tmp_path, told.put, clock=SystemClock(), kind_of=lambda _path: "nfs4")
    watcher.start()
    try:
        assert told.get(timeout=PATIENCE) is None
        assert watcher.watching.how is How.BOTH
        assert watcher.watching.code == "network_file_system"
    finally:
        watcher.stop()
