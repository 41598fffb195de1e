"""Recurrences as XML: read back as they were, and the same days as the simulator's own reckoning."""

from datetime import UTC, date, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.exchange.ews_recurrence import T, read_recurrence, write_recurrence
from adapters.outlook.recurrence_codec import instances
from adapters.outlook.recurrence_pattern import WEEK, Kind, Pattern, Recurrence
from tests.servers.ews_schema import violations
from tests.servers.ews_series import starts

ZONE = ZoneInfo("Europe/Helsinki")
_sets = st.sampled_from([*((day,) for day in WEEK), WEEK, WEEK[:5], WEEK[5:]])
_index, _month = st.sampled_from([1, 2, 3, 4, -1]), st.integers(1, 12)
_days = st.sets(st.sampled_from(WEEK), min_size=1).map(lambda days: tuple(day for day in WEEK if day in days))
_patterns = st.one_of(
    st.builds(Pattern, st.just(Kind.DAILY), st.integers(1, 60)),
    st.builds(Pattern, st.just(Kind.WEEKLY), st.integers(1, 6), days=_days, first_day=st.sampled_from(WEEK)),
    st.builds(Pattern, st.just(Kind.ABSOLUTE_MONTHLY), st.integers(1, 14), day_of_month=st.integers(1, 31)),
    st.builds(Pattern, st.just(Kind.RELATIVE_MONTHLY), st.integers(1, 14), days=_sets, index=_index),
    st.builds(Pattern, st.just(Kind.ABSOLUTE_YEARLY), month=_month, day_of_month=st.integers(1, 31)),
    st.builds(Pattern, st.just(Kind.RELATIVE_YEARLY), month=_month, days=_sets, index=_index),
)


def element_of(recurrence):
    element = etree.Element(f"{T}Recurrence")
    write_recurrence(element, recurrence)
    assert violations(element) == []
    return element


@given(_patterns, st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 2), st.integers(1, 999))
def test_a_recurrence_reads_back_as_it_was_written(pattern, first, range_kind, count):
    until = date(2031, 1, 1) if range_kind == 1 else None
    said = Recurrence(pattern, first, until, count if range_kind == 2 else None)
    assert read_recurrence(element_of(said)) == said


@given(_patterns, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_its_days_are_those_that_the_simulator_reckons_by_microsofts_words(pattern, begin):
    # A series begins on an instance of it: there, iCalendar and Exchange count alike.
    first = next(instances(Recurrence(pattern, begin)))
    said = Recurrence(pattern, first, count=12)
    nine = datetime.combine(first, time(9), ZONE).astimezone(UTC)
    reckoned = [start.astimezone(ZONE).date() for start in islice(starts(element_of(said), nine, ZONE), 12)]
    assert list(instances(said)) == reckoned


@pytest.mark.parametrize("name", ["DailyRegeneration", "YearlyRegeneration"])
def test_a_recurrence_that_is_no_pattern_is_told_apart(name):
    element = etree.fromstring(
        f'<t:Recurrence xmlns:t="{T[1:-1]}"><t:{name}><t:Interval>1</t:Interval></t:{name}>'
        "<t:NoEndRecurrence><t:StartDate>2026-11-30Z</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    )
    assert read_recurrence(element) is None
