"""The rows of the journal as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from daemon.core.model import Activity, Base, Field, Patch
from daemon.core.plan import Side
from daemon.core.store import Ref
from daemon.journal import encoding


def instant(seconds: float) -> datetime:
    """A stored time as an aware datetime, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


class FileRow(NamedTuple):  # a thousand are made in a pass: five times as fast as a frozen dataclass
    """One activity of the folder, as it was last read. `path` "" while it is being made."""

    id: int
    uid: str
    path: str
    said_uid: bool
    digest: str
    text: str  # the encoded activity
    changed: float
    missing: float | None
    problem: str | None
    verdict: str | None
    rev: int
    route: str | None

    @property
    def activity(self) -> Activity:
        """The last good reading, decoded."""
        return encoding.load_activity(self.text)

    @property
    def is_scheduled(self) -> bool:
        """Whether it has a date, without decoding the rest."""
        return encoding.says(self.text, Field.WHEN)

    @property
    def ref(self) -> Ref:
        """Path and digest, as the folder's door wants them."""
        return Ref(self.path, self.digest)


FILE_COLUMNS = "id, uid, coalesce(path, ''), said_uid, digest, seen, changed, missing, problem, verdict, rev, route"


class LinkRow(NamedTuple):
    """What tells of a link where it leads to, without what its event says."""

    id: int
    route: str
    role: str
    origin: str


class EventRow(NamedTuple):
    """One item of a calendar, as it was last read. `file` None: not linked."""

    id: int
    route: str
    remote: str
    version: str
    uid: str
    text: str
    raw: bytes
    seen_at: float
    gone: bool
    file: int | None
    role: str
    origin: str
    base_text: str | None
    backlog: int  # 1: from before the calendar was connected; 2: and edited since
    rev: int
    writes: int
    taken_back: bool  # it is, or is gone, as after a restore of its server

    @property
    def activity(self) -> Activity:
        """The last reading, decoded."""
        return encoding.load_activity(self.text)

    @property
    def floating(self) -> bool:
        """Whether its times are in no zone, without decoding the rest."""
        return encoding.floats(self.text)

    @property
    def base(self) -> Base | None:
        """What was agreed on: of a link, or of one that was and may be again. None: nothing is known of it."""
        return None if self.base_text is None else encoding.load_base(self.base_text)

    @property
    def ref(self) -> Ref:
        """Id and version, as the calendar's door wants them."""
        return Ref(self.remote, self.version)


EVENT_COLUMNS = (
    "id, route, remote, version, uid, seen, raw, seen_at, gone, file, role, origin, base, backlog, rev, writes, "
    "taken_back"
)


@dataclass(frozen=True, slots=True)
class RouteRow:
    """What is remembered of one calendar as a whole."""

    name: str
    identity: str
    cursor: str | None
    connected: float
    adopted: bool
    rebuilding: bool
    disconnected: bool
    last_success: float | None


class Intent(NamedTuple):
    """A write that is about to be made, or may have been made. `kind`: create | update | delete."""

    token: str
    route: str
    side: Side
    kind: str
    file: int | None
    event: int | None
    uid: str
    agrees: str  # encoded pairs
    overlay: str | None
    patch: str
    expect: str
    reason: str
    made: float

    @property
    def meant(self) -> Patch:
        """The canonical fields that were meant, decoded."""
        return encoding.load_patch(self.patch)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. `before` and `after` are encoded patches of the keys that changed."""

    id: int
    at: float
    route: str
    file: int | None
    path: str
    uid: str
    side: str
    action: str
    by: str
    reason: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an item is in quarantine, and until when."""

    code: str
    message: str
    cure: str
    attempts: int
    retry: float
    since: float


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """One field on which both sides differ. `chosen` None: open."""

    file: int
    route: str
    key: str
    file_value: str | None
    calendar_value: str | None
    chosen: str | None
    since: float


@dataclass(frozen=True, slots=True)
class HoldRow:
    """Actions that wait for approval; `actions` is JSON as `plan --json` shows it, with signatures."""

    id: str
    route: str
    reason: str
    actions: str
    since: float
