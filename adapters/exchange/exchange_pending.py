"""The steps of a series as requests to EWS, and as they stand on its master while they are still to be done."""

from __future__ import annotations

import json
from datetime import date

from lxml import etree

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import update_item
from adapters.outlook.outlook_item import ItemTarget, OccurrenceTarget, OutlookItem
from adapters.outlook.outlook_properties import PENDING
from adapters.outlook.outlook_series import Steps


def requests_of(steps: Steps, *, mail: bool) -> dict[date, Element]:
    """The requests that change occurrences; each still lacks which occurrence it is for."""
    return {
        day: update_item(OccurrenceTarget("", 0), fields, mail=mail)
        for day, fields in sorted(steps.change.items())
        if fields
    }


def pending_text(steps: Steps, *, mail: bool) -> str:
    """The steps as a text."""
    change = {day.isoformat(): etree.tostring(each).decode() for day, each in requests_of(steps, mail=mail).items()}
    return json.dumps({"skip": sorted(day.isoformat() for day in steps.skip), "change": change}, ensure_ascii=False)


def pending_of(item: OutlookItem) -> tuple[frozenset[date], dict[date, Element]]:
    """The steps that are still to be done on an item: days to leave out, requests by day. Raises ValueError."""
    said = json.loads(item.properties.get(PENDING) or "{}")
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return (
        frozenset(map(date.fromisoformat, said.get("skip", ()))),
        {
            date.fromisoformat(day): etree.fromstring(text.encode(), parser)
            for day, text in said.get("change", {}).items()
        },
    )


def aimed(request: Element, target: ItemTarget | OccurrenceTarget, *, mail: bool) -> Element:
    """The request for this very occurrence."""
    change = request.find(f".//{T}ItemChange")
    if change is None:
        raise ValueError("no request to update an item")
    named = update_item(target, {}, mail=mail).find(f".//{T}ItemChange")
    if named is not None:
        change.replace(change[0], named[0])
    sending = "SendToAllAndSaveCopy" if mail else "SendToNone"
    request.set("SendMeetingInvitationsOrCancellations", sending)
    return request
