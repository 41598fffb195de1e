"""Values as YAML text: scalars that read back as they were meant, lists and maps in block or flow form."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SHORT = 90
_ONE_UNIT = 2  # bytes of a character of the basic plane in UTF-16


class Text(NamedTuple):
    """A scalar to write. `style` is the quoting wished for; a `word` (date, number) needs no quotes to be itself."""

    value: str
    style: str = ""
    word: bool = False


Written = Text | list["Written"] | dict[str, "Written"]

# Signs that no plain scalar may begin with, or that would end it; bidi overrides are never shown raw.
_PLAIN = re.compile(r"[^\s\-?:,\[\]{}#&*!|>'\"%@`=~<.](?:[^\x00-\x1f\x7f-\xa0\u2028\u2029]*[^\s:])?")
_PLAIN_WORD = re.compile(r"[\w.+\-/][\w.+\-/:@ ;=,]*")
_ENDS_PLAIN = re.compile(r": |:$| #|:\t|\t#")
_FLOW_SIGNS = re.compile(r"[,\[\]{}]")
_LOOKS_TYPED = re.compile(r"(?i)true|false|yes|no|on|off|y|n|null|~|[-+.]?[0-9][0-9_:.,ex+\-]*|\.(inf|nan)")
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xa0\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff]"
)
_ESCAPED = re.compile('["\\\\\t\n]|' + _ODD.pattern + "|[\U0001fffe\U0001ffff]")
_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def is_odd(value: str) -> bool:
    """Whether a text has signs that are only safe as escapes between double quotes."""
    return bool(_ODD.search(value))


def scalar(text: Text, *, flow: bool = False) -> str:
    """A scalar on one line."""
    return _known_scalar(text, flow) if len(text.value) < _SHORT else _scalar(text, flow)


def _scalar(text: Text, flow: bool) -> str:  # noqa: FBT001  as `scalar` has it
    value = text.value
    if text.style != '"' and not is_odd(value) and "\n" not in value and "\t" not in value:
        if text.style == "" and _is_plain(text, flow=flow):
            return value
        if text.style == "'" or ('"' in value or "\\" in value):
            return "'" + value.replace("'", "''") + "'"
    return '"' + _ESCAPED.sub(_escape, value) + '"'


_known_scalar = lru_cache(maxsize=1024)(_scalar)  # words, names and addresses come again and again


def _is_plain(text: Text, *, flow: bool) -> bool:
    value = text.value
    if flow and _FLOW_SIGNS.search(value):
        return False
    if _ENDS_PLAIN.search(value):
        return False
    if text.word:
        return bool(_PLAIN_WORD.fullmatch(value)) and value == value.strip() and not value.startswith("---")
    return bool(_PLAIN.fullmatch(value)) and not _LOOKS_TYPED.fullmatch(value)


def _escape(found: re.Match[str]) -> str:
    sign = found.group()
    code = ord(sign)
    return _NAMED.get(sign) or (f"\\u{code:04x}" if len(sign.encode("utf-16-le")) == _ONE_UNIT else f"\\U{code:08x}")


def literal(value: str, indent: int, parent: int, newline: str) -> tuple[str, str] | None:
    """Header and lines of a literal block scalar; None where the text can't be held in one."""
    if not value.strip() or value.endswith("\n") or is_odd(value):
        return None
    header = f"|{indent - parent}" if value[0] in " \t\n" else "|"
    pad = " " * indent
    return header, "".join((pad + line if line else "") + newline for line in value.split("\n"))


def flow(written: Written, *, style: str = "") -> str:
    """A value on one line, in brackets and braces; `style` is put on scalars that wish for none."""
    match written:
        case Text():
            return scalar(Text(written.value, written.style or style, written.word), flow=True)
        case list():
            return "[" + ", ".join(flow(item, style=style) for item in written) + "]"
        case dict():
            return "{" + ", ".join(flow_pair(key, value, style=style) for key, value in written.items()) + "}"


def flow_pair(key: str, value: Written, *, style: str = "") -> str:
    """A pair of a map in braces."""
    return f"{scalar(Text(key, style, word=True), flow=True)}: {flow(value, style=style)}"


@lru_cache(maxsize=512)
def _name(key: str) -> str:
    return scalar(Text(key, word=True))


def block_entry(key: str, value: Written, indent: int, newline: str) -> str:
    """The lines of one key in a block map, with the last line break."""
    pad = " " * indent
    name = _name(key)
    match value:
        case Text():
            block = literal(value.value, indent + 2, indent, newline) if _wants_literal(value) else None
            if block:
                return f"{pad}{name}: {block[0]}{newline}{block[1]}"
            return f"{pad}{name}: {scalar(value)}{newline}"
        case list():
            if not value or _is_short(value):
                return f"{pad}{name}: {flow(value)}{newline}"
            return f"{pad}{name}:{newline}" + "".join(
                block_item(item, f"{pad}  - ", newline, first=True) for item in value
            )
        case dict():
            if not value:
                return f"{pad}{name}: {{}}{newline}"
            return f"{pad}{name}:{newline}" + "".join(block_entry(k, v, indent + 2, newline) for k, v in value.items())


def _wants_literal(text: Text) -> bool:
    return "\n" in text.value and text.style in ("", "|")


def _is_short(items: list[Written]) -> bool:
    return all(isinstance(item, Text) and item.word for item in items) and len(flow(items)) < _SHORT


def block_item(item: Written, prefix: str, newline: str, *, first: bool = True) -> str:
    """The lines of one item of a block list; `prefix` is the dash with what stands around it."""
    head = prefix if first else ""
    if isinstance(item, dict):
        lines = "".join(block_entry(key, value, len(prefix), newline) for key, value in item.items())
        return head + lines[len(prefix) :]
    return f"{head}{scalar(item) if isinstance(item, Text) else flow(item)}{newline}"
