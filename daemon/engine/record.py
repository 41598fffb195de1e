"""What the journal is told after a step: the new state of both rows, the base, one line of history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from daemon.clock import Clock
from daemon.core.merge import advance, apply_patch
from daemon.core.model import Base, Key, Pair, Patch
from daemon.core.plan import Clash, Side
from daemon.core.privacy import is_private
from daemon.core.store import Ref, Seen, Written
from daemon.core.tombstones import FILE_REMOVED, is_undone_by, yields
from daemon.engine.unit import Unit
from daemon.journal import Journal, encoding
from daemon.journal.rows import ConflictRow, EventRow, FileRow


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes down what was done on one route. Every method is called inside a turn of the journal."""

    route: str
    journal: Journal
    clock: Clock

    @property
    def now(self) -> float:
        """The moment, as the journal keeps it."""
        return self.clock.now().timestamp()

    def event_made(self, file: FileRow, uid: str, view: str, written: Written, base: str) -> set[str]:
        """An event now stands for a file; what was sent is what is known of it. View and base are encoded already.

        Returns the routes on which it is to be taken down now.
        """
        self.journal.events.made(self.route, written, uid, view, file.id, base, self.now)
        self.journal.tombstones.drop(self.route, uid)
        self.journal.backlog_drop(file.id, self.route)
        return self.lead(file.id)

    def lead(self, file: int) -> set[str]:
        """The newest link leads; one that stood elsewhere before is to be taken down there."""
        moved = set()
        for link in self.journal.events.links(file):
            if link.route != self.route and link.role == "primary":
                self.journal.events.demote(link.id, "moved")
                moved.add(link.route)
            elif link.role == "moved":
                moved.add(link.route)
        return moved

    def event_changed(
        self, event: EventRow, patch: Patch, written: Written, agrees: Mapping[Key, Pair], overlay: Patch
    ) -> None:
        """Keys of an event were changed."""
        fresh = self.journal.events.get(event.id) or event
        base = replace(advance(fresh.base or Base(), agrees), overlay=overlay)
        activity = replace(fresh.activity, view=apply_patch(fresh.activity.view, patch))
        self.journal.events.wrote(event.id, Seen(written.ref, activity, written.raw), base, self.now)

    def event_deleted(self, event: EventRow, reason: str, *, remember: bool) -> None:
        """An event was deleted by us, and its link with it."""
        file = self.journal.files.get(event.file) if event.file is not None else None
        is_back = is_undone_by(reason, is_scheduled=file is not None and file.missing is None and file.is_scheduled)
        if remember and event.uid and not is_back:
            self.journal.tombstones.put(self.route, event.uid, event.remote, reason, self.now)
        self.journal.events.forget(event.id)
        if file is not None:
            self.drop_missing(file.id)
        if file is not None and is_back:
            self.journal.files.returned(file.id)

    def drop_missing(self, file: int, reason: str = FILE_REMOVED) -> None:
        """A file that is not there and is linked to nothing is forgotten."""
        row = self.journal.files.get(file)
        if row is None:
            return
        self._succeed(file, reason, is_there=row.missing is None)
        if (row.missing is not None or not row.path) and not self.journal.events.of_file(file):
            self.journal.files.forget(file)

    def _succeed(self, file: int, reason: str, *, is_there: bool) -> None:
        """With no leading link any more, a watched event is met anew; the file of a removed one does not come back."""
        links = self.journal.events.of_file(file)
        if any(link.role != "watched" for link in links):
            return
        for link in links:
            self.journal.events.unlink(link.id)
            if is_there or yields(reason):
                self.journal.events.touch(link.id)
            else:
                self.journal.tombstones.put(link.route, link.uid, link.remote, reason, self.now)

    def trashed(self, event: EventRow, reason: str) -> None:
        """The file followed its event. What was agreed on is kept for the day on which the event is there again."""
        self.unlinked(event, reason, tombstone=True, keep=not is_private(event.activity))

    def unlinked(
        self, event: EventRow, reason: str, *, tombstone: bool, remember: bool = False, keep: bool = False
    ) -> None:
        """They are no longer kept in step; nothing is deleted. `keep`: an event that is gone is not forgotten."""
        file = event.file
        if tombstone and event.uid:
            self.journal.tombstones.put(self.route, event.uid, event.remote, reason, self.now)
        if event.gone and not keep:
            self.journal.events.forget(event.id)
        else:
            self.journal.events.unlink(event.id, remember=remember or keep)
            self.journal.events.settle(event.id, event.rev)
        if file is not None:
            self.drop_missing(file, reason if yields(reason) else FILE_REMOVED)

    def file_named(self, file: FileRow, ref: Ref, uid: str) -> None:
        """The line of its uid was added to a file."""
        fresh = self.journal.files.get(file.id) or file
        text = encoding.activity_named(fresh.text, uid)
        if text is not None and (fresh.path, fresh.uid) == (ref.id, uid):
            self.journal.files.named(file.id, ref.version, text)
        else:
            self.journal.files.wrote(file.id, ref.id, ref.version, replace(fresh.activity, uid=uid), uid=uid)

    def file_changed(self, file: FileRow, ref: Ref, patch: Patch) -> None:
        """Lines of a file were changed by us."""
        fresh = self.journal.files.get(file.id) or file
        before = fresh.activity
        activity = replace(before, view=apply_patch(before.view, patch))
        self.journal.files.wrote(file.id, ref.id, ref.version, activity, uid=fresh.uid)
        known = self.journal.replaced.of(file.id, 0)
        for key, value in patch.items():
            old, name = before.view.get(key), encoding.dump_key(key)
            text = None if old is None else encoding.dump_view({key: old})
            if name in known and known[name] == text:
                self.journal.replaced.drop(file.id, [name])  # an old buffer, once: a second such save is believed
            elif key in before.view or value is not None:
                self.journal.replaced.put(file.id, name, text, self.now)

    def file_said(self, file: FileRow, ref: Ref, says: Mapping[str, str | None]) -> None:
        """A key that never travels was set in a file by us: no edit of its user's."""
        before = (self.journal.files.get(file.id) or file).activity
        done = before.local.done or says.get("done") == "true"
        local = replace(before.local, done=done, masked=says.get("masked", before.local.masked) in {"true", True})
        self.journal.files.wrote(file.id, ref.id, ref.version, replace(before, local=local), uid=file.uid)

    def agreed(self, event: EventRow, agrees: Mapping[Key, Pair]) -> None:
        """What both sides agree on has moved."""
        fresh = self.journal.events.get(event.id) or event
        self.journal.events.agree(event.id, advance(fresh.base or Base(), agrees))

    def clashes(self, unit: Unit) -> None:
        """Keep the open conflicts of a file, and the losers of those that were decided."""
        if unit.file is None:
            return
        open_keys = []
        for clash in unit.decision.clashes:
            name = encoding.dump_key(clash.key)
            if clash.chosen is None:
                open_keys.append(name)
                self.journal.conflicts.put(self._conflict(unit.file.id, name, clash))
            else:
                self._loser(unit.file, clash)
            if clash.old_buffer:
                self.journal.conflicts.show(self._conflict(unit.file.id, name, clash))
        self.journal.conflicts.keep_open(unit.file.id, self.route, open_keys)

    def _conflict(self, file: int, name: str, clash: Clash) -> ConflictRow:
        chosen = clash.chosen.value if clash.chosen else None
        return ConflictRow(
            file, self.route, name, _one(clash.key, clash.file), _one(clash.key, clash.calendar), chosen, self.now
        )

    def _loser(self, file: FileRow, clash: Clash) -> None:
        winner, loser = (clash.file, clash.calendar)
        if clash.chosen is Side.CALENDAR:
            winner, loser = loser, winner
        side = clash.chosen.other if clash.chosen else Side.FILE
        why = "an old buffer was saved" if clash.old_buffer else "both changed it"
        self.history(file, side, "conflict", "datebook", why, {clash.key: loser}, {clash.key: winner})

    def history(  # noqa: PLR0913, PLR0917  one line of the log
        self,
        file: FileRow | None,
        side: Side,
        action: str,
        by: str,
        reason: str,
        before: Patch | str,
        after: Patch | str,
        raw: bytes | None = None,
        uid: str = "",
        *,
        approved: bool = False,
    ) -> None:
        """Append one line to the log; a text is a patch that is encoded already."""
        self.journal.history.add(
            [
                (
                    self.now,
                    self.route,
                    file.id if file else None,
                    file.path if file else "",
                    uid or (file.uid if file else ""),
                    side.value,
                    action,
                    by,
                    reason,
                    before if isinstance(before, str) else encoding.dump_view(before),
                    after if isinstance(after, str) else encoding.dump_view(after),
                    raw,
                    approved,
                )
            ]
        )


def _one(key: Key, value: object) -> str | None:
    return None if value is None else encoding.dump_view({key: value})  # type: ignore[dict-item]  # a Clash holds Values
