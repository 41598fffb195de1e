"""Values in the forms of the activity file: what to write under each key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from adapters.activity.activity_keys import KEY_OF_FIELD, ORDER
from adapters.activity.activity_series import ALL_DAY, Span, span_of
from adapters.activity.activity_values import (
    DAY,
    HOUR,
    BadValue,
    date_of,
    duration_of,
    duration_text,
    named_mail,
    original_text,
    time_of,
    time_text,
    truth_text,
)
from adapters.activity.yaml_write import Text, Written
from daemon.core.model import AllDay, Answer, Field, Guest, Key, Local, Original, Timed, Value, View, When, when_of

UNTITLED = "(no title)"


def form_of(value: Value, *, emptied: bool = False) -> Written:
    """The form of one value; an `emptied` one stands for what an instance lacks and its series has."""
    match value:
        case StrEnum():
            return Text(value.value, word=True)
        case str():
            return Text(value, '"' if emptied else "")
        case frozenset():
            return _list_of(value)
        case Timed() | AllDay():
            raise TypeError(value)  # four keys: `when_lines`


def _list_of(values: frozenset[object]) -> Written:
    guests = [v for v in values if isinstance(v, Guest)]
    if guests:
        return guests_form(frozenset(guests))
    return [Text(element_text(v), word=True) for v in sorted(values, key=_order)]


def _order(value: object) -> tuple[str, float]:
    if isinstance(value, timedelta):
        return "", value.total_seconds()
    return (value.isoformat() if isinstance(value, date) else str(value)), 0.0


def element_text(value: object, *, like: str = "") -> str:
    """One element of `reminders` or `skip`."""
    if isinstance(value, timedelta):
        return duration_text(value, like=like)
    return original_text(value) if isinstance(value, date) else str(value)


def guests_form(guests: frozenset[Guest]) -> list[Written]:
    """A list of guests, the organiser first."""
    return [guest_form(g) for g in sorted(guests, key=lambda g: (not g.organizer, g.email))]


def guest_form(guest: Guest) -> Written:
    """`Name <mail>` where that says it all, else a map."""
    if guest == Guest(guest.email, guest.name):
        text = named_mail(guest.name, guest.email)
        if text:
            return Text(text)
    return {name: text for name, text in guest_parts(guest).items() if text is not None}


def guest_parts(guest: Guest) -> dict[str, Text | None]:
    """The keys of a guest's map; None where the default says it."""
    return {
        "email": Text(guest.email),
        "name": Text(guest.name) if guest.name else None,
        "optional": Text("true", word=True) if guest.optional else None,
        "status": Text(guest.answer.value, word=True) if guest.answer is not Answer.NEEDS_ACTION else None,
        "is_organizer": Text("true", word=True) if guest.organizer else None,
    }


Lines = dict[str, str | None]  # what to write under each of the four keys of a span; None: take it away


def when_lines(when: When | None, said: Mapping[str, str], span: Span | None, zone: str) -> Lines:
    """Those of the four keys that must change for the file, or an instance of its series, to say this span."""
    if when is None:
        return dict.fromkeys(said)
    base = span or Span(date.min, None, None, None, zone)
    return _timed_lines(when, said, base) if isinstance(when, Timed) else _all_day_lines(when, said, base)


def _timed_lines(when: Timed, said: Mapping[str, str], base: Span) -> Lines:
    keep = base.day == date.min  # a line of the file stays a line; one of an instance goes when it says nothing new
    return {
        **_line("due_date", said, when.start.date(), base.day, _DATE),
        **_line("due_time", said, when.start.time(), base.time.time() if base.time else None, _TIME),
        **_line("duration", said, when.length, HOUR if base.length is None else base.length, _DURATION, keep=keep),
        **_line("timezone", said, when.zone, base.zone, _ZONE, keep=keep),
    }


def _all_day_lines(when: AllDay, said: Mapping[str, str], base: Span) -> Lines:
    lines = _line("due_date", said, when.first, base.day, _DATE)
    was_timed = said.get("due_time", ALL_DAY) != ALL_DAY
    if base.time is not None:
        lines |= {} if said.get("due_time") == ALL_DAY else {"due_time": ALL_DAY}
    elif "due_time" in said:
        lines["due_time"] = None
    if was_timed or "duration" not in said or -(-duration_of(said["duration"]) // DAY) != when.days:
        lines |= _line("duration", said, when.days * DAY, (base.days or 1) * DAY, _DURATION)
    return lines


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Form(Generic[T]):
    """How one of the four keys is read and written."""

    read: Callable[[str], T]
    write: Callable[[T, str], str]


_DATE = _Form(date_of, lambda value, _: value.isoformat())
_TIME = _Form(time_of, lambda value, like: time_text(value, like=like))
_DURATION = _Form(duration_of, lambda value, like: duration_text(value, like=like))
_ZONE = _Form(str.strip, lambda value, _: value)


def _line(  # noqa: PLR0913  a key, what it says, and the two values to compare
    name: str, said: Mapping[str, str], wanted: T, implied: T | None, form: _Form[T], *, keep: bool = False
) -> Lines:
    """Write a key only if it does not say the wanted value yet; take it away where that is implied anyway."""
    if name not in said:
        return {} if wanted == implied else {name: form.write(wanted, "")}
    try:
        if form.read(said[name]) == wanted:
            return {}
    except BadValue:  # `due_time: none` in an instance that becomes timed
        return {name: None if wanted == implied else form.write(wanted, "")}
    return {name: None if wanted == implied and not keep else form.write(wanted, said[name])}


def field_lines(key: Key, value: Value | None, span: Span | None, zone: str) -> dict[str, Written]:
    """The keys of a new file or a new instance that say one value."""
    if key.field is Field.WHEN:
        assert value is None or isinstance(value, Timed | AllDay)  # noqa: S101  the key decides the type
        lines = when_lines(value, {}, span, zone)
        return {name: Text(text, word=True) for name, text in lines.items() if text is not None}
    if value is None or key.field not in KEY_OF_FIELD:
        return {}
    return {KEY_OF_FIELD[key.field]: form_of(value, emptied=value in ("", frozenset()))}


def entry_of(original: Original, view: View, master: When | None, zone: str) -> dict[str, Written]:
    """A new entry of `changes`: everything that the view says of that instance."""
    span = span_of(original, master, zone)
    entry: dict[str, Written] = {}
    for key, value in view.items():
        if key.instance == original:
            entry.update(field_lines(key, value, span, zone))
    return in_order(entry)


def in_order(entry: Mapping[str, Written]) -> dict[str, Written]:
    """The keys in the order of a new file."""
    return {name: entry[name] for name in ORDER if name in entry}


def whole_file(view: View, *, uid: str, local: Local, zone: str) -> dict[str, Written]:
    """All keys of a new file."""
    entry: dict[str, Written] = {}
    for key, value in view.items():
        if key.instance is None:
            entry.update(field_lines(key, value, None, zone))
    when = when_of(view)
    if isinstance(when, Timed):
        entry["duration"] = Text(duration_text(when.length), word=True)
    entry.update(_local_lines(local))
    originals = sorted({k.instance for k in view if k.instance is not None} | local.done_instances, key=original_text)
    changes: dict[str, Written] = {}
    for original in originals:
        lines = entry_of(original, view, when, zone)
        changes[original_text(original)] = lines | (
            {"done": Text("true", word=True)} if original in local.done_instances else {}
        )
    if changes:
        entry["changes"] = changes
    if uid:
        entry["uid"] = Text(uid)
    return in_order(entry)


def _local_lines(local: Local) -> dict[str, Written]:
    lines: dict[str, Written] = {name: Text(text) for name, text in local.context}
    if local.owner:
        lines["owner"] = Text(local.owner)
    if local.calendar:
        lines["calendar"] = Text(local.calendar)
    if not local.sync:
        lines["sync"] = Text(truth_text(value=False), word=True)
    if local.done:
        lines["done"] = Text(truth_text(value=True), word=True)
    if local.done_through:
        lines["done_through"] = Text(local.done_through.isoformat(), word=True)
    if local.masked:
        lines["masked"] = Text(truth_text(value=True), word=True)
    return lines
