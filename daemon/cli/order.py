"""Has an order carried out: by the running daemon, or by this command itself where none runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from daemon.cli.screen import day_and_time, plain, progress_bar
from daemon.cli.shell import Shell
from daemon.control import ControlLost, NoDaemon, ProgressSink, Reply, Request
from daemon.control import ask as ask_daemon
from daemon.core.errors import DatebookError, UsageError
from daemon.status import Json


class OrderFailed(DatebookError):
    """The order was not carried out, in the words of whoever tried."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.what_to_do = reply.cure
        self.code = reply.code


def carry_out(shell: Shell, command: str, args: Mapping[str, Json]) -> Reply:
    """Carry out an order; a reply that says what failed is raised, once its data was worth nothing.

    Raises ConfigError though a daemon runs, OrderFailed, UsageError, and what opening the store raises.
    """
    shell.config()
    tell_of_other_config(shell)
    with progress_bar() as progress:
        try:
            reply = ask_daemon(shell.places.control, Request(command, args), progress)
        except NoDaemon:
            reply = _alone(shell, command, args, progress)
    if reply.code == _WRONG:
        raise UsageError(reply.message, what_to_do=reply.cure)
    if reply.message and not reply.data:
        raise OrderFailed(reply)
    return reply


def tell_of_other_config(shell: Shell) -> None:
    """Say it where the daemon that is to answer runs with another config than this command was given."""
    from config.fingerprint import fingerprint
    from daemon.config_in_force import ASKED

    with suppress(NoDaemon, ControlLost):  # whoever asks it next hears that
        told = ask_daemon(shell.places.control, Request(ASKED)).data
        given = shell.places.config.absolute()
        if not told or told["fingerprint"] == fingerprint(given):
            return
        if not _same_file(Path(str(told["path"])), given):
            shell.err.line(f"The daemon of this state folder runs with another config: {plain(str(told['path']))}")
            return
        read = datetime.fromisoformat(str(told["read"]))
        since = day_and_time(read, shell.now().astimezone(read.tzinfo))
        cure = f"`systemctl --user reload datebook`, or `kill -HUP {told['pid']}`"
        shell.err.line(f"The daemon still runs with the config of {since}: {cure}")


def _same_file(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


_WRONG = 2


def _alone(shell: Shell, command: str, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    import sys

    from daemon.app import open_app
    from daemon.clock import ShownTime, SystemClock
    from daemon.logs import set_up_logs
    from daemon.orders import ORDERS
    from daemon.orders.leaving import leave_status

    shown = ShownTime(SystemClock())
    set_up_logs(sys.stderr, journal=False, clock=shown, level="warning")
    connecting = str(args.get("account", "")) if command == "connect" else ""
    with open_app(shell.places, connecting=connecting) as app:
        shown.zone = app.shown_zone
        reply = ORDERS[command](app, args, progress)
        leave_status(app, reply)
        return reply
