"""Every code by which a trouble is told is one that is known here: scripts compare them, and `why` shows them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.activity import activity_codec
from daemon.core import errors
from daemon.core.errors import StoreError, Unavailable
from daemon.loop.reports import trouble_of

ROOT = Path(__file__).parents[2]

# What is wrong, or odd, in a YAML file, and the code by which `check`, `why` and the status name it.
READING = {
    "alias": b"subject: x\nnote: *a\n",
    "anchor": b"subject: &a x\n",
    "bad_key": b"subject: x\n[a]: b\n",
    "bad_value": b"subject: x\ndue_date: 2026-13-01\n",
    "bad_yaml": b"subject: x\ndue_date: [1\n",
    "comment": b"subject: Deal #1\n",
    "control_character": b"subject: x\nnote: a\x01b\n",
    "duplicate_key": b"subject: x\nsubject: y\n",
    "encoding": b"subject: \xff\n",
    "merge_key": b"subject: x\n<<: {a: b}\n",
    "no_instance": b"subject: x\ndue_date: 2026-11-24\nrepeat: FREQ=WEEKLY\nchanges: {2026-12-02: {location: y}}\n",
    "no_subject": b"type: call\n",
    "not_a_mapping": b"- a\n- b\n",
    "same_guest": b"subject: x\nattendees: [a@b.example, A <a@b.example>]\n",
    "tag": b"subject: !!str x\n",
    "too_big": b"subject: " + b"x" * (1 << 20),
    "unknown_key": b"subject: x\nsubjct: y\n",
    "unquoted": b"subject: Romashka: pilot\n",
}
# Of a write, not of a reading: tests/unit/test_activity_writing.py.
WRITING = {"unwritable"}
# What the loop and the commands say of an account or a calendar that fails, by the error's kind.
FAILING = {
    "cursor_expired", "forbidden", "full", "missing", "not_found", "refused", "secret_needed", "sign_in_needed",
    "store_error", "unavailable", "version_mismatch",
}  # fmt: skip


@pytest.mark.parametrize("code", READING)
def test_what_is_wrong_in_a_file_has_its_code_and_a_cure(code: str) -> None:
    found = {one.code: one for one in activity_codec.problems(READING[code], zone="UTC", types=("call", "meeting"))}
    assert code in found
    assert found[code].message
    assert found[code].cure


def test_every_code_of_reading_a_file_is_in_this_table() -> None:
    assert codes_in("adapters/activity") - READING.keys() - WRITING == set(), "add an example to READING"


def test_every_code_of_the_folder_is_in_a_test_of_it() -> None:
    tested = (Path(__file__).parent / "test_file_store.py").read_text("utf-8")
    codes = codes_in("adapters/folder")
    assert len(codes) > 4
    assert {code for code in codes if f'"{code}"' not in tested} == set()


def test_every_error_of_a_service_has_a_code() -> None:
    kinds = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, StoreError)]
    codes = {trouble_of(_made(kind)).code for kind in kinds if not kind.__name__.startswith("_")}
    assert codes == FAILING, "scripts know these"
    assert trouble_of(Unavailable("slow down", throttled=True)).code == "throttled"


def _made(kind: type[StoreError]) -> StoreError:
    """One error of a kind, with something for each of its arguments."""
    wanted = inspect.signature(kind).parameters.values()
    given = {one.name: "x" for one in wanted if one.kind is one.KEYWORD_ONLY and one.default is one.empty}
    return kind("x", **given)


def codes_in(folder: str) -> set[str]:
    """The codes that the source of a package gives."""
    return {code for path in (ROOT / folder).glob("*.py") for code in _codes(ast.parse(path.read_text("utf-8")))}


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name in {"YamlFault", "fault", "note", "Note", "report"} and words and re.fullmatch("[a-z_]+", words[0]):
            yield words[0]
        if name in {"Unreadable", "Note"}:
            yield from (
                one.value.value for one in node.keywords if one.arg == "code" and isinstance(one.value, ast.Constant)
            )
