"""What the Google persona is made of: its manners, its calendars, and the shapes of its answers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.servers.google_bodies import Rewriting
from tests.servers.google_engine import Shelf
from tests.servers.null_dav import Answer, Item

ROOT = "/caldav/v2/"
BARE = b'<?xml version="1.0" encoding="UTF-8"?>\n<D:error xmlns:D="DAV:"/>\n'


@dataclass(frozen=True)
class Manners:
    """Google's ways; each can be another one. What the facts leave open has both."""

    silent_put: bool = True  # no ETag in the answer to PUT
    renames: bool = True  # a resource is called UID.ics, whatever it was PUT to
    rewriting: Rewriting | None = field(default_factory=Rewriting)  # None: bodies are kept
    coarse_etags: bool = True  # the second of the last change
    ignores_if_none_match: bool = True
    ignores_if_match_on_delete: bool = True
    spent_uid: int = 0  # the answer to a PUT with the UID of a deleted event; 0: it is taken
    page: int = 0  # members in one answer to sync-collection
    bogus_token: int = 403  # the answer to a token that has expired
    empty_token: int = 400  # the answer to sync-collection without a token
    refuses_old_series: bool = True  # 409 to a PUT of a series with a SEQUENCE lower than that which is there
    takes_tasks: bool = False  # VTODO
    makes_calendars: bool = False  # MKCALENDAR
    tells_tokens: bool = True  # PROPFIND knows DAV:sync-token


@dataclass(frozen=True)
class Mail:
    """A mail that Google sends: `kind` is invitation, update or cancellation."""

    kind: str
    to: str
    uid: str


@dataclass
class GoogleCalendar(Shelf):
    """One calendar. `name` is its id, a mail address; `conflicts` answer 409 to PUT so many times.

    `ghosts` are listed and answer 404; `untold` are there, and the feed of changes does not tell of them yet.
    """

    label: str = ""
    ticked: bool = True
    spent: set[str] = field(default_factory=set)
    conflicts: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # UIDs to which PUT answers a bare 403
    ghosts: set[str] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)
    newest: str = '"0"'  # the ETag of the last change, which is its getctag
    secret: str = field(default_factory=lambda: secrets.token_hex(4))
    pages: dict[str, tuple[list[str], str]] = field(default_factory=dict)  # what is left of long answers, by token
    edits: int = 0

    @property
    def path(self) -> str:
        """Where its events are."""
        return f"{ROOT}{self.name}/events/"

    def token(self, inner: str = "") -> str:
        """A sync token: a path, as Google's are; that of now, or the one that stands for an inner one."""
        return f"{self.path}sync/{self.secret}.{inner or self.now()}"

    def told(self, token: str, page: int) -> tuple[list[str], str, bool] | None:
        """What changed since a token, in pages: names, the next token, whether there is more; None: it has expired."""
        before, _, inner = token.rpartition(".")
        if before != self.token("-").rpartition(".")[0]:
            return None
        found = self.pages.get(inner) or self.since(inner)
        if found is None:
            return None
        names, end = found
        if page and len(names) > page:
            rest = f"page{len(self.pages)}"
            self.pages[rest] = names[page:], end
            return names[:page], self.token(rest), True
        return names, self.token(end), False


def name_of_uid(uid: str) -> str:
    return f"{quote(_unescaped(uid), safe='')}.ics"


def _unescaped(text: str) -> str:
    return text.replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")


def entry(calendar: GoogleCalendar, name: str, item: Item | None, *, inline: bool, listed: bool = False) -> bytes:
    """One item of a multistatus; a ghost is listed, and not found when it is asked for."""
    if item is None or (name in calendar.ghosts and not listed):
        return _member(calendar, name, status="404 Not Found")
    props = f"<D:getetag>{escape(item.etag)}</D:getetag>"
    if inline and name not in calendar.ghosts:
        props += f"<C:calendar-data>{escape(item.body.decode())}</C:calendar-data>"
    return _member(calendar, name, props)


def _member(calendar: GoogleCalendar, name: str, props: str = "", status: str = "") -> bytes:
    inner = f"<D:status>HTTP/1.1 {status}</D:status>" if status else ""
    if props:
        inner = f"<D:propstat><D:status>HTTP/1.1 200 OK</D:status><D:prop>{props}</D:prop></D:propstat>"
    return f"<D:response><D:href>{escape(quote(calendar.path))}{name}</D:href>{inner}</D:response>".encode()


def principal_of(own: str) -> str:
    return (
        f"<C:calendar-home-set><D:href>{own}</D:href></C:calendar-home-set>"
        f"<C:schedule-inbox-URL><D:href>{own}inbox/</D:href></C:schedule-inbox-URL>"
        "<D:resourcetype><D:collection/><D:principal/></D:resourcetype>"
    )


def bare(status: int) -> Answer:
    return Answer(status, BARE, {"Content-Type": "application/xml; charset=UTF-8"})


def json_error(status: int, reason: str, domain: str) -> Answer:
    error = {"errors": [{"domain": domain, "reason": reason, "message": reason}], "code": status, "message": reason}
    return Answer(status, json.dumps({"error": error}).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def gdata(status: int, code: str) -> Answer:
    body = (
        '<errors xmlns="http://schemas.google.com/g/2005"><error><domain>GData</domain>'
        f"<code>{code}</code><internalReason>{code}</internalReason></error></errors>"
    )
    return Answer(status, body.encode(), {"Content-Type": "application/vnd.google.gdata.error+xml"})


FORMS: Mapping[str, Callable[[], Answer]] = {
    "bare": lambda: bare(403),
    "json": lambda: json_error(403, "rateLimitExceeded", "usageLimits"),
    "429": lambda: replace(bare(429), headers={"Retry-After": "7"}),
    "gdata": lambda: gdata(403, "quotaExceeded"),
    "backend": lambda: json_error(500, "backendError", "global"),
}
