"""`conflicts` and `resolve`: both values of every open conflict, and taking one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.core.merge import advance
from daemon.core.model import Base, Blank, Field, Key, Pair, Value
from daemon.core.plan import Side, blank_or
from daemon.journal import encoding
from daemon.journal.rows import ConflictRow
from daemon.orders import taken_back
from daemon.orders.removed_files import hold_named, no_conflict
from daemon.orders.syncing import reply_of, sync_routes
from daemon.orders.why import relative
from daemon.status import Json
from daemon.status.standing import standing

# What a file says in four keys is one field.
_WHEN = dict.fromkeys(("due_date", "due_time", "duration", "timezone"), Field.WHEN.value)


def show(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Both values of every open conflict, and of those that an old buffer made, with the side that was chosen."""
    del args, progress
    now = standing(app.journal, app.config.routes, str(app.config.store), ())
    rows: list[Json] = [
        {
            "file": one.file,
            "calendar": one.calendar,
            "field": one.field,
            "file_value": one.file_value,
            "calendar_value": one.calendar_value,
            "chosen": one.chosen,
            "since": one.since.astimezone(app.shown_zone).isoformat(timespec="seconds") if one.since else None,
        }
        for one in now.conflicts
    ]
    return Reply(3 if any(one.chosen is None for one in now.conflicts) else 0, {"conflicts": rows})


def resolve(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Keep the value of one side for every open conflict of a file, or for one field; or what a restore took back."""
    side = Side(str(args["keep"]))
    path = relative(app, args)
    field = str(args.get("field") or "")
    if not field and (reply := taken_back.resolve(app, {path, str(args["file"])}, side, progress)) is not None:
        return reply
    with app.journal.turn():
        file = app.journal.files.by_path(path)
        if file is None and (hold := hold_named(app, str(args["file"]))) is not None:
            raise no_conflict(hold)
        if file is None:
            raise UsageError(f"There is no file {path}.", what_to_do="`datebook conflicts` names those in conflict.")
        rows = _meant(path, [row for row in app.journal.conflicts.rows() if row.file == file.id], field)
        for row in rows:
            _keep(app, row, side)
        since = app.journal.history.newest()
    routes = sorted({row.route for row in rows})
    reply = reply_of(app, sync_routes(app, routes, progress))
    with app.journal.turn():
        words = f"the conflict was resolved: the {side.value}'s value is kept"
        app.journal.history.explain(rows[0].file, since, [row.key for row in rows], words)
    return Reply(reply.code, {**reply.data, "resolved": len(rows)}, reply.message, reply.cure)


def _meant(path: str, rows: Sequence[ConflictRow], field: str) -> Sequence[ConflictRow]:
    """The conflicts of a file that are to be resolved. Raises UsageError where there is none such."""
    there = sorted({row.key for row in rows})
    wanted = _WHEN.get(field, field)
    if not there:
        raise UsageError(
            f"{path} has no open conflict: there is nothing to resolve.",
            what_to_do="`datebook conflicts` shows those that there are.",
        )
    if not wanted:
        return rows
    if wanted not in there:
        known = wanted.partition("@")[0] in set(Field)
        raise UsageError(
            f"`{field}` of {path} is not in conflict." if known else f"There is no field `{field}`.",
            what_to_do=f"In conflict: {', '.join(there)}. Without --field all of them are resolved.",
        )
    return [row for row in rows if row.key == wanted]


def _keep(app: App, row: ConflictRow, side: Side) -> None:
    """Make the kept side the only one that counts as changed; the next pass carries its value over."""
    events = [event for event in app.journal.events.of_file(row.file) if event.route == row.route]
    key = encoding.load_key(row.key)
    for event in events:
        there = _value(key, row.file_value if side is Side.CALENDAR else row.calendar_value)
        agreed = blank_or(there)
        pair = Pair(Blank.UNKNOWN, agreed) if side is Side.FILE else Pair(agreed, Blank.UNKNOWN)
        app.journal.events.agree(event.id, advance(event.base or Base(), {key: pair}))
        app.journal.events.touch(event.id)
    app.journal.conflicts.choose(row.file, row.route, row.key, side.value)
    app.journal.replaced.drop(row.file, [row.key])
    app.journal.files.touch(row.file)


def _value(key: Key, text: str | None) -> Value | None:
    return None if text is None else encoding.load_patch(text)[key]
