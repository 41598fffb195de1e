"""A mailbox in the Graph simulator, as a scenario's people see it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.scenarios.outlook import Kept, secret
from tests.scenarios.outlook_words import THEIRS, Json, Told
from tests.servers.graph_mailbox import Event, Mailbox
from tests.servers.graph_server import GraphServer, Trouble, serving
from tests.servers.world import HandClock

_numbers = itertools.count(1)


@dataclass
class GraphHand:
    """Another program at the mailbox."""

    graph: GraphServer

    @property
    def box(self) -> Mailbox:
        return self.graph.mailbox

    def address(self, user: str) -> None:
        self.box.address = user

    def account(self, folder: Path) -> dict[str, Any]:
        return {"service": "microsoft365", "url": self.graph.address, "token": secret(folder, "token")}

    def kept(self) -> Iterator[Kept]:
        for event in self.box.events.values():
            properties = {_name(key): value for key, value in event.properties.items()}
            extra = json.loads(properties.get("datebook-extra") or "{}")
            uid = properties.get("datebook-uid") or event.owned["iCalUId"]
            yield Kept(event, _told(event, uid), {**properties, "key": str(event.key)}, extra)

    def make(self, told: Told) -> Event:
        with self._unheard():
            event = self.box.create(self.box.default, told.body)
        event.owned["iCalUId"] = told.uid
        if told.organizer not in {"", self.box.address}:
            event.owned["organizer"] = {"emailAddress": {"address": told.organizer, "name": "Me"}}
            event.owned["isOrganizer"] = False
            event.owned["responseStatus"] = {"response": "notResponded", "time": "0001-01-01T00:00:00Z"}
        return event

    def set(self, handle: Event, body: Json) -> None:
        with self._unheard():
            self.box.update(handle, deepcopy(body))

    def instance(self, handle: Event, day: date) -> Json:
        one = self._instance(handle, day).fields
        return {name: {**one[name], "timeZone": handle.fields[name]["timeZone"]} for name in ("start", "end")}

    def set_instance(self, handle: Event, day: date, body: Json) -> None:
        with self._unheard():
            self.box.update(self._instance(handle, day), deepcopy(body))

    def skip(self, handle: Event, day: date) -> None:
        with self._unheard():
            self.box.delete(self._instance(handle, day))

    def cancel(self, handle: Event) -> None:
        handle.owned["isCancelled"] = True
        self.box.bump(handle)

    def call_off(self, handle: Event, day: date) -> None:
        one = self._instance(handle, day)
        with self._unheard():
            self.box.update(one, {})
        one.owned["isCancelled"] = True

    def meet(self, handle: Event, url: str) -> None:
        handle.owned["onlineMeeting"] = {"joinUrl": url}
        self.box.bump(handle)

    def drop(self, handle: Event) -> None:
        with self._unheard():
            self.box.delete(handle)

    def copy(self, handle: Event) -> Event:
        """What Outlook does with Ctrl+C, Ctrl+V: programs' properties too."""
        names = (
            *("subject", "start", "end", "isAllDay", "body", "location", "categories", "showAs"),
            *("isReminderOn", "reminderMinutesBeforeStart"),
        )
        copied = self.box.create(handle.calendar, {name: deepcopy(handle.fields[name]) for name in names})
        copied.properties = dict(handle.properties)
        return copied

    def rename(self, name: str) -> None:
        """Call the calendar otherwise, or put it elsewhere in the mailbox: its id stays."""
        self.box.calendars[self.box.default].name = name

    def move_away(self) -> None:
        """Put the calendar into another mailbox, where it has another id."""
        gone = self.box.default
        self.box.default = self.box.add_calendar("Elsewhere").id
        for event in self.box.events.values():
            event.calendar = self.box.default
        del self.box.calendars[gone]

    def stop_answering(self, *, times: int) -> None:
        """Be away for so many requests."""
        self.graph.fail(Trouble.ANSWER, status=503, times=times)

    def answer_again(self) -> None:
        """Be back."""
        self.graph.faults.clear()

    def mails(self) -> list[Any]:
        return list(self.box.outbox)

    def _instance(self, series: Event, day: date) -> Event:
        return series.exceptions.get(day) or self.box.occurrence(series, day)

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        before = len(self.box.outbox)
        yield
        del self.box.outbox[before:]


@contextmanager
def in_graph(clock: HandClock) -> Iterator[GraphHand]:
    """A fresh mailbox, whose clock is the story's."""
    server = GraphServer(Mailbox(numbers=_numbers))
    server.mailbox.now = clock.now  # type: ignore[method-assign]  # the story's clock in place of its own
    with serving(server) as graph:
        yield GraphHand(graph)
    assert server.problems == [], server.problems


def _told(event: Event, uid: str) -> Told:
    instances = {day: _body(one, whole=False) for day, one in event.exceptions.items()}
    owned = event.owned
    organizer = owned["organizer"]["emailAddress"]["address"]
    skipped = frozenset(event.cancelled)
    join = (owned["onlineMeeting"] or {}).get("joinUrl", "")
    off = frozenset(day for day, one in event.exceptions.items() if one.owned["isCancelled"])
    return Told(uid, _body(event), organizer, owned["isCancelled"], skipped, instances, join, off)


def _body(event: Event, *, whole: bool = True) -> Json:
    theirs = [{"id": f" {_name(key)}", "value": value} for key, value in event.properties.items() if THEIRS in key]
    return {**event.fields, "singleValueExtendedProperties": theirs if whole else []}


def _name(key: str) -> str:
    name = re.sub(r"^string \{[^}]*\} name ", "", key)
    return name.upper() if THEIRS in key else name
