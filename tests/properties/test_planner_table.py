"""Every state of one activity, and of two under the brake, against an oracle that was written apart from the planner.

The oracle knows only the contract's words (4.2, 4.5, 4.7); planted faults in the planner must be noticed by it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from daemon.core import arrivals, deletions, guard, moving, planner, together, verdicts
from daemon.core.plan import Decision, DeleteEvent, Side, TrashFile, Unlink, UpdateEvent, UpdateFile
from daemon.core.policy import Backlog, Brake, Direction, GuestMail, OnCalendarDelete, OnConflict
from tests.servers import planner_states
from tests.servers.planner_states import WORDS, State, decide, every, in_words

FILES = (*WORDS, "broken", "fresh", "gone", "undated")
EVENTS = (*WORDS, "gone")
PEOPLE = [("nobody", GuestMail.NEVER), ("theirs", GuestMail.SEND), *(("ours", mail) for mail in GuestMail)]


@cache
def linked_states() -> list[State]:
    return every(
        *(State(guests=guests, mail=mail) for guests, mail in PEOPLE),
        base=("none", "v0"),
        file=FILES,
        event=EVENTS,
        direction=Direction,
        on_conflict=OnConflict,
        file_newer=(True, False),
        on_delete=OnCalendarDelete,
        past=(False, True),
        shared=(False, True),
    )


@cache
def moving_states() -> list[State]:
    return every(
        *(State(guests=guests, mail=mail) for guests, mail in PEOPLE),
        move=("leaves", "left", "back"),
        base=("none", "v0"),
        file=(*WORDS, "broken", "fresh", "gone"),
        event=EVENTS,
        direction=Direction,
        on_conflict=OnConflict,
        file_newer=(True, False),
        past=(False, True),
    )


def unlinked_states() -> Iterator[State]:
    sides = [(file, "absent") for file in (*WORDS, "broken", "gone")]
    sides += [("absent", event) for event in EVENTS] + list(itertools.product(WORDS, WORDS))
    for file, event in sides:
        yield from every(
            State("new", file, event),
            direction=Direction,
            backlog=Backlog,
            from_before=(False, True),
            rebuilding=(False, True),
            tombstone=(False, True),
        )


# The oracle ---------------------------------------------------------------------------------------


def expected(state: State) -> set[str]:
    """What the contract says, as the words that matter: what is written, deleted, unlinked, held, asked."""
    if not state.linked:
        return unlinked(state)
    if state.file == "broken":
        return set()
    if state.move in {"left", "back"} and state.event == "gone":
        return {"unlink"}
    if state.move == "back" and state.file in WORDS:
        return {"link"}
    if state.file == "fresh":
        return {"wait"}
    here, there = state.file in WORDS, state.event != "gone"
    if here and there:
        return moves(state) if state.move else merged(state)
    if not here and not there:
        return {"unlink"}
    return event_removed(state) if here else file_removed(state)


def merged(state: State) -> set[str]:
    ours, theirs = state.file != state.base, state.event != state.base
    if state.file == state.event or not (ours or theirs):
        return set()
    sends, receives = state.direction is not Direction.FROM_CALENDAR, state.direction is not Direction.TO_CALENDAR
    if ours and theirs:
        if not (sends and receives):
            return {"open conflict"}
        winner = {
            OnConflict.ASK: None,
            OnConflict.FILE: "file",
            OnConflict.CALENDAR: "calendar",
            OnConflict.NEWEST: "file" if state.file_newer else "calendar",
        }[state.on_conflict]
        if winner is None:
            return {"open conflict"}
        if winner == "calendar":
            return {f"file := {state.event}", "loser kept"}
        return {*sent(state), "loser kept"}
    if ours:
        return sent(state) if sends else {"open conflict"}
    return {f"file := {state.event}"} if receives else {"open conflict"}


def moves(state: State) -> set[str]:
    """What was edited in the calendar that it leaves comes into the file first; made elsewhere, it goes here then."""
    if state.guests != "nobody" and state.move == "leaves":
        return merged(state)  # it is not moved, since that would mail
    if state.event in {state.base, state.file}:
        return {"delete event"} if state.move == "left" and state.guests == "nobody" else set()
    if state.direction is Direction.TO_CALENDAR:
        return {"open conflict"}
    return {word for word in merged(replace(state, direction=Direction.BOTH)) if not word.startswith(("event", "held"))}


def sent(state: State) -> set[str]:
    """The file's word goes to the calendar, unless that would mail somebody who was not to be mailed."""
    if state.guests == "theirs" or (state.guests == "ours" and state.mail is GuestMail.NEVER):
        return set()
    held = {"held: mail"} if state.guests == "ours" and state.mail is GuestMail.ASK else set()
    return {f"event := {state.file}", *held}


def file_removed(state: State) -> set[str]:
    if state.past or state.guests == "theirs":
        return {"unlink"}
    if state.direction is Direction.FROM_CALENDAR:
        return {"wait"}
    if state.event != state.base:
        if state.direction is Direction.TO_CALENDAR:
            return {"unlink"}
        return {"the file's date comes back"} if state.file == "undated" else {"make file"}
    if state.guests == "ours" and state.mail is GuestMail.NEVER:
        return set()
    return {"delete event", *({"held: mail"} if state.guests == "ours" and state.mail is GuestMail.ASK else set())}


def event_removed(state: State) -> set[str]:
    if state.past or (state.shared and state.guests == "theirs"):
        return {"unlink"}
    if state.file != state.base:
        if state.direction is Direction.FROM_CALENDAR:
            return {"unlink"}
        if state.guests != "nobody" and state.mail is GuestMail.NEVER:
            return set()
        return {"make event"}  # its file names no guests here: nobody is mailed
    if state.direction is Direction.TO_CALENDAR and state.on_delete is not OnCalendarDelete.KEEP:
        return {"wait"}
    return {
        OnCalendarDelete.TRASH: {"trash file"},
        OnCalendarDelete.DONE: {"mark file done"},
        OnCalendarDelete.KEEP: {"unlink"},
    }[state.on_delete]


def unlinked(state: State) -> set[str]:
    if "absent" not in {state.file, state.event}:
        return {"link"} if state.file == state.event else {"link", "open conflict"}
    known = state.file if state.event == "absent" else state.event
    closed = Direction.FROM_CALENDAR if state.event == "absent" else Direction.TO_CALENDAR
    if known in {"gone", "broken"} or state.direction is closed or state.tombstone:
        return set()
    if state.from_before and state.backlog is Backlog.SKIP:
        return set()
    hold = set()
    if state.from_before and state.rebuilding:
        hold = {"held: rebuild"}
    elif state.from_before and state.backlog is Backlog.ASK:
        hold = {"held: first_import"}
    return {"make event" if state.event == "absent" else "make file", *hold}


def mismatches(states: Iterable[State]) -> Iterator[tuple[State, set[str], set[str]]]:
    for state in states:
        got = set(in_words(decide(state))) - {"nothing", "agree"}
        if state.linked and state.file == "undated" and {word.split(" :=")[0] for word in got} == {"file"}:
            got = {"the file's date comes back"}
        want = expected(state)
        if got != want:
            yield state, got, want


# One activity -------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(4))
def test_every_state_of_a_linked_activity_is_decided_as_the_contract_says(part: int) -> None:
    stride = 4 * 9  # a ninth of them here, 12,800, all of them in `make torture`
    wrong = list(itertools.islice(mismatches(itertools.islice(linked_states(), part, None, stride)), 5))
    assert not wrong


def test_every_state_of_an_activity_that_moves_is_decided_as_the_contract_says() -> None:
    assert len(moving_states()) > 40_000
    assert not list(itertools.islice(mismatches(itertools.islice(moving_states(), 0, None, 7)), 5))


def test_every_state_of_an_activity_that_was_never_linked_is_decided_as_the_contract_says() -> None:
    states = list(unlinked_states())
    assert len(states) > 1500
    assert not list(itertools.islice(mismatches(states), 5))


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_every_state_there_is() -> None:
    states = linked_states()
    assert len(states) > 100_000
    assert not list(itertools.islice(mismatches(itertools.chain(states, moving_states())), 5))


def test_every_kind_of_action_is_decided_on_somewhere() -> None:
    seen = Counter(word.split(" :=")[0] for state in sample() for word in in_words(decide(state)))
    assert seen.keys() == {
        "nothing", "event", "file", "agree", "make event", "make file", "delete event", "trash file",
        "mark file done", "unlink", "link", "open conflict", "loser kept", "wait", "held: mail", "held: rebuild",
        "held: first_import",
    }  # fmt: skip


def sample() -> list[State]:
    return [*itertools.islice(unlinked_states(), 0, None, 3), *itertools.islice(linked_states(), 0, None, 61)]


# What a restored server took back ------------------------------------------------------------------


def expected_of_taken_back(state: State) -> set[str]:
    """As ever, but that what would follow the calendar waits for a word."""
    want = expected(state)
    left = state.event == "gone" and state.file == state.base and not state.past
    kept = left and state.on_delete is OnCalendarDelete.KEEP and not (state.shared and state.guests == "theirs")
    to_file = {"file", "make file", "trash file", "mark file done", "the file's date comes back"}
    follows = (kept and want == {"unlink"}) or to_file & {word.split(" :=")[0] for word in want}
    return want | {"held: taken_back"} if follows and not any(word.startswith("held") for word in want) else want


def test_what_a_restore_took_back_is_held_where_the_file_would_follow_and_nowhere_else() -> None:
    wrong = []
    held = Counter()
    for state in itertools.islice(linked_states(), 0, None, 61):
        got = set(in_words(decide(replace(state, taken_back=True)))) - {"nothing", "agree"}
        if state.file == "undated" and {word.split(" :=")[0] for word in got} - {"held: taken_back"} == {"file"}:
            got = {"the file's date comes back", *(got & {"held: taken_back"})}
        want = expected_of_taken_back(state)
        held["held: taken_back" in want] += 1
        wrong += [(state, got, want)] if got != want else []
    assert not wrong[:5]
    assert min(held.values()) > 100


# Two activities under the brake -------------------------------------------------------------------

KINDS: dict[str, Decision] = {
    "delete event": decide(State("v0", "gone", "v0")),
    "trash file": decide(State("v0", "v0", "gone")),
    "edit event": decide(State("v0", "v1", "v0")),
    "edit file": decide(State("v0", "v0", "v1")),
    "make event": decide(State("new", "v0", "absent")),
    "unlink": decide(State("v0", "gone", "gone")),
}
SIDES = {"delete event": Side.CALENDAR, "trash file": Side.FILE, "edit event": Side.CALENDAR, "edit file": Side.FILE}


def braked(kinds: tuple[str, ...], count: int, share: float, linked: int, recent: int) -> list[bool]:
    """The brake, said otherwise: how many of a kind on a side, with those of the last hour."""
    held = []
    for kind in kinds:
        side = SIDES.get(kind)
        many = [other for other in kinds if SIDES.get(other) is side and _removes(other) == _removes(kind)]
        same = len(many) + recent
        if side is None:
            held.append(False)
        elif _removes(kind):
            held.append(same > count or (same >= 5 and same > share * linked))
        else:
            held.append(same > 10 * count and same > linked / 2)
    return held


def _removes(kind: str) -> bool:
    return kind in {"delete event", "trash file"}


def test_two_activities_are_braked_together_or_not_at_all() -> None:
    cases = 0
    for kinds in itertools.product(KINDS, KINDS):
        for count, share, linked, recent in itertools.product(
            (0, 1, 2, 10), (0.0, 0.2, 1.0), (2, 10, 100), (0, 3, 9, 20)
        ):
            recently = guard.Recent(dict.fromkeys(Side, recent), dict.fromkeys(Side, recent))
            decisions = [KINDS[kind] for kind in kinds]
            held = guard.brake(decisions, order=Brake(count, share), linked=linked, recent=recently)
            want = braked(kinds, count, share, linked, recent)
            assert [why is not None for why in held] == want, (kinds, count, share, linked, recent)
            assert guard.may_stop(len(decisions), Brake(count, share), recently) or not any(held)
            cases += 1
    assert cases > 5000


# Planted faults -----------------------------------------------------------------------------------


def swap_steps(decision: Decision, old: type, new: object) -> Decision:
    return replace(decision, steps=tuple(new if isinstance(step, old) else step for step in decision.steps))


def without(decision: Decision, kind: type) -> Decision:
    return replace(decision, steps=tuple(step for step in decision.steps if not isinstance(step, kind)))


UNLINK = Unlink("planted", tombstone=True)
MUTANTS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "a broken file counts as gone": (planner_states, "plan_link", lambda real: lambda b, f, e, s: real(
        b, replace(f, broken=False, missing=f.missing or (f.changed if f.broken else None)), e, s)),
    "no grace": (deletions, "in_grace", lambda _: lambda _f, _s: None),
    "no grace when both are gone": (planner, "in_grace", lambda _: lambda _f, _s: None),
    "endless grace": (deletions, "in_grace", lambda _: lambda _f, s: Decision(verdicts.GONE, not_before=s.now)),
    "past is forgotten": (deletions, "is_finished", lambda _: lambda *_: False),
    "everything is past": (deletions, "is_finished", lambda _: lambda *_: True),
    "an edit never wins": (deletions, "has_edits", lambda _: lambda *_: False),
    "an edit always wins": (deletions, "has_edits", lambda _: lambda *_: True),
    "sides of edits swapped": (deletions, "has_edits", lambda real: lambda b, v, s: real(b, v, s.other)),
    "guests delete for everyone": (deletions, "organised_by_others", lambda _: lambda *_: False),
    "nobody is ever an organiser": (together, "organised_by_others", lambda _: lambda *_: False),
    "everybody else organises": (together, "organised_by_others", lambda _: lambda *_: True),
    "mail is never looked at in deletions": (deletions, "others", lambda _: lambda *_: ()),
    "mail is never looked at in edits": (together, "others", lambda _: lambda *_: ()),
    "the mail gate is open": (deletions, "mail_gate", lambda real: lambda _m, s, *_: real((), s)),
    "deletes are lost": (planner, "file_gone", lambda real: lambda *a: without(real(*a), DeleteEvent)),
    "deletes become unlinks": (planner, "file_gone", lambda real: lambda *a: swap_steps(real(*a), DeleteEvent, UNLINK)),
    "the trash is skipped": (planner, "event_gone", lambda real: lambda *a: without(real(*a), TrashFile)),
    "keep means trash": (deletions, "_follow", lambda real: lambda f, _o: real(f, OnCalendarDelete.TRASH)),
    "trash means keep": (deletions, "_follow", lambda real: lambda f, _o: real(f, OnCalendarDelete.KEEP)),
    "the file always wins": (together, "_winner", lambda _: lambda *_: Side.FILE),
    "the calendar always wins": (together, "_winner", lambda _: lambda *_: Side.CALENDAR),
    "newest is oldest": (together, "_winner", lambda real: lambda f, e, s: (
        real(f, e, s).other if s.route.on_conflict is OnConflict.NEWEST and real(f, e, s) else real(f, e, s))),
    "ask decides": (together, "_winner", lambda real: lambda f, e, s: real(f, e, s) or (
        Side.FILE if s.route.direction is Direction.BOTH else None)),
    "one-way edits are reverted": (together, "_received", lambda _: lambda merged, *_: merged),
    "one-way edits are not said": (together, "_one_way", lambda _: lambda *_: ()),
    "file writes are lost": (planner, "both_there", lambda real: lambda *a: without(real(*a), UpdateFile)),
    "calendar writes are lost": (planner, "both_there", lambda real: lambda *a: without(real(*a), UpdateEvent)),
    "no tombstones": (planner, "new_file", lambda real: lambda f, _t, s, *a: real(f, None, s, *a)),
    "no tombstones for events": (planner, "new_event", lambda real: lambda e, _t, s: real(e, None, s)),
    "a first import asks nobody": (arrivals, "_first_import", lambda _: lambda *_: None),
    "a first contact agrees on everything": (
        planner, "encounter", lambda real: lambda *a: replace(real(*a), clashes=())),
    "a rebuild is no first contact": (
        arrivals, "_first_import", lambda real: lambda b, s: real(b, replace(s, rebuilding=False))),
    "a shared store is one's own": (deletions, "_ours", lambda _: lambda *_: True),
    "a move loses what was edited there": (moving, "_carried", lambda real: lambda *a: replace(real(*a), steps=())),
    "a move deletes over an edit": (moving, "_carried", lambda real: lambda *a: replace(
        real(*a), steps=(), clashes=(), verdict=moving._MOVING)),
    "a move asks no guests": (moving, "others", lambda _: lambda *_: ()),
    "an undated file stays": (planner, "when_of", lambda _: lambda _v: True),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, plant = MUTANTS[name]
    monkeypatch.setattr(place, attribute, plant(getattr(place, attribute)))
    some = itertools.islice(moving_states(), 0, None, 11)
    states = itertools.chain(sample(), itertools.islice(linked_states(), 0, None, 11), some)
    assert next(mismatches(states), None) is not None
