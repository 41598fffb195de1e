"""A Graph event read as the Outlook item that it is (pure): the same value that the EWS side reads and decides on.

Graph and EWS are two doors to one mailbox, so what an item means stands in one place: `adapters.outlook`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from adapters.graph.graph_recurrence import read_recurrence
from adapters.outlook.outlook_extra import extra_of, with_extra
from adapters.outlook.outlook_item import Attendee, Body, ItemKind, Mailbox, OccurrenceInfo, OutlookItem, Series
from adapters.outlook.outlook_properties import NAMES, graph_id
from adapters.outlook.outlook_view import Owner, activity_of
from adapters.outlook.windows_zones import iana_zone, is_iana, windows_zone
from daemon.core.errors import Unreadable
from daemon.core.model import Activity, Field, Key

Json = Mapping[str, object]

SELECT = (
    *("id", "changeKey", "createdDateTime", "lastModifiedDateTime", "iCalUId", "type", "seriesMasterId"),
    *("subject", "body", "categories", "importance", "sensitivity", "showAs", "location"),
    *("start", "end", "isAllDay", "originalStart", "originalStartTimeZone", "recurrence", "cancelledOccurrences"),
    *("isReminderOn", "reminderMinutesBeforeStart", "attendees", "organizer", "isOrganizer", "responseStatus"),
    *("isCancelled", "isOnlineMeeting", "onlineMeeting", "onlineMeetingUrl"),
)
OUR_PROPERTIES = (
    "singleValueExtendedProperties($filter=" + " or ".join(f"id eq '{graph_id(name)}'" for name in NAMES) + ")"
)
_MORE = "exceptionOccurrences@odata.nextLink"
BLOB = "its text holds the way into the online meeting, which Microsoft 365 would lose"

_KINDS = {
    "singleInstance": ItemKind.SINGLE,
    "occurrence": ItemKind.OCCURRENCE,
    "exception": ItemKind.EXCEPTION,
    "seriesMaster": ItemKind.MASTER,
}
SHOW_AS = {
    "free": "Free",
    "tentative": "Tentative",
    "busy": "Busy",
    "oof": "OOF",
    "workingElsewhere": "WorkingElsewhere",
}
_RESPONSES = {
    "organizer": "Organizer",
    "accepted": "Accept",
    "declined": "Decline",
    "tentativelyAccepted": "Tentative",
}


@dataclass(frozen=True, slots=True)
class Whole:
    """An event with its exceptions, as Graph said them and as the item that they are."""

    event: Json
    exceptions: tuple[Json, ...]
    series: Series

    @property
    def raw(self) -> bytes:
        """As it is kept."""
        said = {"event": self.event, "exceptions": self.exceptions}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()

    def activity(self, owner: Owner, uid: str = "") -> Activity:
        """What it shows; `uid` overrides what it carries (a copy). Raises Unreadable."""
        activity = activity_of(self.series, owner, uid)
        if self.event.get("isOnlineMeeting") is not True:
            return activity
        return replace(activity, frozen={**activity.frozen, Key(Field.DESCRIPTION): BLOB})


def whole_of(event: Json, exceptions: Sequence[Json], owner: Owner) -> Whole:
    """The whole of what Graph says of one item. Raises Unreadable, ValueError."""
    master = item_of(event, owner)
    items = [item_of(each, owner, event) for each in exceptions]
    known = tuple(
        OccurrenceInfo(each.id, each.changekey, each.original_start)
        for each in items
        if each.original_start is not None
    )
    return Whole(event, tuple(exceptions), Series(replace(master, modified=known), tuple(items)))


# A line per field of the item: cut in two, neither half would be the whole event.
def item_of(event: Json, owner: Owner, master: Json | None = None) -> OutlookItem:
    """One event as an item; an exception needs its master. Raises Unreadable, ValueError."""
    zone_id, properties = _zone(event, master)
    midnights = ZoneInfo(iana_zone(zone_id) or owner.zone)
    all_day = midnights if event.get("isAllDay") is True else None
    return replace(
        _timeless(event),
        zone_id=zone_id,
        properties=properties,
        start=_time(event.get("start"), all_day),
        end=_time(event.get("end"), all_day),
        original_start=_original(event, master, midnights),
        deleted=tuple(_cancelled(event, midnights)),
    )


def _timeless(event: Json) -> OutlookItem:
    """All of an item that no zone is needed for."""
    said = event.get("recurrence")
    recurrence = read_recurrence(said) if isinstance(said, Mapping) else None
    return OutlookItem(
        id=_text(event, "id"),
        changekey=changekey_of(event),
        kind=kind_of(event),
        uid=_text(event, "iCalUId"),
        subject=_text(event, "subject"),
        sensitivity=_text(event, "sensitivity").capitalize() or "Normal",
        body=_body(event),
        categories=tuple(str(word) for word in _list(event, "categories")),
        importance=_text(event, "importance").capitalize() or "Normal",
        reminder=_number(event, "reminderMinutesBeforeStart") if event.get("isReminderOn") is True else None,
        all_day=event.get("isAllDay") is True,
        free_busy=SHOW_AS.get(_text(event, "showAs"), "Busy"),
        location=_text(event, "location", "displayName"),
        is_meeting=bool(_list(event, "attendees")),
        is_cancelled=event.get("isCancelled") is True,
        my_response=_RESPONSES.get(_text(event, "responseStatus", "response"), ""),
        organizer=_mailbox(event.get("organizer")),
        required=tuple(_attendees(event, "required")),
        optional=tuple(_attendees(event, "optional")),
        recurrence=recurrence,
        regenerates=isinstance(said, Mapping) and recurrence is None,
        join_url=_text(event, "onlineMeeting", "joinUrl") or _text(event, "onlineMeetingUrl"),
        created=moment_of(_text(event, "createdDateTime")),
        last_modified=moment_of(_text(event, "lastModifiedDateTime")),
    )


def changekey_of(event: Json) -> str:
    """The version of one event: its changeKey, which is also what its etag holds."""
    etag = _text(event, "@odata.etag")
    return _text(event, "changeKey") or etag.removeprefix("W/").strip('"')


def etag_of(event: Json) -> str:
    """What If-Match is to say for this version of an event."""
    return _text(event, "@odata.etag") or f'W/"{changekey_of(event)}"'


def kind_of(event: Json) -> ItemKind:
    """Whether it is an item of its own, or belongs to a series; where that is not told, its parts tell."""
    known = _KINDS.get(_text(event, "type"))
    if known is not None:
        return known
    if isinstance(event.get("recurrence"), Mapping):
        return ItemKind.MASTER
    # An exception has its own place among those of its series; a mere occurrence is never listed by itself.
    return ItemKind.EXCEPTION if _text(event, "seriesMasterId") else ItemKind.SINGLE


def tells_occurrences(event: Json) -> bool:
    """Whether a master names its exceptions and cancelled occurrences: a key that is not there says nothing."""
    return all(isinstance(event.get(name), list) for name in ("exceptionOccurrences", "cancelledOccurrences"))


def exception_ids(event: Json) -> list[str]:
    """The ids of the modified occurrences that a master names, if it `tells_occurrences`."""
    return [_text(each, "id") for each in _list(event, "exceptionOccurrences") if isinstance(each, Mapping)]


def more_exceptions(event: Json) -> str:
    """The link to those exceptions of a master that did not come with it; "": all came."""
    return _text(event, _MORE)


def with_exceptions(event: Json, more: Iterable[object]) -> Json:
    """A master with further exceptions, which are all then."""
    said = {name: value for name, value in event.items() if name != _MORE}
    return {**said, "exceptionOccurrences": [*_list(event, "exceptionOccurrences"), *more]}


def mails_somebody(event: Json, owner: Owner, exceptions: Iterable[Json] = ()) -> bool:
    """Whether a change by us would be mailed: we organise it, and somebody else, or a room, is on it.

    Guests of one instance alone are told of what happens to its series too.
    """
    return any(_mails(each, owner) for each in (event, *exceptions))


def _mails(event: Json, owner: Owner) -> bool:
    boxes = (_mailbox(each) for each in _list(event, "attendees"))
    others = [box for box in boxes if box is None or box.email.lower() not in {owner.address, owner.also}]
    return event.get("isOrganizer") is not False and bool(others)


def moment_of(text: str) -> datetime | None:
    """A DateTimeOffset, or a time without an offset in UTC; None where there is none."""
    if not text:
        return None
    found = datetime.fromisoformat(text[:19])
    offset = text[19:].lstrip(".0123456789")
    if offset in {"", "Z"}:
        return found.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{text[:19]}{offset}").astimezone(UTC)


# --- parts


def _zone(event: Json, master: Json | None) -> tuple[str, dict[str, str]]:
    """The Windows id of the zone, and our properties: an IANA name that Graph tells is as good as one of ours."""
    properties = _properties(event)
    said = [_text(event, "originalStartTimeZone"), _text(event, "recurrence", "range", "recurrenceTimeZone")]
    if master is not None:
        said += [_text(master, "originalStartTimeZone"), _text(master, "recurrence", "range", "recurrenceTimeZone")]
    bare = OutlookItem("", "", properties=properties)
    extra = extra_of(bare)
    name = next((each for each in said if iana_zone(each) or is_iana(each)), next(filter(None, said), extra.zone))
    if not is_iana(name):
        return name, properties
    zone_id = windows_zone(name) or name
    if master is not None or extra.zone or name == zone_id or event.get("isAllDay") is True:
        return zone_id, properties
    return zone_id, dict(with_extra(bare, replace(extra, zone=name)).properties)


def _properties(event: Json) -> dict[str, str]:
    """Ours, by name; one that was taken away is there as an empty text, which counts as none."""
    names = {graph_id(name).casefold(): name for name in NAMES}
    found = {}
    for each in _list(event, "singleValueExtendedProperties"):
        if isinstance(each, Mapping) and isinstance(each.get("value"), str) and each["value"]:
            name = names.get(_text(each, "id").casefold())
            if name is not None:
                found[name] = _text(each, "value")
    return found


def _time(said: object, midnights: ZoneInfo | None) -> datetime | None:
    """A dateTimeTimeZone as an instant in UTC; of a whole day only the date counts, in its zone (`midnights`)."""
    if not isinstance(said, Mapping) or not _text(said, "dateTime"):
        return None
    text, zone = _text(said, "dateTime"), _text(said, "timeZone") or "UTC"
    wall = datetime.fromisoformat(text[:19])
    if midnights is not None and wall.time() == time():
        return datetime.combine(wall.date(), time(), midnights).astimezone(UTC)
    name = zone if is_iana(zone) else iana_zone(zone)
    if name is None:
        raise Unreadable(f"a time in a zone that is not known ({zone!r})", code="unknown_zone")
    moment = wall.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)
    if midnights is None:
        return moment
    # A midnight of another zone, told in the zone that was asked for.
    return datetime.combine(moment.astimezone(midnights).date(), time(), midnights).astimezone(UTC)


def _original(event: Json, master: Json | None, midnights: ZoneInfo) -> datetime | None:
    found = moment_of(_text(event, "originalStart"))
    if found is None or master is None or master.get("isAllDay") is not True:
        return found
    # Of whole days Graph says midnight, in UTC or in the zone of the series.
    day = found.date() if found.time() == time() else found.astimezone(midnights).date()
    return datetime.combine(day, time(), midnights).astimezone(UTC)


def _cancelled(event: Json, zone: ZoneInfo) -> Iterator[datetime]:
    """The cancelled occurrences: ids that end in the day of their original start."""
    for each in _list(event, "cancelledOccurrences"):
        day = date.fromisoformat(str(each).rpartition(".")[2][:10])
        yield datetime.combine(day, time(12), zone).astimezone(UTC)


def _body(event: Json) -> Body:
    return Body(_text(event, "body", "content"), is_html=_text(event, "body", "contentType").lower() == "html")


def _attendees(event: Json, kind: str) -> Iterator[Attendee]:
    """Guests of one kind; rooms and other resources are no guests."""
    for each in _list(event, "attendees"):
        if not isinstance(each, Mapping) or (_text(each, "type") or "required").lower() != kind:
            continue
        mailbox = _mailbox(each)
        if mailbox is not None:
            yield Attendee(mailbox, _RESPONSES.get(_text(each, "status", "response"), "Unknown"))


def _mailbox(said: object) -> Mailbox | None:
    if not isinstance(said, Mapping) or not _text(said, "emailAddress", "address"):
        return None
    return Mailbox(_text(said, "emailAddress", "address"), _text(said, "emailAddress", "name"))


def _text(said: Json, *path: str) -> str:
    """A text somewhere inside; "" where there is none."""
    found: object = said
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def _number(said: Json, name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) else 0


def _list(said: Json, name: str) -> Sequence[object]:
    found = said.get(name)
    return found if isinstance(found, list) else ()
