"""The store's marker: says whose folder this is, so that an empty mount point is never taken for an emptied store."""

from __future__ import annotations

import os
from pathlib import Path

from adapters.activity.activity_values import BadValue, truth
from adapters.activity.yaml_tree import Scalar, Table, YamlFault, compose
from adapters.activity.yaml_write import Text, block_entry
from adapters.folder.atomic_files import (
    MAX_BYTES,
    Directories,
    NotAFile,
    move_new,
    read_file,
    remove,
    sync_folder,
    write_new,
)
from adapters.folder.file_names import HOME
from daemon.core.errors import FolderMissing, StoreError
from daemon.core.store import Marker

MARKER = "store.yaml"
_HEAD = "# Datebook knows its store by this file. Do not delete it, nor copy it into another folder.\n"


def make_marker(root: Path, marker: Marker, *, replace: bool = False) -> None:
    """Make the store's folder and its marker. Raises FileExistsError where there is one, unless told to replace it.

    Never call it because the marker of a known store is missing: the disk is probably not mounted.
    """
    root.mkdir(parents=True, exist_ok=True)
    text = _HEAD + "".join(
        block_entry(key, value, 0, "\n")
        for key, value in (
            ("id", Text(marker.store_id)),
            ("timezone", Text(marker.timezone, word=True)),
            ("shared", Text("true" if marker.shared else "false", word=True)),
        )
    )
    with Directories(root) as dirs:
        home = dirs.folder(HOME, make=True)
        fresh = f"{MARKER}.{os.getpid()}.tmp"
        remove(home, fresh)
        write_new(home, fresh, text.encode())
        try:
            if replace:
                os.rename(fresh, MARKER, src_dir_fd=home, dst_dir_fd=home)
            else:
                move_new(home, fresh, home, MARKER)
        finally:
            remove(home, fresh)
        sync_folder(home)
        sync_folder(dirs.root)


def read_marker(dirs: Directories) -> Marker | None:
    """What the marker says; None where there is none. Raises StoreError for a damaged one."""
    try:
        raw = read_file(dirs.folder(HOME), MARKER, MAX_BYTES).raw
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotAFile as error:
        raise StoreError(f"the store's marker {HOME}/{MARKER} is {error.strerror}") from None
    try:
        return _marker_of(raw)
    except (YamlFault, UnicodeDecodeError, BadValue, KeyError):
        raise StoreError(f"the store's marker {HOME}/{MARKER} is damaged: bring it back from a backup") from None


def _marker_of(raw: bytes) -> Marker:
    root = compose(raw.decode())
    said = (
        {key.text: node.text for key, node in root.entries if isinstance(node, Scalar)}
        if isinstance(root, Table)
        else {}
    )
    return Marker(said["id"], said["timezone"], truth(said.get("shared", "false")))


def missing(root: Path, what: str) -> FolderMissing:
    """The report about a store whose folder or marker is not there."""
    return FolderMissing(
        f"{what} of the store {root} is not there; nothing is synced and nothing is deleted",
        store=str(root),
        what_to_do=(
            f"Mount the disk that holds {root}, or put the folder back. Do not make a new store or marker there "
            "while the folder is empty: Datebook would take every activity for deleted."
        ),
    )
