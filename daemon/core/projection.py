"""What of an activity goes out to a calendar, and what of a new event a file shows.

Fields that the calendar can't hold, or that may not be sent, stay home (`unheld`). Keys of a file that never
leave the folder are in no view to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from daemon.core.fields import DEFAULT_TYPE, NO_TITLE, ROWS, normal
from daemon.core.instances import SKIP, occurs, own, skipped
from daemon.core.model import (
    Activity,
    AllDay,
    Blank,
    Busy,
    Field,
    Key,
    Original,
    Pair,
    Patch,
    Privacy,
    Value,
    View,
    everyone_on,
    guests_of,
    text_of,
    when_of,
)
from daemon.core.overlay import DONE_MARK, Cover, recognise, underlay, without_blocks
from daemon.core.plan import blank_or
from daemon.core.policy import DoneShown, FileFormat, PrivateEvents, Route, Rule
from daemon.core.times import instant, occurrences

__all__ = [
    "BUSY_SUBJECT",
    "DONE_MARK",
    "Arrival",
    "Cover",
    "Outgoing",
    "incoming",
    "outgoing",
    "recognise",
    "underlay",
]

BUSY_SUBJECT = "Busy"

# What iCalendar's TRANSP has words for; the others are shown as busy where a service knows only these.
PLAIN_BUSY = frozenset({Busy.BUSY, Busy.FREE})
# A `done_through` in the far future must not make an exception of every instance to come.
_DONE_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What of a file is to be seen in a calendar.

    `view`: all that is sent; `unheld`: the keys that have no calendar half; `overlay`: what is shown over the
    view. `shown` is what the calendar holds of any value of the file, and `cover.over` the overlay of any view:
    after a merge both are asked again, for what was merged.
    """

    view: View
    unheld: frozenset[Key]
    overlay: Patch
    cover: Cover = Cover()
    max_reminders: int | None = None
    busy_words: frozenset[Busy] = field(default_factory=lambda: frozenset(Busy))

    def shown(self, key: Key, value: Value) -> Value:
        """What the calendar holds of a value: the nearest reminders, a plain word for busy."""
        if key.field is Field.REMINDERS and isinstance(value, frozenset):
            return _nearest(value, self.max_reminders)
        if isinstance(value, Busy) and value not in self.busy_words:
            return Busy.BUSY
        return value

    def agreed(self, file: View, sent: View) -> Mapping[Key, Pair]:
        """What is agreed once an event says `sent` for this file; `sent` is without the overlay.

        An instance that the series does not have stays unsaid: it is none yet, or the instance is left out, or
        it has none on that day. It goes out when the file changes that.
        """
        pairs = {}
        for key in {*file, *sent}:
            here, there = blank_or(file.get(key)), blank_or(sent.get(key))
            if there is Blank.ABSENT and key.instance is not None and not _has(sent, key.instance):
                continue
            unsaid = there is Blank.ABSENT and normal(key, file.get(key)) is not None
            pairs[key] = Pair(here, Blank.UNHELD if unsaid or key in self.unheld else there)
        return pairs


def _has(view: View, original: Original) -> bool:
    """Whether a view tells of a series that has this instance, and does not leave it out."""
    return Key(Field.REPEAT) in view and original not in skipped(view.get(SKIP)) and occurs(view, original)


def _nearest(reminders: frozenset[object], most: int | None) -> Value:
    times = sorted(item for item in reminders if isinstance(item, timedelta))
    return frozenset(times if most is None else times[:most])


def outgoing(  # noqa: PLR0913  an activity, and all that decides what of it may be seen
    activity: Activity,
    *,
    route: Route,
    holds: frozenset[Field],
    max_reminders: int | None,
    creating: bool,
    guests_on_event: bool,
    may_send_guests: bool,
    now: datetime,
    zone: str,
    own_addresses: frozenset[str] = frozenset(),
    more_dates: bool = False,
    busy_words: frozenset[Busy] = frozenset(Busy),
) -> Outgoing:
    """What of a file goes out on a route.

    `guests_on_event`: somebody else is on the event now. `may_send_guests`: guests may be put on it (`guests` is
    not `never`, or no mail can come of it). `own_addresses` are the account's user's. `more_dates`: its event has
    instances that its rule does not tell of.
    """
    guests_unsent = not may_send_guests and (creating or not guests_on_event)
    unheld = _unheld(activity.view, holds, guests_unsent=guests_unsent)
    plain = Outgoing({}, unheld, {}, max_reminders=max_reminders, busy_words=busy_words)
    view = {key: plain.shown(key, value) for key, value in activity.view.items() if _goes(activity, key, unheld)}
    alone = not guests_on_event and all(guest.email in own_addresses or guest.organizer for guest in everyone_on(view))
    cover = _cover(activity, view, route, now, zone) if alone else Cover()
    there = cover.instances if more_dates else frozenset(one for one in cover.instances if _has(view, one))
    cover = replace(cover, holds=holds, instances=there)
    return replace(plain, view=view, overlay=cover.over(view), cover=cover)


def _unheld(view: View, holds: frozenset[Field], *, guests_unsent: bool) -> frozenset[Key]:
    fields = frozenset(Field) - holds
    if guests_unsent:
        fields |= {Field.ATTENDEES}
    return frozenset({Key(name) for name in fields} | {key for key in view if key.field in fields})


def _goes(activity: Activity, key: Key, unheld: frozenset[Key]) -> bool:
    if key in unheld:
        return False
    if key.instance is not None:
        view = activity.view if SKIP not in unheld else {**activity.view, SKIP: frozenset()}
        return ROWS[key.field].per_instance and _has(view, key.instance)
    return key.field is not Field.SUBJECT or normal(key, activity.view[key]) is not None


def _cover(activity: Activity, view: View, route: Route, now: datetime, zone: str) -> Cover:
    """How done looks, and the context; asked only where nobody else is on the event.

    In a series, an instance that is done becomes an exception of its own: those named in `changes`, and every
    one up to `done_through`. `delete` is for the planner, and never for a series.
    """
    local = activity.local
    series = Key(Field.REPEAT) in view
    instances = local.done_instances if series else frozenset()
    if series and local.done_through and not local.done and route.done_in_calendar is not DoneShown.NOTHING:
        instances |= _through(view, local.done_through, now, zone)
    context = tuple(f"{name}: {value}" for name, value in local.context) if route.include_context else ()
    return Cover(route.done_in_calendar, local.done, instances, context)


def _through(view: View, last: date, now: datetime, zone: str) -> frozenset[Original]:
    """The instances up to and with a day, by their original start."""
    day = min(last, (now + _DONE_AHEAD).date())
    until = instant(datetime.combine(day + timedelta(days=2), time()), zone)
    originals = (each.original for each in occurrences(view, zone=zone, until=until))
    return frozenset(original for original in originals if _day(original) <= day)


def _day(original: Original) -> date:
    return original.date() if isinstance(original, datetime) else original


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a new file shows of an event. `masked`: the times alone; `secret`: the file is its user's alone (0600)."""

    view: View
    masked: bool = False
    secret: bool = False


def incoming(activity: Activity, *, route: Route, types: Sequence[str]) -> Arrival | None:
    """What a file may show of a new event; None: nothing (`private_events: skip`)."""
    private = activity.view.get(Key(Field.PRIVATE), Privacy.PUBLIC) is not Privacy.PUBLIC
    if private and route.private_events is PrivateEvents.SKIP:
        return None
    if private and route.private_events is PrivateEvents.BUSY:
        return Arrival(masked_view(activity.view, route), masked=True)
    view = dict(own(without_blocks(activity.view)))
    for key, value in activity.view.items():
        if key.field is Field.SUBJECT and key.instance is not None and not normal(Key(Field.SUBJECT), value):
            view[key] = NO_TITLE
    if not normal(Key(Field.SUBJECT), view.get(Key(Field.SUBJECT))):
        view[Key(Field.SUBJECT)] = NO_TITLE
    view[Key(Field.TYPE)] = type_of(activity.view, route, types)
    if route.format is FileFormat.YAML:
        view = {key: value for key, value in view.items() if key.field is not Field.CATEGORIES}
    return Arrival(view, secret=private)


def masked_view(view: View, route: Route) -> View:
    """The times of an event and nothing else of it: the same for every event at that time."""
    times = {Field.WHEN, Field.REPEAT, Field.SKIP}
    shown: dict[Key, Value] = {key: value for key, value in view.items() if key.field in times}
    shown[Key(Field.SUBJECT)] = BUSY_SUBJECT
    if route.receive_as != DEFAULT_TYPE:
        shown[Key(Field.TYPE)] = route.receive_as
    return shown


def type_of(view: View, route: Route, types: Sequence[str]) -> str:
    """The type of a new event: a category that is one, else the first rule's, else `receive_as`."""
    known = {name.casefold(): name for name in types}
    for category in _categories(view):
        if category.casefold() in known:
            return known[category.casefold()]
    return next((rule.type for rule in route.rules if fits(rule, view, route)), route.receive_as)


def _categories(view: View) -> list[str]:
    """What the event is filed under, its type (which may be any word there) first."""
    more = view.get(Key(Field.CATEGORIES), frozenset())
    words = sorted(item for item in more if isinstance(item, str)) if isinstance(more, frozenset) else []
    return [word for word in (text_of(view, Field.TYPE), *words) if word]


def fits(rule: Rule, view: View, route: Route) -> bool:
    """Whether an event meets every condition of a rule."""
    length = _length(view)
    wanted = rule.category.casefold() if rule.category is not None else None
    return all(
        (
            rule.title is None or rule.title.search(text_of(view, Field.SUBJECT)) is not None,
            wanted is None or wanted in [category.casefold() for category in _categories(view)],
            rule.guest_domain is None or rule.guest_domain.lstrip("@").casefold() in _domains(view),
            rule.calendar is None or rule.calendar == route.name,
            rule.video is None or rule.video == bool(text_of(view, Field.MEETING_URL)),
            rule.longer is None or length > rule.longer,
            rule.shorter is None or length < rule.shorter,
        )
    )


def _domains(view: View) -> set[str]:
    return {guest.email.rpartition("@")[2].casefold() for guest in guests_of(view)}


def _length(view: View) -> timedelta:
    when = when_of(view)
    if when is None:
        return timedelta()
    return timedelta(days=when.days) if isinstance(when, AllDay) else when.length
