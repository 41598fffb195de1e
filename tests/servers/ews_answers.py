"""Items and folders of the simulator as EWS answers them: only what was asked for, in the schema's order."""

from __future__ import annotations

import base64
from copy import deepcopy
from datetime import datetime

from lxml import etree

from tests.servers.ews_kept import Element, Folder, Item, leaf, property_key, utc
from tests.servers.ews_mailbox import Mailbox
from tests.servers.ews_schema import MODELS, M, T

_ORDER = [particle.rstrip("?*").partition("=")[0] for particle in MODELS["CalendarItem"].split()]
# What Exchange returns for a property that was never set.
_DEFAULTS = {
    "Sensitivity": "Normal",
    "Importance": "Normal",
    "LegacyFreeBusyStatus": "Busy",
    "IsAllDayEvent": "false",
    "ReminderIsSet": "false",
    "ReminderMinutesBeforeStart": "0",
}


class Wanted:
    """What a request's shape asks for."""

    def __init__(self, shape: Element) -> None:
        uris = shape.iterfind(f".//{{{T}}}FieldURI")
        self.names = {(uri.get("FieldURI") or "").partition(":")[2] for uri in uris}
        self.properties = [deepcopy(uri) for uri in shape.iterfind(f".//{{{T}}}ExtendedFieldURI")]


def item_element(mailbox: Mailbox, item: Item, wanted: Wanted, kind: str = "") -> Element:
    """A CalendarItem; `kind` Occurrence or Exception where it is one."""
    kind = kind or ("RecurringMaster" if item.is_series else "Single")
    fields: dict[str, Element] = {"ItemId": item_id(item)}
    for name in wanted.names - (set() if mailbox.knobs.zones_told else {"StartTimeZone", "EndTimeZone"}):
        found = _field(mailbox, item, name, kind)
        if found is not None:
            fields[name] = found
    element = etree.Element(f"{{{T}}}CalendarItem")
    for name in _ORDER:
        if name == "ExtendedProperty":
            element.extend(_properties(item, wanted))
        elif name in fields:
            element.append(fields[name])
    return element


def item_id(item: Item) -> Element:
    return etree.Element(f"{{{T}}}ItemId", Id=item.id, ChangeKey=item.changekey)


def folder_element(folder: Folder) -> Element:
    """A folder with name, class and rights."""
    element = etree.Element(f"{{{T}}}{'CalendarFolder' if folder.calendar else 'Folder'}")
    etree.SubElement(element, f"{{{T}}}FolderId", Id=folder.id, ChangeKey="AQAAAA==")
    element.append(leaf("FolderClass", "IPF.Appointment" if folder.calendar else "IPF.Note"))
    element.append(leaf("DisplayName", folder.name))
    rights = etree.SubElement(element, f"{{{T}}}EffectiveRights")
    for name in ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read"):
        rights.append(leaf(name, "true" if folder.writable or name == "Read" else "false"))
    if folder.distinguished:
        element.append(leaf("DistinguishedFolderId", folder.distinguished))
    return element


def _properties(item: Item, wanted: Wanted) -> list[Element]:
    found = []
    for uri in wanted.properties:
        value = item.properties.get(property_key(uri))
        if value is not None:
            holder = etree.Element(f"{{{T}}}ExtendedProperty")
            holder.append(deepcopy(uri))
            holder.append(leaf("Value", value))
            found.append(holder)
    return found


def _field(mailbox: Mailbox, item: Item, name: str, kind: str) -> Element | None:  # noqa: C901, PLR0911  one answer a field
    match name:
        case "CalendarItemType":
            return leaf(name, kind)
        case "DateTimeCreated":
            return leaf(name, utc(item.created))
        case "LastModifiedTime":
            return leaf(name, utc(item.modified))
        case "IsMeeting":
            return leaf(name, "true" if item.guests else "false")
        case "IsCancelled":
            return leaf(name, "true" if item.cancelled else "false")
        case "MyResponseType":
            return leaf(name, "Organizer" if item.organizer == mailbox.address else item.text(name, "Unknown"))
        case "Organizer":
            return _organizer(item)
        case "OriginalStart":
            return leaf(name, utc(_original(item))) if "|" in item.id else None
        case "JoinOnlineMeetingUrl":
            return leaf(name, item.join_url) if item.join_url else None
        case "ModifiedOccurrences":
            return _modified(mailbox, item)
        case "DeletedOccurrences":
            return _deleted(item)
        case "Recurrence":
            return _recurrence(mailbox, item)
    return _plain(item, name)


def _plain(item: Item, name: str) -> Element | None:
    found = item.fields.get(name)
    if found is not None and (len(found) or found.text or found.attrib):
        return deepcopy(found)
    if name in _DEFAULTS:
        return leaf(name, _DEFAULTS[name])
    return None


def _original(item: Item) -> datetime:
    return datetime.fromisoformat(item.id.partition("|")[2])


def _organizer(item: Item) -> Element:
    organizer = etree.Element(f"{{{T}}}Organizer")
    mailbox = etree.SubElement(organizer, f"{{{T}}}Mailbox")
    mailbox.append(leaf("Name", item.organizer.partition("@")[0].title()))
    mailbox.append(leaf("EmailAddress", item.organizer))
    mailbox.append(leaf("RoutingType", "SMTP"))
    return organizer


def _modified(mailbox: Mailbox, item: Item) -> Element | None:
    if not item.exceptions:
        return None
    element = etree.Element(f"{{{T}}}ModifiedOccurrences")
    for original, exception in sorted(item.exceptions.items()):
        merged = mailbox.merged(item, original, exception)
        found = etree.SubElement(element, f"{{{T}}}Occurrence")
        found.append(item_id(exception))
        found.append(leaf("Start", merged.text("Start")))
        found.append(leaf("End", merged.text("End")))
        found.append(leaf("OriginalStart", utc(original)))
    return element


def _deleted(item: Item) -> Element | None:
    if not item.deleted:
        return None
    element = etree.Element(f"{{{T}}}DeletedOccurrences")
    for original in sorted(item.deleted):
        etree.SubElement(element, f"{{{T}}}DeletedOccurrence").append(leaf("Start", utc(original)))
    return element


def _recurrence(mailbox: Mailbox, item: Item) -> Element | None:
    found = item.fields.get("Recurrence")
    if found is None:
        return None
    shown = deepcopy(found)
    offset = item.start.astimezone(item.zone).isoformat()[-6:]
    for name in ("StartDate", "EndDate"):
        for day in shown.iter(f"{{{T}}}{name}"):
            day.text = (day.text or "")[:10] + ("" if mailbox.knobs.bare_recurrence_dates else offset)
    return shown


# --- response messages


def success(operation: str, *content: Element) -> Element:
    """A response message that says it went well."""
    message = etree.Element(f"{{{M}}}{operation}ResponseMessage", ResponseClass="Success")
    etree.SubElement(message, f"{{{M}}}ResponseCode").text = "NoError"
    message.extend(content)
    return message


def failure(operation: str, code: str, text: str) -> Element:
    """A response message that says it did not; the schema wants an empty Items in it where items belong."""
    message = etree.Element(f"{{{M}}}{operation}ResponseMessage", ResponseClass="Error")
    etree.SubElement(message, f"{{{M}}}MessageText").text = text
    etree.SubElement(message, f"{{{M}}}ResponseCode").text = code
    etree.SubElement(message, f"{{{M}}}DescriptiveLinkKey").text = "0"
    if operation in {"GetItem", "CreateItem", "UpdateItem"}:
        etree.SubElement(message, f"{{{M}}}Items")
    if operation == "GetFolder":
        etree.SubElement(message, f"{{{M}}}Folders")
    return message


def items(*elements: Element) -> Element:
    """The m:Items around items."""
    holder = etree.Element(f"{{{M}}}Items")
    holder.extend(elements)
    return holder


def token(*parts: object) -> str:
    """An opaque text, as sync states are."""
    return base64.b64encode("\n".join(map(str, parts)).encode()).decode()


def untoken(text: str) -> list[str]:
    """What `token` put together."""
    return base64.b64decode(text, validate=True).decode().split("\n")
