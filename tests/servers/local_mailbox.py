"""A mailbox in a simulator that the kill tests can keep, put back, and edit as another program does."""

from __future__ import annotations

import copy
import re
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.scenarios.in_exchange import in_exchange
from tests.scenarios.in_graph import in_graph
from tests.scenarios.outlook import OutlookCalendar
from tests.servers.world import HandClock

ME = "me@example.com"
# Which attempt made an item and how often it was written is nobody's concern; what is still to be done is.
_NOISE = re.compile(r"^X-KEPT-(?:key|datebook-(?:token|uid|extra)):.*\n", re.MULTILINE)


class _NowClock(HandClock):
    """The time of day: the files of these tests have it too."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class LocalMailbox:
    """The server's threads live in this process, which outlives those that are killed."""

    url = "primary"

    def __init__(
        self, serve: Callable[[HandClock], AbstractContextManager[Any]], account: tuple[str, str], server: str
    ) -> None:
        self._stack = ExitStack()
        self.hand = self._stack.enter_context(serve(_NowClock()))
        self.hand.address(ME)
        self.server = getattr(self.hand, server)
        self._account = account
        self.calendar = OutlookCalendar(self.hand)
        self.calendar.words.me = ME

    def account(self, folder: Path) -> str:
        """The lines of the config; the folder holds the secret."""
        return (
            f"service: {self._account[0]}\n    url: {self.server.address}\n    user: {ME}\n"
            f"    {self._account[1]}: {{file: {folder / 'password'}}}\n"
        )

    def keep(self) -> object:
        """All that the mailbox holds now."""
        return copy.deepcopy(self._state())

    def put_back(self, kept: object) -> None:
        """Have it hold that again."""
        assert isinstance(kept, dict)
        self.hand.box.__dict__.update(copy.deepcopy(kept))

    def _state(self) -> dict[str, Any]:
        box = self.hand.box
        return {name: value for name, value in vars(box).items() if name not in {"lock", "now", "_numbers"}}

    def texts(self) -> dict[str, str]:
        """Every item, and none less where two say the same."""
        self._wait_for_the_dead()
        words = self.calendar.words
        shown = ((one.handle.id, words.text(one.told, one.properties, one.extra)) for one in self.hand.kept())
        return {name: _NOISE.sub("", text) for name, text in shown}

    def mails(self) -> list[Any]:
        """What guests were sent."""
        return list(self.hand.mails())

    def close(self) -> None:
        """End the server."""
        self._stack.close()

    def _wait_for_the_dead(self) -> None:
        """A request of a killed process may still be worked on: its connection is taken before ours, and ends."""
        parts = urlsplit(self.server.address)
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as probe:
            probe.sendall(b"BREW / HTTP/1.1\r\nConnection: close\r\n\r\n")
            while probe.recv(1000):
                pass
        for thread in threading.enumerate():
            # The servers of other tests of this process serve clients that live on: those are not waited for.
            server = getattr(getattr(thread, "_target", None), "__self__", None)
            if "process_request_thread" in thread.name and getattr(server, "server_port", None) == parts.port:
                thread.join(30)


def on_graph() -> LocalMailbox:
    """A mailbox over Graph."""
    box = LocalMailbox(in_graph, ("microsoft365", "token"), "graph")
    box.server.tokens.add("secret")
    return box


def on_exchange() -> LocalMailbox:
    """A mailbox over EWS."""
    return LocalMailbox(in_exchange, ("exchange", "password"), "ews")
