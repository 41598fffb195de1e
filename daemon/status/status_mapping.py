"""What the status file says, as the mapping that is written."""

from __future__ import annotations

from datetime import datetime

from daemon.status import (
    AccountStatus,
    CalendarStatus,
    Held,
    Json,
    OpenConflict,
    Problem,
    Status,
    StoreStatus,
    Trouble,
)

SCHEMA = 1
MASKED = "(private)"


def build_status(status: Status) -> dict[str, Json]:
    """The status file's content; no text of a private activity is in it."""
    return {
        "schema": SCHEMA,
        "version": status.version,
        "pid": status.pid,
        "started": _moment(status.started),
        "updated": _moment(status.updated),
        "state": str(status.state),
        "by": "command" if status.by_command else "daemon",
        "store": _store(status.store),
        "accounts": {name: _account(account) for name, account in status.accounts.items()},
        "calendars": {name: _calendar(calendar) for name, calendar in status.calendars.items()},
        "problems": [_problem(problem) for problem in status.problems],
        "conflicts": [_conflict(conflict) for conflict in status.conflicts],
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _trouble(trouble: Trouble | None) -> Json:
    return {"code": trouble.code, "message": trouble.message, "cure": trouble.cure} if trouble else None


def _store(store: StoreStatus) -> Json:
    return {
        "path": store.path,
        "activities": store.activities,
        "unscheduled": store.unscheduled,
        "broken": store.broken,
        "missing": _trouble(store.missing),
    }


def _account(account: AccountStatus) -> Json:
    return {
        "state": str(account.state),
        "since": _moment(account.since),
        "last_success": _moment(account.last_success),
        "next_try": _moment(account.next_try),
        "token_expires": _moment(account.token_expires),
        "error": _trouble(account.error),
    }


def _held(held: Held | None) -> Json:
    if held is None:
        return None
    return {
        "reason": held.reason,
        "creates": held.creates,
        "updates": held.updates,
        "deletes": held.deletes,
        "mails": held.mails,
        "id": held.id,
        "message": held.message,
    }


def _calendar(calendar: CalendarStatus) -> Json:
    return {
        "state": str(calendar.state),
        "account": calendar.account,
        "direction": calendar.direction,
        "last_sync": _moment(calendar.last_sync),
        "linked": calendar.linked,
        "pending_out": calendar.pending_out,
        "pending_in": calendar.pending_in,
        "conflicts": calendar.conflicts,
        "blocked": calendar.blocked,
        "held": _held(calendar.held),
    }


def _problem(problem: Problem) -> Json:
    about = {"file": problem.file, "calendar": problem.calendar, "account": problem.account}
    return {
        **{what: name for what, name in about.items() if name is not None},
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "message": problem.message,
        "cure": problem.cure,
        "since": _moment(problem.since),
        "needs_user": problem.needs_user,
    }


def _conflict(conflict: OpenConflict) -> Json:
    def shown(value: str | None) -> str | None:
        return MASKED if conflict.private and value is not None else value

    return {
        "file": conflict.file,
        "calendar": conflict.calendar,
        "field": conflict.field,
        "file_value": shown(conflict.file_value),
        "calendar_value": shown(conflict.calendar_value),
        "chosen": conflict.chosen,
        "since": _moment(conflict.since),
        "private": conflict.private,
    }
