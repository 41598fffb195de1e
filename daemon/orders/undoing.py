"""`undo` and `restore`: taking back on both sides what was done, and bringing back from the trash."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from adapters.folder.file_writes import Rewrite
from adapters.folder.trash import TrashEntry
from daemon.app import App
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError, VersionMismatch
from daemon.core.fields import equal
from daemon.core.instances import every_original
from daemon.core.model import Activity, Field, Key, Patch, when_of
from daemon.core.moving import ARRIVES, MOVED
from daemon.core.plan import Side
from daemon.core.privacy import is_private
from daemon.core.store import Create, Remove, Seen, Update, Write, Written
from daemon.journal import encoding
from daemon.journal.copies import Removed
from daemon.journal.rows import Entry, FileRow
from daemon.orders.removed_files import removed_files
from daemon.orders.syncing import reply_of, sync_routes
from daemon.orders.why import places_meant
from daemon.status import Json

_AT_ONCE = 60.0  # seconds between a file's way to the trash and its entry in the log
_NAMED = 5  # files of the trash that are named where another was asked for
_FOLLOWS = "The calendar follows by itself as soon as it can be reached; see `datebook status`."


def undo(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Take one entry back on both sides: the file is what it was before, and the pass carries that over."""
    number = int(str(args.get("entry") or 0))
    with app.journal.turn():
        found = app.journal.history.get(number)
    if found is None:
        raise UsageError(f"There is no entry {number}.", what_to_do="Run `datebook log`.")
    entry, _raw = found
    with app.journal.turn():
        since = app.journal.history.newest()
    path = _take_back(app, entry)
    reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
    with app.journal.turn():
        keys = {*encoding.load_patch(entry.before), *encoding.load_patch(entry.after)}
        named = map(encoding.dump_key, keys)
        app.journal.history.explain(entry.file, since, named, f"entry {entry.id} was taken back")
    _explain_return(app, path, since, f"entry {entry.id} was taken back")
    return _told(reply, {"undone": entry.id})


def _take_back(app: App, entry: Entry) -> str:
    """Do the opposite of an entry in the folder; the path of the file that came back for it, if one did."""
    match entry.action, entry.side:
        case (("update" | "conflict"), _):
            _change_back(app, _file_of(app, entry), entry)
        case (("create" | "delete"), "calendar") if entry.reason.startswith((ARRIVES, MOVED)):
            raise _half_of_a_move(_file_of(app, entry).path, entry)
        case "create", _:
            file = _file_of(app, entry)
            _carry_out(app, Remove(file.ref, app.engine.around.new_id(), "its making was undone"))
        case "delete", "calendar" if entry.reason != "it is done":
            return _make_again(app, entry)
        case "trash", _:
            return _out_of_trash(app, _trashed(app, entry))
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
    return ""


def _half_of_a_move(path: str, entry: Entry) -> UsageError:
    """A move is one word of the file, which its user takes back there; half of it would double or lose the event."""
    arrived = entry.reason.startswith(ARRIVES)
    old = entry.reason.removeprefix(ARRIVES).split(",")[0] if arrived else entry.route
    return UsageError(
        "This entry is one half of a move to another calendar, and can't be taken back by itself.",
        what_to_do=f"Write `calendar: {old}` into {path}: it moves back, with all that was edited since.",
    )


def _file_of(app: App, entry: Entry) -> FileRow:
    row = app.journal.files.get(entry.file) if entry.file is not None else None
    if row is None or not row.path or row.missing is not None or (entry.uid and row.uid not in {"", entry.uid}):
        raise UsageError("The file of this entry is not there any more.", what_to_do="Run `datebook restore FILE`.")
    return row


def _change_back(app: App, row: FileRow, entry: Entry) -> None:
    """The keys are what they were. What only showed that it is done goes with the `done` of the file."""
    before, after = encoding.load_patch(entry.before), encoding.load_patch(entry.after)
    shown = _overlay(app, row) if entry.side == Side.CALENDAR.value else {}
    lifted = {key for key in before if key in shown and shown[key] == after.get(key)}
    says = _not_done(row, lifted, shown) if lifted else {}
    patch = {key: value for key, value in before.items() if key not in lifted}
    _see_nothing_since(app, row, {key: after.get(key) for key in patch})
    if patch:
        _write(app, row, patch)
        row = _file_of(app, entry)
    if lifted:
        _carry_out(app, Update(_read(app, row.path).ref, app.engine.around.new_id(), {}, says=says))


def _not_done(row: FileRow, lifted: Collection[Key], shown: Patch) -> Mapping[str, str | None]:
    """What the file is to say, that its event does not show these keys: it is not done, or through an earlier day."""
    local = row.activity.local
    if local.done:
        return {"done": None}
    undone = every_original(lifted)
    rest = every_original(shown) - undone - local.done_instances
    if local.done_through is None or undone & local.done_instances or any(key.instance is None for key in lifted):
        raise UsageError(
            "This entry shows that single instances are done, and can't be taken back by itself.",
            what_to_do=f"Edit `done` below `changes` in {row.path}; the calendar follows.",
        )
    if any(str(kept) > str(one) for kept in rest for one in undone):
        raise UsageError(
            "Later instances were marked as done since; nothing was taken back.",
            what_to_do=f"Undo what came later first (`datebook log {row.path}`), or edit `done_through`.",
        )
    return {"done_through": max(map(str, rest))[:10] if rest else None}


def _see_nothing_since(app: App, row: FileRow, left: Patch) -> None:
    """Raise UsageError where the file says something else now than the entry left there: that is not lost."""
    there = _read(app, row.path)
    now = there.activity.view
    newer = sorted(encoding.dump_key(key) for key, value in left.items() if not equal(key, now.get(key), value))
    if newer:
        names = ", ".join(f"`{name}`" for name in newer)
        raise UsageError(
            f"{row.path} says something newer in {names}; nothing was taken back.",
            what_to_do=f"It stays. Undo what came later first (`datebook log {row.path}`), or edit the file.",
        )
    if there.ref.version != row.ref.version:
        raise _not_seen_yet(row.path)


def _not_seen_yet(path: str) -> UsageError:
    return UsageError(
        f"{path} was changed since it was read; nothing was taken back.",
        what_to_do="Run `datebook sync`, then the same command again.",
    )


def _overlay(app: App, row: FileRow) -> Patch:
    """What the event shows beside what is agreed on, because the activity is done."""
    with app.journal.turn():
        links = app.journal.events.of_file(row.id)
    return next((link.base.overlay for link in links if link.role == "primary" and link.base is not None), {})


def _write(app: App, row: FileRow, patch: Patch) -> None:
    """Change a file as its user would; the next look takes it for an edit."""
    with app.journal.turn():
        app.journal.replaced.drop(row.id, [encoding.dump_key(key) for key in patch])
    _carry_out(app, Update(row.ref, app.engine.around.new_id(), patch))


def _carry_out(app: App, write: Write) -> str:
    """One write to the folder in its user's name; the path of the file."""
    for _, outcome in app.folder.write([write]):
        app.folder.forget([write.token])
        if isinstance(outcome, VersionMismatch):
            raise _not_seen_yet(outcome.ref) from outcome
        if not isinstance(outcome, Written):
            raise outcome
        return outcome.ref.id
    raise AssertionError("a write has an outcome")


def _make_again(app: App, entry: Entry) -> str:
    """A removed file is what it was, byte for byte but for what came from the calendar since; the event follows."""
    if app.journal.files.by_uid(entry.uid):
        raise UsageError("The activity of this entry is there again.", what_to_do="Run `datebook list`.")
    with app.journal.turn():
        removed = app.journal.copies.removed(entry.uid)
    if removed is None:
        view = {key: value for key, value in encoding.load_patch(entry.before).items() if value is not None}
        removed = Removed(entry.path or f"{entry.uid}.yaml", Activity(entry.uid, view), None)
    if when_of(removed.activity.view) is None:
        raise UsageError("This entry keeps nothing to bring back.", what_to_do="Write the file anew.")
    path = _put_back(app, entry.uid, removed)
    _lift(app, path)
    return path


def _put_back(app: App, uid: str, removed: Removed) -> str:
    """Make a forgotten file again; its path, which is another one where another file stands there now."""
    activity, token = removed.activity, app.engine.around.new_id
    path = _carry_out(
        app,
        Create(
            uid,
            token(),
            activity.view,
            place=removed.path,
            local=activity.local,
            secret=is_private(activity),
            floating=activity.floating,
        ),
    )
    if removed.raw is None:
        return path
    made = _read(app, path)
    write = Rewrite(made.ref, token(), lambda _: removed.raw or b"")
    outcome = app.folder.rewrite(write)
    app.folder.forget([write.token])
    if not isinstance(outcome, Written):
        raise outcome
    saved = _read(app, path)
    there = saved.activity
    patch = {key: activity.view.get(key) for key in {*activity.view, *there.view}}
    patch = {key: value for key, value in patch.items() if there.view.get(key) != value}
    says = {} if there.local.done == activity.local.done else {"done": "true" if activity.local.done else None}
    if patch or there.uid != uid or says:
        _carry_out(app, Update(saved.ref, token(), patch, raw=saved.raw, uid=uid, says=says))
    return path


def _read(app: App, path: str) -> Seen:
    reading = next(app.folder.read([path]))
    if not isinstance(reading, Seen):
        raise UsageError(f"{path} can't be read.", what_to_do="Look at the file.")
    return reading


def restore(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Bring a file back from the trash, or one that was removed and still waits (a hold's id: all of it)."""
    with app.journal.turn():
        since = app.journal.history.newest()
    given, meant = str(args.get("file") or ""), places_meant(app, args)
    if removed := removed_files(app, given, meant):
        paths = [_put_back(app, uid, state) for uid, state in removed]
        for path in paths:
            _lift(app, path)
        reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
        return _told(reply, {"restored": ", ".join(paths)})
    path = _restore(app, given, meant)
    reply = reply_of(app, sync_routes(app, list(app.config.routes), progress))
    _explain_return(app, path, since, "restored from the trash")
    return _told(reply, {"restored": path})


def _explain_return(app: App, path: str, since: int, reason: str) -> None:
    """Say why there is an event again of a file that came back to this path."""
    with app.journal.turn():
        row = app.journal.files.by_path(path) if path else None
        if row is not None:
            keys = {*(field.value for field in Field), *map(encoding.dump_key, row.activity.view)}
            app.journal.history.explain(row.id, since, keys, reason)


def _told(reply: Reply, more: Mapping[str, Json]) -> Reply:
    """What the pass answered; where only time helps, or nothing else is known, that the calendar follows."""
    rows: Any = reply.data.get("calendars", ())
    codes = {row["error"]["code"] for row in rows if row["error"]}
    waits = reply.message and (not reply.cure or codes <= {"unavailable", "throttled"})
    cure = _FOLLOWS if waits else reply.cure
    return Reply(reply.code, {**reply.data, **more}, reply.message, cure)


def _restore(app: App, given: str, meant: Collection[str]) -> str:
    """Bring back what went to the trash last under one of these paths, else under this name."""
    trash = app.folder.trash_list()
    entries = [entry for entry in trash if entry.path in meant]
    entries = entries or [entry for entry in trash if entry.path.rsplit("/", 1)[-1] == given]
    if not entries:
        newest = sorted(trash, key=lambda entry: entry.when, reverse=True)[:_NAMED]
        names = ", ".join(dict.fromkeys(entry.path for entry in newest))
        raise UsageError(
            f"There is no {given} in the trash.",
            what_to_do=f"What went there last: {names}." if names else "The trash of the store is empty.",
        )
    return _out_of_trash(app, max(entries, key=lambda entry: entry.when))


def _trashed(app: App, entry: Entry) -> TrashEntry:
    """The very file of an entry: others may have gone to the trash under the same path, before it or after."""
    found = [one for one in app.folder.trash_list() if one.path == entry.path]
    uid = entry.uid.encode(errors="surrogatepass")
    named = [one for one in found if uid and uid in app.folder.trash_read(one)]
    nearest = min(named or found, key=lambda one: abs(one.when.timestamp() - entry.at), default=None)
    if nearest is None or not (named or abs(nearest.when.timestamp() - entry.at) <= _AT_ONCE):
        raise UsageError(f"{entry.path} is not in the trash any more.", what_to_do="Run `datebook list`.")
    return nearest


def _out_of_trash(app: App, entry: TrashEntry) -> str:
    path = app.folder.restore(entry)
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
