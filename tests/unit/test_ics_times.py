"""How moments are written into iCalendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.ics import ics_codec
from daemon.core.model import Field, Key, Timed

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Zulu", "Etc/Universal"])
def test_utc_under_any_of_its_names_is_written_as_icalendar_writes_utc(name: str) -> None:
    when = Timed(datetime(2026, 12, 1, 9), name, timedelta(hours=1))
    raw = ics_codec.compose("u", {Key(Field.SUBJECT): "x", Key(Field.WHEN): when}, zone="Europe/Moscow", now=NOW)
    assert b"DTSTART:20261201T090000Z\r\n" in raw
    assert b"VTIMEZONE" not in raw
