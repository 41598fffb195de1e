"""Real servers whose folder is put back as it was: what that took back is held, and goes as its user says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from daemon.status.standing import standing
from tests.scenarios.calendars import Calendar
from tests.scenarios.person import Person
from tests.servers.fault_proxy import Answer, Exchange, Fault, FaultProxy, changed
from tests.servers.program import Program
from tests.servers.radicale_server import radicale
from tests.servers.world import HandClock
from tests.servers.xandikos_server import xandikos

CALL = "subject: {0}\ndue_date: 2026-11-26\ndue_time: 14:00\nuid: {0}\n"
EVENT = "SUMMARY:{0}\nDTSTART:20261126T140000Z\nDTEND:20261126T150000Z\n"
DATA = {"radicale": "collections", "xandikos": "data"}


class Stage:
    """One person with one calendar, on a server whose folder can be copied and put back."""

    def __init__(self, root: Path, server: Program, data: Path, proxy: FaultProxy) -> None:
        self.server, self.data, self.copy, self.proxy = server, data, root / "copy", proxy
        self.calendar = Calendar(server, server.make_calendar("restored"))
        self.clock = HandClock()
        behind = replace(server, home=proxy.url_of(server.home))
        mine = Calendar(behind, proxy.url_of(self.calendar.url))
        self.me = Person("me", root / "me", {"work": mine}, {}, self.clock)
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

    def put_back(self, *, keep: str = "-", lose: str = "-") -> None:
        """The server's folder as it was, but for what `keep` matches; what `lose` matches is not there."""
        self.server.stop()
        kept = {path: path.rename(self.copy.parent / f"kept-{n}") for n, path in enumerate(self.data.glob(keep))}
        shutil.rmtree(self.data)
        shutil.copytree(self.copy, self.data)
        for path, stash in kept.items():
            shutil.rmtree(path, ignore_errors=True)
            stash.rename(path)
        for path in self.data.glob(lose):
            shutil.rmtree(path)
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
        reply = self.me.order("plan")
        assert "held" in reply.data, reply
        plan = reply.data
        holds = [hold for hold in plan["held"] if hold["reason"] == "taken_back"]  # type: ignore[union-attr,index,call-overload]  # JSON
        return {row["file"] for hold in holds for row in hold["actions"]}  # type: ignore[misc,union-attr,index,call-overload]  # JSON

    def trash(self) -> list[str]:
        return sorted(entry.path for entry in self.me.app().folder.trash_list())

    def locations(self) -> dict[str, bool]:
        return {uid: "LOCATION" in text for uid, text in self.calendar.events().items()}


def _without_a_feed(answer: Answer) -> None:
    answer.body = answer.body.replace(b"sync-collection", b"no-such-report")


@pytest.fixture(params=["radicale", "xandikos"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made: Callable[[], Program] = {"xandikos": xandikos}.get(request.param, radicale)
    server = made()
    with server, FaultProxy(server.home) as proxy:
        if request.param == "etags only":
            proxy.add(Fault(changed(_without_a_feed), method="PROPFIND", times=None))
        stage = Stage(tmp_path, server, server.folder / DATA[server.folder.name.split("-")[1]], proxy)
        yield stage
        stage.me.close()


@pytest.mark.parametrize("stage", ["radicale", "xandikos", "etags only"], indirect=True)
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
    app = stage.me.app()
    problems = standing(app.journal, app.config.routes, "", ()).problems
    hold = app.journal.holds.rows()[0].id
    assert [(one.code, one.calendar) for one in problems] == [("taken_back", "work")]
    assert f"datebook resolve {hold} --keep file" in problems[0].cure
    assert f"datebook approve {hold}" in problems[0].cure


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


def test_what_was_sent_after_the_restore_does_not_hide_it(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    before = stage.me.files()
    stage.put_back()
    stage.clock.pass_by(minutes=1)
    stage.me.write("new.yaml", CALL.format("new"))
    engine = stage.me.app().engine
    engine.look(None)
    assert engine.sync("work", poll=False).wrote
    assert "new" in stage.calendar.events()
    stage.sync()
    assert before.items() <= stage.me.files().items()
    assert len(stage.held()) == 4


def test_an_edit_in_a_restored_calendar_does_not_bring_what_is_held_along(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    stage.put_back()
    stage.sync()
    stage.calendar.edit("old", {"SUMMARY": "Retitled"}, stage.clock.now())
    stage.sync()
    assert len(stage.held()) == 4
    assert "location: Room 7" in stage.me.files()["old.yaml"]
    stage.me.order("approve")
    stage.calendar.edit("old", {"SUMMARY": "Again"}, stage.clock.now())
    assert stage.sync() == 0
    assert "subject: Again" in stage.me.files()["old.yaml"]


@pytest.mark.parametrize("stage", ["radicale"], indirect=True)
def test_a_restore_that_is_taken_back_itself_leaves_nothing_held(stage: Stage) -> None:
    stage.back_up()
    stage.work_on()
    later = stage.copy.rename(stage.copy.parent / "earlier")
    stage.back_up()
    newer, stage.copy = stage.copy.rename(stage.copy.parent / "newer"), later
    stage.put_back()
    assert stage.sync() == 3
    stage.copy = newer
    stage.put_back()
    reply = stage.me.order("sync", {"full": True})
    assert reply.code == 0, reply
    assert stage.held() == set()
    stage.calendar.edit("edited", {"LOCATION": "Room 9"}, stage.clock.now())
    assert stage.sync() == 0
    assert "Room 9" in stage.me.files()["edited.yaml"]


@pytest.mark.parametrize("cache", ["keep", "lose"])
@pytest.mark.parametrize("stage", ["radicale"], indirect=True)
def test_whatever_became_of_a_servers_cache_what_was_taken_back_is_held(stage: Stage, cache: str) -> None:
    """With its old cache the server tells of all that as of changes; with none, its token is of no state at all."""
    stage.back_up()
    stage.work_on()
    before = stage.me.files()
    stage.put_back(**{cache: "collection-root/*/*/.Radicale.cache"})
    assert stage.sync() == 3
    assert stage.me.files() == before
    assert len(stage.held()) == 4


@pytest.mark.parametrize("stage", ["radicale", "xandikos"], indirect=True)
def test_one_event_that_was_made_since_the_backup_is_held(stage: Stage) -> None:
    stage.back_up()
    stage.me.write("made.yaml", CALL.format("made"))
    stage.sync()
    stage.sync()
    stage.put_back()
    stage.sync()
    assert stage.held() == {"made.yaml"}
    assert stage.trash() == []


@pytest.mark.parametrize("stage", ["radicale", "xandikos"], indirect=True)
def test_a_calendar_that_shows_anothers_events_takes_nothing_away(stage: Stage) -> None:
    """Two collections were swapped on the server: all of the one's events are gone, and its files stay."""
    stage.work_on()
    stage.proxy.clear()
    other = Calendar(stage.server, stage.server.make_calendar("other"))
    other.put("another", EVENT.format("Another"))
    names = {b"/restored/": b"/other/", b"/other/": b"/restored/"}
    before = stage.me.files()

    def swap(exchange: Exchange) -> None:
        there = replace(exchange.request, path=_swapped(exchange.request.path, names))
        answer = exchange.proxy.forward(replace(there, body=_swapped(there.body, names)))
        exchange.send(replace(answer, body=_swapped(answer.body, names)))

    stage.proxy.add(Fault(swap, times=None))
    stage.sync()
    stage.sync()
    assert before.items() <= stage.me.files().items()
    assert stage.trash() == []
    assert list(other.events()) == ["another"]
    stage.proxy.clear()
    stage.sync(full=True)
    assert stage.held() == stage.me.files().keys() - before.keys()  # the other's came last, and is gone again
    assert before.items() <= stage.me.files().items()
    assert stage.trash() == []


Text = TypeVar("Text", str, bytes)


def _swapped(text: Text, names: Mapping[bytes, bytes]) -> Text:
    raw = text.encode() if isinstance(text, str) else text
    found = re.sub(b"|".join(names), lambda match: names[match[0]], raw)
    return found.decode() if isinstance(text, str) else found


@pytest.mark.parametrize("token", ["garbage", "http://radicale.org/ns/sync/" + "f" * 64, ""])
@pytest.mark.parametrize("stage", ["radicale", "xandikos"], indirect=True)
def test_a_token_that_is_worth_nothing_costs_one_listing_and_writes_nothing(stage: Stage, token: str) -> None:
    stage.work_on()
    events, files = stage.calendar.events(), stage.me.files()
    stage.me.app().journal.set_route("work", cursor=re.sub('"token": "[^"]*"', f'"token": "{token}"', _cursor(stage)))
    stage.proxy.log.clear()
    assert stage.sync() == 0
    assert (stage.calendar.events(), stage.me.files()) == (events, files)
    asked = [request.method for request in stage.proxy.log]
    assert not {"PUT", "DELETE"} & {*asked}
    assert len(asked) <= 3, asked  # the token that is refused, and a listing of two requests


def test_a_deletion_is_followed_though_the_server_forgot_its_tokens(stage: Stage) -> None:
    stage.work_on()
    stage.calendar.drop("made")
    forgotten = _cursor(stage).replace('"token": "', '"token": "forgotten-')
    stage.me.app().journal.set_route("work", cursor=forgotten)
    assert stage.sync() == 0
    assert stage.trash() == ["made.yaml"]


def _cursor(stage: Stage) -> str:
    route = stage.me.app().journal.route("work")
    assert route is not None
    assert route.cursor is not None
    return route.cursor


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
