"""The keys of the activity file: which field each one says, their usual order, and which are one line of text."""

from __future__ import annotations

import difflib
from functools import lru_cache

from daemon.core.model import Field

WHEN_KEYS = ("due_date", "due_time", "duration", "timezone")
CONTEXT_KEYS = ("person", "org", "deal", "lead", "project")

# The order in which a new file has them; a key that is added to a file goes after the nearest one before it.
ORDER = (
    "subject",
    "type",
    *WHEN_KEYS,
    "location",
    "conference_meeting_url",
    "public_description",
    "note",
    "attendees",
    "participants",
    *CONTEXT_KEYS,
    "owner",
    "busy",
    "private",
    "masked",
    "priority",
    "status",
    "reminders",
    "repeat",
    "skip",
    "changes",
    "calendar",
    "sync",
    "done",
    "done_through",
    "uid",
)
RANK = {name: rank for rank, name in enumerate(ORDER)}

KEY_OF_FIELD = {
    Field.SUBJECT: "subject",
    Field.TYPE: "type",
    Field.LOCATION: "location",
    Field.MEETING_URL: "conference_meeting_url",
    Field.DESCRIPTION: "public_description",
    Field.ATTENDEES: "attendees",
    Field.BUSY: "busy",
    Field.PRIVATE: "private",
    Field.PRIORITY: "priority",
    Field.STATUS: "status",
    Field.REMINDERS: "reminders",
    Field.REPEAT: "repeat",
    Field.SKIP: "skip",
}
FIELD_OF_KEY = {name: field for field, name in KEY_OF_FIELD.items()}
SERIES_ONLY = frozenset(("repeat", "skip", "changes"))

_ONE_LINE = frozenset(
    (
        "subject",
        "location",
        "conference_meeting_url",
        "public_description",
        "note",
        "repeat",
        "owner",
        "calendar",
        "participants",
        *CONTEXT_KEYS,
    )
)

_OTHER_NAMES = {
    "title": "subject",
    "summary": "subject",
    "date": "due_date",
    "start": "due_date",
    "time": "due_time",
    "description": "public_description",
    "guests": "attendees",
    "reminder": "reminders",
    "alarm": "reminders",
    "url": "conference_meeting_url",
    "rrule": "repeat",
    "exdate": "skip",
}


def is_one_line(name: str) -> bool:
    """Whether the key holds text that people write on one line without a thought for YAML."""
    return name in _ONE_LINE


@lru_cache(maxsize=1024)
def close_key(name: str) -> str:
    """The known key that an unknown one was perhaps meant to be; "" when none is close."""
    word = name.casefold().replace("-", "_").replace(" ", "_")
    if word in RANK:
        return word
    found = difflib.get_close_matches(word[:40], ORDER, n=1, cutoff=0.8)
    return found[0] if found else _OTHER_NAMES.get(word, "")
