"""Versions of Google's events: the ETag counts seconds, so the content has its part in the version too.

Google's ETag is the second of the last change: two changes within one second have the same one. A version
here is the ETag and a digest of the event, so that the second change is seen.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

_MARK = "#"
_STAMP = re.compile(rb"^DTSTAMP[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
_MODIFIED = re.compile(rb"^LAST-MODIFIED[^:\r\n]*:(\d{8}T\d{6})Z", re.MULTILINE | re.IGNORECASE)
_YOUNG = timedelta(minutes=2)  # far more than a second, for the clocks of both sides


def version_of(etag: str, raw: bytes) -> str:
    """The version of an event as it was read; "" where the server gave no ETag."""
    if not etag:
        return ""
    plain = _STAMP.sub(b"", raw.replace(b"\r\n", b"\n"))
    return f"{etag}{_MARK}{hashlib.blake2b(plain, digest_size=8).hexdigest()}"


def etag_in(version: str) -> str:
    """The ETag of a version, for If-Match."""
    return version.rpartition(_MARK)[0]


def is_young(raw: bytes, now: datetime) -> bool:
    """Whether an event changed so recently that its ETag may hide another change."""
    stamps = (_moment(found.decode()) for found in _MODIFIED.findall(raw))
    return any(stamp is not None and now - stamp < _YOUNG for stamp in stamps)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
