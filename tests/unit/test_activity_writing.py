"""Patches of YAML activity files, to the byte."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.activity.activity_codec import compose, patch, read, set_local
from daemon.core.errors import Unreadable
from daemon.core.model import AllDay, Answer, Busy, Field, Guest, Key, Local, Status, Timed

SAMPLES = Path(__file__).parents[1] / "corpus" / "yaml" / "samples"
MOSCOW = "Europe/Moscow"
MINUTE = timedelta(minutes=1)
MONDAY = date(2026, 12, 14)


def timed(day=24, hour=9, minute=0, length=60, zone=MOSCOW):
    return Timed(datetime(2026, 11, day, hour, minute), zone, length * MINUTE)


def minutes(*numbers):
    return frozenset(number * MINUTE for number in numbers)


WHEN = Key(Field.WHEN)
SUBJECT = Key(Field.SUBJECT)
LOCATION = Key(Field.LOCATION)
DESCRIPTION = Key(Field.DESCRIPTION)
ATTENDEES = Key(Field.ATTENDEES)
REMINDERS = Key(Field.REMINDERS)
SKIP = Key(Field.SKIP)
ANNA = Guest("anna@romashka.example", "Anna Petrova")
OLEG = Guest("oleg@romashka.example")

WEEKLY = "subject: x\ndue_date: 2026-11-24\nrepeat: FREQ=WEEKLY\n"

CASES = {
    "only the time moves": (
        "subject: x\ndue_date: 2026-11-24  # day\ndue_time: 9:00   # time\nduration: 1:00\n",
        {WHEN: timed(hour=8, minute=5)},
        "subject: x\ndue_date: 2026-11-24  # day\ndue_time: 8:05   # time\nduration: 1:00\n",
    ),
    "a quoted time stays quoted": (
        'subject: x\ndue_date: 2026-11-24\ndue_time: "09:00"\n',
        {WHEN: timed(hour=11)},
        'subject: x\ndue_date: 2026-11-24\ndue_time: "11:00"\n',
    ),
    "the default length and zone are not written": (
        "subject: x\ndue_date: 2026-11-24\n",
        {WHEN: timed(hour=14)},
        "subject: x\ndue_date: 2026-11-24\ndue_time: 14:00\n",
    ),
    "another length and zone are": (
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nlocation: y\n",
        {WHEN: timed(length=90, zone="America/New_York")},
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nduration: 1h30m\ntimezone: America/New_York\nlocation: y\n",
    ),
    "a length keeps its form": (
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nduration: PT45M\n",
        {WHEN: timed(length=90)},
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nduration: PT1H30M\n",
    ),
    "all-day takes time and length away": (
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nduration: 45m\nbusy: true\n",
        {WHEN: AllDay(date(2026, 11, 25))},
        "subject: x\ndue_date: 2026-11-25\nbusy: true\n",
    ),
    "unscheduled takes all four away": (
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\n\n# note\nbusy: true\n",
        {WHEN: None},
        "subject: x\n\n# note\nbusy: true\n",
    ),
    "a text that needs quotes gets them": (
        "subject: x   # keep me\n",
        {SUBJECT: "Deal #1: pilot"},
        'subject: "Deal #1: pilot"   # keep me\n',
    ),
    "single quotes stay single": ("subject: 'it''s'\n", {SUBJECT: "that's: it"}, "subject: 'that''s: it'\n"),
    "a bare key is filled": (
        "subject: x\nlocation:   # where\n",
        {LOCATION: "Room"},
        "subject: x\nlocation: Room   # where\n",
    ),
    "a literal stays literal": (
        "subject: x\npublic_description: |  # seen by all\n    a\n    b\n\n# next\nbusy: true\n",
        {DESCRIPTION: "c\n\nd: e"},
        "subject: x\npublic_description: |  # seen by all\n    c\n\n    d: e\n\n# next\nbusy: true\n",
    ),
    "a line becomes a literal": (
        "subject: x\npublic_description: a  # seen\nbusy: true\n",
        {DESCRIPTION: "a\nb"},
        "subject: x\npublic_description: |  # seen\n  a\n  b\nbusy: true\n",
    ),
    "a folded text becomes literal": (
        "subject: x\npublic_description: >-\n  a\n  b\nbusy: true\n",
        {DESCRIPTION: "a\nb"},
        "subject: x\npublic_description: |\n  a\n  b\nbusy: true\n",
    ),
    "a guest is added, one answers, one goes": (
        (
            "subject: x\nattendees:   # who\n- Anna Petrova <anna@romashka.example>   # boss\n"
            "- email: oleg@romashka.example\n  x_mine: 1\n# end\n- old@example.com\nbusy: true\n"
        ),
        {
            ATTENDEES: frozenset(
                {ANNA, Guest(OLEG.email, answer=Answer.ACCEPTED), Guest("new@example.com", "New", optional=True)}
            )
        },
        (
            "subject: x\nattendees:   # who\n- Anna Petrova <anna@romashka.example>   # boss\n"
            "- email: oleg@romashka.example\n  x_mine: 1\n  status: accepted\n# end\n"
            "- email: new@example.com\n  name: New\n  optional: true\nbusy: true\n"
        ),
    ),
    "a guest in a flow list": (
        "subject: x\nattendees: [anna@romashka.example, oleg@romashka.example]  # who\n",
        {ATTENDEES: frozenset({Guest(ANNA.email, answer=Answer.DECLINED), Guest("c@d.example")})},
        "subject: x\nattendees: [{email: anna@romashka.example, status: declined}, c@d.example]  # who\n",
    ),
    "an element of a flow list": (
        "subject: x\nreminders: [15m, 1d]   # nag\n",
        {REMINDERS: minutes(15, 60)},
        "subject: x\nreminders: [15m, 1h]   # nag\n",
    ),
    "an element of a block list": (
        "subject: x\nreminders:\n    - 15m   # short\n    # and\n    - '1d'\n",
        {REMINDERS: minutes(15, 1440, 60)},
        "subject: x\nreminders:\n    - 15m   # short\n    # and\n    - '1d'\n    - '1h'\n",
    ),
    "the last element takes the key with it": (
        "subject: x\nreminders: [15m]\nbusy: true\n",
        {REMINDERS: None},
        "subject: x\nbusy: true\n",
    ),
    "a list over several lines": (
        "subject: x\nskip: [\n  2027-01-04,  # holiday\n  2027-05-03\n]\n",
        {SKIP: frozenset({date(2027, 1, 4), date(2027, 5, 10)})},
        "subject: x\nskip: [\n  2027-01-04,\n  2027-05-10\n]\n",
    ),
    "a JSON file stays JSON": (
        '{\n  "subject": "x",\n  "busy": true,\n  "location": "y"\n}\n',
        {SUBJECT: "z", Key(Field.BUSY): None, Key(Field.STATUS): Status.CANCELLED},
        '{\n  "subject": "z",\n  "location": "y",\n  "status": "cancelled"\n}\n',
    ),
    "an instance in flow form": (
        "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nrepeat: FREQ=WEEKLY\nchanges: {2026-12-14: {busy: true}}\n",
        {Key(Field.SUBJECT, MONDAY): "other", Key(Field.BUSY, date(2026, 12, 21)): Busy.OOF},
        (
            "subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nrepeat: FREQ=WEEKLY\n"
            "changes: {2026-12-14: {busy: true, subject: other}, 2026-12-21: {busy: oof}}\n"
        ),
    ),
    "a new instance stands in order": (
        WEEKLY + "changes:\n  2026-12-07: {busy: true}  # a\n  2026-12-21:\n    busy: true\n",
        {Key(Field.SUBJECT, MONDAY): "other"},
        (
            WEEKLY + "changes:\n  2026-12-07: {busy: true}  # a\n"
            "  2026-12-14:\n    subject: other\n  2026-12-21:\n    busy: true\n"
        ),
    ),
    "an instance that keeps a note keeps its entry": (
        WEEKLY + "changes:\n  2026-12-14:\n    busy: true\n    note: why\n",
        {Key(Field.BUSY, MONDAY): None},
        WEEKLY + "changes:\n  2026-12-14:\n    note: why\n",
    ),
    "the last instance takes changes with it": (
        WEEKLY + "changes:  # few\n  2026-12-14:\n    busy: true\n# end\n",
        {Key(Field.BUSY, MONDAY): None},
        WEEKLY + "# end\n",
    ),
    "an unquoted subject is left alone": (
        "subject: Romashka: pilot\ntype: call\n",
        {LOCATION: "Room"},
        "subject: Romashka: pilot\ntype: call\nlocation: Room\n",
    ),
    "an unquoted subject is replaced": ("subject: a: b  # c\n", {SUBJECT: "d: e"}, 'subject: "d: e"  # c\n'),
    "an event without a title": ("subject: x\n", {SUBJECT: None}, "subject: (no title)\n"),
    "CRLF and no last line end": (
        "subject: x\r\nbusy: true",
        {LOCATION: "Room", Key(Field.STATUS): Status.TENTATIVE},
        "subject: x\r\nlocation: Room\r\nbusy: true\r\nstatus: tentative",
    ),
    "an indented file": (
        "  subject: x\n  busy: true\n",
        {LOCATION: "Room"},
        "  subject: x\n  location: Room\n  busy: true\n",
    ),
    "what a file can't say is not written": ("subject: x\n", {Key(Field.CATEGORIES): frozenset({"a"})}, "subject: x\n"),
}


@pytest.mark.parametrize(("before", "changes", "after"), CASES.values(), ids=list(CASES))
def test_a_patch_changes_exactly_these_bytes(before, changes, after):
    assert patch(before.encode(), changes, zone=MOSCOW).decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("subject: x\n", "subject: x\nuid: u-1\n"),
        ("subject: x", "subject: x\nuid: u-1"),
        ("\ufeffsubject: x\r\n# end\r\n", "\ufeffsubject: x\r\n# end\r\nuid: u-1\r\n"),
        ("subject: x\n...\n", "subject: x\nuid: u-1\n...\n"),
        ("subject: x\nnote: |\n  a\n\n", "subject: x\nnote: |\n  a\n\nuid: u-1\n"),
        ("uid:\nsubject: x\n", "uid: u-1\nsubject: x\n"),
        ("uid: other\nsubject: x\n", "uid: u-1\nsubject: x\n"),
        ('{"subject": "x"}', '{"subject": "x", "uid": "u-1"}'),
    ],
)
def test_the_uid_is_added_as_the_last_line_once(before, after):
    patched = patch(before.encode(), {}, zone=MOSCOW, uid="u-1")
    assert patched.decode() == after
    assert patch(patched, {}, zone=MOSCOW, uid="u-1") == patched


def test_instances_keep_their_times_when_the_series_moves():
    raw = (SAMPLES / "weekly-pipeline-review.yaml").read_bytes()
    before = read(raw, zone=MOSCOW, types=()).view
    moved = patch(raw, {WHEN: Timed(datetime(2026, 11, 30, 10), MOSCOW, 60 * MINUTE)}, zone=MOSCOW)
    after = read(moved, zone=MOSCOW, types=()).view
    assert {key: value for key, value in after.items() if key.instance} == {
        key: value for key, value in before.items() if key.instance
    }
    assert b"due_time: 11:00\n    duration: 45m\n" in moved


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.iterdir()))
def test_the_samples_survive_a_patch_of_everything_they_say(name):
    raw = (SAMPLES / f"{name}.yaml").read_bytes()
    assert patch(raw, read(raw, zone=MOSCOW, types=()).view, zone=MOSCOW) == raw


def test_keys_that_never_travel_are_set_and_taken_away():
    raw = b"subject: x\ndone: false   # yet\nuid: u\n"
    done = set_local(raw, "done", "true")
    assert done == b"subject: x\ndone: true   # yet\nuid: u\n"
    assert set_local(done, "done", None) == b"subject: x\nuid: u\n"
    assert set_local(raw, "done_through", "2026-11-30") == (
        b"subject: x\ndone: false   # yet\ndone_through: 2026-11-30\nuid: u\n"
    )


def test_a_new_file_has_its_keys_in_the_order_of_the_contract():
    view = {
        SUBJECT: "Call: Anna",
        WHEN: timed(length=15),
        Key(Field.TYPE): "call",
        REMINDERS: minutes(15),
        ATTENDEES: frozenset({ANNA}),
    }
    local = Local(owner="me@example.com", calendar="work", done=True, masked=True, done_instances=frozenset({MONDAY}))
    assert compose(view, uid="u-1", local=local, zone=MOSCOW).decode() == (
        'subject: "Call: Anna"\ntype: call\ndue_date: 2026-11-24\ndue_time: 09:00\nduration: 15m\n'
        "attendees:\n  - Anna Petrova <anna@romashka.example>\nowner: me@example.com\nmasked: true\nreminders: [15m]\n"
        "changes:\n  2026-12-14:\n    done: true\ncalendar: work\ndone: true\nuid: u-1\n"
    )


def test_a_broken_file_is_not_patched():
    with pytest.raises(Unreadable):
        patch(b"subject: x\nbusy: [\n", {SUBJECT: "y"}, zone=MOSCOW)


def test_a_value_that_no_file_can_hold_is_refused():
    for subject in ("a\ud800b",):
        with pytest.raises(Unreadable) as caught:
            patch(b"subject: x\n", {SUBJECT: subject}, zone=MOSCOW)
        assert caught.value.code == "unwritable"
        with pytest.raises(Unreadable):
            compose({SUBJECT: subject}, uid="u", local=Local(), zone=MOSCOW)


def test_a_list_of_which_every_element_changes_takes_no_quotes_that_nobody_needs() -> None:
    raw = b"subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nrepeat: FREQ=WEEKLY\nskip: [2026-12-08]\n"
    later = Timed(datetime(2026, 11, 25, 9), "UTC", timedelta(hours=1))
    changed = patch(raw, {Key(Field.WHEN): later, Key(Field.SKIP): frozenset({date(2026, 12, 9)})}, zone="UTC")
    assert changed == raw.replace(b"2026-11-24", b"2026-11-25").replace(b"2026-12-08", b"2026-12-09")
