"""A plan in the words of `plan --json`: one row for each thing that would be done."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.core.model import Field, Key, text_of
from daemon.core.plan import (
    CreateEvent,
    CreateFile,
    DeleteEvent,
    FinishFile,
    Link,
    Recast,
    State,
    TrashFile,
    Unlink,
    UpdateEvent,
    UpdateFile,
)
from daemon.engine.unit import Unit

_QUIET = frozenset({"synced", "watched", "gone"})


def action_rows(route: str, unit: Unit) -> list[dict[str, object]]:
    """The rows of one unit, in the order in which they are carried out."""
    rows = [_row(route, unit, step) for step in unit.decision.steps]
    shown = [row for row in rows if row is not None]
    if unit.decision.clashes and any(clash.chosen is None for clash in unit.decision.clashes):
        shown.append(_conflict(route, unit))
    if not shown and unit.decision.verdict.code not in _QUIET and unit.decision.verdict.state is not State.SYNCED:
        shown.append(_base(route, unit, "file", "skip", unit.decision.verdict.reason))
    return shown


def plan_rows(route: str, units: Sequence[Unit]) -> list[dict[str, object]]:
    """The rows of a whole plan, those that go and those that are held alike."""
    return [row for unit in units for row in action_rows(route, unit)]


def _row(route: str, unit: Unit, step: object) -> dict[str, object] | None:  # noqa: PLR0911  a row for each kind
    match step:
        case CreateEvent(view, _, _, reason, mails, absent):
            row = _base(route, unit, "calendar", "create", reason, fields=_fields(view), mails=list(mails))
            return {**row, "left_out": list(absent)}
        case UpdateEvent(patch, _, _, reason, mails):
            return _base(route, unit, "calendar", "update", reason, fields=_fields(patch), mails=list(mails))
        case DeleteEvent(reason, mails):
            return _base(route, unit, "calendar", "delete", reason, mails=list(mails))
        case CreateFile(place, view, _, _, reason, _):
            return {**_base(route, unit, "file", "create", reason, fields=_fields(view)), "file": place}
        case UpdateFile(patch, _, reason):
            return _base(route, unit, "file", "update", reason, fields=_fields(patch))
        case FinishFile(reason):
            return _base(route, unit, "file", "update", reason, fields=["done"])
        case TrashFile(reason):
            return _base(route, unit, "file", "trash", reason)
        case Recast(view, _, reason):
            return _base(
                route, unit, "file", "delete" if view is None else "update", reason, fields=_fields(view or {})
            )
        case Link(_, _, reason):
            return _base(route, unit, "calendar", "link", reason)
        case Unlink(reason):
            return _base(route, unit, "calendar", "unlink", reason)
        case _:
            return None


def _conflict(route: str, unit: Unit) -> dict[str, object]:
    fields = [_name(clash.key) for clash in unit.decision.clashes if clash.chosen is None]
    return open_conflict(route, unit, fields)


def open_conflict(route: str, unit: Unit, fields: Sequence[str]) -> dict[str, object]:
    """The row of a conflict in these fields that waits for its user's word."""
    return _base(route, unit, "file", "conflict", unit.decision.verdict.reason, fields=fields)


def _base(  # noqa: PLR0913  one row
    route: str,
    unit: Unit,
    side: str,
    action: str,
    reason: str,
    *,
    fields: Sequence[str] = (),
    mails: Sequence[str] = (),
) -> dict[str, object]:
    activity = unit.file.activity if unit.file else unit.event.activity if unit.event else None
    return {
        "calendar": route,
        "side": side,
        "action": action,
        "file": unit.file.path if unit.file else "",
        "uid": (unit.file.uid if unit.file else "") or (unit.event.uid if unit.event else ""),
        "subject": text_of(activity.view, Field.SUBJECT) if activity else "",
        "fields": list(fields),
        "reason": reason,
        "mails": list(mails),
    }


def _fields(keys: object) -> list[str]:
    return sorted({_name(key) for key in keys})  # type: ignore[attr-defined]  # a mapping from Key


def _name(key: Key) -> str:
    return key.field.value if key.instance is None else f"{key.field.value}@{key.instance.isoformat()}"
