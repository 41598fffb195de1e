"""patternedRecurrence: every pattern both ways, and the same days as the rule has."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.graph.graph_recurrence import read_recurrence, write_recurrence
from adapters.outlook.recurrence_codec import instances, recurrence_of
from adapters.outlook.recurrence_pattern import GRAPH, WEEK, Kind, Pattern, Recurrence
from daemon.core.model import AllDay, Timed
from tests.servers.graph_series import days
from tests.servers.graph_types import violations

MONDAY = date(2026, 11, 30)
RULES = {
    "FREQ=DAILY;INTERVAL=3": {"type": "daily", "interval": 3},
    "FREQ=WEEKLY;BYDAY=MO,WE": {
        "type": "weekly", "interval": 1, "daysOfWeek": ["monday", "wednesday"], "firstDayOfWeek": "monday",
    },
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU": {
        "type": "weekly", "interval": 2, "daysOfWeek": ["monday", "sunday"], "firstDayOfWeek": "sunday",
    },
    "FREQ=MONTHLY;BYMONTHDAY=-1": {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31},
    "FREQ=MONTHLY;BYDAY=-1MO": {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "last"},
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1": {
        "type": "relativeMonthly", "interval": 1, "index": "last",
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    },
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=11;BYMONTHDAY=30": {
        "type": "absoluteYearly", "interval": 2, "dayOfMonth": 30, "month": 11,
    },
    "FREQ=YEARLY;BYMONTH=11;BYDAY=-1MO": {
        "type": "relativeYearly", "interval": 1, "daysOfWeek": ["monday"], "index": "last", "month": 11,
    },
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_pattern_has_the_properties_of_its_type_and_no_other(rule):
    recurrence = recurrence_of(rule, AllDay(MONDAY), GRAPH)
    said = write_recurrence(recurrence, "Europe/Helsinki")
    assert said["pattern"] == RULES[rule]
    assert said["range"] == {"type": "noEnd", "startDate": "2026-11-30", "recurrenceTimeZone": "Europe/Helsinki"}
    assert read_recurrence(said) == recurrence


@pytest.mark.parametrize(
    ("end", "limits"),
    [
        ("COUNT=10", {"type": "numbered", "numberOfOccurrences": 10}),
        ("UNTIL=20270628", {"type": "endDate", "endDate": "2027-06-28"}),
        ("UNTIL=20270627T230000Z", {"type": "endDate", "endDate": "2027-06-27"}),
        ("UNTIL=20270628T070000Z", {"type": "endDate", "endDate": "2027-06-28"}),
    ],
)
def test_a_series_ends_on_the_local_day_of_its_last_instance(end, limits):
    when = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
    said = write_recurrence(recurrence_of(f"FREQ=WEEKLY;{end}", when, GRAPH), "Europe/Helsinki")
    assert {name: value for name, value in said["range"].items() if name in limits} == limits
    assert read_recurrence(said) == recurrence_of(f"FREQ=WEEKLY;{end}", when, GRAPH)


def test_what_graph_says_beside_the_properties_of_a_type_is_not_believed():
    said = {
        "pattern": {"type": "daily", "interval": 1, "month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday",
                    "index": "first", "daysOfWeek": []},
        "range": {"type": "noEnd", "startDate": "2026-11-30", "endDate": "0001-01-01", "numberOfOccurrences": 0,
                  "recurrenceTimeZone": "UTC"},
    }  # fmt: skip
    assert read_recurrence(said) == Recurrence(Pattern(Kind.DAILY), MONDAY)


def test_a_pattern_that_graph_may_invent_is_not_guessed_at():
    assert (
        read_recurrence({"pattern": {"type": "lunar"}, "range": {"type": "noEnd", "startDate": "2026-11-30"}}) is None
    )
    assert read_recurrence({}) is None


_days = st.sets(st.sampled_from(WEEK), min_size=1).map(lambda days: ",".join(sorted(days, key=WEEK.index)))
_rules = st.one_of(
    st.just("FREQ=DAILY"),
    st.builds("FREQ=WEEKLY;BYDAY={};WKST={}".format, _days, st.sampled_from(WEEK)),
    st.builds("FREQ=MONTHLY;BYMONTHDAY={}".format, st.sampled_from([1, 15, 28, -1])),
    st.builds("FREQ=MONTHLY;BYDAY={}{}".format, st.sampled_from([1, 2, 4, -1]), st.sampled_from(WEEK)),
    st.builds("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS={}".format, st.sampled_from([1, 3, -1])),
    st.builds("FREQ=YEARLY;BYMONTH={};BYMONTHDAY={}".format, st.integers(1, 12), st.integers(1, 28)),
    st.builds("FREQ=YEARLY;BYMONTH={};BYDAY={}{}".format, st.integers(1, 12), st.sampled_from([1, -1]), st.just("FR")),
)
_ends = st.sampled_from(["", ";COUNT=7", ";UNTIL=20280101"])


@given(_rules, st.integers(1, 4), _ends, st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_graph_shows_the_days_that_the_rule_has(rule, interval, end, day):
    start = datetime(day.year, day.month, day.day)
    # A series begins on a day of its rule.
    first = rrulestr(rule, dtstart=start).after(start, inc=True).date()
    assume(not end.startswith(";UNTIL") or first < date(2028, 1, 1))
    held = recurrence_of(f"{rule};INTERVAL={interval}{end}", AllDay(first), GRAPH)
    assert isinstance(held, Recurrence)
    said = write_recurrence(held, "UTC")
    assert list(violations({"recurrence": said}, creating=False)) == []
    assert list(islice(days(said), 20)) == list(islice(instances(held), 20))
    assert read_recurrence(said) == held
