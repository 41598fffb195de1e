"""The stage of a scenario on Google: calendars of the persona in place of those of a Radicale."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.scenarios.calendars import Calendar, Face
from tests.scenarios.person import Person
from tests.scenarios.scenario import Scenario
from tests.scenarios.story import Story
from tests.servers.google_answers import Manners
from tests.servers.google_persona import GooglePersona
from tests.servers.world import HandClock


@dataclass
class Web:
    """Somebody at Google's web page, in the shape of a server that is asked; what they do mails nobody here."""

    persona: GooglePersona
    token: str = field(init=False)

    def __post_init__(self) -> None:
        self.token = self.persona.oauth.issue()[0]

    def ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request."""
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        mails, bodies = len(self.persona.mails), len(self.persona.bodies)
        try:
            own = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/xml; charset=utf-8"}
            connection.request(method, parts.path, body or None, own | dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        finally:
            connection.close()
            del self.persona.mails[mails:], self.persona.bodies[bodies:]


@dataclass(frozen=True, slots=True)
class GoogleCalendar(Calendar):
    """Google adds empty texts: they say nothing."""

    def events(self) -> dict[str, str]:
        """The events by UID, without the empty lines."""
        told = Calendar.events(self)
        return {
            uid: re.sub(r"^(?:LOCATION|DESCRIPTION):\n", "", text, flags=re.MULTILINE) for uid, text in told.items()
        }


class GooglePerson(Person):
    """Somebody whose accounts are Google's."""

    def _account(self, name: str, calendar: Face) -> dict[str, Any]:
        assert isinstance(calendar, Calendar)
        web: Any = calendar.server
        token = self.root / f"token-{urlsplit(calendar.url).port}"
        token.write_text(web.token)
        token.chmod(0o600)
        owner = str(self.orders.get("owner", "me@example.com"))
        user = self.orders.get(name, {}).get("user", owner)
        return {"service": "google", "url": web.persona.url, "user": user, "token": {"file": str(token)}}


def play_on_google(scenario: Scenario, root: Path, manners: Manners) -> list[GooglePersona]:
    """Play a scenario; the personas that took part, each with what it would have mailed."""
    clock = HandClock()
    personas: list[GooglePersona] = []
    with ExitStack() as stack:

        def new_calendar() -> Calendar:
            persona = stack.enter_context(GooglePersona(clock=clock.now, manners=manners))
            # Everybody's token lasts as long as a scenario.
            persona.oauth.lifetime = 10.0**9
            personas.append(persona)
            server: Any = Web(persona)
            port = persona.port
            return GoogleCalendar(server, f"http://127.0.0.1:{port}{persona.primary.path}")

        make: Callable[[], Face] = new_calendar
        Story(scenario, root, make, clock, person=GooglePerson).play()
    return personas
