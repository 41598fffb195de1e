"""Whatever stands in a config file: it is read, or every problem is named; an addition changes nothing else."""

from __future__ import annotations

from pathlib import Path

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from config.edit import add_entry
from config.load import parse_config
from config.schema import Config
from daemon.core.errors import ConfigError, UsageError

EXAMPLE = (Path(__file__).parents[2] / "config" / "example.yaml").read_bytes()
PLACE, HOME = Path("/etc/datebook/config.yaml"), Path("/home/anna")
YAMLS_OWN = [
    ":",
    "#",
    "-",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "&a",
    "*a",
    "!x",
    "|",
    ">",
    "?",
    "%",
    "@",
    "~",
    "null",
    "0",
    "<<:",
]
ODD = [
    b"",
    b" ",
    b": ",
    b" #",
    b"\n",
    b"\t",
    b"\r\n",
    b"---\n",
    b"...\n",
    b"\x00",
    b"\xff",
    b"\xc2\x85",
    b"\xef\xbb\xbf",
]
SIGNS = st.sampled_from([sign.encode() for sign in YAMLS_OWN] + ODD)


@st.composite
def damaged(draw) -> bytes:
    """The example config after a few slips of the hand."""
    data = EXAMPLE
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 30))
        data = data[:at] + draw(SIGNS) + data[at + gone :]
    return data


def read(data: bytes) -> Config | ConfigError:
    try:
        return parse_config(data, PLACE, home=HOME)
    except ConfigError as error:
        return error


def grown(data: bytes, section: str, keys: dict[str, str]) -> str | UsageError:
    try:
        return add_entry(data.decode(), section, "added", keys)
    except UsageError as refusal:
        return refusal


@settings(max_examples=300, deadline=None)
@given(damaged() | st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(b"? ")
@example(b"a: !<")
@example(b"%YAML 9.9\n---\nstore: x\n")
def test_any_bytes_are_a_config_or_a_list_of_problems(data):
    answer = read(data)
    if isinstance(answer, ConfigError):
        assert answer.problems
        assert all(problem.message and problem.cure for problem in answer.problems)


@st.composite
def rewritten(draw) -> bytes:
    """The example config as another hand would have written it: other order, comments, blank lines, line ends."""
    blocks = [block + b"\n" for block in EXAMPLE.rstrip().split(b"\n\n")]
    lines = b"\n".join(draw(st.permutations(blocks))).split(b"\n")
    for _ in range(draw(st.integers(0, 6))):
        remark = b" " * draw(st.integers(0, 8)) + draw(
            st.sampled_from([b"# accounts:", b"#added:", b"", b"# - {a: b}"])
        )
        lines.insert(draw(st.integers(0, len(lines))), remark)
    text = draw(st.sampled_from([b"\n", b"\r\n"])).join(lines)
    return text.rstrip() if draw(st.booleans()) else text


@settings(max_examples=150, deadline=None)
@given(rewritten(), st.sampled_from(["accounts", "calendars"]))
def test_an_added_account_or_calendar_is_the_only_difference(data, section):
    before = read(data)
    assume(isinstance(before, Config))
    keys = {"service": "google", "user": "new"} if section == "accounts" else {"account": "home", "calendar": "New one"}
    text = grown(data, section, keys)
    assert isinstance(text, str)
    for line in data.splitlines():
        assert line in text.encode()
    after = read(text.encode())
    assert isinstance(after, Config)
    old, new = (dict(one.accounts if section == "accounts" else one.routes) for one in (before, after))
    del new["added"]
    assert new == old
    assert (after.store, after.owner, after.types) == (before.store, before.owner, before.types)
