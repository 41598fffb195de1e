"""A YAML text as a tree of places in it: every scalar is text, and only plain YAML is let in.

No tags, anchors, aliases, merge keys, duplicate keys, nor a second document. Offsets count characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import yaml

try:
    from yaml.cyaml import CBaseLoader as _Parser  # libyaml: 20 times faster
except ImportError:  # pragma: no cover  a PyYAML that was built without libyaml
    from yaml.loader import BaseLoader as _Parser  # type: ignore[assignment]  # the same get_event

MAX_DEPTH = 32
MAX_NODES = 20_000
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Scalar(NamedTuple):
    """A text and where it stands. `style` is "" (plain), a quote, `|` or `>`; a bare value is empty and plain."""

    text: str
    style: str
    start: int
    end: int

    @property
    def bare(self) -> bool:
        """Whether nothing is written there, or YAML's word for nothing."""
        return not self.style and self.text in ("", "~", "null", "Null", "NULL")


class Listing(NamedTuple):
    """A sequence; a block one ends where its last item does."""

    items: tuple[Node, ...]
    flow: bool
    start: int
    end: int


class Table(NamedTuple):
    """A mapping, in the order of the text."""

    entries: tuple[tuple[Scalar, Node], ...]
    flow: bool
    start: int
    end: int

    def find(self, name: str) -> tuple[Scalar, Node] | None:
        """The entry of that key."""
        for entry in self.entries:
            if entry[0].text == name:
                return entry
        return None


Node = Scalar | Listing | Table


class YamlFault(Exception):
    """What is wrong with a text, where (an offset), and what to do about it."""

    def __init__(self, offset: int, code: str, message: str, cure: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.code = code
        self.message = message
        self.cure = cure


class Stumble(YamlFault):
    """A fault of the scanner: with it, the place where the construct began that it stumbled in."""

    context: int = -1


def compose(text: str) -> Node | None:
    """The tree of a text; None where it holds nothing. Raises YamlFault, as `Stumble` from within the YAML itself."""
    try:
        return _Composer(text).compose()
    except yaml.MarkedYAMLError as error:
        raise _translated(text, error) from None
    except yaml.YAMLError:
        found = _UNPRINTABLE.search(text)
        raise YamlFault(
            found.start() if found else 0,
            "control_character",
            "there is a control character that YAML does not allow" if found else "this is no YAML",
            "Remove it, or write it as an escape between double quotes.",
        ) from None


class _Composer:
    """Builds the tree from libyaml's events without recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: Callable[[], Any] = _Parser(text).get_event
        self._open: list[tuple[bool, bool, int]] = []  # mapping?, flow?, start
        self._nodes: list[list[Node]] = [[]]
        self._budget = MAX_NODES

    def compose(self) -> Node | None:
        documents = 0
        while (event := self._next()) is not None:
            kind = type(event)  # the parsers make no subclasses of these
            if kind is yaml.ScalarEvent:
                self._add_scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._begin(event, mapping=kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._finish(event)
            elif kind is yaml.AliasEvent:
                _refuse(event, "alias", "aliases (`*name`) are not allowed", "Put the text in quotes, or repeat it.")
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    _refuse(event, "second_document", "a second document begins", "Put one activity into one file.")
        return self._nodes[0][0] if self._nodes[0] else None

    def _add_scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None or event.anchor is not None:
            _refuse_mark(event)
        style = event.style or ""
        start: int = event.start_mark.index  # type: ignore[union-attr]  # the parser marks every event
        end: int = event.end_mark.index  # type: ignore[union-attr]  # as above
        if style in ("|", ">") and "+" not in self._text[start : start + 3]:  # libyaml counts blank lines after it in
            end = start + len(self._text[start:end].rstrip())
        self._nodes[-1].append(Scalar(event.value, style, start, end))
        self._budget -= 1
        if self._budget < 0:
            _refuse_size(event)

    def _begin(self, event: yaml.CollectionStartEvent, *, mapping: bool) -> None:
        if event.tag is not None or event.anchor is not None:
            _refuse_mark(event)
        if len(self._open) >= MAX_DEPTH:
            _refuse(event, "too_deep", "lists and maps are nested too deeply", "An activity needs three levels.")
        self._open.append((mapping, bool(event.flow_style), _start(event)))
        self._nodes.append([])
        self._budget -= 1
        if self._budget < 0:
            _refuse_size(event)

    def _finish(self, event: yaml.CollectionEndEvent) -> None:
        mapping, flow, start = self._open.pop()
        nodes = self._nodes.pop()
        end = _end(event) if flow else (nodes[-1].end if nodes else start)
        if mapping:
            self._nodes[-1].append(Table(_entries(nodes), flow, start, end))
        else:
            self._nodes[-1].append(Listing(tuple(nodes), flow, start, end))


def _start(event: yaml.Event) -> int:
    assert event.start_mark is not None  # noqa: S101  the parser marks every event
    return event.start_mark.index


def _end(event: yaml.Event) -> int:
    assert event.end_mark is not None  # noqa: S101  the parser marks every event
    return event.end_mark.index


def _entries(nodes: list[Node]) -> tuple[tuple[Scalar, Node], ...]:
    entries = []
    seen = set()
    for at in range(0, len(nodes), 2):
        key = nodes[at]
        if type(key) is not Scalar:
            raise YamlFault(key.start, "bad_key", "a key is a list or a map", "Keys are words.")
        text = key[0]
        if text in seen:
            raise YamlFault(key.start, "duplicate_key", "this key stands here twice", "Keep one of the two lines.")
        if text == "<<" and not key.style:
            raise YamlFault(key.start, "merge_key", "merge keys (`<<`) are not allowed", "Write the keys out.")
        seen.add(text)
        entries.append((key, nodes[at + 1]))
    return tuple(entries)


def _refuse(event: yaml.Event, code: str, message: str, cure: str) -> NoReturn:
    raise YamlFault(_start(event), code, message, cure)


def _refuse_size(event: yaml.Event) -> NoReturn:
    _refuse(event, "too_big", "the file has too many entries", "Keep one activity in a file.")


def _refuse_mark(event: yaml.Event) -> NoReturn:
    if getattr(event, "anchor", None) is not None:
        _refuse(event, "anchor", "anchors (`&name`) are not allowed", "Put the text in quotes.")
    _refuse(event, "tag", "tags (`!name`) are not allowed", "Put the text in quotes.")


_CURES = (
    ("mapping values are not allowed", "there is a second `: ` in the value", "Put the value in quotes."),
    ("cannot start any token", "no value can begin with this character", "Put the value in quotes; indent by spaces."),
    ("tab", "a tab stands where spaces are expected", "Indent by spaces."),
    ("unexpected end of stream", "a quote is opened and never closed", "Close the quote, or quote the whole value."),
    ("could not find expected ':'", "this line is no `key: value`", "Add the colon, or indent the line under its key."),
    ("did not find expected key", "the indentation or a quote is wrong here", "Align the keys; quote odd values."),
    ("did not find expected '-'", "this line does not belong to the list above", "Align it with the other items."),
    ("did not find expected ',' or", "a bracket is opened and not closed", "Close it, or quote the whole value."),
    ("alias", "`*` begins an alias, and aliases are not allowed", "Put the value in quotes."),
    ("anchor", "`&` begins an anchor, and anchors are not allowed", "Put the value in quotes."),
    ("tag", "`!` begins a tag, and tags are not allowed", "Put the value in quotes."),
    ("escape", "there is no such escape", "Write a backslash twice between double quotes, or use single quotes."),
    ("directive", "`%` at the start of a line is a directive", "Put the value in quotes."),
    ("document", "a second document begins here", "Put one activity into one file."),
)


def _translated(text: str, error: yaml.MarkedYAMLError) -> YamlFault:
    mark = error.problem_mark or error.context_mark
    said = f"{error.problem or ''} {error.context or ''}"
    message, cure = next(
        ((m, c) for words, m, c in _CURES if words in said),
        ("this is no valid YAML", "Put values with special characters in quotes; indent by spaces."),
    )
    fault = Stumble(min(mark.index, len(text)) if mark else 0, "bad_yaml", message, cure)
    if error.context_mark is not None:
        fault.context = error.context_mark.index
    return fault
