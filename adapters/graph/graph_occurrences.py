"""The exceptions and cancelled occurrences of a series where Graph does not name them: worked out of its instances.

`exceptionOccurrences` and `cancelledOccurrences` came to v1.0 in 2026; clouds of nations get such things later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import takewhile

from adapters.graph.graph_client import GraphClient, Json
from adapters.graph.graph_event import Whole, kind_of, whole_of
from adapters.graph.graph_instances import instances_between, original_day_of
from adapters.outlook.outlook_item import ItemKind
from adapters.outlook.outlook_view import Owner
from adapters.outlook.recurrence_codec import instances
from daemon.core.errors import Refused

_AHEAD = timedelta(days=5 * 366)
_AT_ONCE = timedelta(days=1800)  # a window may not span more than 1825 days


def with_occurrences(client: GraphClient, event: Json, owner: Owner) -> Json:
    """The event with both, from its first day until five years from now; one that is no series as it is.

    Raises Refused where the instances do not tell it either.
    """
    if kind_of(event) is not ItemKind.MASTER:
        return event
    whole = whole_of(event, [], owner)
    recurrence = whole.series.master.recurrence
    if recurrence is None:
        return event
    horizon = client.clock().date() + _AHEAD
    wanted = list(takewhile(lambda day: day <= horizon, instances(recurrence)))
    if not wanted:
        return event
    listed = list(_between(client, whole, wanted[0], wanted[-1]))
    master = whole.series.master.id
    if not all(each.get("type") for each in listed):
        reason = "the service does not tell which instances of the series differ from it"
        raise Refused("instances without their type", reason=reason, store=client.name, ref=master)
    found = {original_day_of(each, whole, owner): each for each in listed}
    return {
        **event,
        "exceptionOccurrences": [{"id": each["id"]} for each in found.values() if _is_exception(each)],
        "cancelledOccurrences": [f"OID.{master}.{day.isoformat()}" for day in wanted if day not in found],
    }


def _between(client: GraphClient, whole: Whole, first: date, last: date) -> Iterator[Json]:
    begin = first
    while begin <= last:
        end = min(begin + _AT_ONCE, last)
        yield from instances_between(client, whole, begin, end)
        begin = end + timedelta(days=1)


def _is_exception(instance: Json) -> bool:
    return kind_of(instance) is ItemKind.EXCEPTION
