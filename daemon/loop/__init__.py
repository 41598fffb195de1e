"""When: wake-ups, polls and back-off become looks and passes, until someone says stop.

The thread that calls `run` keeps the others: it feeds systemd's watchdog from their progress, notices
that the machine slept, has the status written, and takes the orders of signal handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

import structlog

from daemon.clock import Clock
from daemon.loop import sync_now
from daemon.loop.board import Board
from daemon.loop.reports import Report, report_of, status_line
from daemon.loop.schedule import Instant, has_jumped
from daemon.loop.setup import InForce, Setup
from daemon.loop.workers import Crew, look_at_folder, pass_over_account, say_broke
from daemon.notify import Notifier
from daemon.passes import Synced
from daemon.progress import Progress
from daemon.status import Life

_log = structlog.get_logger("datebook.loop")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the loop does what no event asks for, and how long it is patient."""

    rescan: timedelta = timedelta(minutes=15)  # the watcher is a hint, the scan is the truth
    status: timedelta = timedelta(seconds=30)
    tick: timedelta = timedelta(seconds=5)  # how soon a suspend is noticed
    settle: timedelta = timedelta(seconds=0.25)  # changes of state within it are one status
    secret_check: timedelta = timedelta(minutes=5)
    join: timedelta = timedelta(seconds=8)  # of the 10 s that an end may take
    start: timedelta = timedelta(minutes=2)  # more time asked of systemd while the store is not there


class _Order(Enum):
    NUDGE = auto()
    RELOAD = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop asks of those who made it.

    `report` is called on the loop's thread, at each change of state and every 30 s. `reload` reads the
    config again, swaps the watcher if the store has another place, and answers with the new setup, or
    None to go on with the old one. `has_new_secret` says whether an account's password or token source
    gives something new; it may block. `draw` gives a random number in [0, 1). `may_go_on` is asked at
    least every few seconds; when it says no, the loop ends as after `stop`.
    """

    report: Callable[[Report], None]
    reload: Callable[[], Setup | None]
    has_new_secret: Callable[[str], bool]
    draw: Callable[[], float]
    may_go_on: Callable[[], bool] = lambda: True


class Loop:
    """The daemon's heart. `run` on the main thread; every other method from any thread, at any time."""

    def __init__(  # noqa: PLR0913  what it is handed, by name
        self,
        setup: Setup,
        hooks: Hooks,
        *,
        clock: Clock,
        progress: Progress,
        notifier: Notifier,
        rhythm: Rhythm = Rhythm(),
    ) -> None:
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._nudged_at: float | None = None
        self.board = Board(setup.routes, clock=clock, draw=hooks.draw, rescan=rhythm.rescan, on_change=self._on_change)
        self._hooks = hooks
        self._clock = clock
        self._progress = progress
        self._notifier = notifier
        self._rhythm = rhythm
        self._in_force = InForce(setup)
        self._crew = Crew(self.board, self._in_force, progress, hooks.has_new_secret, rhythm.secret_check)
        self._threads: dict[str, Thread] = {}
        self._before = self.board.instant()
        self._reported: Report | None = None
        self._report_at = self._feed_at = self._extend_at = self._before.monotonic
        self._ready = False
        self._said_stuck: tuple[str, ...] = ()

    # What others ask of it. A signal handler may call `stop` and `ask_reload`: a SimpleQueue is reentrant.

    def look_at(self, places: Collection[str] | None) -> None:
        """Have places of the store looked at (None: all of it); the watcher's callback."""
        self.board.ask_look(places)

    def wake(self, routes: Collection[str]) -> None:
        """Have files sent out over these routes."""
        self.board.wake(routes)

    def poke(self, account: str | None = None) -> None:
        """Try an account (None: all) again at once, because its user acted."""
        self.board.poke(account)

    def sync_now(
        self,
        routes: Collection[str] | None = None,
        *,
        full: bool = False,
        in_grace: Callable[[], bool] = lambda: True,
        patience: timedelta = sync_now.PATIENCE,
    ) -> Mapping[str, Synced]:
        """Look, poll and wait for the end of both; not from the loop's own threads."""
        return sync_now.sync_now(self.board, routes, full=full, in_grace=in_grace, patience=patience)

    def nudge(self) -> None:
        """Something that the status shows has changed: have it reported soon."""
        self._reported = None
        self._on_change()

    def _on_change(self) -> None:
        if self._nudged_at is None:
            self._orders.put(_Order.NUDGE)

    def ask_reload(self) -> None:
        """Have the config read again (SIGHUP)."""
        self._orders.put(_Order.RELOAD)

    def stop(self) -> None:
        """End `run`: what is in hand is finished first (SIGTERM)."""
        self._orders.put(_Order.STOP)

    # The loop's own thread.

    def run(self) -> tuple[str, ...]:
        """Run until `stop`. Returns the names of the threads that did not end in time, none as a rule."""
        self._start_threads()
        while True:
            if self._take_order() or not self._hooks.may_go_on():
                return self._end()
            self.tick()

    def _take_order(self) -> bool:
        """Wait for an order, or until there is something to do; whether to stop."""
        try:
            order = self._orders.get(timeout=self._until_next())
        except Empty:
            return False
        match order:
            case _Order.STOP:
                return True
            case _Order.RELOAD:
                self.reload()
            case _Order.NUDGE:
                self._nudged_at = self._nudged_at or self._clock.monotonic()
        return False

    def _until_next(self) -> float:
        now = self._clock.monotonic()
        moments = [now + self._rhythm.tick.total_seconds(), self._report_at]
        if self._notifier.watchdog is not None:
            moments.append(self._feed_at)
        if self._nudged_at is not None:
            moments.append(self._nudged_at + self._rhythm.settle.total_seconds())
        return max(0.0, min(moments) - now)

    def _start_threads(self) -> None:
        if "look" not in self._threads:
            self._start("look", look_at_folder, self._crew)
        for account in self.board.hire():
            self._start(f"account {account}", pass_over_account, self._crew, account)

    def _start(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        # Daemonic: a service that hangs for ever must not keep the program from ending.
        self._threads[name] = Thread(target=work, args=arguments, name=name, daemon=True)
        self._threads[name].start()

    def tick(self) -> None:
        """Do what is due: notice a jump in time, feed the watchdog, say how things are."""
        now = self.board.instant()
        if has_jumped(self._before, now):
            _log.info("time_jumped", seconds=int(_ran_apart(self._before, now)))
            self.board.jump()
        self._before = now
        self._feed(now.monotonic)
        self._say_ready(now.monotonic)
        self._report_if_due(now.monotonic)

    def progress_ok(self) -> bool:
        """Whether every worker gets on: none hangs, none has ended that should not."""
        return not self._stuck()

    def _stuck(self) -> tuple[str, ...]:
        with self.board.changed:
            wanted = {"look", *(f"account {state.route.account}" for state in self.board.routes.values())}
        dead = {name for name in wanted & self._threads.keys() if not self._threads[name].is_alive()}
        return (*self._progress.stuck(), *sorted(dead))

    def _feed(self, now: float) -> None:
        watchdog = self._notifier.watchdog
        stuck = self._stuck()
        if stuck and stuck != self._said_stuck:
            _log.error("no_progress", work=stuck)
            self._report_at = now
        self._said_stuck = stuck
        if watchdog is not None and now >= self._feed_at and not stuck:
            self._feed_at = now + watchdog.total_seconds() / 2
            self._notifier.alive()
        elif watchdog is not None and now >= self._feed_at:
            self._feed_at = now + self._rhythm.tick.total_seconds()  # not fed: look again soon

    def _say_ready(self, now: float) -> None:
        if self._ready:
            return
        if self.board.may_sync():
            self._ready = True
            self._notifier.ready(status_line(self._now()))
        elif now >= self._extend_at:
            # Without its store the daemon waits rather than fails: it goes on by itself when the disk is back.
            self._extend_at = now + self._rhythm.start.total_seconds() / 4
            self._notifier.extend(self._rhythm.start)

    def _report_if_due(self, now: float) -> None:
        settled = self._nudged_at is not None and now >= self._nudged_at + self._rhythm.settle.total_seconds()
        if settled:
            self._nudged_at = None  # before the look at the board: what changes from here on nudges again
        if now >= self._report_at:
            self._report(self._now())
        elif settled:
            report = self._now()
            if self._reported is None or not report.is_like(self._reported):
                self._report(report)

    def _now(self) -> Report:
        return report_of(self.board, stuck=self._said_stuck)

    def _report(self, report: Report) -> None:
        self._report_at = self._clock.monotonic() + self._rhythm.status.total_seconds()
        self._reported = report
        self._safely("report", lambda: self._hooks.report(report))
        self._notifier.status(status_line(report))

    def _safely(self, name: str, call: Callable[[], T]) -> T | None:
        """Call a hook: a full disk under the status file must not end the daemon. None: it broke."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  the loop's edge
            say_broke(name, error)
            return None

    def reload(self) -> None:
        """Read the config again and go on with it; a broken one changes nothing."""
        if self._ready:
            self._notifier.reloading(int(self._clock.monotonic() * 1e6))
        setup = self._safely("reload", self._hooks.reload)
        if setup is not None:
            # In this order: a pass that knows the new routes never runs over the old setup.
            self._in_force.replace(setup)
            self.board.renew(setup.routes)
            self._start_threads()
            _log.info("reloaded", calendars=len(setup.routes))
        report = self._now()
        if self._ready:
            self._notifier.ready(status_line(report))
        self._report(report)

    def _end(self) -> tuple[str, ...]:
        self._notifier.stopping("finishing what is in hand")
        self._progress.stop()
        self.board.stop()
        deadline = self._clock.monotonic() + self._rhythm.join.total_seconds()
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        late = tuple(sorted(name for name, thread in self._threads.items() if thread.is_alive()))
        if late:
            _log.warning("ended_without", work=late)
        self._report(report_of(self.board, Life.STOPPED))
        return late


def _ran_apart(before: Instant, after: Instant) -> float:
    return (after.wall - before.wall).total_seconds() - (after.monotonic - before.monotonic)
