"""What a command asks for, carried out on an open app: by the running daemon, or by the command itself.

Each order takes the app, its arguments and a sink for progress, and answers with a `Reply` whose data is
what `--json` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.orders import carrying, conflicts, doctor, listing, logbook, plans, syncing, undoing, why
from daemon.status import Json

Args = Mapping[str, Json]


class Order(Protocol):
    """One order."""

    def __call__(self, app: App, args: Args, progress: ProgressSink) -> Reply:
        """Carry it out. Raises DatebookError."""


ORDERS: Mapping[str, Callable[[App, Args, ProgressSink], Reply]] = {
    "approve": plans.approve,
    "conflicts": conflicts.show,
    "connect": plans.connect,
    "disconnect": plans.disconnect,
    "doctor": doctor.doctor,
    "export": carrying.give_out,
    "import": carrying.take_in,
    "list": listing.list_activities,
    "log": logbook.show,
    "plan": plans.plan,
    "resolve": conflicts.resolve,
    "restore": undoing.restore,
    "sync": syncing.sync,
    "undo": undoing.undo,
    "why": why.why,
}
