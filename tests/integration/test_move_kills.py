"""kill -9 at every step of moves between two calendars: what is moved, edited, sent back is never doubled or lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.kill_points import Stage
from tests.servers.kill_scene import EVENT, FILE, LocalDav, edit_file
from tests.servers.null_dav import Collection

ALL = 100_000  # more steps than a sync has


class TwoCalendars(LocalDav):
    """`null_dav` with a second calendar; a text begins with the name of its calendar."""

    def __init__(self) -> None:
        super().__init__()
        self.server.calendars["extra"] = Collection("extra", "Extra")

    def texts(self) -> dict[str, str]:
        calendars = self.server.calendars.items()
        return {f"{at}/{name}": f"{at}\n{i.body.decode()}" for at, one in calendars for name, i in one.items.items()}

    def put(self, title: str, old: str, new: str) -> None:
        """Somebody edits the event with this title, wherever it stands."""
        for calendar in self.server.calendars.values():
            for name, item in list(calendar.items.items()):
                if f"SUMMARY:{title}\r\n".encode() in item.body:
                    calendar.put(name, item.body.replace(old.encode(), new.encode()))


def set_up_moves(stage: Stage) -> None:
    """One file goes, one goes that was edited in its calendar, one comes back, an event goes with what is its own."""
    stage.sync()
    for number in range(4):
        line = "calendar: extra\n" if number == 2 else ""
        (stage.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}") + line)
    event = EVENT.format(uid="e0", title="Event 0").replace("END:VEVENT", "GEO:60.17;24.94\r\nEND:VEVENT")
    stage.dav.add("e0.ics", event)
    stage.sync(2)
    for path in ("f0.yaml", "f1.yaml", event_file(stage)):
        with (stage.store / path).open("a") as file:
            file.write("calendar: extra\n")
    edit_file(stage.store / "f2.yaml", "calendar: extra", "calendar: work")
    edit_file(stage.store / "f0.yaml", "File 0", "File 0 edited")
    stage.dav.put("File 1", "SUMMARY:", "LOCATION:There\r\nSUMMARY:")
    stage.keep()


def event_file(stage: Stage) -> str:
    return next(path for path in (stage.store / "2030").rglob("*.yaml")).relative_to(stage.store).as_posix()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "stage", TwoCalendars(), also=("extra",))
    set_up_moves(made)
    yield made
    made.dav.close()


def homes(stage: Stage) -> dict[str, list[str]]:
    """In which calendars the events of each title stand."""
    found: dict[str, list[str]] = {}
    for text in stage.dav.texts().values():
        title = re.search(r"SUMMARY:(.*)\r", text)
        found.setdefault(title[1] if title else "", []).append(text.split("\n", 1)[0])
    return found


def kills(stage: Stage, start: int, stride: int) -> Iterator[str]:
    """Kill a sync at every `stride`-th step, until one comes to its end; says where."""
    for step in range(start, ALL, stride):
        stage.begin()
        if not stage.killed_at(step):
            return
        yield f"killed at step {step}: {stage.root}"


def ends_as_undisturbed(stage: Stage, start: int, stride: int) -> int:
    stage.sync(2)
    golden = stage.outcome()
    want = {"File 0 edited": ["extra"], "File 1": ["extra"], "File 2": ["work"], "File 3": ["work"]}
    assert homes(stage) == {**want, "Event 0": ["extra"]}
    assert sum("LOCATION:There" in text for text in golden["events"]) == 1
    assert sum("GEO:60.17" in text for text in golden["events"]) == 1
    assert (golden["conflicts"], golden["open"], golden["trash"]) == ([], 0, [])
    done = 0
    for where in kills(stage, start, stride):
        stage.sync(2)
        assert stage.outcome() == golden, where
        done += 1
    return done


def comes_back(stage: Stage, start: int, stride: int) -> int:
    """Between the kill and the restart everything is sent back to where it was."""
    done = 0
    for where in kills(stage, start, stride):
        edit_file(stage.store / "f0.yaml", "calendar: extra", "calendar: work")
        edit_file(stage.store / "f1.yaml", "calendar: extra", "calendar: work")
        edit_file(stage.store / "f2.yaml", "calendar: work", "calendar: extra")
        edit_file(stage.store / event_file(stage), "calendar: extra", "calendar: work")
        stage.sync(3)
        want = {"File 0 edited": ["work"], "File 1": ["work"], "File 2": ["extra"], "File 3": ["work"]}
        assert homes(stage) == {**want, "Event 0": ["work"]}, where
        after = stage.outcome()
        assert sum("LOCATION:There" in text for text in after["events"]) == 1, where
        assert sum("GEO:60.17" in text for text in after["events"]) == 1, where
        assert (after["conflicts"], after["open"], after["trash"], len(after["files"])) == ([], 0, [], 5), where
        done += 1
    return done


def edited_meanwhile(stage: Stage, start: int, stride: int) -> int:
    """Between the kill and the restart the events are edited, in whichever calendar they stand by then."""
    done = 0
    for where in kills(stage, start, stride):
        for title in ("File 0", "File 0 edited", "File 1", "File 2", "Event 0"):
            stage.dav.put(title, "END:VEVENT", "URL:https://x.example/\r\nEND:VEVENT")
        stage.sync(3)
        after = stage.outcome()
        assert {title: len(at) for title, at in homes(stage).items()} == dict.fromkeys(homes(stage), 1), where
        assert sum("https://x.example/" in text for text in after["events"]) == 4, where
        assert sum("https://x.example/" in text for text in after["files"].values()) == 4, where
        assert (after["conflicts"], after["open"], after["trash"], len(after["files"])) == ([], 0, [], 5), where
        done += 1
    return done


@pytest.mark.slow
def test_killed_anywhere_in_a_move_the_next_sync_ends_where_an_undisturbed_one_does(stage: Stage) -> None:
    assert ends_as_undisturbed(stage, 5, 13) > 10


@pytest.mark.slow
def test_sent_back_after_a_kill_nothing_is_doubled(stage: Stage) -> None:
    assert comes_back(stage, 7, 13) > 10


@pytest.mark.slow
def test_an_edit_of_the_event_between_the_kill_and_the_restart_moves_along(stage: Stage) -> None:
    assert edited_meanwhile(stage, 3, 13) > 10


@pytest.mark.torture
@pytest.mark.timeout(3600)
class TestAtEveryStep:
    def test_killed(self, stage: Stage) -> None:
        assert ends_as_undisturbed(stage, 1, 1) > 100

    def test_killed_and_sent_back(self, stage: Stage) -> None:
        assert comes_back(stage, 1, 1) > 100

    def test_killed_and_edited(self, stage: Stage) -> None:
        assert edited_meanwhile(stage, 1, 1) > 100
