"""kill -9 at every step of a sync of all kinds of changes: the next plain syncs end where an undisturbed one does.

And again with the same items edited once more between the kill and the restart, on either side: no false
conflict, and the second edit arrives. The bounded form takes every few steps, `make torture` all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.kill_points import Stage, stage_on
from tests.servers.kill_scene import LocalDav, RadicaleDav, edit_file, set_up, titled
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

ALL = 100_000  # more steps than a sync has


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
