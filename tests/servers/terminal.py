"""A program in a terminal of its own, typed at as a person does."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PATIENCE = 30.0
ESCAPE, ENTER = "\x1b", "\r"


class Terminal:
    """Runs a program on a pseudo-terminal. What it shows is read all the time, and kept in `shown`."""

    def __init__(self, command: Sequence[str], folder: Path, **env: str) -> None:
        self.shown = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], list(command), {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())
        self._read(0.05)

    def expect(self, text: str) -> None:
        """Wait until it has shown a text since the last one that was waited for."""
        until = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < until, f"{text!r} is not shown: {self.shown[-800:]!r}"
            self._read(0.2)
        self.shown = self.shown.partition(text)[2]

    def wait(self) -> int:
        """Wait until the program has ended; its exit code."""
        until = time.monotonic() + PATIENCE
        while True:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(code)
            assert time.monotonic() < until, f"it does not end: {self.shown[-800:]!r}"
            self._read(0.05)

    def _read(self, seconds: float) -> None:
        poll = select.poll()  # select() takes no descriptor beyond 1,023, and a worker of the tests may have more
        poll.register(self._fd, select.POLLIN)
        if poll.poll(seconds * 1000):
            try:
                self.shown += os.read(self._fd, 65536).decode(errors="replace")
            except OSError:  # the program has ended
                return


def need(program: str, package: str = "") -> None:
    """See that a program is there; root installs it (from the `package` of Debian), others' tests are skipped."""
    if shutil.which(program):
        return
    if os.getuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", package or program]
        if subprocess.run(install, env=env, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "update"], env=env, capture_output=True, check=False)
            subprocess.run(install, env=env, capture_output=True, check=False)
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed, and can't be installed by this user")
