"""kill -9 at every step of a sync of all kinds of changes: the next plain syncs end where an undisturbed one does.

And again with the same items edited once more between the kill and the restart, on either side: no false
conflict, and the second edit arrives. The bounded form takes every few steps, `make torture` all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.kill_points import LocalDav, Stage, stage_on
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

FILE = "# mine\nsubject: {title}\ndue_date: 2030-11-24\ndue_time: 9:00\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//another client//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:20301124T100000Z\r\nDTEND:20301124T110000Z\r\nSUMMARY:{title}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
ALL = 100_000  # more steps than a sync has


@dataclass
class RadicaleDav:
    """A calendar on Radicale, whose folder can be kept and put back."""

    program: Program
    url: str
    root: Path
    kept: list[Path] = field(default_factory=list)

    @property
    def _folder(self) -> Path:
        return self.program.folder / "collections" / "collection-root" / self.url.split("/", 3)[3].rstrip("/")

    def keep(self) -> object:
        target = self.root / "kept-calendar"
        shutil.copytree(self._folder, target)
        return target

    def put_back(self, kept: object) -> None:
        assert isinstance(kept, Path)
        shutil.rmtree(self._folder)
        shutil.copytree(kept, self._folder)

    def texts(self) -> dict[str, str]:
        return {path.name: path.read_bytes().decode() for path in self._folder.glob("*.ics")}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        self.add(name, change(self.texts()[name]))

    def add(self, name: str, text: str) -> None:
        status, _, _ = self.program.ask("PUT", self.url + name, text.encode(), {"Content-Type": "text/calendar"})
        assert status in {201, 204}

    def remove(self, name: str) -> None:
        self.program.ask("DELETE", self.url + name)

    def close(self) -> None:
        """The program is shared."""


def titled(stage: Stage, *titles: str) -> str:
    """The name of the event that has one of these titles."""
    for name, text in stage.dav.texts().items():
        if any(f"SUMMARY:{title}\r\n" in text for title in titles):
            return name
    raise AssertionError(titles)


def edit_file(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def set_up(stage: Stage) -> None:
    """Six files and four events in step; then every kind of change on both sides."""
    stage.sync()
    for number in range(6):
        (stage.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}"))
    for number in range(4):
        stage.dav.add(f"e{number}.ics", EVENT.format(uid=f"e{number}", title=f"Event {number}"))
    stage.sync(2)
    (stage.store / "new.yaml").write_text(FILE.format(title="New file"))
    edit_file(stage.store / "f0.yaml", "File 0", "File 0 edited")
    (stage.store / "f1.yaml").unlink()
    (stage.store / "f2.yaml").rename(stage.store / "moved.yaml")
    stage.dav.add("new.ics", EVENT.format(uid="new", title="New event"))
    stage.dav.edit(titled(stage, "Event 0"), lambda text: text.replace("Event 0", "Event 0 edited"))
    stage.dav.remove(titled(stage, "Event 1"))
    edit_file(stage.store / "f3.yaml", "File 3", "File 3 edited")
    stage.dav.edit(titled(stage, "File 3"), lambda text: text.replace("END:VEVENT", "LOCATION:There\r\nEND:VEVENT"))
    stage.keep()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_on(tmp_path / "stage", LocalDav()) as made:
        set_up(made)
        yield made


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Stage]:
    """Where one field was sent and another is in the calendar after the kill, only its date tells the later edit."""
    with stage_on(tmp_path / "newest", LocalDav(), "newest") as made:
        set_up(made)
        yield made


@pytest.fixture
def golden(stage: Stage) -> dict[str, object]:
    stage.sync(2)
    outcome = stage.outcome()
    assert len(outcome["files"]) == len(outcome["events"]) == 10
    assert (outcome["conflicts"], outcome["open"], outcome["tmp"]) == ([], 0, [])
    return outcome


def kills(stage: Stage, start: int, stride: int) -> Iterator[int]:
    """Kill a sync at every `stride`-th step, until one comes to its end."""
    for step in range(start, ALL, stride):
        stage.begin()
        if not stage.killed_at(step):
            return
        yield step


def ends_as(stage: Stage, golden: dict[str, object], start: int, stride: int) -> int:
    done = 0
    for step in kills(stage, start, stride):
        stage.sync(2)
        assert stage.outcome() == golden, f"killed at step {step}: {stage.steps()[step - 1]}"
        done += 1
    return done


def edited_again_in_files(stage: Stage) -> set[str]:
    """What was just sent is edited again in the file, and what has just come in as well."""
    edit_file(stage.store / "f0.yaml", "File 0 edited", "File 0 second")
    edit_file(stage.store / "f3.yaml", "File 3 edited", "File 3 second")
    edit_file(stage.store / "new.yaml", "New file", "New file second")
    known = next(path for path in (stage.store / "2030").rglob("*event-0.yaml"))
    if "Event 0 edited" in known.read_text():
        edit_file(known, "Event 0 edited", "Event 0 second")
        return {"File 0 second", "File 3 second", "New file second", "Event 0 second"}
    return {"File 0 second", "File 3 second", "New file second", "Event 0 edited"}


def edited_again_in_the_calendar(stage: Stage) -> set[str]:
    """The same in the calendar; where the file's edit has not arrived there yet, in another field of that event."""
    wanted = {"New event second", "Event 0 second"}
    stage.dav.edit("new.ics", lambda text: text.replace("New event", "New event second"))
    stage.dav.edit(titled(stage, "Event 0 edited"), lambda text: text.replace("Event 0 edited", "Event 0 second"))
    for title in ("File 0", "File 3"):
        name = titled(stage, title, f"{title} edited")
        if f"{title} edited" in stage.dav.texts()[name]:
            stage.dav.edit(name, lambda text, title=title: text.replace(f"{title} edited", f"{title} second"))
            wanted.add(f"{title} second")
        else:
            stage.dav.edit(name, lambda text: text.replace("END:VEVENT", "URL:https://x.example/\r\nEND:VEVENT"))
            wanted.add(f"{title} edited")
    return wanted


def second_edits_arrive(stage: Stage, edit: Callable[[Stage], set[str]], start: int, stride: int) -> int:
    done = 0
    for step in kills(stage, start, stride):
        wanted = edit(stage)
        stage.sync(3)
        after = stage.outcome()
        where = f"killed at step {step}"
        assert after["conflicts"] == [], where
        assert (after["open"], after["tmp"]) == (0, []), where
        assert len(after["files"]) == len(after["events"]) == 10, where
        for title in wanted:
            assert sum(f"subject: {title}\n" in text for text in after["files"].values()) == 1, (where, title)
            assert sum(f"SUMMARY:{title}\n" in text for text in after["events"]) == 1, (where, title)
        done += 1
    return done


@pytest.mark.slow
@pytest.mark.parametrize("start", [1, 2])
def test_killed_anywhere_the_next_sync_ends_where_an_undisturbed_one_does(
    stage: Stage, golden: dict[str, object], start: int
) -> None:
    assert ends_as(stage, golden, start * 3, 7) > 30


@pytest.mark.slow
def test_an_edit_of_the_file_between_the_kill_and_the_restart_is_no_conflict(stage: Stage) -> None:
    assert second_edits_arrive(stage, edited_again_in_files, 5, 9) > 25


@pytest.mark.slow
def test_an_edit_in_the_calendar_between_the_kill_and_the_restart_wins_through(newest: Stage) -> None:
    assert second_edits_arrive(newest, edited_again_in_the_calendar, 5, 9) > 25


@pytest.mark.slow
def test_killed_in_the_middle_of_talking_to_radicale(servers: Servers, tmp_path: Path) -> None:
    server = servers.get(radicale)
    with stage_on(tmp_path / "stage", RadicaleDav(server, servers.calendar(server), tmp_path)) as stage:
        set_up(stage)
        stage.sync(2)
        golden = stage.outcome()
        stage.begin()
        talking = [n for n, name in enumerate(stage.steps(), 1) if name in {"after send", "before receive"}]
        for step in talking[:: max(1, len(talking) // 5)]:
            stage.begin()
            stage.killed_at(step)
            stage.sync(2)
            assert stage.outcome() == golden, f"killed at step {step}"


@pytest.mark.torture
@pytest.mark.timeout(3600)
class TestAtEveryStep:
    def test_killed(self, stage: Stage, golden: dict[str, object]) -> None:
        assert ends_as(stage, golden, 1, 1) > 250

    def test_killed_and_edited_again_in_files(self, stage: Stage) -> None:
        assert second_edits_arrive(stage, edited_again_in_files, 1, 1) > 250

    def test_killed_and_edited_again_in_the_calendar(self, newest: Stage) -> None:
        assert second_edits_arrive(newest, edited_again_in_the_calendar, 1, 1) > 250

    def test_killed_on_radicale(self, servers: Servers, tmp_path: Path) -> None:
        server = servers.get(radicale)
        with stage_on(tmp_path / "stage", RadicaleDav(server, servers.calendar(server), tmp_path)) as stage:
            set_up(stage)
            stage.sync(2)
            assert ends_as(stage, stage.outcome(), 1, 1) > 250
