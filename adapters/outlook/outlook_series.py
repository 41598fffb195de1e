"""Changing a series in steps: Exchange and Graph take its master and each occurrence in a request of its own (pure).

A new pattern or time of the master makes Exchange forget all modified and deleted occurrences. So what is to
be put back afterwards is written on the master in the same request; whoever reads it there, after a crash
too, finishes the work before anything else. Every step says what is to be, so repeating one does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from adapters.outlook.html_text import plain
from adapters.outlook.outlook_codec import instance_fields
from adapters.outlook.outlook_extra import repeated_by
from adapters.outlook.outlook_fields import Unheld, original_day, recurrence_in, skip_days
from adapters.outlook.outlook_item import (
    Attendee,
    Fields,
    FieldValue,
    ItemTarget,
    OccurrenceTarget,
    OutlookItem,
    Series,
)
from adapters.outlook.outlook_view import Owner, body_text, local_day
from adapters.outlook.recurrence_codec import index_of
from adapters.outlook.recurrence_pattern import Recurrence
from daemon.core.model import Field, Key, Patch, Value, View
from daemon.core.store import Update

_DROPS = frozenset({"Recurrence", "Start", "End", "IsAllDayEvent"})


@dataclass(frozen=True, slots=True)
class Steps:
    """What is to be done to single occurrences, by original day: leave out, or change."""

    skip: frozenset[date] = frozenset()
    change: Mapping[date, Fields] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.skip or self.change)


def is_about_series(write: Update) -> bool:
    """Whether a write may give an item another rule, or say something of single occurrences."""
    fields = {Field.REPEAT, Field.SKIP, Field.WHEN, Field.SUBJECT}
    return any(key.instance is not None or key.field in fields for key in write.patch)


def touches_instances(patch: Patch) -> bool:
    """Whether a patch says something of single occurrences."""
    return any(key.instance is not None or key.field is Field.SKIP for key in patch)


def with_repeated(series: Series, after: View, patch: Patch, owner: Owner) -> Patch:
    """A patch with what is to follow the series, of the instances that repeat what it changes there."""
    changed = {key.field for key in patch if key.instance is None} - {Field.WHEN}
    if not changed:
        return patch
    following = {
        key: None
        for day, exception in exceptions_by_day(series, owner).items()
        for name in changed
        if name.value in repeated_by(exception, day) and (key := Key(name, day)) not in after
    }
    return {**following, **patch}


def drops_occurrences(series: Series, fields: Fields) -> bool:
    """Whether setting these fields of the master makes Exchange forget its exceptions."""
    has_any = bool(series.exceptions or series.master.deleted)
    return series.master.is_series and has_any and bool(_DROPS & fields.keys())


def revives(series: Series, after: View, owner: Owner) -> bool:
    """Whether a day that was left out is to come back: only a new pattern does that in Exchange."""
    wanted = skip_days(after.get(Key(Field.SKIP)))
    return any(local_day(start, series.master, owner) not in wanted for start in series.master.deleted)


def steps_for_patch(series: Series, master: OutlookItem, after: View, patch: Patch, owner: Owner) -> Steps:
    """The steps that a patch of instances needs while the others stay as they are.

    `master` is as the same patch leaves it, `series` as it was before.
    """
    recurrence = recurrence_in(after, owner.limits)
    if recurrence is None:
        return Steps()
    skipped = skip_days(after.get(Key(Field.SKIP)))
    gone = {local_day(start, series.master, owner) for start in series.master.deleted}
    new = frozenset(day for day in skipped - gone if index_of(recurrence, day) is not None)
    wanted = _by_day(patch)
    exceptions = exceptions_by_day(series, owner)

    def fields(day: date, keys: Patch) -> Fields:
        exception = exceptions.get(day)
        if exception is None or body_text(exception.body) != body_text(series.master.body):
            return instance_fields(after, day, keys, master, exception, owner)
        return _with_body(
            instance_fields(after, day, keys, master, replace(exception, body=master.body), owner), day, keys, master
        )

    change = {
        day: fields(day, keys)
        for day, keys in wanted.items()
        if day not in skipped and (day in exceptions or any(value is not None for value in keys.values()))
    }
    return Steps(new, _on_instances(change, recurrence, owner))


def steps_from_nothing(series: Series | None, master: OutlookItem, after: View, owner: Owner) -> Steps:
    """The steps that make a series whose occurrences are all plain show `after`.

    `series` is as it was before its exceptions were dropped: what they had and a view can't say is kept.
    """
    recurrence = recurrence_in(after, owner.limits)
    if recurrence is None:
        return Steps()
    skipped = skip_days(after.get(Key(Field.SKIP)))
    days = frozenset(day for day in skipped if index_of(recurrence, day) is not None)
    before = {} if series is None else exceptions_by_day(series, owner)
    change = {
        day: _as_before(instance_fields(after, day, keys, master, None, owner), before.get(day), keys)
        for day, keys in _by_day(after).items()
        if day not in skipped
    }
    return Steps(days, _on_instances(change, recurrence, owner))


def exceptions_by_day(series: Series, owner: Owner) -> dict[date, OutlookItem]:
    """The modified occurrences by the day of their original start."""
    return {
        local_day(each.original_start, series.master, owner): each
        for each in series.exceptions
        if each.original_start is not None
    }


def target_of(series: Series, recurrence: Recurrence, day: date, owner: Owner) -> ItemTarget | OccurrenceTarget:
    """How to name the occurrence of a day: a modified one has an id and version of its own."""
    known = exceptions_by_day(series, owner).get(day)
    if known is not None:
        return ItemTarget(known.id, known.changekey)
    index = index_of(recurrence, day)
    if index is None:
        raise Unheld(f"the series has no instance on {day.isoformat()}, so Exchange can't hold a change to it")
    return OccurrenceTarget(series.master.id, index)


# --- parts


def _by_day(view: Mapping[Key, Value] | Patch) -> dict[date, dict[Key, Value | None]]:
    found: dict[date, dict[Key, Value | None]] = {}
    for key, value in view.items():
        if key.instance is not None:
            day = original_day(key.instance)
            found.setdefault(day, {})[Key(key.field, day)] = value
    return found


def _on_instances(change: Mapping[date, Fields], recurrence: Recurrence, owner: Owner) -> dict[date, Fields]:
    missing = [day for day in sorted(change) if index_of(recurrence, day) is None]
    if missing:
        service = owner.limits.service
        raise Unheld(f"the series has no instance on {missing[0].isoformat()}, so {service} can't hold a change to it")
    return dict(change)


def _with_body(fields: Fields, day: date, keys: Patch, master: OutlookItem) -> Fields:
    """The fields of an instance that said of itself what its series said, or said nothing: nobody can tell which.

    So its body is written even where the series, as it is now, has the same.
    """
    if Key(Field.DESCRIPTION, day) not in keys or "Body" in fields:
        return fields
    return {**fields, "Body": master.body if body_text(master.body) else None}


def _as_before(fields: Fields, exception: OutlookItem | None, keys: Patch) -> Fields:
    """HTML and answers that the exception had, where text and guests are to be the same."""
    if exception is None:
        return fields
    kept = dict(fields)
    said = [value for key, value in keys.items() if key.field is Field.DESCRIPTION]
    if "Body" in kept and said and isinstance(said[0], str) and plain(said[0]) == body_text(exception.body):
        kept["Body"] = exception.body
    known = {entry.mailbox.email.lower(): entry for entry in (*exception.optional, *exception.required)}
    for name in ("RequiredAttendees", "OptionalAttendees"):
        if name in kept:
            kept[name] = tuple(_with_answers(kept[name], known)) or None
    return kept


def _with_answers(entries: FieldValue | None, known: Mapping[str, Attendee]) -> Iterator[Attendee]:
    for entry in entries if isinstance(entries, tuple) else ():
        if isinstance(entry, Attendee):
            yield known.get(entry.mailbox.email.lower(), entry)
