"""Observing the folder: which files are new, changed, moved, copied, gone or broken.

A file's identity is its uid; without one, its path; a moved file without a uid is known by its content.
What can't be looked at is never taken for missing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from daemon.clock import Clock
from daemon.core import verdicts
from daemon.core.errors import Unreadable
from daemon.core.model import Activity
from daemon.core.store import Failed, Folder, Gone, Look, Reading, Seen, Stamp
from daemon.engine.belonging import Belonging, Router
from daemon.engine.identity import Registrar, Unsure
from daemon.journal import Journal
from daemon.journal.rows import FileRow

LOOKED = "looked"  # set once the whole folder has been read
_UNSEEN = Stamp(0, 0, 0, 0)  # of a file that was made and not looked at yet
_AT_ONCE = 500  # files in one transaction


@dataclass(slots=True)
class Found:
    """What one look changed: the rows to decide on, and the reports that belong to no row."""

    changed: set[int] = field(default_factory=set)
    routed: set[int] = field(default_factory=set)  # those that were new, and belong on a route since they were read
    problems: dict[str, Unreadable] = field(default_factory=dict)

    def note(self, id_: int, *, routed: bool = False) -> None:
        """Something new was seen of a file; unless it is `routed`, where it belongs is still to be said."""
        self.changed.add(id_)
        if routed:
            self.routed.add(id_)
        else:
            self.routed.discard(id_)


class FolderEyes:
    """Looks at the folder and tells the journal what it saw."""

    def __init__(self, folder: Folder, journal: Journal, router: Router, clock: Clock, *, shared: bool) -> None:
        self._folder = folder
        self._journal = journal
        self._router = router
        self._clock = clock
        self._shared = shared
        self._known: dict[str, Stamp] | None = None
        self._made: set[str] = set()
        self._watched = False  # whether the last look was at places that were just written
        self._belonging = Belonging(journal, router, lambda path: self._stamps().pop(path, None))
        self.problems: dict[str, Unreadable] = {}

    def look(self, places: Collection[str] | None, *, full: bool) -> Found:
        """Look at these places, or everywhere; `full` reads every file. Raises Missing."""
        found = Found()
        try:
            self._look(found, places, full=full)
        except BaseException:
            self._known = None  # what was noted in vain is read again
            raise
        finally:
            self._belonging.note(found.changed - found.routed)
        return found

    def _look(self, found: Found, places: Collection[str] | None, *, full: bool) -> None:
        self._watched = places is not None
        made, self._made = self._made, set()
        for path in made:
            self._stamps().setdefault(path, _UNSEEN)
        seen = self._folder.look(places)
        self._stamps(seen.stamps)
        known = self._in_scope(places)
        if not full and seen.stamps == known:  # the usual case
            self._report(seen, places)
            return
        to_read = [path for path, stamp in seen.stamps.items() if full or known.get(path) != stamp]
        lost = _lost(known, seen, to_read)
        self._report(seen, places)
        if lost:
            self._lose(lost, found)
        put_off: list[Reading] = []
        for readings in _chunks(self._folder.read(self._news(to_read, seen.stamps))):
            with self._journal.turn():
                put_off += [r for r in readings if not self._take(r, seen.stamps, found, last=False)]
        if put_off:
            with self._journal.turn():
                for reading in put_off:
                    self._take(reading, seen.stamps, found, last=True)
        if lost:
            self._ask_strays(found)
        if places is None and self._journal.get_meta(LOOKED) is None:
            self._journal.set_meta(LOOKED, "1")

    def _news(self, paths: Sequence[str], stamps: Mapping[str, Stamp]) -> list[str]:
        """Those that say something new: an echo of our own write, and what was only touched, are not parsed."""
        known, news = self._stamps(), []
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            with self._journal.turn():
                digests = self._journal.files.digests(some)
            same = set(self._folder.unchanged(digests))
            moved = {path: stamps[path] for path in same if known.get(path) != stamps[path]}
            with self._journal.turn():
                self._journal.files.restamp(moved)
            known.update(moved)
            news += [path for path in some if path not in same]
        return news

    def oddities(self) -> frozenset[tuple[str, str]]:
        """What stands in the folder and is no activity: path and code."""
        return frozenset((path, one.code) for path, one in self.problems.items())

    def expect(self, made: Iterable[str]) -> None:
        """Datebook made these files: one that is not there at the next look was removed."""
        self._made = {*self._made, *made}

    def _stamps(self, like: Mapping[str, Stamp] = MappingProxyType({})) -> dict[str, Stamp]:
        if self._known is None:
            with self._journal.turn():
                self._known = self._journal.files.stamps(like)
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

    def _report(self, seen: Look, places: Collection[str] | None) -> None:
        """Keep what is odd now; of what this look did not go over, what an earlier one found."""
        problems = {problem.path: problem for problem in seen.problems}
        again = [place.encode(errors="backslashreplace").decode().strip("/") for place in places or ()]
        if not seen.partial or not all(again):
            self.problems = problems
            return
        folders = tuple(f"{place}/" for place in again)
        rest = {path: one for path, one in self.problems.items() if not f"{path.rstrip('/')}/".startswith(folders)}
        self.problems = {**rest, **problems}

    def _lose(self, lost: list[str], found: Found) -> None:
        with self._journal.turn():
            for path in lost:
                row = self._journal.files.by_path(path)
                if row is not None and row.missing is None:
                    found.note(row.id)
                self._stamps().pop(path, None)
            self._journal.files.lost(lost, self._clock.now().timestamp())

    def _take(self, reading: Reading, stamps: Mapping[str, Stamp], found: Found, *, last: bool) -> bool:
        match reading:
            case Seen():
                return self._seen(reading, stamps[reading.ref.id], found, last=last)
            case Gone(path):
                if path in self._stamps():
                    self._lose([path], found)
            case Failed(path, Unreadable() as problem):
                self._broken(path, stamps[path], problem, found)
                self._stamps()[path] = stamps[path]
            case Failed(path, error):
                self.problems[path] = Unreadable(str(error), code="not_readable", path=path)
        return True

    def _broken(self, path: str, stamp: Stamp, problem: Unreadable, found: Found) -> None:
        row = self._registrar(found).whose_broken(path, stamp)
        text, now = dump_problem(problem), self._clock.now().timestamp()
        if row is None:
            self._journal.files.add_broken(path, stamp, text, now)
            return
        self._journal.files.broken(row.id, path, stamp, text, now)
        self._journal.files.judge(row.id, verdicts.BROKEN)
        found.note(row.id)

    def _ask_strays(self, found: Found) -> None:
        """What can't be read and was never known may be what has just been lost: a copy, of which the original went."""
        with self._journal.turn():
            for stray in self._journal.files.broken_ones():
                stamp = self._stamps().get(stray.path)
                if not stray.uid and stray.problem is not None and stamp is not None:
                    self._broken(stray.path, stamp, load_problem(stray.problem), found)

    def _seen(self, seen: Seen, stamp: Stamp, found: Found, *, last: bool) -> bool:
        """Take in a file that was read; False: it can only be judged when the rest of the look has been."""
        path, digest = seen.ref.id, seen.ref.version
        row = self._journal.files.by_path(path)
        if row is not None and row.digest == digest:
            self._journal.files.restamp({path: stamp})
            if row.missing is not None:
                self._journal.files.returned(row.id)
                found.note(row.id)
            self._stamps()[path] = stamp
            return True
        claim = self._registrar(found).whose(seen, stamp, last=last)
        if isinstance(claim, Unsure):
            return False
        activity = self._copied(seen) if claim.copied else seen.activity
        now = self._clock.now().timestamp()
        if self._journal.get_meta(LOOKED) is None:
            now = min(now, stamp.mtime_ns / 1e9)  # nobody was there to notice when it was edited
        row = claim.row
        if row is None:
            route = self._router(activity, None, None).route
            id_ = self._journal.files.add(activity.uid, path, stamp, digest, activity, now, route)
            found.note(id_, routed=route is not None)
        else:
            id_ = row.id
            found.note(id_)
            if row.path != path:
                self._stamps().pop(row.path, None)
            changed = now if row.missing is not None else self._edited(row, stamp, now)
            self._journal.files.saw(row, path, stamp, digest, activity, changed)
        self._journal.copies.keep(id_, seen.raw)
        self._stamps()[path] = stamp
        return True

    def _edited(self, row: FileRow, stamp: Stamp, now: float) -> float:
        """When a known file was edited: as the watcher saw it, else as the file says, within what can be."""
        return now if self._watched else min(now, max(stamp.mtime_ns / 1e9, row.changed))

    def _registrar(self, found: Found) -> Registrar:
        now = self._clock.now().timestamp()
        return Registrar(self._folder, self._journal, self._stamps(), now, found.note)

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

    def choose(self, changed: Iterable[int], routed: Iterable[int] = ()) -> frozenset[str]:
        """Say for each changed file which route it belongs on; returns the routes that have something to do.

        After a look that was cut short, those that it had changed are among them. Of those that are `routed` it
        has been said.
        """
        return self._belonging.say(changed, routed)


def _lost(known: Mapping[str, Stamp], seen: Look, news: Iterable[str]) -> list[str]:
    """The paths that are not there any more: what can't be looked at is not among them, save what stands elsewhere."""
    folders = tuple(place for place in seen.unsure if not place or place.endswith("/"))
    missing = [path for path in known if path not in seen.stamps]
    if not seen.unsure or not missing:
        return missing
    elsewhere = {seen.stamps[path].inode for path in news}
    return [
        path
        for path in missing
        if known[path].inode in elsewhere or not (path in seen.unsure or path.startswith(folders))
    ]


def _chunks(readings: Iterator[Reading]) -> Iterator[list[Reading]]:
    chunk: list[Reading] = []
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
