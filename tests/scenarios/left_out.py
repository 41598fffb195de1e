"""Which cases a service has no room for, each with the fact about the service that is the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from dateutil.rrule import rrulestr

from tests.scenarios.scenario import Scenario

OUTLOOK = ("exchange", "microsoft365")
NAMES = {"exchange": "Exchange", "microsoft365": "Microsoft 365"}
# What somebody's program does to events there: by the iCalendar that a case tells it in.
_OF_EVENTS = {
    "a recurrence has no single dates beside its pattern": r"^RDATE",
    "a reminder is a whole number of minutes, of 32 bits": r"TRIGGER:-P9999999D",
    "no event stands in the year 1": r"^DTSTART[^:]*:0001",
    "a series that changes from some day on is two series": r"RANGE=THISANDFUTURE",
    "an event has one recurrence": r"^RRULE.*\n(?:.*\n)*RRULE",
    "an event stands in a zone of the service's list": r"TZID=Mars Base",
    "an event's times stand in a zone": r"^DTSTART:\d{8}T\d{6}$",
    "an event has no status but that it is cancelled": r"^STATUS:(?!CANCELLED)",
}
# What no pattern of one line says: an exception is one of the occurrences that a pattern has.
_BESIDE = "an exception stands on an occurrence of its pattern"
# What a file says that is to be read back as it is.
_OF_FILES = {"an event has one reminder": r"reminders: \[[^],]*,"}


def left_out(scenario: Scenario, service: str) -> str:
    """Why a service can't have this case; "": it can."""
    if service not in OUTLOOK or service in scenario.instead:
        return ""
    for rules, texts in ((_OF_EVENTS, _events(scenario)), (_OF_FILES, _files(scenario))):
        for text in texts:
            for reason, pattern in rules.items():
                if re.search(pattern, text, re.MULTILINE):
                    return reason
    return _BESIDE if any(map(_has_override_behind_the_end, _events(scenario))) else ""


def _has_override_behind_the_end(text: str) -> bool:
    rule = re.search(r"^RRULE:(.*COUNT.*)$", text, re.MULTILINE)
    start = re.search(r"^DTSTART[^:]*:(\d{8})", text, re.MULTILINE)
    overrides = re.findall(r"^RECURRENCE-ID[^:]*:(\d{8})", text, re.MULTILINE)
    if rule is None or start is None or not overrides:
        return False
    days = rrulestr(rule[1], dtstart=datetime.fromisoformat(start[1]))
    return datetime.fromisoformat(max(overrides)) > max(days)


def _events(scenario: Scenario) -> Iterator[str]:
    yield from scenario.calendar.values()
    for words, value in scenario.story:
        if words.startswith("event ") and isinstance(value, str):
            yield value
        elif words.startswith("event "):
            yield "".join(f"{name}:{said}\n" for name, said in value.items())


def _files(scenario: Scenario) -> Iterator[str]:
    yield from scenario.files.values()
    for words, value in scenario.story:
        if words.startswith("file ") and not isinstance(value, str):
            yield "".join(f"{name}: {said}\n" for name, said in value.items())
