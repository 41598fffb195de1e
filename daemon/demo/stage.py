"""What the demo plays on: a temporary folder, a Radicale on a loopback port, and the daemon, each a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.core.errors import DatebookError

PATIENCE = 20.0  # seconds for a process to start, or for an edit to travel
_LOOPBACK = "127.0.0.1"
_MISSING = "The demo brings its own CalDAV server, and the package `radicale` is not installed."
_CURE = "Add it to Datebook's environment: pip install radicale (or: pipx inject datebook radicale)."
_CALENDAR = b"""<?xml version="1.0"?>
<c:mkcalendar xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>
<d:displayname>Work</d:displayname></d:prop></d:set></c:mkcalendar>"""
_CONFIG = """\
store: {store}
owner: demo@example.com
timezone: {zone}
accounts:
  demo:
    service: caldav
    url: {url}
    user: demo
    password: {{file: {secret}}}
calendars:
  work:
    account: demo
    calendar: Work
    backlog: import
"""


class DemoFailed(DatebookError):
    """The demo could not be shown."""

    def __init__(self, message: str, what_to_do: str = "") -> None:
        super().__init__(message)
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class Stage:
    """The demo's folder with everything in it, and the address of its calendar."""

    root: Path
    url: str

    @property
    def store(self) -> Path:
        """The folder of activities."""
        return self.root / "Datebook"

    @property
    def state(self) -> Path:
        """The state folder of its daemon."""
        return self.root / "state"

    @property
    def config(self) -> Path:
        """The config of its daemon."""
        return self.root / "config.yaml"

    @property
    def collection(self) -> str:
        """The address of the calendar."""
        return f"{self.url}demo/work/"


@contextmanager
def set_up(root: Path, zone: str) -> Iterator[Stage]:
    """Start the server and make the calendar, the config and the store; stop the server at the end."""
    try:
        import radicale as _radicale  # noqa: F401  only asked whether it is there
    except ImportError as error:
        raise DemoFailed(_MISSING, _CURE) from error
    with ExitStack() as stack:
        stage = Stage(root, stack.enter_context(_server(root)))
        _request(stage.collection, "MKCALENDAR", _CALENDAR)
        stage.store.mkdir()
        secret = root / "secret"
        secret.write_text("demo\n")
        secret.chmod(0o600)
        text = _CONFIG.format(store=stage.store, zone=zone, url=stage.url, secret=secret)
        stage.config.write_text(text)
        yield stage


@contextmanager
def _server(root: Path) -> Iterator[str]:
    port = _free_port()
    options = {
        "server-hosts": f"{_LOOPBACK}:{port}",
        "storage-filesystem-folder": str(root / "server"),
        "auth-type": "none",
        "logging-level": "error",
        "rights-type": "owner_only",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with _process([sys.executable, "-m", "radicale", "--config", "", *arguments], root / "server.log"):
        url = f"http://{_LOOPBACK}:{port}/"
        wait_for("the CalDAV server", lambda: _answers(url))
        yield url


@contextmanager
def daemon(stage: Stage) -> Iterator[None]:
    """Run the daemon on the stage; end it orderly."""
    places = ["--config", str(stage.config), "--state", str(stage.state)]
    with _process([sys.executable, "-m", "daemon", *places, "run"], stage.root / "daemon.log"):
        yield


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DATEBOOK_")}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  our own interpreter, our own arguments
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        _request(url, "OPTIONS")
    except OSError as error:
        return isinstance(error, urllib.error.HTTPError)
    return True


def _request(url: str, method: str, body: bytes | None = None) -> None:
    headers = {"Authorization": "Basic ZGVtbzpkZW1v"}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310  our own server on loopback
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  the same
        answer.read()


def wait_for(what: str, ready: Callable[[], object]) -> None:
    """Wait until something has happened. Raises DemoFailed when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise DemoFailed(f"Waited {PATIENCE:.0f} s in vain for {what}.", "Look into daemon.log and server.log.")
        time.sleep(0.05)
