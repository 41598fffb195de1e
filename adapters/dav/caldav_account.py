"""One sign-in at a CalDAV server: lists its calendars, opens and tests them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from adapters.dav.caldav_client import CalDavClient
from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_discovery import Discovery, Found
from adapters.dav.caldav_href import to_href, to_id
from adapters.dav.caldav_quirks import Quirks
from adapters.dav.caldav_store import CalDavStore
from adapters.net.transport import Counters, Session
from daemon.core.errors import Forbidden, Missing, SignInNeeded, StoreError, Unavailable
from daemon.core.store import CalendarInfo, Finding, Store

PRIMARY = "primary"
_SKEW = timedelta(minutes=2)


class CalDavAccount:
    """A user of a CalDAV server, at the address of the server, of a home or of one calendar.

    `secret` gives the password, or with `bearer` the token, whenever it is asked. `zone` is where floating
    times are, `clock` gives the aware time of now. `name` stands in errors. `organizer` is the mail address
    that invites where a new meeting has guests. `silences` tells whether it is proven that the server mails nobody
    whose SCHEDULE-AGENT is CLIENT. `renew` gives another token in place of one that was refused.
    No request is made before one is needed.
    """

    def __init__(  # noqa: PLR0913  what the config says of an account, all by name
        self,
        url: str,
        user: str,
        secret: Callable[[], str],
        *,
        bearer: bool = False,
        ca: Path | None = None,
        quirks: Quirks = Quirks(),  # noqa: B008  a frozen value
        zone: str,
        types: Sequence[str],
        clock: Callable[[], datetime],
        name: str = "",
        organizer: str = "",
        timeout: float = 30.0,
        renew: Callable[[str], str] | None = None,
        silences: Callable[[], bool] = lambda: False,
    ) -> None:
        self._url, self._quirks = url, quirks
        self._zone, self._types, self._clock = zone, tuple(types), clock
        self._organizer, self._silences = organizer, silences
        self._name = name or (urlsplit(url).hostname or "")
        self._session = Session(ca=ca, timeout=timeout, store=self._name)
        self._client = CalDavClient(url, user, secret, self._session, bearer=bearer, renew=renew, words=quirks.words)
        self._discovery = Discovery(self._client, url, store=self._name, clock=clock)

    @property
    def counters(self) -> Counters:
        """What went over the wire so far."""
        return self._session.counters

    def calendars(self) -> Sequence[CalendarInfo]:
        """The calendars for events that the server offers. Raises SignInNeeded, Forbidden, Unavailable, Missing."""
        return [found.info for found in self._discovery.calendars()]

    def open(self, calendar: str) -> Store:
        """Open a calendar by URL, path, last part of the path, display name or `primary`. Raises Missing."""
        return self._store(self._at(calendar) or self._named(calendar))

    def check(self) -> Iterator[Finding]:
        """Test address, login, calendars, rights and clock, without a write; the first failure ends it."""
        try:
            entry = self._discovery.entry()
        except StoreError as error:
            yield _failed("login", error)
            return
        yield Finding("login", ok=True, message="the server took the login")
        yield Finding("principal", bool(entry.principal), *_principal_words(entry.principal))
        yield self._clock_finding()
        try:
            found = self._discovery.calendars()
        except StoreError as error:
            yield _failed("calendars", error)
            return
        yield from _calendar_findings([calendar.info for calendar in found])

    def close(self) -> None:
        """Let go of the connections of all calendars that were opened here."""
        self._client.close()

    def _store(self, found: Found) -> Store:
        collection = Collection(self._client, found.url, self._name, self._clock)
        return CalDavStore(
            collection,
            self._quirks,
            zone=self._zone,
            types=self._types,
            organizer=self._organizer,
            silences=self._silences,
        )

    def _at(self, calendar: str) -> Found | None:
        if calendar.startswith(("http://", "https://")):
            return self._discovery.at(calendar)
        if calendar.startswith("/"):
            return self._discovery.at(urljoin(self._url, to_href(calendar)))
        return None

    def _named(self, calendar: str) -> Found:
        offered = self._discovery.calendars()
        fits = [found for found in offered if _fits(found.info, calendar)]
        if len(fits) == 1:
            return fits[0]
        names = ", ".join(f"{found.info.name} ({found.info.id})" for found in offered) or "none at all"
        what = "several calendars have this name" if fits else "there is no such calendar"
        raise Missing(
            f"{calendar}: {what}",
            what_to_do=f"Name one of these in the config, by its id if in doubt: {names}.",
            store=self._name,
        )

    def _clock_finding(self) -> Finding:
        response = self._client.send("OPTIONS", self._url)
        try:
            skew = self._clock() - parsedate_to_datetime(response.headers.get("date", ""))
        except (TypeError, ValueError):
            return Finding("clock", ok=True, message="the server does not tell its time")
        if abs(skew) <= _SKEW:
            return Finding("clock", ok=True, message="this machine's clock agrees with the server's")
        ahead = "ahead of" if skew > timedelta() else "behind"
        seconds = round(abs(skew.total_seconds()))
        return Finding(
            "clock", ok=False, message=f"this clock is {seconds} s {ahead} the server's", cure="Set the clock."
        )


def _fits(info: CalendarInfo, calendar: str) -> bool:
    if calendar.casefold() == PRIMARY:
        return info.primary
    last = info.id.rstrip("/").rpartition("/")[2]
    return calendar in {info.id, info.id.rstrip("/"), last} or _alike(info.name, calendar)


def _alike(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _principal_words(principal: str) -> tuple[str, str]:
    if principal:
        return f"signed in as {to_id(principal)}", ""
    return "the server does not say who is signed in", "Give the account the address of a calendar or of its home."


def _calendar_findings(calendars: Sequence[CalendarInfo]) -> Iterator[Finding]:
    if not calendars:
        yield Finding("calendars", ok=False, message="no calendar for events", cure="Make one on the server.")
        return
    yield Finding("calendars", ok=True, message=f"{len(calendars)} calendar{'s' * (len(calendars) != 1)}")
    for info in calendars:
        if info.writable is False:
            cure = "Ask its owner for the right to write, or set `direction: from-calendar`."
            yield Finding("rights", ok=False, message=f"{info.name}: may be read, not written", cure=cure)
        else:
            right = "may be written" if info.writable else "the server does not say whether it may be written"
            yield Finding("rights", ok=True, message=f"{info.name}: {right}")


def _failed(code: str, error: StoreError) -> Finding:
    match error:
        case SignInNeeded() | Forbidden() | Missing():
            cure = error.what_to_do
        case Unavailable():
            cure = "Try again later; if it lasts, check the address, the network and the proxy."
        case _:
            cure = "Run `datebook doctor` again; if it lasts, report it."
    return Finding(code, ok=False, message=str(error), cure=cure)
