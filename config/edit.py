"""Adds an account or a calendar to config.yaml; every byte that stands there already stays."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from config.node import Listing, Mark, Node, Problems, Scalar, Section
from daemon.core.errors import ConfigError, UsageError

Plain = str | Sequence[str] | Mapping[str, "str | Mapping[str, str]"]

_SAFE = re.compile(r"[\w./~](?:[\w./@+ =~-]|:(?!\s|$))*(?<! )", re.ASCII)
# Words that other readers of YAML take for something else than text.
_TAKEN = frozenset({"", "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n"})


def add_entry(text: str, section: str, name: str, keys: Mapping[str, Plain]) -> str:
    """The config with `name` as the last entry of a top-level section, which is made where it is missing.

    Raises ConfigError when `text` is no YAML, UsageError when the entry is there already or the
    file is written in a way that can't be extended; that one shows what to add by hand.
    """
    root = _parse(text)
    value = root.get(section)
    if isinstance(value, Section) and any(key.text == name for key, _ in value.entries):
        raise UsageError(f"`{section}.{name}` is in the config already.", what_to_do="Edit it there.")
    by_hand = UsageError(
        "The config is written in a way that Datebook can't extend.",
        what_to_do=f"Add these lines to it:\n{_block_section(section, name, keys, 2)}",
    )
    if root.flow or not (value is None or isinstance(value, Section)):
        raise by_hand
    after = _added(text, root, section, name, keys)
    try:
        grown = _parse(after)
    except ConfigError:
        raise by_hand from None
    if _plain(grown) != _with_entry(_plain(root), section, name, keys):
        raise by_hand
    return after


def replace_file(path: Path, data: bytes, *, expected: bytes | None) -> None:
    """Write a file whole or not at all, with the mode it has (a new one: 0600); a link's target is written.

    Raises UsageError when it is no longer what was `expected` (None: not there).
    """
    path = path.resolve()
    if (path.read_bytes() if path.exists() else None) != expected:
        raise UsageError(f"{path} was changed meanwhile.", what_to_do="Save it and give the command again.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777 if expected is not None else 0o600)
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  the temporary name is a string
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108  as above
        raise


def _parse(text: str) -> Section:
    from config.document import parse  # noqa: PLC0415  see load.py

    problems = Problems()
    root = parse(text.encode(), problems)
    if root is None or problems.found:
        raise ConfigError("config.yaml", problems.in_order())
    return root


def _added(text: str, root: Section, section: str, name: str, keys: Mapping[str, Plain]) -> str:
    value = root.get(section)
    if isinstance(value, Section) and value.flow:
        return _in_braces(text, value, name, keys)
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += ending
    at, block = len(lines), ["", *_block_section(section, name, keys, 2).splitlines()]
    if isinstance(value, Section):
        indent = value.entries[0][0].mark.column - 1
        at, block = _last_line(lines, root, section, indent), _block(name, keys, indent)
    elif any(key.text == section for key, _ in root.entries):
        at, block = root.key_mark(section).line, _block(name, keys, 2)
    return "".join([*lines[:at], *(line + ending for line in block), *lines[at:]])


def _in_braces(text: str, value: Section, name: str, keys: Mapping[str, Plain]) -> str:
    at = _offset(text, value.end)
    before = text[:at].rstrip()
    comma = "" if not value.entries or before.endswith(",") else ","
    space = " " if value.entries else ""
    return f"{before}{comma}{space}{name}: {_flow(keys)}{text[at:]}"


def _offset(text: str, mark: Mark) -> int:
    at = 0
    for _ in range(mark.line - 1):
        at = text.index("\n", at) + 1
    return at + mark.column - 1


def _last_line(lines: Sequence[str], root: Section, section: str, indent: int) -> int:
    """How many lines there are up to the last one of a block section, its own trailing comments with it."""
    begins = root.key_mark(section).line
    ends = min((key.mark.line for key, _ in root.entries if key.mark.line > begins), default=len(lines) + 1) - 1
    while ends > begins and not _belongs(lines[ends - 1], indent):
        ends -= 1
    return ends


def _belongs(line: str, indent: int) -> bool:
    bare = line.strip()
    return bool(bare) and len(line) - len(line.lstrip()) >= indent and bare not in {"...", "---"}


def _block_section(section: str, name: str, keys: Mapping[str, Plain], indent: int) -> str:
    return "\n".join([f"{section}:", *_block(name, keys, indent), ""])


def _block(name: str, keys: Mapping[str, Plain], indent: int) -> list[str]:
    inner = " " * (indent + max(indent, 2))
    return [f"{' ' * indent}{name}:", *(f"{inner}{key}: {_flow(value)}" for key, value in keys.items())]


def _flow(value: Plain | Mapping[str, Plain]) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(_flow(each) for each in value) + "]"


def quoted(text: str) -> str:
    """A text as a value that reads back as it is, in quotes where it needs them."""
    if _SAFE.fullmatch(text) and text.casefold() not in _TAKEN:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


# A tree without its places, to compare what two texts say.
_Tree = str | tuple["_Tree", ...] | dict[str, "_Tree"] | None


def _plain(node: Node) -> _Tree:
    if isinstance(node, Scalar):
        return None if node.bare else node.text
    if isinstance(node, Listing):
        return tuple(_plain(item) for item in node.items)
    return {key.text: _plain(value) for key, value in node.entries}


def _with_entry(tree: _Tree, section: str, name: str, keys: Mapping[str, Plain]) -> _Tree:
    assert isinstance(tree, dict)  # noqa: S101  the root is always a section
    entries = tree.get(section) or {}
    assert isinstance(entries, dict)  # noqa: S101  `add_entry` has looked
    wanted: _Tree = {key: _tree(value) for key, value in keys.items()}
    return {**tree, section: {**entries, name: wanted}}


def _tree(value: Plain) -> _Tree:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: _tree(each) for key, each in value.items()}
    return tuple(value)
