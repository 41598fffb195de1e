"""`plan` and `approve`: what a sync would do, and letting go what it holds."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import tzinfo

from daemon.app import App, set_connected
from daemon.control import Progress, ProgressSink, Reply
from daemon.core import verdicts
from daemon.core.errors import UsageError
from daemon.core.moving import ARRIVES, MOVED, MOVING
from daemon.core.plan import CreateEvent, Decision, DeleteEvent, Hold, Link, State, Unlink
from daemon.engine.holds import hold_id, keep_holds
from daemon.engine.report import open_conflict, plan_rows
from daemon.engine.unit import Unit
from daemon.journal.files import load_verdict
from daemon.orders.syncing import reply_of, sync_routes
from daemon.status import Json
from daemon.status.standing import Standing, standing


def plan(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """What a sync would do, item by item, with the reason, and whom it would mail; writes to neither side."""
    del args
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    actions: list[Json] = []
    held: list[Json] = []
    stuck: set[str] = set()
    found: dict[str, list[Unit]] = {}
    for number, route in enumerate(app.config.routes):
        progress(Progress(f"reading {route}", number, len(app.config.routes)))
        found[route] = app.engine.plan(route)
    for route, units in _whole_moves(_made_once(found)).items():
        keep_holds(app.journal, route, units, app.clock.now())
        going = [unit for unit in units if unit.decision.hold is None and not unit.is_in_grace]
        actions += plan_rows(route, going)  # type: ignore[arg-type]  # rows are JSON
        actions += _later(route, app.engine.later(route), app.shown_zone)
        held += _held(route, units)
        stuck |= {unit.file.path for unit in units if unit.file and unit.decision.verdict.state in _STUCK}
    now = standing(app.journal, app.config.routes, str(app.config.store), app.engine.eyes.problems.values())
    actions += _still_open(app, now, found)
    broken, blocked = _left_out(now, stuck)
    asks = held or broken or blocked or any(row["action"] == "conflict" for row in actions)  # type: ignore[index,call-overload]  # rows are JSON
    data: dict[str, Json] = {"actions": actions, "held": held, "broken": broken, "blocked": blocked}
    return Reply(3 if asks else 0, data)


_STUCK = frozenset({State.BLOCKED, State.READ_ONLY})


def _made_once(found: Mapping[str, list[Unit]]) -> dict[str, list[Unit]]:
    """Without the events to be made for files that are linked in another calendar, which was read after this one."""
    linked = {
        unit.file.id
        for units in found.values()
        for unit in units
        if unit.file and any(isinstance(step, Link) for step in unit.decision.steps)
    }
    return {
        route: [unit for unit in units if not (_is_of(unit, linked) and _makes(unit))] for route, units in found.items()
    }


def _makes(unit: Unit) -> bool:
    return any(isinstance(step, CreateEvent) for step in unit.decision.steps)


def _still_open(app: App, now: Standing, found: Mapping[str, list[Unit]]) -> list[Json]:
    """The conflicts that wait for their user's word, of files of which nothing new was seen."""
    decided = {(route, unit.file.path) for route, units in found.items() for unit in units if unit.file}
    fields: dict[tuple[str, str], list[str]] = {}
    for one in now.conflicts:
        if one.chosen is None and (one.calendar, one.file) not in decided:
            fields.setdefault((one.calendar, one.file), []).append(one.field)
    rows: list[Json] = []
    with app.journal.turn():
        for (route, path), names in fields.items():
            file = app.journal.files.by_path(path)
            verdict = load_verdict(file.verdict) if file is not None and file.verdict else verdicts.CONFLICT
            rows.append(open_conflict(route, Unit(file, None, Decision(verdict)), names))  # type: ignore[arg-type]  # rows are JSON
    return rows


def _whole_moves(found: Mapping[str, list[Unit]]) -> dict[str, list[Unit]]:
    """The two halves of each move as far as they go: what one of them waits for keeps the other one too."""
    units = [unit for each in found.values() for unit in each]
    waiting = {unit.file.id for unit in units if unit.file and _leaves(unit) and not _goes_on(unit)}
    arriving = {unit.file.id for unit in units if unit.file and _arrives(unit) and unit.decision.hold is None}
    return {
        route: [_with_its_end(unit, arriving) for unit in each if not (_is_of(unit, waiting) and _arrives(unit))]
        for route, each in found.items()
    }


def _is_of(unit: Unit, files: Collection[int]) -> bool:
    return unit.file is not None and unit.file.id in files


def _leaves(unit: Unit) -> bool:
    """Whether its event is to go, once it stands in another calendar."""
    return unit.decision.elsewhere and not any(isinstance(step, DeleteEvent | Unlink) for step in unit.decision.steps)


def _goes_on(unit: Unit) -> bool:
    return unit.decision.verdict.code == MOVING and unit.decision.hold is None


def _arrives(unit: Unit) -> bool:
    return any(isinstance(step, CreateEvent) and step.reason.startswith(ARRIVES) for step in unit.decision.steps)


def _with_its_end(unit: Unit, arriving: Collection[int]) -> Unit:
    """A move is shown with the end of its event, which waits until the event stands in the other calendar."""
    if not (_is_of(unit, arriving) and _leaves(unit) and _goes_on(unit)):
        return unit
    return replace(unit, decision=replace(unit.decision, steps=(*unit.decision.steps, DeleteEvent(MOVED))))


def _left_out(now: Standing, stuck: set[str]) -> tuple[int, int]:
    """How many files can't be read, and how many others no sync can send before their user acts."""
    asking = stuck | {one.file for one in now.problems if one.file is not None and one.needs_user}
    return now.store.broken, max(0, len(asking) - now.store.broken)


def _later(route: str, units: list[Unit], zone: tzinfo | None) -> list[Json]:
    """What is done when a grace has ended, and when that is."""
    rows: list[Json] = []
    for unit in units:
        until = unit.decision.not_before.astimezone(zone) if unit.decision.not_before else None
        for row in plan_rows(route, [unit]):
            when = f", at {until:%H:%M:%S} unless it is put back" if until else ""
            moment = until.isoformat(timespec="seconds") if until else None
            rows.append({**row, "reason": f"{row['reason']}{when}", "not_before": moment})  # type: ignore[dict-item]  # rows are JSON
    return rows


def connect(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Fix the moment of connecting for an account's calendars: note what is there before it; write nothing."""
    account = str(args.get("account", ""))
    looked = app.engine.look(None)
    if looked.error is not None:
        raise looked.error
    routes = [name for name, route in app.config.routes.items() if route.account == account]
    for number, route in enumerate(routes):
        progress(Progress(f"reading {route}", number, len(routes)))
        app.engine.plan(route)
    return Reply(0, {"calendars": list(routes)})


def disconnect(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Stop syncing an account; every link and every file stays, and a later `connect` doubles nothing."""
    del progress
    account = str(args.get("account", ""))
    routes = [name for name, route in app.routes.items() if route.account == account]
    set_connected(app.config, app.journal, account, connected=False)
    return Reply(0, {"calendars": list(routes)})


def _held(route: str, units: list[Unit]) -> list[Json]:
    found: list[Json] = []
    for hold in Hold:
        waiting = [unit for unit in units if unit.decision.hold is hold]
        if waiting:
            mails = sorted({mail for unit in waiting for mail in unit.mails})
            found.append(
                {
                    "calendar": route,
                    "reason": hold.value,
                    "message": waiting[0].decision.verdict.reason,
                    "id": hold_id(route, hold, waiting),
                    "actions": plan_rows(route, waiting),  # type: ignore[dict-item]  # rows are JSON
                    "mails": mails,
                }
            )
    return found


def approve(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Let a held plan go, exactly as it was shown; what mails anybody needs `mail` besides."""
    wanted = str(args.get("hold") or "")
    mail = bool(args.get("mail"))
    with app.journal.turn():
        holds = [row for row in app.journal.holds.rows() if not wanted or row.id.startswith(wanted)]
    if not holds and wanted:
        raise UsageError(f"There is no hold {wanted}.", what_to_do="`datebook plan` shows what is held.")
    if not holds:
        return Reply(0, {"calendars": [], "needs_user": False, "approved": [], "needs_mail": 0})
    held_back = 0
    with app.journal.turn():
        for hold in holds:
            actions = json.loads(hold.actions)
            held_back += 0 if mail else len({row["signature"] for row in actions if row["mails"]})
            signatures = {str(row["signature"]) for row in actions}
            app.journal.holds.approve(signatures, app.clock.now().timestamp(), mail=mail)
            if hold.reason == Hold.REBUILD.value:
                app.journal.set_route(hold.route, rebuilding=0)
    routes = {hold.route for hold in holds}
    reply = reply_of(app, sync_routes(app, sorted(routes), progress))
    data: dict[str, Json] = {**reply.data, "approved": [hold.id for hold in holds], "needs_mail": held_back}
    return Reply(reply.code, data, reply.message, reply.cure)
