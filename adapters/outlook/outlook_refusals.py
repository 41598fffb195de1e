"""Why an item is refused, in words for the user: Exchange's error codes, which Graph hands on beside its own."""

from __future__ import annotations

from collections.abc import Mapping

# Only where the code's name would tell the user little.
REASONS: Mapping[str, str] = {
    "ErrorOccurrenceCrossingBoundary": "the server does not let an instance of a series pass its neighbour",
    "ErrorOccurrenceTimeSpanTooBig": "the instances of this series would overlap",
    "ErrorRecurrenceHasNoOccurrence": "the rule gives no instance at all",
    "ErrorCalendarInvalidRecurrence": "the server does not take this rule",
    "ErrorCalendarDurationIsTooLong": "the server does not take so long an event",
    "ErrorCalendarEndDateIsEarlierThanStartDate": "it ends before it begins",
    "ErrorMessageSizeExceeded": "it is larger than the server takes",
    "RequestEntityTooLarge": "it is larger than the server takes",
    "ErrorPropertyValidationFailure": "a text in it is longer than the server takes",
    "ErrorCalendarInvalidTimeZone": "the server does not know the time zone",
    "ErrorTimeZone": "the server does not know the time zone",
    "TimeZoneNotSupportedException": "the server does not know the time zone",
    "ErrorInvalidRecipients": "a guest's address is not taken",
    "ErrorCalendarIsNotOrganizer": "only the organiser can change that",
    "ErrorCorruptData": "the item is damaged on the server",
    "ErrorItemCorrupt": "the item is damaged on the server",
}
