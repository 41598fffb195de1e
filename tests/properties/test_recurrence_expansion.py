"""Our walk over a rule finds what python-dateutil finds, forwards and backwards."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from daemon.core.expansion import TooMuchWork, Walk, backwards, forwards
from daemon.core.rules import Freq, NthDay, Rule, Weekday

weekdays = st.sampled_from(Weekday)


def tuples(elements: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:
    return st.one_of(st.just(()), st.sets(elements, max_size=most).map(lambda found: tuple(sorted(found))))


def signed(high: int) -> st.SearchStrategy[int]:
    return st.integers(-high, high).filter(bool)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    freq = draw(st.sampled_from([Freq.DAILY, Freq.WEEKLY, Freq.MONTHLY, Freq.YEARLY, Freq.HOURLY]))
    nth = st.just(0)
    if freq is Freq.MONTHLY:
        nth = st.integers(-2, 5)
    elif freq is Freq.YEARLY:
        nth = st.integers(-5, 10)
    byday = draw(tuples(st.builds(NthDay, nth, weekdays)))
    if len({day.n == 0 for day in byday}) > 1:
        byday = ()  # dateutil takes "Sundays and the second Monday" for days that are both
    big = freq in {Freq.MONTHLY, Freq.YEARLY}
    bymonth = draw(tuples(st.integers(1, 12)))
    if freq is Freq.YEARLY and bymonth and any(abs(day.n) > 4 for day in byday):
        byday = ()
    return Rule(
        freq,
        interval=draw(st.integers(1, 5)),
        byhour=draw(tuples(st.integers(0, 23), 2)),
        byminute=draw(tuples(st.integers(0, 59), 2)),
        byday=byday,
        bymonthday=draw(tuples(signed(31))) if freq is not Freq.WEEKLY else (),
        byyearday=draw(tuples(signed(366))) if freq is Freq.YEARLY else (),
        byweekno=draw(tuples(signed(53))) if freq is Freq.YEARLY and not any(day.n for day in byday) else (),
        bymonth=bymonth,
        bysetpos=draw(tuples(signed(5), 2)) if big and byday else (),
        wkst=draw(weekdays),
    )


starts = st.datetimes(datetime(2019, 1, 1), datetime(2031, 1, 1)).map(lambda at: at.replace(second=0, microsecond=0))
ENOUGH = 30


def theirs(rule: Rule, start: datetime) -> list[datetime]:
    text = f"{rule};WKST={rule.wkst.name}" if "WKST" not in str(rule) else str(rule)
    try:
        return list(islice(rrulestr(text, dtstart=start), ENOUGH))
    except ValueError:
        assume(condition=False)
        raise


def walked(rule: Rule, start: datetime, end: datetime, since: date | None = None) -> Iterator[datetime]:
    """Our walk up to `end`; a rule that never fires ends in too much work, far behind it."""
    try:
        for moment in forwards(rule, start, Walk(30_000), since=since):
            if moment > end:
                return
            yield moment
    except TooMuchWork:
        return


@settings(deadline=None, max_examples=200)
@given(rules(), starts)
def test_a_walk_forwards_finds_what_dateutil_finds(rule: Rule, start: datetime) -> None:
    ours = list(islice(walked(rule, start, datetime(2100, 1, 1)), ENOUGH))
    assume(len(ours) == ENOUGH)  # dateutil walks for hours where a rule never fires
    assert ours == theirs(rule, start)


@settings(deadline=None, max_examples=50)
@given(rules(), starts, st.integers(0, 120))
def test_a_walk_backwards_is_the_walk_forwards_reversed(rule: Rule, start: datetime, days: int) -> None:
    end = start + timedelta(days=days)
    assert list(backwards(rule, start, end, Walk())) == list(walked(rule, start, end))[::-1]


@settings(deadline=None, max_examples=50)
@given(rules(), starts, st.integers(0, 120))
def test_a_walk_from_a_later_day_leaves_out_only_what_is_before_it(rule: Rule, start: datetime, days: int) -> None:
    day = (start + timedelta(days=days)).date()
    end = start + timedelta(days=days + 100)
    there = [moment for moment in walked(rule, start, end) if moment.date() >= day]
    assert list(walked(rule, start, end, since=day)) == there


@given(rules())
def test_a_rule_reads_back_from_its_own_text(rule: Rule) -> None:
    assert str(Rule.parse(str(rule))) == str(rule)
