"""What the Graph simulator shows: events as JSON, and the OData options that it understands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from exchangelib.winzone import IANA_TO_MS_TIMEZONE_MAP

from tests.servers.graph_mailbox import Event, GraphError, Json, Mailbox, occurrence_id, zone_info
from tests.servers.graph_types import CALENDAR, EVENT

_PROPERTIES = re.compile(r"singleValueExtendedProperties\(\$filter=(.*)\)")
_ID = re.compile(r"id eq '((?:[^']|'')*)'")
_ANY = re.compile(
    r"singleValueExtendedProperties/any\(ep: ep/id eq '((?:[^']|'')*)' and ep/value (eq|ne) ('(?:[^']|'')*'|null)\)"
)
# Returned only where they are asked for by name.
_ON_REQUEST = {"cancelledOccurrences", "exceptionOccurrences"}


@dataclass(frozen=True)
class Options:
    """What a request asks for beside its path."""

    select: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()  # ids, in lower case
    exceptions: bool = False
    zone: str = "UTC"
    text: bool = False
    page: int = 10
    more: Mapping[str, str] = field(default_factory=dict)


def options_of(query: Mapping[str, str], prefer: str, form: Mapping[str, Any] = EVENT) -> Options:
    """The options of a request; what the simulator does not know is an error, as on Graph."""
    select = frozenset(filter(None, query.get("$select", "").split(",")))
    if select - set(form):
        raise GraphError(400, "RequestBroker--ParseUri", f"no property {sorted(select - set(form))}")
    properties: frozenset[str] = frozenset()
    exceptions = False
    for each in _split(query.get("$expand", "")):
        found = _PROPERTIES.fullmatch(each)
        if found:
            ids = found[1].split(" or ")
            if not all(_ID.fullmatch(one) for one in ids):
                raise GraphError(400, "ErrorInvalidUrlQueryFilter", each)
            properties = frozenset(_ID.fullmatch(one)[1].casefold() for one in ids)  # type: ignore[index]  # looked at above
        elif each == "exceptionOccurrences":
            exceptions = True
        else:
            raise GraphError(400, "RequestBroker--ParseUri", f"no expansion {each!r}")
    zone = re.search(r'outlook\.timezone="([^"]*)"', prefer)
    page = re.search(r"odata\.maxpagesize=(\d+)", prefer)
    return Options(
        select, properties, exceptions, zone[1] if zone else "UTC",
        'outlook.body-content-type="text"' in prefer, int(page[1]) if page else 10, dict(query),
    )  # fmt: skip


def applied(prefer: str) -> str:
    """What Preference-Applied says."""
    known = ("IdType", "outlook.timezone", "outlook.body-content-type", "odata.maxpagesize")
    return ", ".join(part for part in prefer.split(", ") if part.startswith(known))


def matching(mailbox: Mailbox, calendar: str, text: str) -> Iterator[Event]:
    """The events of a calendar that a filter lets through: one on an extended property, or none."""
    here = [each for each in mailbox.events.values() if each.calendar == calendar]
    found = _ANY.fullmatch(text) if text else None
    if not text:
        yield from here
    elif found is None or (found[3] == "null" and not mailbox.knobs.finds_all):
        raise GraphError(400, "ErrorInvalidUrlQueryFilter", text)
    else:
        wanted = found[3][1:-1].replace("''", "'").casefold()
        for each in here:
            value = each.properties.get(found[1].casefold())
            # Values are compared without regard to case.
            if value is not None and (found[3] == "null" or (value.casefold() == wanted) == (found[2] == "eq")):
                yield each


def calendar_json(mailbox: Mailbox, calendar_id: str, options: Options) -> Json:
    """A calendar."""
    calendar = mailbox.calendar(calendar_id)
    whole = {
        "id": calendar.id, "name": calendar.name, "isDefaultCalendar": calendar.default, "canEdit": calendar.writable,
        "hexColor": "", "owner": {"name": "Me", "address": mailbox.address},
    }  # fmt: skip
    return _selected(whole, options, CALENDAR)


def event_json(mailbox: Mailbox, event: Event, options: Options) -> Json:
    """An event, as a request asked to see it."""
    fields = event.fields
    whole: Json = {
        **{name: value for name, value in fields.items() if name not in {"start", "end", "body"}},
        **event.owned,
        "id": event.id, "changeKey": event.changekey, "transactionId": event.transaction,
        "createdDateTime": _stamp(event.created), "lastModifiedDateTime": _stamp(event.modified),
        "type": kind_of(event), "seriesMasterId": event.master.id if event.master else None,
        "body": _body(fields["body"], options), "bodyPreview": "", "webLink": "https://outlook.office365.com/",
        "start": _time(mailbox, event, "start", options), "end": _time(mailbox, event, "end", options),
        "originalStart": _original(mailbox, event), "hasAttachments": False, "isDraft": False,
        "originalStartTimeZone": _zone(mailbox, fields["start"]["timeZone"]),
        "originalEndTimeZone": _zone(mailbox, fields["end"]["timeZone"]),
        "onlineMeetingUrl": None,
    }  # fmt: skip
    if event.master is None and event.is_series:
        whole["cancelledOccurrences"] = [occurrence_id(event, day) for day in sorted(event.cancelled)]
    said = _selected(whole, options, EVENT)
    if options.properties:
        held = [
            {"id": name, "value": event.properties[name.casefold()]}
            for name in sorted(options.properties & event.properties.keys())
        ]
        said |= {"singleValueExtendedProperties": held} if held else {}
    if options.exceptions and event.is_series:
        said["exceptionOccurrences"] = exceptions_json(mailbox, event, options)[: mailbox.knobs.expands]
    shown = {name: value for name, value in said.items() if name not in mailbox.knobs.omits}
    return {"@odata.etag": event.etag, **shown}


def exceptions_json(mailbox: Mailbox, event: Event, options: Options) -> list[Json]:
    """The exceptions of a series, in the order of their days."""
    inner = Options(zone=options.zone)
    return [event_json(mailbox, event.exceptions[day], inner) for day in sorted(event.exceptions)]


def kind_of(event: Event) -> str:
    """Its type."""
    if event.master is not None and event.original is not None:
        return "exception" if event.original in event.master.exceptions else "occurrence"
    return "seriesMaster" if event.is_series else "singleInstance"


def _selected(whole: Json, options: Options, form: Mapping[str, Any]) -> Json:
    wanted = (options.select or (set(form) - _ON_REQUEST)) | {"id"}
    return {name: value for name, value in whole.items() if name in wanted}


def _time(mailbox: Mailbox, event: Event, name: str, options: Options) -> Json:
    said = event.fields[name]
    if event.fields["isAllDay"] and not mailbox.knobs.shifts_all_day:
        return {"dateTime": f"{said['dateTime'][:10]}T00:00:00.0000000", "timeZone": options.zone}
    moment = datetime.fromisoformat(said["dateTime"][:19]).replace(tzinfo=zone_info(said["timeZone"]))
    wall = moment.astimezone(UTC).astimezone(zone_info(options.zone)).replace(tzinfo=None)
    return {"dateTime": f"{wall.isoformat()}.0000000", "timeZone": options.zone}


def _original(mailbox: Mailbox, event: Event) -> str | None:
    if event.master is None or event.original is None:
        return None
    if event.master.fields["isAllDay"] and not mailbox.knobs.shifts_all_day:
        return _stamp(datetime.combine(event.original, time(), UTC))
    return _stamp(event.master.on(event.original))


def _zone(mailbox: Mailbox, name: str) -> str:
    return IANA_TO_MS_TIMEZONE_MAP.get(name, (name, ""))[0] if mailbox.knobs.tells_windows_names else name


def _body(body: Json, options: Options) -> Json:
    if not options.text:
        return dict(body)
    return {"contentType": "text", "content": re.sub(r"<[^>]*>", "", body["content"])}


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.0000000Z"


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth, begin = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[begin:place])
            begin = place + 1
    return [part for part in [*parts, text[begin:]] if part]
