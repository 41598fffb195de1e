"""What the folder does so that nothing of a private event stays in it: names, modes, the trash."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from adapters.activity.yaml_tree import YamlFault, compose
from adapters.folder import trash
from adapters.folder.atomic_files import Directories, digest, move_new, sync_folder
from adapters.folder.file_formats import Formats, is_ics
from adapters.folder.file_names import numbered
from daemon.core.errors import Unreadable
from daemon.core.model import Field, Key, Value
from daemon.core.privacy import KEPT
from daemon.core.store import Ref, Update

_TRIES = 10_000
# Keys that Datebook itself writes into a file that it makes; any other is its user's own.
_OURS = frozenset(
    {"subject", "type", "due_date", "due_time", "duration", "timezone", "location", "conference_meeting_url",
     "public_description", "attendees", "owner", "busy", "private", "priority", "status", "reminders", "repeat", "skip",
     "changes", "masked", "uid"}
)  # fmt: skip


def move(dirs: Directories, path: str, place: str) -> str:
    """Give a file another name, or one like it where that is taken; its path."""
    folder, name = dirs.at(path)
    target = dirs.folder(place.rpartition("/")[0], make=True)
    for number in range(1, _TRIES):
        fresh = place if number == 1 else numbered(place, number)
        with suppress(FileExistsError):
            move_new(folder, name, target, fresh.rpartition("/")[2])
            sync_folder(target)
            return fresh
    raise FileExistsError(place)


def says_more(raw: bytes, path: str) -> bool:
    """Whether a file has keys of its user's own; of an ICS file, done or what it is about."""
    if is_ics(path):
        return b"X-DATEBOOK-DONE" in raw or b"X-DATEBOOK-NOTE" in raw
    try:
        root = compose(raw.decode())
    except (YamlFault, UnicodeDecodeError):
        return True
    return any(key.text not in _OURS for key, _ in getattr(root, "entries", ()))


def make_secret(dirs: Directories, path: str) -> None:
    """Let its user alone read a file."""
    folder, name = dirs.at(path)
    os.chmod(name, 0o600, dir_fd=folder)


def purge_trash(dirs: Directories, uid: str, formats: Formats, now: datetime) -> None:
    """Erase what the trash holds of an activity; of a file with keys of its user's own, all but those and the times."""
    for entry in list(trash.entries(dirs)):
        raw = trash.content(dirs, entry)
        if not uid or uid.encode() not in raw:
            continue
        if says_more(raw, entry.path) and (hidden := _masked(raw, entry.path, formats, now)) is not None:
            trash.add(dirs, replace(entry, path=_nameless(entry.path), version=digest(hidden)), hidden)
        trash.erase(dirs, entry)


def _masked(raw: bytes, path: str, formats: Formats, now: datetime) -> bytes | None:
    """The file with nothing of its event but the times; None: it can't be read, or it is so already."""
    try:
        known = formats.read(raw, path)
    except Unreadable:
        return None
    if known.local.masked:
        return None
    patch: dict[Key, Value | None] = {key: None for key in known.view if key.field not in KEPT}
    patch[Key(Field.SUBJECT)] = "Busy"
    return formats.patch(raw, Update(Ref(path), "", patch, says={"masked": "true"}), now)


def _nameless(path: str) -> str:
    """A path in the same folder that tells no subject."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}busy{name[name.rfind('.') :]}"
