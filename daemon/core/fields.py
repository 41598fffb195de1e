"""A row per synchronised field: what counts as the same, what silence means, how two changes meet.

Where one side says nothing and the other shows the default, both mean the same. A guest's answer is
no edit, so `equal` ignores it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from daemon.core.model import (
    AllDay,
    Answer,
    Blank,
    Busy,
    Field,
    Guest,
    Half,
    Key,
    Original,
    Pair,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    when_of,
)
from daemon.core.times import natural
from daemon.core.zone_names import current_name

DEFAULT_TYPE = "meeting"
NO_TITLE = "(no title)"


class Kind(Enum):
    """How two differing changes of one field meet."""

    SCALAR = "one value: they clash"
    LINES = "a text: line by line"
    ELEMENTS = "a set: element by element"
    GUESTS = "a set of guests: by address, then attribute by attribute"


@dataclass(frozen=True, slots=True)
class Row:
    """What is true of one field.

    `default`: what a calendar shows while nobody says anything (None: nothing). `per_instance`: one
    instance of a series may differ in it. `file_decides`: the calendar's changes are never merged back.
    `always_shown`: an event says it explicitly even where the file is silent, because iCalendar's own
    default is another one.
    """

    kind: Kind = Kind.SCALAR
    default: Value | None = None
    per_instance: bool = True
    file_decides: bool = False
    always_shown: bool = False


ROWS: Mapping[Field, Row] = {
    Field.SUBJECT: Row(),
    Field.TYPE: Row(default=DEFAULT_TYPE, file_decides=True, always_shown=True),
    Field.WHEN: Row(),
    Field.LOCATION: Row(),
    Field.MEETING_URL: Row(),
    Field.DESCRIPTION: Row(Kind.LINES),
    Field.ATTENDEES: Row(Kind.GUESTS),
    Field.BUSY: Row(default=Busy.BUSY, always_shown=True),  # an all-day activity: free
    Field.PRIVATE: Row(default=Privacy.PUBLIC),
    Field.PRIORITY: Row(default=Priority.MEDIUM),
    Field.STATUS: Row(default=Status.CONFIRMED),
    Field.REMINDERS: Row(Kind.ELEMENTS),
    Field.REPEAT: Row(per_instance=False),
    Field.SKIP: Row(Kind.ELEMENTS, per_instance=False),
    Field.CATEGORIES: Row(Kind.ELEMENTS),
}


def kind_of(key: Key) -> Kind:
    """How two differing changes of this key meet."""
    return ROWS[key.field].kind


def _plain_line(text: str) -> str:
    return " ".join(text.split())


def plain_lines(text: str) -> list[str]:
    """The lines of a text without trailing blanks, whatever ends them; none for the final line end."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _plain_subject(text: str) -> str:
    line = _plain_line(text)
    return "" if line == NO_TITLE else line


def _plain_rule(text: str) -> str:
    """An RRULE with its parts in one order; parts that say the default say nothing (RFC 5545 section 3.3.10)."""
    parts = text.upper().removeprefix("RRULE:").replace(" ", "").strip(";").split(";")
    named = (part.partition("=") for part in parts)
    plain = {f"{name}={','.join(sorted(values.split(',')))}" for name, _, values in named}
    return ";".join(sorted(plain - {"INTERVAL=1", "WKST=MO"}))


_PLAIN_TEXTS: Mapping[Field, Callable[[str], str]] = {
    Field.SUBJECT: _plain_subject,
    Field.DESCRIPTION: lambda text: "\n".join(plain_lines(text)),
    Field.REPEAT: _plain_rule,
}


def address(guest: Guest) -> str:
    """What makes two guests the same one."""
    return guest.email.strip().removeprefix("mailto:").casefold()


def _plain_guest(guest: Guest) -> Guest:
    return replace(guest, email=address(guest), name=_plain_line(guest.name), answer=Answer.NEEDS_ACTION)


def _plain_set(value: frozenset[Guest] | frozenset[str] | frozenset[Original] | frozenset[object]) -> Value:
    plain = (
        _plain_guest(item) if isinstance(item, Guest) else _plain_line(item) if isinstance(item, str) else item
        for item in value
    )
    return frozenset(plain)  # type: ignore[return-value]  # the elements keep the kind that the value had


def normal(key: Key, value: Value | None) -> Value | None:
    """A value as it is compared; None where it says nothing.

    Of an instance, an empty text or set is something said: there, silence means what the series says.
    """
    match value:
        case Timed():
            return replace(value, zone=current_name(value.zone))
        case frozenset():
            plain: Value = _plain_set(value)
        case Enum() | AllDay() | None:
            return value
        case str():
            plain = _PLAIN_TEXTS.get(key.field, _plain_line)(value)
    return plain if plain or key.instance is not None else None


def same_guest(a: Guest | None, b: Guest | None) -> bool:
    """Whether two entries of one address say the same; an answer is no edit, an empty name says nothing."""
    if a is None or b is None:
        return a is b
    a, b = _plain_guest(a), _plain_guest(b)
    if not a.name or not b.name:
        a, b = replace(a, name=""), replace(b, name="")
    return a == b


def guests_by_address(value: Value | None) -> dict[str, Guest]:
    """The guests of a value, by address; of two with one address the first in the order of their texts."""
    if not isinstance(value, frozenset):
        return {}
    ordered = sorted((guest for guest in value if isinstance(guest, Guest)), key=repr, reverse=True)
    return {address(guest): guest for guest in ordered}


def _equal_guests(a: Value | None, b: Value | None) -> bool:
    ours, theirs = guests_by_address(a), guests_by_address(b)
    return ours.keys() == theirs.keys() and all(same_guest(ours[email], theirs[email]) for email in ours)


def equal(key: Key, a: Value | None, b: Value | None) -> bool:
    """Whether two values of one key are the same but for spelling; a guest's answer is no edit."""
    if a is b:
        return True
    if kind_of(key) is Kind.GUESTS:
        if key.instance is not None and (a is None) != (b is None):
            return False
        return _equal_guests(a, b)
    return normal(key, a) == normal(key, b)


def _answers(value: Value | None) -> dict[str, Answer]:
    return {email: guest.answer for email, guest in guests_by_address(value).items()}


def edited(key: Key, before: Value | None, after: Value | None) -> bool:
    """Whether somebody changed this key; a guest's answer is no edit."""
    return not equal(key, before, after)


def same(key: Key, a: Value | None, b: Value | None) -> bool:
    """Whether two values of one key are the same but for spelling, the guests' answers among them."""
    return equal(key, a, b) and (kind_of(key) is not Kind.GUESTS or _answers(a) == _answers(b))


def said(half: Half) -> Value | None:
    """The value of a half; None for the halves that are no value."""
    return None if isinstance(half, Blank) else half


def moved(key: Key, half: Half, value: Value | None) -> bool:
    """Whether a side that said `half` when both last agreed says something else now."""
    return half is Blank.UNKNOWN or not equal(key, said(half), value)


def default(view: View, field: Field) -> Value | None:
    """What a calendar shows of this field where the view says nothing about it."""
    if field is Field.BUSY and isinstance(when_of(view), AllDay):
        return Busy.FREE
    return ROWS[field].default


def effective(view: View, key: Key) -> Value | None:
    """What is shown for a key: the view's word, else (of an instance) the series', else the default."""
    value = view.get(key)
    if value is not None:
        return value
    if key.instance is None:
        return default(view, key.field)
    if not ROWS[key.field].per_instance:
        return None
    if key.field is Field.WHEN:
        series = when_of(view)
        return natural(series, key.instance) if series else None
    return effective(view, Key(key.field))


def order(key: Key) -> tuple[bool, str, bool, str]:
    """A place for every key in one fixed order: the series before its instances, times before what hangs on them."""
    instance = "" if key.instance is None else key.instance.isoformat()
    return key.instance is not None, instance, key.field is not Field.WHEN, key.field.value


def pair_of(file: Value | None, calendar: Value | None) -> Pair:
    """The pair of what both sides say."""
    return Pair(
        Blank.ABSENT if file is None else file,
        Blank.ABSENT if calendar is None else calendar,
    )
