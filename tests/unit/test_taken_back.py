"""What counts as taken back by a restore: nothing that came after it is still there."""

from __future__ import annotations

import pytest

from daemon.core.model import Base, Blank, Field, Key, Pair
from daemon.core.taken_back import Losses, keeping_file

PLACE, SUBJECT = Key(Field.LOCATION), Key(Field.SUBJECT)


@pytest.mark.parametrize(
    ("losses", "taken_back"),
    [
        pytest.param(Losses({"a": 5}, newest=4), "a", id="as it was before, and nothing newer is there"),
        pytest.param(Losses({"a": 5}, newest=6), "", id="something newer is there"),
        pytest.param(Losses({}, {"a": 5}, newest=4), "", id="a deletion that the feed tells of"),
        pytest.param(Losses({}, {"a": 5}, newest=4, unvouched="a"), "a", id="a loss of which the feed knows nothing"),
        pytest.param(Losses({}, {"a": 5}, newest=6, unvouched="a"), "", id="a loss before something that is there"),
        pytest.param(Losses({"a": 5}, {"b": 7}, newest=4), "ab", id="one goes with what is as it was before"),
        pytest.param(Losses({"a": 5}, {"b": 3}, newest=4), "a", id="what is older than something there was deleted"),
        pytest.param(Losses({"a": 3}, {"b": 7}, newest=4), "", id="an edit that was put back, and a deletion"),
    ],
)
def test_what_is_taken_back(losses: Losses, taken_back: str) -> None:
    assert losses.taken_back == set(taken_back)
    assert losses.taken_back <= losses.doubtful


def test_keeping_the_file_has_only_what_the_calendar_lost_count_as_edited_here() -> None:
    base = Base({PLACE: Pair("Room 5", "Room 5"), SUBJECT: Pair("Call", "Call")})
    kept = keeping_file(base, {SUBJECT: "Call"}, gone=False)
    assert kept.pairs == {PLACE: Pair(Blank.UNKNOWN, Blank.ABSENT), SUBJECT: Pair("Call", "Call")}


def test_keeping_the_file_of_an_event_that_is_gone_has_all_of_it_count_as_edited() -> None:
    kept = keeping_file(Base({SUBJECT: Pair("Call", "Call")}), {SUBJECT: "Call"}, gone=True)
    assert kept.pairs == {SUBJECT: Pair(Blank.UNKNOWN, "Call")}
