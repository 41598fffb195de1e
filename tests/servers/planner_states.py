"""States of one linked activity in single words, and decisions in single words: for tables that a person can read.

A side is `v0`, `v1`, `v2` or `none` (what its location says), or: `gone`, `fresh` (a file gone a second ago), `broken`,
`undated`. The other fields are agreed on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daemon.core.model import Activity, Base, Blank, Field, Guest, Half, Key, Local, Pair, Timed, Value
from daemon.core.plan import (
    Agree,
    CreateEvent,
    CreateFile,
    Decision,
    DeleteEvent,
    FinishFile,
    Link,
    TrashFile,
    Unlink,
    UpdateEvent,
    UpdateFile,
)
from daemon.core.planner import plan_event, plan_file, plan_link, plan_meeting, plan_moved
from daemon.core.policy import Backlog, Direction, GuestMail, OnCalendarDelete, OnConflict, Route, Since
from daemon.core.routing import Choice
from daemon.core.situation import EventNow, FileNow, Situation
from daemon.core.store import Capabilities, Ref
from tests.servers.world import ME, NOW, ZONE

PLACE = Key(Field.LOCATION)
SUBJECT, WHEN, GUESTS = Key(Field.SUBJECT), Key(Field.WHEN), Key(Field.ATTENDEES)
OTHER = "guest@example.org"
LONG_AGO = NOW - timedelta(hours=2)
WORDS = ("none", "v0", "v1", "v2")


@dataclass(frozen=True, slots=True)
class State:
    """One activity on one route. `guests`: nobody, ours (we invite), theirs (we are invited)."""

    base: str = "v0"  # a word, or `new`: never linked
    file: str = "v0"  # also: absent (there never was one)
    event: str = "v0"
    direction: Direction = Direction.BOTH
    on_conflict: OnConflict = OnConflict.ASK
    file_newer: bool = True
    on_delete: OnCalendarDelete = OnCalendarDelete.TRASH
    past: bool = False
    guests: str = "nobody"
    mail: GuestMail = GuestMail.NEVER
    shared: bool = False
    backlog: Backlog = Backlog.IMPORT
    from_before: bool = False
    rebuilding: bool = False
    tombstone: bool = False
    move: str = ""  # leaves: its user sent it elsewhere; left: it is made there; back: he sent it back since
    taken_back: bool = False

    @property
    def linked(self) -> bool:
        return self.base != "new"


def decide(state: State) -> Decision:
    """What the planner says."""
    situation, tombstone = _setting(state), "unlinked" if state.tombstone else None
    if state.linked:
        linked = plan_link(_base(state), _file(state), _event(state), situation)
        made = state.move == "left" and linked.elsewhere and state.event != "gone"
        return plan_moved(_base(state), _file(state), _event(state), situation) if made else linked
    if state.file == "absent":
        return plan_event(_event(state), tombstone, situation)
    if state.event == "absent":
        return plan_file(_file(state), tombstone, situation)
    return plan_meeting(_file(state), _event(state), situation)


def in_words(decision: Decision) -> frozenset[str]:
    """A decision as a set of words."""
    words = {_step(step) for step in decision.steps}
    if any(clash.chosen is None for clash in decision.clashes):
        words.add("open conflict")
    if any(clash.chosen is not None for clash in decision.clashes):
        words.add("loser kept")
    if decision.hold is not None:
        words.add(f"held: {decision.hold.value}")
    if decision.not_before is not None:
        words.add("wait")
    return frozenset(words) or frozenset({"nothing"})


def _step(step: object) -> str:
    match step:
        case UpdateEvent(patch) | UpdateFile(patch):
            side = "event" if isinstance(step, UpdateEvent) else "file"
            said = {key.field.value: value or "none" for key, value in patch.items()}
            return f"{side} := {said.get('location', sorted(said))}"
        case CreateEvent():
            return "make event"
        case CreateFile():
            return "make file"
        case DeleteEvent():
            return "delete event"
        case TrashFile():
            return "trash file"
        case FinishFile():
            return "mark file done"
        case Unlink():
            return "unlink"
        case Link():
            return "link"
        case Agree():
            return "agree"
        case _:
            raise AssertionError(step)


def _setting(state: State) -> Situation:
    route = Route(
        "work",
        "home",
        direction=state.direction,
        on_conflict=state.on_conflict,
        on_calendar_delete=state.on_delete,
        guests=state.mail,
        since=Since.ALL,
        backlog=state.backlog,
    )
    return Situation(
        route,
        Capabilities(),
        NOW,
        ZONE,
        own=frozenset({ME}),
        connected=LONG_AGO,
        shared=state.shared,
        rebuilding=state.rebuilding,
    )


def _when(state: State) -> Timed:
    year = 2020 if state.past else 2027
    return Timed(datetime(year, 3, 1, 10, 0), ZONE, timedelta(hours=1))


def _guests(state: State) -> frozenset[Guest]:
    match state.guests:
        case "ours":
            return frozenset({Guest(ME, organizer=True), Guest(OTHER)})
        case "theirs":
            return frozenset({Guest(OTHER, organizer=True), Guest(ME)})
        case _:
            return frozenset()


def _base(state: State) -> Base:
    half: Half = Blank.ABSENT if state.base == "none" else state.base
    pairs = {
        SUBJECT: Pair("Call", "Call"),
        WHEN: Pair(_when(state), _when(state)),
        PLACE: Pair(half, half),
        GUESTS: Pair(Blank.ABSENT, _guests(state) or Blank.ABSENT),
    }
    return Base(pairs)


def _file(state: State) -> FileNow:
    view: dict[Key, Value] = {SUBJECT: "Call", WHEN: _when(state)}
    word = state.file if state.file in WORDS else state.base if state.linked else "v0"
    if word != "none":
        view[PLACE] = word
    if state.file == "undated":
        del view[WHEN]
    missing = {"gone": LONG_AGO, "fresh": NOW - timedelta(seconds=1)}.get(state.file)
    changed = NOW - timedelta(minutes=10 if state.file_newer else 50)
    return FileNow(
        Activity("uid-1", view, Local(owner=ME if state.guests != "theirs" else None)),
        Ref("call.yaml", "digest"),
        changed,
        Choice("other" if state.move in {"leaves", "left"} else "work"),
        missing=missing,
        broken=state.file == "broken",
        backlog=state.from_before,
    )


def _event(state: State) -> EventNow:
    view: dict[Key, Value] = {SUBJECT: "Call", WHEN: _when(state)}
    word = state.event if state.event in WORDS else state.base if state.linked else "v0"
    if word != "none":
        view[PLACE] = word
    if _guests(state):
        view[GUESTS] = _guests(state)
    modified = NOW - timedelta(minutes=30)
    activity = Activity("uid-1", view, modified=modified)
    gone, left = state.event == "gone", state.move in {"left", "back"}
    return EventNow(
        activity,
        Ref("/1", '"1"'),
        modified,
        gone=gone,
        left=left,
        backlog=state.from_before,
        taken_back=state.taken_back,
    )


def every(*starts: State, **domains: object) -> list[State]:
    """The product of some domains over some states."""
    states = list(starts)
    for name, domain in domains.items():
        states = [replace(one, **{name: value}) for one in states for value in domain]  # type: ignore[attr-defined]  # the state says which it is
    return states
