"""What a decision is made from, as values: the file, the event, and everything around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.core.model import Activity, Base, Field, Guest, Key, Patch, Value, View, guests_of
from daemon.core.policy import Route
from daemon.core.routing import Choice
from daemon.core.store import Capabilities, Ref


def _nobody(_route: str) -> frozenset[str]:
    return frozenset()


def _holds_all(_view: View) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Situation:
    """One route at one moment. `own` are the addresses of the account's user, lower-cased.

    `refuses` says why the calendar can't hold a view ("": it can). `account_of` tells, by route, the address that
    its account signs in with (none where that is no mail address); `own` has the config's owner besides.
    """

    route: Route
    capabilities: Capabilities
    now: datetime
    zone: str
    own: frozenset[str] = frozenset()
    connected: datetime | None = None
    shared: bool = False
    rebuilding: bool = False
    types: tuple[str, ...] = ()
    refuses: Callable[[View], str] = _holds_all
    account_of: Callable[[str], frozenset[str]] = _nobody

    @property
    def account(self) -> frozenset[str]:
        """The address that the route's own account signs in with."""
        return self.account_of(self.route.name)


@dataclass(frozen=True, slots=True)
class FileNow:
    """A file as it was last read.

    `changed`: when its last edit was noticed. `missing`: since when it is not there. `replaced`: what
    Datebook put something else in place of within the last hour. `backlog`: it was there before the
    calendar was connected (and, under `backlog: skip`, is unchanged since). `choice`: which route it belongs on.
    `kept`: keys of which its user said which side's value stays, whatever the direction. `told_removed`: its user
    has been told that one side was removed, and that the direction keeps the other from following. `unsayable`: keys
    of which the calendar has a value now that this file can't say.
    """

    activity: Activity
    ref: Ref
    changed: datetime
    choice: Choice
    missing: datetime | None = None
    broken: bool = False
    replaced: Mapping[Key, Value | None] = field(default_factory=dict)
    backlog: bool = False
    kept: frozenset[Key] = frozenset()
    told_removed: bool = False
    unsayable: frozenset[Key] = frozenset()

    @property
    def is_there(self) -> bool:
        """Whether the file stands in the folder."""
        return self.missing is None


@dataclass(frozen=True, slots=True)
class EventNow:
    """An event as it was last read. `watched`: another link leads; `left`: so it does, and this one is to be deleted.

    `remembered` is what was agreed on while it was linked, if it no longer is. `taken_back`: it is as it was before,
    or gone, together with all that came later, as after a restore of its server from a backup.
    """

    activity: Activity
    ref: Ref
    seen: datetime
    raw: bytes = b""
    gone: bool = False
    born_in_calendar: bool = True
    watched: bool = False
    left: bool = False
    backlog: bool = False
    remembered: Base | None = None
    taken_back: bool = False


def others(guests: frozenset[Guest], own: frozenset[str]) -> tuple[str, ...]:
    """The addresses of everyone on an event but us, sorted: whom a write might mail."""
    return tuple(sorted(guest.email for guest in guests if guest.email not in own))


def organised_by_others(guests: frozenset[Guest], own: frozenset[str]) -> bool:
    """Whether somebody else is the organiser."""
    organizers = [guest for guest in guests if guest.organizer]
    return bool(organizers) and not any(guest.email in own for guest in organizers)


def without_us(view: View, own: frozenset[str]) -> View:
    """The view without our own entry as the organiser: calendars add it, and a file need not say it."""
    key = Key(Field.ATTENDEES)
    guests = guests_of(view)
    rest = frozenset(guest for guest in guests if not (guest.organizer and guest.email in own))
    if len(rest) == len(guests):
        return view
    bare = {name: value for name, value in view.items() if name != key}
    return {**bare, key: rest} if rest else bare


def with_organizer(patch: Patch, event: View) -> Patch:
    """The patch, its guests together with the organiser that the event has."""
    key = Key(Field.ATTENDEES)
    value = patch.get(key)
    organizers = frozenset(guest for guest in guests_of(event) if guest.organizer)
    if value is None or not organizers or any(guest.organizer for guest in guests_of({key: value})):
        return patch
    return {**patch, key: guests_of({key: value}) | organizers}
