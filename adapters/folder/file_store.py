"""The watched folder as a store: ids are paths, versions are digests, and no write ever loses a user's save."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from adapters.folder import editor_locks, file_privacy, folder_scan, trash
from adapters.folder.atomic_files import Directories, NotAFile, digest, is_contained, read_file, remove
from adapters.folder.file_formats import Formats
from adapters.folder.file_marker import missing, read_marker
from adapters.folder.file_names import is_activity
from adapters.folder.file_staging import Staging
from adapters.folder.file_writes import Batch, Rewrite, translated
from adapters.folder.trash import TrashEntry
from daemon.core.errors import NotFound, StoreError, Unreadable
from daemon.core.model import View
from daemon.core.store import (
    Capabilities,
    Changes,
    Create,
    Failed,
    Gone,
    Look,
    Marker,
    Outcome,
    Reading,
    Ref,
    Seen,
    Write,
)

_FEW = 16  # files are asked for one by one; more of them, folder by folder
_BATCH = 256  # writes that share one sync of the disk
_CAPABILITIES = Capabilities(in_flight=1, read_batch=1000, suppresses_mail=True)


class FileStore:
    """One folder of activity files.

    `zone` is its default zone, `types` the activity types of the config (none: any will do), `host` this
    machine's name as editors write it into their locks; `instance` names the folder for the papers of writes
    under way (default: one for this machine and this folder), `swap_folders` are where Neovim keeps its swap files.
    """

    def __init__(  # noqa: PLR0913  what the folder is, and what is handed in for it
        self,
        root: Path,
        *,
        zone: str,
        clock: Callable[[], datetime],
        types: Sequence[str] = (),
        host: str | None = None,
        swap_folders: tuple[Path, ...] = (),
        instance: str = "",
    ) -> None:
        self.root = root
        self._formats = Formats(zone, tuple(types))
        self._clock = clock
        self._host = os.uname().nodename if host is None else host
        self._swap_folders = swap_folders
        self._instance = instance

    @property
    def capabilities(self) -> Capabilities:
        """What the folder can hold and do."""
        return _CAPABILITIES

    @property
    def identity(self) -> str:
        """The id in the marker. Raises Missing."""
        with self._open() as dirs:
            return self._marked(dirs).store_id

    def look(self, places: Collection[str] | None = None) -> Look:
        """Stat the activity files, or those at some places. Raises Missing without folder or marker."""
        with self._open() as dirs:
            self._marked(dirs)
        return folder_scan.look(str(self.root), places)

    def marker(self) -> Marker | None:
        """The marker, or None when there is none. Raises Missing when the folder is not there."""
        with self._open() as dirs:
            return read_marker(dirs)

    def changes(self, cursor: str | None) -> Changes:  # noqa: ARG002  a folder has no feed: it is looked at whole
        """Every activity file with the digest of its bytes."""
        paths = list(self.look().stamps)
        versions = {r.ref.id: r.ref.version for r in self.read(paths) if isinstance(r, Seen)}
        return Changes([Ref(path, versions.get(path, "")) for path in paths])

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read files by path. Raises Missing without folder or marker: then nothing is known to be gone."""
        with self._open() as dirs:
            self._marked(dirs)
            for path in ids:
                yield self._read(dirs, path)

    def unchanged(self, digests: Mapping[str, str]) -> Iterator[str]:
        """Those of these paths whose bytes have the digest named. Raises Missing without folder or marker."""
        with self._open() as dirs:
            self._marked(dirs)
            for path, known in digests.items():
                with suppress(StoreError, Unreadable):
                    if digest(self._content(dirs, path)) == known:
                        yield path

    def raw(self, path: str) -> bytes:
        """The bytes of one file. Raises StoreError, NotFound among them."""
        with self._open() as dirs:
            return self._content(dirs, path)

    def find(self, uid: str, token: str) -> Reading | None:
        """The file that a create with this uid and token made; None: there is none."""
        stamps = self.look().stamps
        with self._open() as dirs:
            inode = self._papers(dirs).inode_of(token)
        paths = [path for path, stamp in stamps.items() if inode is not None and stamp.inode == inode]
        named = [r for r in self.read(paths) if isinstance(r, Seen)]
        if named:
            return named[0]
        readings = self.read(self._mentioning(uid, stamps))
        return next((r for r in readings if isinstance(r, Seen) and r.activity.uid == uid), None)

    def refuses(self, view: View) -> str:  # noqa: ARG002  part of the door
        """A file holds everything."""
        return ""

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes in batches that are on the disk when their outcomes come. Raises Missing."""
        for start in range(0, len(writes), _BATCH):
            some = writes[start : start + _BATCH]
            yield from zip(some, self._carry_out(some), strict=True)

    def rewrite(self, write: Rewrite) -> Outcome:
        """Change bytes that no calendar has a say in. Raises Missing."""
        return self._carry_out([write])[0]

    def held_by(self, path: str) -> str:
        """Which editor holds this file open, in words; "" when none does."""
        return editor_locks.held_by(self.root, path, host=self._host, swap_folders=self._swap_folders)

    def happened(self, token: str) -> bool:
        """Whether the write with this token took effect before a crash."""
        with self._staging() as (_, staging):
            return staging.happened(token)

    def forget(self, tokens: Iterable[str]) -> None:
        """Those writes are in the journal now."""
        with self._staging() as (_, staging):
            staging.forget(tokens)

    def sweep(self, keep: Collection[str]) -> None:
        """Settle and clear what a killed daemon left behind."""
        with self._staging() as (_, staging):
            staging.sweep(keep)

    def trash_list(self) -> list[TrashEntry]:
        """Everything in the trash, oldest day first."""
        with self._open() as dirs, _translating("the trash"):
            return list(trash.entries(dirs))

    def trash_read(self, entry: TrashEntry) -> bytes:
        """The bytes of a file in the trash."""
        with self._open() as dirs, _translating(entry.path):
            return trash.content(dirs, entry)

    def restore(self, entry: TrashEntry) -> str:
        """Bring a file back to where it was, or beside what is there now; its path."""
        with self._open() as dirs, _translating(entry.path):
            self._marked(dirs)
            return trash.take_back(dirs, entry)

    def bring_back(self, uid: str, reason: str) -> str:
        """Take the newest file of a uid back that went to the trash for this reason; its path, "": there is none."""
        with self._open() as dirs, _translating("the trash"):
            self._marked(dirs)
            told = [entry for entry in trash.entries(dirs) if entry.reason == reason]
            for entry in sorted(told, key=lambda entry: entry.when, reverse=True):
                if self._is_of(dirs, entry, uid):
                    return trash.take_back(dirs, entry)
        return ""

    def _is_of(self, dirs: Directories, entry: TrashEntry, uid: str) -> bool:
        with suppress(Unreadable, OSError):
            raw = trash.content(dirs, entry)
            return uid.encode(errors="surrogatepass") in raw and self._formats.read(raw, entry.path).uid == uid
        return False

    def trash_erase(self, entry: TrashEntry) -> None:
        """Take a file out of the trash for good."""
        with self._open() as dirs, _translating(entry.path):
            trash.erase(dirs, entry)

    def move(self, path: str, place: str) -> str:
        """Give a file another name, or one like it where that is taken; its path."""
        with self._open() as dirs, _translating(path):
            self._marked(dirs)
            return file_privacy.move(dirs, path, place)

    def says_more(self, path: str) -> bool:
        """Whether a file has keys of its user's own, which never leave the folder."""
        return file_privacy.says_more(self.raw(path), path)

    def erase(self, path: str) -> None:
        """Remove a file for good, past the trash."""
        with self._open() as dirs, _translating(path):
            self._marked(dirs)
            remove(*dirs.at(path))

    def make_secret(self, path: str) -> None:
        """Let its user alone read a file."""
        with self._open() as dirs, _translating(path):
            file_privacy.make_secret(dirs, path)

    def purge_trash(self, uid: str) -> None:
        """Erase what the trash holds of an activity."""
        with self._open() as dirs, _translating("the trash"):
            file_privacy.purge_trash(dirs, uid, self._formats, self._clock())

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _open(self) -> Directories:
        try:
            return Directories(self.root)
        except (FileNotFoundError, NotADirectoryError):
            raise missing(self.root, "the folder") from None
        except OSError as error:
            raise translated(error, str(self.root)) from None

    def _marked(self, dirs: Directories) -> Marker:
        try:
            marker = read_marker(dirs)
        except OSError as error:
            raise translated(error, str(self.root)) from None
        if marker is None:
            raise missing(self.root, "the marker")
        return marker

    def _papers(self, dirs: Directories) -> Staging:
        if not self._instance:
            machine = f"{_machine()}:{os.fstat(dirs.root).st_ino}"
            self._instance = digest(machine.encode())[:12]
        return Staging(dirs, self._instance)

    @contextmanager
    def _staging(self) -> Iterator[tuple[Directories, Staging]]:
        with self._open() as dirs, _translating(str(self.root)):
            self._marked(dirs)
            yield dirs, self._papers(dirs)

    def _carry_out(self, writes: Sequence[Write | Rewrite]) -> list[Outcome]:
        with self._staging() as (dirs, staging):
            return Batch(dirs, staging, self._formats, self._clock(), self._editors(writes)).carry_out(writes)

    def _editors(self, writes: Sequence[Write | Rewrite]) -> Callable[[str], str]:
        """Who holds a file open; where there are many to ask for, folders without any lock are passed over."""
        if len(writes) < _FEW:
            return self.held_by
        folders = {write.ref.id.rpartition("/")[0] for write in writes if not isinstance(write, Create)}
        quiet = editor_locks.quiet_folders(self.root, folders, swap_folders=self._swap_folders)
        return lambda path: "" if path.rpartition("/")[0] in quiet else self.held_by(path)

    def _read(self, dirs: Directories, path: str) -> Reading:
        version = ""
        try:
            raw = self._content(dirs, path)
            version = digest(raw)
            return Seen(Ref(path, version), self._formats.read(raw, path), raw)
        except NotFound:
            return Gone(path)
        except Unreadable as error:
            error.path = path
            return Failed(path, error, version)
        except StoreError as error:
            return Failed(path, error)

    def _content(self, dirs: Directories, path: str) -> bytes:
        if not is_contained(path) or not is_activity(path.rpartition("/")[2]):
            raise StoreError(f"{path!a} is no activity file of the store", ref=path)
        try:
            return read_file(*dirs.at(path)).raw
        except NotAFile as error:
            cure = "Keep one activity in a file, long material elsewhere."
            raise Unreadable(f"the file is {error.strerror}", code="not_a_file", cure=cure, path=path) from None
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{path} is not there", ref=path) from None
        except OSError as error:
            raise translated(error, path) from None

    def _mentioning(self, uid: str, paths: Iterable[str]) -> list[str]:
        """The files that have the bytes of a uid somewhere: those worth reading."""
        found = []
        with self._open() as dirs:
            for path in paths:
                with suppress(StoreError, Unreadable):
                    if uid.encode(errors="surrogatepass") in self._content(dirs, path):
                        found.append(path)
        return found


def _machine() -> str:
    """What tells this machine from others that a replicator carries the folder to."""
    try:
        return Path("/etc/machine-id").read_text().strip() or os.uname().nodename
    except OSError:
        return os.uname().nodename


@contextmanager
def _translating(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise translated(error, path) from None
