"""Single instances of a series over Graph: finding the one of a day, changing it, leaving it out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta

from adapters.graph.graph_client import GraphClient, Json, Request, query, segment
from adapters.graph.graph_errors import Asked
from adapters.graph.graph_event import Whole, item_of, mails_somebody
from adapters.graph.graph_series import Pending, pending_of
from adapters.outlook.outlook_fields import Unheld, recurrence_in
from adapters.outlook.outlook_item import ItemKind
from adapters.outlook.outlook_series import exceptions_by_day
from adapters.outlook.outlook_view import Owner, item_view, local_day
from adapters.outlook.recurrence_codec import index_of
from daemon.core.errors import NotFound, Refused, VersionMismatch

_PAGE = 50
_INSTANCE = "id,type,start,end,isAllDay,originalStart,originalStartTimeZone"
WOULD_MAIL = "Microsoft 365 mails every change of this meeting to its guests, and nobody has ordered that"


def path_of(item: str) -> str:
    """The address of one event."""
    return f"/me/events/{segment(item)}"


def carry_out(client: GraphClient, whole: Whole, steps: Pending, owner: Owner) -> None:
    """Change and leave out single instances. What is left out already is fine.

    Raises Unheld where the series has no such instance, Refused, VersionMismatch.
    """
    for day, body in sorted(steps.change.items()):
        item, known = _instance(client, whole, day, owner)
        if item is None:
            raise Unheld(f"the series has no instance on {day.isoformat()}, so Microsoft 365 can't hold a change to it")
        try:
            client.ask(Request("PATCH", path_of(item), body, if_match=known), asked=Asked.ITEM, ref=item)
        except NotFound as error:
            raise VersionMismatch("the instance is gone", store=client.name, ref=item) from error
    for day in sorted(steps.skip):
        item, known = _instance(client, whole, day, owner)
        if item is not None:
            _delete(client, item, known)


def resume(client: GraphClient, whole: Whole, owner: Owner) -> None:
    """Do what stands on a master as still to be done, and take it off. Nobody is mailed who was not to be.

    A step that Graph refuses stays on the list: the item is told as refused, nothing of it is lost.
    """
    master = whole.series.master
    steps = pending_of(master)
    if mails_somebody(whole.event, owner, whole.exceptions) and not steps.mail:
        raise Refused("a change of a series is half done", reason=WOULD_MAIL, store=client.name, ref=master.id)
    recurrence = recurrence_in(item_view(master, owner), owner.limits)
    if recurrence is not None:
        gone = {local_day(start, master, owner) for start in master.deleted}
        skip = {day for day in steps.skip - gone if index_of(recurrence, day) is not None}
        change = {day: body for day, body in steps.change.items() if index_of(recurrence, day) is not None}
        carry_out(client, whole, Pending(frozenset(skip), change), owner)
    # Whatever its version is by now: nobody else writes there.
    body = {"singleValueExtendedProperties": [Pending().properties]}
    client.ask(Request("PATCH", path_of(master.id), body), asked=Asked.ITEM, ref=master.id)


def instances_between(client: GraphClient, whole: Whole, first: date, last: date) -> Iterator[Json]:
    """The instances of a series that begin in these days, those of the days around them too."""
    begin = datetime.combine(first - timedelta(days=1), time(), UTC)
    end = datetime.combine(last + timedelta(days=2), time(), UTC)
    window = f"startDateTime={begin:%Y-%m-%dT%H:%M:%SZ}&endDateTime={end:%Y-%m-%dT%H:%M:%SZ}"
    path = f"{path_of(whole.series.master.id)}/instances{query(select=_INSTANCE)}&{window}"
    for page in client.pages(Request("GET", path, page=_PAGE), asked=Asked.ITEM):
        found = page.get("value")
        yield from (each for each in (found if isinstance(found, list) else ()) if isinstance(each, Mapping))


def original_day_of(instance: Json, whole: Whole, owner: Owner) -> date | None:
    """The day of the series that an instance stands for."""
    item = item_of(instance, owner, whole.event)
    begins = item.original_start if item.kind is ItemKind.EXCEPTION else item.start
    return None if begins is None else local_day(begins, whole.series.master, owner)


def _instance(client: GraphClient, whole: Whole, day: date, owner: Owner) -> tuple[str | None, str]:
    """The id of the instance of a day (None: there is none), and what If-Match may say for it."""
    known = exceptions_by_day(whole.series, owner).get(day)
    if known is not None:
        return known.id, f'W/"{known.changekey}"'
    for each in instances_between(client, whole, day, day):
        if original_day_of(each, whole, owner) == day:
            return str(each.get("id")), ""
    return None, ""


def _delete(client: GraphClient, item: str, known: str) -> None:
    try:
        client.ask(Request("DELETE", path_of(item), if_match=known), asked=Asked.ITEM, ref=item)
    except NotFound:
        return  # it is left out already
