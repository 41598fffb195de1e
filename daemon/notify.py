"""Tells systemd how the service is doing: sd_notify(3) in its own few lines."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta


class Notifier:
    """Sends to $NOTIFY_SOCKET; does nothing where no service manager listens."""

    def __init__(self, env: Mapping[str, str]) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        # "@name" is Linux's abstract namespace; anything else must be a path.
        self._address = "\0" + address[1:] if address.startswith("@") else address if address[:1] == "/" else ""
        self.watchdog = _watchdog(env)

    def ready(self, status: str) -> None:
        """The first look at the store has succeeded."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def alive(self) -> None:
        """The workers have made progress: feed the watchdog."""
        self._send("WATCHDOG=1")

    def reloading(self, monotonic_us: int) -> None:
        """The config is being read again; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_us}")

    def stopping(self, status: str) -> None:
        """Begin of an orderly end."""
        self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def extend(self, by: timedelta) -> None:
        """Ask for more time to start or stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(by.total_seconds() * 1e6)}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            # A manager that is gone or busy is no reason to stop or to wait.
            sender.settimeout(0)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:
                return


def _line(text: str) -> str:
    return " ".join(text.split())


def _watchdog(env: Mapping[str, str]) -> timedelta | None:
    """How long systemd waits for a sign of life; None: it doesn't (or means another process)."""
    time, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not time.isdigit() or int(time) == 0 or (pid and pid != str(os.getpid())):
        return None
    return timedelta(microseconds=int(time))
