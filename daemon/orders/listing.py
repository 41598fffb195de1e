"""`list`: which activities there are, and how many each filter hides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from config.node import instead
from daemon.app import App, disconnected_routes
from daemon.control import ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.core.fields import DEFAULT_TYPE
from daemon.core.model import AllDay, Field, Status, Timed, When, text_of, when_of
from daemon.core.model import Key as ModelKey
from daemon.core.plan import State, Verdict
from daemon.core.policy import Route
from daemon.journal.rows import FileRow
from daemon.orders.why import disconnected, verdict_of
from daemon.status import Json


@dataclass(frozen=True, slots=True)
class _Line:
    """One activity as `list` sees it."""

    file: FileRow
    kind: str
    owner: str
    done: bool
    status: str
    begins: datetime | date | None  # as its user's clock has it
    text: str
    verdict: Verdict


def list_activities(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """The activities that fit the filters, and how many each filter hides."""
    del progress
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    away = disconnected_routes(app.routes, app.journal)
    with app.journal.turn():
        lines = [_line(app, row, away) for row in app.journal.files.all() if row.missing is None]
    _check_type(app, args, {line.kind for line in lines})
    filters = _filters(app, args)
    hidden: Counter[str] = Counter()
    shown: list[Json] = []
    for line in sorted(lines, key=_order):
        missed = [name for name, fits in filters if not fits(line)]
        hidden.update(set(missed))
        if not missed:
            shown.append(_shown(line))
    hints: list[Json] = [
        *_hints(args),
        *(f"{one.reason} {one.cure}" for one in map(disconnected, _left_alone(away, lines))),
    ]
    return Reply(0, {"activities": shown, "hidden": dict(hidden), "hints": hints})


def _left_alone(away: Mapping[str, Route], lines: Sequence[_Line]) -> Iterator[Route]:
    """One route of each disconnected account that keeps any of these waiting."""
    routes = {route.account: route for line in lines if (route := away.get(line.file.route or "")) is not None}
    yield from routes.values()


def _check_type(app: App, args: Mapping[str, Json], used: set[str]) -> None:
    """Raise UsageError for a type that neither the config nor any file knows."""
    kind = str(args.get("type") or "")
    if kind and kind not in {*used, *app.config.types}:
        raise UsageError(f"There is no type `{kind}`.", what_to_do=instead(kind, sorted({*used, *app.config.types})))


def _hints(args: Mapping[str, Json]) -> Iterator[str]:
    """What may have been meant by a filter that fits nothing, whatever the activities are."""
    status, state = (str(args.get(name) or "") for name in ("status", "sync"))
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


def _line(app: App, row: FileRow, away: Mapping[str, Route]) -> _Line:
    activity = row.activity
    when = when_of(activity.view)
    status = activity.view.get(ModelKey(Field.STATUS), Status.CONFIRMED)
    return _Line(
        file=row,
        kind=text_of(activity.view, Field.TYPE) or DEFAULT_TYPE,
        owner=(activity.local.owner or app.config.owner).lower(),
        done=activity.local.done,
        status=str(status),
        begins=_begins(when, app.shown_zone),
        verdict=verdict_of(app, row, away),
        text=" ".join(str(value) for value in activity.view.values() if isinstance(value, str)).casefold(),
    )


def _begins(when: When | None, zone: tzinfo | None) -> datetime | date | None:
    """The day, or the time without its zone, at which it begins for its user."""
    match when:
        case Timed(start, name, _) if zone is not None and name == str(zone):
            return start
        case Timed(_, name, _):
            from daemon.core.times import start_of  # noqa: PLC0415  only a zone of its own needs it

            return start_of(when, name).astimezone(zone).replace(tzinfo=None)
        case AllDay(first, _):
            return first
        case None:
            return None


def _order(line: _Line) -> tuple[date, str, str]:
    """By day, on each day the whole days first, then by time; what has no date comes last."""
    return _day_of(line) or date.max, line.begins.isoformat() if line.begins else "", line.file.path


def _day_of(line: _Line) -> date | None:
    return _as_day(line.begins)


def _as_day(begins: datetime | date | None) -> date | None:
    return begins.date() if isinstance(begins, datetime) else begins


def _filters(app: App, args: Mapping[str, Json]) -> list[tuple[str, Callable[[_Line], bool]]]:
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
        found.append(("sync", lambda line: line.verdict.state == state))
    if args.get("done") or args.get("open"):
        wanted = bool(args.get("done"))
        found.append(("done", lambda line: line.done is wanted))
    if text:
        found.append(("text", lambda line: text.casefold() in line.text))
    first, last = _day(args.get("from")), _day(args.get("to"))
    if first or last:
        found.append(("time", lambda line: _falls_within(app, line, first, last)))
    return found


def _day(value: Json) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise UsageError(f"{value} is not a date.", what_to_do="Write it as 2026-11-24.") from error


def _falls_within(app: App, line: _Line, first: date | None, last: date | None) -> bool:
    """Whether it begins within these days, both of them included; of a series, whether any instance does."""
    view = line.file.activity.view
    if not text_of(view, Field.REPEAT):
        return _within(_day_of(line), first, last)
    from daemon.core.times import occurrences, shifted  # noqa: PLC0415  only `list` with dates needs it

    # A day more at each end: days are those of the user's clock, and instances have zones of their own.
    since = shifted(datetime.combine(first, time(), UTC), timedelta(days=-1)) if first else None
    until = shifted(datetime.combine(last, time(), UTC), timedelta(days=2)) if last else None
    found = occurrences(view, zone=app.engine.around.zone, since=since, until=until)
    return any(_within(_as_day(_begins(each.when, app.shown_zone)), first, last) for each in found)


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
        "begins": line.begins.isoformat(sep=" ", timespec="minutes") if isinstance(line.begins, datetime) else start,
        "start": start,
        "end": end,
        "done": line.done,
        "calendar": line.file.route,
        "state": line.verdict.state.value,
        "code": line.verdict.code,
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
