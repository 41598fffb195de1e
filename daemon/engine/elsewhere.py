"""What stands in other calendars of a file that is decided on in one: the event that it leaves, takes over or had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.core.fields import equal
from daemon.core.model import Activity, Base, when_of
from daemon.core.moving import has_more_to_say
from daemon.core.policy import PrivateEvents, Route
from daemon.core.privacy import is_private
from daemon.core.situation import Situation, others
from daemon.core.store import Ref, Seen
from daemon.journal import Journal, encoding
from daemon.journal.rows import EventRow, FileRow


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Looks from one route at the others. Reads the journal, writes nothing."""

    journal: Journal
    situation: Situation
    routes: Mapping[str, Route]

    def heir(self, file: FileRow, lost: EventRow) -> EventRow | None:
        """The event that a file is to be linked to when its own is gone: the same uid under another id.

        On the same route, or on any other; not where the journal may hold less of it than the file says.
        """
        uid = file.uid or lost.uid
        if not uid or not file.path or file.missing is not None or file.problem is not None:
            return None
        if not file.activity.local.sync:
            return None
        found = [one for one in self.journal.events.by_uid(uid) if self._inherits(one, file, lost)]
        return min(found, key=lambda one: (one.route != lost.route, one.id), default=None)

    def _inherits(self, event: EventRow, file: FileRow, lost: EventRow) -> bool:
        here = event.route == lost.route
        watched = event.file == file.id and event.role == "watched" and (here or _says_the_same(event, lost))
        route = self.routes.get(event.route, self.situation.route if here else None)
        known = self.journal.route(event.route)
        if known is None or known.disconnected or route is None:
            return False
        if event.gone or event.id == lost.id or not (event.file is None or watched):
            return False
        whole = route.private_events is PrivateEvents.FULL or (here and file.activity.local.masked)
        return (whole or lost.origin == "file" or not is_private(event.activity)) and bool(when_of(event.activity.view))

    def has_to_wait(self, file: FileRow, leading: EventRow) -> bool:
        """Whether the calendar that an activity leaves has an edit that has to come into the file first."""
        if leading.route not in self.routes:
            return False
        own = self.situation.own | self.situation.account_of(leading.route)
        there = replace(self.situation, own=own)
        if has_more_to_say(leading.base or Base(), leading.activity.view, there):
            return True
        return any((row.file, row.route) == (file.id, leading.route) for row in self.journal.conflicts.rows())

    def stood(self, file: FileRow) -> EventRow | None:
        """The event of a file in another calendar, where it was left when the file was synced no more."""
        found = self.journal.events.by_uid(file.uid) if file.uid else []
        here = self.situation.route.name
        left = [one for one in found if one.file is None and one.base_text is not None and not one.gone]
        return next((one for one in left if one.route != here and self._is_synced(one.route)), None)

    def _is_synced(self, route: str) -> bool:
        known = self.journal.route(route)
        return known is not None and not known.disconnected and route in self.routes

    def like(self, file: FileRow, leading: EventRow | None) -> Seen | None:
        """The event that a new one is to be made like: the one that the file leaves, or the last that it had."""
        if leading is None and file.uid:
            gone = [one for one in self.journal.events.by_uid(file.uid) if one.gone and one.raw]
            leading = max(gone, key=lambda one: one.seen_at, default=None)
        if leading is not None:
            return Seen(leading.ref, leading.activity, leading.raw)
        deleted = self.journal.history.deleted(file.uid) if self._was_deleted(file.uid) else None
        if deleted is None:
            return None
        before, raw = deleted
        view = {key: value for key, value in encoding.load_patch(before).items() if value is not None}
        return Seen(Ref(""), Activity(file.uid, view), raw)

    def _was_deleted(self, uid: str) -> bool:
        """Whether the log may tell of an event with this uid that is gone; cheap, for it is asked of every new one."""
        if not uid:
            return False
        buried = self.journal.tombstones.get(self.situation.route.name, uid)
        return buried is not None or self.journal.copies.removed(uid) is not None

    def would_mail(self, links: Sequence[EventRow]) -> bool:
        """Whether an activity stands in another calendar with guests, who would be told if it were moved."""
        return any(
            link.role == "primary" and not link.gone and others(link.activity.guests, self.situation.own)
            for link in links
        )

    def is_made(self, file: FileRow) -> bool:
        """Whether the event of a file stands in another calendar, which leads."""
        name = self.situation.route.name
        links = self.journal.events.of_file(file.id)
        return any(link.route != name and link.role == "primary" and not link.gone for link in links)


def _says_the_same(event: EventRow, other: EventRow) -> bool:
    """Whether one event was dragged to where the other is: a copy of its own may say something else."""
    one, two = event.activity.view, other.activity.view
    return all(equal(key, one.get(key), two.get(key)) for key in {*one, *two})
