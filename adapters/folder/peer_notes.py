"""What the store itself remembers of a person's journal: one file per owner in `.datebook/peers`.

It is read when that journal is lost: it says that there was one, and what was unlinked and must not come back.
It holds uids, names of calendars, and dates; no text of any activity.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import yaml

from adapters.folder.atomic_files import Directories, NotAFile, read_file, remove, sync_file, sync_folder, write_new
from adapters.folder.file_names import HOME

PEERS = f"{HOME}/peers"
_LIMIT = 64 << 20
_HEAD = "# What Datebook has unlinked for this owner. It is read when the journal is lost; do not edit it.\n"
_STRANGE = re.compile(r"[^a-z0-9._-]+")
_SLUG = 60


@dataclass(frozen=True, slots=True, order=True)
class Grave:
    """One activity that was unlinked in one calendar, and does not come back by itself. `at`: seconds since 1970."""

    calendar: str
    uid: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class PeerNote:
    """`journal` is the id of the journal that wrote it ("": it can't be read any more), `calendars` had links."""

    journal: str
    calendars: tuple[str, ...] = ()
    graves: tuple[Grave, ...] = ()


def name_of(owner: str) -> str:
    """The name of an owner's file."""
    slug = _STRANGE.sub("-", owner.lower()).strip("-.")[:_SLUG] or "owner"
    return f"{slug}-{blake2b(owner.lower().encode(), digest_size=4).hexdigest()}.yaml"


def read_note(root: Path, owner: str) -> PeerNote | None:
    """What the store remembers of an owner's journal; None: there never was one. Raises OSError."""
    with Directories(root) as dirs:
        try:
            raw = read_file(dirs.folder(PEERS), name_of(owner), _LIMIT).raw
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotAFile:
            return PeerNote("")
    try:
        return _note_of(yaml.load(raw, yaml.CSafeLoader))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return PeerNote("")


def write_note(root: Path, owner: str, note: PeerNote) -> None:
    """Put an owner's file in place of what is there, on the disk when it returns. Raises OSError."""
    name = name_of(owner)
    with Directories(root) as dirs:
        folder = dirs.folder(PEERS, make=True)
        fresh = f"{name}.{os.getpid()}.tmp"
        remove(folder, fresh)
        write_new(folder, fresh, _text_of(note).encode(), mode=0o600)
        try:
            sync_file(folder, fresh)
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            remove(folder, fresh)
        sync_folder(folder)


def together(ours: Iterable[Grave], theirs: Iterable[Grave]) -> tuple[Grave, ...]:
    """The graves of two journals of one owner; the later word on each activity counts."""
    latest: dict[tuple[str, str], Grave] = {}
    for grave in sorted([*theirs, *ours], key=lambda grave: grave.at):
        latest[grave.calendar, grave.uid] = grave
    return tuple(sorted(latest.values()))


def _text_of(note: PeerNote) -> str:
    rows = "".join(
        f"- {json.dumps([grave.calendar, grave.uid, round(grave.at, 3), grave.reason])}\n"
        for grave in sorted(note.graves)
    )
    calendars = json.dumps(sorted(note.calendars))
    tail = f"unlinked:\n{rows}" if rows else "unlinked: []\n"
    return f"{_HEAD}journal: {json.dumps(note.journal)}\ncalendars: {calendars}\n{tail}"


def _note_of(data: object) -> PeerNote:
    if not isinstance(data, dict):
        raise TypeError(data)
    rows = [Grave(str(calendar), str(uid), float(at), str(reason)) for calendar, uid, at, reason in data["unlinked"]]
    return PeerNote(str(data["journal"]), tuple(map(str, data["calendars"])), tuple(rows))
