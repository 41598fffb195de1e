"""A patch of an activity as edits of single places of its document."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.activity.activity_forms import (
    element_text,
    entry_of,
    field_lines,
    form_of,
    guest_form,
    guest_parts,
    when_lines,
)
from adapters.activity.activity_guests import guest_of_node
from adapters.activity.activity_keys import KEY_OF_FIELD, RANK, WHEN_KEYS
from adapters.activity.activity_series import Span, is_many_a_day, named_by, span_of
from adapters.activity.activity_sheet import Sheet, is_blank
from adapters.activity.activity_values import original_of, original_text, reminder_of
from adapters.activity.yaml_edit import Editor, Unpatchable
from adapters.activity.yaml_lines import Document
from adapters.activity.yaml_tree import Listing, Node, Scalar, Table
from adapters.activity.yaml_write import Text, Written
from daemon.core.model import Field, Guest, Key, Original, Patch, Value, View, text_of, when_of


class Edits:
    """Edits one document into what `wanted` says; `whole` rewrites lists that can't be edited by item."""

    def __init__(self, doc: Document, wanted: View, zone: str, *, quote: bool, whole: bool) -> None:
        self.editor = Editor(doc, RANK, quote=quote)
        self._doc = doc
        self._wanted = wanted
        self._zone = zone
        self._whole = whole
        self._by_time = is_many_a_day(text_of(wanted, Field.REPEAT))

    def apply(self, changes: Patch) -> None:
        """Edit every key of a patch."""
        root = self._doc.root
        for key, value in sorted(changes.items(), key=lambda change: RANK.get(change[0].field, 0)):
            if key.instance is None:
                removed = self._edit(root, key, value, None)
                if removed:
                    self.editor.remove(root, removed)
        instances = {key.instance for key in changes if key.instance is not None}
        if instances:
            self._edit_instances(sorted(instances, key=original_text), changes)

    def _edit(self, table: Table, key: Key, value: Value | None, span: Span | None) -> set[str]:
        """Set what the table is to say of a key; the names of the keys to take out of it."""
        if key.field is Field.WHEN:
            return self._edit_when(table, value, span)
        name = KEY_OF_FIELD.get(key.field)
        if name is None:
            return set()
        if value is None:
            return {name} if table.find(name) else set()
        emptied = value in ("", frozenset())
        entry = table.find(name)
        if isinstance(value, frozenset) and not emptied and entry and isinstance(entry[1], Listing) and not self._whole:
            self._edit_list(entry[1], value)
        else:
            self.editor.set(table, name, form_of(value, emptied=emptied))
        return set()

    def _edit_when(self, table: Table, value: Value | None, span: Span | None) -> set[str]:
        said = {
            key.text: node.text.strip()
            for key, node in table.entries
            if key.text in WHEN_KEYS and isinstance(node, Scalar) and not is_blank(node)
        }
        key = Key(Field.WHEN)
        lines = when_lines(when_of({key: value} if value is not None else {}), said, span, self._zone)
        for name, text in lines.items():
            if text is not None:
                self.editor.set(table, name, Text(text, word=True))
        return {name for name, text in lines.items() if text is None}

    def _edit_list(self, listing: Listing, value: frozenset[object]) -> None:
        if any(isinstance(element, Guest) for element in value):
            self._edit_guests(listing, frozenset(g for g in value if isinstance(g, Guest)))
        else:
            self._edit_words(listing, value)

    def _edit_words(self, listing: Listing, wanted: frozenset[object]) -> None:
        """Reminders or skipped originals: items that are still meant stay as they were written."""
        form: Callable[[str], object] = reminder_of
        if not any(hasattr(element, "total_seconds") for element in wanted):
            form = self._original
        found = [form(item.text) if isinstance(item, Scalar) and not is_blank(item) else None for item in listing.items]
        removed = {i for i, element in enumerate(found) if element not in wanted}
        missing = _sorted(wanted - set(found))
        last = next((item for item in reversed(listing.items) if isinstance(item, Scalar)), None)
        style = last.style if last and last.style in ("'", '"') else ""
        added: list[Written] = [Text(element_text(e), style, word=True) for e in missing]
        self._change_items(listing, removed, added)

    def _original(self, text: str) -> Original:
        return named_by(original_of(text), by_time=self._by_time)

    def _edit_guests(self, listing: Listing, wanted: frozenset[Guest]) -> None:
        by_email = {guest.email: guest for guest in wanted}
        removed = set()
        seen: set[str] = set()
        for at, item in enumerate(listing.items):
            guest = None if is_blank(item) else guest_of_node(Sheet(self._doc), item)
            if guest is None:
                continue
            if guest.email not in by_email:
                removed.add(at)
            elif guest.email not in seen:
                seen.add(guest.email)
                self._edit_guest(listing, at, guest, by_email[guest.email])
        added = sorted((g for g in wanted if g.email not in seen), key=lambda g: g.email)
        self._change_items(listing, removed, [guest_form(g) for g in added])

    def _edit_guest(self, listing: Listing, at: int, guest: Guest, wanted: Guest) -> None:
        if guest == wanted:
            return
        item = listing.items[at]
        if not isinstance(item, Table):
            form = guest_form(wanted)
            style = item.style if isinstance(item, Scalar) and item.style in ("'", '"') else ""
            self.editor.replace_item(listing, at, Text(form.value, style) if isinstance(form, Text) else form)
            return
        before, after = guest_parts(guest), guest_parts(wanted)
        gone = set()
        for name in before:
            new = after[name]
            if new == before[name]:
                continue
            if new is not None:
                self.editor.set(item, name, new)
            elif item.find(name):
                gone.add(name)
        if gone:
            self.editor.remove(item, gone)

    def _change_items(self, listing: Listing, removed: set[int], added: list[Written]) -> None:
        if len(removed) == len(listing.items):
            raise Unpatchable
        if removed or added:
            self.editor.edit_list(listing, removed, added)

    def _edit_instances(self, originals: list[Original], changes: Patch) -> None:
        root = self._doc.root
        entry = root.find("changes")
        table = entry[1] if entry and isinstance(entry[1], Table) and entry[1].entries else None
        found = {self._original(key.text): (key, node) for key, node in table.entries} if table else {}
        gone: set[str] = set()
        new: dict[str, Written] = {}
        for original in originals:
            mine = {key: value for key, value in changes.items() if key.instance == original}
            if original not in found:
                lines = self._new_entry(original)
                if lines:
                    new[original_text(original)] = lines
                continue
            key, node = found[original]
            if not isinstance(node, Table) or not node.entries:
                assert table is not None  # noqa: S101  it was found there
                self._fill(table, key.text, self._new_entry(original), gone)
            elif self._edit_instance(original, node, mine):
                gone.add(key.text)
        self._put_entries(table, found, gone, new)

    def _new_entry(self, original: Original) -> dict[str, Written]:
        return entry_of(original, self._wanted, when_of(self._wanted), self._zone)

    def _fill(self, table: Table, name: str, lines: dict[str, Written], gone: set[str]) -> None:
        if lines:
            self.editor.set(table, name, lines)
        else:
            gone.add(name)

    def _edit_instance(self, original: Original, table: Table, changes: Patch) -> bool:
        """Edit an entry of `changes`; whether nothing is left in it."""
        span = span_of(original, when_of(self._wanted), self._zone)
        removed: set[str] = set()
        for key, value in changes.items():
            removed |= self._edit(table, key, value, span)
        keeps = any(value is not None for value in changes.values()) and any(
            field_lines(key, value, span, self._zone) for key, value in changes.items()
        )
        if not keeps and removed >= {key.text for key, _ in table.entries}:
            return True
        if removed:
            self.editor.remove(table, removed)
        return False

    def _put_entries(
        self,
        table: Table | None,
        found: Mapping[Original, tuple[Scalar, Node]],
        gone: set[str],
        new: dict[str, Written],
    ) -> None:
        root = self._doc.root
        if table is None:
            if new:
                self.editor.set(root, "changes", new)
            return
        if gone >= {key.text for key, _ in table.entries}:
            if new:
                self.editor.set(root, "changes", new)
            else:
                self.editor.remove(root, ("changes",))
            return
        if gone:
            self.editor.remove(table, gone)
        for name, lines in new.items():
            earlier = [entry for original, entry in found.items() if original_text(original) < name]
            self.editor.add(table, name, lines, after=earlier[-1] if earlier else None)


def _sorted(elements: frozenset[object]) -> list[object]:
    return sorted(elements, key=lambda e: e.total_seconds() if hasattr(e, "total_seconds") else str(e))
