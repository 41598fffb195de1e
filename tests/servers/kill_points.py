"""Kills Datebook with a real SIGKILL at its n-th step: before and after each change on the disk, each commit of the
journal, and each request and answer.

`Stage` keeps a starting point (folder, state and server) that can be returned to. `killed_at` forks a process that
carries out one `sync` and kills itself at a step; the steps are counted by wrapping the seams through which the
program touches the world.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.folder import atomic_files
from config.places import Places
from daemon.app import open_app
from daemon.orders import ORDERS
from daemon.orders.syncing import sync_routes

_OS = ("rename", "link", "unlink", "symlink", "mkdir", "fsync", "write")
_CREATES = os.O_CREAT | os.O_WRONLY
_NOISE = re.compile(r"^(UID|DTSTAMP|CREATED|LAST-MODIFIED|SEQUENCE|PRODID)[:;]")


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.count, self.fatal = 0, fatal
        self.names: list[str] = []

    def step(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **named: Any) -> Any:
            self.step(f"before {name}")
            result = call(*args, **named)
            self.step(f"after {name}")
            return result

        return wrapped

    def wrap(self) -> None:
        """Wrap the seams of this process, for good."""
        for name in _OS:
            setattr(os, name, self.around(name, getattr(os, name)))
        opened = os.open
        counted = self.around("open for writing", opened)
        os.open = lambda path, flags, *rest, **named: (counted if flags & _CREATES else opened)(  # type: ignore[assignment]  # the wrapped one stands in
            path, flags, *rest, **named
        )
        atomic_files._renameat2 = self._foreign("renameat2", atomic_files._renameat2)
        atomic_files._syncfs = self._foreign("syncfs", atomic_files._syncfs)
        self._wrap_sockets()
        connect = sqlite3.connect
        steps = self

        class Killing(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql != "COMMIT":
                    return super().execute(sql, *args)
                steps.step("before commit")
                done = super().execute(sql, *args)
                steps.step("after commit")
                return done

        sqlite3.connect = lambda *args, **named: connect(*args, **{**named, "factory": Killing})  # type: ignore[assignment]  # the wrapped one stands in

    def _foreign(self, name: str, call: Callable[..., int] | None) -> Callable[..., int] | None:
        if call is None:
            return None

        def wrapped(*args: Any) -> int:
            self.step(f"before {name}")
            result = call(*args)
            code = ctypes.get_errno()
            self.step(f"after {name}")
            ctypes.set_errno(code)
            return result

        return wrapped

    def _wrap_sockets(self) -> None:
        socket.socket.sendall = self.around("send", socket.socket.sendall)  # type: ignore[method-assign]  # the wrapped one stands in
        socket.socket.recv = self.around("receive", socket.socket.recv)  # type: ignore[method-assign]  # the wrapped one stands in
        socket.socket.recv_into = self.around("receive", socket.socket.recv_into)  # type: ignore[method-assign]  # the wrapped one stands in


@dataclass(slots=True)
class Stage:
    """One person's folder and state beside a server; `begin` returns to the kept starting point."""

    root: Path
    dav: Any
    on_conflict: str = "ask"
    account: str = ""  # the lines of the config; "": any CalDAV server
    also: tuple[str, ...] = ()  # the names of calendars beside `work`, in the same home
    _kept: object = None

    def __post_init__(self) -> None:
        here = self.root / "here"
        here.mkdir(parents=True)
        (here / "password").write_text("secret")
        (here / "password").chmod(0o600)
        home = f"service: caldav\n    url: {self.dav.url}\n    user: me\n    password: {{file: {here / 'password'}}}\n"
        (here / "config.yaml").write_text(
            f"store: {self.store}\nowner: me@example.com\ntimezone: Europe/Helsinki\n"
            f"accounts:\n  home:\n    {self.account or home}"
            f"calendars:\n" + "".join(map(self._calendar, self.routes))
        )

    def _calendar(self, name: str) -> str:
        url = self.dav.url if name == "work" else self.dav.url.replace("/work/", f"/{name}/")
        return (
            f"  {name}:\n    account: home\n    calendar: {url}\n"
            f"    since: all\n    backlog: import\n    delete_grace: 0s\n    on_conflict: {self.on_conflict}\n"
        )

    @property
    def routes(self) -> list[str]:
        return ["work", *self.also]

    @property
    def store(self) -> Path:
        return self.root / "here" / "store"

    @property
    def places(self) -> Places:
        return Places(self.root / "here" / "config.yaml", self.root / "here" / "state")

    def keep(self) -> None:
        """This is the starting point."""
        self._kept = self.dav.keep()
        shutil.copytree(self.root / "here", self.root / "kept", symlinks=True)

    def begin(self) -> None:
        """Return to the starting point."""
        shutil.rmtree(self.root / "here")
        shutil.copytree(self.root / "kept", self.root / "here", symlinks=True)
        self.dav.put_back(self._kept)

    def sync(self, times: int = 1) -> None:
        """Plain syncs, as the command does."""
        for _ in range(times):
            with open_app(self.places) as app:
                results = sync_routes(app, self.routes, lambda _progress: None)
                assert all(one.error is None for one in results.values()), results

    def held(self) -> dict[str, int]:
        """What waits for its user's word: how many actions for each reason."""
        with open_app(self.places) as app, app.journal.turn():
            return {row.reason: len(json.loads(row.actions)) for row in app.journal.holds.rows()}

    def approve(self) -> None:
        """Let everything go that waits."""
        with open_app(self.places) as app:
            ORDERS["approve"](app, {}, lambda _progress: None)

    def steps(self) -> list[str]:
        """The names of the steps of one whole sync, in order."""
        log = self.root / "steps"
        _in_a_child(lambda: self._counted(log), expect=0)
        return log.read_text().splitlines()

    def _counted(self, log: Path) -> None:
        write = log.write_text
        steps = Steps(0)
        steps.wrap()
        self.sync()
        names = list(steps.names)
        write("\n".join(names))

    def killed_at(self, step: int) -> bool:
        """One sync that is killed at its n-th step; False: it came to its end before."""

        def work() -> None:
            Steps(step).wrap()
            self.sync()

        return _in_a_child(work, expect=None) == -signal.SIGKILL

    def outcome(self) -> dict[str, object]:
        """Everything that a person finds at the end, without ids and dates of writing."""
        files = {
            path.relative_to(self.store).as_posix(): re.sub(r"(?m)^uid: .*$", "uid: X", path.read_text())
            for path in self.store.rglob("*")
            if path.is_file() and ".datebook" not in path.parts
        }
        events = sorted(_plain(text) for text in self.dav.texts().values())
        trash = sorted(path.name for path in (self.store / ".datebook" / "trash").rglob("*.yaml") if path.is_file())
        with open_app(self.places) as app, app.journal.turn():
            conflicts = [(row.key, row.file_value, row.calendar_value) for row in app.journal.conflicts.rows()]
            intents = app.journal._db.execute("SELECT count(*) FROM intents").fetchone()[0]
        tmp = [path.name for path in (self.store / ".datebook" / "tmp").rglob("*") if not path.is_dir()]
        return {"files": files, "events": events, "trash": trash, "conflicts": conflicts, "open": intents, "tmp": tmp}


def _plain(text: str) -> str:
    return "\n".join(line for line in text.replace("\r\n ", "").splitlines() if not _NOISE.match(line))


def _in_a_child(work: Callable[[], None], *, expect: int | None) -> int:
    """Do it in a process of its own; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            work()
            code = 0
        except BaseException as error:  # noqa: BLE001  the child ends here whatever happens
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert expect is None or code == expect, f"the child ended with {code}"
    assert code in {0, -signal.SIGKILL}, f"the child ended with {code}"
    return code


@contextmanager
def stage_on(root: Path, dav: Any, on_conflict: str = "ask", account: str = "") -> Iterator[Stage]:
    """A stage that clears up."""
    try:
        yield Stage(root, dav, on_conflict, account)
    finally:
        dav.close()
        shutil.rmtree(root, ignore_errors=True)
