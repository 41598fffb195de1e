"""The truth table of the planner, for reading: what was agreed, what both sides say now, what is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.core.policy import Backlog, Direction, GuestMail, OnCalendarDelete, OnConflict
from tests.servers.planner_states import State, decide, in_words

#     agreed   file      event    what is done (several things are separated by commas)
LINKED = """
      v0       v0        v0       nothing
      v0       v1        v0       event := v1
      v0       v0        v1       file := v1
      v0       v1        v1       agree
      v0       v1        v2       open conflict
      v0       none      v0       event := none
      v0       v0        none     file := none
      v0       none      none     agree
      v0       none      v1       open conflict
      none     none      none     nothing
      none     v1        none     event := v1
      none     none      v1       file := v1
      none     v1        v2       open conflict
      v0       broken    v0       nothing
      v0       broken    v1       nothing
      v0       broken    gone     nothing
      v0       fresh     v0       wait
      v0       fresh     v1       wait
      v0       fresh     gone     wait
      v0       gone      v0       delete event
      v0       gone      v1       make file
      v0       gone      gone     unlink
      v0       undated   v0       delete event
      v0       v0        gone     trash file
      v0       v1        gone     make event
"""

#     file     event     what is done
MET = """
      v0       absent    make event
      absent   v0        make file
      v0       v0        link
      v0       v1        link, open conflict
      broken   absent    nothing
      gone     absent    nothing
"""

#     its user sent it to another calendar (leaves), where it stands now (left), and back since (back)
MOVED = """
      leaves   v0       v0        v0       nothing
      leaves   v0       v1        v0       nothing
      leaves   v0       v0        v1       file := v1
      leaves   v0       v1        v1       agree
      leaves   v0       v1        v2       open conflict
      leaves   v0       v0        gone     trash file
      left     v0       v0        v0       delete event
      left     v0       v1        v0       delete event
      left     v0       v1        v1       delete event
      left     v0       v0        v1       file := v1
      left     v0       v1        v2       open conflict
      left     v0       v0        gone     unlink
      left     v0       gone      v0       delete event
      left     v0       gone      v1       make file
      left     v0       broken    v0       nothing
      back     v0       v0        v0       link
      back     v0       v1        v2       link
      back     v0       v0        gone     unlink
"""


def rows(table: str, columns: int) -> list[tuple[str, ...]]:
    return [tuple(line.split(maxsplit=columns)) for line in table.strip().splitlines()]


def done(words: str) -> frozenset[str]:
    return frozenset(words.strip().split(", "))


@pytest.mark.parametrize(("base", "file", "event", "words"), rows(LINKED, 3))
def test_a_linked_activity(base: str, file: str, event: str, words: str) -> None:
    assert in_words(decide(State(base, file, event))) == done(words)


@pytest.mark.parametrize(("file", "event", "words"), rows(MET, 2))
def test_an_activity_that_was_never_linked(file: str, event: str, words: str) -> None:
    assert in_words(decide(State("new", file, event))) == done(words)


@pytest.mark.parametrize(("move", "base", "file", "event", "words"), rows(MOVED, 4))
def test_an_activity_that_moves(move: str, base: str, file: str, event: str, words: str) -> None:
    assert in_words(decide(State(base, file, event, move=move))) == done(words)


OLD_FILE = State("new", "v0", "absent", from_before=True)
CLASH = State("v0", "v1", "v2")
FILE_REMOVED = State("v0", "gone", "v0")
EVENT_REMOVED = State("v0", "v0", "gone")
ORDERS = [
    ("newest, the file", replace(CLASH, on_conflict=OnConflict.NEWEST), "event := v1, loser kept"),
    ("newest, the calendar", replace(CLASH, on_conflict=OnConflict.NEWEST, file_newer=False), "file := v2, loser kept"),
    ("the file wins", replace(CLASH, on_conflict=OnConflict.FILE), "event := v1, loser kept"),
    ("the calendar wins", replace(CLASH, on_conflict=OnConflict.CALENDAR), "file := v2, loser kept"),
    ("receiving only", State("v0", "v1", "v0", Direction.FROM_CALENDAR), "open conflict"),
    ("sending only", State("v0", "v0", "v1", Direction.TO_CALENDAR), "open conflict"),
    ("delete: keep", replace(EVENT_REMOVED, on_delete=OnCalendarDelete.KEEP), "unlink"),
    ("delete: done", replace(EVENT_REMOVED, on_delete=OnCalendarDelete.DONE), "mark file done"),
    ("past, file removed", replace(FILE_REMOVED, past=True), "unlink"),
    ("past, event removed", replace(EVENT_REMOVED, past=True), "unlink"),
    ("a guest removes the file", replace(FILE_REMOVED, guests="theirs"), "unlink"),
    ("guests: never", replace(FILE_REMOVED, guests="ours"), "nothing"),
    ("guests: ask", replace(FILE_REMOVED, guests="ours", mail=GuestMail.ASK), "delete event, held: mail"),
    ("guests: send", replace(FILE_REMOVED, guests="ours", mail=GuestMail.SEND), "delete event"),
    ("a guest edits", State("v0", "v1", "v0", guests="theirs"), "nothing"),
    ("removed here, sending only", State("v0", "gone", "v1", Direction.TO_CALENDAR), "unlink"),
    ("removed there, receiving only", State("v0", "v1", "gone", Direction.FROM_CALENDAR), "unlink"),
    ("first import", replace(OLD_FILE, backlog=Backlog.ASK), "make event, held: first_import"),
    ("lost journal", State("new", "absent", "v0", rebuilding=True, from_before=True), "make file, held: rebuild"),
    ("moves, the file wins", replace(CLASH, on_conflict=OnConflict.FILE, move="left"), "agree, loser kept"),
    ("moves, receiving only", State("v0", "v1", "v0", Direction.FROM_CALENDAR, move="left"), "delete event"),
    ("moves, sending only", State("v0", "v0", "v1", Direction.TO_CALENDAR, move="left"), "open conflict"),
    ("moves, with guests", State("v0", "v0", "v0", guests="ours", move="left"), "nothing"),
    ("a tombstone", State("new", "v0", "absent", tombstone=True), "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "words"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS])
def test_what_its_user_ordered(state: State, words: str) -> None:
    assert in_words(decide(state)) == done(words)
