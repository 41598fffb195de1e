"""What the README and the docs say is what the program knows: keys, defaults, commands, examples, links."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from adapters.activity import activity_codec
from config import accounts, load, routes
from config.load import parse_config
from config.schema import DEFAULT_TYPES
from daemon.cli import register
from daemon.core.policy import Brake, Route
from tests.architecture.sources import ROOT

README = (ROOT / "README.md").read_text("utf-8")
CONFIG = (ROOT / "docs" / "config.md").read_text("utf-8")
PAPERS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _rows(text: str, heading: str) -> Iterator[list[str]]:
    """The rows of the first table below a heading, without its head."""
    section = text.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table, heading
    for line in table[0].splitlines()[2:]:
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _table(heading: str) -> dict[str, str]:
    return {_words(row[0])[0]: row[1] for row in _rows(CONFIG, heading)}


def test_the_readme_has_every_key_of_the_activity_file():
    schema = json.loads((ROOT / "config" / "activity.schema.json").read_text("utf-8"))
    said = [word for row in _rows(README, "## The activity file") for word in _words(row[0])]
    assert sorted(said) == sorted(schema["properties"])


def test_the_readme_has_every_command():
    said = {word.split()[0] for row in _rows(README, "## Commands") for word in _words(row[0])}
    assert said - {"uninstall", "status"} == set(_commands()) - {"status"}


def _commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (one for one in register.parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(choices.choices)


@pytest.mark.parametrize("options", re.findall(r"^\| `(\w+)[^|]*?\[(--\w+)\]", README, re.MULTILINE))
def test_the_commands_of_the_readme_take_the_options_that_it_names(options):
    command, option = options
    assert option in _commands()[command].format_help()


def test_the_docs_have_every_key_of_the_config():
    assert set(_table("## Top level")) == set(load._KEYS)
    assert set(_table("## `accounts.NAME`")) == set(accounts._KEYS)
    assert set(_table("## `calendars.NAME`")) == set(routes._KEYS)
    for condition in routes._CONDITIONS:
        assert f"`{condition}" in CONFIG


def test_the_docs_have_the_defaults_of_the_program():
    said = {key: cell.strip("`").strip('"') for key, cell in _table("## `calendars.NAME`").items()}
    for field in fields(Route):
        if field.name not in {"name", "account", "rules", "send"}:
            assert said[field.name] == _as_written(field.default), field.name
    assert _table("## Top level")["types"] == f"`[{', '.join(DEFAULT_TYPES)}]`"


def _as_written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case StrEnum():
            return value.value
        case timedelta():
            return f"{int(value.total_seconds())}s"
        case Brake():
            return f"{{count: {value.count}, share: {value.share}}}"
        case _:
            return str(value)


def _examples(path: Path) -> Iterator[str]:
    return iter(re.findall(r"^```yaml\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL))


def test_the_activities_of_the_readme_are_read_without_a_word():
    activities = [text for text in _examples(ROOT / "README.md") if text.startswith("subject:")]
    assert len(activities) == 2
    for text in activities:
        assert activity_codec.problems(text.encode(), zone="Europe/Helsinki", types=DEFAULT_TYPES) == []


def test_the_configs_of_the_papers_are_read(tmp_path):
    (config,) = (text for text in _examples(ROOT / "README.md") if text.startswith("store:"))
    (rules,) = _examples(ROOT / "docs" / "config.md")
    read = parse_config(config.encode(), tmp_path / "config.yaml")
    assert list(read.routes) == ["work"]
    indented = "".join(f"    {line}\n" for line in rules.splitlines())
    with_rules = parse_config((config + indented).encode(), tmp_path / "config.yaml")
    assert len(with_rules.routes["work"].rules) == 3


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(paper):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", paper.read_text("utf-8")):
        assert (paper.parent / target).exists(), target


def test_the_rooms_of_the_readme_are_there():
    for row in _rows(README, "## Where things are"):
        assert (ROOT / _words(row[0])[0]).is_dir()


def test_every_decision_is_in_the_list():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))
