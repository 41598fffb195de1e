"""Finding the calendars of an account: principal, home, calendars (RFC 4791 section 6.2.1, RFC 5397, RFC 6764)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from adapters.dav.caldav_client import CalDavClient
from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_href import to_href, to_id
from adapters.dav.caldav_writing import may_write
from adapters.dav.caldav_xml import APPLE, CAL, DAV, Member, Multistatus, names_in, propfind, text_of
from daemon.core.errors import Forbidden, Missing, Refused, StoreError
from daemon.core.store import CalendarInfo

_ABOUT = (
    "D:resourcetype", "D:displayname", "A:calendar-color", "C:supported-calendar-component-set",
    "D:current-user-privilege-set",
)  # fmt: skip
_ENTRY = propfind(*_ABOUT, "D:current-user-principal", "C:calendar-home-set")
_PRINCIPAL = propfind("C:calendar-home-set", "C:schedule-inbox-URL")
_CALENDARS = propfind(*_ABOUT)
_DEFAULT = propfind("C:schedule-default-calendar-URL")
_WELL_KNOWN = "/.well-known/caldav"


@dataclass(frozen=True, slots=True)
class Found:
    """A calendar, and where it is."""

    url: str
    info: CalendarInfo


@dataclass(frozen=True, slots=True)
class Entry:
    """What the account's address turned out to be."""

    url: str
    member: Member
    principal: str = ""


class Discovery:
    """Asks a server what it offers; every answer is asked for anew.

    `looks_around`: calendars are looked for at the account's address too, where that names a principal.
    """

    def __init__(
        self,
        client: CalDavClient,
        url: str,
        *,
        store: str,
        clock: Callable[[], datetime],
        looks_around: bool = True,
    ) -> None:
        self._client, self._url, self._store, self._clock = client, url, store, clock
        self._looks_around = looks_around

    def entry(self) -> Entry:
        """What is at the account's address. Raises Missing when no CalDAV server answers there."""
        for url in self._addresses():
            try:
                answer = self._ask(url, _ENTRY, depth=0)
            except (Missing, Refused):
                continue
            if answer.members and answer.members[0].status is None:
                member = answer.members[0]
                return Entry(url, member, _url_in(member, f"{DAV}current-user-principal", url))
        raise Missing(
            f"{self._url}: no CalDAV server answers there",
            what_to_do="Give the account the address that the service names for CalDAV, or that of one calendar.",
            store=self._store,
        )

    def calendars(self) -> list[Found]:
        """All calendars for events: those at the address itself, then those of the principal's homes."""
        entry = self.entry()
        found: dict[str, Found] = {}
        if _is_calendar(entry.member):
            _add(found, [self._found(entry.url, entry.member)])
        elif self._looks_around or not entry.principal:
            _add(found, self._below(entry.url))
        default = ""
        principal = self._principal(entry)
        for home in _urls_in(principal, f"{CAL}calendar-home-set", entry.principal or entry.url):
            if _same(home, entry.url):
                continue
            _add(found, self._below(home))
        inbox = _url_in(principal, f"{CAL}schedule-inbox-URL", entry.principal or entry.url)
        if inbox and found:
            default = self._default(inbox)
        return _with_primary(list(found.values()), default)

    def at(self, url: str) -> Found | None:
        """The calendar at this very URL; None when there is something else or nothing."""
        try:
            answer = self._ask(url, _CALENDARS, depth=0)
        except (Missing, Refused):
            return None
        own = answer.members[0] if answer.members else None
        return self._found(url, own) if own is not None and _is_calendar(own) else None

    def _addresses(self) -> Iterable[str]:
        yield self._url
        if urlsplit(self._url).path in {"", "/"}:
            yield urljoin(self._url, _WELL_KNOWN)

    def _ask(self, url: str, body: bytes, *, depth: int) -> Multistatus:
        return Collection(self._client, url, self._store, self._clock).propfind(body, depth=depth)

    def _principal(self, entry: Entry) -> Member:
        if _urls_in(entry.member, f"{CAL}calendar-home-set", entry.url) or not entry.principal:
            return entry.member
        try:
            members = self._ask(entry.principal, _PRINCIPAL, depth=0).members
        except (Missing, Refused, Forbidden):
            return entry.member
        return members[0] if members else entry.member

    def _below(self, url: str) -> list[Found]:
        try:
            answer = self._ask(url, _CALENDARS, depth=1)
        except (Missing, Refused):
            return []
        return [
            self._found(urljoin(url, to_href(member.id)), member) for member in answer.members if _is_calendar(member)
        ]

    def _default(self, inbox: str) -> str:
        try:
            members = self._ask(inbox, _DEFAULT, depth=0).members
        except StoreError:
            # The default is a comfort: without it the first calendar is it.
            return ""
        return _url_in(members[0], f"{CAL}schedule-default-calendar-URL", inbox) if members else ""

    def _found(self, url: str, member: Member) -> Found:
        url = url if url.endswith("/") else f"{url}/"
        same_host = urlsplit(url).netloc == urlsplit(self._url).netloc
        info = CalendarInfo(
            id=to_id(url) if same_host else url,
            name=text_of(member, f"{DAV}displayname") or to_id(url).rstrip("/").rpartition("/")[2],
            writable=may_write(names_in(member, f"{DAV}current-user-privilege-set")),
            color=text_of(member, f"{APPLE}calendar-color"),
        )
        return Found(url, info)


def _is_calendar(member: Member) -> bool:
    if member.status is not None or f"{CAL}calendar" not in names_in(member, f"{DAV}resourcetype"):
        return False
    components = member.props.get(f"{CAL}supported-calendar-component-set")
    names = {str(part.get("name", "")).upper() for part in components} if components is not None else set()
    return not names or "VEVENT" in names


def _add(found: dict[str, Found], more: Iterable[Found]) -> None:
    for calendar in more:
        found.setdefault(to_id(calendar.url), calendar)


def _with_primary(found: list[Found], default: str) -> list[Found]:
    chosen = next((place for place, calendar in enumerate(found) if default and _same(calendar.url, default)), 0)
    return [
        replace(calendar, info=replace(calendar.info, primary=place == chosen)) for place, calendar in enumerate(found)
    ]


def _urls_in(member: Member, name: str, base: str) -> list[str]:
    found = member.props.get(name)
    hrefs = [] if found is None else [(href.text or "").strip() for href in found.iter(f"{DAV}href")]
    return [urljoin(base, href) for href in hrefs if href]


def _url_in(member: Member, name: str, base: str) -> str:
    return next(iter(_urls_in(member, name, base)), "")


def _same(one: str, other: str) -> bool:
    return urlsplit(one).netloc == urlsplit(other).netloc and to_id(one).rstrip("/") == to_id(other).rstrip("/")
