"""One YAML activity on its way to being read: its keys by name, what is wrong with them, and what is remarkable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from adapters.activity.activity_keys import RANK, close_key, is_one_line
from adapters.activity.activity_values import BadValue, shown
from adapters.activity.yaml_lines import Document, place
from adapters.activity.yaml_tree import Listing, Node, Scalar, Table, YamlFault
from daemon.core.model import Note

T = TypeVar("T")
NOT_TEXT = BadValue("this is a list or a map, not text", "Write one line of text, in quotes if it has brackets.")
_WARNED = frozenset(("subject", "location", "conference_meeting_url"))


def is_blank(node: Node) -> bool:
    """Whether a value says nothing: bare, empty, or an empty list or map."""
    if isinstance(node, Scalar):
        return not node.text.strip() or node.bare
    return not (node.items if isinstance(node, Listing) else node.entries)


def scalar_text(doc: Document, node: Scalar) -> str:
    """The text of a scalar; the line break that ends a block scalar is not part of it, save under `|+`."""
    if node.style in ("|", ">") and "+" not in doc.text[node.start : node.start + 3]:
        return node.text.removesuffix("\n")
    return node.text


class Sheet:
    """A document with the faults that were found in it; what is read from it holds only if there are none."""

    def __init__(self, doc: Document) -> None:
        self.doc = doc
        self.faults: list[YamlFault] = []
        self._notes: list[tuple[int, str, str, str]] = []

    def fault(self, offset: int, code: str, message: str, cure: str) -> None:
        """Record what is wrong at an offset."""
        self.faults.append(YamlFault(offset, code, message, cure))

    def bad(self, name: str, node: Node, error: BadValue) -> None:
        """Record that a key has a value that is none."""
        self.fault(node.start, "bad_value", f"{name}: {error.message}", error.cure)

    def said(self, table: Table) -> dict[str, Node]:
        """The keys that have a value; remarks about the others on the way."""
        said: dict[str, Node] = {}
        for key, node in table.entries:
            name = key.text
            if is_blank(node):
                self._check_swallowed(name, node)
                continue
            said[name] = node
            if name not in RANK:
                self._check_name(key)
            elif name in _WARNED and type(node) is Scalar and not node.style:
                self._check_comment(name, node)
        return said

    def _check_name(self, key: Scalar) -> None:
        close = close_key(key.text)
        if close:
            self.note(key.start, "unknown_key", f"{shown(key.text)} is no key of Datebook", f"Did you mean {close}?")

    def _check_swallowed(self, name: str, node: Node) -> None:
        if not isinstance(node, Scalar) or node.style or not is_one_line(name):
            return
        rest = self.doc.text[node.start : self.doc.line_end(node.start)].lstrip(" \t")
        if rest.startswith("#") and (name == "subject" or rest[1:2].strip()):
            offset = self.doc.text.index("#", node.start)
            cure = f"Put the value in quotes: {name}: '#...'"
            self.fault(offset, "comment", f"{name} is empty, because # begins a comment", cure)

    def _check_comment(self, name: str, node: Scalar) -> None:
        text = self.doc.text
        if text[node.end : node.end + 1] != " ":
            return
        rest = text[node.end : self.doc.line_end(node.end)]
        comment = rest.lstrip(" \t")
        if comment.startswith("#") and (comment[1:2].strip() or len(rest) - len(comment) == 1):
            offset = node.end + len(rest) - len(comment)
            cure = "Put the value in quotes if that belongs to it; else put two spaces before the # and one after it."
            self.note(offset, "comment", f"{name}: what follows # is a comment and not part of the value", cure)

    def no_subject(self) -> None:
        """Record that there is no subject, with the key that was perhaps meant to be one."""
        if any(f.code == "comment" for f in self.faults):
            return
        close = next(
            (k for k, _ in self.doc.root.entries if k.text not in RANK and close_key(k.text) == "subject"), None
        )
        cure = f"{shown(close.text)} is called subject here." if close else "Add a line such as `subject: Call Anna`."
        self.fault(close.start if close else 0, "no_subject", "the subject is missing", cure)

    def note(self, offset: int, code: str, message: str, cure: str) -> None:
        """Record a remark at an offset."""
        self._notes.append((offset, code, message, cure))

    def sorted_notes(self) -> tuple[Note, ...]:
        """The remarks in the order of the text."""
        for repair in self.doc.repairs:
            message = "the value is no valid YAML; it was read as the text that it looks like"
            self.note(repair.start, "unquoted", message, "Put the value in quotes.")
        return tuple(Note(code, m, cure, *place(self.doc.text, at)) for at, code, m, cure in sorted(self._notes))

    def plain(self, said: Mapping[str, Node], name: str) -> str:
        """The text of a key; "" where it says nothing."""
        node = said.get(name)
        if node is None:
            return ""
        if type(node) is Scalar:
            return scalar_text(self.doc, node).strip()
        self.bad(name, node, NOT_TEXT)
        return ""

    def convert(self, said: Mapping[str, Node], name: str, form: Callable[[str], T]) -> T | None:
        """The value of a key; None where it says nothing, or nothing valid."""
        text = self.plain(said, name)
        if not text:
            return None
        try:
            return form(text)
        except BadValue as error:
            self.bad(name, said[name], error)
            return None

    def items(self, name: str, node: Node, form: Callable[[str], T]) -> Iterator[T]:
        """The elements of a list of plain words; one word counts as a list of one."""
        for item in node.items if isinstance(node, Listing) else (node,):
            if is_blank(item):
                continue
            try:
                if not isinstance(item, Scalar):
                    raise NOT_TEXT
                yield form(item.text)
            except BadValue as error:
                self.bad(name, item, error)
