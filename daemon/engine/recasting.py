"""Applies a mode of private events to what is there: the file, its name, the journal, the trash, the log.

What was begun shows in what both sides agreed on, so that a daemon that was killed half-way does it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Protocol

from daemon.clock import Clock
from daemon.core import verdicts
from daemon.core.errors import SyncError
from daemon.core.model import Base, Blank, Field, Key, Pair, View
from daemon.core.plan import Recast
from daemon.core.policy import PrivateEvents
from daemon.core.privacy import conceal
from daemon.core.projection import BUSY_SUBJECT
from daemon.core.situation import Situation
from daemon.core.store import Folder, Ref, Seen, Update, Written
from daemon.engine.unit import Unit
from daemon.journal import Journal, encoding
from daemon.journal.rows import EventRow, FileRow


class Closet(Folder, Protocol):
    """What the folder can do for privacy, beside reading and writing."""

    def move(self, path: str, place: str) -> str:
        """Give a file another name, or one like it where that is taken; its path."""

    def bring_back(self, uid: str, reason: str) -> str:
        """Take the newest file of a uid back that went to the trash for this reason; its path, "": there is none."""

    def says_more(self, path: str) -> bool:
        """Whether a file has keys of its user's own, which never leave the folder."""

    def erase(self, path: str) -> None:
        """Remove a file for good, past the trash."""

    def make_secret(self, path: str) -> None:
        """Let its user alone read a file."""

    def purge_trash(self, uid: str) -> None:
        """Erase what the trash holds of an activity."""


@dataclass(frozen=True, slots=True)
class Recaster:
    """Carries out the `Recast` steps of one route."""

    closet: Closet
    journal: Journal
    clock: Clock
    situation: Situation

    def run(self, units: Sequence[Unit]) -> list[Unit]:
        """Carry out those that are not held; the units that are left for others."""
        mine = [unit for unit in units if unit.decision.hold is None and _step_of(unit)]
        if not any(unit.decision.hold is not None and _step_of(unit) for unit in units):
            self._forget_remnants()  # with what is there, after its preview
        if not mine:
            return list(units)
        for unit in mine:
            step = _step_of(unit)
            if step is not None and unit.file is not None and unit.event is not None:
                self._one(unit, unit.file, unit.event, step)
        self.journal.purge()
        done = {id(unit) for unit in mine}
        return [unit for unit in units if id(unit) not in done]

    def _forget_remnants(self) -> None:
        """Once for each change of the mode: what the journal and the trash hold of private events without a file."""
        route, mode = self.situation.route.name, self.situation.route.private_events
        mark = f"private events of {route}"
        if self.journal.get_meta(mark) == mode.value:
            return
        if mode is not PrivateEvents.FULL:
            with self.journal.turn():
                uids = self.journal.scrub.remnants(route)
                for id_, uid, seen in self.journal.scrub.unlinked(route):
                    known = conceal(Seen(Ref(""), encoding.load_activity(seen), b" "), mode)
                    if not known.raw:
                        self.journal.scrub.event(id_, known, None)
                        uids.append(uid)
                for uid in uids:
                    self.journal.scrub.history(0, uid, "")
                    self.journal.scrub.copies(0, uid)
            for uid in uids:
                self.closet.purge_trash(uid)
            self.journal.purge()
        self.journal.set_meta(mark, mode.value)

    def _one(self, unit: Unit, file: FileRow, event: EventRow, step: Recast) -> None:
        path = self.closet.move(file.path, step.place) if step.place else file.path
        if step.view is None and not self.closet.says_more(path):
            self._forget(unit, file, event, path)  # first, or a killed daemon would take it for its user's deletion
            self.closet.erase(path)
            return
        view = step.view if step.view is not None else {Key(Field.SUBJECT): BUSY_SUBJECT}
        if step.secret:
            self.closet.make_secret(path)
        masked = step.masked
        patch = {key: view.get(key) for key in {*file.activity.view, *view}}
        token = blake2b(unit.signature.encode(), digest_size=16).hexdigest()
        write = Update(Ref(path, file.digest), token, patch, says={"masked": "true" if masked else None})
        outcome = next(iter(self.closet.write([write])))[1]
        self.closet.forget([write.token])
        if not isinstance(outcome, Written):
            raise outcome if isinstance(outcome, SyncError) else AssertionError(outcome)
        local = replace(file.activity.local, masked=masked)
        shown = replace(file.activity, view=view, local=local)
        with self.journal.turn():
            self.journal.files.wrote(file.id, path, outcome.ref.version, shown, uid=file.uid)
            self._scrub(unit, file, event, path, view if step.view is not None else None)
            self.journal.files.judge(file.id, verdicts.SYNCED if step.view is not None else verdicts.PRIVATE_SKIPPED)
        self.closet.purge_trash(file.uid)

    def _forget(self, unit: Unit, file: FileRow, event: EventRow, path: str) -> None:
        with self.journal.turn():
            self.journal.files.forget(file.id)
            self._scrub(unit, file, event, path, None)
        self.closet.purge_trash(file.uid)

    def _scrub(self, unit: Unit, file: FileRow, event: EventRow, path: str, view: View | None) -> None:
        """What the journal may hold from here on; `view` None: the two are linked no more."""
        seen = conceal(Seen(event.ref, event.activity, event.raw), self.situation.route.private_events)
        base = None if view is None else Base({key: _pair(key, view, seen) for key in {*view, *seen.activity.view}})
        self.journal.scrub.event(event.id, seen, base)
        self.journal.scrub.history(file.id, file.uid, path)
        self.journal.scrub.memory(file.id)
        self.journal.scrub.copies(file.id, file.uid)
        self.journal.holds.spend([unit.signature])
        self.journal.files.settle(file.id, file.rev)
        self.journal.events.settle(event.id, event.rev)


def _step_of(unit: Unit) -> Recast | None:
    return next((step for step in unit.decision.steps if isinstance(step, Recast)), None)


def _pair(key: Key, view: View, seen: Seen) -> Pair:
    return Pair(view.get(key, Blank.ABSENT), seen.activity.view.get(key, Blank.ABSENT))
