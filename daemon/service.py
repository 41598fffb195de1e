"""`datebook run`: the loop, the watcher, the control socket and the status file, until told to stop."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from config.load import load
from config.places import Places, make_state
from daemon.app import App, bind, build, open_journal, set_connected, shown_zone
from daemon.clock import Clock, ShownTime, SystemClock
from daemon.config_in_force import ASKED, ConfigInForce
from daemon.control import ProgressSink, Reply, Request
from daemon.control.control_server import ControlServer
from daemon.core.errors import ConfigError, DatebookError, JournalError, JournalLost, Missing, UsageError
from daemon.journal import Journal
from daemon.lock import AlreadyRunning, hold_state
from daemon.logs import log_faults, set_up_logs, under_systemd
from daemon.loop import Hooks, Loop
from daemon.loop.reports import Report, report_of
from daemon.loop.setup import Setup
from daemon.notify import Notifier
from daemon.orders import ORDERS
from daemon.orders.leaving import leave_failure
from daemon.orders.syncing import is_any_in_grace
from daemon.passes import Stopping, Synced
from daemon.progress import LIMIT, Progress
from daemon.service_status import status_of, watch_problem
from daemon.status import Problem, Status
from daemon.status.status_file import write_status
from daemon.store_hold import StoreHold
from daemon.thrift import give_memory_back
from daemon.upkeep import Upkeep
from daemon.watch import Watcher

_log = structlog.get_logger("datebook.service")


@dataclass(slots=True)
class Service:
    """The running daemon. `run` returns its exit code."""

    places: Places
    clock: Clock
    journal: Journal
    app: App
    started: datetime
    hold: StoreHold
    in_force: ConfigInForce
    loop: Loop = field(init=False)
    watcher: Watcher = field(init=False)
    progress: Progress = field(init=False)
    config_problem: Problem | None = None
    _store_at_start: tuple[int, int] | None = None
    _to_restart: bool = False
    _lost: JournalLost | None = None
    _reporting: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._store_at_start = _identity(self.app.config.store)
        self.progress = Progress(self.clock.monotonic, limit=_patience(os.environ))
        hooks = Hooks(self.report, self.reload, self._has_new_secret, random.random, self._may_go_on)
        notifier = Notifier(os.environ)
        self.app = self._with_syncer(self.app)
        self.loop = Loop(self._setup(), hooks, clock=self.clock, progress=self.progress, notifier=notifier)
        self.watcher = Watcher(self.app.config.store, self._tell, clock=self.clock)

    def _with_syncer(self, app: App) -> App:
        check = partial(self._check_store, app.engine.around.check_store)
        around = replace(app.engine.around, progress=self._get_on, check_store=check)
        app.engine.around = around
        return replace(app, syncer=self._sync_now)

    def _check_store(self, check: Callable[[], None]) -> None:
        """See that it is the store, and ours alone; one that is gone is let go of. Raises Missing."""
        try:
            check()
            self.hold.refresh()
        except Missing:
            self.hold.release()
            raise
        except AlreadyRunning as error:
            raise Missing(str(error), what_to_do="Stop the other one: two of them would double everything.") from None

    def _get_on(self, _done: int) -> None:
        """A worker has got a step further; at the end of the program it takes no other."""
        self.progress.beat()
        if self.progress.stopping:
            raise Stopping("the program ends")

    def _setup(self) -> Setup:
        app = self.app
        return Setup(app.engine, app.config.routes, close=app.accounts.close)

    def _tell(self, places: Collection[str] | None) -> None:
        self.loop.look_at(places)

    def _sync_now(self, routes: Collection[str], full: bool) -> Mapping[str, Synced]:  # noqa: FBT001  as Syncer has it
        return self.loop.sync_now(routes, full=full, in_grace=lambda: is_any_in_grace(self.journal))

    def _has_new_secret(self, account: str) -> bool:
        return self.app.accounts.has_new_secret(account)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT. Raises JournalLost when the journal was taken away meanwhile."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.loop.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.loop.ask_reload())
        with ControlServer(self.places.control, self.handle):
            self.watcher.start()
            self.loop.look_at(None)
            _log.info("started", pid=os.getpid(), calendars=len(self.app.config.routes))
            late = self.loop.run()
        self.watcher.stop()
        if self._lost is not None:
            raise self._lost
        _log.info("stopped")
        return 1 if late or self._to_restart else 0

    def handle(self, request: Request, progress: ProgressSink) -> Reply:
        """Answer one command that came over the control socket."""
        if request.command == ASKED:
            return Reply(0, self.in_force.told(self.app.shown_zone))
        if request.command == "status":
            self._write_status(report_of(self.loop.board))
            return Reply()
        if request.command == "reload":
            return self._reconnect(str(request.args.get("account", "")))
        order = ORDERS.get(request.command)
        if order is None:
            return Reply(2, message=f"The daemon does not know the command {request.command}.")
        try:
            reply = order(self.app, request.args, progress)
        except UsageError as error:
            return Reply(2, message=str(error), cure=error.what_to_do)
        except DatebookError as error:
            cure = str(getattr(error, "what_to_do", "") or getattr(error, "cure", ""))
            return Reply(1, message=str(error), cure=cure)
        if "calendars" in reply.data:
            self._write_status(report_of(self.loop.board))  # whoever asks next sees what came of it
        self.loop.nudge()
        return reply

    def _reconnect(self, account: str) -> Reply:
        """The config has changed, and an account may be signed in to anew."""
        if account:
            with suppress(ConfigError):
                set_connected(load(self.places.config), self.journal, account, connected=True)
        self.loop.ask_reload()
        self.loop.poke(account or None)
        return Reply()

    def reload(self) -> Setup | None:
        """Read the config again; a broken one keeps the old one and is said."""
        try:
            read = ConfigInForce.read_from(self.places.config, self.clock)
        except ConfigError as error:
            first = error.problems[0]
            message = f"The config is broken, and the old one is kept: {first.message}"
            self.config_problem = Problem(
                "config", message, first.cure, self.clock.now(), file=error.path, line=first.line, column=first.column
            )
            _log.warning("config_kept", problems=len(error.problems), line=first.line)
            return None
        self.config_problem = None
        config, self.in_force = read.config, read
        moved = config.store != self.app.config.store
        app = build(config, self.places, self.journal, bind(config, self.journal, self.clock), self.clock)
        self.app = self._with_syncer(app)
        if moved:
            self.hold.move(config.store)
            self.watcher.stop()
            self.watcher = Watcher(config.store, self._tell, clock=self.clock)
            self.watcher.start()
        return self._setup()

    def _may_go_on(self) -> bool:
        """Not without a journal: what is sent then is remembered nowhere, and would be sent again."""
        if self._lost is None:
            try:
                self.journal.check_in_place()
            except JournalLost as error:
                self._lost = error
        return self._lost is None

    def report(self, report: Report) -> None:
        """Write the status file."""
        if not self._may_go_on():
            return  # whoever ends the program says why
        self._keep_up()
        if self._is_shut_out() and not self._to_restart:
            self._to_restart = True
            _log.warning("store_shut_out", answer="ends, to be started again with the store as it is now")
            self.loop.stop()
        self._write_status(report)

    def _write_status(self, report: Report) -> None:
        with self._reporting:
            try:
                write_status(self.places.status, self.status(report))
            except OSError as error:
                _log.warning("status_not_written", reason=error.strerror)

    def _keep_up(self) -> None:
        keep = timedelta(days=self.app.config.keep_history_days)
        try:
            Upkeep(self.journal, self.clock, keep).run_if_due()
        except (OSError, JournalError) as error:
            _log.warning("upkeep_failed", error=type(error).__name__)

    def _is_shut_out(self) -> bool:
        """Whether systemd's view of the folders, made at the start, has a store that came later as read-only."""
        now = _identity(self.app.config.store)
        if "NOTIFY_SOCKET" not in os.environ or now is None or now == self._store_at_start:
            return False
        with suppress(OSError):
            return bool(os.statvfs(self.app.config.store).f_flag & os.ST_RDONLY)
        return False

    def status(self, report: Report) -> Status:
        """Everything that the status file says."""
        problems = filter(None, (self.config_problem, watch_problem(self.watcher.watching, self.app.config.store)))
        status = status_of(self.app, report, tuple(problems))
        return replace(status, started=self.started.astimezone(self.app.shown_zone))


def _identity(store: Path) -> tuple[int, int] | None:
    """Which folder stands there: device and inode; None: there is none."""
    try:
        found = store.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _patience(env: Mapping[str, str]) -> timedelta:
    """How long a worker may go without a step; $DATEBOOK_STUCK_AFTER names other seconds."""
    seconds = env.get("DATEBOOK_STUCK_AFTER", "")
    return timedelta(seconds=int(seconds)) if seconds.isdigit() and int(seconds) else LIMIT


def run(places: Places) -> int:
    """Run the daemon in the foreground. Raises ConfigError, AlreadyRunning, JournalError."""
    give_memory_back()
    clock = SystemClock()
    shown = ShownTime(clock)
    set_up_logs(sys.stderr, journal=under_systemd(os.environ, sys.stderr), clock=shown)
    log_faults()
    make_state(places)
    with hold_state(places.lock):
        try:
            return _run(places, clock, shown)
        except DatebookError as error:
            _log.critical("cannot_run", error=type(error).__name__)
            leave_failure(places, error, clock)
            raise


def _run(places: Places, clock: Clock, shown: ShownTime) -> int:
    in_force = ConfigInForce.read_from(places.config, clock)
    config = in_force.config
    shown.zone = shown_zone(config)
    with ExitStack() as stack:
        journal = open_journal(places, clock)
        stack.callback(journal.close)
        marker = bind(config, journal, clock)
        hold = StoreHold(config.store, places.state)
        stack.callback(hold.release)
        with suppress(OSError):  # a store that is not there now is waited for; its marker is looked at each time
            hold.refresh()
        app = build(config, places, journal, marker, clock)
        service = Service(places, clock, journal, app, clock.now(), hold, in_force)
        return service.run()
