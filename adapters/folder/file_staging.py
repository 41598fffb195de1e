"""Writes of single files that can say after a crash whether they happened.

Each write has a token and keeps its papers in a folder of this machine's own below `.datebook/tmp` (a replicator
may carry the papers of other machines here: they mean nothing without their hard links), named by the token:

- `new`   the new bytes, on disk before anything else. It goes away by the one rename that is the write.
- `keep`  a second name of the new file, made before that rename. Without `new` beside it: it happened.
- `list`  what the files of one batch are expected to be: version and path of each (an inode for each would be
          half the cost of a write). An update swaps `new` with the file in one step; a `new` that is no longer
          the same file as `keep` is then what was swapped out. If it is not what was expected, it is swapped back.
- `old`   what was swapped out, after it was found to be what was expected: an editor that had it open may
          yet write into it, so it is looked at again before it goes.
- `gone`  a file on its way to the trash; taking that name is the removal. `note` is what the trash tells of it.
- `mark`  stands for `keep` where the file system has no hard links (updates are plain renames there), and says of
          `gone` that it is in the trash.

Whatever a user does to the file itself afterwards, the papers stay what they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache

from adapters.folder import trash
from adapters.folder.atomic_files import (
    Directories,
    digest,
    exchange,
    exists,
    link,
    move_new,
    names_in,
    read_file,
    remove,
    same_file,
    write_new,
)
from adapters.folder.file_names import HOME, numbered

TMP = f"{HOME}/tmp"  # noqa: S108  a folder of the store, open to its owner alone
_TOKEN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_PAPERS = ("keep", "mark", "gone", "old", "new", "note")  # the order in which they go; a list goes after them all
_LIST = "list"
_ROUNDS = 5
_TRIES = 10_000


def paper(token: str, kind: str) -> str:
    """The name of one paper of a write."""
    return f"{_stem(token)}.{kind}"


@lru_cache(maxsize=1024)
def _stem(token: str) -> str:
    return token if _TOKEN.fullmatch(token) else digest(token.encode(errors="surrogatepass"))


class Changed(Exception):
    """The file is not what it was expected to be; nothing was changed."""


class Staging:
    """The papers of writes under way, in one batch."""

    def __init__(self, dirs: Directories, instance: str) -> None:
        self._dirs = dirs
        self.folder = dirs.folder(f"{TMP}/{instance}", make=True, mode=0o700)
        self._wanted: dict[str, tuple[str, str]] = {}  # by stem: the version and path that are expected
        self._unlisted: list[str] = []

    def prepare(self, token: str, raw: bytes, *, mode: int = 0o666, like: os.stat_result | None = None) -> None:
        """Write the new bytes aside. Not yet synced. There must be no papers of this token."""
        write_new(self.folder, paper(token, "new"), raw, mode=mode, like=like)

    def prepare_change(self, token: str, path: str, version: str) -> None:
        """Note what the file is expected to be; on disk with the next `write_list`."""
        self._wanted[_stem(token)] = (version, path)
        self._unlisted.append(_stem(token))

    def write_list(self) -> str:
        """Write down what was noted, before anything is changed; the name of the list, "" for none. Not yet synced."""
        noted = {stem: self._wanted[stem] for stem in self._unlisted if stem in self._wanted}
        self._unlisted.clear()
        if not noted:
            return ""
        first = next(iter(noted))
        for number in range(_TRIES):
            with suppress(FileExistsError):
                name = f"{first}-{number}.{_LIST}"
                write_new(self.folder, name, json.dumps(noted).encode(), mode=0o600)
                return name
        raise FileExistsError(first)

    def prepare_removal(self, token: str, path: str, version: str, note: bytes) -> None:
        """Note what is to be removed, and what the trash is to tell of it. There must be no papers of this token."""
        write_new(self.folder, paper(token, "note"), note, mode=0o600)
        self.prepare_change(token, path, version)

    def create(self, token: str, folder: int, names: Iterable[str]) -> str:
        """Give the new file the first of those names that is free; that name."""
        with self._dropping(token):
            self._mark(token)
            for name in names:
                with suppress(FileExistsError):
                    move_new(self.folder, paper(token, "new"), folder, name)
                    return name
            raise FileExistsError(token)

    def update(self, token: str, folder: int, name: str) -> None:
        """Put the new bytes in the file's place. Raises Changed, and then the file is what its user made it."""
        with self._dropping(token):
            swapped = self._mark(token) and exchange(self.folder, paper(token, "new"), folder, name)
        if not swapped:
            self._replace(token, folder, name)
        elif not self._settle(token):
            raise Changed

    def _replace(self, token: str, folder: int, name: str) -> None:
        """The same where the system can't swap two files: a last look, then a plain rename."""
        with self._dropping(token):
            if not exists(self.folder, paper(token, "mark")):
                write_new(self.folder, paper(token, "mark"), b"", mode=0o600)
                remove(self.folder, paper(token, "keep"))
            if not self._holds(folder, name, self._expected(token)[0]):
                raise Changed
            os.rename(paper(token, "new"), name, src_dir_fd=self.folder, dst_dir_fd=folder)

    def remove(self, token: str, folder: int, name: str) -> None:
        """Move the file to the trash. Raises Changed, and then the file is where it was."""
        with self._dropping(token):
            move_new(folder, name, self.folder, paper(token, "gone"))
        if not self._settle_removal(token):
            raise Changed

    @contextmanager
    def _dropping(self, token: str) -> Iterator[None]:
        """Nothing has happened yet within it: if anything goes wrong, the papers go. A missing file has changed."""
        try:
            yield
        except FileNotFoundError:
            self.drop(token)
            raise Changed from None
        except (OSError, Changed):
            self.drop(token)
            raise

    def happened(self, token: str) -> bool:
        """Whether that write took effect; one that was cut short is finished or taken back first."""
        if exists(self.folder, paper(token, "gone")):
            return self._settle_removal(token)
        if exists(self.folder, paper(token, "new")):
            kept = exists(self.folder, paper(token, "keep"))
            if not kept or same_file(self.folder, paper(token, "new"), paper(token, "keep")):
                return False
            return self._settle(token)
        return any(exists(self.folder, paper(token, kind)) for kind in ("keep", "mark", "old"))

    def forget(self, tokens: Iterable[str]) -> None:
        """Let the papers of some writes go, after a last look at what was swapped out."""
        there = set(names_in(self.folder))
        for token in tokens:
            kinds = [kind for kind in _PAPERS if paper(token, kind) in there]
            if "new" in kinds or "gone" in kinds:  # cut short
                self.happened(token)
                kinds = list(_PAPERS)
            if "old" in kinds:
                with suppress(FileNotFoundError):
                    self._rescue(token)
            self.drop(token, kinds)
        self._tidy()

    def drop(self, token: str, kinds: Sequence[str] = _PAPERS) -> None:
        """Take all papers away. `keep` goes first: alone it would say that the write happened."""
        for kind in kinds:
            remove(self.folder, paper(token, kind))
        self._wanted.pop(_stem(token), None)

    def _tidy(self) -> None:
        """Let the lists go of whose writes no paper is left."""
        names = names_in(self.folder)
        stems = {name.rpartition(".")[0] for name in names if name.rpartition(".")[2] in _PAPERS}
        for name in names:
            if name.endswith(f".{_LIST}") and stems.isdisjoint(self._read_list(name)):
                remove(self.folder, name)

    def _read_list(self, name: str) -> dict[str, tuple[str, str]]:
        """A list; one that a crash cut short is empty: nothing was changed before it was whole."""
        try:
            read = json.loads(read_file(self.folder, name).raw)
            return {str(stem): (str(version), str(path)) for stem, (version, path) in read.items()}
        except (ValueError, TypeError, AttributeError, OSError):
            return {}

    def inode_of(self, token: str) -> int | None:
        """The inode that a create made."""
        try:
            return os.stat(paper(token, "keep"), dir_fd=self.folder, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def tokens(self) -> set[str]:
        """The stems of all papers that are there."""
        return {name.rpartition(".")[0] or name for name in names_in(self.folder)}

    def sweep(self, keep: Collection[str]) -> None:
        """Settle and clear every write that is not to be kept; nothing of a user's is thrown away."""
        kept = {paper(token, "").removesuffix(".") for token in keep}
        self.forget(token for token in self.tokens() - kept if _TOKEN.fullmatch(token))
        for name in names_in(self.folder):
            if name.rpartition(".")[2] not in {*_PAPERS, _LIST}:
                with suppress(OSError):
                    remove(self.folder, name)

    def _mark(self, token: str) -> bool:
        """Make `keep`; False where there are no hard links, and a mark stands for it."""
        if link(self.folder, paper(token, "new"), self.folder, paper(token, "keep")):
            return True
        write_new(self.folder, paper(token, "mark"), b"", mode=0o600)
        return False

    def _expected(self, token: str) -> tuple[str, str]:
        stem = _stem(token)
        if stem not in self._wanted:
            lists = sorted(
                (name for name in names_in(self.folder) if name.endswith(f".{_LIST}")),
                key=lambda name: os.stat(name, dir_fd=self.folder, follow_symlinks=False).st_mtime_ns,
            )
            listed = {stem: noted for name in lists for stem, noted in self._read_list(name).items()}
            self._wanted = listed | self._wanted
        try:
            return self._wanted[stem]
        except KeyError:
            raise FileNotFoundError(token) from None

    def _is_expected(self, token: str, kind: str) -> bool:
        return self._holds(self.folder, paper(token, kind), self._expected(token)[0])

    def _holds(self, folder: int, name: str, version: str) -> bool:
        try:
            return digest(read_file(folder, name).raw) == version
        except OSError:  # gone, a link, a folder, or no right to read it: not what we read before
            return False

    def _settle(self, token: str) -> bool:
        """After a swap: keep it if what came out is what was expected, else take it back."""
        new = paper(token, "new")
        if self._is_expected(token, "new"):
            os.rename(new, paper(token, "old"), src_dir_fd=self.folder, dst_dir_fd=self.folder)
            return True
        path = self._expected(token)[1]
        for _ in range(_ROUNDS):
            self._put_back(token, path)
            if not exists(self.folder, new) or same_file(self.folder, new, paper(token, "keep")):
                break
        else:  # somebody saves without end: what we hold is an older state of theirs
            self._to_trash(token, "new", path, "a save during a write displaced it")
        self.drop(token)
        return False

    def _put_back(self, token: str, path: str) -> None:
        new = paper(token, "new")
        folder, name = self._dirs.at(path, make=True)
        try:
            if exchange(self.folder, new, folder, name):
                return
        except FileNotFoundError:  # it was removed meanwhile
            self._put_beside(new, path)

    def _put_beside(self, name: str, path: str) -> None:
        folder, wanted = self._dirs.at(path, make=True)
        for number in range(1, _TRIES):
            with suppress(FileExistsError):
                move_new(self.folder, name, folder, wanted if number == 1 else numbered(wanted, number))
                return

    def _settle_removal(self, token: str) -> bool:
        """After taking the file's name away: to the trash if it is what was expected, else back."""
        gone = paper(token, "gone")
        if exists(self.folder, paper(token, "mark")):
            return True
        if not self._is_expected(token, "gone"):
            self._put_beside(gone, self._expected(token)[1])
            self.drop(token)
            return False
        trash.put(self._dirs, self.folder, gone, paper(token, "note"))
        write_new(self.folder, paper(token, "mark"), b"", mode=0o600)
        return True

    def _to_trash(self, token: str, kind: str, path: str, reason: str) -> None:
        name = paper(token, kind)
        raw_version = digest(read_file(self.folder, name).raw)
        note = paper(token, "note")
        remove(self.folder, note)
        write_new(self.folder, note, trash.note_of(path, raw_version, reason, self._when(name)), mode=0o600)
        trash.put(self._dirs, self.folder, name, note)

    def _when(self, name: str) -> datetime:
        return datetime.fromtimestamp(os.stat(name, dir_fd=self.folder, follow_symlinks=False).st_mtime).astimezone()

    def _rescue(self, token: str) -> None:
        """An editor wrote into what an update had swapped out: its text goes back to the file."""
        if not exists(self.folder, paper(token, "old")) or self._is_expected(token, "old"):
            return
        path = self._expected(token)[1]
        folder, name = self._dirs.at(path, make=True)
        ours = os.stat(paper(token, "keep"), dir_fd=self.folder, follow_symlinks=False)
        try:
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if (
            there is not None
            and there.st_ino == ours.st_ino
            and exchange(self.folder, paper(token, "old"), folder, name)
        ):
            return
        self._to_trash(token, "old", path, "saved into a file that had just been replaced")
