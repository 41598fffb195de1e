"""`import` and `export`: activities out of a calendar file, and all of them into one file."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from daemon.app import App
from daemon.control import Progress, ProgressSink, Reply
from daemon.core.errors import Unreadable, UsageError
from daemon.core.fields import normal
from daemon.core.model import Activity, Field, Key, text_of, when_of
from daemon.core.naming import place
from daemon.core.policy import Route
from daemon.core.store import Create, Ref, Remove, Written
from daemon.journal.rows import FileRow
from daemon.orders.why import relative
from daemon.status import Json

_AT_ONCE = 200  # files that are made in one batch
_CURE = "mend it in the calendar file, then import that again: what is here already is not made twice"
_COLUMNS = (
    "subject", "type", "due_date", "due_time", "duration", "timezone", "location", "conference_meeting_url",
    "public_description", "attendees", "owner", "person", "org", "deal", "lead", "project", "busy", "private",
    "priority", "status", "repeat", "done", "file", "uid",
)  # fmt: skip


class Fate(StrEnum):
    """What becomes of one activity of a calendar file."""

    NEW = "new"
    KNOWN = "known"  # its uid is here already
    ALIKE = "alike"  # an activity with the same subject and time is here
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class _Found:
    fate: Fate
    activity: Activity
    reason: str = ""
    place: str = ""
    cure: str = ""
    name: str = ""  # of what can't be read; never a private title


def take_in(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Make a file of each calendar object that is not here yet; with `preview` only say so.

    `objects` are calendar objects of one activity each; `source`, if given, is the file of the store that they
    were split from, which goes to the trash when all of them are here.
    """
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    given = args.get("objects")
    objects = [str(each) for each in given] if isinstance(given, list) else []
    found = list(_sorted_out(app, objects))
    rows: list[Json] = [_row(one) for one in found]
    source = str(args.get("source") or "") if all(one.fate is not Fate.UNREADABLE for one in found) else ""
    if not args.get("preview"):
        rows = _make(app, found, progress)
        if source:
            _spent(app, source)
    counts: dict[str, Json] = {fate.value: sum(1 for one in found if one.fate is fate) for fate in Fate}
    return Reply(3 if counts[Fate.UNREADABLE.value] else 0, {"activities": rows, "trashed": source, **counts})


def _sorted_out(app: App, objects: Sequence[str]) -> Iterator[_Found]:
    from adapters.ics import ics_codec  # noqa: PLC0415  icalendar is heavy

    with app.journal.turn():
        here = [row for row in app.journal.files.all() if row.missing is None]
    uids, looks = {row.uid for row in here if row.uid}, {_look(row.activity) for row in here}
    route = next(iter(app.config.routes.values()), Route("", ""))
    for text in objects:
        raw = text.encode()
        try:
            activity = ics_codec.read(raw, zone=app.engine.around.zone, types=app.config.types)
        except Unreadable as error:
            unread, name = Activity(ics_codec.peek_uid(raw), {}), ics_codec.peek_title(raw).strip('"')
            yield _Found(Fate.UNREADABLE, unread, str(error), cure=error.cure or _CURE, name=name)
            continue
        uid = activity.uid or str(uuid.uuid5(uuid.NAMESPACE_URL, text))
        activity = replace(activity, uid=uid)
        if uid in uids:
            yield _Found(Fate.KNOWN, activity, "its uid is in the store already")
        elif _look(activity) in looks:
            yield _Found(Fate.ALIKE, activity, "an activity with the same subject and time is in the store already")
        else:
            where = place(replace(route, format=route.format), activity.view, uid, shared=app.engine.around.shared)
            yield _Found(Fate.NEW, activity, place=where)
        uids.add(uid)
        looks.add(_look(activity))


def _look(activity: Activity) -> object:
    """What makes two activities look alike."""
    subject = Key(Field.SUBJECT)
    return normal(subject, activity.view.get(subject)), when_of(activity.view), activity.view.get(Key(Field.REPEAT))


def _row(found: _Found, path: str = "") -> Json:
    return {
        "file": path or found.place,
        "uid": found.activity.uid,
        "subject": found.name or text_of(found.activity.view, Field.SUBJECT),
        "fate": found.fate.value,
        "reason": found.reason,
        "cure": found.cure,
    }


def _make(app: App, found: Sequence[_Found], progress: ProgressSink) -> list[Json]:
    fresh = [one for one in found if one.fate is Fate.NEW]
    rows: list[Json] = [_row(one) for one in found if one.fate is not Fate.NEW]
    with app.journal.turn():
        for one in fresh:  # brought back on purpose
            for route in app.config.routes:
                app.journal.tombstones.drop(route, one.activity.uid)
    for start in range(0, len(fresh), _AT_ONCE):
        some = fresh[start : start + _AT_ONCE]
        writes = {one.activity.uid: _create(app, one) for one in some}
        by_token = {write.token: one for one, write in zip(some, writes.values(), strict=True)}
        for write, outcome in app.folder.write(list(writes.values())):
            app.folder.forget([write.token])
            if not isinstance(outcome, Written):
                raise outcome
            rows.append(_row(by_token[write.token], outcome.ref.id))
        progress(Progress("importing", start + len(some), len(fresh)))
    return rows


def _create(app: App, found: _Found) -> Create:
    activity = found.activity
    view = {key: value for key, value in activity.view.items() if key.field is not Field.CATEGORIES}
    return Create(activity.uid, app.engine.around.new_id(), view, place=found.place, floating=activity.floating)


def _spent(app: App, source: str) -> None:
    """Everything in this file of the store is a file of its own now."""
    write = Remove(Ref(relative(app, {"file": source})), app.engine.around.new_id(), "it was split into activities")
    for _, outcome in app.folder.write([write]):
        app.folder.forget([write.token])
        if not isinstance(outcome, Written):
            raise outcome


def give_out(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """All activities as one text: a calendar, or a table. What never leaves the folder is in neither calendar."""
    del progress
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    with app.journal.turn():
        rows = [row for row in app.journal.files.all() if row.missing is None and row.problem is None]
    match str(args.get("format") or "ics"):
        case "ics":
            dated = [row for row in rows if when_of(row.activity.view) is not None]
            return Reply(
                0, {"text": _calendar(app, dated), "activities": len(dated), "left_out": len(rows) - len(dated)}
            )
        case "csv":
            return Reply(0, {"text": _table(app, rows), "activities": len(rows), "left_out": 0})
        case other:
            raise UsageError(f"There is no format {other}.", what_to_do="Say --format ics or --format csv.")


def _calendar(app: App, rows: Sequence[FileRow]) -> str:
    from adapters.ics import ics_codec  # noqa: PLC0415  icalendar is heavy

    now, zone = app.clock.now(), app.engine.around.zone
    objects = (
        ics_codec.compose(row.uid or f"{row.id}@datebook", row.activity.view, zone=zone, now=now) for row in rows
    )
    return ics_codec.join(objects).decode()


def _table(app: App, rows: Sequence[FileRow]) -> str:
    from adapters.activity.activity_forms import whole_file  # noqa: PLC0415  only a command that splits or joins calendars needs it
    from adapters.activity.yaml_write import Text  # noqa: PLC0415  only a command that splits or joins calendars needs it

    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(_COLUMNS)
    for row in rows:
        activity = row.activity
        keys = whole_file(activity.view, uid=row.uid, local=activity.local, zone=app.engine.around.zone)
        said = {key: value.value if isinstance(value, Text) else "" for key, value in keys.items()}
        said |= dict(activity.local.context)
        said["attendees"] = ", ".join(sorted(guest.email for guest in activity.guests))
        said["done"] = "true" if activity.local.done else "false"
        table.writerow([said.get(name, "") for name in _COLUMNS[:-2]] + [row.path, row.uid])
    return out.getvalue()
