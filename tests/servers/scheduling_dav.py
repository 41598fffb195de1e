"""A CalDAV server that invites guests by itself (RFC 6638 section 3.2), and counts the mails that it would send.

`GET /.outbox` lists them: who wrote, what kind, to whom. With `heeds=False` it mails whatever SCHEDULE-AGENT says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys

from adapters.ics.content_lines import Component, fold, parse
from tests.servers.null_dav import HOME, Answer, Request, Server, _full, _multistatus, serve
from tests.servers.program import Program, free_port


class Scheduling(Server):
    """The organiser's writes become mails to the guests whom the server schedules for."""

    def __init__(self, *, heeds: bool = True) -> None:
        super().__init__()
        self.heeds = heeds
        self.outbox: list[tuple[str, str, str]] = []

    def options(self, request: Request) -> Answer:
        """OPTIONS: it says that it schedules."""
        answer = super().options(request)
        answer.headers["DAV"] += ", calendar-auto-schedule"
        return answer

    def get(self, request: Request) -> Answer:
        """GET: the mails besides."""
        if request.path == "/.outbox":
            return Answer(200, json.dumps(self.outbox).encode(), {"Content-Type": "application/json"})
        return super().get(request)

    def put(self, request: Request) -> Answer:
        """PUT: everybody who is on the event is told, and whoever was and is not any more."""
        before = self._mailed(self._body(request.path))
        told = self._mailed(request.body)
        if request.headers.get("user-agent", "").startswith("Datebook"):  # what people put is as their case tells it
            request.body = _with_status(request.body, told)
        answer = super().put(request)
        if answer.status < 300:
            self._send(request, "REQUEST", told)
            self._send(request, "CANCEL", before - told)
        return answer

    def delete(self, request: Request) -> Answer:
        """DELETE: everybody who was on the event is told."""
        before = self._mailed(self._body(request.path))
        answer = super().delete(request)
        if answer.status < 300:
            self._send(request, "CANCEL", before)
        return answer

    def report(self, request: Request) -> Answer:
        """REPORT: a query that asks for the data gets them."""
        calendar, _ = self._place(request.path)
        if calendar is not None and b"calendar-query" in request.body and b"calendar-data" in request.body:
            return _multistatus(_full(calendar, calendar.path + name) for name in calendar.items)
        return super().report(request)

    def _body(self, path: str) -> bytes:
        calendar, name = self._place(path)
        item = calendar.items.get(name) if calendar else None
        return item.body if item else b""

    def _mailed(self, raw: bytes) -> set[str]:
        found: set[str] = set()
        for event in (each for calendar in parse(raw).components(b"VCALENDAR") for each in _events(calendar)):
            host = event.first(b"ORGANIZER")
            if host is None:
                continue
            for line in event.lines(b"ATTENDEE"):
                params, value = line.parts()
                silent = self.heeds and params.get("SCHEDULE-AGENT", "SERVER").upper() != "SERVER"
                if not silent and value.lower() != host.value.lower():
                    found.add(value.lower().removeprefix("mailto:"))
        return found

    def _send(self, request: Request, kind: str, people: set[str]) -> None:
        agent = request.headers.get("user-agent", "")
        self.outbox += [(agent, kind, address) for address in sorted(people)]


def _events(calendar: Component) -> list[Component]:
    return list(calendar.components(b"VEVENT"))


def _with_status(raw: bytes, told: set[str]) -> bytes:
    """SCHEDULE-STATUS on those who were told (section 7.3)."""
    document = parse(raw)
    for event in (each for calendar in document.components(b"VCALENDAR") for each in _events(calendar)):
        for line in event.lines(b"ATTENDEE"):
            head = re.sub(r";SCHEDULE-STATUS=[^;:]*", "", line.head)
            if line.value.lower().removeprefix("mailto:") in told:
                line.raw = fold(f"{head};SCHEDULE-STATUS=1.1:{line.value}")
    return document.dump()


def scheduling_dav(port: int = 0, *, heeds: bool = True) -> Program:
    """The server in a process of its own."""
    port = port or free_port()
    command = [sys.executable, "-m", "tests.servers.scheduling_dav", "--port", str(port)]
    return Program([*command, *([] if heeds else ["--deaf"])], port, f"http://127.0.0.1:{port}{HOME}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--deaf", action="store_true", help="mail whatever SCHEDULE-AGENT says")
    options = parser.parse_args()
    asyncio.run(serve(options.port, Scheduling(heeds=not options.deaf)))
