"""The watcher and the loop together, on a real folder and the real clock."""

import queue
import random
import time
from statistics import quantiles

import pytest

from daemon.clock import SystemClock
from daemon.core.policy import Route
from daemon.loop import Hooks, Loop
from daemon.loop.setup import Setup
from daemon.notify import Notifier
from daemon.passes import Looked, Synced
from daemon.progress import Progress
from daemon.watch import Watcher

PATIENCE = 20


class Engine:
    """Sends out whatever was looked at, and says when."""

    def __init__(self):
        self.passes = queue.Queue()

    def look(self, places, *, full=False):
        return Looked(wake=frozenset({"work"}) if places and not full else frozenset())

    def sync(self, route, *, poll):
        self.passes.put((poll, time.monotonic()))
        return Synced(route)


@pytest.fixture
def engine(tmp_path):
    engine, clock = Engine(), SystemClock()
    hooks = Hooks(report=lambda _report: None, reload=lambda: None, has_new_secret=lambda _: False, draw=random.random)
    loop = Loop(
        Setup(engine, {"work": Route("work", account="office")}),
        hooks,
        clock=clock,
        progress=Progress(clock.monotonic),
        notifier=Notifier({}),
    )
    watcher = Watcher(tmp_path, loop.look_at, clock=clock)
    watcher.start()
    loop._start_threads()
    assert engine.passes.get(timeout=PATIENCE)[0] is True  # the first poll, after the first look
    yield engine
    watcher.stop()
    loop.board.stop()


def test_a_saved_file_is_on_its_way_within_fifty_milliseconds_of_the_debounce(engine, tmp_path):
    delays = []
    for number in range(12):
        (tmp_path / f"{number}.yaml").write_text("subject: Call\n")
        saved = time.monotonic()
        polled, began = engine.passes.get(timeout=PATIENCE)
        assert not polled
        delays.append(began - saved - 0.2)
    # The median stands for an idle machine: the tests may share theirs.
    assert quantiles(delays, n=2)[0] < 0.05


def test_a_thousand_files_at_once_are_few_passes(engine, tmp_path):
    for number in range(1000):
        (tmp_path / f"{number}.yaml").write_text("subject: Call\n")
    (tmp_path / "last.yaml").write_text("subject: Call\n")
    passes = 0
    while True:
        try:
            engine.passes.get(timeout=1.5)  # longer than any debounce
        except queue.Empty:
            break
        passes += 1
    assert 1 <= passes <= 10
