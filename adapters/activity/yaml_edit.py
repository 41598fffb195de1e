"""Edits of single places in a YAML text: what is not named stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from adapters.activity.yaml_lines import Document
from adapters.activity.yaml_tree import Listing, Node, Scalar, Table
from adapters.activity.yaml_write import Text, Written, block_entry, block_item, flow, flow_pair, literal, scalar

_DOCUMENT_END = re.compile(r"^(\.\.\.|---)", re.MULTILINE)


class Unpatchable(Exception):
    """The text is built so oddly that this place can't be edited by itself."""


class Editor:
    """Collects edits of one document; they are carried out together by `text`."""

    def __init__(self, doc: Document, rank: Mapping[str, int], *, quote: bool = False) -> None:
        text = doc.text
        self._added = "" if text.endswith(("\n", "\r")) else doc.newline  # every line ends while it is edited
        self.doc = doc._replace(text=text + self._added)
        self._rank = rank
        self._style = '"' if quote else ""
        self._splices: list[tuple[int, int, str]] = []

    def text(self) -> str:
        """The text with all edits. Raises Unpatchable when two of them would touch the same place."""
        source = self.doc.text
        pieces = []
        at = 0
        for start, end, new in sorted(self._splices, key=lambda splice: splice[:2]):
            if start < at:
                raise Unpatchable
            pieces += [source[at:start], new]
            at = end
        text = "".join([*pieces, source[at:]])
        return text.removesuffix(self._added) if self._added else text

    def set(self, table: Table, name: str, written: Written) -> None:
        """Give a key of a map this value, adding it near its relatives where it is missing."""
        entry = table.find(name)
        written = self._restyled(written)
        if entry is None:
            self.add(table, name, written, after=self._predecessor(table, name))
        elif table.flow:
            self._replace_in_flow(entry, written)
        elif not self._set_scalar(entry[0], entry[1], written):
            self._replace_entry(entry, written)

    def add(self, table: Table, name: str, written: Written, *, after: tuple[Scalar, Node] | None) -> None:
        """Add a key to a map behind an entry, or before all others."""
        if table.flow:
            self._add_in_flow(table, name, written)
            return
        first = table.entries[0][0]
        lines = block_entry(name, written, self.doc.column(first.start), self.doc.newline)
        if after is None:
            self._check_own_line(first)
            offset = self.doc.line_start(first.start)
            self._splices.append((offset, offset, lines))
        else:
            self._insert_lines(after[1].end, lines)

    def add_last(self, name: str, written: Written) -> None:
        """Add a key of the root as the last line of the document."""
        root = self.doc.root
        if root.flow:
            self._add_in_flow(root, name, written)
            return
        lines = block_entry(name, written, self._indent(), self.doc.newline)
        ends = _DOCUMENT_END.search(self.doc.text, root.end)
        self._insert_lines(ends.start() if ends else len(self.doc.text), lines)

    def _indent(self) -> int:
        """How far the keys of the root stand in; its first one may be behind a `?`, or an odd end of a line."""
        before = self.doc.text[: self.doc.root.start]
        return len(before) - len(before.rstrip(" "))

    def remove(self, table: Table, names: Collection[str]) -> None:
        """Take keys out of a map. Removing all of them is the caller's affair: remove the map itself."""
        entries = table.entries
        if table.flow:
            spans = [(key.start, value.end) for key, value in entries]
            self._remove_in_flow(spans, {i for i, (key, _) in enumerate(entries) if key.text in names})
            return
        for key, value in entries:
            if key.text in names:
                self._check_own_line(key)
                self._splices.append((self.doc.line_start(key.start), self.doc.next_line(value.end), ""))

    def edit_list(self, listing: Listing, removed: Collection[int], added: Sequence[Written]) -> None:
        """Take items out of a list and add some at its end. At least one item stays."""
        items = listing.items
        added = [self._restyled(item) for item in added]
        if listing.flow:
            self._remove_in_flow([(item.start, item.end) for item in items], set(removed))
            kept = max(i for i in range(len(items)) if i not in removed)
            self._append_in_flow([(item.start, item.end) for item in items], kept, list(map(flow, added)))
            return
        for i in removed:
            self._prefix(items[i])
            self._splices.append((self.doc.line_start(items[i].start), self.doc.next_line(items[i].end), ""))
        prefix = self._prefix(items[-1])
        lines = "".join(block_item(item, prefix, self.doc.newline) for item in added)
        if lines:
            self._insert_lines(items[-1].end, lines)

    def replace_item(self, listing: Listing, at: int, written: Written) -> None:
        """Put another value in place of one scalar item of a list."""
        item = listing.items[at]
        written = self._restyled(written)
        if listing.flow or isinstance(written, Text):
            new = flow(written) if listing.flow else block_item(written, "", "")
        else:
            prefix = self._prefix(item)
            new = block_item(written, " " * len(prefix), self.doc.newline, first=False)
            new = new.removesuffix(self.doc.newline)
        self._splices.append((item.start, item.end, new))

    def _restyled(self, written: Written) -> Written:
        """Everything between double quotes where the natural form did not read back."""
        if not self._style:
            return written
        match written:
            case Text():
                return Text(written.value, self._style, written.word)
            case list():
                return [self._restyled(item) for item in written]
            case dict():
                return {key: self._restyled(value) for key, value in written.items()}

    def _predecessor(self, table: Table, name: str) -> tuple[Scalar, Node]:
        rank = self._rank.get(name, len(self._rank))
        before = [e for e in table.entries if self._rank.get(e[0].text, len(self._rank)) < rank]
        return max(before, key=lambda e: self._rank[e[0].text]) if before else table.entries[-1]

    def _set_scalar(self, key: Scalar, node: Node, text: Written) -> bool:
        """Replace a scalar in place; False where only rewriting the whole entry helps."""
        if not isinstance(node, Scalar) or not isinstance(text, Text):
            return False
        if node.style in ("|", ">"):
            return self._set_literal(key, node, text)
        source = self.doc.text
        gap = " " if node.start == node.end and source[node.start - 1 : node.start] == ":" else ""
        if "\n" in text.value and text.style == "":
            return self._begin_literal(key, node, text, gap)
        if "\n" in source[node.start : node.end]:
            return False
        new = scalar(Text(text.value, text.style or (node.style if not node.bare else ""), text.word))
        self._splices.append((node.start, node.end, gap + new))
        return True

    def _begin_literal(self, key: Scalar, node: Scalar, text: Text, gap: str) -> bool:
        column = self.doc.column(key.start)
        block = literal(text.value, column + 2, column, self.doc.newline)
        if block is None or "\n" in self.doc.text[node.start : node.end]:
            return False
        self._splices.append((node.start, node.end, gap + block[0]))
        self._insert_lines(node.end, block[1])
        return True

    def _set_literal(self, key: Scalar, node: Scalar, text: Text) -> bool:
        source = self.doc.text
        column = self.doc.column(key.start)
        body = self.doc.next_line(node.start)
        first = source[body : node.end].lstrip("\r\n")
        indent = len(first) - len(first.lstrip(" ")) if first.strip() else 0
        block = literal(text.value, max(indent, column + 1) if indent else column + 2, column, self.doc.newline)
        if text.style == '"' or block is None:
            return False
        header = re.compile(r"[|>][-+0-9]*").match(source, node.start)
        assert header  # noqa: S101  the style says so
        if header.group() != "|-" or block[0] != "|":
            self._splices.append((*header.span(), block[0]))
        end = self.doc.next_line(node.end) if node.end > body else body
        self._splices.append((body, end, block[1]))
        return True

    def _replace_entry(self, entry: tuple[Scalar, Node], written: Written) -> None:
        key, node = entry
        self._check_own_line(key)
        start, end = self.doc.line_start(key.start), self.doc.next_line(node.end)
        lines = block_entry(key.text, written, self.doc.column(key.start), self.doc.newline)
        self._splices.append((start, end, lines))

    def _replace_in_flow(self, entry: tuple[Scalar, Node], written: Written) -> None:
        key, node = entry
        style = node.style if isinstance(node, Scalar) and not node.bare else key.style
        gap = " " if self.doc.text[node.start - 1 : node.start] == ":" else ""
        self._splices.append((node.start, node.end, gap + flow(written, style=style)))

    def _add_in_flow(self, table: Table, name: str, written: Written) -> None:
        if not table.entries:
            raise Unpatchable
        style = table.entries[-1][0].style
        spans = [(key.start, value.end) for key, value in table.entries]
        self._append_in_flow(spans, len(spans) - 1, [flow_pair(name, written, style=style)])

    def _append_in_flow(self, spans: Sequence[tuple[int, int]], kept: int, added: Sequence[str]) -> None:
        source = self.doc.text
        start, end = spans[kept]
        before = source[self.doc.line_start(start) : start]
        gap = self.doc.newline + before if not before.strip() and self.doc.line_start(start) else " "
        if added:
            self._splices.append((end, end, "".join(f",{gap}{new}" for new in added)))

    def _remove_in_flow(self, spans: Sequence[tuple[int, int]], removed: Collection[int]) -> None:
        """Take elements out with the comma before them, or after where they lead."""
        kept = [i for i in range(len(spans)) if i not in removed]
        if not kept:
            raise Unpatchable
        if kept[0]:
            self._splices.append((spans[0][0], spans[kept[0]][0], ""))
        for i in removed:
            if i > kept[0]:
                self._splices.append((spans[i - 1][1], spans[i][1], ""))

    def _insert_lines(self, offset: int, lines: str) -> None:
        """Put whole lines behind the line of an offset."""
        at = offset if offset and self.doc.text[offset - 1] in "\r\n" else self.doc.next_line(offset)
        self._splices.append((at, at, lines))

    def _check_own_line(self, key: Scalar) -> None:
        if self.doc.text[self.doc.line_start(key.start) : key.start].strip(" "):
            raise Unpatchable

    def _prefix(self, item: Node) -> str:
        prefix = self.doc.text[self.doc.line_start(item.start) : item.start]
        if prefix.strip() != "-":
            raise Unpatchable
        return prefix
