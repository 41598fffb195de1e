"""Hrefs of a CalDAV server as ids, and names for new resources.

An id is the path of the href, unquoted, so that `%40` and `@` are one item. What unquoting would make
ambiguous stays quoted in capitals: `%2F`, `%25`, control characters, bytes that are no UTF-8.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, urljoin, urlsplit

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%")
_KEPT = re.compile(r"[\x00-\x1f\x7f/%]")
_SAFE = "/%!$&'()*+,;=:@-._~"
_PLAIN_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+=:~-]{0,150}")


def to_id(href: str, base: str = "/") -> str:
    """The id that an href stands for; `base` is the path that a relative one is relative to."""
    path = href.strip()
    if "//" in path[:8]:
        path = urlsplit(path).path
    elif not path.startswith("/"):
        path = urljoin(to_href(base), path)
    return _ESCAPES.sub(_unquoted, path) if "%" in path else path


def to_href(item: str) -> str:
    """The path to ask for, quoted."""
    return quote(item, safe=_SAFE)


def resource_name(uid: str) -> str:
    """The name of a new resource: `UID.ics`, or a digest where the UID would make a hostile path."""
    if _PLAIN_UID.fullmatch(uid) and ".." not in uid:
        return f"{uid}.ics"
    return f"{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}.ics"


def _unquoted(match: re.Match[str]) -> str:
    run = match.group()
    if run == "%":
        return "%25"
    try:
        text = bytes.fromhex(run.replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return run.upper()
    return _KEPT.sub(lambda kept: f"%{ord(kept.group()):02X}", text)
