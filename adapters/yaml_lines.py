"""A YAML document as its raw text with a tree of places in it: every scalar is text, every byte stays.

Only the small YAML that activity files need is let in: no tags, anchors, aliases, merge keys, duplicate
keys, nor a second document. Offsets count characters of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import yaml

try:
    from yaml.cyaml import CParser as _Parser  # libyaml: 20 times faster, and it has no recursion to exhaust
except ImportError:  # pragma: no cover  a PyYAML that was built without libyaml
    from yaml.loader import BaseLoader as _Parser  # type: ignore[assignment]  # the same get_event

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 20_000
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what YAML 1.1 takes for the end of a line
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


class Repair(NamedTuple):
    """A value that is no valid YAML and was read as the text that it looks like: its range."""

    start: int
    end: int


class Document(NamedTuple):
    """One YAML text and its root. `mark` is the byte order mark, if any, which is not part of the text."""

    text: str
    root: Table
    mark: str = ""
    repairs: tuple[Repair, ...] = ()

    @property
    def newline(self) -> str:
        """The line ending that new lines take: that of the first line."""
        found = _BREAK.search(self.text)
        return found.group() if found and found.group() in ("\r\n", "\r") else "\n"

    def line_start(self, offset: int) -> int:
        """Where the line of an offset begins."""
        return max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1

    def line_end(self, offset: int) -> int:
        """Where the line of an offset ends, before its line break."""
        found = _LINE_END.search(self.text, offset)
        return found.start() if found else len(self.text)

    def next_line(self, offset: int) -> int:
        """Where the next line begins; the end of the text, if there is none."""
        found = _LINE_END.search(self.text, offset)
        return found.end() if found else len(self.text)

    def column(self, offset: int) -> int:
        """How many characters stand before an offset in its line."""
        return offset - self.line_start(offset)


_LINE_END = re.compile("\r\n|[\r\n]")


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, counting from 1, as editors count them."""
    before = text[:offset]
    line = before.count("\n") + before.count("\r") - before.count("\r\n") + 1
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    return line, offset - start + 1


def decode(raw: bytes) -> tuple[str, str]:
    """The byte order mark and the text of a file. Raises YamlFault when it is no UTF-8 text of a sane size."""
    if len(raw) > MAX_BYTES:
        raise YamlFault(
            0, "too_big", "the file is larger than 1 MiB", "Keep one activity in a file, long material elsewhere."
        )
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise YamlFault(0, "encoding", "the file is UTF-16, not UTF-8", "Save it as UTF-8.")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        offset = len(raw[: error.start].decode())
        raise YamlFault(
            offset, "encoding", f"byte 0x{raw[error.start]:02x} is not UTF-8 text", "Save the file as UTF-8."
        ) from None
    return ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)


def load(mark: str, text: str, one_line: Callable[[str], bool]) -> Document:
    """Parse a text; where it is no YAML because of the value of a `one_line` key, take that value literally."""
    try:
        return Document(text, _root(_compose(text)), mark)
    except YamlFault as fault:
        return _load_forgiving(mark, text, one_line, fault)


MAX_REPAIRS = 25


def _load_forgiving(mark: str, text: str, one_line: Callable[[str], bool], first: YamlFault) -> Document:
    repairs: list[Repair] = []
    fault = first
    for _ in range(MAX_REPAIRS):
        found = next((r for o in _suspects(fault) if (r := _repairable(text, o, one_line, repairs))), None)
        if found is None:
            break
        repairs = sorted([*repairs, found])
        mended, back = _mend(text, repairs)
        try:
            root = _moved(_root(_compose(mended)), back, frozenset(r.start for r in repairs))
            assert isinstance(root, Table)  # noqa: S101  _moved keeps the kind
            return Document(text, root, mark, tuple(repairs))
        except YamlFault as again:
            fault = _back(again, back)
    raise first


class _Suspicion(YamlFault):
    """A fault of the scanner: with it, the place where the construct began that it stumbled in."""

    context: int = -1


def _suspects(fault: YamlFault) -> list[int]:
    if not isinstance(fault, _Suspicion):
        return []
    return [fault.offset, fault.context] if fault.context >= 0 else [fault.offset]


def _back(fault: YamlFault, back: Callable[[int], int]) -> YamlFault:
    fault.offset = back(fault.offset)
    if isinstance(fault, _Suspicion) and fault.context >= 0:
        fault.context = back(fault.context)
    return fault


_KEY_LINE = re.compile(
    r"[ ]*(?P<key>\w+)[ \t]*:[ \t]+(?P<value>[^\r\n]*?)(?P<rest>[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z)"
)
_ADDRESS_LINE = re.compile(r"[ ]*-[ \t]+(?P<value>\"[^\r\n]*\"[ \t]*<[^<>\r\n]+>)(?=[ \t]*(?:[\r\n]|\Z))")


def _repairable(text: str, offset: int, one_line: Callable[[str], bool], done: list[Repair]) -> Repair | None:
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    found = _KEY_LINE.match(text, start)
    if found and one_line(found["key"]) and found["value"] and found["value"][0] not in "|>!&*#":
        repair = Repair(*found.span("value"))
        return None if repair in done else repair
    found = _ADDRESS_LINE.match(text, start)
    if found:
        repair = Repair(*found.span("value"))
        return None if repair in done else repair
    return None


def _mend(text: str, repairs: list[Repair]) -> tuple[str, Callable[[int], int]]:
    """The text with those values quoted, and the way back from its offsets to the text's own."""
    pieces: list[str] = []
    spans: list[tuple[int, int, Repair]] = []
    at = length = 0
    for repair in repairs:
        quoted = "'" + text[repair.start : repair.end].replace("'", "''") + "'"
        pieces += [text[at : repair.start], quoted]
        start = length + repair.start - at
        length = start + len(quoted)
        spans.append((start, length, repair))
        at = repair.end

    def back(offset: int) -> int:
        shift = 0
        for start, end, repair in spans:
            if offset <= start:
                break
            if offset < end:
                return repair.start
            shift = repair.end - end
        return offset + shift

    return "".join([*pieces, text[at:]]), back


def _moved(node: Node, back: Callable[[int], int], repaired: frozenset[int]) -> Node:
    start, end = back(node.start), back(node.end)
    match node:
        case Scalar():
            return Scalar(node.text, "" if start in repaired else node.style, start, end)
        case Listing():
            return Listing(tuple(_moved(item, back, repaired) for item in node.items), node.flow, start, end)
        case Table():
            entries = tuple((_scalar(_moved(k, back, repaired)), _moved(v, back, repaired)) for k, v in node.entries)
            return Table(entries, node.flow, start, end)


def _scalar(node: Node) -> Scalar:
    assert isinstance(node, Scalar)  # noqa: S101  keys are scalars
    return node


def _root(node: Node | None) -> Table:
    if isinstance(node, Table):
        return node
    if node is None or (isinstance(node, Scalar) and node.bare):
        raise YamlFault(0, "no_subject", "the file says nothing", "An activity needs at least `subject: ...`.")
    raise YamlFault(
        node.start,
        "not_a_mapping",
        "the file is no list of `key: value` lines",
        "Write one activity as lines such as `subject: Call Anna`.",
    )


def _compose(text: str) -> Node | None:
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
        self._next = _Parser(text).get_event
        self._open: list[tuple[bool, bool, int]] = []  # mapping?, flow?, start
        self._nodes: list[list[Node]] = [[]]
        self._budget = MAX_NODES

    def compose(self) -> Node | None:
        documents = 0
        while (event := self._next()) is not None:
            kind = type(event)
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
        start = event.start_mark.index
        end = event.end_mark.index
        if style in ("|", ">"):  # libyaml counts the blank lines after it in
            end = start + len(self._text[start:end].rstrip())
        self._nodes[-1].append(Scalar(event.value, style, start, end))
        self._spend(event)

    def _begin(self, event: yaml.CollectionStartEvent, *, mapping: bool) -> None:
        if event.tag is not None or event.anchor is not None:
            _refuse_mark(event)
        if len(self._open) >= MAX_DEPTH:
            _refuse(event, "too_deep", "lists and maps are nested too deeply", "An activity needs three levels.")
        self._open.append((mapping, bool(event.flow_style), event.start_mark.index))
        self._nodes.append([])
        self._spend(event)

    def _finish(self, event: yaml.CollectionEndEvent) -> None:
        mapping, flow, start = self._open.pop()
        nodes = self._nodes.pop()
        end = event.end_mark.index if flow else (nodes[-1].end if nodes else start)
        if mapping:
            self._nodes[-1].append(Table(_entries(nodes), flow, start, end))
        else:
            self._nodes[-1].append(Listing(tuple(nodes), flow, start, end))

    def _spend(self, event: yaml.Event) -> None:
        self._budget -= 1
        if self._budget < 0:
            _refuse(event, "too_big", "the file has too many entries", "Keep one activity in a file.")


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
    raise YamlFault(event.start_mark.index, code, message, cure)


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
    fault = _Suspicion(min(mark.index, len(text)) if mark else 0, "bad_yaml", message, cure)
    if error.context_mark is not None:
        fault.context = error.context_mark.index
    return fault
