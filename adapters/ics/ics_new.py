"""A new calendar object for a plain activity, written in one go: what patching an empty one comes to, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from adapters.ics.content_lines import fold
from adapters.ics.ics_alarms import alarm_lines
from adapters.ics.ics_times import Form, fresh_form, fresh_lines, rule_text
from adapters.ics.ics_values import clean, escape, escape_clean, write_moment
from adapters.ics.ics_write import BUSY_WORDS, CLASSES, MICROSOFT, NO_TITLE, PLAIN_BUSY, PRIORITIES
from adapters.ics.vtimezone import vtimezone
from daemon.core.model import AllDay, Busy, Field, Timed, Value, View, When
from daemon.core.rules import Rule
from daemon.core.times import zone_of

PRODID = "-//Datebook//Datebook//EN"
_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n".encode()
# Fields that add lines of their own, whatever stands there already.
_TEXTS = (Field.SUBJECT, Field.LOCATION, Field.DESCRIPTION)
_WORDS = (Field.STATUS, Field.PRIVATE, Field.PRIORITY, Field.BUSY, Field.TYPE)
_PLAIN = frozenset((Field.WHEN, Field.REPEAT, Field.REMINDERS, *_TEXTS, *_WORDS))
Said = dict[Field, Value]


def compose_plain(uid: str, view: View, *, zone: str, now: datetime, floating: bool = False) -> bytes | None:
    """The bytes of a new object; None where the view says more than this module knows how to write."""
    said: Said = {key.field: value for key, value in view.items() if key.instance is None}
    when = said.get(Field.WHEN)
    if len(said) != len(view) or not said.keys() <= _PLAIN or not isinstance(when, Timed | AllDay):
        return None
    form = fresh_form(when, zone if floating else "")
    stamp = write_moment(now.astimezone(UTC))
    lines = [f"UID:{escape(uid)}", f"DTSTAMP:{stamp}", f"CREATED:{stamp}", f"LAST-MODIFIED:{stamp}"]
    lines += fresh_lines(when, form)
    summary = _text(said, Field.SUBJECT)
    lines += _texts(said, "" if summary == NO_TITLE else summary)
    lines += _words(said)
    lines += _kind(str(said.get(Field.TYPE, "")))
    lines += _rule(str(said.get(Field.REPEAT, "")), when, form)
    body = b"".join(map(fold, lines))
    zone_lines = vtimezone(form.zone, now.year) if form.zone and zone_of(form.zone) else b""
    alarms = b"".join(_alarms(said.get(Field.REMINDERS), lines))
    return b"".join((_HEAD, zone_lines, b"BEGIN:VEVENT\r\n", body, alarms, b"END:VEVENT\r\nEND:VCALENDAR\r\n"))


def _text(said: Said, name: Field) -> str:
    value = said.get(name)
    return clean(value) if isinstance(value, str) else ""


def _texts(said: Said, summary: str) -> Iterator[str]:
    texts = (summary, _text(said, Field.LOCATION), _text(said, Field.DESCRIPTION))
    for name, text in zip(("SUMMARY", "LOCATION", "DESCRIPTION"), texts, strict=True):
        if text.strip():
            yield f"{name}:{escape_clean(text)}"


def _words(said: Said) -> Iterator[str]:
    if status := said.get(Field.STATUS):
        yield f"STATUS:{str(status).upper()}"
    if private := said.get(Field.PRIVATE):
        yield f"CLASS:{CLASSES[str(private)]}"
    if priority := said.get(Field.PRIORITY):
        yield f"PRIORITY:{PRIORITIES[priority]}"
    if busy := said.get(Field.BUSY):
        yield "TRANSP:TRANSPARENT" if busy is Busy.FREE else "TRANSP:OPAQUE"
        if busy not in PLAIN_BUSY:
            yield f"{MICROSOFT}:{BUSY_WORDS[busy]}"


def _kind(kind: str) -> tuple[str, ...]:
    """Our own mark of the type, and the category that other programs show."""
    word = escape(kind)
    return (f"X-DATEBOOK-TYPE:{word}", f"CATEGORIES:{word}") if kind else ()


def _rule(text: str, when: When, form: Form) -> tuple[str, ...]:
    return (f"RRULE:{rule_text(Rule.parse(text), when, form)}",) if text else ()


def _alarms(reminders: Value | None, lines: list[str]) -> Iterator[bytes]:
    wanted = [each for each in reminders if isinstance(each, timedelta)] if isinstance(reminders, frozenset) else []
    summary = next((each[len("SUMMARY:") :] for each in lines if each.startswith("SUMMARY:")), "") if wanted else ""
    for before in sorted(wanted):
        yield b"BEGIN:VALARM\r\n"
        yield from map(fold, alarm_lines(before, summary))
        yield b"END:VALARM\r\n"
