"""What the house asks of every file: size, first lines, reasons beside exceptions, nothing of one machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.sources import PACKAGES, ROOT, Source, sources

_MOST_LINES = 320  # from 300 on one thinks of splitting
_MOST_IN_A_FUNCTION = 40
# Files past the limit, each with what excuses it. A file that has been split leaves this list.
_LONG_FILES = {
    "adapters/folder/file_staging.py": "one protocol of papers, a step each",
}
_LINT = re.compile(r"#\s*noqa\b(?P<codes>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?P<reason>.*)")
_TYPE = re.compile(r"#\s*type:\s*ignore(?P<codes>\[[a-z-]+(?:\s*,\s*[a-z-]+)*\])?(?P<reason>.*)")
_TEXTS = (".py", ".md", ".toml", ".yaml", ".yml", ".json", ".service", ".ics", "")
_FOLDERS = (*PACKAGES, "docs", "systemd", "tests", ".ci")
# Hosts of registries, and homes of whoever ran a test; the checkout's own path is added where it is searched for.
_OURS = re.compile(r"(?<![\w./])/root/|files\.pythonhosted\.org|--index-url|--extra-index-url")


def test_no_file_is_longer_than_a_reader_likes():
    long = {source.name for source in sources() if len(source.lines) > _MOST_LINES}
    print("long files:", ", ".join(sorted(long)))
    assert long - set(_LONG_FILES) == set(), "split these, by subject"
    assert set(_LONG_FILES) - long == set(), "these are short by now: take them off the list"


def test_a_long_function_says_why_it_is_long():
    silent = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= _MOST_IN_A_FUNCTION
        and not _has_reason(source, node)
    ]
    assert silent == []


def _has_reason(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A comment above it, or on the lines of its head."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    head = range(first - 1, node.body[0].lineno)
    return any(line in head and not _bare(comment) for line, comment in source.comments)


def _bare(comment: str) -> bool:
    """An order to a linter without a word for the reader."""
    found = _LINT.search(comment) or _TYPE.search(comment)
    return found is not None and not found["reason"].strip()


def test_every_module_says_its_subject_in_its_first_line():
    silent = [
        source.name
        for source in sources()
        if source.text.strip() and not (ast.get_docstring(source.tree) or "").strip()
    ]
    assert silent == []


def test_every_exception_from_a_rule_names_it_and_gives_its_reason():
    silent = []
    for source in sources(*PACKAGES, "tests"):
        for line, comment in source.comments:
            for pattern in (_LINT, _TYPE):
                found = pattern.search(comment)
                if found and not (found["codes"] and re.search(r"\w", found["reason"])):
                    silent.append(f"{source.name}:{line} {comment}")
    assert silent == [], "\n" + "\n".join(silent)


def test_no_test_sleeps_where_it_could_wait_for_an_event():
    """Polling loops in test servers may; a test function itself does not."""
    sleeping = [
        f"{source.name}:{node.lineno} {function.name}"
        for source in sources("tests")
        for function in ast.walk(source.tree)
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
        for node in function.body
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("time.sleep(")
    ]
    assert sleeping == []


def test_nothing_names_the_machine_that_it_was_written_on():
    here = re.compile(f"{_OURS.pattern}|{re.escape(str(ROOT))}/")
    named = [f"{path.relative_to(ROOT)}: {found[0]}" for path in _texts() if (found := _in(path, here))]
    assert named == []


def _in(path: Path, pattern: re.Pattern[str]) -> re.Match[str] | None:
    return pattern.search(path.read_text("utf-8", "replace"))


def _texts() -> list[Path]:
    here = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in _TEXTS]
    below = [path for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in _TEXTS]
    return [
        path for path in here + below if path.is_file() and path != Path(__file__) and "__pycache__" not in path.parts
    ]
