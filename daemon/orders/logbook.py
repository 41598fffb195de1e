"""`log`: what was done."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.journal import encoding
from daemon.journal.rows import Entry, FileRow, instant
from daemon.orders.why import relative
from daemon.status import Json
from daemon.status.standing import in_words


def show(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """What was done, newest first: of one file, or of all."""
    del progress
    given = str(args.get("file") or "")
    file_id: int | None = None
    row: FileRow | None = None
    if given:
        path = relative(app, args)
        with app.journal.turn():
            row = app.journal.files.by_path(path)
        if row is None:
            rows = _of_path(app, path)
            if not rows and not (app.config.store / path).exists():
                raise UsageError(
                    f"There is no file {path}, and none was synced under that name.",
                    what_to_do="`datebook log` without a file shows everything; `datebook list`, the files.",
                )
            return Reply(0, {"entries": rows})
        file_id = row.id
    with app.journal.turn():
        entries = app.journal.history.entries(file=file_id, limit=int(str(args.get("limit") or 1000)))
    return Reply(0, {"entries": [_row(app, entry) for entry in entries if row is None or _is_of(row, entry)]})


def _is_of(file: FileRow, entry: Entry) -> bool:
    """Whether an entry is of this file: older journals gave the numbers of forgotten files to others."""
    return not (entry.uid and file.uid) or file.uid == entry.uid


def _of_path(app: App, path: str) -> list[Json]:
    """The entries of a file that is not there any more."""
    with app.journal.turn():
        return [_row(app, entry) for entry in app.journal.history.entries() if entry.path == path]


def _row(app: App, entry: Entry) -> Json:
    file = app.journal.files.get(entry.file) if entry.file is not None else None
    return {
        "id": entry.id,
        "when": instant(entry.at).astimezone(app.shown_zone).isoformat(timespec="seconds"),
        "calendar": entry.route,
        "file": file.path if file and file.path and _is_of(file, entry) else entry.path,
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
