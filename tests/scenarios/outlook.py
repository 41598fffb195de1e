"""The stage of a scenario in Outlook's world: a mailbox of a simulator in place of a calendar on a Radicale.

What somebody does to an event is told in iCalendar; the differences to what is there are done to the mailbox, as
another program at it would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from tests.scenarios.calendars import Edit, Face, edited, wrapped
from tests.scenarios.outlook_words import Json, Told, Words
from tests.scenarios.person import Person
from tests.scenarios.scenario import Scenario
from tests.scenarios.story import Story
from tests.servers.world import HandClock


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as a service has it: `handle` is its own; `properties` are those of programs; `extra` is Datebook's."""

    handle: Any
    told: Told
    properties: Mapping[str, str]
    extra: Mapping[str, str]


class Hand(Protocol):
    """Another program at a mailbox; what it does mails nobody."""

    def address(self, user: str) -> None:
        """Whose mailbox it is."""

    def account(self, folder: Path) -> dict[str, Any]:
        """How Datebook signs in; secrets are kept in the folder."""

    def kept(self) -> Iterator[Kept]:
        """All events."""

    def make(self, told: Told) -> Any:
        """Make an event without its instances; its handle."""

    def set(self, handle: Any, body: Json) -> None:
        """Set fields of an event."""

    def instance(self, handle: Any, day: date) -> Json:
        """Start and end of an instance as it is."""

    def set_instance(self, handle: Any, day: date, body: Json) -> None:
        """Set fields of an instance."""

    def skip(self, handle: Any, day: date) -> None:
        """Delete an instance."""

    def cancel(self, handle: Any) -> None:
        """Its organiser has cancelled it."""

    def call_off(self, handle: Any, day: date) -> None:
        """Its organiser has cancelled an instance."""

    def meet(self, handle: Any, url: str) -> None:
        """Make an online meeting of it."""

    def drop(self, handle: Any) -> None:
        """Delete an event."""

    def copy(self, handle: Any) -> Any:
        """Copy an event, with the properties that programs have put on it."""

    def mails(self) -> list[Any]:
        """What the service sent to guests."""


@dataclass
class OutlookCalendar:
    """A mailbox's own calendar, in the words of iCalendar."""

    hand: Hand
    words: Words = field(default_factory=Words)
    url: str = "primary"

    def events(self) -> dict[str, str]:
        """The events by UID."""
        return {
            one.told.uid: self.words.text(one.told, one.properties, one.extra)
            for one in self.hand.kept()
        }  # fmt: skip

    def put(self, uid: str, text: str) -> None:
        """Add an event, or make the one that is there say this."""
        text = wrapped(uid, text)
        self.words.remember_organizer(text)
        after = self.words.told(uid, text)
        there = self._there(uid)
        if there is None:
            self._change(self.hand.make(after), {}, after, Told(uid, after.body, after.organizer))
            return
        before = self.words.told(uid, self.words.text(there.told, there.properties, there.extra))
        news = {name: value for name, value in after.body.items() if value != before.body[name]}
        self._change(there.handle, news, after, before)

    def edit(self, uid: str, edit: Edit, _now: datetime) -> None:
        """Change properties of an event."""
        self.put(uid, edited(self.events()[uid], edit))

    def drop(self, uid: str) -> None:
        """Delete an event."""
        there = self._there(uid)
        assert there is not None, f"the calendar has no event {uid}: {sorted(self.events())}"
        self.hand.drop(there.handle)

    def renew(self, uid: str) -> None:
        """Drag an event out of the calendar and back."""
        there = self._there(uid)
        assert there is not None, f"the calendar has no event {uid}: {sorted(self.events())}"
        self.hand.copy(there.handle)
        self.hand.drop(there.handle)

    def _there(self, uid: str) -> Kept | None:
        return next((one for one in self.hand.kept() if one.told.uid == uid), None)

    def _change(self, handle: Any, news: Json, after: Told, before: Told) -> None:
        if news:
            self.hand.set(handle, news)
        for day, body in after.instances.items():
            base = before.instances.get(day) or {**after.body, **self.hand.instance(handle, day), "recurrence": None}
            own = {name: value for name, value in body.items() if value != base[name]}
            own.pop("singleValueExtendedProperties", None)
            if own:
                self.hand.set_instance(handle, day, own)
        for day in after.skipped - before.skipped:
            self.hand.skip(handle, day)
        for day in after.called_off - before.called_off:
            self.hand.call_off(handle, day)
        if after.cancelled and not before.cancelled:
            self.hand.cancel(handle)
        if after.join != before.join:
            self.hand.meet(handle, after.join)


class OutlookPerson(Person):
    """Somebody whose calendars are in mailboxes."""

    def _account(self, name: str, calendar: Face) -> dict[str, Any]:
        assert isinstance(calendar, OutlookCalendar)
        owner = str(self.orders.get("owner", "me@example.com"))
        user = self.orders.get(name, {}).get("user", owner)
        calendar.words.me = user
        calendar.hand.address(user)
        folder = self.root / f"secrets-of-{name}"
        folder.mkdir(exist_ok=True)
        return {**calendar.hand.account(folder), "user": user}


Serve = Callable[[HandClock], AbstractContextManager[Hand]]


def play_in_outlook(scenario: Scenario, root: Path, serve: Serve) -> None:
    """Play a scenario; guests hear of it only where somebody ordered so."""
    clock = HandClock()
    hands: list[Hand] = []
    with ExitStack() as stack:

        def new_calendar() -> Face:
            hands.append(stack.enter_context(serve(clock)))
            return OutlookCalendar(hands[-1])

        Story(scenario, root, new_calendar, clock, person=OutlookPerson).play()
    if not re.search(r"guests\W+(?:ask|send)", f"{scenario.config} {scenario.story}"):
        assert [mail for hand in hands for mail in hand.mails()] == []


def secret(folder: Path, text: str) -> dict[str, str]:
    """A secret in a file that its user alone can read."""
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return {"file": str(path)}
