"""One sign-in at Microsoft 365: its calendars and its checks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from adapters.graph.graph_client import GraphClient, Json, Request, base_of, query
from adapters.graph.graph_errors import NO_EDIT, Asked
from adapters.graph.graph_store import GraphStore
from adapters.net.transport import Session
from adapters.outlook.outlook_view import Owner
from adapters.outlook.recurrence_pattern import GRAPH
from daemon.core.errors import Forbidden, Missing, SignInNeeded, StoreError
from daemon.core.store import CalendarInfo, Finding

_PAGE = 100
_CALENDARS = query(select="id,name,isDefaultCalendar,canEdit,hexColor,owner", top=str(_PAGE))
_NOT_THERE = "choose another one (`datebook calendars`), or make it in Outlook"
_MOST_SKEW = 60  # seconds


@dataclass(frozen=True, slots=True)
class _Calendar:
    info: CalendarInfo
    owner: str


class GraphAccount:
    """A user of Microsoft 365.

    `url` "" means Microsoft's own address; another one may end in the version or not. `token` gives a bearer
    token whenever it is asked: a TokenSource, or a broker. `user` is the mailbox's address, where the calendars
    do not say it; `also` another address of the same person. `zone` is an IANA name, for what comes without
    one; `clock` gives aware times. `types` are those of the config: here a type travels as a category, so any
    is fine. `name` stands in errors.
    """

    def __init__(  # noqa: PLR0913  what the config says of an account, all by name
        self,
        url: str,
        token: Callable[[], str],
        *,
        ca: Path | None = None,
        zone: str = "UTC",
        types: Sequence[str] = (),
        clock: Callable[[], datetime],
        name: str = "",
        user: str = "",
        also: str = "",
        timeout: float = 30.0,
    ) -> None:
        del types
        self._zone, self._clock, self._name = zone, clock, name
        self._user, self._also = user, also
        self._session = Session(ca=ca, timeout=timeout, store=name)
        self._client = GraphClient(self._session, base_of(url), token, clock, name)

    def calendars(self) -> Sequence[CalendarInfo]:
        """The calendars of the mailbox, its own one first. Raises SignInNeeded, Forbidden, Unavailable."""
        return [each.info for each in self._calendars()]

    def open(self, calendar: str) -> GraphStore:
        """Open a calendar by id, display name, or `primary`. Raises Missing, naming what there is."""
        there = self._calendars()
        found = self._named(calendar, there)
        address = self._user or next((each.owner for each in there if each.info.primary), "") or found.owner
        owner = Owner(address.lower(), self._zone, GRAPH, self._also.lower())
        return GraphStore(self._client, found.info.id, owner, self._clock)

    def check(self) -> Iterator[Finding]:
        """Test sign-in, clock, calendars and rights, without a write; the first failure ends it."""
        try:
            calendars = self.calendars()
            yield Finding("login", ok=True, message="Microsoft 365 took the sign-in")
        except StoreError as error:
            yield Finding("login", ok=False, message=str(error), cure=_cure(error))
            return
        yield from self._check_clock()
        for calendar in calendars:
            can_write = calendar.writable is not False
            words = "can be written" if can_write else "can be read only"
            cure = "" if can_write else NO_EDIT
            yield Finding("rights", ok=can_write, message=f"calendar {calendar.name!r} {words}", cure=cure)

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _named(self, calendar: str, there: Sequence[_Calendar]) -> _Calendar:
        if calendar in {"primary", ""}:
            found = [each for each in there if each.info.primary]
        else:
            by_id = [each for each in there if each.info.id == calendar]
            found = by_id or [each for each in there if each.info.name.casefold() == calendar.casefold()]
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(repr(each.info.name) for each in there))
        what = "more than one calendar" if found else "no calendar"
        raise Missing(f"{what} is called {calendar!r}; there are {names}", what_to_do=_NOT_THERE, store=self._name)

    def _calendars(self) -> list[_Calendar]:
        request = Request("GET", f"/me/calendars{_CALENDARS}")
        found = [
            _calendar(each)
            for page in self._client.pages(request, asked=Asked.CALENDAR)
            for each in _values(page)
            if isinstance(each.get("id"), str)
        ]
        if found and not any(each.info.primary for each in found):
            found = [self._marked(each) for each in found]
        return sorted(found, key=lambda each: (not each.info.primary, each.info.name.casefold()))

    @functools.cached_property
    def _primary(self) -> str:
        """The id of the mailbox's own calendar, where the list does not mark it."""
        request = Request("GET", f"/me/calendar{query(select='id')}")
        return str(self._client.ask(request, asked=Asked.CALENDAR).get("id"))

    def _marked(self, calendar: _Calendar) -> _Calendar:
        primary = calendar.info.id == self._primary
        return replace(calendar, info=replace(calendar.info, primary=primary))

    def _check_clock(self) -> Iterator[Finding]:
        said = self._client.send(Request("GET", f"/me/calendars{query(select='id', top='1')}")).headers.get("date", "")
        try:
            skew = abs((parsedate_to_datetime(said) - self._clock()).total_seconds())
        except (ValueError, TypeError):
            return
        fine = skew <= _MOST_SKEW
        cure = "" if fine else "set this computer's clock (timedatectl set-ntp true)"
        yield Finding("clock", ok=fine, message=f"this computer's clock differs by {skew:.0f} s", cure=cure)


def _calendar(said: Json) -> _Calendar:
    editable, owner = said.get("canEdit"), said.get("owner")
    return _Calendar(
        CalendarInfo(
            str(said["id"]),
            str(said.get("name") or ""),
            primary=said.get("isDefaultCalendar") is True,
            writable=editable if isinstance(editable, bool) else None,
            color=str(said.get("hexColor") or ""),
        ),
        str(owner.get("address") or "") if isinstance(owner, Mapping) else "",
    )


def _values(page: Json) -> Iterator[Json]:
    found = page.get("value")
    yield from (each for each in (found if isinstance(found, list) else ()) if isinstance(each, Mapping))


def _cure(error: StoreError) -> str:
    if isinstance(error, Forbidden | Missing | SignInNeeded):
        return error.what_to_do
    return "try again later"
