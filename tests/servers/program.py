"""A server in a process of its own: started, waited for, ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

START_LIMIT = 60.0

MKCALENDAR = (
    b'<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
    b"<D:displayname>%s</D:displayname>"
    b'<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
    b"</D:prop></D:set></C:mkcalendar>"
)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Program:
    """A CalDAV server as a child process; `home` is the URL that an account of it is given."""

    command: Sequence[str]
    port: int
    home: str
    user: str = "me"
    password: str = "secret"
    folder: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        log = (self.folder / "server.log").open("ab") if self.folder != Path() else subprocess.DEVNULL
        self.process = subprocess.Popen(
            list(self.command), stdout=log, stderr=log, env={**os.environ, "TZ": "UTC", **self.environment}
        )
        until = time.monotonic() + START_LIMIT
        while not _answers(self.port):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.command[:3]} did not start: see {self.folder}/server.log")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it and wait."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def make_calendar(self, name: str) -> str:
        """Make an empty calendar below the home; its URL."""
        url = f"{self.home}{name}/"
        status, _, body = self.ask("MKCALENDAR", url, MKCALENDAR % name.encode())
        assert status == 201, (status, body)
        return url

    def ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request as another client of this server would: status, headers in lower case, body."""
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        sign = b64encode(f"{self.user}:{self.password}".encode()).decode()
        try:
            own = {"Authorization": f"Basic {sign}", "Content-Type": "application/xml; charset=utf-8"}
            connection.request(method, parts.path, body or None, own | dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        finally:
            connection.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def temporary_folder(name: str) -> Path:
    """A fresh folder for a server's data."""
    return Path(tempfile.mkdtemp(prefix=f"datebook-{name}-"))


def serve_by_hand(server: Program) -> None:
    """Run a server until it is interrupted or terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with server:
        print(f"{server.home}  user {server.user}  password {server.password}", flush=True)
        try:
            assert server.process is not None
            sys.exit(server.process.wait())
        except KeyboardInterrupt:
            return
