"""A person with a store, a config and a calendar on a real server, who runs `datebook` as a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import caldav

from tests.servers.store_folder import StoreFolder

CONFIG = """\
store: {store}
owner: me@example.com
timezone: Europe/Helsinki
accounts:
  home:
    service: caldav
    url: {url}
    user: me
    password: {{env: DATEBOOK_TEST_PASSWORD}}
calendars:
  work:
    account: home
    calendar: {url}
    since: all
    backlog: import
    delete_grace: 1s
{extra}"""
EVENT = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Somebody//Else//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20261101T000000Z\r
DTSTART;TZID=Europe/Helsinki:{start}\r
DTEND;TZID=Europe/Helsinki:{end}\r
SUMMARY:{summary}\r
X-SOMEBODY:keeps this\r
{more}END:VEVENT\r
END:VCALENDAR\r
"""


class GoneError(Exception):
    """No event of this title is there."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(slots=True)
class Person(StoreFolder):
    """`url` is the person's calendar. The config is written by hand, as a careful user would."""

    root: Path
    url: str
    extra: str = ""
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.configure(self.extra)
        self.client = caldav.DAVClient(url=self.url, username="me", password="me", auth_type="basic")

    @property
    def places(self) -> list[str]:
        return ["--config", str(self.root / "config.yaml"), "--state", str(self.root / "state")]

    @property
    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DATEBOOK_")}
        return {**clean, "DATEBOOK_TEST_PASSWORD": "me", "TZ": "UTC"}

    def configure(self, extra: str = "") -> None:
        """Write the config; `extra` are more lines of the calendar `work`, indented by four."""
        text = CONFIG.format(store=self.store, url=self.url, extra=extra)
        (self.root / "config.yaml").write_text(text)

    def run(self, *arguments: str, cwd: Path | None = None, stdin: str = "") -> Ran:
        command = [sys.executable, "-m", "daemon", *self.places, *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=cwd or Path(__file__).parents[2],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def sync(self) -> Ran:
        return self.run("sync")

    def start(self, within: Sequence[str] = (), **env: str) -> subprocess.Popen[bytes]:
        """The daemon, in the background; `within` is a command that becomes it."""
        log = (self.root / "daemon.log").open("ab")
        command = [*within, sys.executable, "-m", "daemon", *self.places, "run"]
        return subprocess.Popen(
            command, env={**self.environment, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    # The calendar, as another program sees it.

    def events(self) -> dict[str, str]:
        """The raw events by title."""
        calendar = self.client.calendar(url=self.url)
        found = {}
        for event in calendar.events():
            found[str(event.icalendar_component.get("summary", ""))] = event.data.replace("\r\n", "\n")
        return found

    def _event(self, title: str) -> Any:
        calendar = self.client.calendar(url=self.url)
        for event in calendar.events():
            if str(event.icalendar_component.get("summary", "")) == title:
                return event
        raise GoneError(title)

    def change(self, title: str, old: str, new: str) -> None:
        """Edit an event's text in the calendar."""

        def edit(text: str) -> str:
            assert old in text, text
            return text.replace(old, new)

        self.rewrite(title, edit)

    def rewrite(self, title: str, edit: Callable[[str], str]) -> None:
        """Edit an event as a calendar program does: what the daemon wrote in between is read again, never overwritten.

        Raises GoneError where it is gone.
        """
        url = str(self._event(title).url)
        while True:
            seen = self.client.request(url)
            if seen.status == HTTPStatus.NOT_FOUND:
                raise GoneError(title)
            text = str(seen.raw).replace("\r\n", "\n")
            headers = {"If-Match": seen.headers["ETag"], "Content-Type": "text/calendar; charset=utf-8"}
            answer = self.client.put(url, edit(text).replace("\n", "\r\n"), headers)
            if answer.status != HTTPStatus.PRECONDITION_FAILED:
                assert answer.status < 300, answer.status
                return

    def drop(self, title: str) -> None:
        self._event(title).delete()

    def add_event(self, summary: str, *, uid: str, start: str, end: str, more: str = "") -> None:
        body = EVENT.format(uid=uid, summary=summary, start=start, end=end, more=more)
        answer = self.client.put(f"{self.url}{uid}.ics", body)
        assert answer.status < 300, answer.status
