from datetime import timedelta

import pytest

from daemon.core.errors import (
    CursorExpired,
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
    VersionMismatch,
)
from daemon.core.retry import ACCOUNT, ITEM, AskUser, GiveUp, Later, retry

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def wait(error, failures=1, chance=0.0):
    answer = retry(error, failures=failures, chance=chance)
    assert isinstance(answer, Later)
    return answer.after


def test_an_account_that_does_not_answer_is_asked_again_ever_less_often():
    waits = [wait(Unavailable("down"), n, 0.5) for n in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] < 30 * SECOND
    assert 7 * MINUTE < waits[-1] <= 15 * MINUTE


@pytest.mark.parametrize("clock", [ACCOUNT, ITEM])
@pytest.mark.parametrize("failures", [0, 1, 5, 1000, 10**9])
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999999])
def test_every_wait_is_within_its_clock(clock, failures, chance):
    assert clock.first <= clock.wait(failures, chance) <= clock.most


def test_two_daemons_that_lost_one_server_come_back_at_different_times():
    assert wait(Unavailable("down"), 4, 0.1) != wait(Unavailable("down"), 4, 0.9)
    assert wait(Unavailable("down"), 20, 0.1) != wait(Unavailable("down"), 20, 0.9)


@pytest.mark.parametrize("ordered", [40 * SECOND, 2 * HOUR])
def test_a_wait_that_the_service_ordered_is_kept_to(ordered):
    assert wait(Unavailable("slow down", after=ordered)) == ordered


def test_a_short_order_does_not_shorten_the_back_off_and_an_absurd_one_ends_after_a_day():
    assert wait(Unavailable("down", after=SECOND), 8) > 5 * MINUTE
    assert wait(Unavailable("down", after=timedelta(days=400))) == timedelta(days=1)


def test_a_refused_item_has_a_clock_of_its_own():
    assert 5 * MINUTE <= wait(Refused("no", reason="too long")) <= 10 * MINUTE
    assert 12 * HOUR <= wait(Unreadable("junk"), 30) <= 24 * HOUR


def test_a_race_is_run_again_at_once_and_given_to_the_item_clock_when_it_goes_on():
    assert wait(VersionMismatch("changed")) <= 2 * SECOND
    assert wait(VersionMismatch("changed"), 6) >= 5 * MINUTE
    assert wait(Held("open in vim", path="a.yaml", by="vim"), 100) <= MINUTE


def test_a_lost_cursor_means_list_everything_now():
    assert wait(CursorExpired("gone")) == timedelta()


def test_a_full_disk_is_tried_again_by_itself():
    assert wait(Full("quota"), 3) >= 15 * SECOND


@pytest.mark.parametrize("kind", [SignInNeeded, Forbidden, Missing])
def test_what_only_the_user_can_mend_waits_for_the_user(kind):
    assert retry(kind("no", what_to_do="sign in"), failures=1, chance=0.0) == AskUser("sign in")


@pytest.mark.parametrize("error", [NotFound("404"), JournalError("damaged")])
def test_what_trying_again_cannot_mend_is_given_up(error):
    assert retry(error, failures=1, chance=0.0) == GiveUp()
