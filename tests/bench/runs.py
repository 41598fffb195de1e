"""What is measured at one size: the three programs do the same work on calendars of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench import events
from tests.bench.figures import Figure, Reach
from tests.bench.ours import Daemon, Ours, Warm
from tests.bench.processes import Cost
from tests.bench.rival import Rival
from tests.bench.server import Measured

_TIMES = 5  # a small figure is the median of so many
_SAVES = 40
DEBOUNCE = 0.2  # seconds of quiet that the watcher waits for; not counted


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: where it works, Datebook's Python, the server, and vdirsyncer's command (None: left out)."""

    folder: Path
    python: Path
    server: Measured
    rival: Path | None
    _filled: dict[int, tuple[str, float]] = field(default_factory=dict)

    def floor(self, operation: str, url: str, folder: Path, number: int = 10**9) -> float:
        """The CPU seconds of the floor client for one operation."""
        command = [sys.executable, "-m", "tests.bench.floor", operation, url, str(folder), str(number)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def filled(self, count: int, ics: Path) -> tuple[str, float]:
        """A calendar that the floor client has filled, once for each size; its URL, and the CPU seconds of that."""
        if count not in self._filled:
            url = self.server.calendar()
            self._filled[count] = url, self.floor("upload", url, ics)
        return self._filled[count]

    def size(self, count: int) -> Iterator[Figure]:
        """All figures of one size."""
        ics = self.folder / f"ics-{count}"
        events.write_ics(ics, count)
        yield from _Download(self, count, ics).figures()
        yield from _Upload(self, count, ics).figures()

    def first(self, count: int) -> Iterator[Figure]:
        """The first download and upload alone, against a server that counts nothing."""
        ics = self.folder / f"ics-{count}"
        events.write_ics(ics, count)
        yield next(_Download(self, count, ics).figures())
        yield next(_Upload(self, count, ics).figures())

    def counted(self, work: Callable[[], Cost]) -> Cost:
        """The cost of some work with what the server counted of it."""
        self.server.reset()
        cost = work()
        if not self.server.counting:
            return cost
        counts = self.server.counts()
        return replace(
            cost, requests=counts.get("requests", 0), received=counts.get("sent", 0), sent=counts.get("received", 0)
        )


@dataclass(frozen=True, slots=True)
class _Download:
    bench: Bench
    count: int
    ics: Path

    def figures(self) -> Iterator[Figure]:
        """A calendar that is full, a folder that is empty."""
        bench, here = self.bench, self.bench.folder / f"download-{self.count}"
        url, _ = bench.filled(self.count, self.ics)
        rival = None
        if bench.rival:
            pair = Rival(bench.rival, here / "vdirsyncer")
            pair.set_up(url)
            rival = bench.counted(pair.sync)
        (here / "floor").mkdir(parents=True)
        floor = bench.floor("download", url, here / "floor")
        _must(len(list((here / "floor").iterdir())), self.count, "files of the floor client")
        ours = Ours(bench.python, here / "ours")
        ours.set_up(url)
        cost = bench.counted(ours.sync)
        _must(len(list(ours.store.glob("2*/**/*.yaml"))), self.count, "files after the first download")
        yield Figure("first download", self.count, cost, rival, floor, _if_full(self.count, Reach(cpu=3.5, rss=96)))


@dataclass(frozen=True, slots=True)
class _Upload:
    """A folder that is full, a calendar that is empty; and what follows."""

    bench: Bench
    count: int
    ics: Path

    @property
    def here(self) -> Path:
        return self.bench.folder / f"upload-{self.count}"

    def figures(self) -> Iterator[Figure]:
        bench, count = self.bench, self.count
        floor_url, floor = bench.filled(count, self.ics)
        pair, rival = self._rival()
        ours = Ours(bench.python, self.here / "ours")
        url = bench.server.calendar()
        ours.set_up(url)
        events.write_yaml(ours.store, count)
        cost = bench.counted(ours.sync)
        _must(bench.server.stored(url), count, "events after the first upload")
        yield Figure("first upload", count, cost, rival, floor, _if_full(count, Reach(cpu_each=0.0008)))
        with ours.warm() as warm:
            yield from _Warm(self, ours, warm, url, pair, floor_url).figures()
        yield from self._daemon(ours)

    def _rival(self) -> tuple[Rival | None, Cost | None]:
        bench = self.bench
        if bench.rival is None:
            return None, None
        pair = Rival(bench.rival, self.here / "vdirsyncer")
        pair.set_up(bench.server.calendar())
        subprocess.run(["cp", "-r", f"{self.ics}/.", str(pair.files)], check=True)
        return pair, bench.counted(pair.sync)

    def _daemon(self, ours: Ours) -> Iterator[Figure]:
        with ours.daemon() as daemon:
            yield Figure("start to ready", self.count, daemon.ready, reach=_if_full(self.count, Reach(cpu=0.8)))
            _until_idle(daemon)
            cost = Cost(0, 0, daemon.rss())
            yield Figure("idle memory", self.count, cost, reach=_if_full(self.count, Reach(rss=64)))
            cost = self._saves(ours, daemon)
            yield Figure("save -> PUT, p95 after the debounce", self.count, cost, reach=Reach(wall=0.05, requests=1))

    def _saves(self, ours: Ours, daemon: Daemon) -> Cost:
        """Saves in an editor, one by one; CPU of one, the 95th percentile of the wait, requests of one."""
        server, waits = self.bench.server, []
        server.reset()
        before = daemon.cpu()
        for number in range(_SAVES):
            put = server.counts().get("PUT", 0)
            saved = _edit(ours.store, number % min(self.count, 50), f"Saved {number}")
            waits.append(server.next_put(put) - saved - DEBOUNCE)
            _until_idle(daemon)
        waits.sort()
        requests = -(-server.counts().get("requests", 0) // _SAVES)
        return Cost((daemon.cpu() - before) / _SAVES, waits[int(len(waits) * 0.95)], requests=requests)


@dataclass(frozen=True, slots=True)
class _Warm:
    """Small passes over a store that is in step."""

    upload: _Upload
    ours: Ours
    warm: Warm
    url: str
    pair: Rival | None
    floor_url: str

    def figures(self) -> Iterator[Figure]:
        count, many = self.upload.count, min(100, self.upload.count // 2)
        full = Reach(cpu=0.1, requests=1, received=1024)
        yield self._figure("no-op, with a scan", ["scan"], lambda _: None, "noop", 0, _if_full(count, full))
        quiet = Reach(cpu=0.005, requests=1, received=1024)
        yield self._figure("no-op, watcher quiet", ["quiet"], None, "quiet", 0, _if_full(count, quiet))
        one = Reach(cpu=0.02, requests=2)
        yield self._figure("1 remote change -> file", ["quiet"], self._remote(1), "read", 1, _if_full(count, one))
        yield self._figure("1 file change -> PUT", ["places"], self._local, "upload", 1, Reach(requests=1))
        both = Reach(cpu=0.6, requests=2 * many + 3 if many < 100 else 103)
        yield self._figure(
            f"{many} + {many} changes", ["scan"], self._both(many), "changes", many, _if_full(count, both), times=1
        )

    def _figure(  # noqa: PLR0917  one row of the table
        self,
        name: str,
        words: list[str],
        change: Callable[[str], object] | None,
        floor_does: str,
        number: int,
        reach: Reach,
        times: int = _TIMES,
    ) -> Figure:
        """The median of some passes, each after its change."""
        bench, count = self.upload.bench, self.upload.count
        costs = []
        for _ in range(times):
            place = change("ours") if change else None
            go = [*words, str(place)] if words == ["places"] else words
            costs.append(bench.counted(lambda go=go: self.warm.one_pass(*go)))
        rival = None
        if self.pair is not None and change is not None:
            change("rival")
            rival = bench.counted(self.pair.sync)
        floor = bench.floor(floor_does, self.floor_url, self.upload.ics, number or 10**9)
        costs.sort(key=lambda cost: cost.cpu)
        middle = costs[len(costs) // 2]
        most = max(cost.requests or 0 for cost in costs)
        return Figure(name, count, replace(middle, requests=most), rival, floor, reach)

    def _local(self, whose: str) -> str:
        if whose == "ours":
            _edit(self.ours.store, 7, f"Changed {time.monotonic_ns()}")
            return str(events.yaml_path(self.ours.store, 7).relative_to(self.ours.store))
        self._edit_ics(range(7, 8))
        return ""

    def _remote(self, number: int) -> Callable[[str], None]:
        def change(whose: str) -> None:
            url = self.url if whose == "ours" else self._rival_url()
            self.upload.bench.server.touch(url, number)

        return change

    def _both(self, number: int) -> Callable[[str], None]:
        def change(whose: str) -> None:
            self._remote(number)(whose)
            start = self.upload.count - number
            if whose == "ours":
                for at in range(start, self.upload.count):
                    _edit(self.ours.store, at, f"Changed {at}")
            else:
                self._edit_ics(range(start, self.upload.count))

        return change

    def _rival_url(self) -> str:
        assert self.pair is not None
        config = (self.pair.folder / "config").read_text(encoding="utf-8")
        return config.partition('url = "')[2].partition('"')[0]

    def _edit_ics(self, numbers: range) -> None:
        assert self.pair is not None
        for event in list(events.events(numbers.stop))[numbers.start :]:
            path = self.pair.files / f"{event.uid}.ics"
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("SUMMARY:", f"SUMMARY:Changed {time.monotonic_ns()} "), encoding="utf-8")


def _edit(store: Path, number: int, subject: str) -> float:
    """Save a file as an editor does: a temporary file takes its place; the moment."""
    path = events.yaml_path(store, number)
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    assert first.startswith("subject:")
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(f"subject: {subject}\n{rest}", encoding="utf-8")
    moment = time.monotonic()
    fresh.replace(path)
    return moment


def _until_idle(daemon: Daemon, *, quiet: float = 0.4, limit: float = 30) -> None:
    """Wait until the daemon has used no CPU for a while."""
    until = time.monotonic() + limit
    last = daemon.cpu()
    while time.monotonic() < until:
        time.sleep(quiet)
        now = daemon.cpu()
        if now - last < 0.005:
            return
        last = now


def _if_full(count: int, reach: Reach) -> Reach:
    return reach if count >= 10_000 else Reach()


def _must(has: int, wanted: int, what: str) -> None:
    if has != wanted:
        raise SystemExit(f"{what}: {has}, not {wanted}")


def with_latency(bench: Bench, count: int, latency: float) -> Figure:
    """The first upload over a slow line: wall time is what counts."""
    ours = Ours(bench.python, bench.folder / "latency")
    ours.set_up(bench.server.calendar())
    events.write_yaml(ours.store, count)
    bench.server.set_latency(latency)
    try:
        cost = bench.counted(ours.sync)
    finally:
        bench.server.set_latency(0)
    return Figure(f"first upload, {latency * 1000:.0f} ms a request", count, cost, reach=Reach(wall=15))


def straight(figures: list[Figure]) -> list[str]:
    """How CPU grows from 1,000 to 10,000 events, for the figures where every event counts."""
    said = []
    for name in ("first upload", "first download"):
        by = {figure.count: figure.ours.cpu for figure in figures if figure.name == name}
        if {1_000, 10_000} <= by.keys():
            ratio = by[10_000] / by[1_000]
            said.append(f"{name}: 10,000 events take {ratio:.1f} x the CPU of 1,000 ({'yes' if ratio <= 11 else 'NO'})")
    return said
