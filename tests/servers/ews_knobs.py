"""How the EWS simulator behaves where servers differ: each switch is a manner that one of them may have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Knobs:
    """The manners of this server; as they stand first, those of Exchange."""

    html_bodies: bool = True  # a text body comes back wrapped in HTML
    bare_recurrence_dates: bool = False  # dates of recurrences without an offset
    bump_after_write: bool = False  # a write's change key is stale at once: the server touched the item again
    undo_deletes_on_pattern: bool = True  # a new pattern brings deleted occurrences back
    operations: frozenset[str] | None = None  # those that it knows; None: all
    restrictions: frozenset[str] = frozenset({"Exists", "IsEqualTo"})  # what a search may ask
    stumbles: bool = False  # over a restriction that it does not know, instead of refusing it
    bare_hits: bool = False  # a search shows ids alone
    default_by_name: bool = False  # the default calendar is known as `calendar` alone, its id is told and not taken
    needs_mailbox: bool = False  # a folder's name is understood with the mailbox that it is in
    told: str = "newest"  # of an item in the feed; else "oldest first": every state of it
    keys_told: str = "newest"  # in the feed; else "of each": one for every state, "none"
    crowded: bool = False  # the calendar holds a task and a meeting request, and somebody reads them
    silent_writes: bool = False  # a write that went well says nothing of what it wrote
    zones_told: bool = True  # items say the zone that they begin in
