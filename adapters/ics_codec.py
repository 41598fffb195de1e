"""iCalendar <-> Activity: reads a calendar object, writes a new one, patches one line by line (RFC 5545, 7986)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.ics_series import load
from daemon.core.model import Activity

__all__ = ["peek_uid", "read"]


def read(raw: bytes, *, zone: str, types: Sequence[str] = (), path: str = "") -> Activity:
    """One activity from one calendar object. Raises Unreadable.

    `zone` is that of floating times; `types` are the words of the config, of which the first among the
    categories is the type.
    """
    return load(raw, zone=zone, types=types, path=path).activity()


_MARKS = re.compile(
    rb"^(?:(BEGIN|END):[ \t]*([A-Z0-9-]+)|UID[^:\r\n]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*))", re.IGNORECASE | re.MULTILINE
)


def peek_uid(raw: bytes) -> str:
    """The UID of the first event, without reading the rest; "" where there is none."""
    inside: list[bytes] = []
    for found in _MARKS.finditer(raw):
        mark, name, uid = found.groups()
        if mark is None:
            if inside[-1:] == [b"VEVENT"]:
                return re.sub(rb"\r?\n[ \t]", b"", uid).strip().decode("utf-8", "replace")
        elif mark.upper() == b"BEGIN":
            inside.append(name.upper())
        elif inside:
            inside.pop()
    return ""
