"""A person's machine on which `datebook connect google` is given, with somebody at the browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.servers.google_persona import GooglePersona

# A person's Google account, signed in to with a client of their own; what comes behind it is the test's.
SIGNED_IN = """\
store: {root}/store
owner: me@example.com
timezone: Europe/Helsinki
accounts:
  google:
    service: google
    user: me@example.com
    url: {url}
    client: {{id: {id}, secret: {{env: DATEBOOK_TEST_CLIENT}}}}
"""
CONFIG = (
    SIGNED_IN
    + """\
calendars:
  work: {{account: google, calendar: primary, since: all, backlog: import}}
"""
)


def visit(url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """What a browser does with a link or a form: status, body, and where it is sent."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    body = urlencode(form) if form else None
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    connection.request("POST" if form else "GET", path, body, kind)
    answer = connection.getresponse()
    read = answer.status, answer.read().decode(), answer.headers.get("location", "")
    connection.close()
    return read


def consent(link: str, answer: str = "allow") -> str:
    """Read the consent page and press a button; the address that the browser is sent to."""
    status, page, _ = visit(link)
    assert status == 200, page
    ticket = re.search(r"name=ticket value=(\S+?)>", page)
    assert ticket
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(link))
    _, _, target = visit(f"{origin}/consent", {"ticket": ticket.group(1), "answer": answer})
    return target


@dataclass
class Connecting:
    """`datebook connect google --no-browser` under way."""

    process: subprocess.Popen[str]
    said: str = ""
    link: str = field(init=False)

    def __post_init__(self) -> None:
        self.link = self.read(r"http://\S+/o/oauth2/v2/auth\?\S+")

    def read(self, pattern: str) -> str:
        """What it says that fits, as soon as it says it."""
        assert self.process.stderr
        watch = threading.Timer(60, self.process.kill)
        watch.start()
        while not (found := re.search(pattern, self.said)):
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        watch.cancel()
        return found.group()

    def end(self, typed: str = "") -> tuple[int, str, str]:
        """Paste something, if anything, and wait: exit code, stdout, stderr."""
        out, err = self.process.communicate(typed or None, timeout=60)
        return self.process.returncode, out, self.said + err


@dataclass
class Home:
    """A person's machine."""

    root: Path
    persona: GooglePersona
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text = CONFIG.format(root=self.root, url=self.persona.url, id=self.persona.oauth.client)
        (self.root / "config.yaml").write_text(text)

    @property
    def tokens(self) -> Path:
        return self.root / "state" / "secrets" / "google.google.json"

    @property
    def environment(self) -> dict[str, str]:
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("DATEBOOK_", "BROWSER", "DISP"))
        }
        return {**clean, "DATEBOOK_TEST_CLIENT": self.persona.oauth.secret, "TZ": "UTC", **self.more}

    def command(self, *arguments: str) -> list[str]:
        places = ["--config", str(self.root / "config.yaml"), "--state", str(self.root / "state")]
        return [sys.executable, "-m", "daemon", *places, *arguments]

    def start(self, *arguments: str) -> Connecting:
        pipe = subprocess.PIPE
        return Connecting(
            subprocess.Popen(
                self.command(*arguments), env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
            )
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def sign_in(self) -> None:
        connecting = self.start("connect", "google", "--no-browser")
        code, _, err = connecting.end(consent(connecting.link) + "\n")
        assert code == 0, err
