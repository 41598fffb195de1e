"""The wall clock jumps under the running daemon: a suspend, a clock that is set, the night in which summer begins.

Polls go on, nothing is doubled, nothing deleted, and `since: now` stays the moment of connecting.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, drop
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import running, status, until
from tests.servers.wall_clock import WallClock

pytestmark = pytest.mark.slow
HELSINKI = ZoneInfo("Europe/Helsinki")
CALL = "subject: Call {who}\ntype: call\ndue_date: {day}\ndue_time: 10:30\n"
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path / "clock")


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.get(radicale).home) as proxy:
        yield proxy


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.calendar(servers.get(radicale))


@pytest.fixture
def person(url: str, proxy: FaultProxy, tmp_path: Path) -> Person:
    return Person(tmp_path / "me", proxy.url_of(url), "    poll: 2s\n")


def day(clock: WallClock, days: int) -> str:
    return (clock.now() + timedelta(days=days)).date().isoformat()


def stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}"


def at(time: str) -> str:
    return f"T{time.replace(':', '')}00"


def in_step(person: Person, clock: WallClock) -> None:
    """One that the jumps leave behind, and one far ahead."""
    person.write("soon.yaml", CALL.format(who="soon", day=day(clock, 2)))
    person.write("late.yaml", CALL.format(who="late", day=day(clock, 400)))
    until(lambda: sorted(person.events()) == ["Call late", "Call soon"])
    until(lambda: all("uid:" in person.read(name) for name in ("soon.yaml", "late.yaml")))
    until(lambda: status(person)["calendars"]["work"]["linked"] == 2)


def goes_on(person: Person, old: str, new: str) -> None:
    """An edit travels out and another one in, and both are still the two that there were."""
    person.edit("late.yaml", old, new)
    until(lambda: at(new) in person.events()["Call late"])
    person.change("Call late", at(new), at(old))
    until(lambda: old in person.read("late.yaml"))
    assert person.files() == ["late.yaml", "soon.yaml"]
    assert sorted(person.events()) == ["Call late", "Call soon"]
    assert status(person)["calendars"]["work"]["linked"] == 2


def log(person: Person) -> str:
    return (person.root / "daemon.log").read_text()


@pytest.mark.parametrize("jump", [WEEK, -HOUR], ids=["a week ahead", "an hour back"])
def test_a_clock_that_jumps_stops_no_poll_and_neither_doubles_nor_deletes(
    person: Person, clock: WallClock, jump: timedelta
) -> None:
    with running(person, **clock.environment):
        in_step(person, clock)
        clock.jump(jump)
        goes_on(person, "10:30", "13:30")
        until(lambda: "time_jumped" in log(person))
        clock.jump(-jump)  # a time server sets it right again
        goes_on(person, "10:30", "15:30")
        until(lambda: log(person).count("time_jumped") == 2)
        until(lambda: status(person)["state"] == "ok")


def test_a_machine_that_sleeps_for_a_week_asks_at_once_when_it_wakes(person: Person, clock: WallClock) -> None:
    person.configure("    poll: 1h\n")
    with running(person, **clock.environment):
        in_step(person, clock)
        person.change("Call late", at("10:30"), at("09:30"))
        clock.jump(WEEK)  # the monotonic clock stands still meanwhile: by it the next poll is an hour away
        until(lambda: "9:30" in person.read("late.yaml"))
        assert person.files() == ["late.yaml", "soon.yaml"]


def test_a_week_without_a_network_ends_with_both_sides_edits_on_both_sides(
    person: Person, clock: WallClock, proxy: FaultProxy, url: str, tmp_path: Path
) -> None:
    elsewhere = Person(tmp_path / "telephone", url)
    with running(person, **clock.environment):
        in_step(person, clock)
        proxy.add(Fault(drop, times=None))
        person.edit("late.yaml", "10:30", "13:30")
        elsewhere.change("Call soon", "SUMMARY:Call soon", "SUMMARY:Call soon\nLOCATION:Room 5")
        until(lambda: status(person)["accounts"]["home"]["state"] == "unreachable")
        clock.jump(WEEK)
        until(lambda: "time_jumped" in log(person))
        proxy.clear()
        clock.jump(timedelta(minutes=2))  # the lid is closed and opened
        until(lambda: at("13:30") in elsewhere.events()["Call late"])
        until(lambda: "location: Room 5" in person.read("soon.yaml"))
        until(lambda: status(person)["state"] == "ok")
        assert person.files() == ["late.yaml", "soon.yaml"]
        assert sorted(elsewhere.events()) == ["Call late", "Call soon"]


@pytest.mark.parametrize(
    "switch",
    [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)],
    ids=["summer begins", "summer ends"],
)
def test_the_night_in_which_the_clocks_change_moves_nothing(person: Person, clock: WallClock, switch: datetime) -> None:
    clock.jump_to(switch - timedelta(seconds=20))
    that_day = switch.astimezone(HELSINKI).date()
    with running(person, **{**clock.environment, "TZ": "Europe/Helsinki"}):
        in_step(person, clock)
        person.write("brunch.yaml", f"subject: Brunch\ntype: call\ndue_date: {that_day}\ndue_time: 11:00\n")
        until(lambda: "Brunch" in person.events())
        until(lambda: "uid:" in person.read("brunch.yaml"))
        before = person.read("brunch.yaml"), person.events()["Brunch"]
        clock.jump_to(switch + timedelta(seconds=1))
        person.edit("late.yaml", "10:30", "12:30")
        until(lambda: at("12:30") in person.events()["Call late"])
        until(lambda: datetime.fromisoformat(status(person)["updated"]) > switch)
        assert (person.read("brunch.yaml"), person.events()["Brunch"]) == before
        assert f"DTSTART;TZID=Europe/Helsinki:{that_day:%Y%m%d}T110000" in before[1]
        assert sorted(person.events()) == ["Brunch", "Call late", "Call soon"]
        until(lambda: status(person)["state"] == "ok")


def test_since_now_stays_the_moment_of_connecting(person: Person, clock: WallClock) -> None:
    text = (person.root / "config.yaml").read_text()
    (person.root / "config.yaml").write_text(text.replace("since: all", "since: now"))
    began = clock.now()
    with running(person, **clock.environment):
        until(lambda: status(person)["calendars"]["work"]["last_sync"])
        clock.jump(WEEK)
        until(lambda: "time_jumped" in log(person))
        for title, days in (("before", -3), ("since", 3)):
            start = began + timedelta(days=days)
            person.add_event(title, uid=title, start=stamp(start), end=stamp(start + HOUR))
        until(lambda: len(person.files()) == 1)
        assert "subject: since\n" in person.read(person.files()[0])
        person.add_event("Lunch", uid="lunch", start=stamp(clock.now()), end=stamp(clock.now() + HOUR))
        until(lambda: len(person.files()) == 2)  # and this poll, too, has left out the one from before
        assert not any("subject: before\n" in person.read(name) for name in person.files())
