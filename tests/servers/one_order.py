"""Single orders to a store, and the item as it stands there afterwards."""

from __future__ import annotations

from daemon.core.model import Patch
from daemon.core.store import Create, Outcome, Seen, Store, Update, Write, Written


def ordered(store: Store, write: Write) -> Outcome:
    """What became of one write."""
    [(_, outcome)] = store.write([write])
    return outcome


def seen(store: Store, item: str) -> Seen:
    """An item that is there and can be read."""
    [reading] = store.read([item])
    assert isinstance(reading, Seen), reading
    return reading


def made(store: Store, write: Create) -> Seen:
    """A new item, as it reads back."""
    outcome = ordered(store, write)
    assert isinstance(outcome, Written), outcome
    return seen(store, outcome.ref.id)


def update(store: Store, item: Seen, patch: Patch, *, uid: str = "", notify: bool = False) -> Outcome:
    """What became of a change of an item that was read."""
    return ordered(store, Update(item.ref, "t", patch, item.raw, item.activity.view, uid=uid, notify=notify))


def updated(store: Store, item: Seen, patch: Patch, *, notify: bool = False) -> Seen:
    """An item after a change that was carried out."""
    outcome = update(store, item, patch, notify=notify)
    assert isinstance(outcome, Written), outcome
    return seen(store, item.ref.id)
