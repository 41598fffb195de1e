"""One sign-in at Google Calendar, over CalDAV: where its calendars are, and which one is the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from adapters.dav.caldav_account import CalDavAccount
from adapters.dav.caldav_collection import Collection
from adapters.dav.caldav_discovery import Discovery, Found
from adapters.dav.caldav_href import to_id
from adapters.google_calendar.google_store import GOOGLE, GoogleStore
from daemon.core.errors import Missing
from daemon.core.store import CalendarInfo, Finding

ADDRESS = "https://apidata.googleusercontent.com/caldav/v2/"
_ROOT = "/caldav/v2/"
# Calendars that Google fills: holidays, birthdays, subscriptions.
_FILLED_BY_GOOGLE = ("@virtual", "@group.v.calendar.google.com", "@import.calendar.google.com")
_UNLISTED = (
    "Google lists only what is ticked at https://calendar.google.com/calendar/syncselect; any other is found by its id "
    "(its settings in Google's page, Integrate calendar)."
)


class GoogleAccount(CalDavAccount):
    """A user of Google Calendar.

    `url` "" means Google's own address. `token` gives a bearer token whenever it is asked; `renew`, where it
    is our own sign-in, another one in place of one that was refused. `user` is the account's address, `owner`
    another one under which its user stands on events. For the rest see CalDavAccount.
    """

    def __init__(  # noqa: PLR0913  what the config says of an account, all by name
        self,
        url: str,
        user: str,
        token: Callable[[], str],
        *,
        renew: Callable[[str], str] | None = None,
        ca: Path | None = None,
        zone: str,
        types: Sequence[str],
        clock: Callable[[], datetime],
        name: str = "",
        owner: str = "",
        timeout: float = 30.0,
    ) -> None:
        url = url or ADDRESS
        super().__init__(
            url,
            user,
            token,
            bearer=True,
            ca=ca,
            zone=zone,
            types=types,
            clock=clock,
            name=name,
            organizer=user if "@" in user else owner,
            timeout=timeout,
            renew=renew,
            quirks=GOOGLE,
        )
        self._user = user.casefold()
        self._own = frozenset(text.lower() for text in (user, owner) if "@" in text)
        self._discovery = _Discovery(self._client, url, store=self._name, clock=clock, looks_around=False)
        self._discovery.user = self._user

    def check(self) -> Iterator[Finding]:
        """Test sign-in, calendars, rights and clock, without a write; the first failure ends it."""
        for finding in super().check():
            yield finding
            if finding.code == "principal" and finding.ok:
                yield from self._who()

    def _who(self) -> Iterator[Finding]:
        """Whether the one who signed in is the one whom the config names."""
        signed_in = calendar_id(self._discovery.entry().principal)
        if "@" in signed_in and "@" in self._user and signed_in.casefold() != self._user:
            message = f"the sign-in is that of {signed_in}, and the config says {self._user}"
            cure = f"Write `user: {signed_in}`, or sign in as the other: `datebook connect {self._name} --again`."
            yield Finding("user", ok=False, message=message, cure=cure)

    def _named(self, calendar: str) -> Found:
        """By id first: calendars that are shared with the user are often not listed."""
        if "@" in calendar and "/" not in calendar:
            found = self._discovery.at(f"{self._root()}{quote(calendar, safe='@')}/events/")
            if found is not None:
                return found
        try:
            return super()._named(calendar)
        except Missing as missing:
            raise Missing(str(missing), what_to_do=f"{missing.what_to_do} {_UNLISTED}", store=self._name) from None

    def _root(self) -> str:
        before, root, _ = self._url.partition(_ROOT)
        if root:
            return before + root
        return urljoin(self._url, _ROOT) if urlsplit(self._url).path in {"", "/"} else self._url

    def _store(self, found: Found) -> GoogleStore:
        collection = Collection(self._client, found.url, self._name, self._clock)
        return GoogleStore(collection, zone=self._zone, types=self._types, organizer=self._organizer, own=self._own)


class _Discovery(Discovery):
    """Google's layout: `/caldav/v2/ID/user`, `/caldav/v2/ID/events/`; the user's own calendar is called after them."""

    user = ""

    def calendars(self) -> list[Found]:
        """All calendars that are ticked at calendar.google.com/calendar/syncselect."""
        found = [_as_google_has_it(calendar) for calendar in super().calendars()]
        own = [calendar for calendar in found if self.user and calendar_id(calendar.url).casefold() == self.user]
        if len(own) != 1:
            return found
        return [replace(each, info=replace(each.info, primary=each is own[0])) for each in found]

    def at(self, url: str) -> Found | None:
        """The calendar at this very URL; None when there is something else or nothing."""
        found = super().at(url)
        return _as_google_has_it(found) if found is not None else None

    def _addresses(self) -> Iterable[str]:
        if urlsplit(self._url).path in {"", "/"}:
            yield urljoin(self._url, _ROOT)
        yield from super()._addresses()

    def _default(self, inbox: str) -> str:
        return urljoin(inbox, "../events/")


def calendar_id(url: str) -> str:
    """The calendar's id in an address of Google's layout; "" in any other."""
    _, root, rest = to_id(url).partition(_ROOT)
    return rest.partition("/")[0] if root else ""


def _as_google_has_it(found: Found) -> Found:
    """A calendar by the id that Google shows for it; of rights it does not speak, but what it fills is read only."""
    id_ = calendar_id(found.url)
    if not id_:
        return found
    writable = False if id_.endswith(_FILLED_BY_GOOGLE) else found.info.writable
    info: CalendarInfo = replace(found.info, id=id_, writable=writable)
    return replace(found, info=info)
