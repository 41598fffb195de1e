"""What changed in a Microsoft 365 calendar: ids alone, by one of two feeds of which a probe chooses.

`events/delta` covers the whole calendar; Microsoft documents it for beta, and v1.0 answers it in the field.
`calendarView/delta` is documented for v1.0 and sees a window of time: what leaves the window is told as removed,
so the window moves on only with a full round. The choice stands in the cursor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from adapters.graph.graph_client import GraphClient, Json, Request, query, segment
from adapters.graph.graph_errors import Asked
from adapters.graph.graph_event import changekey_of
from daemon.core.errors import CursorExpired, Unavailable
from daemon.core.store import Changes, Ref

_PAGE = 200
_BEFORE, _AFTER = timedelta(days=365), timedelta(days=1455)  # together less than the 1825 days that a view may span
_ROLL = timedelta(days=92)  # the window moves on after so long
# What a service answers that has no such feed: a 404 may mean that it took "delta" for the id of an event.
_NO_FEED = frozenset({400, 404, 405, 501})
_OF_A_SERIES = frozenset({"occurrence", "exception"})


class Kind(StrEnum):
    """Which feed: the words of the cursor."""

    EVENTS = "events"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which feed: the cursor, opened. `since` is the day on which its window was laid."""

    kind: Kind
    link: str
    since: date

    def cursor(self, calendar: str) -> str:
        """As it is kept."""
        said = {"calendar": calendar, "feed": self.kind, "link": self.link, "since": self.since.isoformat()}
        return json.dumps(said)


@dataclass(slots=True)
class Feed:
    """The changes of one calendar. `gone` are told of ids that are no longer in it, or in the window."""

    client: GraphClient
    calendar: str
    today: Callable[[], date]

    def changes(self, cursor: str | None) -> Changes:
        """What changed since; None: everything. Raises CursorExpired."""
        if cursor is None:
            return self._everything()
        place = self._place(cursor)
        if place.kind is Kind.VIEW and self.today() - place.since > _ROLL:
            raise CursorExpired("the window of time has moved on", store=self.client.name)
        request = Request("GET", self.client.path_of(place.link), page=_PAGE)
        there, gone, link = self._round(self.client.pages(request, asked=Asked.FEED))
        return Changes(
            items=[Ref(item, version) for item, version in there.items()],
            gone=[item for item in gone if item not in there],
            cursor=Place(place.kind, link, place.since).cursor(self.calendar),
            complete=False,
        )

    def _everything(self) -> Changes:
        kind, pages = self._probe()
        there, _, link = self._round(pages)
        if kind is Kind.VIEW:
            # The window shows a part only; the list of the calendar has all, singles and masters.
            there = {**there, **dict.fromkeys(self._listed(), "")}
        return Changes(
            items=[Ref(item, version) for item, version in there.items()],
            gone=[],
            cursor=Place(kind, link, self.today()).cursor(self.calendar),
            complete=True,
        )

    def _probe(self) -> tuple[Kind, Iterator[Json]]:
        """The feed that this service has. Raises what the calendar itself answers."""
        path = f"/me/calendars/{segment(self.calendar)}/events/delta{query(select='id,type,seriesMasterId')}"
        request = Request("GET", path, page=_PAGE)
        answer = self.client.send(request)
        if answer.ok:
            return Kind.EVENTS, self.client.rest_of(answer.body, request, asked=Asked.CALENDAR)
        if answer.status not in _NO_FEED:
            raise self.client.error(answer, request, asked=Asked.CALENDAR)
        return Kind.VIEW, self.client.pages(self._view(), asked=Asked.CALENDAR)

    def _view(self) -> Request:
        begin = datetime.combine(self.today() - _BEFORE, datetime.min.time(), UTC)
        end = datetime.combine(self.today() + _AFTER, datetime.min.time(), UTC)
        window = f"startDateTime={begin:%Y-%m-%dT%H:%M:%SZ}&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}"
        return Request("GET", f"/me/calendars/{segment(self.calendar)}/calendarView/delta?{window}", page=_PAGE)

    def _listed(self) -> Iterator[str]:
        options = query(select="id", top=str(_PAGE))
        request = Request("GET", f"/me/calendars/{segment(self.calendar)}/events{options}", page=_PAGE)
        for page in self.client.pages(request, asked=Asked.CALENDAR):
            yield from (str(each["id"]) for each in _items(page))

    def _round(self, pages: Iterator[Json]) -> tuple[dict[str, str], list[str], str]:
        """Items with versions, ids that are said to be gone, and where it ends. One id may come several times."""
        there: dict[str, str] = {}
        gone: dict[str, None] = {}
        link: object = ""
        for page in pages:
            link = page.get("@odata.deltaLink")
            for each in _items(page):
                item = str(each["id"])
                if "@removed" in each:
                    gone[item] = None
                elif each.get("type") in _OF_A_SERIES or isinstance(each.get("seriesMasterId"), str):
                    there[str(each.get("seriesMasterId"))] = ""
                else:
                    # Of two mentions neither is known to be the newer one; a series has exceptions' versions too.
                    plain = each.get("type") == "singleInstance" and item not in there
                    there[item] = changekey_of(each) if plain else ""
        if not isinstance(link, str) or not link:
            raise Unavailable("Microsoft 365's list of changes does not end", store=self.client.name, uncertain=False)
        # Said to be there and gone in one round: reading it tells.
        return {item: "" if item in gone else version for item, version in there.items()}, list(gone), link

    def _place(self, cursor: str) -> Place:
        try:
            said = json.loads(cursor)
            calendar, link = said["calendar"], said["link"]
            place = Place(Kind(said["feed"]), link, date.fromisoformat(said["since"]))
        except (ValueError, TypeError, KeyError):
            raise CursorExpired("the cursor is not one of Microsoft 365", store=self.client.name) from None
        if calendar != self.calendar or not isinstance(link, str) or not link:
            raise CursorExpired("the cursor is of another calendar", store=self.client.name)
        return place


def _items(page: Json) -> Iterator[Json]:
    found = page.get("value")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("id"), str):
            yield each
