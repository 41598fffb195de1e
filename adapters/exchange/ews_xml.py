"""EWS's XML to values: CalendarItem elements, response messages, folders (messages.xsd, types.xsd).

Read here and not by exchangelib's item classes: those read a recurrence date without an offset in the zone
of the host, an all-day date of an unknown zone too, and one odd zone id ends a whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from adapters.exchange.ews_recurrence import Element, T, read_recurrence
from adapters.outlook.outlook_item import (
    Attendee,
    Body,
    CalendarFolder,
    ItemKind,
    Mailbox,
    OccurrenceInfo,
    OutlookItem,
    Series,
)
from adapters.outlook.outlook_properties import PROPERTY_SET

M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"


# Where the zone of an item stands; the later ones are for servers and items that leave out the first.
_ZONES = (("StartTimeZone", "Id"), ("StartTimeZoneId", ""), ("MeetingTimeZone", "TimeZoneName"), ("EndTimeZone", "Id"))


@dataclass(frozen=True, slots=True)
class Answered:
    """One response message: the error code ("NoError" where it went well) and what is in it."""

    code: str
    element: Element
    back_off: timedelta | None = None

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return self.code == "NoError"

    @property
    def items(self) -> list[Element]:
        """The items of the message; none in an error."""
        found = self.element.find(f"{M}Items")
        return [] if found is None else list(found)


def answered(message: Element) -> Answered:
    """A response message as a value."""
    code = _text(message, f"{M}ResponseCode") or "ErrorInternalServerError"
    if message.get("ResponseClass") == "Success":
        code = "NoError"
    milliseconds = [
        int(value.text)
        for value in message.iter(f"{T}Value")
        if value.get("Name") == "BackOffMilliseconds" and (value.text or "").isdigit() and value.text
    ]
    return Answered(code, message, timedelta(milliseconds=milliseconds[0]) if milliseconds else None)


# --- items


def item_of(element: Element) -> OutlookItem:
    """A CalendarItem. Raises ValueError for what no server should say."""
    item_id = element.find(f"{T}ItemId")
    if item_id is None:
        raise ValueError("an item without ItemId")
    recurrence = element.find(f"{T}Recurrence")
    pattern = None if recurrence is None else read_recurrence(recurrence)
    return OutlookItem(
        id=item_id.get("Id", ""),
        changekey=item_id.get("ChangeKey", ""),
        kind=ItemKind(_text(element, f"{T}CalendarItemType") or "Single"),
        uid=_text(element, f"{T}UID"),
        subject=_text(element, f"{T}Subject"),
        sensitivity=_text(element, f"{T}Sensitivity") or "Normal",
        body=_body(element),
        categories=tuple(_texts(element, f"{T}Categories/{T}String")),
        importance=_text(element, f"{T}Importance") or "Normal",
        reminder=_reminder(element),
        start=_moment(element, "Start"),
        end=_moment(element, "End"),
        original_start=_moment(element, "OriginalStart"),
        all_day=_yes(element, "IsAllDayEvent"),
        free_busy=_text(element, f"{T}LegacyFreeBusyStatus") or "Busy",
        location=_text(element, f"{T}Location"),
        zone_id=_zone(element),
        is_meeting=_yes(element, "IsMeeting"),
        is_cancelled=_yes(element, "IsCancelled"),
        my_response=_text(element, f"{T}MyResponseType"),
        organizer=_organizer(element),
        required=_attendees(element, "RequiredAttendees"),
        optional=_attendees(element, "OptionalAttendees"),
        recurrence=pattern,
        regenerates=recurrence is not None and pattern is None,
        modified=tuple(_occurrences(element)),
        deleted=tuple(map(_when, _texts(element, f"{T}DeletedOccurrences/{T}DeletedOccurrence/{T}Start"))),
        join_url=_text(element, f"{T}JoinOnlineMeetingUrl"),
        created=_moment(element, "DateTimeCreated"),
        last_modified=_moment(element, "LastModifiedTime"),
        properties=dict(_properties(element)),
    )


def item_id_of(element: Element) -> tuple[str, str]:
    """Id and change key of whatever carries an ItemId."""
    found = element.find(f"{T}ItemId")
    if found is None:
        raise ValueError("an item without ItemId")
    return found.get("Id", ""), found.get("ChangeKey", "")


def raw_of(master: Element, exceptions: list[Element]) -> bytes:
    """An item and its exceptions as they were read, in one document."""
    root = etree.Element("series")
    root.extend([_copy(master), *map(_copy, exceptions)])
    return etree.tostring(root)


def series_of(raw: bytes) -> Series:
    """The item that `raw_of` kept."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    master, *exceptions = (item_of(element) for element in etree.fromstring(raw, parser))
    return Series(master, tuple(exceptions))


def _copy(element: Element) -> Element:
    return etree.fromstring(etree.tostring(element, with_tail=False))


def _body(element: Element) -> Body:
    found = element.find(f"{T}Body")
    if found is None:
        return Body("")
    return Body(found.text or "", is_html=found.get("BodyType") == "HTML")


def _reminder(element: Element) -> int | None:
    minutes = _text(element, f"{T}ReminderMinutesBeforeStart")
    return int(minutes) if _yes(element, "ReminderIsSet") and minutes else None


def _zone(element: Element) -> str:
    """The Windows id of the zone that it begins in, by whichever element names one; "": none does."""
    for name, attribute in _ZONES:
        found = element.find(f"{T}{name}")
        said = "" if found is None else (found.get(attribute) if attribute else found.text) or ""
        if said:
            return said
    return ""


def _organizer(element: Element) -> Mailbox | None:
    found = element.find(f"{T}Organizer/{T}Mailbox")
    return None if found is None else _mailbox(found)


def _mailbox(element: Element) -> Mailbox:
    return Mailbox(
        email=_text(element, f"{T}EmailAddress"),
        name=_text(element, f"{T}Name"),
        routing=_text(element, f"{T}RoutingType"),
    )


def _attendees(element: Element, name: str) -> tuple[Attendee, ...]:
    return tuple(
        Attendee(
            _mailbox(mailbox),
            _text(attendee, f"{T}ResponseType") or "Unknown",
            _text(attendee, f"{T}LastResponseTime"),
        )
        for attendee in element.iterfind(f"{T}{name}/{T}Attendee")
        if (mailbox := attendee.find(f"{T}Mailbox")) is not None
    )


def _occurrences(element: Element) -> Iterator[OccurrenceInfo]:
    for found in element.iterfind(f"{T}ModifiedOccurrences/{T}Occurrence"):
        original = _moment(found, "OriginalStart")
        if original is not None:
            yield OccurrenceInfo(*item_id_of(found), original)


def _properties(element: Element) -> Iterator[tuple[str, str]]:
    for found in element.iterfind(f"{T}ExtendedProperty"):
        uri = found.find(f"{T}ExtendedFieldURI")
        if uri is not None and (uri.get("PropertySetId") or "").lower() == PROPERTY_SET:
            yield uri.get("PropertyName") or "", _text(found, f"{T}Value")


# --- folders


def folder_of(element: Element) -> CalendarFolder | None:
    """A calendar folder; None: a folder of another kind."""
    folder_id = element.find(f"{T}FolderId")
    folder_class = _text(element, f"{T}FolderClass")
    is_calendar = etree.QName(element).localname == "CalendarFolder"
    if folder_id is None or not (is_calendar or folder_class.startswith("IPF.Appointment")):
        return None
    rights = element.find(f"{T}EffectiveRights")
    return CalendarFolder(
        id=folder_id.get("Id", ""),
        name=_text(element, f"{T}DisplayName"),
        can_write=None if rights is None else _yes(rights, "CreateContents"),
        can_read=rights is None or rights.find(f"{T}Read") is None or _yes(rights, "Read"),
    )


# --- scalars


def _text(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def _texts(element: Element, path: str) -> Iterator[str]:
    for found in element.iterfind(path):
        yield found.text or ""


def _yes(element: Element, name: str) -> bool:
    return _text(element, f"{T}{name}").lower() in {"true", "1"}


def _moment(element: Element, name: str) -> datetime | None:
    text = _text(element, f"{T}{name}")
    return _when(text) if text else None


def _when(text: str) -> datetime:
    """An xs:dateTime; without an offset it is in UTC, as Exchange writes them all."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
