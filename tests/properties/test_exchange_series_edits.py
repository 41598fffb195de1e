"""Any edits of a series on Exchange, cut off anywhere: after they are made once more it shows what was meant."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from daemon.core.errors import Refused
from daemon.core.fields import effective, equal
from daemon.core.model import AllDay, Busy, Field, Key, Priority, Timed
from daemon.core.store import Create, Written
from tests.servers.ews_server import Trouble, serving
from tests.servers.ews_worlds import exchange_account
from tests.servers.one_order import seen, update

MONDAYS = [date(2026, 11, 30) + timedelta(weeks=week) for week in range(5)]
SKIP, WHEN = Key(Field.SKIP), Key(Field.WHEN)
SERIES = {
    Key(Field.SUBJECT): "Review",
    Key(Field.TYPE): "meeting",
    WHEN: Timed(datetime(2026, 11, 30, 9, 0), "Europe/Rome", timedelta(hours=1)),
    Key(Field.REPEAT): "FREQ=WEEKLY;BYDAY=MO;COUNT=8",
    Key(Field.BUSY): Busy.BUSY,
}
_words = st.sampled_from(["", "one", "two", "three & <four>"])
_plain = {
    Field.SUBJECT: _words,
    Field.LOCATION: _words,
    Field.DESCRIPTION: st.sampled_from(["", "one line", "two\n  lines"]),
    Field.BUSY: st.sampled_from(Busy),
    Field.PRIORITY: st.sampled_from(Priority),
    Field.MEETING_URL: st.sampled_from(["", "https://meet.example.com/1"]),
    Field.REMINDERS: st.sampled_from([frozenset(), frozenset({timedelta(minutes=15)})]),
}
_master = st.one_of(
    *(st.tuples(st.just(Key(name)), values) for name, values in _plain.items()),
    st.tuples(st.just(WHEN), st.builds(lambda hour: _at(MONDAYS[0], hour), st.integers(0, 22))),
    st.tuples(
        st.just(Key(Field.REPEAT)),
        st.sampled_from(["FREQ=WEEKLY;COUNT=9", "FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;UNTIL=20270201T070000Z"]),
    ),
    st.tuples(st.just(SKIP), st.frozensets(st.sampled_from([*MONDAYS[1:], date(2026, 12, 25)]), max_size=3)),
)


def _at(day, hour):
    return Timed(datetime(day.year, day.month, day.day, hour), "Europe/Rome", timedelta(minutes=45))


def _instance(day):
    moves = st.one_of(
        st.builds(lambda hour, shift: _at(day + timedelta(days=shift), hour), st.integers(0, 22), st.integers(0, 2)),
        st.just(AllDay(day)),
    )
    return st.one_of(
        *(st.tuples(st.just(Key(name, day)), st.one_of(st.none(), values)) for name, values in _plain.items()),
        st.tuples(st.just(Key(Field.WHEN, day)), st.one_of(st.none(), moves)),
    )


_patches = st.lists(st.one_of(_master, st.sampled_from(MONDAYS).flatmap(_instance)), min_size=1, max_size=4).map(dict)
_cuts = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from([Trouble.DROP, Trouble.DROP_AFTER, Trouble.UNAVAILABLE_AFTER]),
        st.sampled_from(["UpdateItem", "DeleteItem"]),
        st.integers(0, 3),
    ),
)


def patched(view, patch):
    after = {key: value for key, value in view.items() if key not in patch}
    return after | {key: value for key, value in patch.items() if value is not None}


def without_skipped(view):
    """A view as Exchange keeps it: an instance that is left out has nothing of its own, and comes back plain."""
    skipped = view.get(SKIP, frozenset())
    return {key: value for key, value in view.items() if key.instance not in skipped}


def planned(meant, shown, patch):
    """A patch as the planner makes it: an instance that spelt out what its series said is told with a change of that.

    What an instance repeats of its series counts as inherited, so a store may let it go with the series.
    """
    repeated = {key: value for key, value in meant.items() if key.instance is not None and key not in shown}
    return {key: value for key, value in repeated.items() if Key(key.field) in patch} | patch


def differences(meant, shown):
    """What shows otherwise than meant, of the series and of each instance that is there."""
    skipped = meant.get(SKIP, frozenset())
    keys = [Key(name) for name in _plain] + [WHEN, Key(Field.REPEAT), SKIP]
    keys += [Key(name, day) for day in MONDAYS if day not in skipped for name in [*_plain, Field.WHEN]]
    return [key for key in keys if not equal(Key(key.field), effective(meant, key), effective(shown, key))]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(  # an exception that was made before the series got a URL
    [
        ({Key(Field.SUBJECT, MONDAYS[0]): ""}, None),
        ({Key(Field.MEETING_URL): "https://meet.example.com/1"}, None),
    ]
)
@example(  # an instance that was left out and comes back
    [
        ({Key(Field.SUBJECT, MONDAYS[1]): "one"}, None),
        ({SKIP: frozenset({MONDAYS[1]})}, None),
        ({SKIP: frozenset(), WHEN: _at(MONDAYS[0], 20)}, None),
    ]
)
@example(  # an instance that keeps what its series has no more
    [({Key(Field.DESCRIPTION): "one line", Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None)]
)
@example(
    [
        ({Key(Field.SUBJECT, MONDAYS[0]): "one"}, None),
        ({Key(Field.DESCRIPTION): "one line", Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None),
    ]
)
@example(  # an instance that said what its series said, until that changed
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None),
        ({Key(Field.DESCRIPTION): "one line"}, None),
    ]
)
@example(  # an instance that repeats its series, once it said something else
    [
        ({Key(Field.SUBJECT, MONDAYS[0]): "one line"}, None),
        ({Key(Field.SUBJECT, MONDAYS[0]): None}, None),
        ({Key(Field.SUBJECT): "two"}, None),
    ],
)
@example(  # an instance that repeats its series, once it said something else
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): "one line"}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): None}, None),
        ({Key(Field.DESCRIPTION): "two"}, None),
    ],
)
@example(  # an instance that said for itself what its series said, and goes along with it
    [
        ({Key(Field.DESCRIPTION, MONDAYS[0]): "one line"}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): ""}, None),
        ({Key(Field.DESCRIPTION, MONDAYS[0]): None, Key(Field.DESCRIPTION): "two\n  lines"}, None),
    ]
)
@given(st.lists(st.tuples(_patches, _cuts), min_size=1, max_size=4))
def test_a_series_shows_what_was_meant_whatever_was_edited_and_wherever_it_was_cut_off(edits):
    with serving() as ews:
        store = exchange_account(ews).open("primary")
        [(_, made)] = store.write([Create("uid", "token", SERIES)])
        meant = shown = SERIES
        for edit, cut in edits:
            patch = planned(meant, shown, edit)
            if store.refuses(patched(meant, patch)):
                continue
            ews.faults.clear()
            if cut is not None:
                ews.fail(cut[0], cut[1], skip=cut[2])
            meant = without_skipped(_edited(store, made.ref.id, meant, patch))
            shown = seen(store, made.ref.id).activity.view
            assert differences(meant, shown) == []
        assert ews.violations == []
        assert ews.mailbox.outbox == []
        assert len(ews.mailbox.items) == 1


def _edited(store, item, meant, patch):
    """Make an edit, and once more where it was cut off; what it made of the view."""
    for _ in range(3):
        now = seen(store, item)
        outcome = update(store, now, patch)
        if isinstance(outcome, Written):
            return patched(meant, patch)
        if isinstance(outcome, Refused):
            return seen(store, item).activity.view
    raise AssertionError(outcome)
