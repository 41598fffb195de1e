from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.model import AllDay, Field, Key, Timed
from daemon.core.pairing import Candidate, Found, pair_up
from daemon.core.plan import Side

NINE = Timed(datetime(2026, 11, 30, 9), "Europe/Moscow", timedelta(hours=1))


def item(name, uid="", subject="Call Anna", when=NINE, ours="", **more):
    view = {Key(Field.SUBJECT): subject, Key(Field.WHEN): when, **{Key(Field(k)): v for k, v in more.items()}}
    return Candidate(name, uid, view, ours)


def test_one_uid_on_both_sides_links():
    pairing = pair_up([item("a.yaml", "u1")], [item("e1", "u1", subject="something else")])
    assert pairing.links == (Found("a.yaml", "e1", "the same uid"),)
    assert pairing.suggestions == pairing.held == ()


def test_our_own_id_links_where_the_service_chose_another_uid():
    pairing = pair_up([item("a.yaml", "u1")], [item("e1", "040000008200E0", ours="u1")])
    assert [(link.file, link.event) for link in pairing.links] == [("a.yaml", "e1")]


def test_the_uid_goes_before_our_own_id():
    files = [item("a.yaml", "u1")]
    events = [item("e0", "x", ours="u1"), item("e1", "u1")]
    assert [link.event for link in pair_up(files, events).links] == ["e1"]


def test_what_looks_alike_is_offered_and_not_linked():
    utc = Timed(datetime(2026, 11, 30, 6), "UTC", timedelta(hours=1))
    pairing = pair_up([item("a.yaml")], [item("e1", "u1", subject=" call  anna ", when=utc)])
    assert pairing.links == ()
    assert pairing.suggestions == (Found("a.yaml", "e1", "equal subject and time"),)


def test_another_time_subject_or_rule_is_not_offered():
    events = [
        item("e1", subject="Call Oleg"),
        item("e2", when=AllDay(date(2026, 11, 30))),
        item("e3", repeat="FREQ=WEEKLY"),
        item("e4", subject="(no title)"),
    ]
    assert pair_up([item("a.yaml"), item("b.yaml", subject="(no title)")], events).suggestions == ()


def test_equal_twins_are_offered_one_to_one():
    pairing = pair_up([item("a.yaml"), item("b.yaml")], [item("e1"), item("e2"), item("e3")])
    assert [(found.file, found.event) for found in pairing.suggestions] == [("a.yaml", "e1"), ("b.yaml", "e2")]


def test_two_files_with_one_uid_are_held_and_not_paired():
    pairing = pair_up([item("a.yaml", "u1"), item("b.yaml", "u1")], [item("e1", "u1")])
    assert pairing.links == pairing.suggestions == ()
    (double,) = pairing.held
    assert (double.side, double.uid, double.ids) == (Side.FILE, "u1", ("a.yaml", "b.yaml"))


def test_two_events_with_one_uid_are_held_and_not_paired():
    pairing = pair_up([item("a.yaml", "u1")], [item("e1", "u1"), item("e2", "u1")])
    assert pairing.links == pairing.suggestions == ()
    assert [(double.side, double.ids) for double in pairing.held] == [(Side.CALENDAR, ("e1", "e2"))]


ITEMS = st.lists(
    st.builds(item, st.text("abc", min_size=1, max_size=2), st.sampled_from(["", "u1", "u2"]), st.sampled_from("xy")),
    max_size=6,
    unique_by=lambda candidate: candidate.id,
)


@given(ITEMS, ITEMS, st.randoms())
def test_nothing_is_paired_twice_and_the_order_of_the_input_does_not_matter(files, events, random):
    pairing = pair_up(files, events)
    found = (*pairing.links, *pairing.suggestions)
    assert len({each.file for each in found}) == len({each.event for each in found}) == len(found)
    random.shuffle(files)
    random.shuffle(events)
    assert pair_up(files, events) == pairing
