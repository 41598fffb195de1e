"""The engine: one pass is observe -> plan -> guard -> apply -> commit.

`look` observes the folder; `sync` observes one calendar, decides on what is unsettled and carries it out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from daemon.clock import Clock
from daemon.core.errors import StoreError, SyncError
from daemon.core.plan import Hold
from daemon.core.policy import PrivateEvents, Route
from daemon.core.privacy import conceal, is_private
from daemon.core.situation import Situation
from daemon.core.store import Folder, Seen, Store
from daemon.core.verdicts import HELD_BY_EDITOR
from daemon.engine.apply import Applier
from daemon.engine.belonging import Router
from daemon.engine.decide import Decider, concerns_the_guard
from daemon.engine.holds import keep_holds
from daemon.engine.look import FolderEyes
from daemon.engine.outcomes import Applied
from daemon.engine.poll import Poll, same_calendar
from daemon.engine.recasting import Closet, Recaster
from daemon.engine.reviving import Reviver
from daemon.engine.settle import Settler
from daemon.engine.unit import Unit, Unsayable
from daemon.journal import Journal
from daemon.journal.files import load_verdict
from daemon.journal.rows import RouteRow, instant
from daemon.passes import Looked, Synced

_BATCH = 500  # units that are decided and carried out at a time: what bounds the memory of a first sync
_RECONSIDER = 600  # seconds after which even what waits for a word is decided on again: a meeting may be past by then
_ROUNDS = 4  # how often one pass plans again because something was not as expected


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the engine is handed: everything that it does not decide itself."""

    routes: Mapping[str, Route]
    open_store: Callable[[str], Store]  # by route; raises StoreError; remembers what it opened
    own: Callable[[str], frozenset[str]]  # by route: the addresses of the account's user
    router: Router
    zone: str
    types: tuple[str, ...]
    shared: bool
    check_store: Callable[[], None]  # raises Missing where the store is not there, or is another one
    new_id: Callable[[], str]
    account_of: Callable[[str], frozenset[str]]  # by route: the address that its account signs in with
    closet: Closet
    orders: str = ""  # what of the config decides on items, as one text
    may_name: Callable[[Unit], bool] = lambda _unit: True
    remember: Callable[[], None] = lambda: None  # after each pass: what the store keeps in case the journal is lost
    progress: Callable[[int], None] = lambda _done: None  # raises Stopping when the program is to end


@dataclass(slots=True)
class Engine:
    """Implements `passes.Passes`. Thread-safe: one look, and one pass for each route, at a time."""

    folder: Folder
    journal: Journal
    clock: Clock
    around: Surroundings
    eyes: FolderEyes = field(init=False)
    _recovered: bool = False
    # By route, where the last pass found nothing but what is held: the state in which it was, () where nobody looked.
    _waiting: dict[str, tuple[object, ...] | None] = field(default_factory=dict)
    _unsayable: dict[str, dict[int, Unsayable]] = field(default_factory=dict)  # by route and file
    _unread: set[str] = field(default_factory=set)  # routes of which the last look at the calendar broke off
    _looking: threading.RLock = field(default_factory=threading.RLock)
    _passing: dict[str, threading.RLock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.eyes = FolderEyes(self.folder, self.journal, self.around.router, self.clock, shared=self.around.shared)

    def look(self, places: Collection[str] | None, *, full: bool = False) -> Looked:
        """Look at the folder; an error means that nothing may be synced until it is mended."""
        with self._looking:
            return self._look(places, full=full)

    def _look(self, places: Collection[str] | None, *, full: bool) -> Looked:
        try:
            self.around.check_store()
            if not self._recovered:
                Settler(self.journal, self.clock).files(self.folder)
                self._recovered = True
                places = None
                self._follow_orders()
            odd = self.eyes.oddities()
            found = self.eyes.look(places, full=full)
            now = self.clock.now().timestamp()
            with self.journal.turn():
                if places is None:
                    self.journal.go_by(now)
                self.journal.files.take_due(now)
                if places is None:
                    self._try_held_files()
            wake = self.eyes.choose(found.changed, found.routed)
            with self.journal.turn():
                due = self.journal.files.next_due()
                waiting = self.journal.files.waiting_routes()
        except SyncError as error:
            return Looked(error=error)
        except OSError as error:
            return Looked(error=StoreError(f"the folder can't be read: {error.strerror or error}"))
        again = instant(due) if due is not None else None
        return Looked(wake=wake | waiting, again=again, changed=len(found.changed) + (odd != self.eyes.oddities()))

    def _try_held_files(self) -> None:
        """A look at everything is no hint of one place: editors may have let go of any file that waits for one."""
        for row in self.journal.files.put_off():
            if row.verdict is not None and load_verdict(row.verdict).code == HELD_BY_EDITOR:
                self.journal.files.touch(row.id)

    def _follow_orders(self) -> None:
        """Where the config says something else than the last time, everything is decided on anew."""
        known = self.journal.get_meta("orders")
        if known == self.around.orders:
            return
        with self.journal.turn():
            if known is not None:
                self._read_private_ones_anew()
                self.eyes.choose(self.journal.files.touch_all())
                self.journal.events.touch_all()
            self.journal.set_meta("orders", self.around.orders)

    def _read_private_ones_anew(self) -> None:
        """Of private events the journal knows as much as the mode let it: a new mode needs another reading."""
        for route, orders in self.around.routes.items():
            if orders.private_events is not PrivateEvents.FULL:
                self.journal.events.forget_agreed(route)
            for event in self.journal.events.all(route):
                if event.origin == "calendar" and is_private(event.activity):
                    self.journal.events.distrust(event.id)

    def sync(self, route: str, *, poll: bool) -> Synced:
        """One pass over one route. Every StoreError comes back as a value."""
        with self._pass(route):
            done = self._sync(route, poll=poll)
            self.around.remember()
            return done

    def _pass(self, route: str) -> threading.RLock:
        return self._passing.setdefault(route, threading.RLock())

    def _sync(self, route: str, *, poll: bool) -> Synced:
        result = Applied()
        read = 0
        try:
            store = self.around.open_store(route)
            row = self._connected(route, store)
            poll = bool(Settler(self.journal, self.clock).events(route, store)) or poll
            for _round in range(_ROUNDS):
                if poll or not row.adopted or route in self._unread:
                    read += self._poll(row, store)
                applied = self._apply(route, store)
                self.eyes.expect(applied.made)
                self._unsayable.setdefault(route, {}).update(applied.unsayable)
                result.wrote, result.files = result.wrote + applied.wrote, result.files + applied.files
                result.touched |= applied.touched
                result.again = _earliest(result.again, applied.again)
                row = self.journal.route(route) or row
                if not applied.reread and not applied.more:
                    break
                poll = applied.reread
            self.journal.set_route(route, last_success=self.clock.now().timestamp())
        except SyncError as error:
            return self._synced(route, result, read, error)
        return self._synced(route, result, read)

    def _synced(self, route: str, result: Applied, read: int, error: SyncError | None = None) -> Synced:
        again, touched = self._again(route, result), frozenset(result.touched)
        return Synced(route, result.wrote, read, again, touched, error, result.files)

    def plan(self, route: str, *, poll: bool = True) -> list[Unit]:
        """What a pass over a route would do; writes to neither side. Raises StoreError."""
        with self._pass(route):
            store = self.around.open_store(route)
            row = self._connected(route, store)
            Settler(self.journal, self.clock).events(route, store)
            if poll:
                self._poll(row, store)
            return replace(self._decider(route, store), looks_ahead=True).units()

    def later(self, route: str) -> list[Unit]:
        """What a grace holds back on a route (`not_before`: until then), as it will be decided at its end."""
        decider = self._decider(route, self.around.open_store(route))
        with self.journal.turn():
            rows = self.journal.files.put_off()
        now = [unit for row in rows if (unit := decider.unit_of(row)) is not None]
        return [unit for one in now if (unit := decider.at_the_end(one)) is not None]

    def _connected(self, route: str, store: Store) -> RouteRow:
        """What is remembered of the calendar; a first contact notes what was there before it."""
        row = self.journal.route(route) or self._renamed(route, store)
        if row is None:
            rebuilding = route in json.loads(self.journal.get_meta("rebuilding") or "[]")
            now = self.clock.now().timestamp()
            with self.journal.turn():
                self.journal.connect(route, store.identity, now, rebuilding=rebuilding)
                there = (file for file in self.journal.files.all() if file.is_scheduled)
                files = [(file.id, route, file.digest) for file in there]
                self.journal.backlog_add(files)
            row = self.journal.route(route)
        assert row is not None  # noqa: S101  it was just made
        same_calendar(row, store)
        return row

    def _renamed(self, route: str, store: Store) -> RouteRow | None:
        """A calendar that had another name in the config before keeps its links under the new one."""
        for row in self.journal.routes():
            if row.identity == store.identity and row.name not in self.around.routes:
                self.journal.rename_route(row.name, route)
                return self.journal.route(route)
        return None

    def _poll(self, row: RouteRow, store: Store) -> int:
        mode = self.around.routes[row.name].private_events
        remembered = self.journal.route(row.name) or row

        def hide(seen: Seen) -> Seen:
            concealed = conceal(seen, mode)
            if concealed is seen:
                return seen
            known = self.journal.events.by_remote(row.name, seen.ref.id)
            same = [known] if known is not None else self.journal.events.by_uid(seen.activity.uid)
            ours = any(one.origin == "file" and one.file is not None for one in same)
            return seen if ours else concealed

        self._unread.add(row.name)  # nothing is written to a calendar that may not be there, or be another one
        read = Poll(remembered, store, self.journal, self.clock, hide, self.around.progress).run()
        self._unread.discard(row.name)
        if not remembered.adopted:
            self.journal.set_route(row.name, adopted=1)  # what comes from here on is new
        return read

    def _decider(self, route: str, store: Store) -> Decider:
        row = self.journal.route(route)
        situation = Situation(
            route=self.around.routes[route],
            capabilities=store.capabilities,
            now=self.clock.now(),
            zone=self.around.zone,
            own=self.around.own(route),
            account_of=self.around.account_of,
            connected=instant(row.connected) if row else None,
            shared=self.around.shared,
            rebuilding=bool(row and row.rebuilding),
            types=self.around.types,
            refuses=store.refuses,
        )
        unsayable = self._unsayable.get(route, {})
        return Decider(self.journal, situation, self.around.router, unsayable, self.around.routes)

    def _apply(self, route: str, store: Store) -> Applied:
        with self.journal.turn():
            self.journal.events.take_due(route, self.clock.now().timestamp())
            self.journal.files.take_due(self.clock.now().timestamp())
        decider = self._decider(route, store)
        applier = Applier(
            route,
            store,
            self.folder,
            self.journal,
            self.clock,
            self.around.new_id,
            self.around.may_name,
            self.around.progress,
        )
        waited = self._waiting.get(route)
        unsettled = self._unsettled(route) if waited is not None else ()
        if unsettled and unsettled == waited:
            return Applied()  # nothing but what waits for a word, and no news
        reviver = Reviver(route, self.around.closet, self.journal, self.clock, applier.result, self._looking, self.look)
        guarded: list[Unit] = []
        others = False
        for some in _batches(decider.each()):
            guarded += [unit for unit in some if concerns_the_guard(unit)]
            rest = [unit for unit in some if not concerns_the_guard(unit)]
            others = others or bool(rest)
            applier.run(reviver.run(rest))
        units = decider.guarded(guarded)
        keep_holds(self.journal, route, units, self.clock.now())
        if decider.situation.rebuilding and not any(unit.decision.hold is Hold.REBUILD for unit in units):
            self.journal.set_route(route, rebuilding=0)  # both sides have been compared, and nothing waits
        mine = Recaster(self.around.closet, self.journal, self.clock, decider.situation)
        rest = mine.run(units)
        applied = applier.finish(reviver.run(rest))
        applied.count_files(len(units) - len(rest))
        only_held = bool(units) and not others and all(unit.decision.hold is not None for unit in units)
        self._waiting[route] = unsettled if only_held else None
        return applied

    def _unsettled(self, route: str) -> tuple[object, ...]:
        return self.journal.unsettled(route, self.clock.now().timestamp() // _RECONSIDER)

    def _again(self, route: str, result: Applied) -> datetime | None:
        with self.journal.turn():
            dues = [self.journal.events.next_due(route), self.journal.files.next_due()]
        return _earliest(result.again, *(instant(due) for due in dues if due is not None))


def _batches(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    rest = iter(units)
    while some := list(islice(rest, _BATCH)):
        yield some


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
