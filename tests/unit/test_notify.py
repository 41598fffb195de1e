"""What systemd is told."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from daemon.notify import Notifier


def test_messages_arrive_at_the_socket(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        notifier.ready("3 activities\nREADY=0")
        notifier.alive()
        assert manager.recv(1000) == b"READY=1\nSTATUS=3 activities READY=0"
        assert manager.recv(1000) == b"WATCHDOG=1"


def test_an_abstract_socket_is_reached(tmp_path):
    name = f"datebook-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        Notifier({"NOTIFY_SOCKET": "@" + name}).status("ok")
        assert manager.recv(1000) == b"STATUS=ok"


def test_without_a_listener_nothing_happens(tmp_path):
    Notifier({}).ready("ok")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


def test_the_watchdogs_time_is_read():
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog == timedelta(seconds=30)
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog == timedelta(seconds=30)
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog is None
    assert Notifier({}).watchdog is None
