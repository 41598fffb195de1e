"""Which config somebody read: enough to tell whether the file says something else by now."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(path: Path) -> str:
    """The same text for the same bytes; "" where there is nothing to read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
