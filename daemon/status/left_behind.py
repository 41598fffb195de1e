"""Events that stand in a calendar though their files are kept in step with them no more: their users are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from daemon.core.plan import Verdict
from daemon.journal import Journal
from daemon.journal.files import load_verdict
from daemon.journal.rows import instant
from daemon.status import Problem

# What is unlinked by an order of its user's (`sync: false`, a removed file) is nothing to report.
_CODES = frozenset({"type_not_sent", "other_owner", "unlinked"})


def left_behind(journal: Journal) -> Iterator[Problem]:
    """A problem for each file that no longer fits the calendar in which its event stands. In a turn of the journal.

    Good to know, and no more: whoever gives an activity to a colleague has done what was meant.
    """
    for id_, route in journal.tombstones.standing():
        file = journal.files.get(id_)
        if file is None or file.problem is not None or file.verdict is None or file.missing is not None:
            continue
        verdict = with_place(load_verdict(file.verdict), route)
        if verdict.code in _CODES:
            yield Problem(
                verdict.code, verdict.reason, verdict.cure, instant(file.changed), file=file.path, needs_user=False
            )


def with_place(verdict: Verdict, calendar: str) -> Verdict:
    """The verdict on a file that no longer fits, with the calendar in which its event stands, and what to do of it."""
    if verdict.code not in _CODES:
        return verdict
    reason = verdict.reason
    if f"`{calendar}`" not in reason:
        reason = f"{reason} Its event still stands in `{calendar}`, and is not synced."
    cure = verdict.cure
    if f"`calendar: {calendar}`" not in cure:
        cure = f"Write `calendar: {calendar}` into the file to keep them in step, or the name of another to move it."
    return replace(verdict, reason=reason, cure=f"{cure} Or delete the event there yourself.")
