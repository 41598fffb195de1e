"""What an ICS file says that VEVENT has no word for: X-DATEBOOK- properties, which stay in the folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from adapters.ics.ics_properties import Properties, text_of
from adapters.ics.ics_values import escape, parse_moment, write_date
from daemon.core.errors import Unreadable
from daemon.core.model import Local

PREFIX = "X-DATEBOOK-"
DONE_LINE = f"{PREFIX}DONE:TRUE"
CONTEXT = ("person", "org", "deal", "lead", "project")


def local_of(properties: Properties) -> Local:
    """What the file says to Datebook alone."""
    if not any(name.startswith(b"X-DATEBOOK-") for name in properties):
        return Local()
    context = ((word, text_of(properties, _name(word))) for word in CONTEXT)
    return Local(
        owner=text_of(properties, _name("owner")).strip().lower() or None,
        calendar=text_of(properties, _name("calendar")).strip() or None,
        sync=text_of(properties, _name("sync")).strip().lower() not in {"false", "no"},
        done=is_done(properties),
        done_through=_done_through(properties),
        masked=text_of(properties, _name("masked")).strip().lower() == "true",
        context=tuple((word, value) for word, value in context if value),
    )


def is_done(properties: Properties) -> bool:
    """X-DATEBOOK-DONE:TRUE."""
    return text_of(properties, _name("done")).strip().lower() in {"true", "yes"}


def local_lines(local: Local) -> Iterator[str]:
    """The properties that say it."""
    if local.owner:
        yield f"{PREFIX}OWNER:{escape(local.owner)}"
    if local.calendar:
        yield f"{PREFIX}CALENDAR:{escape(local.calendar)}"
    if not local.sync:
        yield f"{PREFIX}SYNC:FALSE"
    if local.done:
        yield DONE_LINE
    if local.done_through:
        yield f"{PREFIX}DONE-THROUGH:{write_date(local.done_through)}"
    if local.masked:
        yield f"{PREFIX}MASKED:TRUE"
    for word, value in local.context:
        yield f"{PREFIX}{word.upper()}:{escape(value)}"


def _name(word: str) -> bytes:
    return f"{PREFIX}{word.upper()}".encode()


def _done_through(properties: Properties) -> date | None:
    text = text_of(properties, _name("done-through")).strip().replace("-", "")
    if not text:
        return None
    try:
        moment = parse_moment(text)
    except Unreadable:
        return None
    return moment.date() if isinstance(moment, datetime) else moment
