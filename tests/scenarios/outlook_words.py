"""A scenario's events in the words of Outlook, and back: iCalendar text and what both of Microsoft's services keep.

The middle form is Graph's event as JSON, for both services. It is made without a line of the program under test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

from exchangelib.winzone import IANA_TO_MS_TIMEZONE_MAP, MS_TIMEZONE_TO_IANA_MAP

Json = dict[str, Any]
THEIRS = "00062002-0000-0000-c000-000000000046"  # Outlook's own property set: other programs put theirs there
_PROPERTY = f"String {{{THEIRS}}} Name "
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_CLASSES = {"PUBLIC": "normal", "PRIVATE": "private", "CONFIDENTIAL": "confidential"}
_IMPORTANCE = {"1": "high", "9": "low"}
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentativelyAccepted"}
_LINE = re.compile(r"^([A-Z0-9-]+)((?:;[^:\n]*)?):(.*)$")
# Ours, or of another program, as a line that no expectation names by accident.
_SHOWN = "X-KEPT-"


@dataclass
class Told:
    """One event: its fields as Graph's JSON, its instances by their original days, and what only a service sets."""

    uid: str
    body: Json
    organizer: str = ""
    cancelled: bool = False
    skipped: frozenset[date] = frozenset()
    instances: Mapping[date, Json] = field(default_factory=dict)
    join: str = ""  # the online meeting's address
    called_off: frozenset[date] = frozenset()  # instances that the organiser has cancelled


@dataclass
class Words:
    """How a story calls what a service keeps without its words: a zone, a guest's line."""

    me: str = ""
    zones: dict[str, str] = field(default_factory=lambda: {"FLE Standard Time": "Europe/Helsinki"})
    people: dict[tuple[str, ...], str] = field(default_factory=dict)

    # Text -> Outlook -----------------------------------------------------------------------------

    def told(self, uid: str, text: str) -> Told:
        """What a calendar object says."""
        master, *rest = [list(_lines(event)) for event in re.findall(r"BEGIN:VEVENT\n(.*?)END:VEVENT", text, re.DOTALL)]
        organizer = next((_address(value) for name, _, value in master if name == "ORGANIZER"), "")
        skipped = [moment[:8] for name, _, value in master if name == "EXDATE" for moment in value.split(",")]
        return Told(
            uid,
            self._body(master, organizer, recurs=True),
            organizer,
            any(line[0] == "STATUS" and line[2] == "CANCELLED" for line in master),
            frozenset(datetime.strptime(day, "%Y%m%d").date() for day in skipped),  # noqa: DTZ007  a day alone
            {_original(lines): self._body(lines, organizer, recurs=False) for lines in rest},
            next((value for name, _, value in master if name == "URL"), ""),
            frozenset(
                _original(lines) for lines in rest if any(line[::2] == ("STATUS", "CANCELLED") for line in lines)
            ),
        )

    def _body(self, lines: Sequence[tuple[str, str, str]], organizer: str, *, recurs: bool) -> Json:
        one = {name: (more, value) for name, more, value in lines}
        text = {name: value for name, (_, value) in one.items()}
        all_day = "VALUE=DATE" in one["DTSTART"][0] or len(text["DTSTART"]) == len("20261124")
        start = self._time(*one["DTSTART"])
        end = self._time(*one["DTEND"]) if "DTEND" in one else _later(start, timedelta(days=1))
        show = text.get("TRANSP", "TRANSPARENT" if all_day else "OPAQUE")
        alarm = re.fullmatch(r"-P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text.get("TRIGGER", ""))
        rule = text.get("RRULE", "") if recurs else ""
        return {
            "subject": _plain(text.get("SUMMARY", "")),
            "location": {"displayName": _plain(text.get("LOCATION", ""))},
            "body": {"contentType": "text", "content": _plain(text.get("DESCRIPTION", ""))},
            "start": start,
            "end": end,
            "isAllDay": all_day,
            "showAs": "free" if show == "TRANSPARENT" else "busy",
            "sensitivity": _CLASSES[text.get("CLASS", "PUBLIC")],
            "importance": _IMPORTANCE.get(text.get("PRIORITY", ""), "normal"),
            "categories": [word for word in text.get("CATEGORIES", "").split(",") if word],
            "isReminderOn": alarm is not None,
            "reminderMinutesBeforeStart": _minutes(alarm),
            "recurrence": _recurrence(rule, start) if rule else None,
            "attendees": self._guests(lines, organizer),
            "singleValueExtendedProperties": [
                {"id": _PROPERTY + name, "value": value}
                for name, _, value in lines
                if name.startswith("X-") and not name.startswith((_SHOWN, "X-DATEBOOK-"))
            ],
        }  # fmt: skip

    def _time(self, more: str, value: str) -> Json:
        found = re.search(r"TZID=([^;:]+)", more)
        tzid = found[1] if found else ""
        windows = IANA_TO_MS_TIMEZONE_MAP[tzid][0] if tzid in IANA_TO_MS_TIMEZONE_MAP else tzid or "UTC"
        if tzid:
            self.zones[windows] = tzid
        if len(value) == len("20261124"):
            windows = "FLE Standard Time"
        moment = datetime.strptime(f"{value}T000000"[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  its zone stands beside it
        return {"dateTime": moment.isoformat(), "timeZone": windows}

    def _guests(self, lines: Sequence[tuple[str, str, str]], organizer: str) -> list[Json]:
        """All but the organiser; whoever holds a copy of another's meeting is on it."""
        found = [(more, value) for name, more, value in lines if name == "ATTENDEE" and _address(value) != organizer]
        if organizer not in {"", self.me} and self.me not in {_address(value) for _, value in found}:
            found.append(("", f"mailto:{self.me}"))
        return [self._guest(more, value) for more, value in found]

    def _guest(self, more: str, value: str) -> Json:
        said = dict(part.split("=", 1) for part in more.strip(";").split(";") if part)
        email = _address(value)
        answer = _ANSWERS.get(said.get("PARTSTAT", ""), "none")
        kind = "optional" if said.get("ROLE") == "OPT-PARTICIPANT" else "required"
        name = said.get("CN", email)
        self.people[email, name, answer, kind] = f"ATTENDEE{more}:{value}"
        status = {"response": answer, "time": "0001-01-01T00:00:00Z"}
        return {"type": kind, "status": status, "emailAddress": {"address": email, "name": name}}

    # Outlook -> text -----------------------------------------------------------------------------

    def text(self, told: Told, kept: Mapping[str, str], extra: Mapping[str, str]) -> str:
        """The calendar object; `kept`: properties of programs, by name; `extra`: what Datebook keeps beside."""
        lines = [f"X-KEPT-{name}:{value}" for name, value in sorted(kept.items()) if not name.startswith("X-")]
        status = "CANCELLED" if told.cancelled else extra.get("status", "").upper()
        master = [*self._event(told, told.body, extra, status), *lines]
        zone = told.body["start"]["timeZone"]
        clock = told.body["start"]["dateTime"][10:]
        whole = told.body["isAllDay"]
        master += [self._moment("EXDATE", f"{day}{clock}", zone, whole=whole) for day in sorted(told.skipped)]
        events = [master]
        for day, body in sorted(told.instances.items()):
            at = self._moment("RECURRENCE-ID", f"{day}{clock}", zone, whole=whole)
            gone = told.cancelled or day in told.called_off
            events.append([at, *self._event(told, body, {}, "CANCELLED" if gone else "")])
        texts = ["\n".join(["BEGIN:VEVENT", f"UID:{told.uid}", *event, "END:VEVENT", ""]) for event in events]
        return f"BEGIN:VCALENDAR\n{''.join(texts)}END:VCALENDAR\n"

    def _event(self, told: Told, body: Json, extra: Mapping[str, str], status: str) -> Iterator[str]:
        whole = body["isAllDay"]
        for name, key in (("DTSTART", "start"), ("DTEND", "end")):
            yield self._moment(name, body[key]["dateTime"], body[key]["timeZone"], whole=whole)
        texts = {
            "SUMMARY": _escaped(body["subject"]),
            "LOCATION": _escaped(body["location"]["displayName"]),
            "DESCRIPTION": _escaped(_read(body["body"])),
            "TRANSP": "TRANSPARENT" if body["showAs"] == "free" else "OPAQUE",
            "CLASS": {"normal": ""}.get(body["sensitivity"], body["sensitivity"].upper()),
            "PRIORITY": {"high": "1", "low": "9"}.get(body["importance"], ""),
            "CATEGORIES": ",".join(body["categories"]),
            "STATUS": status,
            "URL": told.join or extra.get("url", ""),
            "X-DATEBOOK-TYPE": extra.get("type", ""),
            "RRULE": _rule(body) if body["recurrence"] else "",
        }
        yield from (f"{name}:{value}" for name, value in texts.items() if value)
        yield from (
            f"{each['id'].rpartition(' ')[2]}:{each['value']}" for each in body["singleValueExtendedProperties"]
        )
        if body["attendees"]:
            yield self.people.get(("organizer", told.organizer), f"ORGANIZER:mailto:{told.organizer}")
            yield from map(self._line, body["attendees"])
        if body["isReminderOn"]:
            minutes = body["reminderMinutesBeforeStart"]
            length = f"P{minutes // 1440}D" if minutes and minutes % 1440 == 0 else f"PT{minutes}M"
            length = f"PT{minutes // 60}H" if minutes and minutes % 60 == 0 and minutes % 1440 else length
            yield f"BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-{length}\nEND:VALARM"

    def _moment(self, name: str, wall: str, zone: str, *, whole: bool) -> str:
        bare = re.sub(r"[-:]", "", wall[:19])
        if whole:
            return f"{name};VALUE=DATE:{bare[:8]}"
        tzid = self.zones.get(zone) or MS_TIMEZONE_TO_IANA_MAP.get(zone, zone)
        return f"{name}:{bare}Z" if zone == "UTC" else f"{name};TZID={tzid}:{bare}"

    def _line(self, guest: Json) -> str:
        person, answer = guest["emailAddress"], guest.get("status", {}).get("response", "none")
        word = next((word for word, said in _ANSWERS.items() if said == answer), "NEEDS-ACTION")
        plain = f"ATTENDEE;CN={person['name']};PARTSTAT={word}:mailto:{person['address']}"
        return self.people.get((person["address"], person["name"], answer, guest["type"]), plain)

    def remember_organizer(self, text: str) -> None:
        """Keep the line that says who invites."""
        for line in re.findall(r"^ORGANIZER[;:].*$", text, re.MULTILINE):
            self.people["organizer", _address(line)] = line


def wall(moment: datetime, zone: str) -> str:
    """A moment as the clocks of a zone show it."""
    name = MS_TIMEZONE_TO_IANA_MAP.get(zone, zone)
    return moment.astimezone(ZoneInfo(name)).replace(tzinfo=None).isoformat()


def moment_of(said: Json) -> datetime:
    """When that is."""
    name = MS_TIMEZONE_TO_IANA_MAP.get(said["timeZone"], said["timeZone"])
    return datetime.fromisoformat(said["dateTime"][:19]).replace(tzinfo=ZoneInfo(name)).astimezone(UTC)


def _lines(event: str) -> Iterator[tuple[str, str, str]]:
    for line in event.splitlines():
        found = _LINE.match(line)
        if found:
            yield found[1], found[2], found[3]


def _address(value: str) -> str:
    return value.rpartition("mailto:")[2].lower()


def _original(lines: Sequence[tuple[str, str, str]]) -> date:
    value = next(value for name, _, value in lines if name == "RECURRENCE-ID")
    return date(int(value[:4]), int(value[4:6]), int(value[6:8]))


def _later(said: Json, length: timedelta) -> Json:
    return {**said, "dateTime": (datetime.fromisoformat(said["dateTime"]) + length).isoformat()}


def _minutes(alarm: re.Match[str] | None) -> int:
    if alarm is None:
        return 15
    days, hours, minutes = (int(part or 0) for part in alarm.groups())
    return days * 1440 + hours * 60 + minutes


def _recurrence(rule: str, start: Json) -> Json:
    said = dict(part.split("=", 1) for part in rule.split(";"))
    first = datetime.fromisoformat(start["dateTime"]).date()
    pattern: Json = {"type": said["FREQ"].lower(), "interval": int(said.get("INTERVAL", "1"))}
    if said["FREQ"] == "WEEKLY":
        days = [_DAYS[_SHORT.index(day)] for day in said.get("BYDAY", _SHORT[first.weekday()]).split(",")]
        pattern |= {"daysOfWeek": days, "firstDayOfWeek": "monday"}
    limits: Json = {"type": "noEnd", "startDate": first.isoformat(), "recurrenceTimeZone": start["timeZone"]}
    if "COUNT" in said:
        limits |= {"type": "numbered", "numberOfOccurrences": int(said["COUNT"])}
    if "UNTIL" in said:
        limits |= {"type": "endDate", "endDate": _last_day(said["UNTIL"], start["timeZone"])}
    return {"pattern": pattern, "range": limits}


def _last_day(until: str, zone: str) -> str:
    if "T" not in until:
        return date.fromisoformat(until).isoformat()
    return wall(datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), zone)[:10]


def _rule(body: Json) -> str:
    pattern, limits = body["recurrence"]["pattern"], body["recurrence"]["range"]
    parts = ["FREQ=" + {"weekly": "WEEKLY", "daily": "DAILY"}[pattern["type"]]]
    if pattern["interval"] > 1:
        parts.append(f"INTERVAL={pattern['interval']}")
    if limits["type"] == "numbered":
        parts.append(f"COUNT={limits['numberOfOccurrences']}")
    if limits["type"] == "endDate":
        last = {**body["start"], "dateTime": limits["endDate"] + body["start"]["dateTime"][10:]}
        parts.append(f"UNTIL={moment_of(last):%Y%m%dT%H%M%SZ}")
    first = _SHORT[datetime.fromisoformat(body["start"]["dateTime"][:19]).weekday()]
    days = [_SHORT[_DAYS.index(day)] for day in pattern.get("daysOfWeek", [])]
    if days and days != [first]:
        parts.append("BYDAY=" + ",".join(days))
    return ";".join(parts)


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def _escaped(value: str) -> str:
    return re.sub(r"([\\;,])", r"\\\1", value).replace("\n", "\\n")


def _read(body: Json) -> str:
    """A body as somebody reads it."""
    content = body["content"].replace("\r\n", "\n")
    if body["contentType"] == "text":
        return str(content)
    content = re.sub(r"<head>.*?</head>|<!--.*?-->", "", content, flags=re.DOTALL)
    content = re.sub(r"<br[^>]*>\n?", "\x00", content).replace("\n", "").replace("\x00", "\n")
    return unescape(re.sub(r"<[^>]*>", "", content)).replace("\xa0", " ").strip()
