"""Which instances a series has, by the names that `skip` and `changes` use."""

from datetime import date, datetime, timedelta

import pytest

from daemon.core.instances import occurs, strays
from daemon.core.model import AllDay, Field, Key, Original, Timed, View, When

NINE = Timed(datetime(2026, 11, 24, 9), "Europe/Helsinki", timedelta(hours=1))  # a Tuesday


def series(rule: str, when: When = NINE) -> View:
    return {Key(Field.WHEN): when, Key(Field.REPEAT): rule}


@pytest.mark.parametrize(
    ("rule", "there", "missing"),
    [
        ("FREQ=WEEKLY;COUNT=3", date(2026, 12, 8), date(2026, 12, 15)),
        ("FREQ=WEEKLY", date(2046, 11, 20), date(2046, 11, 21)),
        ("FREQ=WEEKLY;UNTIL=20261208", date(2026, 12, 8), date(2026, 12, 15)),
        ("FREQ=WEEKLY;UNTIL=20261208T070000Z", date(2026, 12, 8), date(2026, 12, 15)),
        ("FREQ=WEEKLY;UNTIL=20261208T065959Z", date(2026, 12, 1), date(2026, 12, 8)),
        ("FREQ=WEEKLY;BYDAY=WE;COUNT=2", date(2026, 11, 24), date(2026, 12, 9)),
        ("FREQ=DAILY;BYHOUR=9,21;COUNT=3", datetime(2026, 11, 25, 9), datetime(2026, 11, 25, 21)),
        ("FREQ=DAILY", date(2026, 11, 24), date(2026, 11, 23)),
    ],
)
def test_a_rule_has_the_instances_that_it_names(rule: str, there: Original, missing: Original) -> None:
    assert occurs(series(rule), there)
    assert not occurs(series(rule), missing)


def test_whole_days_have_instances_too() -> None:
    fair = series("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", AllDay(date(2026, 11, 30)))
    assert occurs(fair, date(2026, 12, 31))
    assert not occurs(fair, date(2027, 1, 31))


def test_what_can_not_be_told_counts_as_there() -> None:
    assert occurs(series("FREQ=YEARLY;RSCALE=HEBREW"), date(2026, 12, 1))
    assert occurs({}, date(2026, 12, 1))


def test_what_does_not_repeat_has_no_instances() -> None:
    place = Key(Field.LOCATION, date(2026, 11, 24))
    assert strays({Key(Field.WHEN): NINE, place: "Hall"}) == {date(2026, 11, 24)}
    assert not strays({**series("FREQ=DAILY"), place: "Hall"})
