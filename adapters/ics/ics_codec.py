"""iCalendar <-> Activity: reads a calendar object, writes a new one, patches one line by line (RFC 5545, 7986)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from adapters.ics.content_lines import Component, component, line
from adapters.ics.ics_fields import Reader
from adapters.ics.ics_lines import add, drop, put
from adapters.ics.ics_local import DONE_LINE, local_lines
from adapters.ics.ics_new import PRODID, compose_plain
from adapters.ics.ics_patch import Patcher, put_uid
from adapters.ics.ics_properties import properties_of
from adapters.ics.ics_series import Series, load
from adapters.ics.ics_split import join, split
from adapters.ics.ics_values import escape, unescape, write_moment
from adapters.ics.ics_zones import Zones
from daemon.core.errors import Unreadable
from daemon.core.model import Activity, Field, Guest, Key, Local, Note, Patch, Value, View, guests_of

__all__ = [
    "compose",
    "compose_like",
    "is_calendar",
    "join",
    "patch",
    "peek_title",
    "peek_uid",
    "problems",
    "read",
    "say",
    "split",
]

_BEGIN = b"BEGIN:VCALENDAR"
_NO_LOCAL = Local()
_CLASS = re.compile(rb"^CLASS(?:;[^:\r\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)
_SUMMARY = re.compile(rb"^SUMMARY(?:;[^:\r\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)


def read(raw: bytes, *, zone: str, types: Sequence[str] = (), path: str = "") -> Activity:
    """One activity from one calendar object. Raises Unreadable.

    `zone` is that of floating times; `types` are the words of the config, of which the first among the
    categories is the type.
    """
    return load(raw, zone=zone, types=types, path=path).activity()


def compose(  # noqa: PLR0913  an event has these many sides, all but two by name
    uid: str,
    view: View,
    *,
    zone: str,
    now: datetime,
    local: Local = _NO_LOCAL,
    floating: bool = False,
    organizer: str = "",
    client_schedules: bool = False,
) -> bytes:
    """A new calendar object for a view.

    `local` is for files alone: it goes into X-DATEBOOK- properties, which a calendar must not be given.
    `floating`: times in `zone` are written without one. `organizer` is the address that invites where the
    view has guests and names no organiser. `client_schedules`: SCHEDULE-AGENT=CLIENT on the guests.
    """
    if local == _NO_LOCAL:
        plain = compose_plain(uid, view, zone=zone, now=now, floating=floating)
        if plain is not None:
            return plain
    view = _with_organizer(view, organizer)
    return compose_by_patch(
        uid, view, zone=zone, now=now, local=local, floating=floating, client_schedules=client_schedules
    )


def compose_by_patch(  # noqa: PLR0913  as `compose` has it
    uid: str, view: View, *, zone: str, now: datetime, local: Local, floating: bool, client_schedules: bool
) -> bytes:
    """The same for any view: an empty event that is patched."""
    calendar = component("VCALENDAR")
    event = component("VEVENT")
    stamp = write_moment(now.astimezone(UTC))
    calendar.body += [line("VERSION:2.0"), line(f"PRODID:{PRODID}"), event]
    event.body += [line(f"{name}:{stamp}") for name in ("DTSTAMP", "CREATED", "LAST-MODIFIED")]
    event.body.insert(0, line(f"UID:{escape(uid)}"))
    document = Component(b"")
    document.body.append(calendar)
    series = Series(document, calendar, Reader(Zones(calendar, zone)), event, {})
    patcher = Patcher(series, now, agent="CLIENT" if client_schedules else "", floating=floating, is_new=True)
    patcher.apply(view)
    for text in local_lines(local):
        add(event, line(text))
    if local.done_instances:
        _mark_done(series, local)
    return document.dump()


def is_calendar(raw: bytes) -> bool:
    """Whether these bytes are meant as a calendar object."""
    return raw.lstrip()[: len(_BEGIN)].upper() == _BEGIN


def compose_like(  # noqa: PLR0913  an event has these many sides, all but three by name
    like: bytes,
    uid: str,
    view: View,
    *,
    zone: str,
    now: datetime,
    types: Sequence[str] = (),
    organizer: str = "",
    client_schedules: bool = False,
) -> bytes:
    """A new calendar object for a view, in the place of another: what no view says of that one is kept.

    Its guests are none of it: only those of the view are on the new one, each as on a new event. Raises Unreadable.
    """
    series = load(like, zone=zone, types=types)
    drop(series.calendar, b"METHOD")
    for event in (series.master, *series.overrides.values()):
        drop(event, b"ATTENDEE", b"ORGANIZER")
    series = load(series.document.dump(), zone=zone, types=types)
    wanted = _with_organizer(view, organizer)
    patch = {key: wanted.get(key) for key in {*series.view(), *wanted} if key not in series.frozen}
    Patcher(series, now, agent="CLIENT" if client_schedules else "").apply(patch)
    put_uid(series, uid)
    return series.document.dump()


def _with_organizer(view: View, address: str) -> View:
    guests = guests_of(view)
    if not address or not guests or any(guest.organizer for guest in guests):
        return view
    merged: dict[Key, Value] = dict(view)
    merged[Key(Field.ATTENDEES)] = guests | {Guest(address.lower(), organizer=True)}
    return merged


def _mark_done(series: Series, local: Local) -> None:
    for event in series.calendar.components(b"VEVENT"):
        named = event.first(b"RECURRENCE-ID")
        if named is not None and series.original(series.reader.moment(named)) in local.done_instances:
            add(event, line(DONE_LINE))


def patch(  # noqa: PLR0913  what to change, and in which surroundings, all by name
    raw: bytes,
    patch: Patch,
    *,
    zone: str,
    now: datetime,
    uid: str = "",
    types: Sequence[str] = (),
    organizer: str = "",
    client_schedules: bool = False,
) -> bytes:
    """The calendar object with a patch: the lines of what differs are replaced, and no other. Raises Unreadable.

    `uid` is put on an object that has none. `zone` and `types` are those that it was read with. Reading the
    result gives the view with the patch applied, with one exception: an organiser stays while a guest does.
    `client_schedules`: SCHEDULE-AGENT=CLIENT on the guests that are added.
    """
    series = load(raw, zone=zone, types=types)
    if patch:
        view = dict(patch)
        guests = view.get(Key(Field.ATTENDEES))
        if isinstance(guests, frozenset) and not any(guest.organizer for guest in guests_of(series.view())):
            view |= {
                Key(Field.ATTENDEES): _with_organizer({Key(Field.ATTENDEES): guests}, organizer)[Key(Field.ATTENDEES)]
            }
        Patcher(series, now, agent="CLIENT" if client_schedules else "").apply(view)
    if uid:
        put_uid(series, uid)
    return series.document.dump()


def say(raw: bytes, words: Mapping[str, str | None]) -> bytes:
    """The calendar object with keys that never leave the folder (done, masked) set, or (None) taken out."""
    if not words:
        return raw
    series = load(raw, zone="UTC")
    for key, text in words.items():
        name = f"X-DATEBOOK-{key.upper().replace('_', '-')}"
        put(series.master, name, None if text is None else f"{name}:{escape(text.upper())}")
    return series.document.dump()


def problems(raw: bytes, *, zone: str, types: Sequence[str] = (), path: str = "") -> Sequence[Unreadable | Note]:
    """Everything that `check` says of a file: what makes it unreadable, or what Datebook can't edit in it."""
    try:
        series = load(raw, zone=zone, types=types, path=path)
    except Unreadable as error:
        return [error]
    reasons = dict.fromkeys(series.frozen.values())
    found = [Note("frozen", reason, "Datebook leaves that part of it alone") for reason in reasons]
    if b"SUMMARY" not in properties_of(series.master):
        found.append(Note("no_subject", "it has no SUMMARY", "add a line SUMMARY: with its title"))
    return found


_MARKS = re.compile(
    rb"^(?:(BEGIN|END):[ \t]*([A-Z0-9-]+)|UID[^:\r\n]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*))", re.IGNORECASE | re.MULTILINE
)


def peek_title(raw: bytes) -> str:
    """What a report calls an event that can't be read as a whole; "" where nothing names it."""
    flat = re.sub(rb"\r?\n[ \t]", b"", raw)
    if any(match[1].strip().upper() != b"PUBLIC" for match in _CLASS.finditer(flat)):
        return "a private event"
    found = _SUMMARY.search(flat)
    title = unescape(found[1].strip().decode("utf-8", "replace")) if found else ""
    return f'"{title}"' if title else ""


def peek_uid(raw: bytes) -> str:
    """The UID of the first event, without reading the rest; "" where there is none."""
    inside: list[bytes] = []
    for found in _MARKS.finditer(raw):
        mark, name, uid = found.groups()
        if mark is None:
            if inside[-1:] == [b"VEVENT"]:
                return unescape(re.sub(rb"\r?\n[ \t]", b"", uid).strip().decode("utf-8", "replace"))
        elif mark.upper() == b"BEGIN":
            inside.append(name.upper())
        elif inside:
            inside.pop()
    return ""
