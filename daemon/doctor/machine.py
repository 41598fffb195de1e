"""This machine: Python's packages, zones, the store's folder, the state folder, the journal, the kernel's limits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.folder.file_store import FileStore
from config.places import Places
from config.schema import Config
from daemon.clock import Clock
from daemon.core.errors import DatebookError
from daemon.core.store import Finding
from daemon.journal.examine import examine
from daemon.watch import kind_of_file_system

_OURS = ("daemon", "adapters", "config")
_LEAST_FREE = 100 << 20  # bytes; below it a busy day could fill the disk
_INOTIFY = Path("/proc/sys/fs/inotify")
_OWN_INSTANCES = 16  # that a desktop's other programs leave, as a rule


def of_packages(distributions: Mapping[str, Sequence[str]] | None = None) -> Iterator[Finding]:
    """Our three packages have plain names: nobody else in this environment may have them too."""
    owners = metadata.packages_distributions() if distributions is None else distributions
    for name in _OURS:
        others = sorted({owner for owner in owners.get(name, ()) if owner != "datebook"})
        if others:
            yield Finding(
                "packages",
                ok=False,
                message=f"the package `{name}` is claimed by {', '.join(others)}, too",
                cure="Install Datebook into an environment of its own: pipx install datebook",
            )
            return
    yield Finding("packages", ok=True, message="no other program claims the names of Datebook's packages")


def of_zones(zone: str) -> Iterator[Finding]:
    """Whether the zone data is there, and knows the default zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        cure = "Install the tzdata of your system, or: pip install --upgrade tzdata"
        yield Finding("zones", ok=False, message=f"the zone data does not know {zone}", cure=cure)
        return
    try:
        version = f" (tzdata {metadata.version('tzdata')})"
    except metadata.PackageNotFoundError:
        version = ""
    yield Finding("zones", ok=True, message=f"times without a zone are in {zone}{version}")


def of_store(config: Config, clock: Clock, bound: str | None) -> Iterator[Finding]:
    """The folder: there, ours, with the rights and the room that it needs. `bound`: the journal's store id."""
    store = config.store
    if not store.is_dir():
        cure = "If a disk or share belongs there, mount it; for a new store: datebook init"
        yield Finding("store", ok=False, message=f"there is no folder {store}", cure=cure)
        return
    if not os.access(store, os.R_OK | os.W_OK | os.X_OK):
        cure = f"Give its user the right to read and write it: chmod u+rwx {store}"
        yield Finding("store", ok=False, message=f"{store} may not be read and written by you", cure=cure)
    else:
        yield Finding("store", ok=True, message=f"{store} can be read and written")
    yield _marker(config, clock, bound)
    yield from _room("store", store)


def _marker(config: Config, clock: Clock, bound: str | None) -> Finding:
    try:
        marker = FileStore(config.store, zone=config.timezone or "UTC", clock=clock.now).marker()
    except DatebookError as error:
        return Finding("marker", ok=False, message=str(error), cure="Look into .datebook below the store.")
    if marker is None and bound is None:
        return Finding("marker", ok=True, message="the store is new: its marker comes with the first run")
    if marker is None:
        cure = "If a disk or share is mounted there, mount it again. Do not make a new marker."
        return Finding("marker", ok=False, message="the store has lost its marker", cure=cure)
    if bound is not None and marker.store_id != bound:
        cure = "Put the right folder there, or use another --state for this one."
        return Finding("marker", ok=False, message="this is another store than the journal knows", cure=cure)
    return Finding("marker", ok=True, message="the store has its marker")


def _room(code: str, folder: Path) -> Iterator[Finding]:
    try:
        found = os.statvfs(folder)
    except OSError:
        return
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        cure = "Mount it writable, or move the folder."
        yield Finding(f"{code}_space", ok=False, message=f"{folder} is on a read-only disk", cure=cure)
    elif free < _LEAST_FREE or (found.f_files and not found.f_favail):
        what = f"{free >> 20} MiB" if found.f_favail or not found.f_files else "no file names"
        yield Finding(
            f"{code}_space", ok=False, message=f"{what} left on the disk of {folder}", cure="Make room there."
        )
    else:
        yield Finding(f"{code}_space", ok=True, message=f"{free >> 30} GiB are free on the disk of {folder}")


def of_state(places: Places) -> Iterator[Finding]:
    """The state folder and the journal: private, whole, with room."""
    if not places.state.is_dir():
        yield Finding("state", ok=True, message="there is no state yet: it comes with the first run")
        return
    loose = [path for path in (places.state, places.journal, places.status) if path.exists() and _is_open(path)]
    if loose:
        names = " ".join(str(path) for path in loose)
        cure = f"Keep them to yourself: chmod go= {names}"
        yield Finding("state", ok=False, message="others on this machine can look into the state", cure=cure)
    else:
        yield Finding("state", ok=True, message=f"{places.state} is private")
    yield from _room("state", places.state)
    yield from _journal(places.journal)


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


def _journal(path: Path) -> Iterator[Finding]:
    if not path.exists():
        return
    try:
        found = examine(path)
    except OSError as error:
        cure = "Look at the rights of the state folder."
        yield Finding("journal", ok=False, message=f"the journal can't be read: {error}", cure=cure)
        return
    if found.fault:
        cure = "Restart the daemon: it sets the journal aside and rebuilds it, with no write to either side."
        yield Finding("journal", ok=False, message=f"the journal is damaged: {found.fault}", cure=cure)
        return
    words = f"the journal is whole: {found.links:,} links, {found.entries:,} entries, {found.size / (1 << 20):.1f} MiB"
    yield Finding("journal", ok=True, message=words)


def of_watching(store: Path, limits: Path = _INOTIFY) -> Iterator[Finding]:
    """Whether the kernel tells of changes in the store, and lets all of its folders be watched."""
    if sys.platform != "linux" or not store.is_dir():
        return
    kind = kind_of_file_system(store.resolve())
    watches, instances = _limit(limits / "max_user_watches"), _limit(limits / "max_user_instances")
    folders = sum(1 for _ in os.walk(store))
    if watches is not None and folders * 2 > watches:
        cure = f"sudo sysctl fs.inotify.max_user_watches={max(524288, folders * 4)}  (and in /etc/sysctl.d/ to keep it)"
        message = f"the store has {folders:,} folders, and the kernel lets {watches:,} be watched"
        yield Finding("inotify_watches", ok=False, message=message, cure=cure)
    elif instances is not None and instances < _OWN_INSTANCES:
        cure = "sudo sysctl fs.inotify.max_user_instances=512  (and in /etc/sysctl.d/ to keep it)"
        message = f"only {instances} programs of a user may watch files"
        yield Finding("inotify_instances", ok=False, message=message, cure=cure)
    else:
        yield Finding(
            "watching", ok=True, message=f"{folders:,} folders are watched (file system: {kind or 'unknown'})"
        )


def _limit(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None
