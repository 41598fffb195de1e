"""Which file an event in the store is about, by its name alone; and which folders are not watched."""

from __future__ import annotations

import re

OWN_FOLDER = ".datebook"  # the marker, the trash and what else Datebook keeps in the store

_ACTIVITY = (".yaml", ".yml", ".ics")

# vim (and nano -G): .NAME.swp, .swo ... .saa; emacs: .#NAME; LibreOffice: .~lock.NAME#; Kate: .NAME.kate-swp
_LOCKS = (
    re.compile(r"^\.(?P<held>.+)\.s[a-w][a-z]$"),
    re.compile(r"^\.#(?P<held>.+)$"),
    re.compile(r"^\.~lock\.(?P<held>.+)#$"),
    re.compile(r"^\.(?P<held>.+)\.kate-swp$"),
)


def is_watched_folder(name: str) -> bool:
    """Whether what lies in a folder of this name may be an activity: not in `.datebook`, not in `.git`."""
    return not name.startswith(".")


def is_activity_name(name: str) -> bool:
    """Whether a file of this name may be an activity, or is one that a replicator left behind."""
    return not name.startswith(".") and name.lower().endswith(_ACTIVITY)


def held_name(name: str) -> str | None:
    """The activity file that an editor holds with a lock or swap file of this name."""
    for pattern in _LOCKS:
        found = pattern.match(name)
        if found is not None and is_activity_name(found["held"]):
            return found["held"]
    return None
