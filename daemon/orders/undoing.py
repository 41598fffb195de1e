"""`undo` and `restore`: taking back on both sides what was done, and bringing back from the trash."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.core.model import Patch, when_of
from daemon.core.store import Create, Remove, Update, Write, Written
from daemon.journal import encoding
from daemon.journal.rows import Entry, FileRow
from daemon.orders.syncing import reply_of, sync_routes
from daemon.status import Json


def undo(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Take one entry back on both sides: the file is what it was before, and the pass carries that over."""
    number = int(str(args.get("entry") or 0))
    with app.journal.turn():
        found = app.journal.history.get(number)
    if found is None:
        raise UsageError(f"There is no entry {number}.", what_to_do="Run `datebook log`.")
    entry, _raw = found
    _take_back(app, entry)
    reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
    return Reply(reply.code, {**reply.data, "undone": entry.id}, reply.message, reply.cure)


def _take_back(app: App, entry: Entry) -> None:
    match entry.action, entry.side:
        case (("update" | "conflict"), _):
            _write(app, _file_of(app, entry), encoding.load_patch(entry.before))
        case "create", _:
            file = _file_of(app, entry)
            _carry_out(app, Remove(file.ref, app.engine.around.new_id(), "its making was undone"))
        case "delete", "calendar" if entry.reason not in {"moved", "it is done"}:
            _make_again(app, entry)
        case "trash", _:
            _restore(app, entry.path)
        case "done", _:
            file = _file_of(app, entry)
            _carry_out(app, Update(file.ref, app.engine.around.new_id(), {}, says={"done": None}))
            _lift(app, file.path)
        case "unlink", _:
            _lift(app, _file_of(app, entry).path)
        case _:
            raise UsageError(
                f"An entry of the kind `{entry.action}` can't be taken back by itself.",
                what_to_do="Edit the file; the calendar follows.",
            )


def _file_of(app: App, entry: Entry) -> FileRow:
    row = app.journal.files.get(entry.file) if entry.file is not None else None
    if row is None or not row.path or row.missing is not None:
        raise UsageError("The file of this entry is not there any more.", what_to_do="Run `datebook restore FILE`.")
    return row


def _write(app: App, row: FileRow, patch: Patch) -> None:
    """Change a file as its user would; the next look takes it for an edit."""
    with app.journal.turn():
        app.journal.replaced.drop(row.id, [encoding.dump_key(key) for key in patch])
    _carry_out(app, Update(row.ref, app.engine.around.new_id(), patch))


def _carry_out(app: App, write: Write) -> str:
    """One write to the folder in its user's name; the path of the file."""
    for _, outcome in app.folder.write([write]):
        app.folder.forget([write.token])
        if not isinstance(outcome, Written):
            raise outcome
        return outcome.ref.id
    raise AssertionError("a write has an outcome")


def _make_again(app: App, entry: Entry) -> None:
    """A removed file is made again of what its event said; the event follows."""
    if app.journal.files.by_uid(entry.uid):
        raise UsageError("The activity of this entry is there again.", what_to_do="Run `datebook list`.")
    view = {key: value for key, value in encoding.load_patch(entry.before).items() if value is not None}
    if when_of(view) is None:
        raise UsageError("This entry keeps nothing to bring back.", what_to_do="Write the file anew.")
    place = entry.path or f"{entry.uid}.yaml"
    _lift(app, _carry_out(app, Create(entry.uid, app.engine.around.new_id(), view, place=place)))


def restore(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Bring a file back from the trash; it is synced again."""
    path = _restore(app, str(args.get("file") or ""))
    reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
    return Reply(reply.code, {**reply.data, "restored": path}, reply.message, reply.cure)


def _restore(app: App, given: str) -> str:
    entries = [entry for entry in app.folder.trash_list() if given in {entry.path, entry.path.rsplit("/", 1)[-1]}]
    if not entries:
        raise UsageError(f"There is no {given} in the trash.", what_to_do="Look into .datebook/trash below the store.")
    newest = max(entries, key=lambda entry: entry.when)
    path = app.folder.restore(newest)
    _lift(app, path)
    return path


def _lift(app: App, path: str) -> None:
    """What came back on purpose may go out again."""
    looked = app.engine.look({path})
    if looked.error is not None:
        raise looked.error
    with app.journal.turn():
        row = app.journal.files.by_path(path)
        if row is not None and row.uid:
            for route in app.config.routes:
                app.journal.tombstones.drop(route, row.uid)
            app.journal.files.touch(row.id)
