"""Holds what looks like an accident: many deletions or mass edits at once, either way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.core.plan import Decision, DeleteEvent, FinishFile, Side, TrashFile, UpdateEvent, UpdateFile
from daemon.core.policy import Brake

_FEW = 5  # fewer deletions than this are never a share worth stopping for
_EDITS = 10  # a mass edit is this many times as many as deletions, and more than half of the links


@dataclass(frozen=True, slots=True)
class Recent:
    """What Datebook already did on a route within the rolling hour, per side."""

    deletions: Mapping[Side, int]
    edits: Mapping[Side, int]


def deletes(decision: Decision) -> Side | None:
    """On which side a decision takes something away."""
    for step in decision.steps:
        match step:
            case DeleteEvent():
                return Side.CALENDAR
            case TrashFile() | FinishFile():
                return Side.FILE
            case _:
                continue
    return None


def edits(decision: Decision) -> Side | None:
    """On which side a decision rewrites something."""
    for step in decision.steps:
        match step:
            case UpdateEvent():
                return Side.CALENDAR
            case UpdateFile():
                return Side.FILE
            case _:
                continue
    return None


def may_stop(number: int, order: Brake, recent: Recent) -> bool:
    """Whether the brake may hold any of so many decisions: only then it matters how many items are linked."""
    removing = number + max(recent.deletions.values(), default=0)
    editing = number + max(recent.edits.values(), default=0)
    return removing >= min(_FEW, order.count + 1) or editing > order.count * _EDITS


def brake(decisions: Sequence[Decision], *, order: Brake, linked: int, recent: Recent) -> list[str | None]:
    """For each decision, why the brake holds it, in figures: all of its kind and side, or (None) none.

    Deletions: more than `count` within the hour, or at least five and more than `share` of the linked
    items. Edits: ten times as many, and more than half of them.
    """
    stopped: dict[tuple[str, Side], str] = {}
    for side in Side:
        removing = sum(1 for one in decisions if deletes(one) is side) + recent.deletions.get(side, 0)
        if removing > order.count or (removing >= _FEW and removing > order.share * linked):
            what = "events are deleted" if side is Side.CALENDAR else "files are taken away"
            lets = f"lets {order.count} through, and of {_FEW} and more at most {order.share:.0%} of the linked"
            stopped["delete", side] = _words(removing, what, linked, lets)
        editing = sum(1 for one in decisions if edits(one) is side) + recent.edits.get(side, 0)
        if editing > order.count * _EDITS and editing > linked / 2:
            what = "events are rewritten" if side is Side.CALENDAR else "files are rewritten"
            lets = f"lets {order.count * _EDITS} through, and more than that up to half of the linked"
            stopped["edit", side] = _words(editing, what, linked, lets)
    return [_held(decision, stopped) for decision in decisions]


def _words(many: int, what: str, linked: int, lets: str) -> str:
    return f"{many:,} {what} within an hour, of {linked:,} linked; the brake {lets}."


def _held(decision: Decision, stopped: Mapping[tuple[str, Side], str]) -> str | None:
    removing, editing = deletes(decision), edits(decision)
    if removing is not None and ("delete", removing) in stopped:
        return stopped["delete", removing]
    return stopped.get(("edit", editing)) if editing is not None else None
