"""The contract's world of a Google calendar: the persona, and somebody at its web page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adapters.google_calendar.google_account import GoogleAccount
from tests.servers.google_answers import GoogleCalendar, Manners
from tests.servers.google_persona import GooglePersona
from tests.servers.running import Servers
from tests.servers.worlds import EVENT, TYPES, ZONE, World, now

# Where the facts say nothing, or two things, the contract holds either way.
OTHERWISE = Manners(
    silent_put=False,
    renames=False,
    rewriting=None,
    coarse_etags=False,
    ignores_if_none_match=False,
    ignores_if_match_on_delete=False,
    spent_uid=409,
    page=3,
    bogus_token=410,
)


@dataclass
class WebHand:
    """Somebody who edits in Google's own web page."""

    persona: GooglePersona
    calendar: GoogleCalendar

    def add(self, uid: str, subject: str) -> str:
        """Add an event."""
        return self.persona.web(EVENT.format(uid=uid, subject=subject).encode(), self.calendar)

    def retitle(self, item: str, subject: str) -> None:
        """Change its title."""
        body = self.calendar.items[self._name(item)].body
        self.persona.web(re.sub(rb"SUMMARY:[^\r]*", b"SUMMARY:" + subject.encode(), body), self.calendar)

    def remove(self, item: str) -> None:
        """Delete it."""
        self.persona.web_delete(self.calendar.items[self._name(item)].uid.decode(), self.calendar)

    def subject(self, item: str) -> str | None:
        """Its title; None: it is gone."""
        found = self.calendar.items.get(self._name(item))
        match = re.search(rb"SUMMARY:([^\r]*)", found.body) if found else None
        return match.group(1).decode() if match else None

    def keeps_unknown(self, item: str) -> bool:
        """Whether what Datebook has no word for is still there."""
        body = self.calendar.items[self._name(item)].body.replace(b"\r\n ", b"")
        return all(part in body for part in (b"X-ANOTHER-CLIENT", b"agenda.pdf", b"An alarm of another client"))

    def _name(self, item: str) -> str:
        return item.removeprefix(self.calendar.path)


def account_of(persona: GooglePersona, token: str = "") -> GoogleAccount:
    """An account of the persona, signed in with a token."""
    access = token or persona.oauth.issue()[0]
    return GoogleAccount(
        persona.url, persona.oauth.user, lambda: access, zone=ZONE, types=TYPES, clock=now, name="google"
    )


def google(manners: Manners) -> Callable[[Servers, Path], World]:
    """A calendar of a persona with these manners."""

    def make(servers: Servers, _folder: Path) -> World:
        persona = servers.own.enter_context(GooglePersona(clock=now, manners=manners))
        account = account_of(persona)
        servers.own.callback(account.close)
        return World(account.open("primary"), WebHand(persona, persona.primary), persona.expire_tokens)

    return make
