"""A random two-sided schedule on a whole Datebook: what two people, a bad server and a bad day can do, by seed.

Every value that a person saves is a word of its own, so that afterwards it can be asked of each of them
where it is. A person who edits what he sees gives up what he replaced; nobody else may lose it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from adapters.memory.memory_store import Manners, MemoryStore, Mishap
from daemon.core.errors import Refused, Unavailable, VersionMismatch
from daemon.core.model import AllDay, Field, Key, View
from daemon.core.policy import Brake, OnConflict
from daemon.core.store import Capabilities, Store
from tests.servers.meddling import Killed, MeddledCalendar, MeddledFolder
from tests.servers.verdict import FIELDS, ITEM, WORD, activity_files, text_of, verdict
from tests.servers.world import TYPES, ZONE, World, route


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of a day it is."""

    manners: Manners
    on_conflict: OnConflict
    meddling: float  # how often a person acts between two steps of a pass
    deaths: float  # how often the daemon dies between two steps of a pass
    lies: float  # how often the server says something else than what it did

    @classmethod
    def draw(cls, random: Random) -> Profile:
        """A profile by chance."""
        flip = lambda: random.random() < 0.5  # noqa: E731  reads as a word below
        manners = Manners(
            Capabilities(versions_creates=flip()),  # a delete without a version loses what nobody can save
            gives_ids=flip(),
            tells_versions=flip(),
            feeds_versions=flip(),
            knows_tokens=flip(),
            inline=flip(),
            exact=flip(),
        )
        rate = lambda high: random.choice([0.0, high / 4, high])  # noqa: E731  reads as a word below
        return cls(manners, random.choice(list(OnConflict)), rate(0.1), rate(0.03), rate(0.25))


@dataclass(slots=True)
class Schedule:
    """One seed: `run` plays it and `verdict` says what is wrong with the end (nothing, one hopes)."""

    seed: int
    operations: int = 40
    random: Random = field(init=False)
    profile: Profile = field(init=False)
    world: World = field(init=False)
    calendar: MemoryStore = field(init=False)
    trace: list[str] = field(default_factory=list)
    born: Counter[str] = field(default_factory=Counter)
    words: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    _count: int = 0
    _renamed: set[str] = field(default_factory=set)
    _in_pass: bool = False
    _quiet: bool = False

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.profile = Profile.draw(self.random)
        memory = Path("/dev/shm")
        root = tempfile.mkdtemp(prefix="datebook-schedule-", dir=memory if memory.is_dir() else None)
        orders = {"on_conflict": self.profile.on_conflict, "brake": Brake(10_000, 1.0)}
        self.world = World(Path(root), routes={"work": route(**orders)}, wrap=self._wrapped)
        self.calendar = self.world.calendars["work"] = MemoryStore(
            manners=self.profile.manners, clock=self.world.clock.now
        )
        folder = MeddledFolder(self.world.store, zone=ZONE, clock=self.world.clock.now, types=TYPES)
        folder.step = self._step
        self.world.folder = folder
        self.world.restart()

    def _wrapped(self, store: Store) -> Store:
        assert isinstance(store, MemoryStore)
        return MeddledCalendar(store, self._step, self.random.shuffle)  # type: ignore[return-value]  # it is a store by what it hands on

    def close(self) -> None:
        """Clear up."""
        self.world.journal.close()
        shutil.rmtree(self.world.root, ignore_errors=True)

    # The play ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play it, and then let everything come to rest."""
        for _ in range(self.operations):
            if self.random.random() < 0.35:
                self._pass()
            else:
                self._act()
            self.world.clock.pass_by(seconds=self.random.choice([0, 1, 4, 15, 700]))

    def rest(self) -> int:
        """Nobody acts any more: passes until nothing is done; returns how many of them did something."""
        self._quiet = True
        self.calendar.mishaps.clear()
        self.world.restart()
        busy = 0
        for number in range(12):
            soon = number < 4
            self.world.clock.pass_by(seconds=12 if soon else 90_000)
            result = self.world.pass_()["work"]
            assert result.error is None, result.error
            # Once a day the calendar is listed whole, and read where its listing tells no versions.
            did = bool(result.wrote or (result.read and soon))
            self.trace.append(f"rest {number}: wrote {result.wrote} read {result.read}")
            busy += did
            if not did and number > 5:
                return busy
        return 99

    def _pass(self) -> None:
        self._in_pass = True
        try:
            if self.random.random() < self.profile.lies:
                self._mishap()
            poll = self.random.random() < 0.8
            looked = self.world.engine.look(None, full=self.random.random() < 0.2)
            result = self.world.engine.sync("work", poll=poll) if looked.error is None else None
            self._renamed.clear()
            self._say(f"pass: {result.wrote if result else looked.error} {result.error if result else ''}")
        except Killed:
            self._say("killed")
            self.world.restart()
        finally:
            self._in_pass = False

    def _step(self, name: str) -> None:
        if not self._in_pass or self._quiet:
            return
        chance = self.random.random()
        if chance < self.profile.deaths:
            self._say(f"dies {name}")
            raise Killed
        if chance < self.profile.deaths + self.profile.meddling:
            self._say(f"meanwhile, {name}:")
            self._in_pass = False
            self._act()
            self._in_pass = True

    def _mishap(self) -> None:
        error = self.random.choice(
            [
                Unavailable("503", uncertain=True),
                Unavailable("dropped", uncertain=True),
                Unavailable("429", uncertain=False, throttled=True),
                VersionMismatch("412"),
                Refused("400", reason="no"),
            ]
        )
        applied = isinstance(error, Unavailable) and error.uncertain and self.random.random() < 0.6
        self.calendar.mishaps.append(Mishap(error, applied=applied))
        self._say(f"next write: {error} applied {applied}")

    def _act(self) -> None:
        acts = [
            (self._new_file, 4), (self._edit_file, 10), (self._remove_file, 2), (self._rename_file, 2),
            (self._copy_file, 1), (self._break_file, 1), (self._mend_file, 1), (self._new_event, 4),
            (self._edit_event, 10), (self._remove_event, 2), (self._restart, 1), (self._expire, 1),
        ]  # fmt: skip
        (act,) = self.random.choices([act for act, _ in acts], [weight for _, weight in acts])
        act()

    def _say(self, text: str) -> None:
        self.trace.append(text)

    def finish(self) -> list[str]:
        """Come to rest, and say everything that is wrong with the end."""
        self._mend_file()
        busy = self.rest()
        return verdict(self.world, self.calendar, self.born, self.words - self.given_up, busy)

    # What the two people do ------------------------------------------------------------------------

    def _word(self) -> str:
        self._count += 1
        word = f"w{self._count}"
        self.words.add(word)
        return word

    def _pick_file(self) -> Path | None:
        paths = activity_files(self.world)
        return self.random.choice(paths) if paths else None

    def _new_file(self) -> None:
        if len(self.born) >= 8:
            return
        item = f"item-{len(self.born)}"
        self.born[item] += 1
        name = self.random.choice(["", "a/", "a/b/"]) + f"{item}.yaml"
        word = self._word()
        self.world.write(name, f"# mine\nsubject: {word}\ndue_date: 2026-12-24\npublic_description: {item}\n")
        self._say(f"file {name} new: {word}")

    def _edit_file(self) -> None:
        path = self._pick_file()
        if path is None:
            return
        text = path.read_text()
        key, word = self.random.choice(list(FIELDS)), self._word()
        line = f"{key}: {word}" if key != "conference_meeting_url" else f"{key}: https://x.example/{word}"
        old = re.search(rf"^{key}:.*$", text, re.MULTILINE)
        if old:
            self.given_up.update(WORD.findall(old[0]))
            text = text.replace(old[0], line)
        else:
            text = f"{line}\n{text}"
        self._save(path, text)
        self._say(f"file {path.name} {line}")

    def _save(self, path: Path, text: str) -> None:
        if self.random.random() < 0.5:
            path.write_text(text)
        else:
            other = path.with_name(f".{path.name}.new")
            other.write_text(text)
            other.rename(path)

    def _remove_file(self) -> None:
        path = self._pick_file()
        if path is None:
            return
        self.given_up.update(WORD.findall(path.read_text()))
        path.unlink()
        self._say(f"file {path.name} removed")

    def _rename_file(self) -> None:
        path = self._pick_file()
        if path is None or "uid: " not in path.read_text() or "[broken" in path.read_text():
            return  # edited and renamed without a name of its own: nobody can know
        target = self.world.store / self.random.choice(["", "c/"]) / f"{self._count}-{path.name[-40:]}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        self._say(f"file {path.name} -> {target.name}")
        self._renamed.add(target.name)
        if self.random.random() < 0.3:
            word = self._word()
            text = target.read_text()
            old = re.search(r"^subject:.*$", text, re.MULTILINE)
            if old:
                self.given_up.update(WORD.findall(old[0]))
                target.write_text(text.replace(old[0], f"subject: {word}"))
                self._say(f"  and edited: {word}")

    def _copy_file(self) -> None:
        path = self._pick_file()
        if path is None or sum(self.born.values()) >= 10:
            return
        text = path.read_text()
        for item in ITEM.findall(text):
            self.born[item] += 1
        path.with_name(f"copy{self._count}-{path.name[-40:]}").write_text(text)
        self._say(f"file {path.name} copied")

    def _break_file(self) -> None:
        path = self._pick_file()
        if path is not None and path.name not in self._renamed and "[broken" not in path.read_text():
            path.write_text(path.read_text() + "zz: [broken\n")
            self._say(f"file {path.name} broken")

    def _mend_file(self) -> None:
        for path in activity_files(self.world):
            if "[broken" in path.read_text():
                path.write_text(path.read_text().replace("zz: [broken\n", ""))
                self._say(f"file {path.name} mended")

    def _pick_event(self) -> str | None:
        events = sorted(self.calendar.events())
        return self.random.choice(events) if events else None

    def _new_event(self) -> None:
        if len(self.born) >= 8:
            return
        item, word = f"item-{len(self.born)}", self._word()
        self.born[item] += 1
        view: View = {
            Key(Field.SUBJECT): word,
            Key(Field.WHEN): AllDay(self.world.clock.now().date() + timedelta(days=30)),
            Key(Field.DESCRIPTION): item,
        }
        self.calendar.put(f"foreign-{len(self.born)}", view)
        self._say(f"event {item} new: {word}")

    def _edit_event(self) -> None:
        event = self._pick_event()
        if event is None:
            return
        name, word = self.random.choice(list(FIELDS)), self._word()
        key = Key(FIELDS[name])
        value = f"https://x.example/{word}" if name == "conference_meeting_url" else word
        self.given_up.update(WORD.findall(str(self.calendar.events()[event].view.get(key, ""))))
        self.calendar.edit(event, {key: value})
        self._say(f"event {event} {name}: {value}")

    def _remove_event(self) -> None:
        event = self._pick_event()
        if event is None:
            return
        self.given_up.update(WORD.findall(text_of(self.calendar.events()[event].view)))
        self.calendar.drop(event)
        self._say(f"event {event} removed")

    def _restart(self) -> None:
        if not self._in_pass and not any("meanwhile" in line for line in self.trace[-1:]):
            self.world.restart()
            self._say("restart")

    def _expire(self) -> None:
        self.calendar.forget_history()
        self._say("the cursor expires")
