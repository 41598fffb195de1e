"""What CalDAV servers do differently, as data: a meaning per line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from adapters.dav.caldav_errors import PLAIN, Words
from adapters.dav.caldav_href import resource_name
from daemon.core.model import Field
from daemon.core.store import Capabilities

# Fields that RFC 5545 has a property for.
HELD = frozenset(Field)


class Listing(Enum):
    """How the whole of a calendar is listed."""

    PROPFIND = "propfind"  # Depth 1: every resource, with its ETag
    QUERY = "query"  # calendar-query without a time range: events alone


@dataclass(frozen=True, slots=True)
class Quirks:
    """One server's ways. The defaults are those of a server that keeps to the RFCs."""

    sync: bool = True  # sync-collection is used where the server has it
    sync_depth: str | None = "0"  # the Depth header of sync-collection (RFC 6578 says 0); None: none is sent
    inline: bool = False  # the answer to sync-collection brings calendar-data, so that no read is needed
    listing: Listing = Listing.PROPFIND
    conditional_create: bool = True  # If-None-Match: * is honoured
    conditional_delete: bool = True  # If-Match is honoured on DELETE; where not, the ETag is read first
    name: Callable[[str], str] = resource_name  # the name of a new resource, by its UID
    finds_by_uid: bool = True  # calendar-query can look for one UID (Google sends the whole calendar)
    stores_exactly: bool = False  # an ETag in the answer to PUT promises that the body is kept byte for byte
    agent_counts: bool = True  # SCHEDULE-AGENT may count here (RFC 6638 section 7.1); `doctor --write-test` shows it
    in_flight: int = 10  # writes at once: 1,000 of them at 100 ms each take 10 s
    read_batch: int = 100
    words: Words = PLAIN  # why it refuses, where it says so in words of its own
    max_reminders: int | None = None
    holds: frozenset[Field] = HELD
    may_drop: frozenset[Field] = frozenset()  # nobody knows whether they survive a PUT

    def capabilities(self) -> Capabilities:
        """The same for the core, which knows no CalDAV."""
        return Capabilities(
            in_flight=self.in_flight,
            read_batch=self.read_batch,
            holds=self.holds,
            max_reminders=self.max_reminders,
            may_drop=self.may_drop,
            versions_creates=self.conditional_create,
            # Where the ETag is only read before, a change in between is overtaken.
            versions_deletes=self.conditional_delete,
        )
