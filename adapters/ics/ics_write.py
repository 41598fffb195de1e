"""Writes values of the model into the lines of one VEVENT, a setter for each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from adapters.ics.content_lines import Component, ending_of, line
from adapters.ics.ics_alarms import put_reminders
from adapters.ics.ics_fields import MEETING_URLS, categories_of, meeting_line
from adapters.ics.ics_lines import add, drop, put, put_text, remove
from adapters.ics.ics_properties import properties_of
from adapters.ics.ics_values import escape, split_list, unescape
from daemon.core.model import Busy, Field, Priority, Value

NO_TITLE = "(no title)"


def put_field(event: Component, field: Field, value: Value | None) -> None:
    """Make a VEVENT say this; None, and an empty text or set, take it away. Not for times and rules."""
    _SETTERS[field](event, value)


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""


def _subject(event: Component, value: Value | None) -> None:
    text = _text(value)
    put_text(event, "SUMMARY", "" if text == NO_TITLE else text)


def _location(event: Component, value: Value | None) -> None:
    if put_text(event, "LOCATION", _text(value)):
        drop(event, b"X-APPLE-STRUCTURED-LOCATION")  # it would show the old place


def _description(event: Component, value: Value | None) -> None:
    if put_text(event, "DESCRIPTION", _text(value)):
        drop(event, b"X-ALT-DESC")  # it would show the old text


def _word(name: str) -> Callable[[Component, Value | None], None]:
    def setter(event: Component, value: Value | None) -> None:
        put(event, name, f"{name}:{str(value).upper()}" if value else None)

    return setter


CLASSES = {"false": "PUBLIC", "true": "PRIVATE", "confidential": "CONFIDENTIAL"}


def _private(event: Component, value: Value | None) -> None:
    put(event, "CLASS", f"CLASS:{CLASSES[str(value)]}" if value else None)


PRIORITIES: Mapping[Value, int] = MappingProxyType({Priority.HIGH: 1, Priority.MEDIUM: 5, Priority.LOW: 9})


def _priority(event: Component, value: Value | None) -> None:
    put(event, "PRIORITY", f"PRIORITY:{PRIORITIES[value]}" if value else None)


MICROSOFT = "X-MICROSOFT-CDO-BUSYSTATUS"
BUSY_WORDS: Mapping[Value, str] = MappingProxyType(
    {
        Busy.FREE: "FREE",
        Busy.BUSY: "BUSY",
        Busy.TENTATIVE: "TENTATIVE",
        Busy.OOF: "OOF",
        Busy.ELSEWHERE: "WORKINGELSEWHERE",
    }
)
PLAIN_BUSY = frozenset({Busy.FREE, Busy.BUSY})


def _busy(event: Component, value: Value | None) -> None:
    if value is None:
        drop(event, b"TRANSP", MICROSOFT.encode())
        return
    put(event, "TRANSP", "TRANSP:TRANSPARENT" if value is Busy.FREE else "TRANSP:OPAQUE")
    if value not in PLAIN_BUSY or event.first(MICROSOFT.encode()):
        put(event, MICROSOFT, f"{MICROSOFT}:{BUSY_WORDS[value]}")


def _meeting_url(event: Component, value: Value | None) -> None:
    properties = properties_of(event)
    shown = meeting_line(properties)
    old = shown.value.strip() if shown else ""
    page = event.first(b"URL")
    if not value:
        drop(event, *MEETING_URLS[:-1])
        if page and page.value.strip() == old:
            drop(event, b"URL")
        return
    url = _text(value).strip()
    if url == old:
        return
    fresh = line(f"CONFERENCE;VALUE=URI:{url}", ending_of(event))
    if shown is not None and shown.name == b"CONFERENCE":
        fresh = line(f"{shown.head}:{url}", ending_of(event))
        event.body[event.body.index(shown)] = fresh
    else:
        add(event, fresh)
    if page is None or page.value.strip() == old:
        put(event, "URL", f"URL:{url}")


def put_type(event: Component, word: str, old: str) -> None:
    """Make this the type: our own mark, and first of the categories or in the place of the old type ("": none)."""
    put(event, "X-DATEBOOK-TYPE", f"X-DATEBOOK-TYPE:{escape(word)}" if word else None)
    names = categories_of(properties_of(event))
    there = any(name.casefold() == word.casefold() for name in names)
    replaced = _edit_categories(event, {old.casefold()} - {word.casefold(), ""}, "" if there else word)
    if word and not there and not replaced:
        _lead_categories(event, word)


def _edit_categories(event: Component, gone: set[str], instead: str = "") -> bool:
    """Take names out of the CATEGORIES lines; `instead` stands where the first one stood. True: it does."""
    done = False
    for each in list(event.lines(b"CATEGORIES")):
        kept, items = [], split_list(each.value)
        for item in items:
            if unescape(item).strip().casefold() not in gone:
                kept.append(item)
            elif instead and not done:
                kept.append(escape(instead))
                done = True
        if kept == items:
            continue
        if kept:
            event.body[event.body.index(each)] = line(f"{each.head}:{','.join(kept)}", ending_of(event))
        else:
            remove(event, [each])
    return done


def _lead_categories(event: Component, word: str) -> None:
    first = event.first(b"CATEGORIES")
    if first is None:
        put(event, "CATEGORIES", f"CATEGORIES:{escape(word)}")
    else:
        event.body[event.body.index(first)] = line(f"{first.head}:{escape(word)},{first.value}", ending_of(event))


def put_categories(event: Component, wanted: frozenset[str], kind: str) -> None:
    """Make these the categories beyond the type, which stays."""
    names = categories_of(properties_of(event))
    gone = {name.casefold() for name in names if name not in wanted and name.casefold() != kind.casefold()}
    _edit_categories(event, gone)
    names = categories_of(properties_of(event))
    added = sorted(wanted - set(names))
    if not added:
        return
    last = next(reversed(list(event.lines(b"CATEGORIES"))), None)
    text = ",".join(escape(name) for name in added)
    if last is None:
        add(event, line(f"CATEGORIES:{text}", ending_of(event)))
    else:
        event.body[event.body.index(last)] = line(f"{last.head}:{last.value},{text}", ending_of(event))


_SETTERS: Mapping[Field, Callable[[Component, Value | None], None]] = MappingProxyType(
    {
        Field.SUBJECT: _subject,
        Field.LOCATION: _location,
        Field.DESCRIPTION: _description,
        Field.MEETING_URL: _meeting_url,
        Field.STATUS: _word("STATUS"),
        Field.PRIVATE: _private,
        Field.PRIORITY: _priority,
        Field.BUSY: _busy,
        Field.REMINDERS: put_reminders,
    }
)
PLAIN_FIELDS = tuple(_SETTERS)  # in the order in which a new event says them
