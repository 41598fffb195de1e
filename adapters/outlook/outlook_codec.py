"""An activity's values as the fields of an EWS item: writing (pure). Reading is in outlook_view.

Only what is asked for is set. Values that Exchange has no field for go into one property of our own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile

from adapters.outlook.outlook_extra import extra_of, instance_extra, instance_extra_text, repeated_by, with_extra
from adapters.outlook.outlook_fields import Target, Unheld, fields_of, original_day, recurrence_in, skip_days
from adapters.outlook.outlook_item import Fields, OutlookItem
from adapters.outlook.outlook_properties import EXTRA, TOKEN, UID
from adapters.outlook.outlook_view import Owner
from adapters.outlook.recurrence_codec import index_of, instances
from adapters.outlook.recurrence_pattern import EWS, Limits, Recurrence
from adapters.outlook.windows_zones import windows_zone
from daemon.core.fields import effective, equal
from daemon.core.model import AllDay, Field, Key, Patch, Timed, Value, View, when_of
from daemon.core.store import Create

MAX_SUBJECT = 255
_NEW = OutlookItem("", "")
_NEIGHBOUR_WITHIN = 400  # days: farther than a yearly series' next instance
_SERIES_FIELDS = frozenset({Field.REPEAT, Field.SKIP})


def create_fields(create: Create, owner: Owner) -> Fields:
    """The fields of a new item, its instances aside. Raises Unheld."""
    reason = refusal(create.view, owner.limits)
    if reason:
        raise Unheld(reason)
    changed = frozenset(key.field for key in create.view if key.instance is None)
    target = Target(create.view, changed, _NEW, owner, create.floating)
    fields = {name: value for name, value in fields_of(target).items() if value is not None}
    return {**fields, "UID": create.uid, UID: create.uid, TOKEN: create.token}


def patch_fields(item: OutlookItem, after: View, changed: Collection[Field], owner: Owner, uid: str = "") -> Fields:
    """The fields of the item itself that make it show `after`; its instances are no part of it. Raises Unheld."""
    changed = set(changed)
    if Field.WHEN in changed and Key(Field.REPEAT) in after:
        changed.add(Field.REPEAT)  # its range begins with the series
    if Field.REPEAT in changed and Key(Field.SKIP) in after:
        changed.add(Field.SKIP)
    fields = dict(fields_of(Target(after, frozenset(changed), item, owner, extra_of(item).floating)))
    if uid and item.properties.get(UID) != uid:
        fields[UID] = uid
    return fields


def instance_fields(  # noqa: PLR0913, PLR0917  a series, one of its instances, and what is wanted of it
    series: View, original: date, wanted: Patch, master: OutlookItem, exception: OutlookItem | None, owner: Owner
) -> Fields:
    """The fields of one occurrence that are to differ from its series; None in `wanted`: what the series says."""
    repeated = frozenset() if exception is None else repeated_by(exception, original)
    item = master if exception is None else exception
    item = with_extra(item, instance_extra(master, item, original))
    after: dict[Key, Value] = {}
    changed = set()
    for name in Field:
        said = wanted.get(Key(name, original))
        value = said if said is not None else effective(series, Key(name, original))
        if value is not None:
            after[Key(name)] = value
        if Key(name, original) in wanted:
            changed.add(name)
    if not when_of(after):
        raise Unheld("an instance without a date")
    target = Target(after, frozenset(changed) - _SERIES_FIELDS, item, owner, extra_of(master).floating, master.zone_id)
    fields = fields_of(target)
    repeats = _repeated(repeated, series, wanted)
    if EXTRA not in fields and (repeats == repeated or not (fields or exception)):
        return fields
    extra = fields.get(EXTRA, item.properties.get(EXTRA))
    shown = extra_of(replace(item, properties={EXTRA: extra if isinstance(extra, str) else ""}))
    return {**fields, EXTRA: instance_extra_text(master, shown, original, repeats)}


def _repeated(before: frozenset[str], series: View, wanted: Patch) -> frozenset[str]:
    """The fields that an instance repeats of its series, after a patch of that instance."""
    names = {
        key.field.value
        for key, value in wanted.items()
        if key.field is not Field.WHEN
        and (value is None or equal(Key(key.field), value, effective(series, Key(key.field))))
    }
    return (before - {key.field.value for key in wanted}) | names


def patched(view: View, patch: Patch) -> dict[Key, Value]:
    """A view after a patch."""
    after = {key: value for key, value in view.items() if key not in patch}
    return after | {key: value for key, value in patch.items() if value is not None}


def refusal(view: View, limits: Limits = EWS) -> str:
    """Why the service can't hold an item that shows this; "": it can."""
    try:
        recurrence = recurrence_in(view, limits)
        _check_texts(view, limits.service)
        _check_zones(view)
        _check_instances(view, recurrence, limits.service)
    except Unheld as reason:
        return str(reason)
    return ""


# --- what can't be held


def _check_texts(view: View, service: str) -> None:
    for key, value in view.items():
        if key.field is Field.SUBJECT and isinstance(value, str) and len(value) > MAX_SUBJECT:
            raise Unheld(f"{service} holds subjects of at most {MAX_SUBJECT} characters, this one has {len(value)}")


def _check_zones(view: View) -> None:
    for value in view.values():
        if isinstance(value, Timed) and windows_zone(value.zone) is None:
            raise Unheld(f"Windows, and so Exchange, has no name for the time zone {value.zone}")


def _check_instances(view: View, recurrence: Recurrence | None, service: str) -> None:
    originals = {original_day(key.instance) for key in view if key.instance is not None}
    if recurrence is None:
        return
    skipped = skip_days(view.get(Key(Field.SKIP)))
    for day in sorted(originals - skipped):
        if index_of(recurrence, day) is None:
            raise Unheld(f"the series has no instance on {day.isoformat()}, so {service} can't hold a change to it")
    moved = {key.instance: value for key, value in view.items() if key.instance and key.field is Field.WHEN}
    _check_moves({original_day(day): value for day, value in moved.items()}, recurrence, skipped, service)


def _check_moves(moved: Mapping[date, Value], recurrence: Recurrence, skipped: Collection[date], service: str) -> None:
    """Exchange keeps the instances of a series in order, one a day."""
    if not moved:
        return
    horizon = max(moved) + timedelta(days=_NEIGHBOUR_WITHIN)
    days = [day for day in takewhile(lambda day: day <= horizon, instances(recurrence)) if day not in skipped]
    lands = [_first_day(moved[day]) if day in moved else day for day in days]
    for day, before, after in zip(days, lands, lands[1:], strict=False):
        if before >= after:
            raise Unheld(
                f"around {day.isoformat()} an instance would pass its neighbour, which {service} does not allow"
            )


def _first_day(when: Value) -> date:
    return when.start.date() if isinstance(when, Timed) else when.first if isinstance(when, AllDay) else date.max
