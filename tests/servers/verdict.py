"""What is wrong with the end of a schedule: what never came to rest, is doubled, lost, or differs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from adapters.memory.memory_store import MemoryStore
from daemon.core.model import Field, Key, View
from daemon.core.store import Seen
from tests.servers.world import World

WORD = re.compile(r"\bw\d+\b")
ITEM = re.compile(r"\bitem-\d+\b")
FIELDS = {"subject": Field.SUBJECT, "location": Field.LOCATION, "conference_meeting_url": Field.MEETING_URL}


def activity_files(world: World) -> list[Path]:
    """The paths of all YAML files."""
    return [world.store / path for path in world.files() if path.endswith(".yaml")]


def text_of(view: View) -> str:
    """Every word that an event says."""
    return " ".join(str(value) for value in view.values())


def verdict(world: World, calendar: MemoryStore, born: Counter[str], typed: set[str], busy: int) -> list[str]:
    """Everything that is wrong. `typed`: the words that must not be lost; `busy`: how many passes did something."""
    return [
        *_unrest(world, busy),
        *_doubles(world, calendar, born),
        *_losses(world, calendar, typed),
        *_differences(world, calendar),
    ]


def _unrest(world: World, busy: int) -> Iterator[str]:
    if busy > 4:
        yield f"{busy} passes until it was quiet"
    with world.journal.turn():
        for side in ("file", "calendar"):
            left = world.journal._db.execute("SELECT count(*) FROM intents WHERE side = ?", (side,)).fetchone()
            if left[0]:
                yield f"{left[0]} intents are open on the {side} side"
    tmp = world.store / ".datebook" / "tmp"
    stray = [path.name for path in tmp.rglob("*") if not path.is_dir()]
    if stray:
        yield f"stray files: {stray}"


def _doubles(world: World, calendar: MemoryStore, born: Counter[str]) -> Iterator[str]:
    files = Counter(item for path in activity_files(world) for item in ITEM.findall(path.read_text()))
    events = Counter(item for one in calendar.events().values() for item in ITEM.findall(text_of(one.view)))
    for item, most in born.items():
        if files[item] > most or events[item] > most:
            yield f"{item} was born {most} times: {files[item]} files, {events[item]} events"
    uids = Counter(one.uid for one in calendar.events().values())
    texts = [path.read_text() for path in activity_files(world)]
    said = Counter(uid for text in texts for uid in re.findall(r"^uid: (.*)$", text, re.MULTILINE))
    for name, counts in (("event", uids), ("file", said)):
        for uid, count in counts.items():
            if count > 1:
                yield f"{count} {name}s have the uid {uid}"


def _losses(world: World, calendar: MemoryStore, typed: set[str]) -> Iterator[str]:
    files = " ".join(path.read_text() for path in activity_files(world))
    events = " ".join(text_of(one.view) for one in calendar.events().values())
    with world.journal.turn():
        db = world.journal._db
        kept = " ".join(f"{row[0]} {row[1]}" for row in db.execute("SELECT before, after FROM history"))
        clashes = db.execute("SELECT file_value, calendar_value FROM conflicts")
        kept += " ".join(f"{row[0]} {row[1]}" for row in clashes)
    trash = " ".join(world.folder.trash_read(entry).decode() for entry in world.folder.trash_list())
    live, past = set(WORD.findall(files)) & set(WORD.findall(events)), set(WORD.findall(f"{kept} {trash}"))
    for word in sorted(typed - live - past, key=lambda word: int(word[1:])):
        where = [name for name, text in (("files", files), ("events", events)) if re.search(rf"\b{word}\b", text)]
        yield f"{word} is lost (it is in {where or 'neither side'})"


def _differences(world: World, calendar: MemoryStore) -> Iterator[str]:
    events = {one.uid: one.view for one in calendar.events().values()}
    with world.journal.turn():
        db = world.journal._db
        asked = {row[0] for row in db.execute("SELECT key FROM conflicts WHERE chosen IS NULL")}
    for reading in world.folder.read(world.files()):
        if not isinstance(reading, Seen):
            yield f"{reading} can't be read"
            continue
        event = events.get(reading.activity.uid)
        if event is None:
            continue
        for key in map(Key, FIELDS.values()):
            one, other = reading.activity.view.get(key), event.get(key)
            if one != other and key.field.value not in asked:
                yield f"{reading.ref.id}: {key.field.value} is {one!r} here and {other!r} there"
