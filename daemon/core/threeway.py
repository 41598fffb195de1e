"""Three-way merges of single values: texts by line, sets by element, guests by address and attribute.

Each side is compared with its own half of the pair, because what a calendar holds may be less than what
the file says. A merge gives what each side is to say, and what it would say if only the other's part came over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import Enum
from typing import NamedTuple

from daemon.core.fields import Kind, guests_by_address, kind_of, plain_lines, said, same_guest
from daemon.core.model import Guest, Key, Pair, Value
from daemon.core.plan import Side

# Line matching is quadratic at worst; longer texts changed on both sides are a conflict instead.
_MOST_LINES = 2000


class Merged(NamedTuple):
    """What each side is to say about one key."""

    file: Value | None
    calendar: Value | None


class Unmerged(Enum):
    """The changes exclude each other."""

    CLASH = "clash"


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines `start` to `stop` of the base are replaced by `lines`."""

    start: int
    stop: int
    lines: tuple[str, ...]


def _hunks(base: list[str], side: list[str], spelt: list[str]) -> list[_Hunk]:
    matcher = SequenceMatcher(None, base, side, autojunk=False)
    return [_Hunk(i1, i2, tuple(spelt[j1:j2])) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"]


def _exclude(a: _Hunk, b: _Hunk) -> bool:
    """Whether two hunks touch the same lines, or insert at the same place in an order nobody can know."""
    if a.start == a.stop and b.start == b.stop:
        return a.start == b.start
    return a.start < b.stop and b.start < a.stop


def _together(ours: list[_Hunk], theirs: list[_Hunk]) -> list[_Hunk] | None:
    """The hunks of both sides in order; None where two exclude each other. Equal ones count once."""
    merged = sorted({*ours, *theirs}, key=lambda hunk: (hunk.start, hunk.stop, hunk.lines))
    shared = set(ours) & set(theirs)
    for index, hunk in enumerate(merged):
        for later in merged[index + 1 :]:
            if later.start > hunk.stop:
                break
            if _exclude(hunk, later) and not (hunk in shared and later in shared):
                return None
    return merged


def _spelt(text: str, plain: list[str]) -> list[str]:
    """The lines as they were written, trailing blanks and all, as many as there are plain ones."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: len(plain)]


def merge_lines(base: str, file: str, calendar: str) -> str | None:
    """Both texts' changes together, by line; None where they touch the same lines."""
    was, ours, theirs = plain_lines(base), plain_lines(file), plain_lines(calendar)
    if max(len(was), len(ours), len(theirs)) > _MOST_LINES:
        return None
    hunks = _together(
        _hunks(was, ours, _spelt(file, ours)),
        _hunks(was, theirs, _spelt(calendar, theirs)),
    )
    if hunks is None:
        return None
    ends = "\n" if file.endswith(("\n", "\r")) else ""
    return "\n".join(_applied(_spelt(base, was), hunks)) + ends


def _applied(base: list[str], hunks: list[_Hunk]) -> Iterator[str]:
    at = 0
    for hunk in hunks:
        yield from base[at : hunk.start]
        yield from hunk.lines
        at = hunk.stop
    yield from base[at:]


def _merge_texts(pair: Pair, file: Value | None, calendar: Value | None) -> Merged | Unmerged:
    base, other_base = said(pair.file), said(pair.calendar)
    texts = [value for value in (base, other_base, file, calendar) if isinstance(value, str)]
    if len(texts) != 4 or plain_lines(texts[0]) != plain_lines(texts[1]):  # noqa: PLR2004  two bases, two texts
        return Unmerged.CLASH
    text = merge_lines(texts[0], texts[2], texts[3])
    return Unmerged.CLASH if text is None else Merged(text, text)


def _elements(value: Value | None) -> frozenset[object]:
    return frozenset(value) if isinstance(value, frozenset) else frozenset()


def _carried(before: Value | None, after: Value | None, onto: Value | None) -> Value | None:
    """A set with the elements that another lost and gained."""
    was, now, here = _elements(before), _elements(after), _elements(onto)
    if was == now and (before is None) == (after is None):
        return onto
    value = (here - (was - now)) | (now - was)
    if not value and after is None:
        return None
    return value  # type: ignore[return-value]  # elements of one field are of one kind


def _merge_elements(pair: Pair, file: Value | None, calendar: Value | None) -> Merged:
    return Merged(
        _carried(said(pair.calendar), calendar, file),
        _carried(said(pair.file), file, calendar),
    )


class _Four(NamedTuple):
    """One guest as all four know it: None where it is not on the list."""

    was_file: Guest | None
    was_calendar: Guest | None
    file: Guest | None
    calendar: Guest | None


def _answered(guest: Guest, four: _Four) -> Guest:
    """The guest with the answer that the file is to show: the calendar's, once that is news."""
    if four.calendar is None or (four.was_calendar is not None and four.was_calendar.answer is four.calendar.answer):
        return guest if four.file is None else replace(guest, answer=four.file.answer)
    return replace(guest, answer=four.calendar.answer)


def _changed_name(before: Guest | None, after: Guest) -> bool:
    return bool(after.name) and (before is None or before.name != after.name)


def _guest_attributes(four: _Four, file: Guest, calendar: Guest, prefer: Side | None) -> Guest | Unmerged:
    """One guest whom both sides changed: attribute by attribute, the clashing ones as `prefer` says."""
    taken = file
    for name in ("name", "optional", "organizer"):
        ours, theirs = getattr(file, name), getattr(calendar, name)
        if name == "name":
            we, they = _changed_name(four.was_file, file), _changed_name(four.was_calendar, calendar)
        else:
            we = four.was_file is None or getattr(four.was_file, name) != ours
            they = four.was_calendar is None or getattr(four.was_calendar, name) != theirs
        if we and they and ours != theirs and prefer is None:
            return Unmerged.CLASH
        if they and (not we or prefer is Side.CALENDAR):
            taken = replace(taken, **{name: theirs})
    return taken


def _named(guest: Guest, before: Guest | None) -> Guest:
    """A guest whose name went missing keeps the one that was known."""
    return guest if guest.name or before is None else replace(guest, name=before.name)


def _merge_guest(four: _Four, prefer: Side | None) -> tuple[Guest | None, Guest | None] | Unmerged:
    we = not same_guest(four.was_file, four.file)
    they = not same_guest(four.was_calendar, four.calendar)
    match four.file, four.calendar:
        case None, None:
            return None, None
        case file, None:
            kept = file if we or not they else None  # an edit beats a removal
            return kept, kept if we else None
        case None, calendar:
            kept = calendar if they or not we else None
            return kept if they else None, kept
        case file, calendar:
            merged = _both_have(four, file, calendar, we=we, they=they, prefer=prefer)
            if isinstance(merged, Unmerged):
                return merged
            ours, theirs = merged
            return _answered(ours, four), replace(theirs, answer=calendar.answer)


def _both_have(  # noqa: PLR0913  the guest on both sides and what is known of each change
    four: _Four, file: Guest, calendar: Guest, *, we: bool, they: bool, prefer: Side | None
) -> tuple[Guest, Guest] | Unmerged:
    if we and they:
        merged = _guest_attributes(four, file, calendar, prefer)
        return merged if isinstance(merged, Unmerged) else (merged, merged)
    if we:
        return file, _named(file, calendar)
    return (_named(calendar, file), calendar) if they else (file, calendar)


def _merge_guests(pair: Pair, file: Value | None, calendar: Value | None, prefer: Side | None) -> Merged | Unmerged:
    tables = [guests_by_address(value) for value in (said(pair.file), said(pair.calendar), file, calendar)]
    ours: set[Guest] = set()
    theirs: set[Guest] = set()
    for email in sorted(set().union(*tables)):
        merged = _merge_guest(_Four(*(table.get(email) for table in tables)), prefer)
        if isinstance(merged, Unmerged):
            return merged
        ours |= {guest for guest in merged[:1] if guest}
        theirs |= {guest for guest in merged[1:] if guest}
    return Merged(_guest_set(ours, file), _guest_set(theirs, calendar))


def _guest_set(guests: set[Guest], before: Value | None) -> Value | None:
    return frozenset(guests) if guests or before is not None else None


def merge_values(
    key: Key, pair: Pair, file: Value | None, calendar: Value | None, prefer: Side | None = None
) -> Merged | Unmerged:
    """What both sides are to say about a key that one or both changed since `pair`, neither half unknown.

    `prefer` decides attributes of one guest that exclude each other. Scalars always clash here.
    """
    match kind_of(key):
        case Kind.LINES:
            return _merge_texts(pair, file, calendar)
        case Kind.ELEMENTS:
            return _merge_elements(pair, file, calendar)
        case Kind.GUESTS:
            return _merge_guests(pair, file, calendar, prefer)
        case Kind.SCALAR:
            return Unmerged.CLASH
