"""Somebody with a store, a config and calendars on a real server, and Datebook in this process."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.places import Places
from daemon.app import App, open_app
from daemon.control import Reply
from daemon.core.errors import DatebookError
from daemon.orders import ORDERS
from tests.scenarios.calendars import Face
from tests.servers.world import HandClock

_ACCOUNTS = {"work": "home", "other": "office", "third": "third"}
_DEFAULTS = {"since": "all", "backlog": "import"}
_PLAIN = re.compile(r"[\w.+@/-]+", re.ASCII)


@dataclass(slots=True)
class Person:
    """`orders` is the config of the scenario: by calendar its settings, and the top-level keys."""

    name: str
    root: Path
    calendars: Mapping[str, Face]
    orders: dict[str, Any]
    clock: HandClock
    _open: ExitStack = field(default_factory=ExitStack)
    _app: App | None = None

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "password").write_text("secret")
        (self.root / "password").chmod(0o600)
        self.configure({})

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def places(self) -> Places:
        return Places(self.root / "config.yaml", self.state)

    def configure(self, news: Mapping[str, Any]) -> None:
        """Write the config, with these changes; a running Datebook is ended before."""
        self.close()
        for key, value in news.items():
            known = self.orders.get(key)
            self.orders[key] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        settings = {key: value for key, value in self.orders.items() if key not in _ACCOUNTS}
        whole = {
            "store": str(self.store),
            "owner": "me@example.com",
            "timezone": "Europe/Helsinki",
            **settings,
            "accounts": {_ACCOUNTS[name]: self._account(name, each) for name, each in self.calendars.items()},
            "calendars": {name: self._route(name, each) for name, each in self.calendars.items()},
        }
        (self.root / "config.yaml").write_text("".join(f"{key}: {_flow(value)}\n" for key, value in whole.items()))

    def _account(self, name: str, calendar: Face) -> dict[str, Any]:
        password = {"file": str(self.root / "password")}
        user = self.orders.get(name, {}).get("user", "me")
        return {"service": "caldav", "url": calendar.url, "user": user, "password": password}

    def _route(self, name: str, calendar: Face) -> dict[str, Any]:
        own = {key: value for key, value in self.orders.get(name, {}).items() if key != "user"}
        return {"account": _ACCOUNTS[name], "calendar": calendar.url, **_DEFAULTS, **own}

    # Datebook ------------------------------------------------------------------------------------

    def order(self, name: str, args: Mapping[str, Any] | None = None) -> Reply:
        """Have an order carried out as the command does; an error is a reply with its exit code."""
        try:
            return ORDERS[name](self.app(), args or {}, lambda _progress: None)
        except DatebookError as error:
            return Reply(getattr(error, "code", 1) if isinstance(getattr(error, "code", 1), int) else 1, {}, str(error))

    def app(self, connecting: str = "") -> App:
        """The open Datebook."""
        if self._app is None:
            self._app = self._open.enter_context(open_app(self.places, clock=self.clock, connecting=connecting))
        return self._app

    def close(self) -> None:
        """End it."""
        self._app = None
        self._open.close()

    def lose_journal(self) -> None:
        """Delete the state journal."""
        self.close()
        for path in self.state.glob("journal.db*"):
            path.unlink()

    # The folder ----------------------------------------------------------------------------------

    def files(self) -> dict[str, str]:
        """The files of the store by path, without Datebook's own."""
        found = (path for path in self.store.rglob("*") if path.is_file() or path.is_symlink())
        own = (path for path in found if ".datebook" not in path.parts)
        return {path.relative_to(self.store).as_posix(): path.read_bytes().decode() for path in sorted(own)}

    def write(self, path: str, text: str) -> None:
        """Save a file as an editor does, now."""
        target = self.store / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
        now = self.clock.now().timestamp()
        os.utime(target, (now, now))

    def edit(self, path: str, keys: Mapping[str, str]) -> None:
        """Change lines of a file; `~` takes a key out, a new key stands before the uid."""
        text = (self.store / path).read_text()
        for key, value in keys.items():
            block = re.compile(rf"^{re.escape(key)}:.*\n(?:[ \t-].*\n)*", re.MULTILINE)
            shown = "" if value == "~" else f"{key}:\n{_indented(value)}" if "\n" in value else f"{key}: {value}\n"
            if block.search(text):
                text = block.sub(lambda _, new=shown: new, text, count=1)
            else:
                at = text.rfind("\nuid:") + 1 if "\nuid:" in text else len(text)
                text = text[:at] + shown + text[at:]
        self.write(path, text)

    def everything(self) -> str:
        """The bytes of every file of the store, the trash and the state, as one text."""
        self.close()
        raws = [path.read_bytes() for path in self.root.rglob("*") if path.is_file() and path.suffix != ".socket"]
        return b"\n".join(raws).decode("utf-8", "replace")

    def status(self) -> Any:
        """The status file, where a command left one."""
        return json.loads((self.state / "status.json").read_text())


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.strip("\n").split("\n"))


def _flow(value: Any) -> str:
    """A config value as YAML on one line; plain words stay plain."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if _PLAIN.fullmatch(value) else json.dumps(value)
