"""The YAML that people write by hand, read by its lines: the same tree as libyaml's, or none at all.

Keys at the first column with a word, a quoted one, a short list or a `|` text behind each; blank lines and comments
between them. Whatever is not surely that (other indentation, markers, escapes, odd characters) is left to the parser.
"""

from __future__ import annotations

import re

from adapters.activity.yaml_tree import Listing, Node, Scalar, Table

_LARGEST = 1 << 16
# What YAML can't print, takes for a line end or for a byte order mark; and the tab.
_ODD = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_KEY = r"[A-Za-z_][A-Za-z0-9_]{0,60}"
_WORDS = r"\w[^\n:\#]*(?::(?=[\w/])[^\n:\#]*)*"  # a colon is within a word, and there is no comment
_ITEM = r"\w[\w.+\-]*"
_COMMENT = r"(?:(?<=[ ])\#[^\n]*)?\n"
_ENTRY = re.compile(
    rf"""
    (?:\n|\#[^\n]*\n)*
    (?P<key>{_KEY}):
    (?:
        [ ]+(?P<words>{_WORDS}){_COMMENT}(?![ ])
      | [ ]+(?P<quoted>"[^"\\\n]*"|'[^'\n]*')[ ]*{_COMMENT}(?![ ])
      | [ ]+(?P<list>\[(?:{_ITEM}(?:,[ ]?{_ITEM})*)?\])[ ]*{_COMMENT}(?![ ])
      | [ ]+(?P<text>\|\n(?P<pad>[ ]+)[^ \n][^\n]*\n(?:\n*(?P=pad)[ ]*[^ \n][^\n]*\n)*)(?!\n*[ ])
      | \n(?P<rows>(?:[ ][ ]-[ ](?:{_KEY}:[ ])?{_WORDS}\n(?:[ ]{{4}}{_KEY}:[ ]{_WORDS}\n)*)+)(?![ ])
    )
    """,
    re.VERBOSE,
)
_EACH = re.compile(_ITEM)
_ROW = re.compile(rf"[ ][ ]([ -])[ ](?:({_KEY}):[ ])?({_WORDS})\n")
_END = re.compile(r"(?:\n|#[^\n]*\n)*")


def compose_plain(text: str) -> Table | None:
    """The tree of a plain text, as `yaml_tree.compose` has it; None: the parser has to say."""
    entries: list[tuple[Scalar, Node]] = []
    keys = set()
    for found in _entries(text):
        key, start, end = found["key"], *found.span("key")
        node = _node(text, found)
        if node is None or key in keys:
            return None
        keys.add(key)
        entries.append((Scalar(key, "", start, end), node))
    if not entries:
        return None
    return Table(tuple(entries), flow=False, start=entries[0][0].start, end=entries[-1][1].end)


def may_end_with(text: str, key: str) -> bool:
    """Whether a plain text, without this key so far, stays one when `key: word` becomes its last line."""
    entries = _entries(text)
    keys = {key, *(found["key"] for found in entries)}
    if not entries or len(keys) <= len(entries) or text[-1] != "\n":
        return False
    return all(found.lastgroup != "rows" or _node(text, found) is not None for found in entries)


def _entries(text: str) -> list[re.Match[str]]:
    """The entries of a plain text; none of any other."""
    if len(text) > _LARGEST or _ODD.search(text):
        return []
    entries = []
    at = 0
    while found := _ENTRY.match(text, at):
        entries.append(found)
        at = found.end()
    return entries if at == len(text) or _END.fullmatch(text, at) else []


def _node(text: str, found: re.Match[str]) -> Node | None:
    kind = found.lastgroup
    if kind == "words":
        value = found["words"].rstrip(" ")
        start = found.start("words")
        return Scalar(value, "", start, start + len(value))
    if kind == "text":
        return _literal(found)
    if kind == "quoted":
        value = found["quoted"]
        return Scalar(value[1:-1], value[0], *found.span("quoted"))
    if kind == "list":
        start, end = found.span("list")
        items = tuple(Scalar(each[0], "", *each.span()) for each in _EACH.finditer(text, start, end))
        return Listing(items, flow=True, start=start, end=end)
    return _rows(text, *found.span("rows"))


def _literal(found: re.Match[str]) -> Scalar:
    start, whole, pad = found.start("text"), found["text"], found["pad"]
    value = whole[2 + len(pad) :].replace("\n" + pad, "\n")
    return Scalar(value, "|", start, start + len(whole.rstrip()))


def _rows(text: str, start: int, end: int) -> Listing | None:
    """A list of words or of small maps, each behind a dash."""
    items: list[Node] = []
    pairs: list[tuple[Scalar, Node]] = []
    for row in _ROW.finditer(text, start, end):
        dash, key, value = row.groups()
        at, value = row.start(3), value.rstrip(" ")
        scalar = Scalar(value, "", at, at + len(value))
        if dash == "-":
            _close(items, pairs)
            pairs = []
        if key is None:
            items.append(scalar)
            continue
        if (dash == " " and not pairs) or any(key == known.text for known, _ in pairs):
            return None
        pairs.append((Scalar(key, "", row.start(2), row.end(2)), scalar))
    _close(items, pairs)
    return Listing(tuple(items), flow=False, start=start + 2, end=items[-1].end)


def _close(items: list[Node], pairs: list[tuple[Scalar, Node]]) -> None:
    if pairs:
        items.append(Table(tuple(pairs), flow=False, start=pairs[0][0].start, end=pairs[-1][1].end))
