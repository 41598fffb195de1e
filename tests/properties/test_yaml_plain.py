"""Plain YAML that is read by its lines is what the parser makes of it, wherever it is read so at all."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.activity import activity_codec
from adapters.activity.yaml_plain import compose_plain, may_end_with
from adapters.activity.yaml_tree import Scalar, Table, compose
from daemon.core.errors import Unreadable

UID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_KEYS = st.sampled_from(["subject", "due_time", "note", "a", "uid", "Case_2", "-", "? x", "'q'", "", "ключ"])
_ODD = list("#:-'\"|>[]{}\\?%@`=~\t\r\n \x07\x85\xa0\u2028\ufeffé李😀")
_WORDS = ["word", "10:30", "https://a.example/x", "a#b", " # c", ": ", "- ", "|-", "|2", ", ", "10m", "&a", "*a", "!t"]
_MORE = ["---", "...", "<<", "null", ".5", "Anna <a@b.example>", "\n  ", "\n- ", "\n\n", "\n  - ", "\n    "]
_PIECES = st.sampled_from([*_ODD, *_WORDS, *_MORE])
_VALUES = st.lists(_PIECES, max_size=5).map("".join)
_BLOCKS = st.lists(st.tuples(st.sampled_from(["", " ", "  ", "   ", "    "]), _VALUES), max_size=4).map(
    lambda lines: "|" + "".join(f"\n{pad}{text}" for pad, text in lines)
)
_QUOTED = _VALUES.map(lambda text: f'"{text}"') | _VALUES.map(lambda text: f"'{text}'")
_LISTS = st.lists(_VALUES, max_size=3).map(lambda items: f"[{', '.join(items)}]")
_ROWS = st.lists(st.sampled_from(["  - ", "    ", "- ", "  "]).flatmap(
    lambda dash: st.tuples(st.sampled_from(["", "email: ", "name: "]), _VALUES).map(lambda row: dash + "".join(row))
), max_size=4).map(lambda rows: "".join(f"\n{row}" for row in rows))  # fmt: skip
_LINES = st.one_of(
    st.tuples(_KEYS, st.sampled_from([": ", ":", ":  ", " : "]), _VALUES | _BLOCKS | _QUOTED | _LISTS).map("".join),
    st.tuples(_KEYS, st.just(":"), _ROWS).map("".join),
    st.sampled_from(["", "", "# a comment", "  # an indented one", " ", "---", "...", "%YAML 1.1", "word"]),
    _VALUES,
)
_ANY = st.tuples(st.lists(_LINES, max_size=6).map("\n".join), st.sampled_from(["\n", "\n\n", "", " \n"])).map("".join)
_PLAIN = st.permutations(
    [
        "subject: Call Anna\n",
        "due_time: 10:30   # not too late\n",
        "\n# about prices\n",
        "text: |\n  One.\n\n    Two: #2\n",
        "other: 'It: is'\n",
        'third: "x"\n',
        "reminders: [10m, 1h]\n",
        "attendees:\n  - Anna <anna@example.com>\n  - email: bo@example.com\n    name: Bo\n",
    ]
)


def _damaged(lines: list[str], pieces: list[tuple[int, str]]) -> str:
    """A plain text with something put into it here and there."""
    text = "".join(lines[:5])
    for place, piece in pieces:
        at = place % (len(text) + 1)
        text = text[:at] + piece + text[at:]
    return text


_DAMAGED = st.builds(_damaged, _PLAIN, st.lists(st.tuples(st.integers(0, 500), _PIECES), max_size=2))
TEXTS = _DAMAGED | _ANY


@given(TEXTS)
@example("a: b\n\n  c\n")
@example("a: b # c\n  d\n")
@example("a: |\n  b\n\n\n# c\nd: e\n")
@example("a: |\n  b  \n    c\n   \nd: e\n")
@example("a:\n  - b\n    c: d\n")
@example("a:\n  - b: c\n    b: d\n")
@example("a: b\na: c\n")
def test_what_is_read_by_its_lines_is_what_the_parser_reads(text: str) -> None:
    plain = compose_plain(text)
    if plain is not None:
        assert plain == compose(text)  # which raises where it is no YAML


@given(TEXTS)
@example("a: |\n  b\n")
@example("a: b")
@example("a: b\nuid: c\n")
@example("a: b\na: c\n")
@example("a:\n  - b\n    c: d\n")
def test_a_line_behind_a_plain_text_leaves_what_stands_before_it_as_it_was(text: str) -> None:
    if may_end_with(text, "uid"):
        before, after = compose(text), compose(f"{text}uid: {UID}\n")
        assert isinstance(before, Table)
        assert isinstance(after, Table)
        *rest, (key, value) = after.entries
        assert tuple(rest) == before.entries
        assert isinstance(value, Scalar)
        assert (key.text, value.text) == ("uid", UID)


@pytest.mark.parametrize(
    "text",
    [
        "subject: Call Anna\ndue_date: 2026-11-24\ndue_time: 10:30\n\n# about prices\ndeal: x   # ours since May\n",
        "subject: 'Call: Anna'\npublic_description: |\n  One.\n\n    Two.\nreminders: [10m, 1h]\n",
        'subject: "Anna"\nattendees:\n  - Anna <a@b.example>\n  - email: bo@example.com\n    name: Bo\nbusy: true\n',
    ],
)
def test_the_files_that_people_write_are_read_by_their_lines(text: str) -> None:
    assert compose_plain(text) == compose(text)


@given(TEXTS)
def test_a_uid_that_is_added_changes_nothing_else_of_a_file(text: str) -> None:
    try:
        raw = text.encode()
        before = activity_codec.read(raw, zone="UTC", types=())
        named = activity_codec.patch(raw, {}, zone="UTC", uid=UID)
    except (Unreadable, UnicodeEncodeError):
        return
    after = activity_codec.read(named, zone="UTC", types=())
    assert (after.view, after.local, after.uid) == (before.view, before.local, UID)


@pytest.mark.parametrize(
    "text",
    ["? deal\n: x\nsubject: Bo\n", "\u2028subject: Bo\n", "  subject: Bo\n", "---\n? a\n: b\n? subject\n: Bo\n...\n"],
)
def test_a_uid_goes_in_however_oddly_the_first_key_stands(text: str) -> None:
    named = activity_codec.patch(text.encode(), {}, zone="UTC", uid=UID)
    assert activity_codec.read(named, zone="UTC", types=()).uid == UID
    assert [line for line in named.decode().splitlines(keepends=True) if UID not in line] == text.splitlines(
        keepends=True
    )
