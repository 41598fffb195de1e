"""A batch of writes to the folder: all new bytes are on the disk before the first name changes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from adapters.folder import folder_scan
from adapters.folder.atomic_files import (
    Content,
    Directories,
    NotAFile,
    copy_attributes,
    digest,
    is_contained,
    names_in,
    read_file,
    sync_all,
    sync_file,
    sync_folder,
)
from adapters.folder.file_formats import Formats
from adapters.folder.file_names import all_folded, folded, is_activity, numbered, safe_place
from adapters.folder.file_staging import Changed, Staging, paper
from adapters.folder.trash import note_of
from daemon.core.errors import Forbidden, Full, Held, NotFound, StoreError, SyncError, Unreadable, VersionMismatch
from daemon.core.store import Create, Outcome, Ref, Remove, Update, Write, Written
from daemon.core.times import zone_of

_MANY = 8  # from so many files on, one sync of the file system is cheaper than one for each
_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Put other bytes into a file that is still the version named: an edit of keys that never travel, an undo."""

    ref: Ref
    token: str
    change: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A write whose bytes are staged; only its name is to change. `raw` None: a removal."""

    token: str
    path: str
    raw: bytes | None = None
    creates: bool = False


def translated(error: OSError, path: str) -> StoreError:
    """What an error of the operating system means for one file."""
    said = os.strerror(error.errno or 0)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Full(f"the disk is full: {path} was not written", ref=path)
        case errno.EROFS:
            what = "Mount the store's disk writable."
            return Forbidden(f"the store is read-only: {path} was not written", what_to_do=what, ref=path)
        case errno.EACCES | errno.EPERM:
            what = "Give the daemon's user the right to read and write there."
            return Forbidden(f"no right to {path}: {said}", what_to_do=what, ref=path)
        case errno.ELOOP | errno.ENOTDIR:
            what = "Put a real folder in its place: links are not followed."
            return Forbidden(f"a part of {path} is a symbolic link or no folder", what_to_do=what, ref=path)
        case errno.EXDEV:
            what = "Keep the whole store on one disk: files can't be replaced safely across two."
            return Forbidden(f"{path} is on another disk than the store", what_to_do=what, ref=path)
        case _ if isinstance(error, NotAFile):
            return StoreError(f"{path} is {error.strerror}", ref=path)
        case _:
            return StoreError(f"{path}: {said}", ref=path)


class Batch:
    """Stages and carries out some writes in one set of open folders."""

    def __init__(
        self, dirs: Directories, staging: Staging, formats: Formats, now: datetime, held_by: Callable[[str], str]
    ) -> None:
        self._dirs = dirs
        self._staging = staging
        self._formats = formats
        self._now = now
        self._held_by = held_by
        self._taken: dict[str, set[str]] = {}

    def carry_out(self, writes: Sequence[Write | Rewrite]) -> list[Outcome]:
        """One outcome for each write, in order, once all of them are on the disk."""
        known = self._staging.tokens()
        staged = [_translated(_path_of(w), partial(self._stage, w, known)) for w in writes]
        ready = [step for step in staged if isinstance(step, _Ready)]
        try:
            self._sync_new([step for step in ready if step.raw is not None], self._staging.write_list())
        except OSError as error:  # nothing has changed yet
            for step in ready:
                self._staging.forget([step.token])
            return [translated(error, s.path) if isinstance(s, _Ready) else s for s in staged]
        outcomes = [_translated(s.path, partial(self._commit, s)) if isinstance(s, _Ready) else s for s in staged]
        self._sync_folders(len(ready))
        if not all(isinstance(outcome, Written) for outcome in outcomes):
            self._staging.forget(())  # what was taken back leaves no list
        return outcomes

    def _stage(self, write: Write | Rewrite, known: set[str]) -> _Ready | Outcome:
        if paper(write.token, "new").removesuffix(".new") in known:
            if self._staging.happened(write.token):
                return self._already(write)
            self._staging.drop(write.token)
        try:
            if isinstance(write, Create):
                return self._stage_create(write)
            return self._stage_change(write)
        except (OSError, SyncError):
            self._staging.drop(write.token)  # staging changes no user's file: its papers can go
            raise

    def _already(self, write: Write | Rewrite) -> Outcome:
        """The outcome of a write that was carried out before, under this token."""
        if isinstance(write, Remove):
            return Written(Ref(write.ref.id), exact=True)
        path = self._created(write.token) if isinstance(write, Create) else write.ref.id
        raw = read_file(*self._dirs.at(path)).raw
        return Written(Ref(path, digest(raw)), raw)

    def _created(self, token: str) -> str:
        """Where the file is now that a create made. Raises FileNotFoundError."""
        inode = self._staging.inode_of(token)
        stamps = folder_scan.look(f"/proc/self/fd/{self._dirs.root}", None).stamps
        for path, stamp in stamps.items():
            if stamp.inode == inode:
                return path
        raise FileNotFoundError(token)

    def _stage_create(self, write: Create) -> _Ready:
        path = safe_place(write.place or write.uid)
        raw = self._formats.compose(write, path, self._now)
        self._staging.prepare(write.token, raw, mode=0o600 if write.secret else 0o666)
        return _Ready(write.token, path, raw, creates=True)

    def _stage_change(self, write: Update | Remove | Rewrite) -> _Ready | Outcome:
        ref = write.ref
        if not is_contained(ref.id) or not is_activity(ref.id.rpartition("/")[2]):
            raise StoreError(f"{ref.id!a} is no activity file of the store", ref=ref.id)
        editor = self._held_by(ref.id)
        if editor:
            raise Held(f"{ref.id} is open in {editor}; it is written when {editor} lets go", path=ref.id, by=editor)
        folder, name = self._dirs.at(ref.id)
        content = read_file(folder, name)
        if ref.version and digest(content.raw) != ref.version:
            raise Changed
        if isinstance(write, Remove):
            today = self._now.astimezone(zone_of(self._formats.zone))  # the folder's day, by its user's clock
            note = note_of(ref.id, digest(content.raw), write.reason, today)
            self._staging.prepare_removal(write.token, ref.id, digest(content.raw), note)
            return _Ready(write.token, ref.id)
        raw = write.change(content.raw) if isinstance(write, Rewrite) else self._patched(content, write)
        if raw == content.raw:
            return Written(Ref(ref.id, digest(raw)), raw, exact=True)
        self._staging.prepare(write.token, raw, like=content.stat)
        copy_attributes(folder, name, self._staging.folder, paper(write.token, "new"))
        self._staging.prepare_change(write.token, ref.id, digest(content.raw))
        return _Ready(write.token, ref.id, raw)

    def _patched(self, content: Content, write: Update) -> bytes:
        return self._formats.patch(content.raw, write, self._now)

    def _sync_new(self, staged: Sequence[_Ready], listed: str) -> None:
        if len(staged) >= _MANY and sync_all(self._dirs.root):
            return
        for name in [*(paper(step.token, "new") for step in staged), *filter(None, [listed])]:
            sync_file(self._staging.folder, name)
        sync_folder(self._staging.folder)

    def _sync_folders(self, count: int) -> None:
        if count >= _MANY and sync_all(self._dirs.root):
            return
        for folder in self._dirs.touched if count else ():
            sync_folder(folder)

    def _commit(self, step: _Ready) -> Outcome:
        if step.creates:
            return self._create(step)
        folder, name = self._dirs.at(step.path)
        if step.raw is None:
            self._staging.remove(step.token, folder, name)
            return Written(Ref(step.path), exact=True)
        self._staging.update(step.token, folder, name)
        return Written(Ref(step.path, digest(step.raw)), step.raw, exact=True)

    def _create(self, step: _Ready) -> Outcome:
        assert step.raw is not None  # noqa: S101  a create has bytes
        parent, _, _ = step.path.rpartition("/")
        try:
            folder = self._dirs.folder(parent, make=True)
        except OSError:
            self._staging.drop(step.token)
            raise
        taken = self._taken_in(parent, folder)
        names = (n for n in _numbered(step.path.rpartition("/")[2]) if folded(n) not in taken)
        name = self._staging.create(step.token, folder, names)
        taken.add(folded(name))
        path = f"{parent}/{name}" if parent else name
        return Written(Ref(path, digest(step.raw)), step.raw, exact=True)

    def _taken_in(self, parent: str, folder: int) -> set[str]:
        """The names of a folder, as a file system takes them that does not tell case apart."""
        if parent not in self._taken:
            self._taken[parent] = all_folded(names_in(folder))
        return self._taken[parent]


T = TypeVar("T")


def _translated(path: str, step: Callable[[], T]) -> T | SyncError:
    """A step's result; errors about its one file become its outcome."""
    try:
        return step()
    except Changed:
        return VersionMismatch(f"{path} was changed since it was read", ref=path)
    except FileNotFoundError:
        return NotFound(f"{path} is not there", ref=path)
    except OSError as error:
        return translated(error, path)
    except Unreadable as error:
        error.path = error.path or path
        return error
    except SyncError as error:
        return error


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, _TRIES):
        yield numbered(name, number)


def _path_of(write: Write | Rewrite) -> str:
    return write.place if isinstance(write, Create) else write.ref.id
