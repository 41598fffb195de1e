"""Has an order carried out: by the running daemon, or by this command itself where none runs."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.cli.screen import progress_bar
from daemon.cli.shell import Shell
from daemon.control import NoDaemon, ProgressSink, Reply, Request
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

    Raises OrderFailed, UsageError, and what opening the store raises.
    """
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
