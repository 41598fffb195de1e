"""Which file an event is about, by its name."""

import pytest

from daemon.watch.watch_names import held_name, is_activity_name, is_watched_folder


@pytest.mark.parametrize("name", ["call.yaml", "call.yml", "lunch.ics", "CALL.YAML", "a.sync-conflict-20261124-1.yaml"])
def test_activities_and_what_replicators_left_are_looked_at(name):
    assert is_activity_name(name)


@pytest.mark.parametrize(
    "name",
    [
        ".call.yaml.swp",  # vim
        "4913",  # vim's test for a writable folder
        "call.yaml~",  # vim, emacs, nano
        "#call.yaml#",  # emacs
        ".#call.yaml",
        ".~lock.lunch.ics#",  # LibreOffice
        "sedX9a1Bc",  # sed -i
        "call.yaml___jb_tmp___",  # JetBrains
        "call.yaml___jb_old___",
        ".call.yaml.Zk81aQ",  # rsync
        ".syncthing.call.yaml.tmp",
        "~syncthing~call.yaml.tmp",
        ".hidden.yaml",
        "call.yaml.bak",
        "call.yaml.tmp",
        "notes.txt",
    ],
)
def test_temporary_and_foreign_names_wake_nobody(name):
    assert not is_activity_name(name)


@pytest.mark.parametrize(
    ("lock", "held"),
    [
        (".call.yaml.swp", "call.yaml"),
        (".call.yaml.swo", "call.yaml"),
        (".#call.yaml", "call.yaml"),
        (".~lock.lunch.ics#", "lunch.ics"),
        (".call.yml.kate-swp", "call.yml"),
        (".notes.txt.swp", None),
        (".call.yaml.Zk81aQ", None),
        ("call.yaml", None),
    ],
)
def test_a_lock_file_names_the_file_that_it_holds(lock, held):
    assert held_name(lock) == held


def test_what_lies_in_hidden_folders_is_not_watched():
    assert not is_watched_folder(".datebook")
    assert not is_watched_folder(".git")
    assert is_watched_folder("2026")
