"""A command and the running daemon talk over the control socket."""

from __future__ import annotations

import os
import queue
import socket
import stat
import threading

import pytest

from daemon.control import ControlLost, NoDaemon, Progress, Reply, Request, ask, connected
from daemon.control.control_server import ControlServer
from daemon.core.errors import UsageError


def echo(request, progress):
    for done in range(3):
        progress(Progress("working", done, 3))
    return Reply(3, {"command": request.command, **request.args}, "said", "do")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


def test_progress_comes_first_and_then_the_reply(path):
    steps = []
    with ControlServer(path, echo):
        reply = ask(path, Request("sync", {"full": True, "text": "Ünï\ncode"}), steps.append)
    assert [step.done for step in steps] == [0, 1, 2]
    assert reply == Reply(3, {"command": "sync", "full": True, "text": "Ünï\ncode"}, "said", "do")


def test_without_a_daemon_the_command_learns_so(path):
    with pytest.raises(NoDaemon):
        ask(path, Request("sync"))
    with pytest.raises(NoDaemon):
        ask(path / "deeper", Request("sync"))


def test_the_socket_of_a_dead_daemon_is_no_daemon_and_is_replaced(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoDaemon):
        ask(path, Request("sync"))
    with ControlServer(path, echo):
        assert ask(path, Request("sync")).message == "said"
    assert not path.exists()


def test_a_file_in_the_sockets_place_is_not_removed(path):
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        ControlServer(path, echo).__enter__()
    assert path.read_text() == "mine"


def test_only_its_user_can_reach_it(path):
    old = os.umask(0)
    try:
        with ControlServer(path, echo):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_another_user_is_refused_even_if_the_mode_would_let_him_in(path):
    asked = []
    with ControlServer(path, lambda request, _: asked.append(request) or Reply(), uids={os.getuid() + 1}):
        reply = ask(path, Request("sync"))
    assert (reply.code, asked) == (1, [])


def test_a_path_longer_than_the_kernel_takes_works(tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with ControlServer(folder / "control.sock", echo):
        assert ask(folder / "control.sock", Request("sync")).message == "said"
    assert list(folder.iterdir()) == []


def test_an_error_of_the_command_is_answered_with_its_cure(path):
    def refuse(request, progress):
        raise UsageError("There is no such hold.", what_to_do="datebook plan")

    with ControlServer(path, refuse):
        assert ask(path, Request("approve")) == Reply(1, {}, "There is no such hold.", "datebook plan")


def test_a_fault_of_the_daemon_is_answered_and_goes_to_its_log(path, monkeypatch):
    faults = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", faults.put)

    def fail(request, progress):
        raise ZeroDivisionError

    with ControlServer(path, fail):
        for _ in range(2):
            assert ask(path, Request("sync")).code == 1
            assert faults.get(timeout=10).exc_type is ZeroDivisionError


def test_a_long_command_is_waited_for_while_the_daemon_shows_life(path):
    released = threading.Event()

    def slow(request, progress):
        released.wait(10)
        return Reply(message="done")

    with ControlServer(path, slow, heartbeat=0.05):
        threading.Timer(0.6, released.set).start()
        assert ask(path, Request("sync"), silence=0.3).message == "done"


def test_a_silent_daemon_is_given_up(path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen(1)
        with pytest.raises(ControlLost, match="does not answer"):
            ask(path, Request("sync"), silence=0.1)


def test_a_daemon_that_ends_in_between_is_told_from_one_that_does_not_run(path):
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind(str(path))
        ending.listen(1)

        def end() -> None:
            link, _ = ending.accept()
            link.recv(1)
            link.close()

        threading.Thread(target=end).start()
        with pytest.raises(ControlLost, match="ended"):
            ask(path, Request("sync"))


def test_one_long_command_holds_up_no_other(path):
    released, begun = threading.Event(), threading.Event()

    def handle(request, progress):
        if request.command == "slow":
            begun.set()
            released.wait(10)
        return Reply(message=request.command)

    with ControlServer(path, handle):
        slow = threading.Thread(target=ask, args=(path, Request("slow")))
        slow.start()
        assert begun.wait(10)
        assert ask(path, Request("quick")).message == "quick"
        released.set()
        slow.join()


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"{}\n", b'{"command": 1}\n', b'{"command": "a", "args": 1}\n', b"\xff\n"]
)
def test_rubbish_is_dropped_and_the_daemon_goes_on(path, line):
    with ControlServer(path, echo):
        with connected(path, 2) as link:
            link.sendall(line)
            assert link.recv(1) == b""
        assert ask(path, Request("sync")).message == "said"
