"""Reads YAML text into a tree of texts with places: no value is guessed at, nothing is constructed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import yaml

from config.node import Listing, Mark, Node, Problems, Scalar, Section

MAX_BYTES = 1 << 20
_MAX_DEPTH = 12

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Broken(Exception):
    """The text can't be understood any further; the problem is already noted."""


def parse(data: bytes, problems: Problems) -> Section | None:
    """The document in `data`; None, with the reason in `problems`, when there is none to be had."""
    with contextlib.suppress(_Broken):
        return _Builder(_decode(data, problems), problems).document()
    return None


def _decode(data: bytes, problems: Problems) -> str:
    if len(data) > MAX_BYTES:
        problems.add(None, "The file is larger than 1 MiB.", "This is no config: give another with --config.")
        raise _Broken
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problems.add(Mark(line, column), "This is not UTF-8 text.", "Save the file as UTF-8.")
        raise _Broken from None


class _Builder:
    """Builds the tree from YAML's events."""

    def __init__(self, text: str, problems: Problems) -> None:
        self.problems = problems
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)

    def document(self) -> Section:
        self._next()  # the stream
        if not isinstance(self._next(), yaml.DocumentStartEvent):
            return Section((), Mark(1, 1))
        root = self._node(self._next(), 0)
        self._next()  # the end of the document
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop(after, "A second document begins here.", "Keep one document: remove the line `---`.")
        if isinstance(root, Scalar) and root.bare:
            return Section((), root.mark)
        if not isinstance(root, Section):
            self.problems.add(root.mark, "The file must be keys with values.", "Write for example `store: ~/Datebook`.")
            raise _Broken
        return root

    def _next(self) -> yaml.Event:
        try:
            return next(self.events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Mark(mark.line + 1, mark.column + 1) if mark else None
            self.problems.add(place, f"This is not valid YAML: {error.problem or error.context}.", _cure(error))
            raise _Broken from None
        except yaml.YAMLError as error:
            self.problems.add(None, f"This is not valid YAML: {_one_line(error)}.", "Look for an odd character.")
            raise _Broken from None

    def _stop(self, event: yaml.Event, message: str, cure: str) -> None:
        self.problems.add(_mark(event), message, cure)
        raise _Broken

    def _refuse_decoration(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._stop(event, f"An alias (`*{event.anchor}`) is not taken here.", "Write the value out.")
        if event.anchor is not None:
            self.problems.add(_mark(event), f"An anchor (`&{event.anchor}`) is not taken here.", "Remove it.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.problems.add(_mark(event), "A tag (`!...`) is not taken here.", "Remove it, or quote the value.")

    def _node(self, event: yaml.Event, depth: int) -> Node:
        assert isinstance(event, yaml.NodeEvent)  # noqa: S101  YAML's grammar: nodes alone stand here
        if depth > _MAX_DEPTH:
            self._stop(event, "This is nested too deeply.", "Nothing in the config goes that deep.")
        self._refuse_decoration(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._listing(event, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._section(event, depth)
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101  the only kind that is left
        plain = not event.style
        return Scalar(event.value, _mark(event), bare=plain and event.value in {"", "~", "null"})

    def _listing(self, start: yaml.Event, depth: int) -> Listing:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Listing(tuple(items), _mark(start))

    def _section(self, start: yaml.MappingStartEvent, depth: int) -> Section:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(self._next(), depth + 1)
            if not isinstance(key, Scalar):
                self.problems.add(key.mark, "A key must be one word.", "Quote it if it has braces or brackets.")
            elif key.text in entries:
                first = entries[key.text][0].mark.line
                self.problems.add(key.mark, f"`{key.text}` stands here twice (first in line {first}).", "Keep one.")
            else:
                entries[key.text] = (key, value)
        flow = bool(start.flow_style)
        return Section(tuple(entries.values()), _mark(start), flow=flow, end=_mark(event))


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1) if start else Mark(1, 1)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _cure(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "\\t" in problem or "'\t'" in problem:
        return "Indent with spaces, not with a tab."
    if "mapping values are not allowed" in problem:
        return "Put the value in quotes: it has a colon followed by a space."
    if "found character" in problem:
        return "Put the value in quotes: it begins with a character that YAML keeps for itself."
    return "Check the indentation and the quotes of this line and of the one before it."
