"""One look at the folder: which activity files are there, and what about it needs its user."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from adapters.folder.atomic_files import is_contained
from adapters.folder.file_names import SUFFIXES, folded, is_activity, is_conflict_copy, is_ignored
from daemon.core.errors import Unreadable
from daemon.core.store import Look, Stamp

_MAX_DEPTH = 64


@dataclass(slots=True)
class _Sight:
    stamps: dict[str, Stamp] = field(default_factory=dict)
    problems: list[Unreadable] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    def report(self, path: str, code: str, message: str, cure: str) -> None:
        shown = path.encode(errors="backslashreplace").decode()
        self.problems.append(Unreadable(message, code=code, cure=cure, path=shown))


def look(root: str, places: Collection[str] | None) -> Look:
    """Stat the activity files of a folder that is there, or those at some places below it."""
    sight = _Sight()
    if places is None:
        _walk(root, "", sight)
    else:
        for place in _outermost(places):
            _look_at(root, place, sight)
    return Look(sight.stamps, places is not None, tuple(sight.problems), tuple(sight.unsure))


def _outermost(places: Collection[str]) -> list[str]:
    """The places that are not below another one of them."""
    wanted = {place.strip("/") for place in places}
    if wanted & {"", "."}:
        return [""]
    return sorted(p for p in wanted if is_contained(p) and not any(above in wanted for above in _above(p)))


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _look_at(root: str, place: str, sight: _Sight) -> None:
    if not place:
        _walk(root, "", sight)
        return
    if any(is_ignored(part) for part in place.split("/")):
        return
    for above in reversed(list(_above(place))):
        mode = _mode(root, above, sight)
        if mode is None:
            return
        if not stat.S_ISDIR(mode) or above.lower().endswith(SUFFIXES):
            _hide(sight, above)
            return
    try:
        said = os.lstat(f"{root}/{place}")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        _unsure(sight, place, error)
        return
    name = place.rpartition("/")[2]
    if stat.S_ISDIR(said.st_mode) and not name.lower().endswith(SUFFIXES):
        _walk(root, place + "/", sight)
    else:
        _take(place, name, said, sight)


def _mode(root: str, path: str, sight: _Sight) -> int | None:
    try:
        return os.lstat(f"{root}/{path}").st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _unsure(sight, path + "/", error)
        return None


def _unsure(sight: _Sight, path: str, error: OSError) -> None:
    sight.unsure.append(path)
    cure = "Give the daemon's user the right to read it, or move it out of the store."
    sight.report(path, "unreadable_place", f"it can't be looked at: {os.strerror(error.errno or 0)}", cure)


def _walk(root: str, start: str, sight: _Sight) -> None:
    waiting = [start]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(f"{root}/{prefix}") as entries:
                waiting += _scan(prefix, entries, sight)
        except (FileNotFoundError, NotADirectoryError):  # moved away while we looked: the next look sees it
            if prefix:
                sight.unsure.append(prefix)
        except OSError as error:
            _unsure(sight, prefix, error)


def _scan(prefix: str, entries: Iterator[os.DirEntry[str]], sight: _Sight) -> list[str]:
    """Take the activities of one folder; the folders to go on with."""
    folders = []
    names: dict[str, str] = {}
    stamps = sight.stamps
    for entry in entries:
        name = entry.name
        if is_ignored(name):
            continue
        lower = name.lower()
        try:
            if lower.endswith(SUFFIXES):
                said = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(said.st_mode) and name.isprintable() and not is_conflict_copy(name):
                    stamps[prefix + name] = Stamp(said.st_size, said.st_mtime_ns, said.st_ino, said.st_ctime_ns)
                else:
                    _take(prefix + name, name, said, sight)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(f"{prefix}{name}/")
            elif entry.is_symlink() and entry.is_dir():
                _report_link(prefix + name, sight)
                continue
            else:
                continue
        except FileNotFoundError:
            continue
        except OSError as error:
            _unsure(sight, prefix + name, error)
            continue
        twin = names.setdefault(lower if name.isascii() else folded(name), name)
        if twin != name:
            _report_twin(prefix + name, twin, sight)
    if folders and prefix.count("/") >= _MAX_DEPTH:
        sight.unsure += folders
        sight.report(prefix, "too_deep", "folders are nested too deeply", "Move them further up.")
        return []
    return folders


def _take(path: str, name: str, said: os.stat_result, sight: _Sight) -> None:
    """Take one file that may be an activity, or say why it is none."""
    if not name.lower().endswith(SUFFIXES):
        return
    if stat.S_ISLNK(said.st_mode):
        _report_link(path, sight)
    elif not stat.S_ISREG(said.st_mode):
        what = "folder" if stat.S_ISDIR(said.st_mode) else "device, socket or pipe"
        _hide(sight, path)
        sight.report(path, "not_a_file", f"this is a {what}, not a file; it is not opened", "Rename or remove it.")
    elif is_conflict_copy(name):
        message = "another replicator left this copy of an activity behind; it is not synced"
        sight.report(path, "replicator_conflict", message, "Take over from it what you need, then delete it.")
    elif not _is_text(name):
        sight.unsure.append(path.removesuffix(name))  # it may be any file of this folder, renamed
        cure = "Rename it with a UTF-8 name."
        sight.report(path, "bad_name", "the name is not UTF-8 text", cure)
    elif is_activity(name):
        sight.stamps[path] = Stamp(said.st_size, said.st_mtime_ns, said.st_ino, said.st_ctime_ns)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hide(sight: _Sight, path: str) -> None:
    """What was known by this name, or below it, may be behind what stands there now: it is not missing."""
    sight.unsure += [path, path + "/"]


def _report_link(path: str, sight: _Sight) -> None:
    _hide(sight, path)
    message = "symbolic links are not followed"
    sight.report(path, "symlink", message, "Put the file itself here, or rename the link to start with a dot.")


def _report_twin(path: str, twin: str, sight: _Sight) -> None:
    message = f"its name differs from {twin!a} only in case or Unicode form; other systems hold only one of the two"
    sight.report(path, "name_twin", message, "Rename one of them.")
