"""What the loop's threads share, under one condition: what is due, what runs, how it fared.

Every decision of when is made by `daemon.loop.schedule`; here it is kept, and whoever waits is woken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from math import inf
from threading import Condition

from daemon.clock import Clock
from daemon.core.errors import FolderMissing, SyncError
from daemon.core.policy import Route
from daemon.loop import schedule
from daemon.loop.board_state import LookOrder, LookState, RouteState, renewed
from daemon.loop.schedule import Instant, Step, StopAccount, Timetable, Wait
from daemon.passes import Looked, Synced

_LOOK_RETRY = 5.0


class Board:
    """The shared state. Its methods may be called from any thread; `changed` is notified of every change."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        *,
        clock: Clock,
        draw: Callable[[], float],
        rescan: timedelta,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.changed = Condition()
        self.clock = clock
        self.look = LookState(places=None, asked=True, full=True)
        self.stopping = False
        self._draw = draw
        self._on_change = on_change
        self._epoch = 0
        self._rescan = rescan.total_seconds()
        self._workers: set[str] = set()
        self.routes = renewed({}, routes, clock.monotonic())

    def instant(self) -> Instant:
        """This moment on both clocks."""
        return Instant(self.clock.now(), self.clock.monotonic())

    def _touch(self) -> None:
        self.changed.notify_all()
        self._on_change()

    # Orders.

    def ask_look(self, places: Collection[str] | None, *, full: bool = False) -> int:
        """Have the folder looked at. Returns the number of the look that will have seen these places."""
        with self.changed:
            look = self.look
            look.asked = True
            look.full = look.full or full
            if places is None or look.places is None:
                look.places = None
            else:
                look.places.update(places)
            self.changed.notify_all()
            return look.begun + 1

    def ask_pass(self, routes: Iterable[str]) -> dict[str, int]:
        """Have routes polled now. Returns the number of the pass of each that will have seen this moment."""
        with self.changed:
            numbers = {}
            for name in routes:
                state = self.routes.get(name)
                if state is not None:
                    state.table = schedule.forced(state.table)
                    numbers[name] = state.begun + 1
            self.changed.notify_all()
            return numbers

    def poke(self, account: str | None = None) -> None:
        """Try an account (None: all of them) again at once: its user acted."""
        with self.changed:
            for state in self.routes.values():
                if account in {None, state.route.account}:
                    state.table = schedule.poked(state.table)
            self._touch()

    def wake(self, routes: Iterable[str]) -> None:
        """Files have something for these routes."""
        with self.changed:
            for name in routes:
                state = self.routes.get(name)
                if state is not None:
                    state.table = schedule.woken(state.table)
            self.changed.notify_all()

    def jump(self) -> None:
        """The machine slept or its clock was set: look at everything and ask every service."""
        with self.changed:
            now = self.clock.monotonic()
            for state in self.routes.values():
                state.table = schedule.after_jump(state.table, now)
            self.ask_look(None)

    def stop(self) -> None:
        """Every thread shall end."""
        with self.changed:
            self.stopping = True
            self._touch()

    # A new config.

    def renew(self, routes: Mapping[str, Route]) -> None:
        """Go on with the routes of a new config: everything is looked at and asked again."""
        with self.changed:
            self._epoch += 1
            self.routes = renewed(self.routes, routes, self.clock.monotonic())
            self.look.ok_once = False  # it may be another store
            self.ask_look(None, full=True)
            self._touch()

    def hire(self) -> tuple[str, ...]:
        """The accounts that have routes and no thread; each of them must be given one."""
        with self.changed:
            wanted = {state.route.account for state in self.routes.values()}
            missing = tuple(sorted(wanted - self._workers))
            self._workers |= wanted
            return missing

    # The thread that looks.

    def next_look(self) -> LookOrder | None:
        """Wait until a look is due, and begin it; None: the thread shall end."""
        with self.changed:
            while not self.stopping:
                now = self.clock.monotonic()
                if self.look.due_at() <= now:
                    return self._begin_look(now)
                self._wait(self.look.due_at(), now)
            return None

    def _begin_look(self, now: float) -> LookOrder:
        look = self.look
        places = None if look.places is None or look.rescan_at <= now else frozenset(look.places)
        order = LookOrder(places, look.full, self._epoch)
        again, wakes = look.again_at <= now, look.again_wakes
        if again:
            look.again_at, look.again_wakes = inf, frozenset()
        if places is None:
            look.rescan_at = now + self._rescan
        look.asked, look.places, look.full = False, set(), False
        look.begun += 1
        if again:
            self.wake(wakes)
        return order

    def end_look(self, order: LookOrder, looked: Looked) -> None:
        """A look has ended: wake the routes that have something to do."""
        with self.changed:
            look, now = self.look, self.instant()
            look.ended = look.begun
            if order.epoch != self._epoch:
                self._touch()  # the config was replaced meanwhile, and another look has been asked for
                return
            look.changed += looked.changed
            if looked.error is not None:
                # What was asked for is still owed, and all of the folder with it.
                look.places, look.full = None, look.full or order.full
                look.again_at = min(look.again_at, now.monotonic + _LOOK_RETRY)
            else:
                look.ok_once = True
                self._go_on()
                look.again_wakes |= looked.wake if looked.again else frozenset()
                look.again_at = min(look.again_at, schedule.moment_of(looked.again, now))
                self.wake(looked.wake)
            look.error = looked.error
            self._touch()

    def _go_on(self) -> None:
        """Passes that the folder went away under are made again at once, now that it is there."""
        for state in self.routes.values():
            if isinstance(state.table.error, FolderMissing):
                state.table = schedule.poked(replace(state.table, error=None))

    # The threads of the accounts.

    def next_pass(self, account: str, until: float) -> Step | None:
        """Wait until a route of the account is due, and begin a pass over it.

        None: nothing is due until `until`, or the thread shall end (see `is_over`), or its user wants a pass
        over a stopped account: see whether its secret is new, then `poke` or `decline`.
        """
        with self.changed:
            while not self.is_over(account):
                now = self.clock.monotonic()
                tables = self._tables(account) if self.may_sync() else {}
                step = schedule.next_step(tables, now)
                if step is not None:
                    self._begin_pass(step, now)
                    return step
                if until <= now or any(_asks_for_secret(table) for table in tables.values()):
                    return None
                self._wait(min(until, schedule.next_moment(tables)), now)
            return None

    def may_sync(self) -> bool:
        """Whether the folder was seen and is ours; without that nothing may be synced."""
        return self.look.ok_once and self.look.error is None

    def is_over(self, account: str) -> bool:
        """Whether the account's thread shall end."""
        return self.stopping or not any(state.route.account == account for state in self.routes.values())

    def leave(self, account: str) -> bool:
        """The account's thread wants to end; False: the account came back meanwhile."""
        with self.changed:
            if not self.is_over(account):
                return False
            self._workers.discard(account)
            return True

    def is_stopped(self, account: str) -> bool:
        """Whether nothing is asked of the account before its user acts."""
        with self.changed:
            tables = self._tables(account).values()
            return bool(tables) and all(table.ordered and table.not_before == inf for table in tables)

    def decline(self, account: str) -> None:
        """Its user wants a pass over a stopped account, and nothing about it is new."""
        with self.changed:
            for state in self.routes.values():
                if state.route.account == account:
                    state.table = schedule.declined(state.table)
            self.changed.notify_all()

    def _tables(self, account: str) -> dict[str, Timetable]:
        return {name: state.table for name, state in self.routes.items() if state.route.account == account}

    def _begin_pass(self, step: Step, now: float) -> None:
        state = self.routes[step.route]
        state.table = schedule.begun(state.table, poll=step.poll, now=now, draw=self._draw())
        state.begun += 1
        state.epoch = self._epoch
        self._touch()

    def end_pass(self, account: str, step: Step, synced: Synced) -> RouteState | None:
        """A pass has ended. Returns the route's state; None: the config was replaced meanwhile."""
        with self.changed:
            self.wake(synced.wake)
            state = self.routes.get(step.route)
            if state is None or state.route.account != account or not state.running:
                return None
            if state.epoch != self._epoch:
                state.ended = state.begun  # what an old config led to says nothing about the new one
                self._touch()
                return None
            now = self.instant()
            again_at = schedule.moment_of(synced.again, now)
            before = state.table.error
            if synced.error is None:
                state.table = schedule.succeeded(state.table, again_at)
                state.last_success = now.wall
            else:
                self._fail(state, step, synced.error, again_at)
            if state.since is None or type(before) is not type(synced.error):
                state.since = now.wall
            state.ended, state.last = state.begun, synced
            state.wrote += synced.wrote
            state.read += synced.read
            state.files += synced.files
            self._touch()
            return state

    def _fail(self, state: RouteState, step: Step, error: SyncError, again_at: float) -> None:
        now = self.clock.monotonic()
        if isinstance(error, FolderMissing):
            self.ask_look(None)  # it says when the folder is back, which may be already
        answer = schedule.answer_to(error, state.table.failures + 1, self._draw())
        state.table = schedule.failed(state.table, error, answer, poll=step.poll, now=now, again_at=again_at)
        if isinstance(answer, StopAccount) or (isinstance(answer, Wait) and answer.whole_account):
            for other in self.routes.values():
                if other.route.account == state.route.account:
                    other.table = schedule.held_back(other.table, state.table.not_before)

    def _wait(self, until: float, now: float) -> None:
        self.clock.wait(self.changed, None if until == inf else max(0.0, until - now))


def _asks_for_secret(table: Timetable) -> bool:
    return table.forced and table.ordered and table.not_before == inf
