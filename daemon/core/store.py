"""The door: what every side looks like to the core, a calendar and the folder of files alike.

It is built for services that are *not* CalDAV too: ids given by the server, change feeds of ids,
patches of single fields, no conditional create. A store decides nothing: it observes, and carries
out single writes, each of which says which version it expects to find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from daemon.core.errors import StoreError, SyncError, Unreadable
from daemon.core.model import Activity, Field, Key, Local, Patch, View


@dataclass(frozen=True, slots=True)
class Ref:
    """One item of a store: its id there, and its version.

    In a calendar: the service's id (CalDAV: the href, unquoted) and the ETag or changekey; in the
    folder: the path relative to it, with forward slashes, and the digest of the bytes. `version` is ""
    where the service did not say one (Google's answer to PUT): the item must be read before it is written.
    """

    id: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An item as it was read. `raw` is the whole last object, opaque to all but its store."""

    ref: Ref
    activity: Activity
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Gone:
    """Reading that very id says that it is not there (404, 410, ErrorItemNotFound, ENOENT)."""

    id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Reading that very id failed otherwise: unknown, never a deletion. `version` as the listing said.

    `title` names the event in a report, where so much of it could be read; nothing of a private one.
    """

    id: str
    error: StoreError | Unreadable
    version: str = ""
    title: str = ""


Reading = Seen | Gone | Failed


@dataclass(frozen=True, slots=True)
class Changes:
    """What a store says has changed since a cursor.

    `items` are ids with versions ("" where the feed has none), `gone` are notices: a reason to ask,
    never a deletion by themselves. `complete`: this is the whole listing, not a difference. `seen`
    holds items that the feed delivered whole (Google sends calendar-data inline); they need no read.
    """

    items: Sequence[Ref]
    gone: Sequence[str] = ()
    cursor: str = ""
    complete: bool = True
    seen: Sequence[Seen] = ()


@dataclass(frozen=True, slots=True)
class Create:
    """Make one item. `uid` is the activity's; `token` names this attempt: repeating it makes no second one.

    `view` is the whole of what is to be shown, defaults included. `like` is the raw object of an event that it
    takes the place of, from whatever store: one of the same kind carries along what a view has no word for, save
    its guests. The rest is for the folder: `place` is the path wanted, relative, its suffix the format (another
    name is found where it is taken); `local` what the file is to say beyond the view; `secret`: mode 0600.
    """

    uid: str
    token: str
    view: View
    notify: bool = False
    place: str = ""
    local: Local = Local()
    secret: bool = False
    floating: bool = False
    like: bytes = b""


@dataclass(frozen=True, slots=True)
class Update:
    """Change single keys of the item `ref`, which is still the version that is named there.

    `raw` and `before` are the item as it was last read: a write is that object plus the patch. `uid`, if
    given, is put on an item that has none of ours yet. `says` is for the folder: keys that never travel
    (`done`, `masked`) and their new texts, None to take one out.
    """

    ref: Ref
    token: str
    patch: Patch
    raw: bytes = b""
    before: View | None = None
    uid: str = ""
    says: Mapping[str, str | None] = field(default_factory=dict)
    notify: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the item `ref`, which is still the version that is named there; in the folder: to the trash."""

    ref: Ref
    token: str
    reason: str = ""
    notify: bool = False


Write = Create | Update | Remove


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was carried out: the new id and version, and the object as it was sent.

    `exact`: the service promises that it stored what was sent, so nothing need be read back. `dropped` are the
    keys that it was seen not to keep: they have no calendar half.
    """

    ref: Ref
    raw: bytes = b""
    exact: bool = False
    dropped: frozenset[Key] = frozenset()


Outcome = Written | SyncError


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service can hold and do; quirks are rows here, not ifs on a server's name."""

    in_flight: int = 4  # writes that it may be asked to handle at once
    read_batch: int = 100  # ids in one request of `read`
    holds: frozenset[Field] = frozenset(Field)  # the other fields have no calendar half
    max_reminders: int | None = None  # None: any number; of more, the nearest to the start are kept
    chooses_uid: bool = False  # the service gives the UID; ours travels in a property of our own
    suppresses_mail: bool = False  # proven: a write without `notify` mails nobody
    silences_added: bool = False  # proven: a guest whom such a write adds is mailed by no later write either
    versions_creates: bool = True  # a create over an existing item is refused (If-None-Match)
    versions_deletes: bool = True  # a delete of a changed item is refused (If-Match on DELETE)
    may_drop: frozenset[Field] = frozenset()  # what a write of them left out, the service may not have kept
    edits_instances: bool = True  # single instances of a series can be changed
    whole_series: bool = True  # a series is written in one go, what is changed of its instances with it


@dataclass(frozen=True, slots=True)
class CalendarInfo:
    """One calendar that an account offers. `writable` None: the service does not say."""

    id: str
    name: str
    primary: bool = False
    writable: bool | None = None
    color: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a test of rights, clock or behaviour, with its cure ("" when fine).

    `checked` False: it could not be tested here, which is no fault (`ok`).
    """

    code: str
    ok: bool
    message: str
    cure: str = ""
    checked: bool = True


class Store(Protocol):
    """One calendar of one account. Every method may raise any `StoreError`; none retries by itself."""

    @property
    def capabilities(self) -> Capabilities:
        """What this calendar can hold and do."""

    @property
    def identity(self) -> str:
        """Which calendar this is, for good: a cursor of another identity is worth nothing here."""

    def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor` (None: everything). Raises CursorExpired."""

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read items by id, in any order, exactly one reading for each id."""

    def find(self, uid: str, token: str) -> Reading | None:
        """Ask for the item that a `Create` with this uid and token made; None: there is none."""

    def refuses(self, view: View) -> str:
        """Why an item that shows this can't be held here (a rule that EWS has no word for); "": it can."""

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out independent writes, as concurrently as the service allows; one outcome for each.

        An error of one item is returned, not raised. Closing the iterator early stops what was not begun.
        """

    def close(self) -> None:
        """Let go of connections."""


class Account(Protocol):
    """One sign-in at one service: lists its calendars and opens them."""

    def calendars(self) -> Sequence[CalendarInfo]:
        """What the account offers. Raises SignInNeeded, Forbidden, Unavailable."""

    def open(self, calendar: str) -> Store:
        """Open a calendar by id, URL, display name, or `primary`. Raises Missing, naming what there is."""

    def check(self) -> Iterable[Finding]:
        """Test login and rights, without a write."""

    def close(self) -> None:
        """Let go of connections."""


class Stamp(NamedTuple):
    """What `stat` says of a file; an unchanged stamp means: not read again (a full check reads all)."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the folder.

    `stamps`: the activity files that are there, by path; of the whole folder, or (`partial`) of the places
    that were asked for: a place that is not in it is not there. `problems`: links, replicators' conflict
    copies, unreadable folders. A file that can't be looked at is in `problems`, never missing: `unsure`
    has the paths (or folders, with a slash at the end) of which nothing can be said.
    """

    stamps: Mapping[str, Stamp]
    partial: bool = False
    problems: Sequence[Unreadable] = ()
    unsure: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Marker:
    """What the store's marker file says: whose folder this is, and its default zone."""

    store_id: str
    timezone: str
    shared: bool = False


class Folder(Store, Protocol):
    """The watched folder: a store whose ids are paths, and that can say whether its own writes happened."""

    def look(self, places: Collection[str] | None = None) -> Look:
        """Stat the folder, or only the given relative paths (a folder's path means all below it).

        Raises Missing when the folder or its marker is not there.
        """

    def marker(self) -> Marker | None:
        """The marker, or None when there is none. Raises Missing when the folder is not there."""

    def unchanged(self, digests: Mapping[str, str]) -> Iterator[str]:
        """Those of these paths whose bytes have the digest named; they are not parsed for it. Raises Missing."""

    def raw(self, path: str) -> bytes:
        """The bytes of a file as they are. Raises StoreError where it can't be opened."""

    def held_by(self, path: str) -> str:
        """Which editor holds this file open, in words; "" when none does."""

    def happened(self, token: str) -> bool:
        """Whether the write with this token took effect before a crash. Meaningful until `forget`."""

    def forget(self, tokens: Iterable[str]) -> None:
        """Those writes are in the journal now: clear what was kept to answer `happened`."""

    def sweep(self, keep: Collection[str]) -> None:
        """Remove leftovers of writes that are not in `keep` (temporary files of a killed daemon)."""
