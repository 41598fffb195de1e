"""What many scenarios begin with, by name: `there: a call`."""

from __future__ import annotations

FILES = {
    "a call": (
        "call.yaml",
        "subject: Call Anna\ntype: call\ndue_date: 2026-11-24\ndue_time: 10:30\nduration: 15m\nuid: call-1\n",
    ),
    "a past call": (
        "past.yaml",
        "subject: Called Oleg\ntype: call\ndue_date: 2026-11-20\ndue_time: 10:30\nduration: 15m\nuid: past-1\n",
    ),
    "a series": (
        "standup.yaml",
        "subject: Standup\ndue_date: 2026-11-24\ndue_time: 9:00\nrepeat: FREQ=WEEKLY;COUNT=8\nuid: standup-1\n",
    ),
}
_TIMED = "DTSTART;TZID=Europe/Helsinki:{0}T{1}0000\nDTEND;TZID=Europe/Helsinki:{0}T{2}0000\nSUMMARY:{3}\n"
_GUESTS = (
    "ORGANIZER;CN=Me:mailto:me@example.com\nATTENDEE;CN=Me;PARTSTAT=ACCEPTED:mailto:me@example.com\n"
    "ATTENDEE;CN=Anna;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;X-NUM=1:mailto:anna@example.org\n"
)
EVENTS = {
    "a lunch": ("lunch-1", _TIMED.format("20261125", 12, 13, "Lunch") + "X-SOMEBODY:keeps this\n"),
    "a past lunch": ("past-lunch", _TIMED.format("20261119", 12, 13, "Old lunch")),
    "a meeting": ("meeting-1", _TIMED.format("20261126", 14, 15, "Review") + _GUESTS),
    "an invitation": (
        "invitation-1",
        _TIMED.format("20261127", 14, 15, "Board")
        + _GUESTS.replace("ORGANIZER;CN=Me:mailto:me@", "ORGANIZER;CN=Boss:mailto:boss@"),
    ),
    "a private event": (
        "doctor-1",
        _TIMED.format("20261128", 10, 11, "Cardiologist") + "DESCRIPTION:Bring the Xray\nCLASS:PRIVATE\n",
    ),
    "a weekly event": (
        "weekly-1",
        _TIMED.format("20261126", 16, 17, "Weekly") + "RRULE:FREQ=WEEKLY;COUNT=6\n",
    ),
}
