"""`why` and `list`: what became of one file, and which activities there are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from config.node import instead
from daemon.app import App, disconnected_routes
from daemon.control import ProgressSink, Reply
from daemon.core import verdicts
from daemon.core.errors import UsageError
from daemon.core.fields import DEFAULT_TYPE
from daemon.core.making import left_out
from daemon.core.model import AllDay, Field, Status, Timed, When, text_of, when_of
from daemon.core.model import Key as ModelKey
from daemon.core.plan import State, Verdict
from daemon.core.policy import GuestMail
from daemon.core.store import Seen
from daemon.engine.look import load_problem
from daemon.journal.files import load_verdict
from daemon.journal.rows import EventRow, FileRow, instant
from daemon.status import Json
from daemon.status.standing import NEEDS_NOBODY, removal


def relative(app: App, args: Mapping[str, Json]) -> str:
    """The path of a file below the store, from what a person typed in the folder `here`. Raises UsageError.

    Below both that folder and the store it may stand, or have stood: what is there goes before what was.
    """
    store, given = app.config.store.resolve(), str(args.get("file") or "")
    paths = [(base / given).absolute() for base in (Path(str(args.get("here") or ".")), store)]
    resolved = [path.parent.resolve() / path.name for path in paths]
    found = [path.relative_to(store).as_posix() for path in resolved if path.is_relative_to(store)]
    if not found:
        raise UsageError(f"{given} is not below the store {store}.", what_to_do="Name a file of the store.")
    there = (name for name in found if os.path.lexists(store / name))
    was = (name for name in found if app.journal.files.by_path(name) or app.journal.history.newest_of(name))
    with app.journal.turn():
        return next(there, None) or next(was, None) or found[-1]


def why(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """The whole path to the decision about one file."""
    del progress
    path = relative(app, args)
    looked = app.engine.look({path})
    if looked.error is not None:
        raise looked.error
    with app.journal.turn():
        row = app.journal.files.by_path(path)
        links = app.journal.events.of_file(row.id) if row else []
    calendar = next((link.route for link in links), row.route if row else None)
    verdict = _disconnected(app, calendar, is_linked=bool(links)) or _why(app, path, row)
    data: dict[str, Json] = {
        "file": path,
        "uid": row.uid if row else "",
        "calendar": calendar,
        "state": verdict.state.value,
        "code": verdict.code,
        "reason": verdict.reason,
        "cure": verdict.cure,
        **_guests(app, row, links),
        "warnings": _warnings(app, path) if row is not None and row.problem is None else [],
    }
    asks = verdict.state in {State.CONFLICT, State.HELD, State.BROKEN, State.BLOCKED, State.READ_ONLY}
    return Reply(3 if asks else 0, data)


def _warnings(app: App, path: str) -> list[Json]:
    """What `check` says aloud of a file that is read all the same, perhaps otherwise than meant."""
    notes = [
        note for reading in app.folder.read([path]) if isinstance(reading, Seen) for note in reading.activity.notes
    ]
    return [
        {"line": one.line, "column": one.column, "code": one.code, "message": one.message, "cure": one.cure}
        for one in notes
    ]


def _guests(app: App, row: FileRow | None, links: Sequence[EventRow]) -> Mapping[str, Json]:
    """Whom the file names and its event does not have, or will not, and a note that says why."""
    link = next((link for link in links if link.role == "primary"), None)
    route = app.config.routes.get(link.route if link else (row.route or "") if row else "")
    if row is None or route is None or route.guests is not GuestMail.NEVER:
        return {}
    absent = left_out(row.activity.view, link.activity.view if link else {}, app.engine.around.own(route.name))
    if not absent:
        return {}
    many = f"{len(absent)} guest{'' if len(absent) == 1 else 's'} of the file"
    note = (
        f"{many} {'is' if len(absent) == 1 else 'are'} not on the event: nobody is mailed (guests: never)."
        if link
        else f"{many} will be left out where the service would mail them (guests: never)."
    )
    return {"note": note, "left_out": list(absent)}


def _disconnected(app: App, calendar: str | None, *, is_linked: bool) -> Verdict | None:
    """Whether its calendar's account was disconnected: then nothing about the file is decided."""
    route = disconnected_routes(app.routes, app.journal).get(calendar or "")
    if route is None:
        return None
    reason = f"Its calendar `{route.name}` is disconnected{'; the link is kept' if is_linked else ''}."
    return Verdict(State.IGNORED, "disconnected", reason, f"Run `datebook connect {route.account}` to go on.")


def _why(app: App, path: str, row: FileRow | None) -> Verdict:
    if path in app.engine.eyes.problems:
        problem = app.engine.eyes.problems[path]
        state = State.IGNORED if problem.code in NEEDS_NOBODY else State.BLOCKED
        return Verdict(state, problem.code, problem.message, problem.cure)
    if row is None:
        if not (app.config.store / path).exists():
            return _removed(app, path)
        return Verdict(
            State.IGNORED,
            "not_an_activity",
            "Its name is not that of an activity: *.yaml, *.yml and *.ics are, save hidden and temporary ones.",
            "Rename it.",
        )
    if row.problem is not None:
        problem = load_problem(row.problem)
        where = f"line {problem.line}: " if problem.line else ""
        return Verdict(State.BROKEN, problem.code, f"{where}{problem.message}", problem.cure)
    return verdict_of(app, row)


def _removed(app: App, path: str) -> Verdict:
    """What became of a file that is not there, and of its event. Raises UsageError where there never was one."""
    with app.journal.turn():
        entry = app.journal.history.newest_of(path)
    if entry is None:
        raise UsageError(f"There is no file {path}.", what_to_do="See `datebook list`, or `datebook restore`.")
    when = instant(entry.at).astimezone()
    what = f"{entry.action} {entry.side}, {entry.reason}" if entry.reason else f"{entry.action} {entry.side}"
    cure = f"To take that back: datebook undo {entry.id}" if entry.action in {"delete", "trash"} else ""
    return Verdict(
        State.IGNORED,
        "removed",
        f"It is not there any more. The last that was done, {when:%Y-%m-%d %H:%M}: {what}.",
        cure or "Write the file anew, or look for it with `datebook log`.",
    )


def verdict_of(app: App, row: FileRow) -> Verdict:
    """What was decided on a file last; an edit since then is waiting for the next pass."""
    last = load_verdict(row.verdict) if row.verdict is not None else None
    route = app.config.routes.get(row.route or "")
    fresh = last is None or last.state is State.SYNCED or last.code == verdicts.GRACE
    if route is not None and fresh and (row.missing is not None or (last and last.code == verdicts.GRACE)):
        return verdicts.waiting(verdicts.GRACE, removal(row, route.delete_grace), "Put the file back to keep both.")
    if last is None:
        return verdicts.waiting("waiting", "It goes out with the next pass.", "Run `datebook sync`.")
    if last.state is State.SYNCED and app.journal.files.is_dirty(row.id):
        return verdicts.waiting("changed", "It was changed, and goes out with the next pass.", "Run `datebook sync`.")
    return last


@dataclass(frozen=True, slots=True)
class _Line:
    """One activity as `list` sees it."""

    file: FileRow
    kind: str
    owner: str
    done: bool
    status: str
    first: date | None
    text: str
    state: str


def list_activities(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """The activities that fit the filters, and how many each filter hides."""
    del progress
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    with app.journal.turn():
        lines = [_line(app, row) for row in app.journal.files.all() if row.missing is None and row.problem is None]
    filters = _filters(args)
    hidden: Counter[str] = Counter()
    shown: list[Json] = []
    for line in sorted(lines, key=lambda line: (line.first or date.max, line.file.path)):
        missed = [name for name, fits in filters if not fits(line)]
        hidden.update(set(missed))
        if not missed:
            shown.append(_shown(line))
    hints: list[Json] = list(_hints(app, args, {line.kind for line in lines}))
    return Reply(0, {"activities": shown, "hidden": dict(hidden), "hints": hints})


def _hints(app: App, args: Mapping[str, Json], kinds: set[str]) -> Iterator[str]:
    """What may have been meant by a filter that fits nothing, whatever the activities are."""
    status, state, kind = (str(args.get(name) or "") for name in ("status", "sync", "type"))
    if status and status not in set(Status):
        if status in set(State):
            yield f"`{status}` says how a sync stands, not an activity's status: give --sync {status}"
        else:
            yield f"There is no status `{status}`. {instead(status, list(Status))}"
    if state and state not in set(State):
        if state in set(Status):
            yield f"`{state}` is an activity's own status, not how its sync stands: give --status {state}"
        else:
            yield f"There is no state `{state}`. {instead(state, list(State))}"
    if kind and kind not in {*kinds, *app.config.types}:
        yield f"There is no type `{kind}`. {instead(kind, app.config.types)}"


def _line(app: App, row: FileRow) -> _Line:
    activity = row.activity
    when = when_of(activity.view)
    status = activity.view.get(ModelKey(Field.STATUS), Status.CONFIRMED)
    return _Line(
        file=row,
        kind=text_of(activity.view, Field.TYPE) or DEFAULT_TYPE,
        owner=(activity.local.owner or app.config.owner).lower(),
        done=activity.local.done,
        status=str(status),
        first=_first(when),
        state=verdict_of(app, row).state.value,
        text=" ".join(str(value) for value in activity.view.values() if isinstance(value, str)).casefold(),
    )


def _first(when: When | None) -> date | None:
    match when:
        case Timed(start, _, _):
            return start.date()
        case AllDay(first, _):
            return first
        case None:
            return None


def _filters(args: Mapping[str, Json]) -> list[tuple[str, Callable[[_Line], bool]]]:
    """Name and test of each filter that was given; `hidden` counts by these names."""
    found: list[tuple[str, Callable[[_Line], bool]]] = []
    owner, kind, status, state, text = (
        str(args.get(name) or "") for name in ("owner", "type", "status", "sync", "text")
    )
    if owner:
        found.append(("owner", lambda line: line.owner == owner.lower()))
    if kind:
        found.append(("type", lambda line: line.kind == kind))
    if status:
        found.append(("status", lambda line: line.status == status))
    if state:
        found.append(("sync", lambda line: line.state == state))
    if args.get("done") or args.get("open"):
        wanted = bool(args.get("done"))
        found.append(("done", lambda line: line.done is wanted))
    if text:
        found.append(("text", lambda line: text.casefold() in line.text))
    first, last = _day(args.get("from")), _day(args.get("to"))
    if first or last:
        found.append(("time", lambda line: _within(line.first, first, last)))
    return found


def _day(value: Json) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise UsageError(f"{value} is not a date.", what_to_do="Write it as 2026-11-24.") from error


def _within(day: date | None, first: date | None, last: date | None) -> bool:
    return day is not None and (first is None or day >= first) and (last is None or day <= last)


def _shown(line: _Line) -> Json:
    activity = line.file.activity
    when = when_of(activity.view)
    start, end = _ends(when)
    return {
        "file": line.file.path,
        "uid": line.file.uid,
        "subject": text_of(activity.view, Field.SUBJECT),
        "type": line.kind,
        "start": start,
        "end": end,
        "done": line.done,
        "calendar": line.file.route,
        "state": line.state,
    }


def _ends(when: When | None) -> tuple[str | None, str | None]:
    """Start and end; of whole days the first and the last one."""
    match when:
        case None:
            return None, None
        case AllDay(first, days):
            return first.isoformat(), date.fromordinal(first.toordinal() + days - 1).isoformat()
        case Timed():
            from daemon.core.times import end_of, start_of, zone_info  # noqa: PLC0415  only `list` with dates needs it

            zone = zone_info(when.zone)
            return _iso(start_of(when, when.zone).astimezone(zone)), _iso(end_of(when, when.zone).astimezone(zone))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
