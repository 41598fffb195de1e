"""Reads the `calendars` of the config: the routes between the store and the accounts' calendars."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, timedelta

from config.keys import Keys
from config.node import Listing, Node, Section, instead
from config.values import ValueReader
from daemon.core.policy import (
    Backlog,
    Brake,
    Direction,
    DoneShown,
    FileFormat,
    GuestMail,
    OnCalendarDelete,
    OnConflict,
    PrivateEvents,
    Route,
    Rule,
    Since,
)

_KEYS = (
    "account", "calendar", "direction", "send", "receive_as", "rules", "since", "backlog", "private_events", "guests",
    "done_in_calendar", "on_conflict", "on_calendar_delete", "brake", "delete_grace", "include_context", "folder",
    "format", "poll",
)  # fmt: skip
_CONDITIONS = ("title", "category", "guest_domain", "calendar", "video", "longer", "shorter")
_PLACES = ("year", "month")


class RouteReader:
    """Reads routes. `types` and `accounts` are the names that the rest of the config defines."""

    def __init__(self, values: ValueReader, types: Collection[str], accounts: Collection[str], *, shared: bool) -> None:
        self._values = values
        self._types = types
        self._accounts = accounts
        self._private = PrivateEvents.BUSY if shared else PrivateEvents.FULL
        # Where the user's own types lack `meeting`, the first of them is the plainest guess.
        self._incoming = "meeting" if "meeting" in types else next(iter(types), "meeting")

    def route(self, name: str, section: Section) -> Route:
        """One route, with every default; what can't be read is noted and has its default."""
        keys = Keys(section, f"calendars.{name}", self._values.problems)
        keys.only(_KEYS)
        keys.require("account", "Write the name of one of your `accounts`.")
        values, default = self._values, Route(name, "")
        return Route(
            name=name,
            account=keys.take("account", self._account, ""),
            calendar=keys.take("calendar", values.text, default.calendar),
            direction=keys.take("direction", lambda n, w: values.word(n, w, Direction), default.direction),
            send=keys.take("send", self._send, None),
            receive_as=keys.take("receive_as", self._type, self._incoming),
            rules=self._rules(keys, name),
            since=keys.take("since", self._since, default.since),
            backlog=keys.take("backlog", lambda n, w: values.word(n, w, Backlog), default.backlog),
            private_events=keys.take("private_events", lambda n, w: values.word(n, w, PrivateEvents), self._private),
            guests=keys.take("guests", lambda n, w: values.word(n, w, GuestMail), default.guests),
            done_in_calendar=keys.take(
                "done_in_calendar", lambda n, w: values.word(n, w, DoneShown), default.done_in_calendar
            ),
            on_conflict=keys.take("on_conflict", lambda n, w: values.word(n, w, OnConflict), default.on_conflict),
            on_calendar_delete=keys.take(
                "on_calendar_delete", lambda n, w: values.word(n, w, OnCalendarDelete), default.on_calendar_delete
            ),
            brake=self._brake(keys, name),
            delete_grace=keys.take("delete_grace", values.duration, default.delete_grace),
            include_context=keys.take("include_context", values.boolean, default.include_context),
            folder=keys.take("folder", self._folder, default.folder),
            format=keys.take("format", lambda n, w: values.word(n, w, FileFormat), default.format),
            poll=keys.take("poll", self._poll, default.poll),
        )

    def _account(self, node: Node, what: str) -> str | None:
        return self._values.known(node, what, self._accounts, "Accounts stand under `accounts`.")

    def _type(self, node: Node, what: str) -> str | None:
        return self._values.known(node, what, self._types, "The types are those of `types`.")

    def _send(self, node: Node, what: str) -> frozenset[str] | None:
        types = self._values.choices(node, what, self._type)
        return None if types is None else frozenset(types)

    def _since(self, node: Node, what: str) -> Since | date | None:
        text = self._values.text(node, what)
        if text is None:
            return None
        day = self._values.day(text)
        if day is not None:
            return day
        if text.casefold() in set(Since):
            return Since(text.casefold())
        self._values.problem(node.mark, f"{what} can't be `{text}`.", "Write `now`, `all`, or a date: `2026-11-24`.")
        return None

    def _poll(self, node: Node, what: str) -> timedelta | None:
        return self._values.duration(node, what, timedelta(seconds=1))

    def _folder(self, node: Node, what: str) -> str | None:
        text = self._values.text(node, what)
        if text is None:
            return None
        for name in re.findall(r"\{([^{}]*)\}", text):
            if name not in _PLACES:
                self._values.problem(node.mark, f"{what} can't have `{{{name}}}`.", instead(name, _PLACES))
                return None
        parts = text.rstrip("/").split("/")
        if text.startswith(("/", "~")) or any(part == "" or part.startswith(".") for part in parts) or "\\" in text:
            cure = "Write a path below the store, such as `{year}/{month}`, without names that start with a dot."
            self._values.problem(node.mark, f"{what} can't be `{text}`.", cure)
            return None
        return text.rstrip("/")

    def _brake(self, keys: Keys, name: str) -> Brake:
        section = keys.section("brake")
        if section is None:
            return Brake()
        inner = Keys(section, f"calendars.{name}.brake", self._values.problems)
        inner.only(("count", "share"))
        return Brake(
            count=inner.take("count", self._values.count, Brake().count),
            share=inner.take("share", self._values.share, Brake().share),
        )

    def _rules(self, keys: Keys, name: str) -> tuple[Rule, ...]:
        node = keys.node("rules")
        if node is None:
            return ()
        if not isinstance(node, Listing):
            cure = "Write a line `- {title: ..., type: ...}` for each rule."
            self._values.problem(node.mark, f"{keys.named('rules')} must be a list.", cure)
            return ()
        rules = (self._rule(item, f"calendars.{name}.rules[{at}]") for at, item in enumerate(node.items, 1))
        return tuple(rule for rule in rules if rule is not None)

    def _rule(self, node: Node, place: str) -> Rule | None:
        values = self._values
        if not isinstance(node, Section):
            values.problem(node.mark, f"`{place}` must be keys with values.", "Write `{title: ..., type: ...}`.")
            return None
        keys = Keys(node, place, values.problems)
        keys.only((*_CONDITIONS, "type"))
        keys.require("type", "Write the type that a fitting event gets.")
        if not any(keys.node(condition) for condition in _CONDITIONS):
            values.problem(node.mark, f"`{place}` has no condition.", "For all events write `receive_as` instead.")
        return Rule(
            type=keys.take("type", self._type, ""),
            title=keys.take("title", values.pattern, None),
            category=keys.take("category", values.text, None),
            guest_domain=keys.take("guest_domain", values.text, None),
            calendar=keys.take("calendar", values.text, None),
            video=keys.take("video", values.boolean, None),
            longer=keys.take("longer", values.duration, None),
            shorter=keys.take("shorter", values.duration, None),
        )
