"""A person with a store and a Google calendar, who runs `datebook` as a command; a broker supplies the token."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.main import main
from tests.servers.google_persona import GooglePersona
from tests.servers.person import Ran
from tests.servers.store_folder import StoreFolder

CONFIG = """\
store: {root}/store
owner: me@example.com
timezone: Europe/Helsinki
accounts:
  google:
    service: google
    user: me@example.com
    url: {url}
    token: {{file: {root}/token}}
calendars:
  work:
    account: google
    calendar: primary
    since: all
    backlog: import
    delete_grace: 0s
{extra}"""

EVENT = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Google Inc//Google Calendar 70.9054//EN
BEGIN:VEVENT
DTSTART;TZID=Europe/Helsinki:{start}
DTEND;TZID=Europe/Helsinki:{end}
DTSTAMP:20261101T000000Z
UID:{uid}
SUMMARY:{summary}
{more}END:VEVENT
{after}END:VCALENDAR
"""


def event(summary: str, *, uid: str, start: str, end: str, more: str = "", after: str = "") -> bytes:
    """An event as somebody makes it in Google's web page."""
    text = EVENT.format(summary=summary, uid=uid, start=start, end=end, more=more, after=after)
    return text.replace("\n", "\r\n").encode()


@dataclass
class GooglePerson(StoreFolder):
    """`extra` are more lines of the calendar `work`, indented by four."""

    root: Path
    persona: GooglePersona
    extra: str = ""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.configure(self.extra)
        self.sign_in()

    def configure(self, extra: str = "") -> None:
        """Write the config."""
        text = CONFIG.format(root=self.root, url=self.persona.url, extra=extra)
        (self.root / "config.yaml").write_text(text)

    def sign_in(self) -> None:
        """Have the broker supply a good token."""
        token = self.root / "token"
        token.write_text(self.persona.oauth.issue()[0])
        token.chmod(0o600)

    def command(self, *arguments: str) -> list[str]:
        places = ["--config", str(self.root / "config.yaml"), "--state", str(self.root / "state")]
        return [sys.executable, "-m", "daemon", *places, *arguments]

    def run(self, *arguments: str) -> Ran:
        """Give a command, in this very process: starting another one costs most of its time."""
        out, err = io.StringIO(), io.StringIO()
        hook = sys.excepthook
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main(self.command(*arguments)[3:])
        finally:
            sys.excepthook = hook
        return Ran(code, out.getvalue(), err.getvalue())

    def sync(self, code: int = 0) -> Ran:
        done = self.run("sync")
        assert done.code == code, (done, self.why())
        return done

    def why(self) -> list[str]:
        return [self.run("why", str(self.store / path)).out for path in self.files()]

    def status(self) -> Any:
        return json.loads((self.root / "state" / "status.json").read_text())

    # Google's side -----------------------------------------------------------------------------------

    def events(self) -> dict[str, str]:
        """The events of the primary calendar by UID, unfolded."""
        items = self.persona.primary.items.values()
        return {item.uid.decode(): item.body.decode().replace("\r\n ", "").replace("\r\n", "\n") for item in items}

    def in_web(self, uid: str, old: str, new: str) -> None:
        """Change an event in the web page."""
        text = self.events()[uid]
        assert old in text, text
        self.persona.web(text.replace(old, new).replace("\n", "\r\n").encode())
