"""Spans and series in time."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from time import process_time

import pytest

from daemon.core.model import AllDay, Field, Key, Status, Timed, Value
from daemon.core.times import (
    Occurrence,
    elapsed,
    end_of,
    instant,
    is_over,
    last_end,
    next_occurrence,
    occurrences,
    start_of,
    wall_end,
    zone_of,
)

HELSINKI = "Europe/Helsinki"
HOUR = timedelta(hours=1)


def weekly(**more: Value) -> dict[Key, Value]:
    view: dict[Key, Value] = {
        Key(Field.WHEN): Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", timedelta(minutes=45)),
        Key(Field.REPEAT): "FREQ=WEEKLY;UNTIL=20261228;BYDAY=MO",
    }
    return view | {Key(Field[name]): value for name, value in more.items()}


def test_a_length_is_elapsed_time_over_a_change_of_the_clocks() -> None:
    start, end = datetime(2026, 10, 24, 22), datetime(2026, 10, 25, 10)
    assert elapsed(start, end, HELSINKI) == 13 * HOUR
    assert wall_end(Timed(start, HELSINKI, 13 * HOUR)) == end


def test_a_time_that_the_clocks_skip_counts_by_the_offset_before_the_jump() -> None:
    assert instant(datetime(2026, 3, 29, 3, 30), HELSINKI) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_an_all_day_span_ends_at_the_midnight_after_its_last_day() -> None:
    when = AllDay(date(2026, 12, 1), 2)
    assert start_of(when, HELSINKI) == datetime(2026, 11, 30, 22, tzinfo=UTC)
    assert end_of(when, HELSINKI) == datetime(2026, 12, 2, 22, tzinfo=UTC)


def test_a_name_that_is_no_zone_is_none() -> None:
    assert [zone_of(name) for name in ("Nowhere", "../etc/passwd", "", "Europe", "a\0b", "x" * 5000)] == [None] * 6


def test_a_meeting_under_way_is_not_over() -> None:
    view: dict[Key, Value] = {Key(Field.WHEN): Timed(datetime(2026, 11, 24, 10), "UTC", HOUR)}
    assert not is_over(view, datetime(2026, 11, 24, 10, 59, tzinfo=UTC), HELSINKI)
    assert is_over(view, datetime(2026, 11, 24, 11, tzinfo=UTC), HELSINKI)


def test_a_series_is_over_when_its_last_instance_is() -> None:
    assert last_end(weekly(), zone=HELSINKI) == datetime(2026, 12, 28, 6, 45, tzinfo=UTC)


def test_a_skipped_last_instance_does_not_count() -> None:
    view = weekly(SKIP=frozenset({date(2026, 12, 28)}))
    assert last_end(view, zone=HELSINKI) == datetime(2026, 12, 21, 6, 45, tzinfo=UTC)


def test_a_cancelled_last_instance_does_not_count() -> None:
    view = weekly() | {Key(Field.STATUS, date(2026, 12, 28)): Status.CANCELLED}
    assert last_end(view, zone=HELSINKI) == datetime(2026, 12, 21, 6, 45, tzinfo=UTC)


def test_an_instance_that_was_moved_counts_where_it_lies_now() -> None:
    moved = Timed(datetime(2027, 2, 1, 12), "UTC", HOUR)
    view = weekly() | {Key(Field.WHEN, date(2026, 12, 7)): moved}
    assert last_end(view, zone=HELSINKI) == datetime(2027, 2, 1, 13, tzinfo=UTC)
    days = [each.original for each in occurrences(view, zone=HELSINKI)]
    assert days == [date(2026, 11, 30), *(date(2026, 12, day) for day in (14, 21, 28)), date(2026, 12, 7)]


def test_the_next_instance_is_the_one_under_way() -> None:
    found = next_occurrence(weekly(), datetime(2026, 12, 7, 6, 30, tzinfo=UTC), HELSINKI)
    assert found == Occurrence(
        date(2026, 12, 7), Timed(datetime(2026, 12, 7, 9), "Europe/Moscow", timedelta(minutes=45))
    )


def test_a_series_keeps_its_wall_clock_time_over_a_change_of_the_clocks() -> None:
    view: dict[Key, Value] = {
        Key(Field.WHEN): Timed(datetime(2026, 10, 24, 9), HELSINKI, HOUR),
        Key(Field.REPEAT): "FREQ=DAILY;COUNT=2",
    }
    assert [start_of(each.when, HELSINKI).hour for each in occurrences(view, zone=HELSINKI)] == [6, 7]


def test_instances_of_a_rule_that_fires_twice_a_day_are_named_by_date_and_time() -> None:
    view = weekly(REPEAT="FREQ=DAILY;COUNT=3;BYHOUR=9,15")
    assert [each.original for each in occurrences(view, zone=HELSINKI)] == [
        datetime(2026, 11, 30, 9),
        datetime(2026, 11, 30, 15),
        datetime(2026, 12, 1, 9),
    ]


def test_an_endless_series_has_no_end() -> None:
    assert last_end(weekly(REPEAT="FREQ=WEEKLY;BYDAY=MO"), zone=HELSINKI) is None


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;COUNT=1000000000",
        "FREQ=DAILY;COUNT=1000000000;BYDAY=MO",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2",
        "FREQ=SECONDLY;UNTIL=99991231",
        "FREQ=YEARLY;UNTIL=99991231;BYHOUR="
        + ",".join(map(str, range(24)))
        + ";BYMINUTE="
        + ",".join(map(str, range(60))),
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYMONTHDAY=31;BYSETPOS=-1;COUNT=99999",
        "FREQ=MINUTELY;INTERVAL=2147483647;COUNT=2147483647",
        "FREQ=HOURLY;BYSETPOS=2;COUNT=5",
    ],
)
def test_no_rule_takes_long(rule: str) -> None:
    began = process_time()
    view = weekly(REPEAT=rule)
    last_end(view, zone=HELSINKI)
    list(islice(occurrences(view, zone=HELSINKI, since=datetime(2030, 1, 1, tzinfo=UTC)), 10))
    next_occurrence(view, datetime(9000, 1, 1, tzinfo=UTC), HELSINKI)
    assert process_time() - began < 4
