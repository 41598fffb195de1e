"""Changing a series in steps over Graph: its master and each instance take a request of their own (pure).

What steps there are is decided as over EWS, for it is the same mailbox; here they stand on the master as JSON.
Every step says what is to be, so repeating one does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from adapters.graph.graph_codec import Change, event_json
from adapters.graph.graph_event import Json, item_of
from adapters.outlook.outlook_item import OutlookItem
from adapters.outlook.outlook_properties import PENDING, graph_id
from adapters.outlook.outlook_series import Steps
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import Unreadable


@dataclass(frozen=True, slots=True)
class Pending:
    """What is still to be done to single instances, by original day: leave out, or set. `mail`: it was ordered."""

    skip: frozenset[date] = frozenset()
    change: Mapping[date, Json] = field(default_factory=dict)
    mail: bool = False

    def __bool__(self) -> bool:
        return bool(self.skip or self.change)

    @property
    def properties(self) -> dict[str, object]:
        """The property of the master that says it, as a part of a write."""
        change = {day.isoformat(): body for day, body in sorted(self.change.items())}
        said = {"skip": sorted(day.isoformat() for day in self.skip), "patch": change, "mail": self.mail}
        return {"id": graph_id(PENDING), "value": json.dumps(said, ensure_ascii=False) if self else ""}


def pending_for(steps: Steps, master: OutlookItem, event: Json, *, mail: bool, windows_zones: bool = False) -> Pending:
    """The steps as Graph is to be told them; `master` and `event` are as they will be. Raises Unheld."""
    bodies = {
        day: event_json(Change(fields, master, event, mail, windows_zones)) for day, fields in steps.change.items()
    }
    return Pending(steps.skip, {day: body for day, body in bodies.items() if body}, mail)


def pending_of(item: OutlookItem) -> Pending:
    """The steps that stand on a master. Raises Unreadable where another way into the mailbox left them."""
    text = item.properties.get(PENDING)
    if not text:
        return Pending()
    try:
        said = json.loads(text)
        return Pending(
            frozenset(map(date.fromisoformat, said["skip"])),
            {date.fromisoformat(day): body for day, body in said["patch"].items()},
            said["mail"] is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unreadable(
            "a change of this series was left half done over EWS",
            code="half_done",
            cure="Sync once more with the account that began it, or edit the instances in Outlook.",
        ) from None


def with_property(body: Mapping[str, object], said: Mapping[str, object]) -> dict[str, object]:
    """A write that sets this property too."""
    there = body.get("singleValueExtendedProperties")
    return {**body, "singleValueExtendedProperties": [*(there if isinstance(there, list) else []), said]}


def after_write(event: Json, body: Mapping[str, object]) -> dict[str, object]:
    """The event as a write will leave it, as far as its instances inherit from it."""
    merged = {**event, **body}
    if "start" in body:
        merged["originalStartTimeZone"] = _zone(body["start"])
    properties: dict[object, object] = {}
    for source in (event, body):
        said = source.get("singleValueExtendedProperties")
        properties |= {each["id"]: each for each in said if isinstance(each, Mapping)} if isinstance(said, list) else {}
    return {**merged, "singleValueExtendedProperties": list(properties.values())}


def item_after(event: Json, body: Mapping[str, object], owner: Owner) -> OutlookItem:
    """The item as a write will leave it. Raises Unreadable."""
    kind = "seriesMaster" if {**event, **body}.get("recurrence") else "singleInstance"
    return item_of({**after_write(event, body), "type": kind}, owner)


def _zone(start: object) -> object:
    return start.get("timeZone") if isinstance(start, Mapping) else None
