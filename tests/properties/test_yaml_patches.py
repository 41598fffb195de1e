"""A patch of a YAML activity says what was meant, and touches no line of any other key."""

from datetime import date, datetime, time, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.activity.activity_codec import compose, patch, read
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
)

ZONE = "Europe/Moscow"
ZONES = [ZONE, "Europe/Helsinki", "America/New_York", "UTC"]
RULES = ["FREQ=WEEKLY;BYDAY=MO", "FREQ=DAILY;COUNT=5", "FREQ=MONTHLY;BYMONTHDAY=1"]

hostile = st.sampled_from(
    "abc XYZ 019 :#-?,[]{}&*!|>'\"%@`~=<\\/ \t\n é ß 漢 😀 \u202e \u2028 \x85 \x1b \x07 \ufeff \xa0 \r"
)
SAYINGS = [
    *("Romashka: pilot", "#1 deal", "Deal #1", "- x", "? y", "yes", "null", "~", "10:30", "1e3", "2026-11-24"),
    *("---", "...", "'quoted'", '"double"', "a\nb: c\n\n# d", " leading", "trailing ", "\ttab", "a\n", "\nb", "  \n x"),
    *("=cmd|' /C calc'!A0", "%s%n", "<<", "[x", "{y: z}", "!tag", "&anchor", "*alias", "@at", "`tick", "a: b: c"),
    *("x" * 300, "a:", "a #b", "\\n"),
]
texts = st.one_of(st.sampled_from(SAYINGS), st.text(hostile, min_size=1, max_size=20), st.text(min_size=1, max_size=20))
says_something = texts.filter(lambda text: text.strip() and _encodes(text))


def _encodes(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 5, 15, 30, 59]))
lengths = st.sampled_from([0, 15, 45, 60, 90, 1440, 3000]).map(lambda minutes: timedelta(minutes=minutes))
timed = st.builds(lambda d, t, z, n: Timed(datetime.combine(d, t), z, n), days, clocks, st.sampled_from(ZONES), lengths)
all_day = st.builds(AllDay, days, st.integers(1, 5))
spans = st.one_of(timed, all_day)
names = st.one_of(
    st.just(""), st.sampled_from(["Anna Petrova", "Orlov, Ivan", "N: x", "A <b", 'Q "q"', "#1", "Ünïcode"])
)
mails = st.sampled_from(["anna@romashka.example", "ivan@example.com", "maria@example.com", "a.b+c@x.example"])
guests = st.lists(
    st.builds(Guest, mails, names, st.booleans(), st.sampled_from(Answer), st.booleans()),
    min_size=1, max_size=4, unique_by=lambda guest: guest.email,
).map(frozenset)  # fmt: skip
reminders = st.frozensets(st.sampled_from([5, 15, 60, 1440, -10]).map(lambda m: timedelta(minutes=m)), min_size=1)
skips = st.frozensets(days, min_size=1, max_size=4)

VALUES = {
    Field.SUBJECT: says_something,
    Field.TYPE: st.sampled_from(["call", "meeting"]),
    Field.WHEN: spans,
    Field.LOCATION: says_something,
    Field.MEETING_URL: st.sampled_from(["https://meet.example.com/x", "https://a.example/?q=1#frag", "tel:+7 495"]),
    Field.DESCRIPTION: says_something,
    Field.ATTENDEES: guests,
    Field.BUSY: st.sampled_from(Busy),
    Field.PRIVATE: st.sampled_from(Privacy),
    Field.PRIORITY: st.sampled_from(Priority),
    Field.STATUS: st.sampled_from(Status),
    Field.REMINDERS: reminders,
    Field.REPEAT: st.sampled_from(RULES),
    Field.SKIP: skips,
}
INSTANCE_FIELDS = [f for f in VALUES if f not in (Field.REPEAT, Field.SKIP)]
originals = st.sampled_from([date(2026, 12, 7), date(2026, 12, 14), date(2027, 2, 22)])


@st.composite
def views(draw):
    view = {Key(Field.SUBJECT): draw(says_something)}
    for field, values in VALUES.items():
        if field is not Field.SUBJECT and draw(st.booleans()):
            view[Key(field)] = draw(values)
    if draw(st.booleans()):
        for original in draw(st.frozensets(originals, max_size=2)):
            for field in draw(st.lists(st.sampled_from(INSTANCE_FIELDS), max_size=3, unique=True)):
                view[Key(field, original)] = draw(VALUES[field])
    return view


@st.composite
def patches(draw):
    fields = draw(st.lists(st.sampled_from(list(VALUES)), max_size=4, unique=True))
    patch = {Key(f): draw(VALUES[f] if f is Field.SUBJECT else st.none() | VALUES[f]) for f in fields}
    for original in draw(st.frozensets(originals, max_size=2)):
        for field in draw(st.lists(st.sampled_from(INSTANCE_FIELDS), max_size=2, unique=True)):
            patch[Key(field, original)] = draw(st.none() | VALUES[field])
    return patch


STRANGERS = [
    "# a remark of the owner: do not touch",
    "x_custom: [1, {a: b}]   # kept",
    "note: |\n  Do not offer it first.\n\n  subject: not this one",
    "participants: [anna-petrova, oleg]",
    "deal: romashka-2027",
    "done: false",
    "empty:",
    "",
    "folded: >-\n  one\n  two\n",
    "nested:\n  - a: 1\n    b: 2\n  -\n    - deep",
]


@st.composite
def dressed(draw, view):
    """A file that says a view, dressed as people do: comments, strangers, CRLF, a BOM, no newline at the end."""
    chunks = _chunks(compose(view, uid="", local=Local(), zone=ZONE).decode())
    chunks = draw(st.permutations(chunks))
    for stranger in draw(st.lists(st.sampled_from(STRANGERS), max_size=4, unique=True)):
        chunks.insert(draw(st.integers(0, len(chunks))), stranger + "\n")
    text = "".join(chunks)
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
        chunks = [chunk.replace("\n", "\r\n") for chunk in chunks]
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return ("\ufeff" if draw(st.booleans()) else "") + text, chunks


def _chunks(text):
    """The lines of each top-level key."""
    chunks = []
    for line in text.split("\n")[:-1]:
        if line[:1].strip() and not line.startswith("#"):
            chunks.append("")
        chunks[-1] += line + "\n"
    return chunks


def _expected(view, changes):
    """The view with the patch; what an instance has in common with its series counts as inherited."""
    expected = {key: value for key, value in view.items() if key not in changes}
    expected |= {key: value for key, value in changes.items() if value is not None}
    return {k: v for k, v in expected.items() if k.instance is None or v != _inherited(k, expected)}


def _inherited(key, view):
    series = view.get(Key(key.field))
    if key.field is not Field.WHEN:
        return series
    if isinstance(series, Timed):
        return Timed(datetime.combine(key.instance, series.start.time()), series.zone, series.length)
    return AllDay(key.instance, series.days if series else 1)


WHEN_KEYS = ("due_date", "due_time", "duration", "timezone")


def _touched(changes):
    names = {str(key.field) for key in changes} | {"changes"}
    return names | set(WHEN_KEYS) if "when" in names else names


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_a_patch_reads_back_as_meant_and_leaves_every_other_line_alone(data):
    view = data.draw(views())
    text, chunks = data.draw(dressed(view))
    raw = text.encode()
    before = read(raw, zone=ZONE, types=())
    changes = data.draw(patches())
    patched = patch(raw, changes, zone=ZONE)
    after = read(patched, zone=ZONE, types=())
    assert after.view == _expected(before.view, changes)
    assert after.local == before.local
    new = patched.decode()
    assert new.startswith("\ufeff") == text.startswith("\ufeff")
    at = 0
    for chunk in chunks:
        name = chunk.split(":")[0]
        if name in _touched(changes) or not chunk.strip():
            continue
        found = new.find(chunk.rstrip("\r\n"), at)
        assert found >= 0, f"lines of {name} were touched"
        at = found + len(chunk.rstrip("\r\n"))
    if "\r\n" in text:
        assert "\n" not in new.replace("\r\n", "")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(views(), st.sampled_from(["", "7f1c2a9e", "a: b#c", "../x"]))
def test_a_new_file_says_the_whole_view(view, uid):
    activity = read(compose(view, uid=uid, local=Local(), zone=ZONE), zone=ZONE, types=())
    assert activity.uid == uid
    for key, value in view.items():
        if key.instance is None or key in activity.view:
            assert activity.view[key] == value


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_patch_of_what_is_there_already_changes_no_byte(data):
    view = data.draw(views())
    text, _ = data.draw(dressed(view))
    raw = text.encode()
    said = read(raw, zone=ZONE, types=()).view
    assert patch(raw, said, zone=ZONE) == raw


@settings(max_examples=200, deadline=None)
@given(says_something, says_something)
@example("Deal #1", "Romashka: pilot")
def test_hostile_text_survives_in_every_text_key(subject, location):
    raw = compose({Key(Field.SUBJECT): subject}, uid="u", local=Local(), zone=ZONE)
    patched = patch(raw, {Key(Field.LOCATION): location, Key(Field.DESCRIPTION): subject}, zone=ZONE)
    view = read(patched, zone=ZONE, types=()).view
    assert view[Key(Field.SUBJECT)] == subject
    assert view[Key(Field.LOCATION)] == location
    assert view[Key(Field.DESCRIPTION)] == subject
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in patched.decode())
