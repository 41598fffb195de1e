"""Why an activity was unlinked tells whether it may come back with its event."""

from __future__ import annotations

DELETED_THERE = "the event was deleted in the calendar"
STANDS_ELSEWHERE = "it still stands in another calendar"
FILE_REMOVED = "the file was removed"
DATE_LOST = "the file lost its date"


def yields(reason: str) -> bool:
    """Whether a tombstone gives way to an event that is in the calendar again: it was made because the event had gone.

    One that was made because the user removed the file stays.
    """
    return reason in {DELETED_THERE, STANDS_ELSEWHERE}


def is_undone_by(reason: str, *, is_scheduled: bool) -> bool:
    """Whether what an event was deleted for has been taken back by the time that it is gone: the file is there."""
    return is_scheduled and reason in {FILE_REMOVED, DATE_LOST}
