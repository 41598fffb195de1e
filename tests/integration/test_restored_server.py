"""A server that was restored from a backup: its tokens are those that it gave then, and it has lost what came after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.calendars import Calendar
from tests.scenarios.person import Person
from tests.servers.program import Program
from tests.servers.scheduling_dav import scheduling_dav
from tests.servers.world import HandClock

CALL = "subject: {0}\ndue_date: 2026-11-26\ndue_time: 14:00\nuid: {0}\n"


class Stage:
    """One person with one calendar, on a server of their own."""

    def __init__(self, root: Path, server: Program) -> None:
        self.server = server
        self.calendar = Calendar(server, server.make_calendar("restored"))
        self.clock = HandClock()
        self.me = Person("me", root / "me", {"work": self.calendar}, {}, self.clock)

    def sync(self, *, full: bool = False) -> int:
        """One pass, a minute later."""
        self.clock.pass_by(minutes=1)
        return self.me.order("sync", {"full": full}).code

    def tell(self, order: str) -> None:
        """Have the server save or restore itself."""
        status, _, _ = self.server.ask("POST", f"{self.server.home.rsplit('/', 2)[0]}/.{order}")
        assert status == 204

    def held(self) -> set[str]:
        """The files that wait for a word because the server looks restored."""
        plan = self.me.order("plan").data
        holds = [hold for hold in plan["held"] if hold["reason"] == "taken_back"]  # type: ignore[union-attr,index,call-overload]  # JSON
        return {row["file"] for hold in holds for row in hold["actions"]}  # type: ignore[misc,union-attr,index,call-overload]  # JSON

    def call(self, name: str) -> None:
        """A new file that is synced."""
        self.me.write(f"{name}.yaml", CALL.format(name))
        assert self.sync() == 0
        assert name in self.calendar.events()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with scheduling_dav() as server:
        made = Stage(tmp_path, server)
        yield made
        made.me.close()


def test_what_a_restored_server_lost_is_noticed_by_a_full_sync(stage: Stage) -> None:
    stage.call("kept")
    stage.tell("backup")
    stage.call("lost")
    stage.sync()
    stage.tell("restore")
    assert stage.sync(full=True) == 3
    assert stage.held() == {"lost.yaml"}
    assert list(stage.calendar.events()) == ["kept"]
    stage.me.order("approve")
    assert [entry.path for entry in stage.me.app().folder.trash_list()] == ["lost.yaml"]
    assert list(stage.me.files()) == ["kept.yaml"]


def test_a_calendar_is_listed_whole_once_a_day(stage: Stage) -> None:
    stage.call("kept")
    stage.tell("backup")
    stage.call("lost")
    stage.sync()
    stage.tell("restore")
    stage.clock.pass_by(days=1)
    stage.sync()
    assert stage.held() == {"lost.yaml"}
    stage.me.order("resolve", {"file": "lost.yaml", "keep": "file"})
    assert sorted(stage.calendar.events()) == ["kept", "lost"]


def test_a_feed_that_does_not_tell_of_our_own_write_is_not_believed(stage: Stage) -> None:
    stage.call("edited")
    stage.sync()
    stage.clock.pass_by(hours=7)
    stage.tell("backup")
    stage.me.edit("edited.yaml", {"location": "Room 5"})
    stage.me.order("sync")
    assert "LOCATION:Room 5" in stage.calendar.events()["edited"]
    stage.tell("restore")
    stage.sync()
    assert stage.held() == {"edited.yaml"}
    stage.me.order("approve")
    assert "location" not in stage.me.files()["edited.yaml"]
    entries = stage.me.order("log").data["entries"]
    assert entries[0]["before"] == {"location": "Room 5"}  # type: ignore[index,call-overload]  # the shape of JSON


def test_a_deletion_that_the_feed_tells_of_is_followed_by_a_whole_listing(stage: Stage) -> None:
    stage.call("kept")
    stage.call("dropped")
    stage.sync()
    stage.calendar.drop("dropped")
    assert stage.sync(full=True) == 0
    assert list(stage.me.files()) == ["kept.yaml"]


def test_a_quiet_feed_is_asked_for_changes_alone(stage: Stage) -> None:
    stage.call("one")
    stage.sync()
    root = stage.server.home.rsplit("/", 2)[0]
    stage.server.ask("POST", f"{root}/.reset")
    stage.sync()
    _, _, body = stage.server.ask("GET", f"{root}/.stats")
    assert b"PROPFIND" not in body
