"""Memory that a daemon gives back: it sits for weeks, and a first sync or a long look is soon over."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# mallopt(3). One arena for all threads: they wait for services, not for memory.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_SETTINGS = ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, 128 << 10), (_MMAP_THRESHOLD, 64 << 10))


def give_memory_back() -> None:
    """Have the C library return what is freed to the system; call it before threads are made. Only glibc can."""
    with suppress(OSError, AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        for name, value in _SETTINGS:
            set_option(name, value)
