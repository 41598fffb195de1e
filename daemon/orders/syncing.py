"""`sync`: one pass over everything, and the wait for what a grace holds back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Condition

from config.node import instead
from daemon.app import App
from daemon.control import Progress, ProgressSink, Reply
from daemon.core import verdicts
from daemon.core.errors import SyncError, UsageError
from daemon.engine.poll import listed_mark
from daemon.journal import Journal
from daemon.journal.files import load_verdict
from daemon.loop.reports import trouble_of
from daemon.passes import Synced
from daemon.status import Json
from daemon.status.standing import Standing, standing

_PATIENCE = timedelta(seconds=30)  # how far ahead something may be due for `sync` to wait for it
_ROUNDS = 20


def sync(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """One pass over every route, or those named; waits out the grace of deletions."""
    names = args.get("calendars")
    routes = _named(app, names) if isinstance(names, list) and names else list(app.config.routes)
    if args.get("full"):
        for route in routes:
            app.journal.set_meta(listed_mark(route), "0")
    results = sync_routes(app, routes, progress, full=bool(args.get("full")))
    return reply_of(app, results)


def _named(app: App, names: Sequence[Json]) -> list[str]:
    """The calendars that were named. Raises UsageError for one that is not in the config, or not connected."""
    for name in map(str, names):
        if name not in app.routes:
            raise UsageError(f"The config has no calendar `{name}`.", what_to_do=instead(name, app.routes))
        if name not in app.config.routes:
            account = app.routes[name].account
            raise UsageError(
                f"The account `{account}` of the calendar `{name}` is disconnected.",
                what_to_do=f"To go on: datebook connect {account}",
            )
    return list(dict.fromkeys(map(str, names)))


def sync_routes(app: App, routes: Collection[str], progress: ProgressSink, *, full: bool = False) -> dict[str, Synced]:
    """Look at the folder and pass over these routes until nothing is due soon. Raises the folder's error.

    What they have for other calendars (a move has two halves) is done there too.
    """
    if app.syncer is not None:
        progress(Progress("syncing"))
        return dict(app.syncer(routes, full))
    results: dict[str, Synced] = {}
    routes, poll = list(routes), True
    for _round in range(_ROUNDS):
        looked = app.engine.look(None, full=full)
        if looked.error is not None:
            raise looked.error
        for number, route in enumerate(routes):
            progress(Progress(f"syncing {route}", number, len(routes)))
            results[route] = _added(results.get(route), app.engine.sync(route, poll=poll))
        full = poll = False
        moments = [looked.again, *(result.again for result in results.values())]
        if woken := frozenset[str]().union(*(result.wake for result in results.values())):
            routes += [name for name in app.config.routes if name in woken and name not in routes]
            results = {name: _rested(result) for name, result in results.items()}
            continue
        due = min((moment for moment in moments if moment is not None), default=None)
        if not (_is_past(app, due) or is_any_in_grace(app.journal)) or not _wait_until(app, due):
            break
    return results


def _is_past(app: App, due: datetime | None) -> bool:
    """Whether something came in between, such as a save while its file was to be written: it is due at once."""
    return due is not None and due <= app.clock.now()


def is_any_in_grace(journal: Journal) -> bool:
    """Whether a removal is still so fresh that nothing follows yet: all else that is due soon has its own time."""
    with journal.turn():
        rows = journal.files.put_off()
    return any(row.verdict is not None and load_verdict(row.verdict).code == verdicts.GRACE for row in rows)


def _added(before: Synced | None, now: Synced) -> Synced:
    if before is None:
        return now
    sums = {name: getattr(before, name) + getattr(now, name) for name in ("wrote", "read", "files")}
    return replace(now, **sums)


def _rested(result: Synced) -> Synced:
    return replace(result, wake=frozenset())


def _wait_until(app: App, moment: datetime | None) -> bool:
    """Wait for something that is due soon; whether there is such a thing."""
    if moment is None:
        return False
    seconds = (moment - app.clock.now()).total_seconds()
    if seconds > _PATIENCE.total_seconds():
        return False
    condition = Condition()
    with condition:
        app.clock.wait(condition, max(0.05, seconds))
    return True


def reply_of(app: App, results: Mapping[str, Synced]) -> Reply:
    """What `sync` answers: what was done on each route, and whether something needs its user."""
    rows: list[Json] = [_row(result) for result in results.values()]
    failed = [result for result in results.values() if result.error is not None]
    now = standing(app.journal, app.config.routes, str(app.config.store), app.engine.eyes.problems.values())
    data: dict[str, Json] = {"calendars": rows, "needs_user": now.needs_user, "waiting": list(_held_by_editors(now))}
    if failed and failed[0].error is not None:
        trouble = trouble_of(failed[0].error)
        return Reply(1, data, f"{failed[0].route}: {trouble.message}", trouble.cure)
    return Reply(3 if now.needs_user else 0, data)


def _held_by_editors(now: Standing) -> Iterator[Json]:
    """What this pass left for later because a person is at it: that is said at once, and not waited for."""
    for one in now.problems:
        if one.code == verdicts.HELD_BY_EDITOR:
            yield {"file": one.file, "reason": one.message, "cure": one.cure}


def _row(result: Synced) -> Json:
    error: SyncError | None = result.error
    trouble = trouble_of(error) if error is not None else None
    return {
        "calendar": result.route,
        "wrote": result.wrote,
        "files": result.files,
        "read": result.read,
        "error": {"code": trouble.code, "message": trouble.message, "cure": trouble.cure} if trouble else None,
    }
