"""The server that everybody is measured against: counts what it serves, and is changed as another client would."""

from __future__ import annotations

import itertools
import json
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.servers.program import Program

_HREF = re.compile(rb"<(?:\w+:)?href>([^<]*\.ics)</")
_LIST = b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
_PUT_LIMIT = 30.0


@dataclass
class Measured:
    """A running server; without counts (`counts` is empty) where it is a foreign one."""

    program: Program
    counting: bool = True
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _changes: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def calendar(self) -> str:
        """The URL of a fresh empty calendar."""
        return self.program.make_calendar(f"bench-{next(self._numbers)}")

    def reset(self) -> None:
        """Begin to count anew."""
        if self.counting:
            self._ask("POST", "/.reset")

    def counts(self) -> dict[str, int]:
        """What it has served since then."""
        return dict(json.loads(self._ask("GET", "/.stats"))) if self.counting else {}

    def set_latency(self, seconds: float) -> None:
        """Answer each request so much later."""
        self._ask("POST", "/.latency", str(seconds).encode())

    def next_put(self, before: int) -> float:
        """When the PUT after so many came in; monotonic seconds."""
        until = time.monotonic() + _PUT_LIMIT
        while time.monotonic() < until:
            counts = self.counts()
            if counts.get("PUT", 0) > before:
                return counts["put_at_ns"] / 1e9
            time.sleep(0.02)
        raise SystemExit("no PUT came within 30 s of a save")

    def stored(self, url: str) -> int:
        """How many events a calendar has."""
        return len(self._names(url))

    def touch(self, url: str, number: int) -> None:
        """Change the title of the first events of a calendar, as somebody with a phone would."""
        for name in self._names(url)[:number]:
            path = name.decode()
            body = self._ask("GET", path)
            title = f"SUMMARY:On the phone {next(self._changes)}".encode()
            self._ask("PUT", path, re.sub(rb"SUMMARY:[^\r\n]*(?:\r\n [^\r\n]*)*", title, body, count=1))

    def _names(self, url: str) -> list[bytes]:
        return _HREF.findall(self._ask("PROPFIND", urlsplit(url).path, _LIST, {"Depth": "1"}))

    def _ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        home = urlsplit(self.program.home)
        status, _, answer = self.program.ask(method, f"{home.scheme}://{home.netloc}{path}", body, headers)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {status}")
        return answer
