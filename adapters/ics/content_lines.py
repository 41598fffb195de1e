"""A lossless document of iCalendar content lines (RFC 5545 section 3.1): every byte that is not changed stays.

Only names are looked at when a document is read; a line's value is unfolded and decoded when somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from daemon.core.errors import Unreadable

LARGEST = 16 * 1024 * 1024  # bytes of one calendar object
DEEPEST = 16  # components within components; RFC 5545 needs three
FOLD_AT = 75  # octets

_LINE = re.compile(rb"(([^;:\r\n]*)[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*(?:\r\n|\n|\r|\Z))")  # the line, its name
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]")
_HEAD = re.compile(r'[^":]*(?:"[^"]*"[^":]*)*')
_BOM = b"\xef\xbb\xbf"
_NO_PARAMS: Mapping[str, str] = MappingProxyType({})


class Line:
    """One content line with its folding and its line ending; `name` is in capitals."""

    __slots__ = ("name", "raw")

    def __init__(self, name: bytes, raw: bytes) -> None:
        self.name = name
        self.raw = raw

    @property
    def text(self) -> str:
        """The unfolded line. Raises Unreadable where it is not UTF-8."""
        raw = self.raw.rstrip(b"\r\n")
        if b"\n" in raw or b"\r" in raw:
            raw = raw.replace(b"\r\n ", b"")
            if b"\n" in raw or b"\r" in raw:
                raw = _FOLD.sub(b"", raw)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Unreadable(
                f"{self.name[:40].decode('ascii', 'replace')} is not UTF-8 text",
                code="encoding",
                cure="save the file as UTF-8",
            ) from None

    @property
    def value(self) -> str:
        """What stands after the colon, still escaped."""
        return split_line(self.text)[1]

    def parts(self) -> tuple[Mapping[str, str], str]:
        """The parameters, by name in capitals, and the value, still escaped."""
        head, value = split_line(self.text)
        return (params_of(head) if ";" in head else _NO_PARAMS), value

    @property
    def head(self) -> str:
        """The name and the parameters as they are written."""
        return split_line(self.text)[0]


class Component:
    """A component with everything in it, in order; the outermost, unnamed one is the document."""

    __slots__ = ("begin", "body", "end", "name")

    def __init__(self, name: bytes, begin: bytes = b"", end: bytes = b"") -> None:
        self.name = name
        self.begin = begin
        self.end = end
        self.body: list[Line | Component] = []

    def components(self, name: bytes) -> Iterator[Component]:
        """The components directly below that have this name."""
        return iter([each for each in self.body if each.name == name and isinstance(each, Component)])

    def lines(self, *names: bytes) -> Iterator[Line]:
        """The lines directly below that have one of these names."""
        return iter([each for each in self.body if each.name in names and isinstance(each, Line)])

    def first(self, name: bytes) -> Line | None:
        """The first line of this name."""
        for each in self.body:
            if each.name == name and isinstance(each, Line):
                return each
        return None

    def dump(self) -> bytes:
        """The bytes of the whole component."""
        out: list[bytes] = []
        _dump(self, out)
        return b"".join(out)


def _dump(component: Component, out: list[bytes]) -> None:
    """Recursion is bounded by DEEPEST."""
    out.append(component.begin)
    for each in component.body:
        if isinstance(each, Line):
            out.append(each.raw)
        else:
            _dump(each, out)
    out.append(component.end)


def parse(raw: bytes, path: str = "", largest: int = LARGEST) -> Component:
    """The document. Raises Unreadable where it is too large, too deep, or its components don't close."""
    if len(raw) > largest:
        raise Unreadable(f"it has more than {largest >> 20} MiB", code="too_large", path=path)
    open_ones = [Component(b"")]
    body = open_ones[0].body
    for chunk, written in _LINE.findall(raw):
        name = written.upper()
        if name == b"BEGIN" or name == _BOM + b"BEGIN":
            component = Component(_component_name(chunk), chunk)
            body.append(component)
            open_ones.append(component)
            if len(open_ones) > DEEPEST:
                raise Unreadable("its components are nested too deep", code="bad_calendar", path=path)
            body = component.body
        elif name == b"END":
            closed = open_ones.pop()
            if not open_ones or closed.name != _component_name(chunk):
                raise _unbalanced(raw, closed, path)
            closed.end = chunk
            body = open_ones[-1].body
        elif chunk:
            body.append(Line(name, chunk))
    if len(open_ones) > 1:
        raise _unbalanced(raw, open_ones[-1], path)
    return open_ones[0]


def _component_name(chunk: bytes) -> bytes:
    name = chunk.partition(b":")[2].strip().upper()
    return _FOLD.sub(b"", name) if b"\n" in name or b"\r" in name else name


def _unbalanced(raw: bytes, component: Component, path: str) -> Unreadable:
    name = component.name[:40].decode("ascii", "replace")
    line = raw.count(b"\n", 0, raw.find(component.begin)) + 1 if component.begin else None
    return Unreadable(
        f"BEGIN:{name} has no END:{name}" if name else "there is an END without its BEGIN",
        code="bad_calendar",
        cure="restore the missing line, or the file from a copy: it seems to be cut off",
        path=path,
        line=line,
    )


def split_line(text: str) -> tuple[str, str]:
    """The name with its parameters, and the value; a colon in quotes belongs to a parameter."""
    head, colon, value = text.partition(":")
    if '"' in head:
        found = _HEAD.match(text)
        end = found.end() if found else 0
        if text[end : end + 1] == ":":
            return text[:end], text[end + 1 :]
    return (head, value) if colon else (text, "")


_PARAM = re.compile(r';([^=;:"]+)=((?:[^";]|"[^"]*")*)')
_CARET = re.compile(r"\^([n^'])")
_CARET_MEANS = {"n": "\n", "^": "^", "'": '"'}


@lru_cache(maxsize=4096)
def params_of(head: str) -> Mapping[str, str]:
    """Parameters by name in capitals, without quotes and with RFC 6868's escapes undone."""
    params: dict[str, str] = {}
    for name, value in _PARAM.findall(head):
        plain = value.replace('"', "")
        if "^" in plain:
            plain = _CARET.sub(lambda found: _CARET_MEANS[found[1]], plain)
        params.setdefault(name.strip().upper(), plain)
    return MappingProxyType(params)


def quoted_param(value: str) -> str:
    """A parameter's value in quotes (RFC 6868: line ends, quotes and carets are escaped)."""
    plain = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{plain}"'


def fold(text: str, ending: bytes = b"\r\n") -> bytes:
    """A content line as bytes, folded at 75 octets and never within a character."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= FOLD_AT:
        return raw + ending
    if raw.isascii():
        rest = [raw[at : at + FOLD_AT - 1] for at in range(FOLD_AT, len(raw), FOLD_AT - 1)]
        return (ending + b" ").join([raw[:FOLD_AT], *rest]) + ending
    pieces = []
    start, room = 0, FOLD_AT
    while len(raw) - start > room:
        end = start + room
        while raw[end] & 0xC0 == 0x80:  # noqa: PLR2004  a UTF-8 continuation byte
            end -= 1
        pieces.append(raw[start:end])
        start, room = end, FOLD_AT - 1
    pieces.append(raw[start:])
    return (ending + b" ").join(pieces) + ending


_TEXT_NAME = re.compile("[^;:]*")


def line(text: str, ending: bytes = b"\r\n") -> Line:
    """A content line from its unfolded text."""
    name = _TEXT_NAME.match(text).group()  # type: ignore[union-attr]  # it matches the empty string too
    return Line(name.upper().encode(), fold(text, ending))


def component(name: str, ending: bytes = b"\r\n") -> Component:
    """An empty component."""
    plain = name.encode()
    return Component(plain, b"BEGIN:" + plain + ending, b"END:" + plain + ending)


def ending_of(component: Component) -> bytes:
    """The line ending that a component is written with."""
    return b"\r\n" if component.begin.endswith(b"\r\n") or not component.begin.endswith(b"\n") else b"\n"
