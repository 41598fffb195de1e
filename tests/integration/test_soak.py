"""A long run: random edits on both sides, cuts and kills; nothing is lost or doubled, and nothing grows.

`make soak` runs it for an hour; $DATEBOOK_SOAK_SECONDS names another length, $DATEBOOK_SOAK_SEED a schedule.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.person import GoneError, Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.waiting import status, until

SECONDS = float(os.environ.get("DATEBOOK_SOAK_SECONDS", "20"))
SEED = int(os.environ.get("DATEBOOK_SOAK_SEED", "20261123"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(SECONDS) + 240)]
CALL = "subject: {title}\ntype: call\ndue_date: 2027-11-{day:02}\ndue_time: 10:30\nlocation: Room 0\n"
MOST_ITEMS = 40


@dataclass
class Sample:
    """What a daemon uses."""

    memory: int
    handles: int
    threads: int


@dataclass
class Soak:
    """A person who edits at random on both sides, and a daemon that is cut off and killed."""

    person: Person  # sees the server itself
    proxy: FaultProxy  # what the daemon sees
    dice: random.Random
    daemon: subprocess.Popen[bytes] | None = None
    titles: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)  # in the calendar: an edit wins over a deletion of the file
    samples: dict[int, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    made: int = 0
    done: int = 0

    def start(self) -> None:
        self.daemon = self.person.start()
        until(lambda: status(self.person).get("pid") == self.daemon.pid)  # type: ignore[union-attr]  # there is one

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()
        self.proxy.clear()
        self.start()

    def cut(self) -> None:
        self.proxy.add(Fault(lambda exchange: exchange.reset(), times=self.dice.randint(1, 4)))

    def new_file(self) -> None:
        if len(self.titles) >= MOST_ITEMS:
            return
        self.made += 1
        title = f"Call {self.made}"
        self.person.write(f"{title.lower().replace(' ', '-')}.yaml", CALL.format(title=title, day=1 + self.made % 28))
        self.titles.add(title)

    def new_event(self) -> None:
        if len(self.titles) >= MOST_ITEMS:
            return
        self.made += 1
        title = f"Call {self.made}"
        day = 1 + self.made % 28
        times = {"start": f"202711{day:02}T120000", "end": f"202711{day:02}T130000"}
        self.person.add_event(title, uid=f"soak-{self.made}", more="LOCATION:Room 0\r\n", **times)
        self.titles.add(title)

    def edit_file(self) -> None:
        for path, text in self._some_file():
            path.write_text(re.sub(r"(?m)^location: .*$", f"location: Room {self.dice.randint(1, 999)}", text))

    def edit_event(self) -> None:
        titles = sorted(title for title, text in self.person.events().items() if "\nLOCATION:" in text)
        if titles:
            title = self.dice.choice(titles)
            place = f"LOCATION:Room {self.dice.randint(1, 999)}"
            self.edited.add(title)
            with suppress(GoneError):  # a removed file took it away meanwhile
                self.person.rewrite(title, lambda text: re.sub(r"(?m)^LOCATION:.*$", place, text))

    def remove_file(self) -> None:
        for path, text in self._some_file():
            title = re.search(r"(?m)^subject: (.*)$", text)
            if title is not None and "uid:" in text:
                path.unlink(missing_ok=True)
                self.titles.discard(title[1])

    def _some_file(self) -> Iterator[tuple[Path, str]]:
        """One of the files with its text; none where there is none, or where the daemon has just moved it."""
        paths = [path for path in sorted(self.person.store.rglob("*.yaml")) if ".datebook" not in path.parts]
        if paths:
            path = self.dice.choice(paths)
            try:
                text = path.read_text()
            except FileNotFoundError:
                return
            yield path, text

    def measure(self) -> None:
        assert self.daemon is not None
        process = psutil.Process(self.daemon.pid)
        with process.oneshot():
            sample = Sample(process.memory_info().rss, process.num_fds(), process.num_threads())
        self.samples[self.daemon.pid].append(sample)

    def run(self, seconds: float) -> None:
        steps: dict[Callable[[], None], int] = {
            self.new_file: 6,
            self.new_event: 4,
            self.edit_file: 10,
            self.edit_event: 6,
            self.remove_file: 2,
            self.cut: 2,
        }
        end, kill_at = time.monotonic() + seconds, time.monotonic() + min(seconds / 3, 300)
        while time.monotonic() < end:
            self.dice.choices(list(steps), list(steps.values()))[0]()
            self.done += 1
            time.sleep(self.dice.uniform(0, 0.2))  # a person's pace is what is tried here
            self.measure()
            if time.monotonic() > kill_at:
                self.kill()
                kill_at = time.monotonic() + min(seconds / 2, 300)


@pytest.fixture
def soak(servers: Servers, tmp_path: Path) -> Soak:
    server = servers.get(radicale)
    url = servers.calendar(server)
    proxy = FaultProxy(server.home)
    person = Person(tmp_path / "me", url, "    poll: 2s\n    brake: {count: 100000, share: 1.0}\n")
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace(url, proxy.url_of(url)))
    return Soak(person, proxy, random.Random(SEED))


def test_a_long_run_loses_nothing_doubles_nothing_and_does_not_grow(soak: Soak) -> None:
    person = soak.person
    with soak.proxy:
        soak.start()
        try:
            soak.run(SECONDS)
            soak.proxy.clear()
            until(lambda: person.run("sync").code in {0, 3})
            until(lambda: person.run("sync").code in {0, 3} and at_rest(person))
            soak.measure()
        finally:
            assert soak.daemon is not None
            soak.daemon.send_signal(signal.SIGTERM)
            soak.daemon.wait(15)
    print(f"seed {SEED}: {soak.done} steps, {soak.made} items, {len(soak.samples)} daemons")
    places = rooms_in_files(person)
    assert places == rooms_in_calendar(person)
    assert soak.titles <= set(places)
    assert set(places) - soak.titles <= soak.edited
    assert len(person.files()) == len(places) == len(person.client.calendar(url=person.url).events())
    assert [path for path in person.store.rglob("*") if path.name.endswith((".tmp", "~"))] == []
    for samples in soak.samples.values():
        stays_flat(samples)
    state = person.root / "state"
    assert sum(path.stat().st_size for path in state.glob("journal.db*")) < 4 * 2**20 + 4096 * soak.done
    assert (person.root / "daemon.log").stat().st_size < 2**16 + 512 * soak.done


def at_rest(person: Person) -> bool:
    return rooms_in_files(person) == rooms_in_calendar(person)


def rooms_in_files(person: Person) -> dict[str, str]:
    texts = [path.read_text() for path in person.store.rglob("*.yaml") if ".datebook" not in path.parts]
    found = [(re.search(r"(?m)^subject: (.*)$", text), re.search(r"(?m)^location: (.*)$", text)) for text in texts]
    return {title[1]: place[1] for title, place in found if title and place}


def rooms_in_calendar(person: Person) -> dict[str, str]:
    found = {title: re.search(r"(?m)^LOCATION:(.*)$", text) for title, text in person.events().items()}
    return {title: place[1] for title, place in found.items() if place}


def stays_flat(samples: list[Sample]) -> None:
    """The last third uses no more than the first third did, once the daemon had warmed up."""
    if len(samples) < 30:
        return
    third = len(samples) // 3
    first, last = samples[third : 2 * third], samples[-third:]
    assert median(one.memory for one in last) - median(one.memory for one in first) < 12 * 2**20
    assert median(one.handles for one in last) - median(one.handles for one in first) <= 4
    assert median(one.threads for one in last) - median(one.threads for one in first) <= 3
