"""What composing, reading and patching iCalendar promise, for any activity."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from adapters.ics.content_lines import Component, Line, parse
from adapters.ics.ics_codec import compose, compose_by_patch, patch, peek_uid, read, split
from adapters.ics.ics_series import SILENCE, apply
from adapters.ics.ics_values import clean, escape, unescape
from daemon.core.fields import effective
from daemon.core.model import (
    AllDay,
    Answer,
    Busy,
    Field,
    Guest,
    Key,
    Local,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
)
from daemon.core.recurrence import settled

ZONE = "Europe/Helsinki"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
TYPES = ("call", "meeting", "lunch")
ZONES = ("Europe/Moscow", ZONE, "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca")

texts = st.text(min_size=1, max_size=60).map(clean).filter(lambda text: text.strip() and text != "(no title)")
words = st.text('abcdefgh ;,\\"ж:', min_size=1, max_size=12).map(str.strip).filter(bool)
days = st.dates(date(2024, 1, 1), date(2032, 1, 1))
lengths = st.integers(0, 60 * 72).map(lambda minutes: timedelta(minutes=minutes))
minutes_of_day = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
timed = st.builds(lambda day, at, zone, length: Timed(datetime.combine(day, at), zone, length),
                  days, minutes_of_day, st.sampled_from(ZONES), lengths)  # fmt: skip
whens = st.one_of(timed, st.builds(AllDay, days, st.integers(1, 40)))
addresses = st.sampled_from([f"{name}@example.com" for name in ("ann", "bob", "cid", "dora", "eve")])
names = st.text("abc ÄЖ\"^;:,'", max_size=12).map(lambda name: " ".join(name.split()))
guests = st.builds(Guest, addresses, names, st.booleans(), st.sampled_from(Answer))


@st.composite
def groups(draw: st.DrawFn) -> frozenset[Guest]:
    found = {guest.email: guest for guest in draw(st.lists(guests, max_size=4))}
    return frozenset({*found.values(), Guest("me@example.com", organizer=True)}) if found else frozenset()


PLAIN: Mapping[Field, st.SearchStrategy[Value]] = {
    Field.SUBJECT: texts,
    Field.TYPE: st.sampled_from(TYPES),
    Field.LOCATION: texts,
    Field.MEETING_URL: st.sampled_from(["https://meet.example.com/a", "https://zoom.example/j/1?pwd=2"]),
    Field.DESCRIPTION: texts,
    Field.ATTENDEES: groups().filter(bool),
    Field.BUSY: st.sampled_from(Busy),
    Field.PRIVATE: st.sampled_from(Privacy),
    Field.PRIORITY: st.sampled_from(Priority),
    Field.STATUS: st.sampled_from(Status),
    Field.REMINDERS: st.frozensets(st.integers(0, 9000).map(lambda m: timedelta(minutes=m)), min_size=1, max_size=3),
    Field.CATEGORIES: st.frozensets(words.filter(lambda word: word not in TYPES), min_size=1, max_size=3),
}
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;COUNT=10",
    "FREQ=WEEKLY;BYDAY=MO,TH",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=YEARLY;COUNT=3",
)


@st.composite
def repeats(draw: st.DrawFn) -> str:
    rule = draw(st.sampled_from(RULES))
    if "COUNT" not in rule and draw(st.booleans()):
        day = draw(days)
        rule = rule.replace(";", f";UNTIL={day:%Y%m%d};", 1) if ";" in rule else f"{rule};UNTIL={day:%Y%m%d}"
    return rule


@st.composite
def plain_fields(draw: st.DrawFn, most: int = 12) -> dict[Field, Value]:
    chosen = draw(st.lists(st.sampled_from(list(PLAIN)), unique=True, max_size=most))
    return {name: draw(PLAIN[name]) for name in chosen}


@st.composite
def views(draw: st.DrawFn) -> dict[Key, Value]:
    view: dict[Key, Value] = {Key(Field.WHEN): draw(whens)}
    view |= {Key(name): value for name, value in draw(plain_fields()).items()}
    if draw(st.booleans()):
        view[Key(Field.REPEAT)] = draw(repeats())
        skips = draw(st.frozensets(days, max_size=3))
        if skips:
            view[Key(Field.SKIP)] = skips
        for original in draw(st.lists(days, unique=True, max_size=2)):
            for name, value in draw(plain_fields(3)).items():
                view[Key(name, original)] = value
            if draw(st.booleans()):
                view[Key(Field.WHEN, original)] = draw(whens)
    return slim(view)


def slim(view: View) -> dict[Key, Value]:
    """Without what an instance says just as its series does, and texts as iCalendar can hold them."""
    kept = dict(view)
    for key, value in view.items():
        if key.instance is None:
            continue
        inherited = view.get(Key(key.field), SILENCE.get(key.field))
        if key.field is Field.WHEN:
            inherited = effective({k: v for k, v in view.items() if k != key}, key)
        if value == inherited or _same_instant(value, inherited):
            del kept[key]
    return kept


def _same_instant(a: Value | None, b: Value | None) -> bool:
    from daemon.core.times import start_of

    if not (isinstance(a, Timed) and isinstance(b, Timed)):
        return False
    return a.length == b.length and start_of(a, ZONE) == start_of(b, ZONE)


def shown(raw: bytes) -> View:
    return read(raw, zone=ZONE, types=TYPES).view


few = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@few
@given(views())
def test_a_composed_event_reads_back_as_it_was_meant(view: View) -> None:
    raw = compose("u-1", view, zone=ZONE, now=NOW)
    assert shown(raw) == view
    assert peek_uid(raw) == "u-1"
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))


@few
@given(views(), views())
def test_an_event_patched_into_another_reads_as_that_other(view: View, other: View) -> None:
    raw = compose("u-1", view, zone=ZONE, now=NOW)
    delta = {key: other.get(key) for key in view.keys() | other.keys() if view.get(key) != other.get(key)}
    patched = patch(raw, delta, zone=ZONE, now=NOW, types=TYPES)
    assert shown(patched) == slim(other)


@few
@given(views(), st.data())
def test_a_patch_of_one_key_changes_that_key_alone(view: View, data: st.DataObject) -> None:
    raw = compose("u-1", view, zone=ZONE, now=NOW)
    name = data.draw(st.sampled_from([*PLAIN, Field.WHEN]))
    change: dict[Key, Value | None] = {Key(name): data.draw(whens if name is Field.WHEN else PLAIN[name])}
    assert shown(patch(raw, change, zone=ZONE, now=NOW, types=TYPES)) == slim(apply(view, change))


STAMPS = {b"DTSTAMP", b"LAST-MODIFIED", b"SEQUENCE"}


def lines_of(component: Component) -> list[bytes]:
    found: list[bytes] = []
    for each in component.body:
        found += [each.raw] if isinstance(each, Line) and each.name not in STAMPS else []
        found += lines_of(each) if isinstance(each, Component) else []
    return found


@few
@given(views(), texts)
def test_a_new_title_leaves_every_other_line_as_it_was(view: View, title: str) -> None:
    view = {key: value for key, value in view.items() if key.instance is None} | {Key(Field.SUBJECT): "Old"}
    raw = compose("u-1", view, zone=ZONE, now=NOW).replace(b"BEGIN:VALARM", b'X-ODD;A="b:c":d\\e\r\nBEGIN:VALARM')
    patched = patch(raw, {Key(Field.SUBJECT): title}, zone=ZONE, now=NOW, types=TYPES)
    before, after = lines_of(parse(raw)), lines_of(parse(patched))
    assert [line for line in before if not line.startswith(b"SUMMARY")] == [
        line for line in after if not line.startswith(b"SUMMARY")
    ]


@few
@given(views())
def test_a_patch_that_says_what_is_there_changes_no_byte(view: View) -> None:
    raw = compose("u-1", view, zone=ZONE, now=NOW)
    assert patch(raw, {}, zone=ZONE, now=NOW) == raw
    assert patch(raw, view, zone=ZONE, now=NOW, types=TYPES) == raw


@given(st.text())
def test_any_text_reads_back_as_it_was_written(text: str) -> None:
    assert unescape(escape(text)) == clean(text)


@given(st.lists(st.text('ab\r\n \t;:,"\\ж😀BEGINUID', max_size=90), max_size=8))
def test_a_document_keeps_every_byte(pieces: list[str]) -> None:
    raw = b"BEGIN:VCALENDAR\r\nX-A:" + "\r\n".join(pieces).encode().replace(b"BEGIN", b"") + b"\r\nEND:VCALENDAR\r\n"
    assert parse(raw).dump() == raw


@few
@given(views(), views())
def test_a_big_calendar_splits_into_its_activities(one: View, other: View) -> None:
    first, second = (compose(uid, view, zone=ZONE, now=NOW) for uid, view in (("u-1", one), ("u-2", other)))
    big = first.replace(b"END:VCALENDAR\r\n", b"") + second.partition(b"PRODID:-//Datebook//Datebook//EN\r\n")[2]
    parts = dict(split(big))
    assert {uid: shown(raw) for uid, raw in parts.items()} == {"u-1": one, "u-2": other}


@given(repeats(), timed)
def test_a_rule_that_is_settled_stays_as_it_is(rule: str, when: Timed) -> None:
    assume("UNTIL" in rule)
    assert settled(settled(rule, when), when) == settled(rule, when)


odd_texts = st.one_of(texts, st.text(max_size=200), st.sampled_from(["(no title)", " ", "\r\n", "a" * 80, "ж" * 80]))
ODD: Mapping[Field, st.SearchStrategy[Value]] = {
    **PLAIN,
    **dict.fromkeys((Field.SUBJECT, Field.LOCATION, Field.DESCRIPTION), odd_texts),
    Field.TYPE: words | st.just(""),
    Field.REMINDERS: st.frozensets(st.timedeltas(timedelta(), timedelta(days=9)), max_size=3),
}


@given(
    st.lists(st.sampled_from(list(ODD)), unique=True).flatmap(
        lambda names: st.fixed_dictionaries({Key(name): ODD[name] for name in names})
    ),
    st.one_of(whens, st.sampled_from([Timed(datetime(2026, 10, 25, 2, 30), ZONE, timedelta(hours=1))])),
    st.none() | repeats(),
    st.sampled_from(["floating", ""]),
)
def test_an_event_written_in_one_go_is_that_of_a_patched_empty_one(
    view: dict[Key, Value], when: Value, repeat: str | None, floats: str
) -> None:
    floating = bool(floats)
    view = {Key(Field.WHEN): when, **view} | ({Key(Field.REPEAT): repeat} if repeat else {})
    uid = "6f9619ff;1,\n"
    patched = compose_by_patch(uid, view, zone=ZONE, now=NOW, local=Local(), floating=floating, client_schedules=False)
    assert compose(uid, view, zone=ZONE, now=NOW, floating=floating) == patched
