"""`why`: what became of one file, the path to that decision, and the cure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.app import App, disconnected_routes
from daemon.control import ProgressSink, Reply
from daemon.core import verdicts
from daemon.core.errors import UsageError
from daemon.core.making import left_out
from daemon.core.plan import State, Verdict
from daemon.core.policy import GuestMail, Route
from daemon.core.store import Seen
from daemon.engine.look import load_problem
from daemon.journal.files import load_verdict
from daemon.journal.rows import EventRow, FileRow, instant
from daemon.status import DISCONNECTED, AccountState, CalendarState, Json, Trouble
from daemon.status.left_behind import with_place
from daemon.status.standing import NEEDS_NOBODY, removal
from daemon.status.status_file import last_status


def relative(app: App, args: Mapping[str, Json]) -> str:
    """The path of a file below the store, from what a person typed in the folder `here`. Raises UsageError.

    Below both that folder and the store it may stand, or have stood: what is there goes before what was.
    """
    store, found = app.config.store.resolve(), places_meant(app, args)
    if not found:
        raise UsageError(f"{args.get('file')} is not below the store {store}.", what_to_do="Name a file of the store.")
    there = (name for name in found if os.path.lexists(store / name))
    was = (name for name in found if app.journal.files.by_path(name) or app.journal.history.newest_of(name))
    with app.journal.turn():
        return next(there, None) or next(was, None) or found[-1]


def places_meant(app: App, args: Mapping[str, Json]) -> list[str]:
    """The paths below the store that a person may mean, seen from the folder `here` and from the store."""
    store, given = app.config.store.resolve(), str(args.get("file") or "")
    paths = [(base / given).absolute() for base in (Path(str(args.get("here") or ".")), store)]
    resolved = [path.parent.resolve() / path.name for path in paths]
    return [path.relative_to(store).as_posix() for path in resolved if path.is_relative_to(store)]


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
    leading = next((link for link in links if link.role == "primary"), next(iter(links), None))
    calendar = leading.route if leading else row.route if row else None
    verdict = _despite_absence(app, links, _despite_trouble(app, calendar, _why(app, path, row)))
    if row is not None and verdict.state is State.SYNCED:
        verdict = _old_buffer(app, row, verdict)
    if row is not None and verdict.state is State.IGNORED:
        verdict, calendar = _left_behind(app, row, verdict, calendar)
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


def _old_buffer(app: App, row: FileRow, verdict: Verdict) -> Verdict:
    """What is in step, though its last save put an old value back, in place of which the calendar's stays."""
    with app.journal.turn():
        fields = ", ".join(one.key for one in app.journal.conflicts.settled() if one.file == row.id)
    if not fields:
        return verdict
    words = f"The last save put back an older value ({fields}); the calendar's value stays."
    return replace(verdict, reason=f"{verdict.reason} {words}", cure="Save your value once more: then it is believed.")


def _left_behind(app: App, row: FileRow, verdict: Verdict, calendar: str | None) -> tuple[Verdict, str | None]:
    """What no longer fits its calendar, with the calendar in which its event still stands."""
    with app.journal.turn():
        route = dict(app.journal.tombstones.standing()).get(row.id)
        is_there = any(not event.gone for event in app.journal.events.by_uid(row.uid)) if row.uid else False
    if route is not None:
        return with_place(verdict, route), route
    return (verdict if is_there else _without_its_event(app, row, verdict)), calendar


def _without_its_event(app: App, row: FileRow, verdict: Verdict) -> Verdict:
    """What was said while its event was still there, which is deleted by now."""
    if not verdict.reason.startswith("Its event s"):
        return verdict
    now = app.engine.around.router(row.activity, None, None).verdict
    return now if now is not None and now.code == verdict.code else verdicts.REMEMBERED


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


def disconnected(route: Route) -> Verdict:
    """What is said of a file whose calendar is disconnected: nothing about it is decided."""
    reason = f"You disconnected the account `{route.account}` of its calendar `{route.name}`; every link is kept."
    return Verdict(State.IGNORED, DISCONNECTED, reason, f"Run `datebook connect {route.account}` to go on.")


def _despite_trouble(app: App, calendar: str | None, verdict: Verdict) -> Verdict:
    """What waits for the next pass waits for the end of its calendar's trouble, if that has any."""
    if verdict.state is not State.WAITING or verdict.code not in {"waiting", "changed"}:
        return verdict
    trouble = _trouble_of(app, calendar)
    if trouble is None:
        return verdict
    cure = trouble.cure or "It is tried again by itself; `datebook sync` tries at once."
    words = trouble.message.rstrip(".")
    return verdicts.waiting(verdict.code, f"It waits, for `{calendar}` can't be synced: {words}.", cure)


def _despite_absence(app: App, links: Sequence[EventRow], verdict: Verdict) -> Verdict:
    """What is in step has moved all the same, and left an event behind where nothing is synced for now."""
    old = next((link.route for link in links if link.role == "moved" and link.route not in app.config.routes), None)
    if old is None or verdict.state is not State.SYNCED:
        return verdict
    if old not in app.routes:
        cure = f"Delete it there yourself, or put `{old}` into the config again: then Datebook does."
        return replace(verdict, reason=f"{verdict.reason} Its old event in `{old}` is still there.", cure=cure)
    reason = f"{verdict.reason} Its old event in `{old}`, which is disconnected, is still there."
    cure = f"Run `datebook connect {app.routes[old].account}`: then it is taken out."
    return replace(verdict, reason=reason, cure=cure)


def _trouble_of(app: App, calendar: str | None) -> Trouble | None:
    """What keeps a calendar, or its account, from being synced, as far as the last pass knows."""
    status = last_status(app.places.status)
    one = status.calendars.get(calendar or "") if status else None
    if status is None or one is None:
        return None
    account = status.accounts.get(one.account)
    if account is not None and account.error is not None and account.state is not AccountState.OK:
        return account.error
    if one.state is not CalendarState.STOPPED:
        return None
    own = (problem for problem in status.problems if problem.calendar == calendar)
    return next((Trouble(problem.code, problem.message, problem.cure) for problem in own), None)


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
    return verdict_of(app, row, disconnected_routes(app.routes, app.journal))


def _removed(app: App, path: str) -> Verdict:
    """What became of a file that is not there, and of its event. Raises UsageError where there never was one."""
    with app.journal.turn():
        entry = app.journal.history.newest_of(path)
    if entry is None:
        raise UsageError(f"There is no file {path}.", what_to_do="See `datebook list`, or `datebook restore`.")
    when = instant(entry.at).astimezone(app.shown_zone)
    what = f"{entry.action} {entry.side}, {entry.reason}" if entry.reason else f"{entry.action} {entry.side}"
    cure = f"To take that back: datebook undo {entry.id}" if entry.action in {"delete", "trash"} else ""
    return Verdict(
        State.IGNORED,
        "removed",
        f"It is not there any more. The last that was done, {when:%Y-%m-%d %H:%M}: {what}.",
        cure or "Write the file anew, or look for it with `datebook log`.",
    )


def verdict_of(app: App, row: FileRow, away: Mapping[str, Route]) -> Verdict:
    """What was decided on a file last; an edit since then is waiting for the next pass. `away`: disconnected routes."""
    if row.problem is not None:
        problem = load_problem(row.problem)
        where = f"line {problem.line}: " if problem.line else ""
        return Verdict(State.BROKEN, problem.code, f"{where}{problem.message}", problem.cure)
    if (left := away.get(row.route or "")) is not None:
        return disconnected(left)
    last = load_verdict(row.verdict) if row.verdict is not None else None
    route = app.config.routes.get(row.route or "")
    fresh = last is None or last.state is State.SYNCED or last.code == verdicts.GRACE
    if route is not None and fresh and (row.missing is not None or (last and last.code == verdicts.GRACE)):
        return verdicts.waiting(
            verdicts.GRACE, removal(row, route.delete_grace, app.shown_zone), "Put the file back to keep both."
        )
    if last is None:
        return verdicts.waiting("waiting", "It goes out with the next pass.", "Run `datebook sync`.")
    if last.state is State.SYNCED and app.journal.files.is_dirty(row.id):
        return verdicts.waiting("changed", "It was changed, and goes out with the next pass.", "Run `datebook sync`.")
    return last
