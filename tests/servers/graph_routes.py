"""What the Graph simulator does for each address, alone or inside of a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.servers.graph_answers import (
    Options,
    calendar_json,
    event_json,
    exceptions_json,
    kind_of,
    matching,
    options_of,
)
from tests.servers.graph_mailbox import Event, GraphError, Json, Mailbox
from tests.servers.graph_types import CALENDAR

_STUB = ("id", "seriesMasterId", "type", "start", "end")


@dataclass(frozen=True)
class Call:
    """One request: where to, with what."""

    method: str
    target: str  # after the version, as it was sent
    headers: Mapping[str, str]
    body: Json
    base: str  # what links begin with

    @property
    def path(self) -> list[str]:
        return [unquote(part) for part in urlsplit(self.target).path.strip("/").split("/")]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def prefer(self) -> str:
        return self.headers.get("prefer", "")


def answer(mailbox: Mailbox, call: Call) -> tuple[int, Json]:
    """Status and body. Raises GraphError."""
    if mailbox.knobs.strict_ids and 'IdType="ImmutableId"' not in call.prefer:
        raise GraphError(400, "SimulatorStrict", "ids that do not last")
    with mailbox.lock:
        match call.method, call.path:
            case "GET", ["me", "calendars"]:
                options = options_of(call.query, call.prefer, CALENDAR)
                return 200, {"value": [calendar_json(mailbox, each, options) for each in mailbox.calendars]}
            case "GET", ["me", "calendar"]:
                return 200, calendar_json(mailbox, mailbox.default, options_of(call.query, call.prefer, CALENDAR))
            case "GET", ["me", "calendars", calendar]:
                return 200, _calendar(mailbox, call, calendar)
            case "GET", ["me", "calendars", calendar, "events", "delta"]:
                return 200, _events_delta(mailbox, call, calendar)
            case "GET", ["me", "calendars", calendar, "calendarView", "delta"]:
                return 200, _view_delta(mailbox, call, calendar)
            case "GET", ["me", "calendars", calendar, "events"]:
                return 200, _listed(mailbox, call, calendar)
            case "POST", ["me", "calendars", calendar, "events"]:
                event = mailbox.create(calendar, call.body)
                return 201, event_json(mailbox, event, options_of({}, call.prefer))
            case method, ["me", "events", item, *rest]:
                return _event(mailbox, call, method, mailbox.event(item), rest)
    raise GraphError(400, "BadRequest", f"no such address: {call.method} {call.target}")


def _calendar(mailbox: Mailbox, call: Call, calendar: str) -> Json:
    if not mailbox.knobs.calendars_answer:
        raise GraphError(404, "", "A gateway's own words.")
    return calendar_json(mailbox, calendar, options_of(call.query, call.prefer, CALENDAR))


def _event(mailbox: Mailbox, call: Call, method: str, event: Event, rest: Sequence[str]) -> tuple[int, Json]:
    if_match = call.headers.get("if-match", "")
    if not mailbox.knobs.names_occurrences and "Occurrences" in str(call.query):
        raise GraphError(400, "RequestBroker--ParseUri", "no such property")
    status, code = mailbox.knobs.refuses_options
    if status and "exceptionOccurrences" in call.query.get("$expand", ""):
        raise GraphError(status, code, "no such property")
    match method, rest:
        case "GET", []:
            options = options_of(call.query, call.prefer)
            said = event_json(mailbox, event, options)
            if options.exceptions and len(event.exceptions) > mailbox.knobs.expands:
                link = f"{call.base}{urlsplit(call.target).path}/exceptionOccurrences?%24skip={mailbox.knobs.expands}"
                said["exceptionOccurrences@odata.nextLink"] = link
            return 200, said
        case "GET", ["exceptionOccurrences"]:
            options = options_of(call.query, call.prefer)
            return 200, _page(call, exceptions_json(mailbox, event, options), options)
        case "GET", ["calendar"]:
            return 200, calendar_json(mailbox, event.calendar, options_of(call.query, call.prefer, CALENDAR))
        case "GET", ["instances"]:
            options = options_of(call.query, call.prefer)
            found = mailbox.instances(event, *_window(call.query))
            return 200, _page(call, [event_json(mailbox, each, options) for each in found], options)
        case "PATCH", []:
            changed = mailbox.update(event, call.body, if_match)
            return 200, event_json(mailbox, changed, options_of({}, call.prefer))
        case "DELETE", []:
            mailbox.delete(event, if_match)
            return 204, {}
    raise GraphError(400, "BadRequest", f"no such address: {call.method} {call.target}")


def _listed(mailbox: Mailbox, call: Call, calendar: str) -> Json:
    mailbox.calendar(calendar)
    if mailbox.knobs.refuses_filter and "$filter" in call.query:
        raise GraphError(mailbox.knobs.refuses_filter, "", "no filters")
    options = options_of(call.query, call.prefer)
    found = matching(mailbox, calendar, call.query.get("$filter", ""))
    return _page(call, [event_json(mailbox, each, options) for each in found], options)


def _page(call: Call, values: list[Json], options: Options) -> Json:
    skip = int(call.query.get("$skip", "0"))
    size = int(call.query.get("$top", options.page))
    said: Json = {"value": values[skip : skip + size]}
    if len(values) > skip + size:
        said["@odata.nextLink"] = _link(call, {**call.query, "$skip": str(skip + size)})
    return said


def _link(call: Call, query: Mapping[str, str]) -> str:
    said = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{call.base}{urlsplit(call.target).path}?{said}"


def _window(query: Mapping[str, str]) -> tuple[datetime, datetime]:
    try:
        begin, end = (datetime.fromisoformat(query[name]) for name in ("startDateTime", "endDateTime"))
    except (KeyError, ValueError):
        raise GraphError(400, "ErrorInvalidParameter", "startDateTime and endDateTime are needed") from None
    return tuple(each if each.tzinfo else each.replace(tzinfo=UTC) for each in (begin, end))  # type: ignore[return-value]  # of two


# --- delta


def _events_delta(mailbox: Mailbox, call: Call, calendar: str) -> Json:
    if mailbox.knobs.delta_as_id:
        raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    if not mailbox.knobs.events_delta:
        raise GraphError(400, "BadRequest", "Resource not found for the segment 'delta'.")
    if {"$expand", "$filter", "$orderby", "$search"} & call.query.keys():
        raise GraphError(400, "ErrorInvalidUrlQuery", "delta takes no such option")

    def show(event_id: str, options: Options) -> Iterator[Json]:
        event = mailbox.events.get(event_id)
        if event is None or event.calendar != calendar:
            yield {"id": event_id, "@removed": {"reason": "deleted"}}
            return
        yield event_json(mailbox, event, options)
        if mailbox.knobs.delta_exceptions:
            yield from (event_json(mailbox, event.exceptions[day], options) for day in event.exceptions)

    return _delta(mailbox, call, calendar, show)


def _view_delta(mailbox: Mailbox, call: Call, calendar: str) -> Json:
    if {"$select", "$expand", "$filter", "$orderby", "$search"} & call.query.keys():
        raise GraphError(400, "ErrorInvalidUrlQuery", "delta takes no such option")
    begin, end = _window(call.query if "$token" not in call.query else json.loads(call.query["$token"])["window"])
    if end - begin > timedelta(days=1825):
        raise GraphError(400, "ErrorCalendarViewRangeTooBig", "The range must not exceed 1825 days.")

    def show(event_id: str, options: Options) -> Iterator[Json]:
        event = mailbox.events.get(event_id)
        there = [] if event is None or event.calendar != calendar else _in_window(mailbox, event, begin, end)
        if not there:
            yield {"id": event_id, "@removed": {"reason": "deleted"}}
        for each in there:
            said = event_json(mailbox, each, options)
            yield {name: said[name] for name in _STUB} if kind_of(each) == "occurrence" else said

    return _delta(mailbox, call, calendar, show)


def _in_window(mailbox: Mailbox, event: Event, begin: datetime, end: datetime) -> list[Event]:
    if event.is_series:
        found = mailbox.instances(event, begin, end)
        return [event, *found] if found else []
    return [event] if event.start < end and event.start + event.length > begin else []


def _delta(mailbox: Mailbox, call: Call, calendar: str, show: Callable[[str, Options], Iterator[Json]]) -> Json:
    """One page of a round: everything at first, then what the log says since the token."""
    mailbox.calendar(calendar)
    token: dict[str, Any] = json.loads(call.query["$token"]) if "$token" in call.query else {}
    if token and token["epoch"] != mailbox.epoch:
        raise GraphError(410, "SyncStateNotFound", "The sync state is not found.")
    query = token.get("query", call.query)
    options = options_of(query, call.prefer)
    until = token.get("until", len(mailbox.log))
    logged = [event for where, event in mailbox.log[token.get("since", 0) : until] if where == calendar]
    # Of what was made and deleted since, nothing is told.
    told = {event for where, event in mailbox.log[: token.get("since", 0)] if where == calendar}
    ids = [each for each in dict.fromkeys(reversed(logged)) if each in told or each in mailbox.events]
    entries = [entry for each in ids for entry in show(each, options)]
    entries = entries * 2 if mailbox.knobs.duplicates else entries
    skip = token.get("skip", 0)
    base = {"epoch": mailbox.epoch, "query": query, "window": query}
    rest = {**base, "since": token.get("since", 0), "until": until, "skip": skip + options.page}
    more = len(entries) > skip + options.page
    after = rest if more else {**base, "since": until}
    link = _link(call, {"$token": json.dumps(after)})
    return {"value": entries[skip : skip + options.page], f"@odata.{'next' if more else 'delta'}Link": link}
