"""A calendar in memory, held to the same contract as every other store: for tests and dry runs.

It can have the manners of services that are not CalDAV: ids given by the service, no conditional create,
no version in the answer to a write, a feed of bare ids.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from daemon.core.errors import CursorExpired, Refused, StoreError, SyncError, VersionMismatch
from daemon.core.model import Activity, Field, Key, Patch, Value, View
from daemon.core.store import (
    Capabilities,
    Changes,
    Create,
    Gone,
    Outcome,
    Reading,
    Ref,
    Remove,
    Seen,
    Update,
    Write,
    Written,
)


@dataclass(frozen=True, slots=True)
class Manners:
    """How this calendar behaves, beside its `Capabilities`; the defaults are those of a good CalDAV server."""

    capabilities: Capabilities = Capabilities()
    gives_ids: bool = False  # the id is the service's; else it comes from the UID
    tells_versions: bool = True  # the answer to a write names the new version
    feeds_versions: bool = True  # the feed has versions, not only ids
    knows_tokens: bool = False  # a repeated token finds what its first attempt made (transactionId)
    inline: bool = False  # the feed brings changed items whole
    exact: bool = False  # the answer to a write promises that nothing was changed


@dataclass(frozen=True, slots=True)
class Mishap:
    """A failure to come: the error, and whether the write takes effect all the same."""

    error: StoreError
    applied: bool = False


@dataclass(frozen=True, slots=True)
class _Item:
    uid: str
    view: View
    version: int
    modified: datetime
    extra: bytes = b""


def _epoch() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class MemoryStore:
    """One calendar. `refuse` says why a view can't be held ("": it can); `clock` gives LAST-MODIFIED.

    `mishaps` befall the next writes, one each. What another person does to the calendar is done with
    `put`, `edit` and `drop`; `forget_history` makes every cursor given out so far expire.
    """

    name: str = "memory"
    manners: Manners = Manners()
    clock: Callable[[], datetime] = _epoch
    refuse: Callable[[View], str] = lambda _view: ""
    mishaps: deque[Mishap] = field(default_factory=deque)
    _items: dict[str, _Item] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _log: list[str] = field(default_factory=list)
    _oldest: int = 0
    _count: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def capabilities(self) -> Capabilities:
        """What this calendar can hold and do."""
        return self.manners.capabilities

    @property
    def identity(self) -> str:
        """Which calendar this is."""
        return f"memory:{self.name}"

    def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor` (None: everything). Raises CursorExpired."""
        with self._lock:
            now = f"{self.identity}#{len(self._log)}"
            if cursor is None:
                return self._changes(self._items, (), now, complete=True)
            touched = dict.fromkeys(self._log[self._place(cursor) :])
            there = [item for item in touched if item in self._items]
            gone = [item for item in touched if item not in self._items]
            return self._changes(there, gone, now, complete=False)

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read items by id."""
        for item in dict.fromkeys(ids):
            with self._lock:
                reading = self._reading(item)
            yield reading

    def find(self, uid: str, token: str) -> Reading | None:
        """The item that has this uid, or that a create with this token made; None: there is none."""
        with self._lock:
            made = self._tokens.get(token, "")
            found = made if made in self._items else self._with_uid(uid)
            return self._reading(found) if found else None

    def refuses(self, view: View) -> str:
        """Why this can't be held here; "": it can."""
        return self.refuse(view)

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes, one after another."""
        for write in writes:
            with self._lock:
                outcome = self._outcome(write)
            yield write, outcome

    def close(self) -> None:
        """Nothing to let go of."""

    def put(self, uid: str, view: View, *, extra: bytes = b"") -> Ref:
        """Add an event as another person would; `extra` is what Datebook has no word for."""
        with self._lock:
            return self._store(self._new_id(uid), uid, view, extra)

    def edit(self, item: str, patch: Patch) -> Ref:
        """Change an event as another person would."""
        with self._lock:
            known = self._items[item]
            return self._store(item, known.uid, patched(known.view, patch), known.extra)

    def drop(self, item: str) -> None:
        """Delete an event as another person would."""
        with self._lock:
            del self._items[item]
            self._log.append(item)

    def forget_history(self) -> None:
        """Let every cursor that was given out so far expire."""
        with self._lock:
            self._log.append("")
            self._oldest = len(self._log)

    def events(self) -> Mapping[str, Activity]:
        """What the calendar holds now, by id."""
        with self._lock:
            return {item: self._activity(known) for item, known in self._items.items()}

    def _place(self, cursor: str) -> int:
        identity, _, place = cursor.rpartition("#")
        if identity != self.identity or not place.isdigit() or not self._oldest <= int(place) <= len(self._log):
            raise CursorExpired("the cursor is no place in this calendar", store=self.name)
        return int(place)

    def _changes(self, there: Iterable[str], gone: Iterable[str], cursor: str, *, complete: bool) -> Changes:
        items = tuple(self._ref(item) if self.manners.feeds_versions else Ref(item) for item in there)
        inline = self.manners.inline and not complete
        seen = tuple(self._seen(ref.id) for ref in items) if inline else ()
        return Changes(items, tuple(name for name in gone if name), cursor, complete=complete, seen=seen)

    def _reading(self, item: str) -> Reading:
        return self._seen(item) if item in self._items else Gone(item)

    def _seen(self, item: str) -> Seen:
        known = self._items[item]
        return Seen(self._ref(item), self._activity(known), known.extra)

    def _activity(self, known: _Item) -> Activity:
        return Activity(known.uid, known.view, modified=known.modified)

    def _ref(self, item: str) -> Ref:
        return Ref(item, f'"{self._items[item].version}"')

    def _with_uid(self, uid: str) -> str:
        return next((item for item, known in self._items.items() if uid and known.uid == uid), "")

    def _new_id(self, uid: str) -> str:
        if not self.manners.gives_ids:
            return f"/{self.name}/{uid}"
        self._count += 1
        return f"AAMk{self._count:04d}="

    def _store(self, item: str, uid: str, view: View, extra: bytes) -> Ref:
        self._log.append(item)
        self._items[item] = _Item(uid, self._held(view), len(self._log), self.clock(), extra)
        return self._ref(item)

    def _held(self, view: View) -> View:
        return {key: self._shortened(key, value) for key, value in view.items() if key.field in self.capabilities.holds}

    def _shortened(self, key: Key, value: Value) -> Value:
        most = self.capabilities.max_reminders
        if key.field is not Field.REMINDERS or most is None or not isinstance(value, frozenset):
            return value
        return frozenset(sorted(part for part in value if isinstance(part, timedelta))[:most])

    def _outcome(self, write: Write) -> Outcome:
        mishap = self.mishaps.popleft() if self.mishaps else None
        if mishap is not None and not mishap.applied:
            return mishap.error
        outcome: Outcome
        try:
            outcome = self._carry_out(write)
        except SyncError as error:
            outcome = error
        return outcome if mishap is None else mishap.error

    def _carry_out(self, write: Write) -> Written:
        match write:
            case Create():
                return self._create(write)
            case Update():
                return self._update(write)
            case Remove():
                return self._remove(write)
            case _:
                assert_never(write)

    def _create(self, write: Create) -> Written:
        self._accept(write.view)
        again = self._tokens.get(write.token, "") if self.manners.knows_tokens else ""
        if again in self._items:
            return self._written(self._ref(again))
        item = self._new_id(write.uid)
        if item in self._items and self.capabilities.versions_creates:
            known = self._items[item]
            if known.uid == write.uid and known.view == self._held(write.view):
                return self._written(self._ref(item))
            raise VersionMismatch("another event has this id", store=self.name, ref=item)
        if self.capabilities.versions_creates and self._with_uid(write.uid):
            raise VersionMismatch("another event has this uid", store=self.name, ref=self._with_uid(write.uid))
        self._tokens[write.token] = item
        return self._written(self._store(item, write.uid, write.view, b""))

    def _update(self, write: Update) -> Written:
        known = self._expected(write.ref, checked=True)
        if not self.capabilities.edits_instances and any(key.instance is not None for key in write.patch):
            raise self._refusal("single instances can't be changed here", write.ref.id)
        view = patched(known.view, write.patch)
        self._accept(view)
        return self._written(self._store(write.ref.id, known.uid or write.uid, view, known.extra))

    def _remove(self, write: Remove) -> Written:
        if write.ref.id in self._items:
            self._expected(write.ref, checked=self.capabilities.versions_deletes)
            self.drop(write.ref.id)
        return Written(Ref(write.ref.id))

    def _expected(self, ref: Ref, *, checked: bool) -> _Item:
        known = self._items.get(ref.id)
        if known is None or (checked and ref.version != f'"{known.version}"'):
            raise VersionMismatch("it changed since it was read", store=self.name, ref=ref.id)
        return known

    def _accept(self, view: View) -> None:
        if reason := self.refuse(view):
            raise self._refusal(reason, "")

    def _refusal(self, reason: str, ref: str) -> Refused:
        return Refused(reason, reason=reason, store=self.name, ref=ref)

    def _written(self, ref: Ref) -> Written:
        known = self._items[ref.id]
        exact = self.manners.exact and self.manners.tells_versions
        return Written(ref if self.manners.tells_versions else Ref(ref.id), known.extra, exact=exact)


def patched(view: View, patch: Patch) -> dict[Key, Value]:
    """The view with a patch applied."""
    merged: dict[Key, Value] = dict(view)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged
