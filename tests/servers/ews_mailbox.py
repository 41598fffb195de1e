"""The mailbox behind the EWS simulator: folders, items, change keys, a change feed, and an outbox.

It keeps items as the fields that were set and knows nothing of the program under test. What Exchange
owns (UID, change keys, times of creation, who organises) it owns too.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta

from exchangelib.winzone import MS_TIMEZONE_TO_IANA_MAP
from lxml import etree

from tests.servers.ews_kept import (
    Element,
    EwsError,
    Folder,
    Item,
    leaf,
    moment,
    property_key,
    utc,
)
from tests.servers.ews_knobs import Knobs
from tests.servers.ews_schema import T
from tests.servers.outlook_kept import Mail, wrapped_in_html

_OWNED = {"IsMeeting", "IsCancelled", "CalendarItemType", "Organizer", "ModifiedOccurrences", "DeletedOccurrences"}
_NOT_OF_AN_OCCURRENCE = {"Recurrence", "UID"}
_MAX_SUBJECT = 255


class Mailbox:
    """One user's mailbox."""

    def __init__(
        self,
        address: str = "me@corp.example",
        clock: datetime = datetime(2026, 11, 20, 8, tzinfo=UTC),
        numbers: Iterator[int] | None = None,  # of ids; mailboxes that share them share no id
    ) -> None:
        self.address = address
        self.knobs = Knobs()
        self.lock = threading.RLock()
        self.outbox: list[Mail] = []
        self.trash: list[Item] = []
        self.items: dict[str, Item] = {}
        self.log: list[tuple[str, str, str]] = []  # folder, item, what: the change feed
        self.epoch = 0  # sync states of another epoch are invalid
        self._numbers = numbers or itertools.count(1)
        self._clock = clock
        self.folders: dict[str, Folder] = {}
        self.default = self.add_folder("Calendar", distinguished="calendar").id
        for name in ("root", "msgfolderroot", "inbox", "deleteditems"):
            self.add_folder(name.title(), calendar=False, distinguished=name)

    def now(self) -> datetime:
        """A clock that goes on by a second with every look."""
        self._clock += timedelta(seconds=1)
        return self._clock

    def add_folder(self, name: str, *, calendar: bool = True, writable: bool = True, distinguished: str = "") -> Folder:
        folder = Folder(f"folder-{next(self._numbers)}=", name, calendar, writable, distinguished)
        self.folders[folder.id] = folder
        return folder

    def folder(self, folder_id: str) -> Folder:
        if folder_id not in self.folders:
            raise EwsError("ErrorFolderNotFound", "The specified folder could not be found in the store.")
        return self.folders[folder_id]

    # --- writes

    def create(self, folder_id: str, element: Element, mail: str, zone: str) -> Item:
        folder = self.folder(folder_id)
        if not folder.writable:
            raise EwsError("ErrorCreateItemAccessDenied", "Access is denied.")
        now = self.now()
        item = Item(f"item-{next(self._numbers)}=", folder_id, {}, {}, now, now, organizer=self.address)
        self._set(item, element)
        if "Start" not in item.fields or "End" not in item.fields:
            raise EwsError("ErrorCalendarInvalidPropertyState", "Start and End are required.")
        item.fields.setdefault("StartTimeZone", etree.Element(f"{{{T}}}StartTimeZone", Id=zone))
        item.fields.setdefault("UID", leaf("UID", f"040000008200E00074C5B7101A82E008{next(self._numbers):08X}"))
        self._check(item)
        self.items[item.id] = item
        self._note(item, "Create")
        self._send("invitation", item, item.guests, mail)
        return item

    def update(self, item: Item, changes: Iterable[tuple[str, str, Element | None]], mail: str) -> Item:
        """Set and delete fields of an item; what cannot be rolls all of it back."""
        before = (dict(item.fields), dict(item.properties), item.guests)
        pattern = self._pattern(item)
        try:
            for kind, name, element in changes:
                self._change(item, kind, name, element)
            self._check(item)
        except EwsError:
            item.fields, item.properties = before[0], before[1]
            raise
        if self._pattern(item) != pattern:
            self._drop_exceptions(item)
        self._touch(item)
        self._send("update", item, (*item.guests, *before[2]), mail)
        return item

    def update_occurrence(
        self, master: Item, original: datetime, changes: list[tuple[str, str, Element | None]], mail: str
    ) -> Item:
        """Make or change an exception of a series."""
        if any(name in _NOT_OF_AN_OCCURRENCE for _, name, _ in changes):
            raise EwsError("ErrorInvalidPropertySet", "An occurrence has no such property.")
        exception = master.exceptions.get(original) or self._exception(master, original)
        merged = self.merged(master, original, exception)
        self.update_fields(exception, merged, changes)
        self._neighbours(master, original, self.merged(master, original, exception))
        master.exceptions[original] = exception
        exception.key += 1
        self._touch(master)
        self._send("update", master, master.guests, mail)
        return exception

    def update_fields(self, exception: Item, merged: Item, changes: Iterable[tuple[str, str, Element | None]]) -> None:
        names = set()
        for kind, name, element in changes:
            self._change(merged, kind, name, element)
            if not name.startswith("{"):
                names.add(name)
        self._check(merged)
        for name in names & merged.fields.keys():
            exception.fields[name] = merged.fields[name]
        for name in names - merged.fields.keys():
            exception.fields[name] = leaf(name, "")
        exception.properties = dict(merged.properties)

    def delete(self, item: Item, mail: str) -> None:
        del self.items[item.id]
        self.trash.append(item)
        self._note(item, "Delete")
        self._send("cancellation", item, item.guests, mail)

    def delete_occurrence(self, master: Item, original: datetime, mail: str) -> None:
        master.deleted.add(original)
        master.exceptions.pop(original, None)
        self._touch(master)
        self._send("cancellation", master, master.guests, mail)

    # --- series

    def merged(self, master: Item, original: datetime, exception: Item | None) -> Item:
        """An occurrence as it shows: its own fields over those of the series."""
        fields = {name: deepcopy(value) for name, value in master.fields.items() if name != "Recurrence"}
        fields["Start"], fields["End"] = leaf("Start", utc(original)), leaf("End", utc(original + master.length))
        own = exception or self._exception(master, original)
        fields |= {name: deepcopy(value) for name, value in own.fields.items()}
        properties = dict(own.properties if exception is not None else master.properties)
        cancelled = own.cancelled or master.cancelled
        return Item(
            own.id, master.folder, fields, properties, own.created, own.modified, own.key, cancelled, master.organizer
        )

    def occurrence(self, item_id: str) -> tuple[Item, datetime] | None:
        """The series and original start that the id of an occurrence means; None: an ordinary id."""
        master_id, mark, text = item_id.partition("|")
        if not mark:
            return None
        return self.item(master_id), datetime.fromisoformat(text)

    def item(self, item_id: str) -> Item:
        if item_id not in self.items:
            raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")
        return self.items[item_id]

    def nth(self, master: Item, index: int) -> datetime:
        if not master.is_series:
            raise EwsError("ErrorCalendarCannotUseIdForRecurringMasterId")
        found = next(itertools.islice(master.starts(), index - 1, None), None)
        if found is None or index < 1:
            raise EwsError("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")
        if found in master.deleted:
            raise EwsError("ErrorCalendarOccurrenceIsDeletedFromRecurrence")
        return found

    def _exception(self, master: Item, original: datetime) -> Item:
        now = self._clock
        properties = dict(master.properties)
        return Item(f"{master.id}|{original.isoformat()}", master.folder, {}, properties, master.created, now)

    def _neighbours(self, master: Item, original: datetime, merged: Item) -> None:
        around = [
            self.merged(master, each, master.exceptions.get(each)).start
            for each in itertools.islice(master.starts(), 1000)
            if each != original and each not in master.deleted and abs(each - original) < timedelta(days=400)
        ]
        before = [start for start in around if start < original]
        after = [start for start in around if start > original]
        if (before and merged.start <= max(before)) or (after and merged.start >= min(after)):
            raise EwsError("ErrorOccurrenceCrossingBoundary", "The occurrence would cross its neighbour.")

    def _pattern(self, item: Item) -> tuple[object, ...]:
        recurrence = item.fields.get("Recurrence")
        return (id(recurrence), item.text("Start"), item.text("End"), item.text("IsAllDayEvent"))

    def _drop_exceptions(self, item: Item) -> None:
        item.exceptions = {}
        if self.knobs.undo_deletes_on_pattern or not item.is_series:
            item.deleted = set()

    # --- parts

    def _set(self, item: Item, element: Element) -> None:
        for child in element:
            name = etree.QName(child).localname
            if name == "ExtendedProperty":
                self._set_property(item, child)
            else:
                self._change(item, "SetItemField", name, child)

    def _set_property(self, item: Item, element: Element) -> None:
        uri, value = element[0], element[1]
        item.properties[property_key(uri)] = value.text or ""

    def _change(self, item: Item, kind: str, name: str, element: Element | None) -> None:
        if name.startswith("{"):
            set_id, _, property_name = name.removeprefix("{").partition("}")
            if kind == "DeleteItemField":
                item.properties.pop((set_id, property_name), None)
            elif element is not None:
                self._set_property(item, element)
            return
        if name in _OWNED:
            raise EwsError("ErrorInvalidPropertySet", f"{name} is the server's.")
        if element is None:
            item.fields.pop(name, None)
        else:
            item.fields[name] = self._stored(name, element)

    def _stored(self, name: str, element: Element) -> Element:
        kept = deepcopy(element)
        kept.tail = None
        if name == "Body" and kept.get("BodyType") == "Text" and self.knobs.html_bodies:
            kept.set("BodyType", "HTML")
            kept.text = wrapped_in_html(kept.text or "", "font-size:10pt;")
        if name in {"Start", "End"}:
            kept.text = utc(moment(kept.text or ""))
        if name in {"IsAllDayEvent", "ReminderIsSet"}:
            kept.text = "true" if kept.text in {"true", "1"} else "false"
        return kept

    def _check(self, item: Item) -> None:
        if len(item.text("Subject")) > _MAX_SUBJECT:
            raise EwsError("ErrorPropertyValidationFailure", "Subject is too long.")
        if moment(item.text("End")) < moment(item.text("Start")):
            raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
        for name in ("StartTimeZone", "EndTimeZone"):
            zone = item.fields.get(name)
            if zone is not None and "/" not in zone.get("Id", "") and zone.get("Id") not in MS_TIMEZONE_TO_IANA_MAP:
                raise EwsError("ErrorTimeZone", "The time zone is unknown.")
        if item.is_series and next(item.starts(), None) is None:
            raise EwsError("ErrorRecurrenceHasNoOccurrence")

    def _touch(self, item: Item) -> None:
        item.key += 1
        item.modified = self.now()
        self._note(item, "Update")

    def bump(self, item: Item) -> None:
        """The server itself touches an item."""
        item.key += 1
        self._note(item, "Update")

    def _note(self, item: Item, what: str) -> None:
        self.log.append((item.folder, item.id, what))

    def _send(self, kind: str, item: Item, to: Iterable[str], mail: str) -> None:
        people = tuple(sorted({address for address in to if address and address != self.address}))
        if mail != "SendToNone" and people:
            self.outbox.append(Mail(kind, item.id, people))
