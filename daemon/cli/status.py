"""`datebook status`: the health of everything, read from the status file alone."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from daemon.cli.screen import Screen, plain
from daemon.cli.shell import Exit, Shell
from daemon.cli.status_view import show
from daemon.core.errors import UsageError
from daemon.lock import holder
from daemon.status import Health, Life, Status, health
from daemon.status.status_file import parse_status, read_text

if TYPE_CHECKING:
    from daemon.cli.register import Commands

_STALE = timedelta(seconds=90)
_FRESH = timedelta(seconds=2)  # an older one is written anew: what the last polls brought is in it then
_SOON = 0.5  # seconds
_HELP = """\
Shows whether everything is in step, and for each thing that is not, what to do about it.

Exit codes: 0 all is well, 1 the daemon does not run, 3 something needs you.
"""


class Pulse(Enum):
    """Whether somebody still writes the status file. `MUTE`: the daemon is there and has stopped writing."""

    ALIVE = "alive"
    MUTE = "mute"
    GONE = "gone"


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("status", _status, "health of everything", _HELP, json=True)
    command.add_argument("--watch", action="store_true", help="keep it on the screen, until Ctrl-C")


def _status(args: argparse.Namespace, shell: Shell) -> int:
    if args.watch:
        return _watch(shell)
    text = read_text(shell.places.status)
    if text is None:
        return _no_daemon(args, shell)
    status = parse_status(text)
    pulse = pulse_of(status, shell)
    if pulse is Pulse.ALIVE and shell.now() - status.updated > _FRESH:
        text = _written_anew(shell) or text
        status = parse_status(text)
    if args.json:
        shell.json({**json.loads(text), "running": pulse is Pulse.ALIVE})
    else:
        _show(shell.out, status, pulse, shell.now())
    return _code(status, pulse)


def _written_anew(shell: Shell) -> str | None:
    """The status file, once the running daemon has written it; None where it takes longer than anybody waits."""
    from daemon.control import ControlLost, NoDaemon, Request, ask

    with suppress(NoDaemon, ControlLost):
        ask(shell.places.control, Request("status"), connect_timeout=_SOON, silence=_SOON)
    return read_text(shell.places.status)


def _no_daemon(args: argparse.Namespace, shell: Shell) -> int:
    to = shell.err if args.json else shell.out
    config, state = plain(str(shell.places.config)), plain(str(shell.places.state))
    if not shell.places.config.exists():
        to.line(f"Datebook is not set up yet: there is no config at {config}.")
        to.line("    `datebook init` makes one, and the folder of your activities; --config FILE names another one.")
        return Exit.FAILED
    to.line("Datebook has not run yet with this state folder.")
    to.line(f"    `datebook run` starts it; --state DIR names another folder than {state}")
    return Exit.FAILED


def pulse_of(status: Status, shell: Shell) -> Pulse:
    """Whether the daemon that wrote this still lives and writes."""
    if status.state in {Health.STOPPED, Health.FAILED} or not _lives(status.pid, shell):
        return Pulse.GONE
    return Pulse.MUTE if shell.now() - status.updated > _STALE else Pulse.ALIVE


def _lives(pid: int, shell: Shell) -> bool:
    """A process with that number may be another one by now: then it doesn't hold the state folder."""
    if holder(shell.places.lock) == pid:
        return True
    if sys.platform == "linux" and shell.places.lock.exists():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _code(status: Status, pulse: Pulse) -> int:
    if pulse is not Pulse.ALIVE and not status.by_command:
        return Exit.FAILED
    return Exit.NEEDS_USER if health(Life.IDLE, status) is Health.ATTENTION else Exit.DONE


def _show(screen: Screen, status: Status, pulse: Pulse, now: datetime) -> None:
    trouble = {
        Pulse.ALIVE: "",
        Pulse.MUTE: f"The daemon (process {status.pid}) does not answer. Its log says why; then restart it.",
        Pulse.GONE: "The daemon does not run: nothing is kept in step. `datebook run` starts it.",
    }[pulse]
    if status.by_command and pulse is Pulse.GONE:
        trouble = "No daemon runs: this is how the last command left things. `datebook run` keeps them in step."
    show(screen, status, trouble, now)


def _watch(shell: Shell) -> int:
    if not shell.out.terminal:
        raise UsageError("--watch needs a terminal.", what_to_do="For programs: datebook status --json")
    try:
        while True:
            text = read_text(shell.places.status)
            shell.out.clear()
            if text is None:
                shell.out.line("Waiting for the daemon: `datebook run` starts it.")
            else:
                status = parse_status(text)
                _show(shell.out, status, pulse_of(status, shell), shell.now())
            shell.out.flush()
            time.sleep(1)
    except KeyboardInterrupt:
        return Exit.DONE
