"""A calendar on a real server, as another program sees and edits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, unquote

from lxml import etree

from tests.servers.program import Program

_HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Somebody//Else//EN\n"
_QUERY = (
    b'<?xml version="1.0"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop>'
    b'<C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
)
_DATA = "{urn:ietf:params:xml:ns:caldav}calendar-data"
_GONE = "~"  # a property or key with this value is not there
_STAMP = "%Y%m%dT%H%M%SZ"
# What a change of would be news to the guests, or to the one who invites.
_PEOPLE = re.compile(r"^(?:ATTENDEE|ORGANIZER)[;:].*$", re.MULTILINE)
Edit = Mapping[str, str | list[str]]


class Face(Protocol):
    """A calendar as somebody else sees and edits it, in the words of iCalendar."""

    @property
    def url(self) -> str:
        """How the config calls it."""

    def events(self) -> dict[str, str]:
        """The events by UID, unfolded, with plain line ends."""

    def put(self, uid: str, text: str) -> None:
        """Add an event, or put other text in its place."""

    def edit(self, uid: str, edit: Edit, now: datetime) -> None:
        """Change properties of an event."""

    def drop(self, uid: str) -> None:
        """Delete an event."""

    def renew(self, uid: str) -> None:
        """Put an event where it has another id: dragged out and back, or saved by a program with names of its own."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar of a server."""

    server: Program
    url: str

    def events(self) -> dict[str, str]:
        """The events by UID, unfolded, with plain line ends."""
        status, _, body = self.server.ask("REPORT", self.url, _QUERY, {"Depth": "1"})
        assert status == 207, (status, body)
        found = {}
        for answer in etree.fromstring(body).iter("{DAV:}response"):
            text = answer.findtext(f".//{_DATA}")
            if text is not None:
                plain = _plain(text)
                found[property_of(plain, "UID") or str(answer.findtext("{DAV:}href"))] = plain
        return found

    def href_of(self, uid: str) -> str:
        """Where the event with this UID is."""
        _, _, body = self.server.ask("REPORT", self.url, _QUERY, {"Depth": "1"})
        for answer in etree.fromstring(body).iter("{DAV:}response"):
            text = _plain(answer.findtext(f".//{_DATA}") or "")
            if property_of(text, "UID") == uid:
                base = self.url.split("/", 3)
                return f"{base[0]}//{base[2]}{quote(unquote(str(answer.findtext('{DAV:}href'))))}"
        raise AssertionError(f"the calendar has no event {uid}: {sorted(self.events())}")

    def put(self, uid: str, text: str) -> None:
        """Add an event, or put other text in its place."""
        href = self.href_of(uid) if uid in self.events() else f"{self.url}{quote(uid)}.ics"
        whole = wrapped(uid, text)
        status, _, body = self.server.ask(
            "PUT", href, whole.replace("\n", "\r\n").encode(), {"Content-Type": "text/calendar; charset=utf-8"}
        )
        assert status < 300, (status, body, whole)

    def edit(self, uid: str, edit: Edit, now: datetime) -> None:
        """Change properties of an event, as a well-behaved program does: with LAST-MODIFIED."""
        self.put(uid, edited(self.events()[uid], {"LAST-MODIFIED": now.strftime(_STAMP), **edit}))

    def drop(self, uid: str) -> None:
        """Delete an event."""
        status, _, body = self.server.ask("DELETE", self.href_of(uid))
        assert status < 300, (status, body)

    def renew(self, uid: str) -> None:
        """Put an event where it has another id: saved by a program with names of its own."""
        text, href = self.events()[uid], self.href_of(uid)
        self.drop(uid)
        status, _, body = self.server.ask(
            "PUT",
            f"{href.removesuffix('.ics')}-anew.ics",
            text.replace("\n", "\r\n").encode(),
            {"Content-Type": "text/calendar; charset=utf-8"},
        )
        assert status < 300, (status, body)


def _plain(text: str) -> str:
    return re.sub(r"\n[ \t]", "", text.replace("\r\n", "\n"))


def wrapped(uid: str, text: str) -> str:
    """A calendar object of the properties that a scenario gives; `---` parts the instances of a series."""
    if text.startswith("BEGIN:VCALENDAR"):
        return text
    events = []
    for part in re.split(r"^---\n", text.strip() + "\n", flags=re.MULTILINE):
        stamp = "" if "DTSTAMP" in part else "DTSTAMP:20261101T000000Z\n"
        events.append(f"BEGIN:VEVENT\nUID:{uid}\n{stamp}{part}END:VEVENT\n")
    return f"{_HEAD}{''.join(events)}END:VCALENDAR\n"


def edited(text: str, edit: Edit) -> str:
    """A calendar object whose first event has these properties."""
    for name, value in edit.items():
        text = _set(text, name, value if isinstance(value, list) else [value])
    return text


def _set(text: str, name: str, values: list[str]) -> str:
    """The text with a property of the first event set; `~` takes it out."""
    bare = name.split(";", maxsplit=1)[0]
    head, event, rest = re.split(r"(BEGIN:VEVENT\n.*?END:VEVENT\n)", text, maxsplit=1, flags=re.DOTALL)
    event = re.sub(rf"^{bare}[;:].*\n", "", event, flags=re.MULTILINE)
    lines = "".join(name + (value if value[:1] == ";" else f":{value}") + "\n" for value in values if value != _GONE)
    at = event.index("BEGIN:VALARM") if "BEGIN:VALARM" in event else event.index("END:VEVENT")
    return head + event[:at] + lines + event[at:] + rest


def property_of(text: str, name: str) -> str | None:
    """The value of a property of the first event that has it; a name with parameters must match whole."""
    event = text[text.find("BEGIN:VEVENT") :]
    pattern = re.escape(name) if ";" in name else rf"{re.escape(name)}(?:;[^:\n]*)?"
    found = re.search(rf"^{pattern}:(.*)$", event, re.MULTILINE)
    return found[1] if found else None


def people_of(text: str) -> list[str]:
    """The lines that say who is on an event and who invites, in order."""
    return sorted(_PEOPLE.findall(text))
