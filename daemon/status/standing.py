"""How things stand, read from the journal: counts, problems, conflicts and holds, as the status file shows them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType

from daemon.core import verdicts
from daemon.core.errors import Unreadable
from daemon.core.model import AllDay, Field, Key, Privacy, Timed, Value, View
from daemon.core.plan import Hold, State
from daemon.core.policy import Route
from daemon.engine.look import load_problem
from daemon.journal import Journal, encoding
from daemon.journal.files import load_verdict
from daemon.journal.rows import ConflictRow, FileRow, HoldRow, instant
from daemon.status import (
    DISCONNECTED,
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Held,
    OpenConflict,
    Problem,
    StoreStatus,
    Trouble,
)
from daemon.status.left_behind import left_behind

_NOTHING: Mapping[str, Route] = MappingProxyType({})
_SHOWN = frozenset({State.BLOCKED, State.READ_ONLY})
_TOLD = frozenset(  # passes by itself, and its user wonders; or is as the direction wants it, and better known
    {verdicts.HELD_BY_EDITOR, verdicts.FILE_REMOVED.code, verdicts.EVENT_REMOVED.code}
)
_LATER = frozenset({verdicts.HELD_BY_EDITOR, verdicts.EVENT_REMOVED.code})  # began some time after the file's change
_NO_ACTIVITY = frozenset({"no_event"})  # a to-do or a journal among the events is nothing to report
NEEDS_NOBODY = frozenset({"replicator_conflict"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal knows that a person should: the parts of the status file that don't depend on the loop."""

    store: StoreStatus
    calendars: Mapping[str, CalendarStatus]
    problems: tuple[Problem, ...]
    conflicts: tuple[OpenConflict, ...]

    @property
    def needs_user(self) -> bool:
        """Whether something waits for its user: a conflict, a held plan, a broken file, a blocked item."""
        asked = any(problem.needs_user for problem in self.problems)
        undecided = any(conflict.chosen is None for conflict in self.conflicts)
        return asked or undecided or any(calendar.held for calendar in self.calendars.values())


def standing(  # noqa: PLR0913  what there is, and how it is shown, by name
    journal: Journal,
    routes: Mapping[str, Route],
    store: str,
    folder_problems: Iterable[Unreadable],
    *,
    away: Mapping[str, Route] = _NOTHING,
    zone: tzinfo | None = None,
) -> Standing:
    """Read it all in one turn of the journal.

    `away`: routes that are disconnected. `zone`: that of the times in texts; None: the system's.
    """
    with journal.turn():
        tally = _Tally.of(journal.files.tally())
        broken = journal.files.broken_ones()
        shown_ones = [row for text in tally.shown for row in journal.files.judged(text) if row.problem is None]
        rows = (*journal.conflicts.rows(), *journal.conflicts.settled())
        conflicts = tuple(conflict for row in rows if (conflict := _conflict(journal, row)))
        holds = journal.holds.rows()
        problems = (
            *_file_problems([*broken, *shown_ones], routes, zone),
            *left_behind(journal),
            *_event_problems(journal, routes),
            *(_restored(hold) for hold in holds if hold.reason == Hold.TAKEN_BACK.value and hold.route in routes),
            *map(_folder_problem, folder_problems),
        )
        calendars = _calendars(journal, {**routes, **away}, tally, conflicts, holds)
    off = {name: replace(calendars[name], state=CalendarState.DISCONNECTED, held=None) for name in away}
    return Standing(_store(tally, broken, store), {**calendars, **off}, problems, conflicts)


def _calendars(
    journal: Journal,
    routes: Mapping[str, Route],
    tally: _Tally,
    conflicts: Iterable[OpenConflict],
    holds: Iterable[HoldRow],
) -> dict[str, CalendarStatus]:
    """Each route, with the state that the journal alone can tell."""
    coming, going = journal.events.waiting(), _going(tally, journal.files.unsettled_by_route())
    moments = {name: row.last_success for name in routes if (row := journal.route(name))}
    states = tally.states
    found = {
        name: CalendarStatus(
            account=route.account,
            direction=route.direction.value,
            last_sync=instant(moment) if (moment := moments.get(name)) is not None else None,
            linked=journal.events.count(name),
            pending_out=going[name],
            pending_in=coming.get(name, 0),
            conflicts=len({one.file for one in conflicts if one.calendar == name and one.chosen is None}),
            blocked=states[name, State.BLOCKED] + states[name, State.READ_ONLY] + tally.stuck[name],
            held=_held([hold for hold in holds if hold.route == name]),
        )
        for name, route in routes.items()
    }
    return {name: replace(one, state=_state(one)) for name, one in found.items()}


def _state(one: CalendarStatus) -> CalendarState:
    if one.held:
        return CalendarState.HELD
    return CalendarState.ATTENTION if one.conflicts or one.blocked else CalendarState.OK


def disconnected(name: str, calendars: Mapping[str, CalendarStatus], before: AccountStatus) -> AccountStatus:
    """The account, said to be disconnected where every calendar of it is."""
    own = [one for one in calendars.values() if one.account == name]
    if not own or any(one.state is not CalendarState.DISCONNECTED for one in own):
        return before
    last = max((one.last_sync for one in own if one.last_sync), default=None)
    words = "You disconnected it: nothing of it is synced, and every link and file is kept."
    error = Trouble(DISCONNECTED, words, f"To go on: datebook connect {name}")
    return AccountStatus(AccountState.HELD, last_success=last, error=error)


@dataclass(frozen=True, slots=True)
class _Tally:
    """How many files there are by route and state, and the verdicts of those to be shown one by one."""

    states: Counter[tuple[str | None, State | None]]
    shown: tuple[str, ...]
    stuck: Counter[str | None]  # by route, files that are gone and whose events can't follow
    waiting: Counter[str | None]  # by route, files that are gone too: what becomes of their events waits

    @classmethod
    def of(cls, rows: Iterable[tuple[str | None, str | None, bool, int]]) -> _Tally:
        states: Counter[tuple[str | None, State | None]] = Counter()
        waiting: Counter[str | None] = Counter()
        stuck: Counter[str | None] = Counter()
        shown: dict[str, None] = {}
        for text, route, here, count in rows:
            state = load_verdict(text).state if text else None
            if here:
                states[route, state] += count
            elif state in _SHOWN:
                stuck[route] += count
            if state is State.WAITING:
                waiting[route] += count
            if text and (state in _SHOWN or _is_grace(text) or load_verdict(text).code in _TOLD):
                shown[text] = None
        return cls(states, tuple(shown), stuck, waiting)


def _going(tally: _Tally, unsettled: Iterable[tuple[str | None, str | None, int]]) -> Counter[str | None]:
    """By route, how many files have something for their calendar: what waits, and what was edited since it agreed."""
    going = Counter(tally.waiting)
    for text, route, count in unsettled:
        if text is None or load_verdict(text).state is State.SYNCED:
            going[route] += count
    return going


def removal(file: FileRow, grace: timedelta, zone: tzinfo | None) -> str:
    """What is said of a file that was removed, or lost its date, a moment ago."""
    what = "It was removed" if file.missing is not None else "It lost its date"
    until = instant(file.missing or file.changed) + grace
    return f"{what}; what that does to its event is done at {until.astimezone(zone):%H:%M:%S}, unless it is put back."


def _is_grace(verdict: str) -> bool:
    return load_verdict(verdict).code == verdicts.GRACE


def _store(tally: _Tally, broken: Iterable[FileRow], path: str) -> StoreStatus:
    return StoreStatus(
        path=path,
        activities=tally.states.total(),
        unscheduled=sum(count for (_, state), count in tally.states.items() if state is State.UNSCHEDULED),
        broken=sum(1 for file in broken if file.missing is None),
    )


def _file_problems(files: list[FileRow], routes: Mapping[str, Route], zone: tzinfo | None) -> Iterable[Problem]:
    for file in files:
        if file.problem is not None:
            yield replace(_folder_problem(load_problem(file.problem)), file=file.path, since=instant(file.changed))
        elif file.verdict is not None:
            verdict = load_verdict(file.verdict)
            if verdict.state in _SHOWN or _is_grace(file.verdict) or verdict.code in _TOLD:
                asks = verdict.state in _SHOWN
                since = None if verdict.code in _LATER else instant(file.missing or file.changed)
                reason = verdict.reason
                if verdict.code == verdicts.GRACE and (route := routes.get(file.route or "")):
                    reason = removal(file, route.delete_grace, zone)
                yield Problem(verdict.code, reason, verdict.cure, since, file=file.path, needs_user=asks)


def _folder_problem(problem: Unreadable) -> Problem:
    return Problem(
        problem.code,
        problem.message,
        problem.cure,
        file=problem.path,
        line=problem.line,
        column=problem.column,
        needs_user=problem.code not in NEEDS_NOBODY,
    )


def _event_problems(journal: Journal, routes: Mapping[str, Route]) -> Iterable[Problem]:
    for name in routes:
        for _version, trouble in journal.quarantine.unreadable(name).values():
            if trouble.code in _NO_ACTIVITY:
                continue
            yield Problem(trouble.code, trouble.message, trouble.cure, instant(trouble.since), calendar=name)
    for kind, _id, name, trouble in journal.quarantine.all():
        if kind == "event":
            yield Problem(trouble.code, trouble.message, trouble.cure, instant(trouble.since), calendar=name)


def _restored(hold: HoldRow) -> Problem:
    """A server that looks restored from a backup: what is held because of it goes either way."""
    cure = (
        f"`datebook resolve {hold.id} --keep file` sends what the files say again; "
        f"`datebook approve {hold.id}` follows the calendar."
    )
    verdict = verdicts.HELD_TAKEN_BACK
    return Problem(verdict.code, verdict.reason, cure, instant(hold.since), calendar=hold.route)


def _held(holds: list[HoldRow]) -> Held | None:
    if not holds:
        return None
    actions = [action for hold in holds for action in json.loads(hold.actions)]
    kinds = Counter(action["action"] for action in actions)
    return Held(
        reason=holds[0].reason,
        creates=kinds["create"],
        updates=kinds["update"],
        deletes=kinds["delete"] + kinds["trash"],
        mails=len({mail for action in actions for mail in action["mails"]}),
        id=holds[0].id,
        message=str(next((action["why"] for action in json.loads(holds[0].actions) if action.get("why")), "")),
    )


def _conflict(journal: Journal, row: ConflictRow) -> OpenConflict | None:
    file = journal.files.get(row.file)
    if file is None:
        return None
    view = file.activity.view
    return OpenConflict(
        file=file.path,
        calendar=row.route,
        field=row.key,
        file_value=shown(row.file_value),
        calendar_value=shown(row.calendar_value),
        chosen=row.chosen,
        since=instant(row.since),
        private=_is_private(view),
    )


def _is_private(view: View) -> bool:
    return view.get(Key(Field.PRIVATE), Privacy.PUBLIC) is not Privacy.PUBLIC


def shown(text: str | None) -> str | None:
    """A kept value in words for a person; None: there is none."""
    if text is None:
        return None
    values = [value for value in encoding.load_patch(text).values() if value is not None]
    return in_words(values[0]) if values else None


def in_words(value: Value) -> str:
    """A value as a person would write it."""
    match value:
        case Timed(start, zone, length):
            return f"{start:%Y-%m-%d %H:%M} {zone}, {_length(length.total_seconds())}"
        case AllDay(first, days):
            return f"{first.isoformat()}, {days} day{'' if days == 1 else 's'}"
        case frozenset():
            return ", ".join(sorted(_element(item) for item in value))
        case _:
            return str(value)


def _element(item: object) -> str:
    if isinstance(item, datetime):
        return item.isoformat(sep=" ", timespec="minutes")
    seconds = getattr(item, "total_seconds", None)
    if seconds is not None:
        return _length(seconds())
    return str(getattr(item, "email", item))


def _length(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{days}d" if days else "", f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    return "".join(parts) or "0m"
