"""Which calendar an activity belongs to, and the reason in words where it belongs to none.

The one that the file names, else the one that it came from, else the first in the config that takes its
type and its owner. In a shared store a file without an owner is created nowhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.core.fields import DEFAULT_TYPE
from daemon.core.model import Activity, Field, text_of, when_of
from daemon.core.plan import State, Verdict
from daemon.core.policy import Route


@dataclass(frozen=True, slots=True)
class Choice:
    """The name of the route that takes an activity, or (None) why none does."""

    route: str | None
    verdict: Verdict | None = None


_SYNC_OFF = Verdict(State.IGNORED, "sync_off", "The file says `sync: false`.", "Take `sync: false` out to sync it.")
_UNSCHEDULED = Verdict(
    State.UNSCHEDULED,
    "unscheduled",
    "It has no due_date, so it is in no calendar.",
    "Add a due_date to sync it.",
)
_NO_CALENDAR = Verdict(
    State.IGNORED,
    "no_calendar",
    "The config has no calendar that files go out to.",
    "Run `datebook connect ACCOUNT`, or set `direction: both` for a calendar.",
)
_NO_OWNER = Verdict(
    State.BLOCKED,
    "no_owner",
    "This folder is shared, and the file does not say whose activity it is.",
    "Add `owner:` with the mail address of the person whose calendar it belongs in.",
)


def route_for(  # noqa: PLR0913  the activity and everything around it, by name
    activity: Activity,
    routes: Sequence[Route],
    *,
    users: Mapping[str, str],
    owner: str,
    shared: bool,
    came_from: str | None,
    stands_on: str | None = None,
) -> Choice:
    """Choose the route of a file. `routes` in the config's order; `users`: the address of each route's account.

    `owner` is the config's, for files that name none. `came_from` is the route that the activity was received
    on: it stays there, whatever that calendar sends. `stands_on` is the one that it went out to: it stays there,
    or is unlinked, but never moves by itself. An account whose user is no mail address (a bare login) is the
    config's owner's.
    """
    local = activity.local
    if not local.sync:
        return Choice(None, _SYNC_OFF)
    if when_of(activity.view) is None:
        return Choice(None, _UNSCHEDULED)
    by_name = {route.name: route for route in routes}
    if local.calendar:
        return _named(local.calendar, by_name)
    if came_from in by_name:
        return Choice(came_from)
    if shared and not local.owner:
        return Choice(None, _NO_OWNER)
    if stands_on in by_name:
        if not by_name[stands_on].sends:
            return Choice(stands_on)  # what is linked stays linked whatever the direction, which says who may write
        routes = (by_name[stands_on],)
    choice = _first(activity, routes, users, _address(local.owner or owner), _address(owner))
    return _left(choice, stands_on) if choice.verdict is not None and stands_on in by_name else choice


def _left(choice: Choice, calendar: str) -> Choice:
    """It fits no more where its event stands: it is unlinked there and never moves by itself."""
    verdict = choice.verdict
    if verdict is None or verdict.code not in _UNFIT:
        return choice
    reason = f"Its event stands in `{calendar}`, {_UNFIT[verdict.code]}. The event stays there, and is not synced."
    return Choice(None, replace(verdict, reason=reason, cure=_UNFIT_CURE.format(calendar)))


_UNFIT = {
    "type_not_sent": "which does not take activities of this type any more (send)",
    "other_owner": "the account of which is not its owner's any more",
}
_UNFIT_CURE = "Write `calendar: {}` into the file to keep them in step all the same, or the name of another to move it."


def _named(name: str, by_name: Mapping[str, Route]) -> Choice:
    if name in by_name:
        return Choice(name)
    folded = {known.casefold(): known for known in by_name}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if close:
        cure = f"Did you mean `calendar: {folded[close[0]]}`?"
    elif by_name:
        cure = f"Name one of: {', '.join(by_name)}."
    else:
        cure = "Run `datebook connect ACCOUNT`."
    reason = f"The file names the calendar `{name}`, which is not in the config."
    return Choice(None, Verdict(State.BLOCKED, "unknown_calendar", reason, cure))


def _address(text: str) -> str:
    return text.strip().removeprefix("mailto:").casefold()


def _owns(route: Route, users: Mapping[str, str], owner: str, ours: str) -> bool:
    """Whether the account of a route is this owner's."""
    user = _address(users.get(route.name, ""))
    if not owner:
        return True
    return user == owner or (("@" not in user or user == ours) and owner == ours)


def _first(activity: Activity, routes: Sequence[Route], users: Mapping[str, str], owner: str, ours: str) -> Choice:
    sending = [route for route in routes if route.sends]
    if not sending:
        return Choice(None, _NO_CALENDAR)
    kind = text_of(activity.view, Field.TYPE) or DEFAULT_TYPE
    owned = [route for route in sending if _owns(route, users, owner, ours)]
    if not owned and owner == ours:
        owned = sending  # the config's owner signs in under another name; there is nobody else's account here
    taking = [route for route in owned if route.send is None or kind in route.send]
    if taking:
        return Choice(taking[0].name)
    return Choice(None, _type_not_sent(kind) if owned else _OTHER_OWNER)


_OTHER_OWNER = Verdict(
    State.IGNORED,
    "other_owner",
    "It belongs to somebody whose account is not in this config; only their Datebook puts it into a calendar.",
    "Change `owner:` if it is yours, or name a calendar with `calendar:`.",
)


def _type_not_sent(kind: str) -> Verdict:
    return Verdict(
        State.IGNORED,
        "type_not_sent",
        f"No calendar takes activities of the type `{kind}` (send).",
        f"Add `{kind}` to a calendar's `send`, or name the calendar in the file with `calendar:`.",
    )
