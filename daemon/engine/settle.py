"""After a crash, or an answer that was lost: what became of the writes that are open in the journal.

The other side is asked, and compared with what was meant by fields: equal to the intended means done, so
that what its user edits between the crash and the restart is an edit and no conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from daemon.clock import Clock
from daemon.core.errors import Refused, Unreadable
from daemon.core.fields import equal
from daemon.core.merge import advance
from daemon.core.model import Base, Blank, Field, Half, Key, Pair, Patch, View
from daemon.core.moving import MOVED
from daemon.core.plan import Side
from daemon.core.store import Capabilities, Failed, Folder, Gone, Reading, Seen, Store
from daemon.engine.record import Recorder
from daemon.journal import Journal, encoding
from daemon.journal.rows import EventRow, Intent


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles what a killed daemon or a lost answer left open."""

    journal: Journal
    clock: Clock

    def files(self, folder: Folder) -> int:
        """Settle open writes to the folder, and sweep what they left; returns how many there were."""
        with self.journal.turn():
            intents = self.journal.intents.open(Side.FILE)
        for intent in intents:
            happened = folder.happened(intent.token)
            with self.journal.turn():
                if happened:
                    self._file_done(intent)
                else:
                    self._file_not_done(intent)
                self.journal.intents.drop([intent.token])
        folder.forget([intent.token for intent in intents])
        folder.sweep(())
        return len(intents)

    def _file_not_done(self, intent: Intent) -> None:
        if intent.kind != "create" or intent.file is None:
            return
        row = self.journal.files.get(intent.file)
        if row is not None and not row.path and not self.journal.events.of_file(row.id):
            self.journal.files.forget(row.id)

    def _file_done(self, intent: Intent) -> None:
        """The row's content is read again by the next look; here only what was agreed moves."""
        event = self.journal.events.get(intent.event) if intent.event is not None else None
        file = self.journal.files.get(intent.file) if intent.file is not None else None
        record = Recorder(intent.route, self.journal, self.clock)
        agrees = encoding.load_pairs(intent.agrees)
        match intent.kind:
            case "create" if event is not None and file is not None:
                self.journal.events.link(event.id, file.id, Base(agrees))
                self.journal.files.unseen(file.id, self.clock.now().timestamp())
                record.history(file, Side.FILE, "create", "calendar", intent.reason, {}, intent.meant, uid=intent.uid)
            case "update" if event is not None:
                record.agreed(event, agrees)
                record.history(file, Side.FILE, "update", "calendar", intent.reason, {}, intent.meant)
            case "delete" | "finish" if event is not None:
                before = dict(file.activity.view) if file else {}
                record.history(file, Side.FILE, "trash", "calendar", intent.reason, before, {}, uid=event.uid)
                if file is not None and intent.kind == "delete":
                    self.journal.files.lost([file.path], self.clock.now().timestamp())
                    record.trashed(event, intent.reason)
                else:
                    record.unlinked(event, intent.reason, tombstone=True)
            case _:
                pass

    def events(self, route: str, store: Store) -> int:
        """Settle open writes to a calendar; returns how many there were. Raises the error of a service away."""
        with self.journal.turn():
            intents = self.journal.intents.open(Side.CALENDAR, route)
        for intent in intents:
            # One item that can't be read stays in question, and is left alone; the others go on.
            with suppress(Refused, Unreadable):
                self._ask(intent, store)
        return len(intents)

    def _ask(self, intent: Intent, store: Store) -> None:
        if intent.kind == "create":
            self._created(intent, store.find(intent.uid, intent.token), store.capabilities.may_drop)
        else:
            self._changed(intent, store)

    def _created(self, intent: Intent, reading: Reading | None, may_drop: frozenset[Field]) -> None:
        if isinstance(reading, Failed):
            raise reading.error
        with self.journal.turn():
            file = self.journal.files.get(intent.file) if intent.file is not None else None
            if isinstance(reading, Seen) and file is not None:
                agrees = _kept(encoding.load_pairs(intent.agrees), reading.activity.view, may_drop)
                overlay = encoding.load_patch(intent.overlay or "{}")
                now = self.clock.now().timestamp()
                self.journal.events.saw(intent.route, [reading], now, backlog=False)
                event = self.journal.events.by_remote(intent.route, reading.ref.id)
                if event is not None:
                    self.journal.events.link(event.id, file.id, Base(agrees, overlay), origin="file")
                    Recorder(intent.route, self.journal, self.clock).lead(file.id)
                if intent.event is not None and (event is None or event.id != intent.event):
                    self.journal.events.forget(intent.event)  # the deleted one that it stands for
                self.journal.files.give_uids([(intent.uid, file.id)])
                self.journal.files.touch(file.id)
                self._log(intent, "create", {}, reading.activity.view, uid=intent.uid)
            self.journal.intents.drop([intent.token])

    def _changed(self, intent: Intent, store: Store) -> None:
        event = self.journal.events.get(intent.event) if intent.event is not None else None
        if event is None:
            with self.journal.turn():
                self.journal.intents.drop([intent.token])
            return
        reading = next(iter(store.read([event.remote])))
        if isinstance(reading, Failed):
            raise reading.error
        with self.journal.turn():
            if isinstance(reading, Gone):
                self._found_gone(intent, event)
            else:
                self._found(intent, event, reading, store.capabilities)
            self.journal.intents.drop([intent.token])

    def _found_gone(self, intent: Intent, event: EventRow) -> None:
        if intent.kind == "delete":
            self._log(intent, "delete", dict(event.activity.view), {}, raw=event.raw)
            Recorder(intent.route, self.journal, self.clock).event_deleted(
                event, intent.reason, remember=intent.reason != MOVED
            )
        else:
            self.journal.events.distrust(event.id)  # the poll asks for it again: its whole calendar may not be there

    def _found(self, intent: Intent, event: EventRow, seen: Seen, calendar: Capabilities) -> None:
        """It is there. An update was carried out if what is there says what was meant."""
        before = dict(event.activity.view)
        self.journal.events.saw(intent.route, [seen], self.clock.now().timestamp(), backlog=False)
        if intent.kind != "update":
            return
        meant = intent.meant
        done = _done(meant, before, seen.activity.view, whole=calendar.whole_series)
        untouched = bool(intent.expect) and seen.ref.version == intent.expect
        if not done or (untouched and len(done) < len(meant)):
            return
        all_done = len(done) == len(meant)
        agrees = encoding.load_pairs(intent.agrees)
        moved = agrees if all_done else {key: pair for key, pair in agrees.items() if key in done}
        base = advance(event.base or Base(), _kept(moved, seen.activity.view, calendar.may_drop))
        if all_done:
            base = replace(base, overlay=encoding.load_patch(intent.overlay or "{}"))
        self.journal.events.agree(event.id, base)
        self._log(intent, "update", {key: before.get(key) for key in done}, {key: meant[key] for key in done})

    def _log(  # noqa: PLR0913  one line of the log
        self, intent: Intent, action: str, before: Patch, after: Patch, *, raw: bytes | None = None, uid: str = ""
    ) -> None:
        file = self.journal.files.get(intent.file) if intent.file is not None else None
        record = Recorder(intent.route, self.journal, self.clock)
        record.history(file, Side.CALENDAR, action, "user", intent.reason, before, after, raw, uid=uid)


def _kept(agrees: Mapping[Key, Pair], there: View, may_drop: frozenset[Field]) -> dict[Key, Pair]:
    """What is agreed, where the calendar has no half of what the service did not keep, as far as one can see.

    Whether somebody has taken it away since can't be told from that: then both sides keep what they have.
    """
    return {
        key: Pair(pair.file, Blank.UNHELD) if _is_dropped(key, pair.calendar, there, may_drop) else pair
        for key, pair in agrees.items()
    }


def _is_dropped(key: Key, sent: Half, there: View, may_drop: frozenset[Field]) -> bool:
    if key.field not in may_drop or isinstance(sent, Blank):
        return False
    return not equal(key, there.get(key), sent)


def _done(meant: Patch, before: View, now: View, *, whole: bool) -> list[Key]:
    """The keys of an update that took effect.

    What is written of one instance (`whole`: of the series) is written in one go: where one key shows that, the
    others were there too, and say something else only because somebody has edited them since.
    """
    there = {key for key, value in meant.items() if equal(key, now.get(key), value)}
    landed = {key.instance for key in there if not equal(key, before.get(key), meant[key])}
    return [key for key in meant if key in there or key.instance in landed or (whole and landed)]
