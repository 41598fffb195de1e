"""Carries a folder between machines as Syncthing does: each side's changes and removals, file by file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

_OWN = ".datebook/tmp/"  # papers of one machine alone


def carry(folders: Sequence[Path], before: dict[str, bytes]) -> dict[str, bytes]:
    """Give every folder the changes of the others; returns what all of them hold now.

    `before` is what they held after the last time. Both sides changed one file: the later writing wins.
    """
    seen = [_content(folder) for folder in folders]
    after: dict[str, bytes] = {}
    for path in sorted({*before, *(name for one in seen for name in one)}):
        old = before.get(path)
        news = [(folder, one.get(path)) for folder, one in zip(folders, seen, strict=True) if one.get(path) != old]
        written = [(folder, raw) for folder, raw in news if raw is not None]
        value = max(written, key=lambda found: (found[0] / path).stat().st_mtime_ns)[1] if written else old
        if news and not written:
            value = None
        if value is not None:
            after[path] = value
    for folder, one in zip(folders, seen, strict=True):
        _put(folder, one, after, folders)
    return after


def _content(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(_OWN):
            found[name] = path.read_bytes()
    return found


def _put(folder: Path, there: dict[str, bytes], wanted: dict[str, bytes], folders: Sequence[Path]) -> None:
    for name in there.keys() - wanted.keys():
        (folder / name).unlink()
    for name, raw in wanted.items():
        if there.get(name) == raw:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = next(one / name for one in folders if (one / name).exists() and (one / name).read_bytes() == raw)
        part = target.with_name(f".syncthing.{target.name}.tmp")
        shutil.copy2(source, part)
        part.replace(target)
