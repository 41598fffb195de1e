"""Single steps on files that either happen or do not: below one folder, and never through a symbolic link."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

MAX_BYTES = 1 << 20
_OPEN_DIRECTORIES = 64
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that took the file's place must not wait for a writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOREPLACE = 1
_EXCHANGE = 2
_UNSUPPORTED = frozenset((errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EMLINK))


class NotAFile(OSError):
    """There is something else than a regular file, or a file of an absurd size."""


class Content(NamedTuple):
    """The bytes of a file, and what `fstat` said of it."""

    raw: bytes
    stat: os.stat_result


def digest(raw: bytes) -> str:
    """The version of a file: BLAKE2b-128 of its bytes, in hexadecimal."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


class Directories:
    """Descriptors of folders below a root, opened part by part so that no link is ever followed.

    Use it for one batch: a descriptor outlives the folder's name.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: OrderedDict[str, int] = OrderedDict()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every descriptor."""
        self.close()

    def close(self) -> None:
        """Close every descriptor."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        if self.root >= 0:
            os.close(self.root)
            self.root = -1

    def folder(self, path: str, *, make: bool = False, mode: int = 0o777) -> int:
        """The descriptor of a folder (relative, forward slashes; "" is the root), made if wanted."""
        if not path:
            return self.root
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        parent, _, name = path.rpartition("/")
        above = self.folder(parent, make=make, mode=mode)
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=above)
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=above)
        except NotADirectoryError:
            if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, "a symbolic link", name) from None
            raise
        self._open[path] = descriptor
        if len(self._open) > _OPEN_DIRECTORIES:
            self._close_oldest(path)
        return descriptor

    def _close_oldest(self, but: str) -> None:
        oldest = next(p for p in self._open if not f"{but}/".startswith(f"{p}/"))
        os.close(self._open.pop(oldest))

    def at(self, path: str, *, make: bool = False) -> tuple[int, str]:
        """The folder of a path, and the name in it."""
        parent, _, name = path.rpartition("/")
        return self.folder(parent, make=make), name

    @property
    def touched(self) -> list[int]:
        """The descriptors of all folders that were used and are still open."""
        return [self.root, *self._open.values()]


def is_contained(path: str) -> bool:
    """Whether a relative path can only mean something below its root, and is text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def read_file(folder: int, name: str, limit: int = MAX_BYTES) -> Content:
    """The bytes of a regular file of at most `limit` bytes. Raises NotAFile, FileNotFoundError, OSError."""
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        said = os.fstat(descriptor)
        if not stat.S_ISREG(said.st_mode):
            raise NotAFile(errno.EINVAL, "not a regular file")
        if said.st_size > limit:
            raise NotAFile(errno.EFBIG, "larger than 1 MiB")
        raw = os.read(descriptor, said.st_size + 1)
        while said.st_size != len(raw) <= limit and (more := os.read(descriptor, limit + 1 - len(raw))):
            raw += more  # it changes, or its file system gives it in pieces
        if len(raw) > limit:
            raise NotAFile(errno.EFBIG, "larger than 1 MiB")
        return Content(raw, said)
    finally:
        os.close(descriptor)


def write_new(folder: int, name: str, raw: bytes, *, mode: int = 0o666, like: os.stat_result | None = None) -> None:
    """Make a file that is not there yet; with the mode and owner of another one. Synced by its caller."""
    descriptor = os.open(
        name,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
        mode if like is None else 0o600,
        dir_fd=folder,
    )
    try:
        if like is not None:
            _take_after(descriptor, like)
        view = memoryview(raw)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        remove(folder, name)
        raise
    finally:
        os.close(descriptor)


def _take_after(descriptor: int, like: os.stat_result) -> None:
    if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root may give files away
            os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def copy_attributes(source: int, source_name: str, folder: int, name: str) -> None:
    """Carry extended attributes (tags, ACLs) over to a file that will take another one's place."""
    with suppress(OSError):  # a file system without them
        _copy_attributes(f"/proc/self/fd/{source}/{source_name}", f"/proc/self/fd/{folder}/{name}")


def _copy_attributes(source: str, target: str) -> None:
    for attribute in os.listxattr(source, follow_symlinks=False):
        with suppress(OSError):
            os.setxattr(target, attribute, os.getxattr(source, attribute, follow_symlinks=False), follow_symlinks=False)


def remove(folder: int, name: str) -> None:
    """Take a name away, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def sync_file(folder: int, name: str) -> None:
    """Have a file's bytes on the disk."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: int) -> None:
    """Have a folder's names on the disk, where its file system can."""
    with suppress(OSError):
        os.fsync(folder)


def _foreign(name: str, *arguments: type) -> Callable[..., int] | None:
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    function.argtypes = arguments
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]  # ctypes has no types for what it finds


_renameat2 = _foreign("renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_syncfs = _foreign("syncfs", ctypes.c_int)


def sync_all(folder: int) -> bool:
    """Have everything of a file system on the disk, in one go; False where the system can't."""
    return _syncfs is not None and _syncfs(folder) == 0


def _rename(from_folder: int, name: str, to_folder: int, to_name: str, flags: int) -> bool:
    """Renameat2; False where the system or the file system has no such flag."""
    if _renameat2 is None:
        return False
    if _renameat2(from_folder, os.fsencode(name), to_folder, os.fsencode(to_name), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED - {errno.EPERM}:
        return False
    raise OSError(code, os.strerror(code), name)


def move_new(from_folder: int, name: str, to_folder: int, to_name: str) -> None:
    """Move a file to a name that is free. Raises FileExistsError, and then nothing has moved."""
    if _rename(from_folder, name, to_folder, to_name, _NOREPLACE):
        return
    with _claimed(to_folder, to_name):
        os.rename(name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder)


@contextmanager
def _claimed(folder: int, name: str) -> Iterator[None]:
    """Hold a free name by an empty file while it is taken, where the system can't refuse to replace."""
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder))
    try:
        yield
    except OSError:
        remove(folder, name)
        raise


def exchange(folder: int, name: str, other_folder: int, other: str) -> bool:
    """Swap two files in one step; False where the system can't. Raises FileNotFoundError."""
    return _rename(folder, name, other_folder, other, _EXCHANGE)


def names_in(folder: int) -> list[str]:
    """The names in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted([entry.name for entry in entries])


def same_file(folder: int, name: str, other: str) -> bool:
    """Whether two names in a folder are one file."""
    try:
        one = os.stat(name, dir_fd=folder, follow_symlinks=False)
        two = os.stat(other, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (one.st_ino, one.st_dev) == (two.st_ino, two.st_dev)


def exists(folder: int, name: str) -> bool:
    """Whether a name is taken, by whatever."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def link(folder: int, name: str, to_folder: int, to_name: str) -> bool:
    """Give a file a second name; False where the file system has no hard links. Raises FileExistsError."""
    try:
        os.link(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True
