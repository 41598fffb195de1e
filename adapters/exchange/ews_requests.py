"""The requests to EWS as XML, in the order that its schema demands (messages.xsd, types.xsd).

Every write names the fields that it sets and no other, never overwrites a newer version, and says whether
mail may go out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from lxml import etree

from adapters.exchange.ews_recurrence import Element, T, write_recurrence
from adapters.exchange.ews_xml import M
from adapters.outlook.outlook_item import (
    Attendee,
    Body,
    Fields,
    FieldValue,
    FolderTarget,
    ItemTarget,
    OccurrenceTarget,
    Target,
    Zone,
)
from adapters.outlook.outlook_properties import NAMES, PROPERTY_SET, TOKEN, UID
from adapters.outlook.recurrence_pattern import Recurrence

NAMESPACES = {"m": M.strip("{}"), "t": T.strip("{}")}
PAGE = 512  # the most that SyncFolderItems gives at once
FIND_PAGE = 250  # the most that FindItem gives at once under a restriction


class All(Enum):
    """What a search looks for when it is no single uid."""

    CARRYING = "items that carry a uid in our property"
    ITEMS = "all items, for a server that can't be asked for that"


Wanted = All | str  # str: the items that carry this uid in our property

# The fields that a write may set, in the order of types.xsd, with the namespace of their FieldURI.
ORDER = {
    "Subject": "item",
    "Sensitivity": "item",
    "Body": "item",
    "Categories": "item",
    "Importance": "item",
    "ReminderIsSet": "item",
    "ReminderMinutesBeforeStart": "item",
    **dict.fromkeys(NAMES, ""),
    "UID": "calendar",
    "Start": "calendar",
    "End": "calendar",
    "IsAllDayEvent": "calendar",
    "LegacyFreeBusyStatus": "calendar",
    "Location": "calendar",
    "RequiredAttendees": "calendar",
    "OptionalAttendees": "calendar",
    "Recurrence": "calendar",
    "StartTimeZone": "calendar",
    "EndTimeZone": "calendar",
}

# What is asked for of an item beside its id.
_ASKED = (
    *("item:Subject", "item:Sensitivity", "item:Body", "item:Categories", "item:Importance"),
    *("item:ReminderIsSet", "item:ReminderMinutesBeforeStart", "item:DateTimeCreated", "item:LastModifiedTime"),
    *("calendar:UID", "calendar:Start", "calendar:End", "calendar:OriginalStart", "calendar:IsAllDayEvent"),
    *("calendar:LegacyFreeBusyStatus", "calendar:Location", "calendar:IsMeeting", "calendar:IsCancelled"),
    *("calendar:CalendarItemType", "calendar:MyResponseType", "calendar:Organizer"),
    *("calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Recurrence"),
    *("calendar:ModifiedOccurrences", "calendar:DeletedOccurrences"),
    *("calendar:StartTimeZone", "calendar:EndTimeZone"),
)
_MARKS = ("item:DateTimeCreated", "calendar:UID")
_SINCE_2013 = ("calendar:JoinOnlineMeetingUrl",)


def get_items(ids: Sequence[str], *, whole: bool = True, since_2013: bool = True) -> Element:
    """GetItem: all that Datebook keeps, or (not `whole`) the ids and change keys alone."""
    request = _request("GetItem")
    asked = (*_ASKED, *(_SINCE_2013 if since_2013 else ())) if whole else ()
    _shape(request, asked, NAMES if whole else ())
    wanted = _add(request, f"{M}ItemIds")
    for item in ids:
        _add(wanted, f"{T}ItemId", Id=item)
    return request


def get_occurrence(target: OccurrenceTarget) -> Element:
    """GetItem of one occurrence of a series: its id and original start."""
    request = _request("GetItem")
    _shape(request, ("calendar:Start", "calendar:OriginalStart", "calendar:CalendarItemType"), ())
    _id_of(_add(request, f"{M}ItemIds"), target)
    return request


def sync_items(folder: FolderTarget, state: str) -> Element:
    """SyncFolderItems: ids and change keys of what changed since `state`; "": everything."""
    request = _request("SyncFolderItems")
    _shape(request, (), ())
    _folder(_add(request, f"{M}SyncFolderId"), folder)
    if state:
        _add(request, f"{M}SyncState").text = state
    _add(request, f"{M}MaxChangesReturned").text = str(PAGE)
    return request


def get_marks(ids: Sequence[str]) -> Element:
    """GetItem: whose uid items carry, and which attempt made them; nothing else of them."""
    request = _request("GetItem")
    _shape(request, _MARKS, (UID, TOKEN))
    wanted = _add(request, f"{M}ItemIds")
    for item in ids:
        _add(wanted, f"{T}ItemId", Id=item)
    return request


def find_items(folder: FolderTarget, wanted: Wanted, offset: int = 0) -> Element:
    """FindItem: items with what tells whose uid they carry."""
    request = _request("FindItem", Traversal="Shallow")
    _shape(request, _MARKS, (UID, TOKEN))
    paging = {"MaxEntriesReturned": str(FIND_PAGE), "Offset": str(offset), "BasePoint": "Beginning"}
    _add(request, f"{M}IndexedPageItemView", **paging)
    match wanted:
        case All.ITEMS:
            pass
        case All.CARRYING:
            _property(_add(_add(request, f"{M}Restriction"), f"{T}Exists"), UID)
        case str():
            equal = _add(_add(request, f"{M}Restriction"), f"{T}IsEqualTo")
            _property(equal, UID)
            _add(_add(equal, f"{T}FieldURIOrConstant"), f"{T}Constant", Value=wanted)
    _folder(_add(request, f"{M}ParentFolderIds"), folder)
    return request


def create_item(folder: FolderTarget, fields: Fields, *, mail: bool) -> Element:
    """CreateItem in a calendar folder."""
    sending = "SendToAllAndSaveCopy" if mail else "SendToNone"
    request = _request("CreateItem", SendMeetingInvitations=sending)
    _folder(_add(request, f"{M}SavedItemFolderId"), folder)
    item = _add(_add(request, f"{M}Items"), f"{T}CalendarItem")
    for name, value in _in_order(fields):
        if value is not None:
            _put(item, name, value)
    return request


def update_item(target: Target, fields: Fields, *, mail: bool, overwrite: bool = False) -> Element:
    """UpdateItem: these fields of one item, if it is still the version that the target names.

    `overwrite`: whatever its version is; only for what nobody else writes.
    """
    sending = "SendToAllAndSaveCopy" if mail else "SendToNone"
    request = _request(
        "UpdateItem",
        ConflictResolution="AlwaysOverwrite" if overwrite else "NeverOverwrite",
        MessageDisposition="SaveOnly",
        SendMeetingInvitationsOrCancellations=sending,
    )
    change = _add(_add(request, f"{M}ItemChanges"), f"{T}ItemChange")
    _id_of(change, target)
    updates = _add(change, f"{T}Updates")
    for name, value in _in_order(fields):
        one = _add(updates, f"{T}DeleteItemField" if value is None else f"{T}SetItemField")
        if ORDER[name]:
            _add(one, f"{T}FieldURI", FieldURI=f"{ORDER[name]}:{name}")
        else:
            _property(one, name)
        if value is not None:
            _put(_add(one, f"{T}CalendarItem"), name, value)
    return request


def delete_item(target: Target, *, mail: bool) -> Element:
    """DeleteItem, to the folder of deleted items."""
    sending = "SendToAllAndSaveCopy" if mail else "SendToNone"
    request = _request("DeleteItem", DeleteType="MoveToDeletedItems", SendMeetingCancellations=sending)
    _id_of(_add(request, f"{M}ItemIds"), target)
    return request


def get_folder(folder: FolderTarget) -> Element:
    """GetFolder: name, class and rights."""
    request = _request("GetFolder")
    _folder_shape(request)
    _folder(_add(request, f"{M}FolderIds"), folder)
    return request


def find_folders() -> Element:
    """FindFolder: all folders of the mailbox, at any depth."""
    request = _request("FindFolder", Traversal="Deep")
    _folder_shape(request)
    _folder(_add(request, f"{M}ParentFolderIds"), FolderTarget("msgfolderroot", distinguished=True))
    return request


# --- parts


def _request(name: str, **attributes: str) -> Element:
    return etree.Element(f"{M}{name}", attributes, NAMESPACES)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return etree.SubElement(parent, tag, attributes)


def _shape(request: Element, asked: Sequence[str], properties: Sequence[str]) -> None:
    shape = _add(request, f"{M}ItemShape")
    _add(shape, f"{T}BaseShape").text = "IdOnly"
    if not asked and not properties:
        return
    if "item:Body" in asked:
        _add(shape, f"{T}BodyType").text = "Best"
    additional = _add(shape, f"{T}AdditionalProperties")
    for uri in asked:
        _add(additional, f"{T}FieldURI", FieldURI=uri)
    for name in properties:
        _property(additional, name)


def _folder_shape(request: Element) -> None:
    shape = _add(request, f"{M}FolderShape")
    _add(shape, f"{T}BaseShape").text = "IdOnly"
    additional = _add(shape, f"{T}AdditionalProperties")
    for uri in ("folder:DisplayName", "folder:FolderClass", "folder:EffectiveRights"):
        _add(additional, f"{T}FieldURI", FieldURI=uri)


def _folder(parent: Element, folder: FolderTarget) -> None:
    named = _add(parent, f"{T}DistinguishedFolderId" if folder.distinguished else f"{T}FolderId", Id=folder.id)
    if folder.distinguished and folder.mailbox:
        mailbox = _add(named, f"{T}Mailbox")
        _add(mailbox, f"{T}EmailAddress").text = folder.mailbox
        _add(mailbox, f"{T}RoutingType").text = "SMTP"


def _property(parent: Element, name: str) -> Element:
    attributes = {"PropertySetId": PROPERTY_SET, "PropertyName": name, "PropertyType": "String"}
    return _add(parent, f"{T}ExtendedFieldURI", **attributes)


def _id_of(parent: Element, target: Target) -> None:
    key = {"ChangeKey": target.changekey} if target.changekey else {}
    match target:
        case ItemTarget():
            _add(parent, f"{T}ItemId", Id=target.id, **key)
        case OccurrenceTarget():
            number = {"InstanceIndex": str(target.index)}
            _add(parent, f"{T}OccurrenceItemId", RecurringMasterId=target.master_id, **key, **number)


def _in_order(fields: Fields) -> Iterator[tuple[str, FieldValue | None]]:
    return ((name, fields[name]) for name in ORDER if name in fields)


def _put(item: Element, name: str, value: FieldValue) -> None:
    if not ORDER[name]:
        holder = _add(item, f"{T}ExtendedProperty")
        _property(holder, name)
        _add(holder, f"{T}Value").text = str(value)
        return
    element = _add(item, f"{T}{name}")
    match value:
        case str():
            element.text = value
        case Body():
            element.set("BodyType", "HTML" if value.is_html else "Text")
            element.text = value.content
        case Zone():
            element.set("Id", value.id)
        case Recurrence():
            write_recurrence(element, value)
        case tuple():
            for entry in value:
                _entry(element, entry)


def _entry(parent: Element, entry: str | Attendee) -> None:
    if isinstance(entry, str):
        _add(parent, f"{T}String").text = entry
        return
    attendee = _add(parent, f"{T}Attendee")
    mailbox = _add(attendee, f"{T}Mailbox")
    for name, text in (
        ("Name", entry.mailbox.name),
        ("EmailAddress", entry.mailbox.email),
        ("RoutingType", entry.mailbox.routing),
    ):
        if text:
            _add(mailbox, f"{T}{name}").text = text
    _add(attendee, f"{T}ResponseType").text = entry.response
    if entry.answered:
        _add(attendee, f"{T}LastResponseTime").text = entry.answered
