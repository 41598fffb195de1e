"""When to try again after an error, as data: later, never by itself, or once its user has acted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from daemon.core.errors import (
    ConfigError,
    CursorExpired,
    DatebookError,
    Forbidden,
    Full,
    Held,
    JournalError,
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    Unavailable,
    Unreadable,
    UsageError,
    VersionMismatch,
)


@dataclass(frozen=True, slots=True)
class Later:
    """Try again by itself, after this long."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again can't help; something must change first."""


@dataclass(frozen=True, slots=True)
class AskUser:
    """Its user must act; `what_to_do` says how. Not tried again before."""

    what_to_do: str


Retry = Later | GiveUp | AskUser


@dataclass(frozen=True, slots=True)
class Clock:
    """Waits that double from `first` up to `most`."""

    first: timedelta
    most: timedelta

    def wait(self, failures: int, chance: float) -> timedelta:
        """The wait after the nth failure in a row (from 1), spread by `chance` in [0, 1), within both bounds.

        The spread keeps many daemons that lost one server from coming back to it together.
        """
        full = min(self.first * (1 << min(max(failures, 1) - 1, 20)), self.most)
        low, high = max(full / 2, self.first), min(full * 1.5, self.most)
        return low + (high - low) * chance


ACCOUNT = Clock(timedelta(seconds=15), timedelta(minutes=15))
ITEM = Clock(timedelta(minutes=5), timedelta(hours=24))
# A race with another writer, an editor that holds a file: soon, yet not at once.
SOON = Clock(timedelta(seconds=1), timedelta(minutes=1))

# A service that asks for more than a day is asked again after a day.
_LONGEST_ORDER = timedelta(days=1)
# After so many races in a row the item has a rival; it goes to the clock of quarantined items.
_MOST_RACES = 5


def retry(error: DatebookError, *, failures: int, chance: float) -> Retry:
    """What to do after the nth failure in a row (from 1) of one account, calendar or item.

    `chance` is a random number in [0, 1). A wait that the service ordered (Retry-After) is kept to: never less.
    """
    match error:
        case Unavailable(after=after):
            return Later(_obeyed(ACCOUNT.wait(failures, chance), after))
        case VersionMismatch() | Held():
            clock = SOON if failures < _MOST_RACES or isinstance(error, Held) else ITEM
            return Later(clock.wait(failures, chance))
        case CursorExpired():
            return Later(timedelta())
        case Full():
            return Later(ACCOUNT.wait(failures, chance))
        case Refused() | Unreadable():
            return Later(ITEM.wait(failures, chance))
        case Forbidden(what_to_do=what) | Missing(what_to_do=what) | SignInNeeded(what_to_do=what):
            return AskUser(what)
        case UsageError(what_to_do=what):
            return AskUser(what)
        case ConfigError(problems=problems):
            return AskUser("; ".join(problem.cure for problem in problems))
        case NotFound() | JournalError():
            return GiveUp()
        case _:
            return Later(ACCOUNT.wait(failures, chance))


def _obeyed(wait: timedelta, ordered: timedelta | None) -> timedelta:
    if ordered is None:
        return wait
    return max(wait, min(ordered, _LONGEST_ORDER))
