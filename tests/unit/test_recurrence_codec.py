"""Rules as Exchange and Graph know them."""

from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from adapters.outlook.recurrence_codec import index_of, instances, recurrence_of, rule_of
from adapters.outlook.recurrence_pattern import EWS, GRAPH, WEEK, Kind, NotHeld, Pattern, Recurrence
from daemon.core.model import AllDay, Timed

MONDAY = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Moscow", timedelta(minutes=45))


def on(day, hour=9):
    return Timed(datetime(day.year, day.month, day.day, hour), "Europe/Helsinki", timedelta(hours=1))


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ("FREQ=DAILY", date(2026, 11, 24)),
        ("FREQ=DAILY;INTERVAL=3;COUNT=10", date(2026, 11, 24)),
        ("FREQ=WEEKLY;BYDAY=MO", date(2026, 11, 30)),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR", date(2026, 11, 30)),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU", date(2026, 11, 29)),
        ("FREQ=MONTHLY;BYMONTHDAY=15", date(2026, 11, 15)),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", date(2026, 11, 30)),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", date(2026, 11, 30)),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU", date(2026, 11, 10)),
        ("FREQ=MONTHLY;BYDAY=-1FR", date(2026, 11, 27)),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", date(2026, 11, 30)),
        ("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1", date(2026, 11, 1)),
        ("FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24", date(2026, 11, 24)),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", date(2027, 2, 28)),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", date(2026, 11, 26)),
        ("FREQ=WEEKLY;UNTIL=20270628T060000Z;BYDAY=MO", date(2026, 11, 30)),
    ],
)
def test_a_rule_that_exchange_knows_comes_back_as_it_was(rule, first):
    when = Timed(datetime(first.year, first.month, first.day, 9), "Europe/Moscow", timedelta(hours=1))
    held = recurrence_of(rule, when, EWS)
    assert isinstance(held, Recurrence), held
    assert rule_of(held, when) == rule


@pytest.mark.parametrize(
    ("rule", "means"),
    [
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=TU"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=24"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24"),
        ("RRULE:FREQ=MONTHLY;BYDAY=TU;BYSETPOS=4", "FREQ=MONTHLY;BYDAY=4TU"),
        ("freq=daily;interval=1", "FREQ=DAILY"),
    ],
)
def test_what_a_rule_leaves_to_its_start_is_said_in_the_pattern(rule, means):
    when = on(date(2026, 11, 24))
    held = recurrence_of(rule, when, EWS)
    assert isinstance(held, Recurrence)
    assert rule_of(held, when) == means


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=HOURLY", "hours"),
        ("FREQ=DAILY;BYHOUR=9,15", "BYHOUR"),
        ("FREQ=DAILY;BYDAY=MO,TU", "BYDAY"),
        ("FREQ=WEEKLY;INTERVAL=100", "99 weeks"),
        ("FREQ=DAILY;COUNT=1000", "999 times"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "one day"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "end of the month"),
        ("FREQ=MONTHLY;BYDAY=5TU", "first four"),
        ("FREQ=MONTHLY;BYDAY=TU", "one such day"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1", "no other set"),
        ("FREQ=MONTHLY;BYDAY=TU;BYMONTHDAY=13", "both"),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1,3", "one BYSETPOS"),
        ("FREQ=YEARLY;INTERVAL=2", "every year only"),
        ("FREQ=YEARLY;BYMONTH=1,7", "one BYMONTH"),
        ("FREQ=YEARLY;BYDAY=20MO", "BYMONTH"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"),
        ("FREQ=WEEKLY;BYDAY=WE", "begins on a day"),
        ("FREQ=WEEKLY;UNTIL=20200101", "ends before"),
        ("EVERY DAY", "not a rule"),
        ("FREQ=SOMETIMES", "not a rule"),
    ],
)
def test_a_rule_that_exchange_has_no_pattern_for_is_refused_with_the_reason(rule, words):
    refused = recurrence_of(rule, on(date(2026, 11, 24)), EWS)
    assert isinstance(refused, NotHeld), refused
    assert words in refused.reason


@pytest.mark.parametrize(
    ("rule", "first"),
    [("FREQ=MONTHLY", date(2026, 10, 31)), ("FREQ=MONTHLY", date(2026, 11, 29)), ("FREQ=YEARLY", date(2028, 2, 29))],
)
def test_a_day_that_some_months_lack_is_refused_since_exchange_would_take_their_last_day(rule, first):
    refused = recurrence_of(rule, on(first), EWS)
    assert isinstance(refused, NotHeld)
    assert "last day" in refused.reason


def test_every_second_year_is_refused_by_exchange_and_held_by_graph():
    when = on(date(2026, 11, 24))
    assert isinstance(recurrence_of("FREQ=YEARLY;INTERVAL=2", when, EWS), NotHeld)
    assert isinstance(recurrence_of("FREQ=YEARLY;INTERVAL=2", when, GRAPH), Recurrence)


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261229", date(2026, 12, 29)),
        ("20261229T070000Z", date(2026, 12, 29)),  # 9:00 in Helsinki: that instance is the last
        ("20261229T065959Z", date(2026, 12, 28)),  # a second before it
        ("20261229T230000Z", date(2026, 12, 29)),  # already the 30th in Helsinki, before 9:00
        ("20261229T090000", date(2026, 12, 29)),
    ],
)
def test_the_end_of_a_series_is_the_local_day_of_its_last_instance(until, last):
    held = recurrence_of(f"FREQ=DAILY;UNTIL={until}", on(date(2026, 11, 24)), EWS)
    assert isinstance(held, Recurrence)
    assert held.until == last


def test_instances_are_counted_as_exchange_counts_them():
    held = recurrence_of("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", MONDAY, EWS)
    assert isinstance(held, Recurrence)
    assert list(instances(held)) == [date(2026, 11, 30), date(2026, 12, 2), date(2026, 12, 7), date(2026, 12, 9)]
    assert index_of(held, date(2026, 12, 7)) == 3
    assert index_of(held, date(2026, 12, 8)) is None
    assert index_of(held, date(2026, 12, 14)) is None


_day_sets = st.sampled_from([*((day,) for day in WEEK), WEEK, WEEK[:5], WEEK[5:]])
_patterns = st.one_of(
    st.builds(Pattern, st.just(Kind.DAILY), st.integers(1, 999)),
    st.builds(
        Pattern,
        st.just(Kind.WEEKLY),
        st.integers(1, 99),
        days=st.sets(st.sampled_from(WEEK), min_size=1).map(lambda days: tuple(d for d in WEEK if d in days)),
        first_day=st.sampled_from(WEEK),
    ),
    st.builds(Pattern, st.just(Kind.ABSOLUTE_MONTHLY), st.integers(1, 24), day_of_month=st.integers(1, 31)),
    st.builds(
        Pattern,
        st.just(Kind.RELATIVE_MONTHLY),
        st.integers(1, 24),
        days=_day_sets,
        index=st.sampled_from([1, 2, 3, 4, -1]),
    ),
    st.builds(Pattern, st.just(Kind.ABSOLUTE_YEARLY), month=st.integers(1, 12), day_of_month=st.integers(1, 31)),
    st.builds(
        Pattern,
        st.just(Kind.RELATIVE_YEARLY),
        month=st.integers(1, 12),
        days=_day_sets,
        index=st.sampled_from([1, 4, -1]),
    ),
)


@given(_patterns, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_whatever_exchange_says_becomes_a_rule_that_gives_the_same_days_and_is_held_again(pattern, begin):
    first = next(instances(Recurrence(pattern, begin)), None)
    assert first is not None
    when = AllDay(first)
    said = Recurrence(pattern, first)
    rule = rule_of(said, when)
    held = recurrence_of(rule, when, EWS)
    assert isinstance(held, Recurrence), (rule, held)
    expected = [day.date() for day in islice(rrulestr(rule, dtstart=datetime(first.year, first.month, first.day)), 5)]
    assert list(islice(instances(held), 5)) == expected
