"""A YAML document kept as its raw text: where things stand in it, and what people write that is no YAML."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from adapters.activity.yaml_plain import compose_plain
from adapters.activity.yaml_tree import Listing, Node, Scalar, Stumble, Table, YamlFault, compose

MAX_BYTES = 1 << 20
MAX_LINE = 10_000  # characters of a line that is read forgivingly
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what YAML 1.1 takes for the end of a line


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
        return Document(text, compose_plain(text) or _root(compose(text)), mark)
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
            root = _moved(_root(compose(mended)), back, frozenset(r.start for r in repairs))
            assert isinstance(root, Table)  # noqa: S101  _moved keeps the kind
            return Document(text, root, mark, tuple(repairs))
        except YamlFault as again:
            fault = _back(again, back)
    raise first


def _suspects(fault: YamlFault) -> list[int]:
    if not isinstance(fault, Stumble):
        return []
    return [fault.offset, fault.context] if fault.context >= 0 else [fault.offset]


def _back(fault: YamlFault, back: Callable[[int], int]) -> YamlFault:
    fault.offset = back(fault.offset)
    if isinstance(fault, Stumble) and fault.context >= 0:
        fault.context = back(fault.context)
    return fault


_KEY_LINE = re.compile(
    r"[ ]*(?P<key>\w+)[ \t]*:[ \t]+(?P<value>[^\r\n]*?)(?P<rest>[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z)"
)
_ADDRESS_LINE = re.compile(r"[ ]*-[ \t]+(?P<value>\"[^\r\n]*\"[ \t]*<[^<>\r\n]+>)(?=[ \t]*(?:[\r\n]|\Z))")


def _repairable(text: str, offset: int, one_line: Callable[[str], bool], done: list[Repair]) -> Repair | None:
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    if not _LINE_END.search(text, start, start + MAX_LINE) and len(text) > start + MAX_LINE:
        return None
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
