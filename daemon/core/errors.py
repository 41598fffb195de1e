"""The errors of Datebook, named for what their reader must do.

::

    DatebookError
    |- SyncError                 this pass failed; the daemon lives
    |  |- StoreError             (.store, .ref)
    |  |  |- Unavailable         network, time-out, 423, 429, 5xx: try later          (.after)
    |  |  |- VersionMismatch     it changed since we looked: re-read and plan again
    |  |  |- NotFound            that very id does not exist (404, 410)
    |  |  |- CursorExpired       list everything and reconcile
    |  |  |- Refused             this item will not be accepted: quarantine it        (.reason)
    |  |  |- Full                quota or disk: hold, say so, go on when it can
    |  |  |- Forbidden           a right or scope is missing                          (.what_to_do)
    |  |  |- Missing             the whole calendar or folder is not there            (.what_to_do)
    |  |  |  '- FolderMissing    the folder of files: goes on at once when it is back (.what_to_do)
    |  |  '- SignInNeeded        only the user can fix this                           (.what_to_do)
    |  |     '- SecretNeeded     the password or token itself is not to be had        (.what_to_do)
    |  |- Unreadable             a file or event cannot be understood: quarantine     (.path .line .column .cure)
    |  |- Held                   an editor holds the file open: write it later        (.path .by)
    |  '- JournalError           the memory is damaged: touch nothing, rebuild
    |     '- JournalLost         the journal was taken away while it was open: end         (.what_to_do)
    |- ConfigError               everything wrong with the file, at once              (.problems)
    '- UsageError                the command was called in a way it can't mean        (.what_to_do)

Foreign errors are translated into these once, at the adapter's edge. No message holds a secret, a
title, a description or an address of a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


class DatebookError(Exception):
    """Any error that Datebook itself raises."""


class SyncError(DatebookError):
    """This pass failed; the daemon lives."""


class StoreError(SyncError):
    """A store did not do what it was asked."""

    def __init__(self, message: str, *, store: str = "", ref: str = "") -> None:
        super().__init__(message)
        self.store = store
        self.ref = ref


class Unavailable(StoreError):
    """Try again later, not before `after` (Retry-After, BackOffMilliseconds) where the service said so.

    `throttled`: it answers, and asks us to slow down (429, 403 rate limit, ErrorServerBusy).
    `uncertain`: the request may have been carried out (answer lost or 5xx after sending).
    """

    def __init__(  # noqa: PLR0913  the four facts that a retry needs, all by name
        self,
        message: str,
        *,
        store: str = "",
        ref: str = "",
        after: timedelta | None = None,
        throttled: bool = False,
        uncertain: bool = True,
    ) -> None:
        super().__init__(message, store=store, ref=ref)
        self.after = after
        self.throttled = throttled
        self.uncertain = uncertain


class VersionMismatch(StoreError):
    """The item changed since we looked (412, 409, changekey): re-read and plan again, never overwrite."""


class NotFound(StoreError):
    """Reading that very id says that it is not there."""


class CursorExpired(StoreError):
    """The place in the change feed is no longer known: list everything and reconcile."""


class Refused(StoreError):
    """The service will not accept this one item; `reason` is for its user."""

    def __init__(self, message: str, *, reason: str, store: str = "", ref: str = "") -> None:
        super().__init__(message, store=store, ref=ref)
        self.reason = reason


class Full(StoreError):
    """No room: 507, quota, disk full."""


class _AsksUser(StoreError):
    def __init__(self, message: str, *, what_to_do: str, store: str = "", ref: str = "") -> None:
        super().__init__(message, store=store, ref=ref)
        self.what_to_do = what_to_do


class Forbidden(_AsksUser):
    """A right or scope is missing."""


class Missing(_AsksUser):
    """The whole calendar, folder or store is not there; nothing is deleted because of it."""


class FolderMissing(Missing):
    """The folder of files, or its marker, is not there; when it is back, everything goes on at once."""

    code = "missing"


class SignInNeeded(_AsksUser):
    """The login is wrong, expired or revoked; not tried again before the user acts."""


class SecretNeeded(SignInNeeded):
    """The place of a password or token gives none: no server has refused anything."""


class Unreadable(SyncError):
    """A file or event cannot be understood; its last good state stays.

    `keys`: of a patch that can't be written into a file, those that no file, or not this one, can say.
    """

    def __init__(  # noqa: PLR0913  where, what and what to do: the five facts of a good report
        self,
        message: str,
        *,
        code: str = "unreadable",
        cure: str = "",
        path: str = "",
        line: int | None = None,
        column: int | None = None,
        keys: frozenset[object] = frozenset(),
    ) -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message
        self.code = code
        self.cure = cure
        self.path = path
        self.line = line
        self.column = column


class Held(SyncError):
    """An editor holds the file open; it is written when the editor lets go."""

    def __init__(self, message: str, *, path: str, by: str) -> None:
        super().__init__(message)
        self.path = path
        self.by = by


class JournalError(SyncError):
    """The journal is damaged or not ours: touch nothing, rebuild."""


class JournalLost(JournalError):
    """The journal was removed or replaced while it was open: what is remembered now is remembered nowhere."""

    what_to_do = (
        "Start Datebook again: from the files and the calendars it makes a new journal, with no write to either side."
    )


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong with the config file; line and column count from 1."""

    message: str
    cure: str
    line: int | None = None
    column: int | None = None


class ConfigError(DatebookError):
    """Everything wrong with the config file, at once."""

    def __init__(self, path: str, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__(f"{path}: {len(problems)} problem(s)")
        self.path = path
        self.problems = problems


class UsageError(DatebookError):
    """A command was given something it can't work with."""

    def __init__(self, message: str, *, what_to_do: str = "") -> None:
        super().__init__(message)
        self.what_to_do = what_to_do
