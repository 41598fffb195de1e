"""Datebook under measurement: one store, one calendar; as a command, as a warm process, as the daemon."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environments import environment
from tests.bench.processes import ChildFailed, Cost, cpu_of, rss_of, run, tail

_CONFIG = """\
store: {store}
owner: me@example.com
timezone: Europe/Helsinki
accounts:
  home: {{service: caldav, url: "{url}", user: me, password: {{file: {secret}}}}}
calendars:
  work: {{account: home, calendar: "{url}", since: all, backlog: import, poll: {poll}}}
"""
READY_LIMIT = 120.0


@dataclass(frozen=True, slots=True)
class Ours:
    """A store with its config and state."""

    python: Path
    folder: Path

    @property
    def store(self) -> Path:
        """The folder of activity files."""
        return self.folder / "store"

    @property
    def log(self) -> Path:
        """What the programs said."""
        return self.folder / "log"

    def set_up(self, url: str, *, poll: str = "1h") -> None:
        """Write the config; the store is made by the first command."""
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = self.folder / "secret"
        secret.write_text("secret", encoding="ascii")
        secret.chmod(0o600)
        text = _CONFIG.format(store=self.store, url=url, secret=secret, poll=poll)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        """A command line of Datebook."""
        options = ["--config", str(self.folder / "config.yaml"), "--state", str(self.folder / "state")]
        return [str(self.python), "-m", "daemon", *options, *words]

    def sync(self) -> Cost:
        """`datebook sync`, from its start to its end."""
        return run(self.command("sync"), log=self.log)

    @contextmanager
    def warm(self) -> Iterator[Warm]:
        """A process that has the store open and has synced it once."""
        command = [
            str(self.python),
            "-m",
            "tests.bench.worker",
            str(self.folder / "config.yaml"),
            str(self.folder / "state"),
        ]
        with self.log.open("ab") as log:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            warm = Warm(child, self.log)
            warm.answer()
            yield warm
        finally:
            child.communicate()

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """`datebook run`, told ready."""
        address = str(self.folder / "notify.sock")
        Path(address).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self.log.open("ab") as log:
            notify.bind(address)
            notify.settimeout(READY_LIMIT)
            start = time.monotonic()
            child = subprocess.Popen(
                self.command("run"), stdout=log, stderr=log, env={**environment(), "NOTIFY_SOCKET": address}
            )
            try:
                while not notify.recv(65536).startswith(b"READY=1"):
                    pass
                yield Daemon(child.pid, Cost(cpu_of(child.pid), time.monotonic() - start, rss_of(child.pid)))
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait(30)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The running daemon, and what it took until it said that it is ready."""

    pid: int
    ready: Cost

    def cpu(self) -> float:
        """Its CPU seconds so far."""
        return cpu_of(self.pid)

    def rss(self) -> float:
        """Its resident memory, MiB."""
        return rss_of(self.pid)


@dataclass(frozen=True, slots=True)
class Warm:
    """A process that makes one pass when it is told to."""

    child: subprocess.Popen[str]
    log: Path

    def answer(self) -> dict[str, float]:
        """The next line that it says. Raises ChildFailed."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise ChildFailed(f"the warm process has ended: see {self.log}\n{tail(self.log)}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def one_pass(self, *words: str) -> Cost:
        """One pass; what it took, without the requests."""
        assert self.child.stdin is not None
        self.child.stdin.write(" ".join(words) + "\n")
        self.child.stdin.flush()
        took = self.answer()
        return Cost(took["cpu"], took["wall"], rss_of(self.child.pid))
