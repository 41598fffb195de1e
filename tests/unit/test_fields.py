from datetime import date, datetime, timedelta

import pytest

from daemon.core.fields import NO_TITLE, ROWS, edited, effective, equal, same
from daemon.core.model import AllDay, Answer, Busy, Field, Guest, Key, Priority, Privacy, Status, Timed

HOUR = timedelta(hours=1)
WHEN = Key(Field.WHEN)
NINE = datetime(2026, 11, 30, 9)
WEEK = date(2026, 12, 14)


def test_every_field_has_a_row():
    assert set(ROWS) == set(Field)


@pytest.mark.parametrize(
    ("field", "a", "b"),
    [
        (Field.DESCRIPTION, "one\r\ntwo  \r\n", "one\ntwo"),
        (Field.DESCRIPTION, "one\n\n\n", "one"),
        (Field.SUBJECT, " Call  Anna ", "Call Anna"),
        (Field.SUBJECT, NO_TITLE, None),
        (Field.LOCATION, "", None),
        (Field.REMINDERS, frozenset(), None),
        (Field.WHEN, Timed(NINE, "Europe/Kiev", HOUR), Timed(NINE, "Europe/Kyiv", HOUR)),
        (Field.WHEN, Timed(NINE, "UTC", HOUR), Timed(NINE, "Etc/UTC", HOUR)),
        (Field.WHEN, Timed(NINE, "Asia/Calcutta", HOUR), Timed(NINE, "Asia/Kolkata", HOUR)),
        (Field.REPEAT, "RRULE:FREQ=WEEKLY;BYDAY=WE,MO", "BYDAY=MO,WE;FREQ=WEEKLY;INTERVAL=1;WKST=MO"),
        (Field.ATTENDEES, frozenset({Guest("Anna@Romashka.example")}), frozenset({Guest("anna@romashka.example")})),
        (Field.ATTENDEES, frozenset({Guest("a@x.example", "Anna")}), frozenset({Guest("a@x.example")})),
    ],
)
def test_another_spelling_is_no_edit(field, a, b):
    assert equal(Key(field), a, b)
    assert equal(Key(field), b, a)
    assert not edited(Key(field), a, b)


@pytest.mark.parametrize(
    ("field", "a", "b"),
    [
        (Field.DESCRIPTION, "one\n\ntwo", "one\ntwo"),
        (Field.DESCRIPTION, "  indented", "indented"),
        (Field.SUBJECT, "call", "Call"),
        (Field.WHEN, Timed(NINE, "Europe/Oslo", HOUR), Timed(NINE, "Europe/Berlin", HOUR)),
        (Field.WHEN, Timed(NINE, "UTC", HOUR), AllDay(NINE.date())),
        (Field.ATTENDEES, frozenset({Guest("a@x.example")}), frozenset({Guest("a@x.example", optional=True)})),
        (Field.REPEAT, "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2"),
        (Field.LOCATION, "here", None),
    ],
)
def test_another_meaning_is_an_edit(field, a, b):
    assert edited(Key(field), a, b)
    assert edited(Key(field), b, a)


def test_a_guests_answer_is_news_but_no_edit():
    asked = frozenset({Guest("a@x.example")})
    accepted = frozenset({Guest("a@x.example", answer=Answer.ACCEPTED)})
    assert not edited(Key(Field.ATTENDEES), asked, accepted)
    assert not same(Key(Field.ATTENDEES), asked, accepted)


def test_no_reminders_in_one_instance_is_something_said():
    assert edited(Key(Field.REMINDERS, WEEK), None, frozenset())
    assert edited(Key(Field.LOCATION, WEEK), None, "")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (Field.TYPE, "meeting"),
        (Field.BUSY, Busy.BUSY),
        (Field.PRIVATE, Privacy.PUBLIC),
        (Field.STATUS, Status.CONFIRMED),
        (Field.PRIORITY, Priority.MEDIUM),
        (Field.LOCATION, None),
    ],
)
def test_silence_means_the_default(field, shown):
    assert effective({WHEN: Timed(NINE, "UTC", HOUR)}, Key(field)) == shown


def test_an_all_day_activity_is_free_unless_it_says_otherwise():
    day = {WHEN: AllDay(date(2026, 11, 30))}
    assert effective(day, Key(Field.BUSY)) is Busy.FREE
    assert effective({**day, Key(Field.BUSY): Busy.OOF}, Key(Field.BUSY)) is Busy.OOF


def test_an_instance_shows_what_its_series_says_on_its_own_day():
    series = {WHEN: Timed(NINE, "Europe/Moscow", HOUR), Key(Field.SUBJECT): "Review"}
    assert effective(series, Key(Field.SUBJECT, WEEK)) == "Review"
    assert effective(series, Key(Field.WHEN, WEEK)) == Timed(datetime(2026, 12, 14, 9), "Europe/Moscow", HOUR)
    days = {WHEN: AllDay(date(2026, 11, 30), 2)}
    assert effective(days, Key(Field.WHEN, WEEK)) == AllDay(WEEK, 2)
    assert effective({**series, Key(Field.REPEAT): "FREQ=WEEKLY"}, Key(Field.REPEAT, WEEK)) is None
