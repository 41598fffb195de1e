"""The activities that the demo begins with, on days that are still to come."""

from __future__ import annotations

from datetime import date, timedelta

_CALL = """\
subject: Call Anna about the renewal
type: call
due_date: {tomorrow}
due_time: 10:30
duration: 15m

person: anna-petrova
deal: romashka-renewal

# Nobody outside this folder sees the note.
note: |
  She asked for the 3-year price last time. Do not offer it first.
"""
_KICKOFF = """\
subject: Romashka kick-off
type: meeting
due_date: {later}
due_time: 14:00
duration: 1h
location: Romashka office, room 4.02

public_description: |
  1. Introductions
  2. Scope of the pilot

priority: high
reminders: [15m, 1d]
"""
_REVIEW = """\
subject: Pipeline review
type: meeting
due_date: {monday}     # first Monday of the series
due_time: "09:00"
duration: 45m
repeat: every week on Monday
"""


def samples(today: date) -> dict[str, str]:
    """File names and their texts."""
    monday = today + timedelta(days=7 - today.weekday())
    days = {"tomorrow": today + timedelta(days=1), "later": today + timedelta(days=3), "monday": monday}
    return {
        "call-anna.yaml": _CALL.format(**days),
        "romashka-kickoff.yaml": _KICKOFF.format(**days),
        "pipeline-review.yaml": _REVIEW.format(**days),
    }
