"""What Google keeps of an event that it was sent: nobody has said so, and it is looked at.

Of PRIORITY, CLASS, CATEGORIES, CONFERENCE, the finer words for busy and the alarms it is not known whether
they survive a PUT. The first event that has one of them is read back at once; what is not there then was
dropped by Google and not by its user, and is never taken for an edit.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from adapters.dav.caldav_reading import Reader
from adapters.ics import ics_codec
from daemon.core.errors import StoreError, Unavailable, Unreadable
from daemon.core.fields import default, equal
from daemon.core.model import Field, Key, Value
from daemon.core.store import Create, Failed, Outcome, Seen, Update, Written

DOUBTFUL = frozenset({Field.MEETING_URL, Field.BUSY, Field.PRIVATE, Field.PRIORITY, Field.REMINDERS, Field.CATEGORIES})
_Word = tuple[Field, Value | None]


@dataclass(slots=True)
class Keeping:
    """What one calendar was seen to keep, since the program began. Thread-safe."""

    _kept: set[_Word] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seen(self, write: Create | Update, written: Written, reader: Reader) -> Outcome:
        """The outcome of a write, with the keys that Google did not keep.

        Where Google can't be asked, the outcome is uncertain: who settles it later looks for what was dropped.
        """
        said = write.view if isinstance(write, Create) else write.patch
        doubtful = {key: value for key, value in said.items() if value is not None and self._is_doubtful(key, value)}
        if not doubtful:
            return written
        try:
            sent = ics_codec.read(written.raw, zone=reader.zone, types=reader.types).view
            there = reader.one(written.ref.id)
        except Unavailable as error:
            return _in_doubt(error)
        except (StoreError, Unreadable):
            return replace(written, dropped=frozenset(doubtful))
        if isinstance(there, Failed) and isinstance(there.error, Unavailable):
            return _in_doubt(there.error)
        if not isinstance(there, Seen):
            return replace(written, dropped=frozenset(doubtful))
        # What somebody has changed since can't be told from what was dropped: then both sides keep what they have.
        dropped = frozenset(key for key in doubtful if not _same(key, sent, there.activity.view))
        with self._lock:
            self._kept |= {_word(key, value) for key, value in doubtful.items() if key not in dropped}
        return replace(written, dropped=dropped)

    def _is_doubtful(self, key: Key, value: Value) -> bool:
        if key.field not in DOUBTFUL or value == default({}, key.field):
            return False
        with self._lock:
            return _word(key, value) not in self._kept


def _word(key: Key, value: Value) -> _Word:
    """What was kept: the field, and of a choice among words the very word."""
    return key.field, value if isinstance(value, Enum) else None


def _in_doubt(error: Unavailable) -> Unavailable:
    return Unavailable(
        str(error), store=error.store, ref=error.ref, after=error.after, throttled=error.throttled, uncertain=True
    )


def _same(key: Key, sent: Mapping[Key, Value], there: Mapping[Key, Value]) -> bool:
    return equal(key, sent.get(key), there.get(key))
