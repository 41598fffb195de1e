"""The store's trash: files with their bytes unchanged, and beside each one where it was, when it went and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from adapters.activity.yaml_tree import Scalar, Table, YamlFault, compose
from adapters.activity.yaml_write import Text, block_entry
from adapters.folder.atomic_files import (
    Directories,
    digest,
    is_contained,
    link,
    move_new,
    names_in,
    read_file,
    remove,
    sync_file,
    sync_folder,
    write_new,
)
from adapters.folder.file_names import HOME, numbered

TRASH = f"{HOME}/trash"
NOTE = ".why"  # suffix of the note beside a file
_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """One file in the trash. `id` is its path below the trash, `path` the one that it had in the store."""

    id: str
    path: str
    when: datetime
    reason: str
    version: str


def note_of(path: str, version: str, reason: str, when: datetime) -> bytes:
    """The note that lies beside a file in the trash."""
    said = {"path": Text(path), "when": Text(when.isoformat(timespec="seconds"), word=True), "reason": Text(reason)}
    said["version"] = Text(version, word=True)
    return "".join(block_entry(key, text, 0, "\n") for key, text in said.items()).encode()


def _entry_of(entry_id: str, raw: bytes) -> TrashEntry | None:
    try:
        root = compose(raw.decode())
        said = {k.text: v.text for k, v in root.entries if isinstance(v, Scalar)} if isinstance(root, Table) else {}
        return TrashEntry(
            entry_id,
            said["path"],
            datetime.fromisoformat(said["when"]),
            said.get("reason", ""),
            said.get("version", ""),
        )
    except (YamlFault, UnicodeDecodeError, ValueError, KeyError):
        return None


def put(dirs: Directories, folder: int, name: str, note: str) -> None:
    """Give a file, then its note, names in the trash; those in `folder` stay. Doing it twice makes one entry."""
    known = _entry_of("", read_file(folder, note).raw)
    day = known.when.date().isoformat() if known else "undated"
    place = (known.path if known else name).rpartition("/")[2]
    trash = dirs.folder(f"{TRASH}/{day}", make=True, mode=0o700)
    for number in range(1, _TRIES):
        to = place if number == 1 else numbered(place, number)
        if _named(folder, name, trash, to) and _named(folder, note, trash, to + NOTE):
            break
    sync_folder(trash)


def _named(folder: int, name: str, trash: int, to: str) -> bool:
    """Give a file a name in the trash, or find that it has it already; False where another file has it."""
    try:
        if not link(folder, name, trash, to):
            _copy(folder, name, trash, to)
    except FileExistsError:
        return read_file(folder, name).raw == read_file(trash, to).raw
    return True


def _copy(folder: int, name: str, trash: int, to: str) -> None:
    part = to + ".part"
    remove(trash, part)  # of a copy that was cut short
    write_new(trash, part, read_file(folder, name).raw, mode=0o600)
    sync_file(trash, part)
    try:
        move_new(trash, part, trash, to)
    except FileExistsError:
        remove(trash, part)
        raise


def entries(dirs: Directories) -> Iterator[TrashEntry]:
    """Everything in the trash that a note tells of, oldest first."""
    try:
        trash = dirs.folder(TRASH)
    except FileNotFoundError:
        return
    for day in names_in(trash):
        with suppress(OSError):
            folder = dirs.folder(f"{TRASH}/{day}")
            for name in names_in(folder):
                if name.endswith(NOTE):
                    entry = _entry_of(f"{day}/{name.removesuffix(NOTE)}", read_file(folder, name).raw)
                    if entry is not None:
                        yield entry


def take_back(dirs: Directories, entry: TrashEntry) -> str:
    """Move a file from the trash to where it was, or beside what is there now; its path."""
    folder, name = _located(dirs, entry)
    if not is_contained(entry.path) or entry.path.startswith("."):
        raise FileNotFoundError(entry.path)
    parent, _, _ = entry.path.rpartition("/")
    target = dirs.folder(parent, make=True)
    for number in range(1, _TRIES):
        path = entry.path if number == 1 else numbered(entry.path, number)
        with suppress(FileExistsError):
            move_new(folder, name, target, path.rpartition("/")[2])
            remove(folder, name + NOTE)
            sync_folder(target)
            return path
    raise FileExistsError(entry.path)


def add(dirs: Directories, entry: TrashEntry, raw: bytes) -> None:
    """Put other bytes in the place of an entry, under the path that it says now: the note first, then the file."""
    folder, _ = _located(dirs, entry)
    place = entry.path.rpartition("/")[2]
    for number in range(1, _TRIES):
        name = place if number == 1 else numbered(place, number)
        with suppress(FileExistsError):
            write_new(folder, name + NOTE, note_of(entry.path, entry.version, entry.reason, entry.when), mode=0o600)
            write_new(folder, name, raw, mode=0o600)
            sync_file(folder, name)
            sync_folder(folder)
            return


def erase(dirs: Directories, entry: TrashEntry) -> None:
    """Take a file out of the trash for good."""
    folder, name = _located(dirs, entry)
    remove(folder, name)
    remove(folder, name + NOTE)


def content(dirs: Directories, entry: TrashEntry) -> bytes:
    """The bytes of a file in the trash."""
    return read_file(*_located(dirs, entry)).raw


def is_whole(dirs: Directories, entry: TrashEntry) -> bool:
    """Whether the file is still what was put there."""
    return digest(content(dirs, entry)) == entry.version


def _located(dirs: Directories, entry: TrashEntry) -> tuple[int, str]:
    if not is_contained(entry.id):
        raise FileNotFoundError(entry.id)
    return dirs.at(f"{TRASH}/{entry.id}")
