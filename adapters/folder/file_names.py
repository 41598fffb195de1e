"""Names of files in the store: what is an activity, what is passed over, and what a new file may be called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

SUFFIXES = (".yaml", ".yml", ".ics")
HOME = ".datebook"
_PASSED_OVER = ("~", ".swp", ".tmp", ".bak")
_MAX_NAME = 200  # bytes of UTF-8
_ROOM = 8  # bytes for a number behind a taken name
_FORBIDDEN = re.compile(
    r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+'
)
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)")
_SUFFIX = re.compile(r"(?i)\.(yaml|yml|ics)$")  # a folder of such a name is not opened
_CONFLICT = ".sync-conflict-"
MAX_DEPTH = 20


def is_activity(name: str) -> bool:
    """Whether a file of this name is an activity."""
    return name.lower().endswith(SUFFIXES) and not is_ignored(name) and not is_conflict_copy(name)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is none of Datebook's affairs."""
    return name.startswith(".") or name.endswith(_PASSED_OVER) or name == "lost+found"


def is_conflict_copy(name: str) -> bool:
    """Whether another replicator left this file behind."""
    return _CONFLICT in name


def folded(name: str) -> str:
    """What a file system that does not tell case or Unicode forms apart takes a name for."""
    return (
        name.lower() if name.isascii() else unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    )


def all_folded(names: Iterable[str]) -> set[str]:
    """The same of many names in one go."""
    return set(folded("\0".join(names)).split("\0"))


def safe_place(place: str) -> str:
    """A relative path of an activity file that every file system can hold, from one that is wanted."""
    parts = [part for part in (_safe(p) for p in place.split("/")) if part]
    name = parts.pop() if parts else "activity"
    stem, suffix = _split(name)
    folders = [_cut(_SUFFIX.sub(r"-\1", part), _MAX_NAME) for part in parts[:MAX_DEPTH]]
    return "/".join([*folders, (_cut(stem, _MAX_NAME - len(suffix) - _ROOM) or "activity") + suffix])


def numbered(place: str, number: int) -> str:
    """The same path with a number behind the name: `call-2.yaml`."""
    stem, suffix = _split(place)
    return f"{stem}-{number}{suffix}"


def _split(name: str) -> tuple[str, str]:
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], suffix
    return name, SUFFIXES[0]


@lru_cache(maxsize=256)  # the folders of new files are few
def _safe(part: str) -> str:
    part = unicodedata.normalize("NFC", _FORBIDDEN.sub("-", part)).replace(_CONFLICT, "-")
    part = part.lstrip(". ").rstrip(". ~")
    while part.endswith(_PASSED_OVER):
        part = part[:-4].rstrip(". ~")
    return _DEVICES.sub(r"_\1", part, count=1) if _DEVICES.match(part) else part


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip(". ~")
