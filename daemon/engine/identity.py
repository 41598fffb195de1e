"""Which activity a file is: known by its uid; without one by its path; a moved one by its content or its inode.

A path may change hands: files are renamed, swapped, copied and saved over each other between two looks, and are
read in no particular order. So a file that claims the uid of another one that seems to stand where it stood is
put off until the whole look has been read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PurePosixPath

from daemon.core.errors import StoreError, Unreadable
from daemon.core.model import Activity, Field, text_of, when_of
from daemon.core.store import Folder, Seen, Stamp
from daemon.journal import Journal
from daemon.journal.rows import FileRow

_SAYS_UID = re.compile(r"^\ufeff?[\"']?uid[\"']?(?:;[^:\r\n]*)?[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)


class Unsure(Enum):
    """No answer yet."""

    LATER = auto()  # the file that seems to have this uid may prove to be another one within this look


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a file is (None: it is a new activity), and whether it only copied its uid from another one."""

    row: FileRow | None
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Registrar:
    """Tells whose a file is. `known` are the stamps of the last look; `displaced` is told of rows that lost their path.

    Every method is called inside a turn of the journal.
    """

    folder: Folder
    journal: Journal
    known: MutableMapping[str, Stamp]
    now: float
    displaced: Callable[[int], None]

    def whose(self, seen: Seen, stamp: Stamp, *, last: bool) -> Claim | Unsure:
        """The activity that a changed file is. `last`: everything else of this look has been read."""
        uid = seen.activity.uid
        there = self.journal.files.by_path(seen.ref.id)
        if there is not None and self._stays(there, seen.activity):
            return Claim(there)
        owners = [row for row in self.journal.files.by_uid(uid) if there is None or row.id != there.id]
        free = next((row for row in owners if not row.path or row.missing is not None), None)
        if there is not None and (there.uid or free is not None):
            self._displace(there)
            there = None
        if free is not None:
            return Claim(free)
        if owners and not last:
            return Unsure.LATER
        for row in owners:
            if not self._stands(row):
                return Claim(self.journal.files.get(row.id))
        return Claim(there or self._moved(seen, stamp, copied=bool(owners)), copied=bool(owners))

    def whose_broken(self, path: str, stamp: Stamp) -> FileRow | None:
        """The activity that a file is which can't be read; None: it was never known in a good state.

        Its bytes may still say a uid: of a file that is missing, or does not stand where it stood, it is that one,
        renamed or saved anew. The inode alone proves nothing: a file system gives a freed one to the next new file.
        """
        there = self.journal.files.by_path(path)
        if there is not None and there.uid and not there.said_uid:
            return there
        said = self._said_uids(path)
        if there is not None and (not said or there.uid in said):
            return there
        for row in (row for uid in said for row in self.journal.files.by_uid(uid)):
            if not row.path or row.missing is not None or not self._stands(row):
                if there is not None:
                    self._displace(there)
                return self.journal.files.get(row.id)
        return there or next(
            (row for row in self.journal.files.missing_with(stamp.inode) if _same_name(row, path)), None
        )

    def _said_uids(self, path: str) -> list[str]:
        """What the lines of a file that can't be read say of its uid."""
        try:
            raw = self.folder.raw(path)
        except (StoreError, Unreadable):
            return []
        found = (match[1].strip().strip("'\"") for match in _SAYS_UID.finditer(raw.decode(errors="replace")))
        return [uid for uid in found if uid]

    def _stays(self, row: FileRow, activity: Activity) -> bool:
        """Whether the file at a known path still is that activity."""
        if activity.uid and activity.uid == row.uid:
            return True
        if not row.said_uid:  # its uid is in the journal alone, or it has none yet
            return bool(row.uid) or not activity.uid or not self.journal.files.by_uid(activity.uid)
        if activity.uid:
            return False
        return _alike(row.activity, activity)

    def _displace(self, row: FileRow) -> None:
        """Another file stands at its path now."""
        self.known.pop(row.path, None)
        if not row.uid and not self.journal.events.of_file(row.id) and row.id not in self.journal.intents.busy_files():
            self.journal.files.forget(row.id)
            return
        self.journal.files.lost([row.path], self.now)
        self.journal.files.moved_off(row.id)
        self.displaced(row.id)

    def _stands(self, row: FileRow) -> bool:
        """Whether a known file is where it was; asks the folder where this look did not cover it."""
        stamp = self.folder.look({row.path}).stamps.get(row.path)
        if stamp is not None and stamp == self.known.get(row.path):
            return True
        if stamp is not None:
            reading = next(iter(self.folder.read([row.path])))
            if not isinstance(reading, Seen) or reading.activity.uid in {row.uid, ""}:
                return True
        self._displace(row)
        return False

    def _moved(self, seen: Seen, stamp: Stamp, *, copied: bool) -> FileRow | None:
        """A file without a uid of its own (or a copy that still says another's) that was renamed before it got one.

        An editor that saves by renaming gives it another inode: then it is the only such file that is missing, and
        has both its subject and its day (of a copy that still says what it was copied from: one of the two).
        """
        files = self.journal.files
        renamed = [row for row in files.missing_with(stamp.inode) if _alike(row.activity, seen.activity)]
        known = [row for row in (*files.by_digest(seen.ref.version), *renamed) if not row.said_uid]
        if known:
            return known[0]
        fits = _alike if copied else _same
        nameless = [row for row in files.missing_nameless() if fits(row.activity, seen.activity)]
        return nameless[0] if len(nameless) == 1 else None


def _same_name(row: FileRow, path: str) -> bool:
    return PurePosixPath(row.path).name == PurePosixPath(path).name


def _same(before: Activity, now: Activity) -> bool:
    """Whether both its subject and its day are still the same."""
    same_subject = text_of(before.view, Field.SUBJECT) == text_of(now.view, Field.SUBJECT)
    return same_subject and _day(before) == _day(now)


def _alike(before: Activity, now: Activity) -> bool:
    """Whether its subject or its day is still the same."""
    same_subject = text_of(before.view, Field.SUBJECT) == text_of(now.view, Field.SUBJECT)
    return same_subject or _day(before) == _day(now)


def _day(activity: Activity) -> object:
    when = when_of(activity.view)
    if when is None:
        return None
    return when.start.date() if hasattr(when, "start") else when.first
