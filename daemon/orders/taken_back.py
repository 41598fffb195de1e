"""`resolve` of what a restored server took back: the file's state is sent again, or the calendar is followed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.model import Base
from daemon.core.plan import Hold, Side
from daemon.core.taken_back import keeping_file
from daemon.orders.syncing import reply_of, sync_routes
from daemon.status import Json


def resolve(app: App, named: Collection[str], side: Side, progress: ProgressSink) -> Reply | None:
    """Keep one side's state of a held file, or of all in a hold; `named` are its path, and what its user typed.

    None: nothing is held under that name.
    """
    with app.journal.turn():
        held = [
            (hold.route, row)
            for hold in app.journal.holds.rows()
            if hold.reason == Hold.TAKEN_BACK.value
            for row in json.loads(hold.actions)
            if row["file"] in named or hold.id in named
        ]
        if side is Side.FILE:
            for route, path in sorted({(route, str(row["file"])) for route, row in held}):
                _send_again(app, route, path)
        else:
            _follow(app, [row for _, row in held])
    if not held:
        return None
    reply = reply_of(app, sync_routes(app, sorted({route for route, _ in held}), progress))
    files = {str(row["file"]) for _, row in held}
    return Reply(reply.code, {**reply.data, "resolved": len(files), "restored": True}, reply.message, reply.cure)


def _send_again(app: App, route: str, path: str) -> None:
    file = app.journal.files.by_path(path)
    for event in app.journal.events.of_file(file.id) if file else ():
        if event.route == route and event.taken_back:
            base = keeping_file(event.base or Base(), event.activity.view, gone=event.gone)
            app.journal.events.agree(event.id, base)
            app.journal.events.touch(event.id)


def _follow(app: App, rows: Collection[Mapping[str, Json]]) -> None:
    now = app.clock.now().timestamp()
    app.journal.holds.approve({str(row["signature"]) for row in rows}, now, mail=False)
