"""Observing the folder: which files are new, changed, moved, copied, gone or broken.

A file's identity is its uid; without one, its path; a moved file without a uid is known by its content.
What can't be looked at is never taken for missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from daemon.clock import Clock
from daemon.core import verdicts
from daemon.core.errors import Unreadable
from daemon.core.model import Activity, Field, text_of, when_of
from daemon.core.plan import Verdict
from daemon.core.routing import Choice
from daemon.core.store import Failed, Folder, Gone, Look, Seen, Stamp
from daemon.journal import Journal
from daemon.journal.rows import FileRow

Router = Callable[[Activity, str | None], Choice]
_AT_ONCE = 500  # files in one transaction


@dataclass(slots=True)
class Found:
    """What one look changed: the rows to decide on, and the reports that belong to no row."""

    changed: set[int] = field(default_factory=set)
    problems: dict[str, Unreadable] = field(default_factory=dict)


class FolderEyes:
    """Looks at the folder and tells the journal what it saw."""

    def __init__(self, folder: Folder, journal: Journal, router: Router, clock: Clock, *, shared: bool) -> None:
        self._folder = folder
        self._journal = journal
        self._router = router
        self._clock = clock
        self._shared = shared
        self._known: dict[str, Stamp] | None = None
        self.problems: dict[str, Unreadable] = {}

    def look(self, places: Collection[str] | None, *, full: bool) -> Found:
        """Look at these places, or everywhere; `full` reads every file. Raises Missing."""
        seen = self._folder.look(places)
        known = self._in_scope(places)
        to_read = [path for path, stamp in seen.stamps.items() if full or known.get(path) != stamp]
        lost = [path for path in known if path not in seen.stamps and not _unsure(path, seen)]
        found = Found()
        self._report(seen)
        if lost:
            self._lose(lost, found)
        for readings in _chunks(self._folder.read(to_read)):
            with self._journal.turn():
                for reading in readings:
                    self._take(reading, seen.stamps, found)
        return found

    def _stamps(self) -> dict[str, Stamp]:
        if self._known is None:
            with self._journal.turn():
                self._known = self._journal.files.stamps()
        return self._known

    def _in_scope(self, places: Collection[str] | None) -> Mapping[str, Stamp]:
        known = self._stamps()
        if places is None:
            return known
        exact = {place: known[place] for place in places if place in known}
        folders = tuple(f"{place.rstrip('/')}/" for place in places if place not in known)
        if folders:
            exact.update((path, stamp) for path, stamp in known.items() if path.startswith(folders))
        return exact

    def _report(self, seen: Look) -> None:
        problems = {problem.path: problem for problem in seen.problems}
        if seen.partial:
            self.problems.update(problems)
        else:
            self.problems = problems

    def _lose(self, lost: list[str], found: Found) -> None:
        with self._journal.turn():
            for path in lost:
                row = self._journal.files.by_path(path)
                if row is None:
                    self._stamps().pop(path, None)
                elif row.missing is None:
                    found.changed.add(row.id)
            self._journal.files.lost(lost, self._clock.now().timestamp())

    def _take(self, reading: Seen | Gone | Failed, stamps: Mapping[str, Stamp], found: Found) -> None:
        match reading:
            case Seen():
                self._seen(reading, stamps[reading.ref.id], found)
                self._stamps()[reading.ref.id] = stamps[reading.ref.id]
            case Gone(path):
                if path in self._stamps():
                    self._lose([path], found)
            case Failed(path, Unreadable() as problem):
                self._broken(path, stamps[path], problem, found)
                self._stamps()[path] = stamps[path]
            case Failed(path, error):
                self.problems[path] = Unreadable(str(error), code="not_readable", path=path)

    def _broken(self, path: str, stamp: Stamp, problem: Unreadable, found: Found) -> None:
        row = self._journal.files.by_path(path)
        text = dump_problem(problem)
        if row is None:
            self._journal.files.add_broken(path, stamp, text, self._clock.now().timestamp())
            return
        self._journal.files.broken(row.id, stamp, text)
        self._journal.files.judge(row.id, verdicts.BROKEN)
        found.changed.add(row.id)

    def _seen(self, seen: Seen, stamp: Stamp, found: Found) -> None:
        path, digest = seen.ref.id, seen.ref.version
        row = self._journal.files.by_path(path)
        if row is not None and row.digest == digest:
            self._journal.files.restamp(path, stamp)
            if row.missing is not None:
                self._journal.files.touch(row.id)
                found.changed.add(row.id)
            return
        row = self._whose(seen, row)
        now = self._clock.now().timestamp()
        activity = seen.activity
        if row is None:
            uid = "" if self._is_taken(activity.uid) else activity.uid
            if uid != activity.uid:
                activity = self._copied(seen)
            id_ = self._journal.files.add(uid, path, stamp, digest, activity, now)
        else:
            id_ = row.id
            if row.path != path:
                self._stamps().pop(row.path, None)
            self._journal.files.saw(row, path, stamp, digest, activity, now)
        found.changed.add(id_)

    def _whose(self, seen: Seen, at_path: FileRow | None) -> FileRow | None:
        """The activity that this file is; None: a new one."""
        uid = seen.activity.uid
        if at_path is not None and self._is_same(at_path, seen.activity):
            return at_path
        if at_path is not None:
            self._journal.files.lost([at_path.path], self._clock.now().timestamp())
            self._journal.files.moved_off(at_path.id)
        if uid:
            return next((row for row in self._journal.files.by_uid(uid) if not self._stands(row)), None)
        return next(iter(self._journal.files.by_digest(seen.ref.version)), None)

    def _is_same(self, row: FileRow, activity: Activity) -> bool:
        """Whether the file at a known path still is that activity."""
        if not row.uid or activity.uid == row.uid:
            return not (activity.uid and not row.uid and self._is_taken(activity.uid))
        if activity.uid:
            return False
        if not row.said_uid:
            return True
        before = row.activity
        same_subject = text_of(before.view, Field.SUBJECT) == text_of(activity.view, Field.SUBJECT)
        return same_subject or _day(before) == _day(activity)

    def _stands(self, row: FileRow) -> bool:
        """Whether a known file is still where it was; asks the folder where this look did not cover it."""
        if not row.path or row.missing is not None:
            return False
        if row.path in self._folder.look({row.path}).stamps:
            return True
        self._journal.files.lost([row.path], self._clock.now().timestamp())
        return False

    def _is_taken(self, uid: str) -> bool:
        return bool(uid) and any(self._stands(row) for row in self._journal.files.by_uid(uid))

    def _copied(self, seen: Seen) -> Activity:
        """A copy becomes a new activity; in a shared store nobody can say whose, so it is held."""
        if self._shared:
            self.problems[seen.ref.id] = Unreadable(
                "two files have the same uid",
                code="duplicate_uid",
                path=seen.ref.id,
                cure="Take the uid line out of the one that is the copy.",
            )
            return replace(seen.activity, local=replace(seen.activity.local, sync=False))
        return replace(seen.activity, uid="")

    def choose(self, changed: Iterable[int]) -> frozenset[str]:
        """Say for each changed file which route it belongs on; returns the routes that have something to do."""
        wake: set[str] = set()
        with self._journal.turn():
            for id_ in changed:
                row = self._journal.files.get(id_)
                if row is not None:
                    wake |= self._choose(row)
        return frozenset(wake)

    def _choose(self, row: FileRow) -> set[str]:
        links = self._journal.events.of_file(row.id)
        came_from = next((link.route for link in links if link.role == "primary"), None)
        choice = self._router(row.activity, came_from)
        self._journal.files.belong(row.id, choice.route)
        wake = {link.route for link in links}
        if choice.route is not None:
            wake.add(choice.route)
        if not wake:
            self._settle_here(row, choice.verdict)
        return wake

    def _settle_here(self, row: FileRow, verdict: Verdict | None) -> None:
        """It is in no calendar and goes to none."""
        if row.missing is not None:
            self._journal.files.forget(row.id)
            self._stamps().pop(row.path, None)
            return
        if verdict is not None and row.problem is None:
            self._journal.files.judge(row.id, verdict)
        self._journal.files.settle(row.id, row.rev)


def _day(activity: Activity) -> object:
    when = when_of(activity.view)
    if when is None:
        return None
    return when.start.date() if hasattr(when, "start") else when.first


def _unsure(path: str, look: Look) -> bool:
    return path in look.unsure or any(place.endswith("/") and path.startswith(place) for place in look.unsure)


def _chunks(readings: Iterator[Seen | Gone | Failed]) -> Iterator[list[Seen | Gone | Failed]]:
    chunk: list[Seen | Gone | Failed] = []
    for reading in readings:
        chunk.append(reading)
        if len(chunk) >= _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def dump_problem(problem: Unreadable) -> str:
    """A problem as the journal keeps it."""
    return json.dumps([problem.message, problem.code, problem.cure, problem.path, problem.line, problem.column])


def load_problem(text: str) -> Unreadable:
    """The reverse of `dump_problem`."""
    message, code, cure, path, line, column = json.loads(text)
    return Unreadable(message, code=code, cure=cure, path=path, line=line, column=column)
