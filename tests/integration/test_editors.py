"""Real editors in a terminal, against the running daemon and a real Radicale: nothing doubled, deleted or torn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.terminal import ENTER, ESCAPE, Terminal, need
from tests.servers.waiting import running, status, until

pytestmark = pytest.mark.slow
CALL = "# about the pilot\nsubject: Call Anna\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
VIM_WAYS = {
    "as it comes": "",
    "with a backup": "set backup writebackup",
    "without a backup": "set nobackup nowritebackup",
    "written in place": "set backupcopy=yes",
    "renamed over": "set backupcopy=no backup",
    "without a swap file": "set noswapfile",
}
EMACS_WAYS = {
    "as it comes": "",
    "with a backup that is a copy": "(setq backup-by-copying t)",
    "with numbered backups": "(setq version-control t)",
    "without a backup": "(setq make-backup-files nil)",
    "renamed over": "(setq file-precious-flag t)",
    "without a lock": "(setq create-lockfiles nil)",
}


@pytest.fixture
def person(servers: Servers, tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path / "me", servers.calendar(servers.get(radicale)), "    poll: 2s\n")
    with running(person):
        person.write("call.yaml", CALL)
        until(lambda: "uid:" in person.read("call.yaml"))
        until(lambda: "Call Anna" in person.events())
        yield person


def vim(person: Person, name: str, options: str = "") -> Terminal:
    need("vim")
    command = ["vim", "-N", "-u", "NONE", "-i", "NONE", "--cmd", "set backupdir=. directory=. shortmess=atI"]
    return Terminal([*command, "-c", options or "set nohlsearch", name], person.store)


def emacs(person: Person, name: str, options: str = "") -> Terminal:
    need("emacs", "emacs-nox")
    command = ["emacs", "-nw", "-Q", "--eval", f"(progn {options} (setq ring-bell-function 'ignore))", name]
    return Terminal(command, person.store, TERM="vt100")


def uid_of(person: Person) -> str:
    return next(line for line in person.read("call.yaml").splitlines() if line.startswith("uid:"))


def actions(person: Person) -> list[tuple[str, str]]:
    """What was done so far, oldest first."""
    entries = person.run("log", "--json").json["entries"]
    return [(entry["action"], entry["side"]) for entry in reversed(entries)]


def only_updated(person: Person, uid: str) -> None:
    """One file and one event, the same as before: nothing was ever created twice or deleted."""
    assert [name for name in person.files() if not name.endswith("~")] == ["call.yaml"]
    assert len(person.events()) == 1
    assert uid_of(person) == uid
    assert [action for action, _ in actions(person)].count("create") == 1
    assert not {"delete", "trash", "unlink"} & {action for action, _ in actions(person)}


@pytest.mark.parametrize("way", VIM_WAYS)
def test_a_save_by_vim_is_an_edit_and_nothing_else(person: Person, way: str) -> None:
    uid = uid_of(person)
    with vim(person, "call.yaml", VIM_WAYS[way]) as editor:
        editor.expect("Anna")
        for time in ("11:30", "12:45"):  # twice: the second save meets what the first one left
            editor.type(f":%s/^due_time: .*/due_time: {time}/{ENTER}:w{ENTER}")
            until(lambda wanted=time: f"T{wanted.replace(':', '')}00" in person.events()["Call Anna"])
        editor.type(f":q{ENTER}")
        assert editor.wait() == 0
    only_updated(person, uid)
    assert person.read("call.yaml") == CALL.replace("10:30", "12:45") + uid + "\n"


def test_a_save_by_nano_is_an_edit_and_nothing_else(person: Person) -> None:
    need("nano")
    uid = uid_of(person)
    with Terminal(["nano", "--ignorercfiles", "+5,11", "call.yaml"], person.store) as editor:
        editor.expect("Anna")
        editor.type("\x0b" + "due_time: 11:30" + ENTER)  # Ctrl-K takes the line away
        editor.type("\x0f" + ENTER)
        until(lambda: "T113000" in person.events()["Call Anna"])
        editor.type("\x18")
        assert editor.wait() == 0
    only_updated(person, uid)


def test_nano_with_backups_and_lock_files_leaves_no_second_activity(person: Person) -> None:
    need("nano")
    uid = uid_of(person)
    with Terminal(["nano", "--ignorercfiles", "--backup", "--locking", "+3,1", "call.yaml"], person.store) as editor:
        editor.expect("Anna")
        editor.type("location: Room 5" + ENTER + "\x0f" + ENTER)
        until(lambda: "LOCATION:Room 5" in person.events()["Call Anna"])
        editor.type("\x18")
        assert editor.wait() == 0
    only_updated(person, uid)


def test_a_file_that_vim_holds_is_written_when_vim_lets_go_and_the_status_says_so(person: Person) -> None:
    before = person.read("call.yaml")
    with vim(person, "call.yaml") as editor:
        editor.expect("Anna")
        person.change("Call Anna", "T103000", "T143000")
        until(lambda: [one["code"] for one in status(person)["problems"]] == ["held_by_editor"])
        assert person.read("call.yaml") == before
        assert status(person)["state"] == "ok"  # nobody need do anything: it passes by itself
        shown = person.run("status")
        assert "call.yaml: The file is open in vim" in shown.out
        assert "vim" in person.run("why", "call.yaml").out
        editor.type(f":q{ENTER}")
        assert editor.wait() == 0
    until(lambda: "14:30" in person.read("call.yaml"))
    until(lambda: status(person)["state"] == "ok")
    assert len(person.events()) == 1


def test_what_is_saved_in_vim_meanwhile_is_merged_with_the_calendars_change(person: Person) -> None:
    uid = uid_of(person)
    with vim(person, "call.yaml") as editor:
        editor.expect("Anna")
        person.change("Call Anna", "T103000", "T143000")
        until(lambda: status(person)["problems"])
        editor.type(f"Golocation: Room 5{ESCAPE}:wq{ENTER}")
        assert editor.wait() == 0
    until(lambda: "14:30" in person.read("call.yaml"))
    until(lambda: "LOCATION:Room 5" in person.events()["Call Anna"])
    assert "T143000" in person.events()["Call Anna"]
    assert "location: Room 5" in person.read("call.yaml")
    only_updated(person, uid)


def test_a_new_file_written_in_vim_is_created_once(person: Person) -> None:
    with vim(person, "new.yaml") as editor:
        editor.expect("new.yaml")
        editor.type(f"isubject: Lunch\rtype: lunch\rdue_date: 2027-11-25\rdue_time: 12:00{ESCAPE}:w{ENTER}")
        until(lambda: "Lunch" in person.events())
        editor.type(f":q{ENTER}")
        assert editor.wait() == 0
    until(lambda: "uid:" in person.read("new.yaml"))
    assert sorted(person.events()) == ["Call Anna", "Lunch"]
    assert [action for action, side in actions(person) if side == "calendar"] == ["create", "create"]


@pytest.mark.parametrize("way", EMACS_WAYS)
def test_a_save_by_emacs_is_an_edit_and_nothing_else(person: Person, way: str) -> None:
    uid = uid_of(person)
    with emacs(person, "call.yaml", EMACS_WAYS[way]) as editor:
        editor.expect("Anna")
        for old, new in (("10:30", "11:30"), ("11:30", "12:45")):  # the second save meets what the first one left
            editor.type(f"{ESCAPE}<{ESCAPE}xreplace-string{ENTER}{old}{ENTER}{new}{ENTER}")
            editor.expect("Replaced 1 occurrence")
            editor.type("\x18\x13")
            until(lambda wanted=new: f"T{wanted.replace(':', '')}00" in person.events()["Call Anna"])
        editor.type("\x18\x03")
        assert editor.wait() == 0
    only_updated(person, uid)
    assert person.read("call.yaml") == CALL.replace("10:30", "12:45") + uid + "\n"


def test_a_file_that_emacs_has_changed_and_not_saved_is_written_when_it_lets_go(person: Person) -> None:
    uid = uid_of(person)
    with emacs(person, "call.yaml") as editor:
        editor.expect("Anna")
        editor.type(f"{ESCAPE}>location: Room 5{ENTER}")
        until((person.store / ".#call.yaml").is_symlink)
        person.change("Call Anna", "T103000", "T143000")
        until(lambda: [one["code"] for one in status(person)["problems"]] == ["held_by_editor"])
        assert "emacs" in person.run("status").out.lower()
        assert "10:30" in person.read("call.yaml")
        editor.type("\x18\x13")
        until(lambda: "14:30" in person.read("call.yaml"))
        until(lambda: "LOCATION:Room 5" in person.events()["Call Anna"])
        editor.type("\x18\x03")
        assert editor.wait() == 0
    assert "T143000" in person.events()["Call Anna"]
    assert "location: Room 5" in person.read("call.yaml")
    until(lambda: status(person)["state"] == "ok")
    only_updated(person, uid)
