"""Asks systemd through `systemctl`: what state a unit is in, and to start, stop and enable it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.core.errors import DatebookError, UsageError

_TIMEOUT = 60.0
_SHOWN = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "StatusText",
    "MainPID",
    "NRestarts",
    "ExecMainStatus",
    "FragmentPath",
    "NeedDaemonReload",
)


class SystemdFailed(DatebookError):
    """systemd refused, in its own words."""

    def __init__(self, message: str, what_to_do: str = "") -> None:
        super().__init__(message)
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd sees it; the words are systemd's own (org.freedesktop.systemd1(5))."""

    load: str
    active: str
    sub: str
    enabled: str
    result: str
    status_text: str
    pid: int
    restarts: int
    exit_code: int
    file: str
    stale: bool  # the file on disk is newer than what systemd has read

    @property
    def installed(self) -> bool:
        """Whether systemd knows it at all."""
        return self.load not in {"not-found", ""}

    @property
    def runs(self) -> bool:
        """Whether it is up, and has said so."""
        return self.active in {"active", "reloading"}

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error, for good or to be started again."""
        return self.active == "failed" or self.sub == "auto-restart"


@dataclass(frozen=True, slots=True)
class Systemctl:
    """`systemctl`, of the machine or (`user`) of the user who asks."""

    user: bool
    env: Mapping[str, str]

    def check(self) -> None:
        """See that there is a systemd to ask. Raises UsageError."""
        if shutil.which("systemctl", path=self.env.get("PATH")) is None or not Path("/run/systemd/system").is_dir():
            raise UsageError(
                "This machine was not started by systemd.",
                what_to_do="Have whatever starts your programs run: datebook run",
            )
        if self.user:
            self._check_user()

    def _check_user(self) -> None:
        if not _runtime_folder(self.env).joinpath("systemd").is_dir():
            name = _user_name()
            raise UsageError(
                f"No systemd of the user {name} runs.",
                what_to_do=f"Have it run always: sudo loginctl enable-linger {name}. Or log in as {name} (a `su` or "
                "`sudo` is no login).",
            )

    def call(self, *arguments: str) -> str:
        """Run one command; its output. Raises SystemdFailed."""
        done = self._run(*arguments)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise SystemdFailed(f"systemctl {arguments[0]} failed: {said}", "See: systemctl --help")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["systemctl", *(("--user",) if self.user else ()), "--no-pager", *arguments]
        env = dict(self.env)
        if self.user:
            env.setdefault("XDG_RUNTIME_DIR", str(_runtime_folder(self.env)))
        try:
            return subprocess.run(  # noqa: S603  systemctl, found above, with words of our own
                command, env=env, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise SystemdFailed(f"systemctl {arguments[0]} does not answer.") from error

    def show(self, unit: str) -> UnitState:
        """What state a unit is in. Raises SystemdFailed."""
        out = self.call("show", unit, f"--property={','.join(_SHOWN)}")
        found = dict(line.partition("=")[::2] for line in out.splitlines())
        return UnitState(
            load=found.get("LoadState", ""),
            active=found.get("ActiveState", ""),
            sub=found.get("SubState", ""),
            enabled=found.get("UnitFileState", ""),
            result=found.get("Result", ""),
            status_text=found.get("StatusText", ""),
            pid=_number(found.get("MainPID", "")),
            restarts=_number(found.get("NRestarts", "")),
            exit_code=_number(found.get("ExecMainStatus", "")),
            file=found.get("FragmentPath", ""),
            stale=found.get("NeedDaemonReload", "") == "yes",
        )


def lingers(env: Mapping[str, str]) -> bool | None:
    """Whether the user's services run without a login; None: this machine does not say."""
    try:
        done = subprocess.run(  # noqa: S603  loginctl with words of our own
            ["loginctl", "show-user", _user_name(), "--property=Linger", "--value"],  # noqa: S607  wherever it is
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.strip()
    if said in {"yes", "no"}:
        return said == "yes"
    return Path("/var/lib/systemd/linger", _user_name()).exists() if done.returncode else None


def may_make_namespaces() -> bool:
    """Whether a user of this machine can have a namespace of their own; without, much hardening can't be."""
    try:
        done = subprocess.run(
            ["unshare", "--user", "true"],  # noqa: S607  wherever it is
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _runtime_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
