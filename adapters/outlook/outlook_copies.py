"""Which of several items with one uid is the real one: copying in Outlook copies our property too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.outlook.outlook_item import OutlookItem
from adapters.outlook.outlook_properties import UID
from daemon.core.errors import Refused

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Copies:
    """Items by the uid that they carry. The oldest keeps it; `load` lists all that carry one, once.

    The order is that of creation, then of ids: every reader finds the same.
    """

    load: Callable[[], Iterable[OutlookItem]]
    _known: dict[str, dict[str, datetime]] = field(default_factory=dict)
    _carried: dict[str, str] = field(default_factory=dict)
    _loaded: bool = False

    def uid_of(self, item: OutlookItem) -> str:
        """The uid of an item: the one that it carries, or a new one where it is a copy; "": it carries none."""
        carried = item.properties.get(UID, "")
        if not carried:
            return ""
        if not self._loaded:
            # Of a service that can't be asked who carries a uid, copies are known once both were read.
            with suppress(Refused):
                for each in self.load():
                    self._note(each)
            self._loaded = True
        self._note(item)
        if self._oldest(carried) == item.id:
            return carried
        return item.uid if item.uid and item.uid != carried else _another(carried, item.id)

    def forget(self, ids: Iterable[str]) -> None:
        """Those items are gone: a copy may be the oldest now."""
        for gone in ids:
            self._known.get(self._carried.pop(gone, ""), {}).pop(gone, None)

    def keep(self, ids: Iterable[str]) -> None:
        """Those items are all that there are: the others went, even if nobody told so."""
        self.forget(self._carried.keys() - set(ids))

    def _note(self, item: OutlookItem) -> None:
        self.forget([item.id])
        carried = item.properties.get(UID, "")
        self._carried[item.id] = carried
        self._known.setdefault(carried, {})[item.id] = item.created or _LATEST

    def _oldest(self, uid: str) -> str:
        items = self._known[uid]
        return min(items, key=lambda known: (items[known], known))


def _another(uid: str, item_id: str) -> str:
    digest = hashlib.sha256(f"{uid}\n{item_id}".encode()).hexdigest()
    return f"{uid}-{digest[:12]}"
