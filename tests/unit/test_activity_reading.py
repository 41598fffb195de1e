"""Reading YAML activity files: the contract's keys, what is forgiven, what is refused and where it points."""

import json
import random
import resource
import time as clocks
from datetime import date, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from adapters.activity.activity_codec import problems, read
from daemon.core.errors import Unreadable
from daemon.core.model import AllDay, Answer, Busy, Field, Guest, Key, Note, Priority, Privacy, Timed

CORPUS = Path(__file__).parents[1] / "corpus" / "yaml"
SAMPLES = CORPUS / "samples"
SCHEMA = json.loads((Path(__file__).parents[2] / "config" / "activity.schema.json").read_text())
BROKEN = sorted((CORPUS / "broken").iterdir())
FORGIVEN = sorted((CORPUS / "forgiven").iterdir())
TYPES = ("call", "meeting", "task")
MOSCOW = "Europe/Moscow"


def said(text, **more):
    return read(text.encode(), zone=more.pop("zone", MOSCOW), types=TYPES, **more)


def sample(name):
    return read((SAMPLES / f"{name}.yaml").read_bytes(), zone=MOSCOW, types=TYPES)


def test_a_plain_call_is_read_whole():
    call = sample("2026-11-24-call-anna-petrova")
    assert call.view == {
        Key(Field.SUBJECT): "Call Anna about the renewal",
        Key(Field.TYPE): "call",
        Key(Field.WHEN): Timed(datetime(2026, 11, 24, 10, 30), MOSCOW, timedelta(minutes=15)),
    }
    assert call.uid == ""
    assert not call.local.done
    assert call.local.context == (("person", "anna-petrova"), ("deal", "romashka-renewal-2027"))
    assert call.notes == ()


def test_a_meeting_with_guests_is_read_whole():
    meeting = sample("2026-11-26-romashka-kickoff")
    assert meeting.view == {
        Key(Field.SUBJECT): "Romashka kick-off",
        Key(Field.TYPE): "meeting",
        Key(Field.WHEN): Timed(datetime(2026, 11, 26, 14), MOSCOW, timedelta(hours=1)),
        Key(Field.LOCATION): "Romashka office, Lva Tolstogo 16, room 4.02",
        Key(Field.MEETING_URL): "https://meet.example.com/romashka",
        Key(Field.DESCRIPTION): "1. Introductions\n2. Scope of the pilot\n3. Dates",
        Key(Field.ATTENDEES): frozenset(
            {
                Guest("anna@romashka.example", "Anna Petrova"),
                Guest("oleg@romashka.example", "Oleg Sidorov", optional=True, answer=Answer.ACCEPTED),
            }
        ),
        Key(Field.BUSY): Busy.BUSY,
        Key(Field.PRIVATE): Privacy.PUBLIC,
        Key(Field.PRIORITY): Priority.HIGH,
        Key(Field.REMINDERS): frozenset({timedelta(minutes=15), timedelta(days=1)}),
    }
    assert meeting.uid == "7f1c2a9e-4b5d-4c1e-9a51-0f4f6c0f9d11"
    assert meeting.local.owner == "me@example.com"
    assert meeting.local.calendar == "work"


def test_a_series_is_read_with_what_differs_in_its_instances():
    series = sample("weekly-pipeline-review")
    length = timedelta(minutes=45)
    assert series.view == {
        Key(Field.SUBJECT): "Pipeline review",
        Key(Field.TYPE): "meeting",
        Key(Field.WHEN): Timed(datetime(2026, 11, 30, 9), MOSCOW, length),
        Key(Field.REPEAT): "FREQ=WEEKLY;UNTIL=20270628;BYDAY=MO",
        Key(Field.SKIP): frozenset({date(2027, 1, 4), date(2027, 5, 3)}),
        Key(Field.ATTENDEES): frozenset(
            {Guest("ivan@example.com", "Ivan Orlov"), Guest("maria@example.com", "Maria Lee")}
        ),
        Key(Field.WHEN, date(2026, 12, 14)): Timed(datetime(2026, 12, 14, 11), MOSCOW, length),
        Key(Field.WHEN, date(2027, 2, 22)): Timed(datetime(2027, 2, 24, 9), MOSCOW, timedelta(minutes=90)),
        Key(Field.SUBJECT, date(2027, 2, 22)): "Pipeline review (half-year)",
    }
    assert series.local.done_through == date(2026, 11, 30)


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_with_place_reason_and_cure(path):
    with pytest.raises(Unreadable) as caught:
        read(path.read_bytes(), zone=MOSCOW, types=TYPES, path="a/b.yaml")
    error = caught.value
    assert error.code == path.stem.split("--")[0]
    assert (error.path, error.message != "", error.cure != "") == ("a/b.yaml", True, True)
    assert (error.line or 0) >= 1
    assert (error.column or 0) >= 1
    found = problems(path.read_bytes(), zone=MOSCOW, types=TYPES)
    assert isinstance(found[0], Unreadable)
    assert (found[0].code, found[0].line) == (error.code, error.line)


@pytest.mark.parametrize("path", FORGIVEN, ids=lambda path: path.stem)
def test_what_people_write_is_read_and_said_aloud(path):
    activity = read(path.read_bytes(), zone=MOSCOW, types=TYPES)
    assert activity.notes[0].code == path.stem.split("--")[0]
    assert activity.notes[0].line is not None


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("subject: Romashka: pilot", "Romashka: pilot"),
        ("subject: Romashka: pilot  # first", "Romashka: pilot"),
        ("subject: [urgent] call: Anna", "[urgent] call: Anna"),
        ("subject: it's: fine", "it's: fine"),
        ("subject: Deal #1", "Deal"),
        ("subject: no", "no"),
        ("subject: 10:30", "10:30"),
        ("subject: 'Deal #1'", "Deal #1"),
        ("subject: >-\n  two\n  lines", "two lines"),
    ],
)
def test_a_subject_is_text_whatever_it_looks_like(line, subject):
    assert said(line).view[Key(Field.SUBJECT)] == subject


def test_forgiving_one_line_leaves_the_text_of_others_alone():
    activity = said("subject: a: b\npublic_description: |\n  subject: c: d\nlocation: e: f\n")
    assert activity.view[Key(Field.DESCRIPTION)] == "subject: c: d"
    assert activity.view[Key(Field.LOCATION)] == "e: f"
    assert [note.line for note in activity.notes] == [1, 4]


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        ("due_date: 2026-11-24", AllDay(date(2026, 11, 24))),
        ("due_date: 2026-11-24\nduration: 3d", AllDay(date(2026, 11, 24), 3)),
        ("due_date: 2026-11-24\nduration: 45m", AllDay(date(2026, 11, 24))),
        ("due_date: 2026-11-24\ndue_time: 9:30", Timed(datetime(2026, 11, 24, 9, 30), MOSCOW, timedelta(hours=1))),
        (
            "due_date: 2026-11-24\ndue_time: 9:30\ntimezone: America/New_York\nduration: PT45M",
            Timed(datetime(2026, 11, 24, 9, 30), "America/New_York", timedelta(minutes=45)),
        ),
        ("due_time: 9:30", None),
        ("due_date:\ndue_time: 9:30", None),
    ],
)
def test_four_keys_say_when(lines, when):
    assert said(f"subject: x\n{lines}\n").view.get(Key(Field.WHEN)) == when


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("45m", 45),
        ("1h30m", 90),
        ("1h 30m", 90),
        ("1:30", 90),
        ("0:15", 15),
        ("3d", 4320),
        ("PT45M", 45),
        ("P1DT1H", 1500),
        ("2w", 20160),
        ("1.5h", 90),
        ("90min", 90),
        ("0m", 0),
    ],
)
def test_a_duration_is_read_in_every_form(text, minutes):
    view = said(f"subject: x\ndue_date: 2026-11-24\ndue_time: 9:00\nduration: {text}\n").view
    assert view[Key(Field.WHEN)].length == timedelta(minutes=minutes)


def test_bare_and_empty_keys_say_nothing():
    activity = said('subject: x\nlocation:\nbusy: ""\nattendees: []\nreminders:\nchanges: {}\nstatus: ~\nowner: ""\n')
    assert activity.view == {Key(Field.SUBJECT): "x"}
    assert activity.local.owner is None


def test_an_instance_can_lack_what_its_series_has_and_be_all_day():
    activity = said(
        "subject: x\ndue_date: 2026-11-30\ndue_time: 9:00\nlocation: Room\nreminders: [15m]\nrepeat: FREQ=WEEKLY\n"
        'changes:\n  2026-12-07: {location: "", reminders: []}\n  2026-12-14: {due_time: none}\n'
        "  2026-12-21: {done: true}\n"
        "  2026-12-28 9:00: {subject: y}\n  2027-01-04: {subject: x}\n"
    )
    instances = {key: value for key, value in activity.view.items() if key.instance}
    assert instances == {
        Key(Field.LOCATION, date(2026, 12, 7)): "",
        Key(Field.REMINDERS, date(2026, 12, 7)): frozenset(),
        Key(Field.WHEN, date(2026, 12, 14)): AllDay(date(2026, 12, 14)),
        Key(Field.SUBJECT, date(2026, 12, 28)): "y",
    }
    assert activity.local.done_instances == {date(2026, 12, 21)}


def test_a_series_with_several_instances_a_day_names_them_by_time():
    activity = said(
        "subject: x\ndue_date: 2026-11-30\ndue_time: 9:00\nrepeat: FREQ=HOURLY;COUNT=5\nskip: [2026-11-30 10:00]\n"
        "changes:\n  2026-11-30 11:00: {subject: y}\n"
    )
    assert activity.view[Key(Field.SKIP)] == {datetime(2026, 11, 30, 10)}
    assert activity.view[Key(Field.SUBJECT, datetime(2026, 11, 30, 11))] == "y"


def test_a_byte_order_mark_and_any_line_ends_are_read():
    expected = {Key(Field.SUBJECT): "x", Key(Field.TYPE): "call"}
    for newline in ("\n", "\r\n", "\r"):
        text = "\ufeff" + newline.join(("subject: x", "type: call", ""))
        assert said(text).view == expected


def test_all_problems_of_a_file_come_in_the_order_of_its_lines():
    found = problems(
        b"subject: Deal #1\ndue_date: 2026-13-01\nbusy: maybe\nreminders: [15m, soon]\n", zone=MOSCOW, types=TYPES
    )
    assert [(type(p), p.line) for p in found] == [(Unreadable, 2), (Unreadable, 3), (Unreadable, 4), (Note, 1)]


def test_messages_name_the_nearest_word_but_never_a_private_text():
    with pytest.raises(Unreadable) as caught:
        said("subject: x\ntype: meting\n")
    assert caught.value.cure == "Did you mean meeting?"
    for text in ("subject: {Secret: Anna}", "subject: x\nattendees: [Secret Anna]", "subject: 'Secret\nx: ["):
        with pytest.raises(Unreadable) as caught:
            said(text)
        assert "Secret" not in str(caught.value) + caught.value.cure


HUGE = {
    "deep brackets": b"subject: x\nx: " + b"[" * 100_000,
    "deep braces": b"subject: x\nx: " + b"{a: " * 100_000,
    "deep dashes": b"subject: x\nx:\n" + b"- " * 100_000 + b"a",
    "over the limit": b"subject: x\n" + b"#" * (1 << 20),
    "many keys": b"subject: x\n" + b"".join(b"k%d: v\n" % i for i in range(90_000)),
    "one long line": b"subject: " + b"x" * ((1 << 20) - 20),
    "many colons": b"subject: " + b"a: " * 300_000,
    "many broken lines": b"".join(b"subject: a: b\n" for _ in range(40_000)),
    "many quotes": b"subject: " + b"'\"" * 400_000,
    "question marks": b"? " * 400_000,
    "long flow": b"subject: x\nx: [" + b"a," * 300_000,
    "many long numbers": b"subject: x\ndue_date: 2026-01-01\nduration: " + b"1h" * 200_000,
    "long address": b"subject: x\nattendees: ['" + b"a@" * 200_000 + b"']\n",
    "long rule": b"subject: x\ndue_date: 2026-01-01\nrepeat: " + b"every " * 150_000,
    "percent": b"%" * 500_000,
}


@pytest.mark.parametrize("raw", HUGE.values(), ids=list(HUGE))
def test_a_monstrous_file_costs_little_and_raises_nothing_else(raw):
    read(b"subject: warm\ndue_date: 2026-01-01\nrepeat: every week\n", zone=MOSCOW, types=TYPES)
    start = clocks.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(raw, zone=MOSCOW, types=TYPES)
    except Unreadable as error:
        assert error.cure  # noqa: PT017  some of them are valid, if absurd
    assert clocks.process_time() - start < 1.0  # seconds: four times what the slowest needs on a busy machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50 * 1024  # KiB


def test_mutated_files_are_read_or_refused_and_nothing_else():
    seeds = [path.read_bytes() for path in [*SAMPLES.iterdir(), *BROKEN, *FORGIVEN]]
    chance = random.Random(20261124)
    bits = [b": ", b"#", b"[", b"]", b"{", b"}", b"'", b'"', b"\n", b"\r", b"\t", b"- ", b"&a", b"*a", b"!!x", b"\x00",
            b"\xff", b"|", b">", b"%", b"\xe2\x80\xa8", b"2026-99-99", b"<<: ", b"---\n", b"? "]  # fmt: skip
    for _ in range(4000):
        raw = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            at = chance.randint(0, len(raw))
            if chance.random() < 0.3:
                del raw[at : at + chance.randint(1, 20)]
            else:
                raw[at:at] = chance.choice(bits)
        found = problems(bytes(raw), zone=MOSCOW, types=TYPES)
        assert all(problem.line and problem.cure for problem in found)
        if not any(isinstance(problem, Unreadable) for problem in found):
            assert read(bytes(raw), zone=MOSCOW, types=TYPES).view[Key(Field.SUBJECT)]


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.iterdir()))
def test_the_schema_accepts_the_samples_as_editors_load_them(name):
    text = (SAMPLES / f"{name}.yaml").read_text()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for loader in (yaml.BaseLoader, yaml.SafeLoader):
        document = _like_json(yaml.load(text, loader))  # the two ways in which an editor may see it
        jsonschema.Draft202012Validator(SCHEMA).validate(document)


def _like_json(value):
    if isinstance(value, dict):
        return {str(key): _like_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_like_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize(
    "lines",
    [
        "due_date: tomorrow",
        "due_time: 3pm",
        "duration: long",
        "priority: urgent",
        "changes: {monday: {}}",
        "busy: maybe",
        "reminders: [soon]",
        "attendees: [Anna]",
        "attendees: [{name: Anna}]",
        "changes: {2026-12-14: {repeat: x}}",
        "sync: never",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(lines):
    document = yaml.load(f"subject: x\n{lines}\n", yaml.BaseLoader)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(document)


def test_the_schema_accepts_whatever_else_the_reader_accepts():
    text = (
        "subject: x\ndue_date: 2026-1-4\ndue_time: 9:30\nduration: 1h 30m\nbusy: 'yes'\nprivate: confidential\n"
        "attendees: Anna <anna@romashka.example>\nreminders: -15m\nskip: 2026-12-14 9:00\nx_mine: {a: [1]}\n"
        "changes:\n  2026-12-14T09:00: {due_time: none, done: true}\n  2026-12-21:\nlocation:\n"
    )
    said(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(yaml.load(text, yaml.BaseLoader))
