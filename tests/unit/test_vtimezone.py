"""VTIMEZONE text says what the zone does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.ics.content_lines import parse
from adapters.ics.ics_zones import Zones
from adapters.ics.vtimezone import vtimezone

ZONES = (
    "Europe/Berlin", "America/New_York", "Europe/Dublin", "Europe/Moscow", "Australia/Lord_Howe", "Africa/Casablanca",
    "Asia/Jerusalem", "America/Nuuk", "Africa/Cairo", "America/Santiago", "Asia/Kathmandu", "UTC", "Antarctica/Troll",
)  # fmt: skip


def offsets_by_text(zone: str, at: datetime) -> timedelta:
    """The offset that a reader of the text finds, who takes onsets for local time before the jump."""
    from dateutil.rrule import rrulestr

    best: tuple[datetime, timedelta] | None = None
    for part in next(parse(vtimezone(zone, 2026)).components(b"VTIMEZONE")).body:
        if not hasattr(part, "body"):
            continue
        said = {line.name: line.value for line in part.body}
        before, after = (_offset(said[name]) for name in (b"TZOFFSETFROM", b"TZOFFSETTO"))
        start = datetime.fromisoformat(said[b"DTSTART"])
        onsets = [start, *(datetime.fromisoformat(d) for d in said.get(b"RDATE", "").split(",") if d)]
        if b"RRULE" in said:
            found = rrulestr(said[b"RRULE"], dtstart=start).before(at.replace(tzinfo=None) + before, inc=True)
            onsets += [found] if found else []
        for onset in onsets:
            instant = (onset - before).replace(tzinfo=UTC)
            if instant <= at and (best is None or instant > best[0]):
                best = (instant, after)
    assert best
    return best[1]


def _offset(text: str) -> timedelta:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return -offset if text[0] == "-" else offset


@pytest.mark.parametrize("zone", ZONES)
def test_the_text_has_the_offsets_of_the_zone(zone: str) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    while at.year < 2037:
        assert offsets_by_text(zone, at) == at.astimezone(ZoneInfo(zone)).utcoffset(), at
        at += timedelta(days=9, hours=5)


def test_an_onset_is_the_local_time_before_the_jump() -> None:
    text = vtimezone("Europe/Berlin", 2026)
    assert b"DTSTART:19700329T020000\r\n" in text
    assert b"DTSTART:19701025T030000\r\n" in text


def test_the_larger_offset_is_daylight_in_ireland_too() -> None:
    daylight = vtimezone("Europe/Dublin", 2026).partition(b"BEGIN:DAYLIGHT")[2].partition(b"END:DAYLIGHT")[0]
    assert b"TZOFFSETTO:+0100" in daylight


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"])
def test_a_zone_is_recognised_by_its_text_alone(zone: str) -> None:
    text = vtimezone(zone, 2026).replace(f"TZID:{zone}".encode(), b"TZID:Made up")
    calendar = next(parse(b"BEGIN:VCALENDAR\r\n" + text + b"END:VCALENDAR\r\n").components(b"VCALENDAR"))
    assert Zones(calendar, "UTC").name("Made up", 2026) == zone


def test_two_documents_may_mean_different_zones_by_one_name() -> None:
    found = []
    for zone in ("Europe/Berlin", "America/New_York"):
        text = vtimezone(zone, 2026).replace(f"TZID:{zone}".encode(), b"TZID:Foo")
        calendar = next(parse(b"BEGIN:VCALENDAR\r\n" + text + b"END:VCALENDAR\r\n").components(b"VCALENDAR"))
        found.append(Zones(calendar, "UTC").name("Foo", 2026))
    assert found == ["Europe/Berlin", "America/New_York"]
