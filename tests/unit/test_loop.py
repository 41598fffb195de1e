"""The loop with real threads, a clock that the tests turn by hand, and small engines in place of the real one."""

import errno
import os
import queue
import socket
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from daemon.core.errors import FolderMissing, Forbidden, Missing, SignInNeeded, Unavailable
from daemon.core.policy import Route
from daemon.loop import Hooks, Loop, Rhythm
from daemon.loop.setup import Setup
from daemon.notify import Notifier
from daemon.passes import Looked, Stopping, Synced
from daemon.progress import Progress
from daemon.status import AccountState, CalendarState, Life
from tests.servers.waiting import until

PATIENCE = 20
SIGN_IN = SignInNeeded("the password was refused", what_to_do="datebook connect home")


class HandClock:
    """Stands still until a test turns it; whoever waits is woken then."""

    def __init__(self):
        self.wall = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
        self.seconds = 1000.0
        self.waiting = set()

    def now(self):
        return self.wall

    def monotonic(self):
        return self.seconds

    def wait(self, condition, _timeout):
        self.waiting.add(condition)
        condition.wait(PATIENCE)

    def turn(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.sleep_through(seconds, awake=seconds)

    def sleep_through(self, seconds, awake=0.0):
        """Wall time goes on; monotonic time only while the machine is awake."""
        self.wall += timedelta(seconds=seconds - awake)
        self.seconds += awake
        for condition in tuple(self.waiting):
            with condition:
                condition.notify_all()


class Engine:
    """Answers looks and passes as a test says, and tells it of each."""

    def __init__(self):
        self.calls = queue.Queue()
        self.on_look = lambda _places, _full: Looked()
        self.on_sync = defaultdict(lambda: lambda _poll: None)

    def look(self, places, *, full=False):
        self.calls.put(("look", places, full))
        return self.on_look(places, full)

    def sync(self, route, *, poll):
        self.calls.put((route, poll))
        return self.on_sync[route](poll) or Synced(route)

    def fails(self, route, error):
        self.on_sync[route] = lambda _poll: Synced(route, error=error)

    def works(self, route):
        self.on_sync[route] = lambda _poll: None


class Daemon:
    """A loop whose threads run, and which ticks when the test says so."""

    def __init__(self, **routes):
        self.clock = HandClock()
        self.engine = Engine()
        self.progress = Progress(self.clock.monotonic)
        self.reports = queue.Queue()
        self.disk_is_full = False
        self.secret_answer = lambda _account: False
        self.reloads = queue.Queue()
        self.closings = queue.Queue()
        self.notifier = Notifier({})
        self.setup = self.setup_of(routes or {"work": "office"})
        self.loop = None

    def setup_of(self, routes, engine=None):
        routes = {name: Route(name, account=account) for name, account in routes.items()}
        engine = engine or self.engine
        return Setup(engine, routes, close=lambda: self.closings.put(engine))

    def make(self, **rhythm):
        hooks = Hooks(
            report=self.take_report,
            reload=self.reloads.get_nowait,
            has_new_secret=self.answer_secret,
            draw=lambda: 0.5,
        )
        self.loop = Loop(
            self.setup,
            hooks,
            clock=self.clock,
            progress=self.progress,
            notifier=self.notifier,
            rhythm=Rhythm(**rhythm),
        )
        return self

    def take_report(self, report):
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, "no space left")
        self.reports.put(report)

    def answer_secret(self, account):
        return self.secret_answer(account)

    def start(self, **rhythm):
        self.make(**rhythm)
        self.loop._start_threads()
        return self

    def next_call(self):
        return self.engine.calls.get(timeout=PATIENCE)

    def next_calls(self, count):
        return sorted(self.next_call() for _ in range(count))

    def until(self, ready):
        board = self.loop.board
        with board.changed:
            assert board.changed.wait_for(ready, PATIENCE)

    def until_rested(self):
        board = self.loop.board
        self.until(
            lambda: (
                board.look.begun == board.look.ended
                and not board.look.asked
                and not any(
                    state.running or state.table.due_at() <= self.clock.seconds for state in board.routes.values()
                )
            )
        )
        assert self.engine.calls.empty()

    def started(self):
        """Run until the first look and the first polls are over."""
        self.start()
        self.next_calls_by_kind(1 + len(self.setup.routes))
        self.until_rested()
        return self

    def next_calls_by_kind(self, count):
        return [self.next_call() for _ in range(count)]

    def turn_until(self, seconds, answers):
        """Turn the clock until something is answered: a thread may have been on its way to wait."""
        while True:
            self.clock.turn(seconds)
            try:
                return answers.get(timeout=0.05)
            except queue.Empty:
                continue

    def turn_until_due(self, route):
        self.clock.turn(self.loop.board.routes[route].table.due_at() - self.clock.seconds)

    def report(self):
        self.loop._report_at = 0.0
        self.loop.tick()
        report = None
        while not self.reports.empty():
            report = self.reports.get()
        return report


@pytest.fixture
def daemons():
    made = []

    def make(**routes):
        made.append(Daemon(**routes))
        return made[-1]

    yield make
    for daemon in made:
        if daemon.loop is not None:
            daemon.loop.board.stop()


def test_nothing_is_synced_before_the_folder_was_looked_at_in_full(daemons):
    daemon = daemons()
    looking = threading.Event()

    def look_slowly(_places, _full):
        looking.wait(PATIENCE)
        return Looked()

    daemon.engine.on_look = look_slowly
    daemon.start()
    assert daemon.next_call() == ("look", None, True)
    assert daemon.engine.calls.empty()
    looking.set()
    assert daemon.next_call() == ("work", True)


def test_a_changed_file_goes_out_at_once_and_nothing_is_polled_for_it(daemons):
    daemon = daemons().started()
    daemon.engine.on_look = lambda _places, _full: Looked(wake=frozenset({"work"}), changed=1)
    daemon.loop.look_at({"call.yaml"})
    assert daemon.next_call() == ("look", frozenset({"call.yaml"}), False)
    assert daemon.next_call() == ("work", False)


def test_calendars_are_polled_every_poll(daemons):
    daemon = daemons().started()
    daemon.clock.turn(59)
    daemon.until_rested()
    daemon.clock.turn(2)
    assert daemon.next_call() == ("work", True)


def test_the_whole_folder_is_looked_at_every_quarter_of_an_hour(daemons):
    daemon = daemons().started()
    daemon.clock.turn(901)
    assert sorted(daemon.next_calls_by_kind(2), key=len) == [("work", True), ("look", None, False)]


def test_a_grace_that_ends_is_looked_at_and_passed_over(daemons):
    daemon = daemons().started()
    ends = daemon.clock.wall + timedelta(seconds=10)
    daemon.engine.on_look = lambda _places, _full: Looked(wake=frozenset({"work"}), again=ends)
    daemon.loop.look_at({"gone.yaml"})
    assert daemon.next_calls_by_kind(2) == [("look", {"gone.yaml"}, False), ("work", False)]
    daemon.engine.on_look = lambda _places, _full: Looked()
    daemon.until_rested()
    daemon.clock.turn(10.1)
    assert daemon.next_calls_by_kind(2) == [("look", frozenset(), False), ("work", False)]


def test_a_hanging_account_delays_no_other(daemons):
    daemon = daemons(work="office", home="home").started()
    hanging = threading.Event()
    daemon.engine.on_sync["work"] = lambda _poll: hanging.wait(PATIENCE) and None
    daemon.clock.turn(61)
    assert daemon.next_calls(2) == [("home", True), ("work", True)]
    daemon.loop.wake({"home", "work"})
    assert daemon.next_call() == ("home", False)
    daemon.clock.turn(61)
    assert daemon.next_call() == ("home", True)
    hanging.set()


def test_a_hundred_wake_ups_during_a_pass_are_one_more_pass(daemons):
    daemon = daemons().started()
    running = threading.Event()
    daemon.engine.on_sync["work"] = lambda _poll: running.wait(PATIENCE) and None
    daemon.loop.wake({"work"})
    assert daemon.next_call() == ("work", False)
    for _ in range(100):
        daemon.loop.wake({"work"})
    running.set()
    assert daemon.next_call() == ("work", False)
    daemon.until_rested()


def test_a_network_failure_is_tried_again_and_shown_from_the_second_time(daemons):
    daemon = daemons(work="office", home="home").started()
    daemon.engine.fails("work", Unavailable("connection refused"))
    daemon.clock.turn(61)
    assert daemon.next_calls(2) == [("home", True), ("work", True)]
    daemon.until_rested()
    assert daemon.report().accounts["office"].state is AccountState.OK
    daemon.turn_until_due("work")
    assert daemon.next_call() == ("work", True)
    daemon.until_rested()
    shown = daemon.report()
    assert shown.accounts["office"].state is AccountState.UNREACHABLE
    assert shown.accounts["office"].next_try > daemon.clock.wall
    assert shown.accounts["home"].state is AccountState.OK
    assert shown.routes["work"].state is CalendarState.WAITING
    daemon.engine.works("work")
    daemon.turn_until_due("work")
    while daemon.next_call() != ("work", True):
        pass
    daemon.until_rested()
    assert daemon.report().accounts["office"].state is AccountState.OK


def test_a_wrong_sign_in_stops_all_of_the_account_until_its_user_acts(daemons):
    daemon = daemons(work="office", team="office", home="home").started()
    daemon.engine.fails("work", SIGN_IN)
    daemon.engine.fails("team", SIGN_IN)
    daemon.clock.turn(61)
    first = daemon.next_calls(2)
    assert ("home", True) in first
    daemon.until_rested()
    report = daemon.report()
    assert report.accounts["office"].state is AccountState.SIGNED_OUT
    assert report.accounts["office"].error.cure == "datebook connect home"
    assert report.accounts["office"].next_try is None
    daemon.clock.turn(61)
    assert daemon.next_call() == ("home", True)
    daemon.until_rested()
    daemon.engine.works("work")
    daemon.engine.works("team")
    daemon.loop.poke("office")
    assert daemon.next_calls(2) == [("team", True), ("work", True)]


def test_a_stopped_account_goes_on_when_its_secret_is_new(daemons):
    daemon = daemons()
    daemon.engine.fails("work", SIGN_IN)
    daemon.started()
    asked, is_new = queue.Queue(), threading.Event()
    daemon.secret_answer = lambda _account: asked.put("asked") or is_new.is_set()
    daemon.turn_until(301, asked)
    assert not any(call[0] == "work" for call in tuple(daemon.engine.calls.queue))
    daemon.engine.works("work")
    is_new.set()
    daemon.turn_until(301, asked)
    while daemon.next_call() != ("work", True):
        pass


def test_sync_now_tries_a_stopped_account_whose_secret_is_new(daemons):
    daemon = daemons()
    daemon.engine.fails("work", SIGN_IN)
    daemon.started()
    daemon.engine.works("work")
    daemon.secret_answer = lambda _account: True
    assert in_thread(daemon.loop.sync_now).get(timeout=PATIENCE)["work"].error is None


@pytest.mark.parametrize(
    "error", [Forbidden("no right", what_to_do="ask"), Missing("no calendar", what_to_do="choose")]
)
def test_a_calendar_that_is_missing_or_forbidden_stops_alone(daemons, error):
    daemon = daemons(work="office", team="office")
    daemon.engine.fails("work", error)
    daemon.started()
    daemon.clock.turn(61)
    assert daemon.next_call() == ("team", True)
    daemon.until_rested()
    assert daemon.report().routes["work"].state is CalendarState.STOPPED
    assert daemon.report().routes["team"].state is CalendarState.OK


def test_a_pass_that_breaks_ends_neither_its_thread_nor_the_others_and_tells_no_private_text(daemons, capsys):
    daemon = daemons(work="office", home="home")

    def break_down(_poll):
        raise ValueError("Divorce lawyer, 555-0199")

    daemon.engine.on_sync["work"] = break_down
    daemon.started()
    report = daemon.report()
    assert report.routes["work"].state is CalendarState.ATTENTION
    assert "ValueError" in str(report.routes["work"].error)
    assert report.routes["home"].state is CalendarState.OK
    printed = capsys.readouterr()
    assert "ValueError" in printed.out + printed.err
    assert "lawyer" not in printed.out + printed.err + str(report)
    daemon.engine.works("work")
    daemon.clock.turn(61)
    assert daemon.next_calls(2) == [("home", True), ("work", True)]


def test_without_its_store_nothing_is_synced_and_it_goes_on_when_the_store_is_back(daemons):
    daemon = daemons().started()
    daemon.engine.on_look = lambda _places, _full: Looked(
        wake=frozenset({"work"}), error=Missing("the store is not there", what_to_do="mount its disk")
    )
    daemon.loop.look_at(None)
    assert daemon.next_call() == ("look", None, False)
    daemon.until(lambda: daemon.loop.board.look.error is not None)
    daemon.loop.wake({"work"})
    daemon.clock.turn(4)
    assert str(daemon.report().store_error) == "the store is not there"
    assert daemon.engine.calls.empty()
    daemon.engine.on_look = lambda _places, _full: Looked()
    daemon.clock.turn(2)
    assert daemon.next_calls_by_kind(2) == [("look", None, False), ("work", False)]


def test_a_pass_that_the_folder_went_away_under_is_made_again_when_it_is_back_and_not_after_an_hour(daemons):
    daemon = daemons().started()
    gone = FolderMissing("the folder is not there", what_to_do="mount its disk")
    daemon.engine.on_sync["work"] = lambda _poll: daemon.engine.works("work") or Synced("work", error=gone)
    daemon.loop.wake({"work"})
    # The pass has the folder looked at, which finds it: it was away for a moment only.
    calls = [daemon.next_call() for _ in range(3)]
    assert calls == [("work", False), ("look", None, False), ("work", True)]
    daemon.until(lambda: daemon.loop.board.routes["work"].table.error is None)


def test_after_a_suspend_everything_is_looked_at_and_asked(daemons):
    daemon = daemons().started()
    daemon.loop.tick()
    daemon.clock.sleep_through(8 * 3600, awake=1)
    daemon.loop.tick()
    assert sorted(daemon.next_calls_by_kind(2), key=len) == [("work", True), ("look", None, False)]


def in_thread(work):
    answers = queue.Queue()
    threading.Thread(target=lambda: answers.put(work()), daemon=True).start()
    return answers


def test_sync_now_looks_polls_and_waits_for_both(daemons):
    daemon = daemons(work="office", home="home").started()
    polling = threading.Event()

    def poll_slowly(_poll):
        polling.wait(PATIENCE)
        return Synced("work", wrote=2, read=3)

    daemon.engine.on_sync["work"] = poll_slowly
    answers = in_thread(lambda: daemon.loop.sync_now(full=True))
    assert daemon.next_call() == ("look", None, True)
    assert daemon.next_calls(2) == [("home", True), ("work", True)]
    assert answers.empty()
    polling.set()
    results = answers.get(timeout=PATIENCE)
    assert (results["work"].wrote, results["work"].read, results["work"].error) == (2, 3, None)
    assert results["home"].error is None


def test_sync_now_waits_out_the_grace_of_a_removed_file(daemons):
    daemon = daemons().started()
    ends = daemon.clock.wall + timedelta(seconds=10)
    daemon.engine.on_sync["work"] = lambda _poll: Synced("work", again=ends)
    answers = in_thread(daemon.loop.sync_now)
    assert daemon.next_calls_by_kind(2) == [("look", None, False), ("work", True)]
    daemon.until(lambda: not daemon.loop.board.routes["work"].running)
    assert answers.empty()
    daemon.engine.on_sync["work"] = lambda _poll: Synced("work", wrote=1)
    daemon.clock.turn(10)
    assert daemon.next_call() == ("work", False)
    assert answers.get(timeout=PATIENCE)["work"].wrote == 1


def test_sync_now_does_not_wait_for_an_account_that_its_user_must_sign_in_to(daemons):
    daemon = daemons()
    daemon.engine.fails("work", SIGN_IN)
    daemon.started()
    results = in_thread(daemon.loop.sync_now).get(timeout=PATIENCE)
    assert results["work"].error is SIGN_IN
    assert daemon.next_call() == ("look", None, False)
    assert daemon.engine.calls.empty()


def test_sync_now_says_so_when_the_store_is_missing(daemons):
    daemon = daemons().started()
    missing = Missing("the store is not there", what_to_do="mount its disk")
    daemon.engine.on_look = lambda _places, _full: Looked(error=missing)
    assert in_thread(daemon.loop.sync_now).get(timeout=PATIENCE)["work"].error is missing


def test_a_reload_drops_and_adds_accounts_while_the_others_go_on(daemons):
    daemon = daemons(work="office", home="home").started()
    hanging = threading.Event()
    daemon.engine.on_sync["work"] = lambda _poll: hanging.wait(PATIENCE) and None
    daemon.loop.wake({"work"})
    assert daemon.next_call() == ("work", False)

    old, daemon.engine = daemon.engine, Engine()
    daemon.reloads.put(daemon.setup_of({"home": "home", "new": "gmx"}))
    daemon.loop.reload()
    assert daemon.next_call() == ("look", None, True)
    assert daemon.next_calls(2) == [("home", True), ("new", True)]
    assert daemon.closings.empty()
    hanging.set()
    assert daemon.closings.get(timeout=PATIENCE) is old
    assert old.calls.empty()
    assert set(daemon.report().routes) == {"home", "new"}


def test_a_broken_config_changes_nothing(daemons):
    daemon = daemons().started()
    daemon.reloads.put(None)
    daemon.loop.reload()
    daemon.until_rested()
    assert set(daemon.report().routes) == {"work"}
    assert daemon.closings.empty()


def test_an_account_that_comes_back_while_its_old_pass_hangs_never_runs_two_at_once(daemons):
    daemon = daemons(work="office").started()
    hanging = threading.Event()
    daemon.engine.on_sync["work"] = lambda _poll: hanging.wait(PATIENCE) and None
    daemon.loop.wake({"work"})
    assert daemon.next_call() == ("work", False)
    for routes in ({"home": "home"}, {"work": "office", "home": "home"}):
        daemon.reloads.put(daemon.setup_of(routes))
        daemon.loop.reload()
    seen = {daemon.next_call()[0], daemon.next_call()[0]}
    assert "work" not in seen
    daemon.engine.works("work")
    hanging.set()
    while daemon.next_call() != ("work", True):
        pass


class Systemd:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0)
        self.notifier = Notifier(
            {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}
        )

    def heard(self):
        lines = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines


def test_systemd_hears_ready_only_after_a_look_that_succeeded(daemons, tmp_path):
    systemd, daemon = Systemd(tmp_path / "notify"), daemons()
    daemon.notifier = systemd.notifier
    daemon.engine.on_look = lambda _places, _full: Looked(error=Missing("no store", what_to_do="mount it"))
    daemon.start()
    assert daemon.next_call() == ("look", None, True)
    daemon.until(lambda: daemon.loop.board.look.error is not None)
    daemon.loop.tick()
    heard = systemd.heard()
    assert "READY=1" not in heard
    assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in heard)
    assert "STATUS=nothing is synced: no store" in heard
    daemon.engine.on_look = lambda _places, _full: Looked()
    daemon.clock.turn(5)
    daemon.until(daemon.loop.board.may_sync)
    daemon.loop.tick()
    assert "READY=1" in systemd.heard()


def test_the_watchdog_is_fed_while_work_makes_progress_and_not_when_it_hangs(daemons, tmp_path):
    systemd, daemon = Systemd(tmp_path / "notify"), daemons(work="office", home="home")
    daemon.notifier = systemd.notifier
    daemon.started()
    hanging, step, stepped = threading.Event(), threading.Event(), threading.Event()

    def upload(_poll):
        step.wait(PATIENCE)
        daemon.progress.beat()
        stepped.set()
        hanging.wait(PATIENCE)

    daemon.engine.on_sync["work"] = upload
    daemon.loop.wake({"work"})
    assert daemon.next_call() == ("work", False)
    daemon.clock.turn(299)
    daemon.loop.tick()
    assert "WATCHDOG=1" in systemd.heard()
    step.set()
    assert stepped.wait(PATIENCE)
    daemon.clock.turn(299)
    daemon.loop.tick()
    assert "WATCHDOG=1" in systemd.heard()
    daemon.clock.turn(20)
    daemon.loop.tick()
    heard = systemd.heard()
    assert "WATCHDOG=1" not in heard
    assert "STATUS=no progress: account office" in heard
    assert not daemon.loop.progress_ok()
    hanging.set()


def test_the_status_is_written_at_each_change_and_every_half_minute(daemons):
    daemon = daemons().started()
    daemon.report()
    daemon.loop.tick()
    assert daemon.reports.empty()
    daemon.clock.turn(29)
    daemon.loop.tick()
    assert daemon.reports.empty()
    daemon.clock.turn(1)
    daemon.loop.tick()
    assert daemon.reports.get_nowait().life is Life.IDLE


def test_a_full_disk_under_the_status_file_ends_nothing(daemons):
    daemon = daemons().started()
    daemon.disk_is_full = True
    assert daemon.report() is None
    daemon.disk_is_full = False
    assert daemon.report().life is Life.IDLE


def run(daemon):
    ended = queue.Queue()
    threading.Thread(target=lambda: ended.put(daemon.loop.run()), daemon=True).start()
    return ended


def test_stop_finishes_the_write_in_hand_and_ends_every_thread(daemons):
    daemon = daemons()
    began = threading.Event()
    written = []

    def write_many(_poll):
        while not daemon.progress.stopping:
            began.set()
            daemon.progress._stopping.wait(PATIENCE)
        written.append("the one in hand")

    daemon.engine.on_sync["work"] = write_many
    ended = run(daemon.make())
    assert began.wait(PATIENCE)
    daemon.loop.stop()
    assert ended.get(timeout=PATIENCE) == ()
    assert written == ["the one in hand"]
    last = None
    while not daemon.reports.empty():
        last = daemon.reports.get()
    assert last.life is Life.STOPPED


def test_stop_does_not_wait_for_a_service_that_hangs_for_ever(daemons):
    daemon = daemons()
    hanging = threading.Event()
    daemon.engine.on_sync["work"] = lambda _poll: hanging.wait(PATIENCE) and None
    ended = run(daemon.make(join=timedelta(0)))
    assert daemon.next_call() == ("look", None, True)
    assert daemon.next_call() == ("work", True)
    daemon.loop.stop()
    assert "account office" in ended.get(timeout=PATIENCE)
    hanging.set()


def test_a_change_of_state_is_reported_by_the_running_loop(daemons):
    daemon = daemons()
    daemon.engine.fails("work", SIGN_IN)
    ended = run(daemon.make(settle=timedelta(0)))
    while daemon.reports.get(timeout=PATIENCE).accounts["office"].state is not AccountState.SIGNED_OUT:
        pass
    daemon.reloads.put(None)
    daemon.loop.ask_reload()
    daemon.loop.stop()
    assert ended.get(timeout=PATIENCE) == ()
    assert daemon.reloads.empty()


def test_a_pass_that_the_end_of_the_program_cut_short_is_no_failure(daemons):
    daemon = daemons().started()
    with structlog.testing.capture_logs() as said:
        daemon.engine.on_sync["work"] = lambda _poll: Synced("work", wrote=1, error=Stopping("the program ends"))
        daemon.loop.wake({"work"})
        assert daemon.next_call() == ("work", False)
        until(lambda: said)
    assert [(entry["event"], entry["log_level"]) for entry in said] == [("pass_cut_short", "info")]
