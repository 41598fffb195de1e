"""First meeting: which unlinked file and which unlinked event are the same activity.

By uid, then by our own id that the service carries. What merely looks alike (equal subject and equal time) is
offered, never linked silently. Whatever is there twice is held, for nobody can say which of the two is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daemon.core.fields import normal
from daemon.core.model import Field, Key, Timed, View, when_of
from daemon.core.plan import Side
from daemon.core.times import instant

_K = TypeVar("_K", bound=Hashable)
_Likeness = tuple[str, object, object]
_SUBJECT = Key(Field.SUBJECT)
_REPEAT = Key(Field.REPEAT)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file or an event without a link. `id` is opaque.

    `uid` is "" where it has none; `ours` is, of an event, the uid of ours that the service carries beside its own.
    """

    id: str
    uid: str
    view: View
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A file and an event that belong together, and how that is known."""

    file: str
    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Doubled:
    """Several items of one side under one uid: none of them is linked."""

    side: Side
    uid: str
    ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """What was found. `suggestions` wait for a word; items that are in no part of this are on one side only."""

    links: tuple[Found, ...] = ()
    suggestions: tuple[Found, ...] = ()
    held: tuple[Doubled, ...] = ()


def pair_up(files: Sequence[Candidate], events: Sequence[Candidate]) -> Pairing:
    """Pair what is unlinked on both sides. The order of the input does not matter."""
    files, events = (sorted(items, key=lambda item: item.id) for items in (files, events))
    held = (
        *_doubled(Side.FILE, files, _uid, "two files have this uid"),
        *_doubled(Side.CALENDAR, events, _uid, "two events have this uid"),
        *_doubled(Side.CALENDAR, events, _ours, "two events carry this id of ours"),
    )
    doubled = {double.uid for double in held}
    files = [item for item in files if item.uid not in doubled]
    events = [item for item in events if item.uid not in doubled and item.ours not in doubled]
    links = _by_ids(files, events)
    rest = _alone(files, events, links)
    return Pairing(links, _alike(*rest), held)


def _uid(item: Candidate) -> str:
    return item.uid


def _ours(item: Candidate) -> str:
    return item.ours


def _grouped(items: Iterable[Candidate], by: Callable[[Candidate], _K | None]) -> dict[_K, list[Candidate]]:
    groups: defaultdict[_K, list[Candidate]] = defaultdict(list)
    for item in items:
        key = by(item)
        if key:
            groups[key].append(item)
    return groups


def _doubled(
    side: Side, items: Iterable[Candidate], by: Callable[[Candidate], str], reason: str
) -> tuple[Doubled, ...]:
    groups = _grouped(items, by)
    return tuple(
        Doubled(side, uid, tuple(item.id for item in group), f"{reason}; it can't be told which is meant")
        for uid, group in groups.items()
        if len(group) > 1
    )


def _by_ids(files: Iterable[Candidate], events: Sequence[Candidate]) -> tuple[Found, ...]:
    links: list[Found] = []
    for reason, by in (("the same uid", _uid), ("our own id on the event", _ours)):
        table = _grouped(events, by)
        linked_files, linked_events = {link.file for link in links}, {link.event for link in links}
        for file in files:
            match = [event for event in table.get(file.uid, ()) if event.id not in linked_events]
            if match and file.id not in linked_files:
                links.append(Found(file.id, match[0].id, reason))
    return tuple(links)


def _alone(
    files: Iterable[Candidate], events: Iterable[Candidate], links: Iterable[Found]
) -> tuple[list[Candidate], list[Candidate]]:
    linked = {(Side.FILE, link.file) for link in links} | {(Side.CALENDAR, link.event) for link in links}
    return (
        [item for item in files if (Side.FILE, item.id) not in linked],
        [item for item in events if (Side.CALENDAR, item.id) not in linked],
    )


def _likeness(item: Candidate) -> _Likeness | None:
    """Subject, time and rule, as two sides may spell them; None without a subject or a time."""
    subject = normal(_SUBJECT, item.view.get(_SUBJECT))
    when = when_of(item.view)
    if not isinstance(subject, str) or when is None:
        return None
    span = (instant(when.start, when.zone), when.length) if isinstance(when, Timed) else when
    return subject.casefold(), span, normal(_REPEAT, item.view.get(_REPEAT))


def _alike(files: Iterable[Candidate], events: Iterable[Candidate]) -> tuple[Found, ...]:
    """Each file with one event that looks the same; among several equal ones any is as good as the other."""
    table = _grouped(events, _likeness)
    return tuple(
        Found(file.id, event.id, "equal subject and time")
        for likeness, group in _grouped(files, _likeness).items()
        for file, event in zip(group, table.get(likeness, ()), strict=False)
    )
