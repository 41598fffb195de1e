"""Reminders as VALARMs: those before the start; every other alarm is left alone."""

from __future__ import annotations

from datetime import timedelta

from adapters.ics.content_lines import Component, component, ending_of, line
from adapters.ics.ics_lines import remove
from adapters.ics.ics_values import parse_duration, write_duration
from daemon.core.model import Value


def trigger_of(alarm: Component) -> timedelta | None:
    """How long before the start an alarm goes off; None: it is no such reminder (absolute, after, by the end)."""
    action, trigger = alarm.first(b"ACTION"), alarm.first(b"TRIGGER")
    if not action or not trigger or action.value.strip().upper() not in {"DISPLAY", "EMAIL", "AUDIO"}:
        return None
    params, value = trigger.parts()
    offset = parse_duration(value)
    if offset is None or offset > timedelta() or params.get("RELATED", "START").upper() != "START":
        return None
    return -offset


def reminders_of(component: Component) -> frozenset[timedelta]:
    """The reminders of an event."""
    triggers = (trigger_of(alarm) for alarm in component.components(b"VALARM"))
    return frozenset(trigger for trigger in triggers if trigger is not None)


def put_reminders(event: Component, value: Value | None) -> None:
    """Make these the reminders; other alarms stay as they are."""
    wanted = {each for each in value if isinstance(each, timedelta)} if isinstance(value, frozenset) else set()
    there = [(alarm, trigger_of(alarm)) for alarm in event.components(b"VALARM")]
    remove(event, [alarm for alarm, trigger in there if trigger is not None and trigger not in wanted])
    summary = event.first(b"SUMMARY")
    text = summary.value if summary else ""
    for trigger in sorted(wanted - {trigger for _, trigger in there}):
        event.body.append(_alarm(trigger, text, ending_of(event)))


def _alarm(before: timedelta, text: str, ending: bytes) -> Component:
    """RFC 5545 section 3.6.6: DISPLAY (in capitals: Google wants it so) with a text."""
    alarm = component("VALARM", ending)
    alarm.body.extend(line(text, ending) for text in alarm_lines(before, text))
    return alarm


def alarm_lines(before: timedelta, text: str) -> tuple[str, ...]:
    """What stands in the VALARM of a reminder; `text` is escaped already."""
    return "ACTION:DISPLAY", f"DESCRIPTION:{text or 'Reminder'}", f"TRIGGER:{write_duration(-before)}"
