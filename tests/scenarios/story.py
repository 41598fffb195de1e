"""Plays a scenario step by step, and watches over what must hold in every one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.ics.ics_codec import split
from daemon.control import Reply
from tests.scenarios import replicator
from tests.scenarios.calendars import Calendar, Face, people_of
from tests.scenarios.checks import CHECKS, Seen
from tests.scenarios.person import Person
from tests.scenarios.scenario import Scenario
from tests.servers.running import Servers
from tests.servers.world import HandClock

_MOMENT = timedelta(minutes=1)  # between two things that somebody does
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECRET = "SECRET"  # a word in texts that never leave the folder


@dataclass(slots=True)
class Story:
    """One scenario on a stage of its own. The steps are methods: `sync` is `do_sync`."""

    scenario: Scenario
    root: Path
    new_calendar: Callable[[], Face]
    clock: HandClock = field(default_factory=HandClock)
    person: type[Person] = Person
    people: dict[str, Person] = field(default_factory=dict)
    calendars: dict[str, Face] = field(default_factory=dict)
    reply: Reply = field(default_factory=Reply)
    before: Seen | None = None
    who: str = "me"
    _carried: dict[str, bytes] = field(default_factory=dict)

    @property
    def me(self) -> Person:
        """Whose turn it is."""
        return self.people[self.who]

    def play(self) -> None:
        """Play it all; an assertion says which step failed."""
        try:
            self._set_up()
            for number, (words, value) in enumerate(self.scenario.story, 1):
                try:
                    self._step(words, value)
                except AssertionError as error:
                    raise AssertionError(f"step {number}, {words}: {error}") from None
            self._rests()
        finally:
            for person in self.people.values():
                person.close()

    def _set_up(self) -> None:
        orders = dict(self.scenario.config)
        if self.scenario.people:
            for name in self.scenario.people:
                self.calendars[name] = self.new_calendar()
                own = {**orders, "owner": f"{name}@example.com"}
                self.people[name] = self.person(name, self.root / name, {"work": self.calendars[name]}, own, self.clock)
            self.who = self.scenario.people[0]
        else:
            names = ["work", *(name for name in ("other", "third") if name in orders)]
            self.calendars |= {name: self.new_calendar() for name in names}
            self.people["me"] = self.person("me", self.root / "me", dict(self.calendars), orders, self.clock)
        for path, text in self.scenario.files.items():
            self.me.write(path, text)
        for place, text in self.scenario.calendar.items():
            calendar, uid = self._at(place)
            calendar.put(uid, text)
        self.clock.pass_by(minutes=1)
        if self.scenario.starts == "synced":
            for name in self.people:
                self.do_replicate("")
                self._step(f"sync as {name}", "any")

    def _step(self, words: str, value: Any) -> None:
        words, _, name = words.partition(" as ")
        self.who = name or (self.who if len(self.people) == 1 else next(iter(self.people)))
        verb, _, rest = words.partition(" ")
        getattr(self, f"do_{verb}")(rest, value) if rest else getattr(self, f"do_{verb}")(value)
        if verb not in {"expect", "wait"}:
            self.clock.pass_by(minutes=1)

    def _at(self, place: str) -> tuple[Face, str]:
        """`lunch` is in the first calendar, `other/lunch` in the one of that name."""
        name, _, uid = place.rpartition("/")
        return self.calendars[name or next(iter(self.calendars))], uid

    # What people do ------------------------------------------------------------------------------

    def do_file(self, path: str, value: str | Mapping[str, str]) -> None:
        if isinstance(value, str):
            self.me.write(path, value)
        else:
            self.me.edit(path, value)

    def do_remove(self, path: str) -> None:
        for one in [path] if isinstance(path, str) else path:
            (self.me.store / one).unlink()

    def do_rename(self, value: Mapping[str, str]) -> None:
        for old, new in value.items():
            (self.me.store / new).parent.mkdir(parents=True, exist_ok=True)
            (self.me.store / old).rename(self.me.store / new)

    def do_event(self, place: str, value: str | Mapping[str, str]) -> None:
        calendar, uid = self._at(place)
        if isinstance(value, str):
            calendar.put(uid, value)
        else:
            calendar.edit(uid, value, self.clock.now())

    def do_drop(self, place: str | list[str]) -> None:
        for one in [place] if isinstance(place, str) else place:
            calendar, uid = self._at(one)
            calendar.drop(uid)

    def do_renew(self, place: str | list[str]) -> None:
        for one in [place] if isinstance(place, str) else place:
            calendar, uid = self._at(one)
            calendar.renew(uid)

    def do_wait(self, length: str) -> None:
        number, unit = re.fullmatch(r"(\d+)([smhd])", length).groups()  # type: ignore[union-attr]  # a scenario's typo
        self.clock.pass_by(**{_UNITS[unit]: int(number)})

    def do_replicate(self, _: str) -> None:
        folders = [person.store for person in self.people.values() if person.store.exists()]
        if len(self.people) > 1:
            for person in self.people.values():
                person.store.mkdir(parents=True, exist_ok=True)
            self._carried = replicator.carry([person.store for person in self.people.values()], self._carried)
        assert folders or len(self.people) == 1 or not self._carried

    # What they have Datebook do ------------------------------------------------------------------

    def do_sync(self, code: str) -> None:
        self._order("sync", {}, code)

    def do_approve(self, value: str) -> None:
        self._order("approve", {"mail": "mail" in value}, value.replace("mail", "").strip())

    def do_plan(self, value: str) -> None:
        self._order("plan", {}, value)

    def do_resolve(self, path: str, keep: str) -> None:
        self._order("resolve", {"file": path, "keep": keep}, "")

    def do_undo(self, what: str, code: str = "") -> None:
        """Undo the newest entry of the log that is like this: `create calendar`."""
        action, _, side = what.partition(" ")
        entries: Any = self.me.order("log").data["entries"]
        found = next((one for one in entries if (one["action"], one["side"]) == (action, side)), None)
        assert found, [f"{one['action']} {one['side']}" for one in entries]
        self._order("undo", {"entry": found["id"]}, code)

    def do_restore(self, path: str) -> None:
        self._order("restore", {"file": path}, "")

    def do_import(self, path: str, code: str) -> None:
        objects = [raw.decode() for _, raw in split((self.root / path).read_bytes().replace(b"\n", b"\r\n"))]
        preview = code == "preview"
        self._order("import", {"objects": objects, "preview": preview}, "" if preview else code)

    def do_export(self, value: str) -> None:
        self._order("export", {"format": value}, "")

    def do_disconnect(self, account: str) -> None:
        self._order("disconnect", {"account": account}, "")
        self.me.close()

    def do_connect(self, account: str) -> None:
        self.me.close()
        self.me.app(connecting=account)
        self._order("connect", {"account": account}, "")

    def do_configure(self, value: Mapping[str, Any]) -> None:
        self.me.configure(value)

    def do_lose(self, what: str, _: str) -> None:
        assert what == "journal", what
        self.me.lose_journal()

    def do_beside(self, name: str, text: str) -> None:
        """A file outside the store, to import."""
        (self.root / name).write_text(text)

    def do_expect(self, wanted: Mapping[str, Any]) -> None:
        for name, value in wanted.items():
            CHECKS[name](self, value)

    def _order(self, name: str, args: Mapping[str, Any], code: str) -> None:
        self.before = self.look()
        self.reply = self.me.order(name, args)
        if code != "any":
            said = f"{self.reply.message} {self.reply.data or ''}"
            assert self.reply.code == int(code or 0), f"exit code {self.reply.code}, not {code or 0}: {said}"
        self._holds_always()

    def look(self) -> Seen:
        """Everything that both sides show."""
        files = {f"{name}:{path}": text for name, one in self.people.items() for path, text in one.files().items()}
        events = {f"{name}/{uid}": text for name, one in self.calendars.items() for uid, text in one.events().items()}
        return Seen(files, events)

    # What holds in every scenario ----------------------------------------------------------------

    def _holds_always(self) -> None:
        """No order changes who is on an event, nor lets a text out that stays in the folder, unless it was told to."""
        now = self.look()
        for name, text in now.events.items():
            assert _SECRET not in text, f"a text that never leaves the folder is in {name}"
        if self.scenario.mails or self.before is None:
            return
        for name, text in self.before.events.items():
            if people_of(text):
                assert name in now.events, f"{name} has guests and was deleted"
                assert people_of(now.events[name]) == people_of(text), f"the guests of {name} were changed"
        for name, text in now.events.items():
            assert name in self.before.events or not people_of(text), f"{name} was made with guests"

    def _rests(self) -> None:
        """Once more changes nothing, on either side."""
        for name in self.people:
            self.do_replicate("")
            self._step(f"sync as {name}", "any")
            assert self.reply.code in {0, 3}, self.reply.message
            assert self.before is not None
            now = self.look()
            assert now == self.before, f"one more sync writes: {self.before.difference(now)}"


def play(scenario: Scenario, root: Path, servers: Servers, server: Any) -> None:
    """Play one scenario on fresh calendars of a running server."""
    running = servers.get(server)
    Story(scenario, root, lambda: Calendar(running, servers.calendar(running))).play()
