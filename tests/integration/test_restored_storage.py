"""Real servers whose folder is put back as it was: what that took back is held, and goes as its user says."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.calendars import Calendar
from tests.scenarios.person import Person
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.world import HandClock
from tests.servers.xandikos_server import xandikos

CALL = "subject: {0}\ndue_date: 2026-11-26\ndue_time: 14:00\nuid: {0}\n"
EVENT = "SUMMARY:{0}\nDTSTART:20261126T140000Z\nDTEND:20261126T150000Z\n"
DATA = {"radicale": "collections", "xandikos": "data"}


class Stage:
    """One person with one calendar, on a server whose folder can be copied and put back."""

    def __init__(self, root: Path, server: Program, data: Path) -> None:
        self.server, self.data, self.copy = server, data, root / "copy"
        self.calendar = Calendar(server, server.make_calendar("restored"))
        self.clock = HandClock()
        self.me = Person("me", root / "me", {"work": self.calendar}, {}, self.clock)
        for name in ("old", "edited"):
            self.me.write(f"{name}.yaml", CALL.format(name))
        self.sync()
        self.sync()

    def sync(self, *, full: bool = False) -> int:
        """One pass, a minute later."""
        self.clock.pass_by(minutes=1)
        return self.me.order("sync", {"full": full}).code

    def back_up(self) -> None:
        shutil.copytree(self.data, self.copy)

    def put_back(self, *, keep: str = "") -> None:
        """The server's folder as it was, but for what `keep` matches."""
        self.server.stop()
        kept = {path: path.rename(self.copy.parent / f"kept-{n}") for n, path in enumerate(self.data.glob(keep or "-"))}
        shutil.rmtree(self.data)
        shutil.copytree(self.copy, self.data)
        for path, stash in kept.items():
            shutil.rmtree(path, ignore_errors=True)
            stash.rename(path)
        self.server.start()

    def work_on(self) -> None:
        """Files are made and edited, and somebody else does the like in the calendar; all of it is synced."""
        self.me.write("made.yaml", CALL.format("made"))
        self.me.edit("edited.yaml", {"location": "Room 5"})
        self.sync()
        self.calendar.put("theirs", EVENT.format("Theirs"))
        self.calendar.edit("old", {"LOCATION": "Room 7"}, self.clock.now())
        self.sync()
        self.sync()
        assert len(self.me.files()) == 4
        assert "location: Room 7" in self.me.files()["old.yaml"]

    def held(self) -> set[str]:
        plan = self.me.order("plan").data
        holds = [hold for hold in plan["held"] if hold["reason"] == "taken_back"]  # type: ignore[union-attr,index,call-overload]  # JSON
        return {row["file"] for hold in holds for row in hold["actions"]}  # type: ignore[misc,union-attr,index,call-overload]  # JSON

    def trash(self) -> list[str]:
        return sorted(entry.path for entry in self.me.app().folder.trash_list())

    def locations(self) -> dict[str, bool]:
        return {uid: "LOCATION" in text for uid, text in self.calendar.events().items()}


@pytest.fixture(params=["radicale", "xandikos"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made: Callable[[], Program] = {"radicale": radicale, "xandikos": xandikos}[request.param]
    server = made()
    with server:
        stage = Stage(tmp_path, server, server.folder / DATA[request.param])
        yield stage
        stage.me.close()


def test_what_a_restore_took_back_is_held_and_the_rest_goes_on(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    before = stage.me.files()
    stage.put_back()
    stage.me.write("new.yaml", CALL.format("new"))
    assert stage.sync() == 3
    assert stage.sync() == 3
    assert {**stage.me.files(), "new.yaml": ""} == {**before, "new.yaml": ""}
    assert stage.trash() == []
    assert len(stage.held()) == 4
    assert stage.locations() == {"old": False, "edited": False, "new": False}
    said = stage.me.order("why", {"file": "edited.yaml"}).data
    assert (said["state"], said["code"]) == ("held", "taken_back")


def test_what_a_restore_took_back_is_sent_again(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    before = stage.me.files()
    stage.put_back()
    stage.sync()
    hold = stage.me.order("plan").data["held"][0]["id"]  # type: ignore[index,call-overload]  # JSON
    reply = stage.me.order("resolve", {"file": hold, "keep": "file"})
    assert reply.data["resolved"] == 4
    assert any(stage.sync() == 0 for _ in range(5))  # Xandikos locks out writes that come at once (423)
    assert stage.me.files() == before
    assert stage.locations() == {"old": True, "edited": True, "made": False, "theirs": False}
    at_rest = stage.calendar.events()
    assert stage.sync(full=True) == 0
    assert stage.calendar.events() == at_rest


def test_what_a_restore_took_back_is_followed_on_a_word(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    stage.put_back()
    stage.sync()
    stage.me.order("resolve", {"file": "old.yaml", "keep": "calendar"})
    assert "location" not in stage.me.files()["old.yaml"]
    assert len(stage.held()) == 3
    stage.me.order("approve")
    assert sorted(stage.me.files()) == ["edited.yaml", "old.yaml"]
    assert not any("location" in text for text in stage.me.files().values())
    assert len(stage.trash()) == 2
    assert stage.sync(full=True) == 0


def test_after_a_restore_an_edit_in_the_calendar_is_an_edit(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    stage.put_back()
    stage.sync()
    stage.me.order("resolve", {"file": "edited.yaml", "keep": "file"})
    stage.calendar.edit("edited", {"LOCATION": "Room 9"}, stage.clock.now())
    stage.sync()
    assert "Room 9" in stage.me.files()["edited.yaml"]


def test_one_event_that_was_made_since_the_backup_is_held(stage: Stage) -> None:
    stage.back_up()
    stage.me.write("made.yaml", CALL.format("made"))
    stage.sync()
    stage.sync()
    stage.put_back()
    stage.sync()
    assert stage.held() == {"made.yaml"}
    assert stage.trash() == []


def test_a_deletion_is_followed_though_the_server_forgot_its_tokens(stage: Stage) -> None:
    stage.work_on()
    stage.calendar.drop("made")
    stage.me.app().journal.set_route("work", cursor=_wrong(stage))
    assert stage.sync() == 0
    assert stage.trash() == ["made.yaml"]


def _wrong(stage: Stage) -> str:
    route = stage.me.app().journal.route("work")
    assert route is not None
    assert route.cursor is not None
    return route.cursor.replace('"token": "', '"token": "forgotten-')


def test_an_event_that_was_deleted_since_the_backup_stays_away(stage: Stage) -> None:
    stage.back_up()
    (stage.me.store / "old.yaml").unlink()
    stage.sync()
    assert list(stage.calendar.events()) == ["edited"]
    stage.put_back()
    stage.sync()
    stage.sync()
    assert list(stage.me.files()) == ["edited.yaml"]
    assert sorted(stage.calendar.events()) == ["edited", "old"]
