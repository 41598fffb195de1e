"""Rules from RRULE text and from English, in one canonical form."""

from datetime import date, datetime, timedelta

import pytest

from daemon.core.model import AllDay, Timed
from daemon.core.recurrence import rule_of, settled

MOSCOW = Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("every week on Monday until 2027-06-28", "FREQ=WEEKLY;UNTIL=20270628;BYDAY=MO"),
        ("EVERY DAY", "FREQ=DAILY"),
        ("every 2 weeks on Tue and Thu", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH"),
        ("every other week", "FREQ=WEEKLY;INTERVAL=2"),
        ("every month on the 15th", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("every month on the last Friday", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("every month on the last day", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("every year on 24 December", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
        ("every weekday for 10 times", "FREQ=WEEKLY;COUNT=10;BYDAY=MO,TU,WE,TH,FR"),
        ("every Wednesday, 10 times", "FREQ=WEEKLY;COUNT=10;BYDAY=WE"),
        ("every week on Wednesday, 10 times", "FREQ=WEEKLY;COUNT=10;BYDAY=WE"),
        ("every month on the 1st and the 15th, three times", "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=1,15"),
        ("every month on 10 times", None),
        ("Mondays", None),
        ("every week for 3 weeks", None),
        ("every 0 days", None),
        ("every week until tomorrow", None),
        ("every day until 2027-02-30", None),
        ("rrule:freq=weekly;byday=we,mo;interval=1;wkst=su", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"),
        ("COUNT=3;FREQ=DAILY", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", None),
        ("FREQ=DAILY;COUNT=0", None),
        ("FREQ=DAILY;INTERVAL=0", None),
        ("FREQ=DAILY;BYDAY=XX", None),
        ("FREQ=FORTNIGHTLY", None),
    ],
)
def test_a_rule_has_one_text(text: str, rule: str | None) -> None:
    if rule is None:
        with pytest.raises(ValueError, match=r"."):
            rule_of(text)
    else:
        assert rule_of(text) == rule
        assert rule_of(rule) == rule


def test_a_phrase_that_is_not_understood_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match="every month on the last Friday"):
        rule_of("every month on the lst Friday")


def test_weeks_are_counted_from_the_start() -> None:
    assert rule_of("every week for 3 weeks", start=date(2026, 11, 30)) == "FREQ=WEEKLY;UNTIL=20261220"


@pytest.mark.parametrize(
    ("until", "canonical"),
    [
        ("20270628T060000Z", "20270628"),  # the last instance itself, as RFC 5545 wants it
        ("20270628T205959Z", "20270628"),  # the last second of the day, as Google writes it
        ("20270628T090000", "20270628"),
        ("20270628", "20270628"),
        ("20270628T123000Z", "20270628T153000"),
    ],
)
def test_the_end_of_a_series_is_a_day_where_it_stands_for_one(until: str, canonical: str) -> None:
    assert settled(f"FREQ=WEEKLY;UNTIL={until}", MOSCOW) == f"FREQ=WEEKLY;UNTIL={canonical}"


def test_the_end_of_an_all_day_series_is_a_day() -> None:
    assert settled("FREQ=WEEKLY;UNTIL=20270628T000000Z", AllDay(date(2026, 11, 30))) == "FREQ=WEEKLY;UNTIL=20270628"
