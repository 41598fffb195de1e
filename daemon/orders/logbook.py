"""`log`, `undo` and `restore`: what was done, taking it back, and bringing back from the trash."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.core.model import Patch
from daemon.core.store import Update, Written
from daemon.journal import encoding
from daemon.journal.rows import Entry, FileRow, instant
from daemon.orders.asking import relative
from daemon.orders.syncing import reply_of, sync_routes
from daemon.standing import in_words
from daemon.status import Json


def show(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """What was done, newest first: of one file, or of all."""
    del progress
    given = str(args.get("file") or "")
    file_id: int | None = None
    if given:
        path = relative(app, given)
        with app.journal.turn():
            row = app.journal.files.by_path(path)
        if row is None:
            return Reply(0, {"entries": _of_path(app, path)})
        file_id = row.id
    with app.journal.turn():
        entries = app.journal.history.entries(file=file_id, limit=int(str(args.get("limit") or 1000)))
    return Reply(0, {"entries": [_row(app, entry) for entry in entries]})


def _of_path(app: App, path: str) -> list[Json]:
    """The entries of a file that is not there any more."""
    with app.journal.turn():
        return [_row(app, entry) for entry in app.journal.history.entries() if entry.path == path]


def _row(app: App, entry: Entry) -> Json:
    file = app.journal.files.get(entry.file) if entry.file is not None else None
    return {
        "id": entry.id,
        "when": instant(entry.at).astimezone().isoformat(timespec="seconds"),
        "calendar": entry.route,
        "file": file.path if file and file.path else entry.path,
        "uid": entry.uid,
        "side": entry.side,
        "action": entry.action,
        "by": entry.by,
        "reason": entry.reason,
        "before": _shown(entry.before),
        "after": _shown(entry.after),
    }


def _shown(text: str) -> Json:
    patch = encoding.load_patch(text)
    return {encoding.dump_key(key): None if value is None else in_words(value) for key, value in patch.items()}


def undo(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Take one entry back on both sides: the file gets the old values, and the pass carries them over."""
    number = int(str(args.get("entry") or 0))
    with app.journal.turn():
        found = app.journal.history.get(number)
    if found is None:
        raise UsageError(f"There is no entry {number}.", what_to_do="Run `datebook log`.")
    entry, _raw = found
    match entry.action:
        case "update" | "conflict":
            _put_back(app, entry)
        case "trash":
            _restore(app, entry.path)
        case _:
            raise UsageError(
                f"An entry of the kind `{entry.action}` can't be taken back by itself.",
                what_to_do="Edit or remove the file; the calendar follows.",
            )
    reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
    return Reply(reply.code, {**reply.data, "undone": entry.id}, reply.message, reply.cure)


def _put_back(app: App, entry: Entry) -> None:
    row = app.journal.files.get(entry.file) if entry.file is not None else None
    if row is None or not row.path or row.missing is not None:
        raise UsageError("The file of this entry is not there any more.", what_to_do="Run `datebook restore FILE`.")
    _write(app, row, encoding.load_patch(entry.before))


def _write(app: App, row: FileRow, patch: Patch) -> None:
    """Change a file as its user would; the next look takes it for an edit."""
    token = app.engine.around.new_id()
    with app.journal.turn():
        app.journal.replaced.drop(row.id, [encoding.dump_key(key) for key in patch])
    for _, outcome in app.folder.write([Update(row.ref, token, patch)]):
        app.folder.forget([token])
        if not isinstance(outcome, Written):
            raise outcome


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
