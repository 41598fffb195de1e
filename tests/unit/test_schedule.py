"""When a route is passed over, in plain numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import Forbidden, Full, JournalError, Missing, SignInNeeded, SyncError, Unavailable
from daemon.loop import schedule
from daemon.loop.schedule import Instant, Step, StopAccount, StopRoute, Wait

MINUTE = timedelta(seconds=60)
DOWN = Unavailable("connection refused")
NOON = Instant(datetime(2026, 11, 24, 12, 0, tzinfo=UTC), 1000.0)


def rested(now=0.0):
    """A route that was polled at `now` and has nothing to do."""
    table = schedule.begun(schedule.fresh(MINUTE, now), poll=True, now=now, draw=0.5)
    return schedule.succeeded(table, inf)


def fail(table, error, now, failures_draw=1.0, *, poll=True):
    answer = schedule.answer_to(error, table.failures + 1, failures_draw)
    return schedule.failed(table, error, answer, poll=poll, now=now, again_at=inf)


def test_a_new_route_is_polled_at_once():
    assert schedule.next_step({"work": schedule.fresh(MINUTE, 5.0)}, 5.0) == Step("work", poll=True)


def test_polls_come_every_poll_with_a_tenth_of_jitter_either_way():
    table = schedule.fresh(MINUTE, 0.0)
    assert schedule.begun(table, poll=True, now=0.0, draw=0.0).poll_at == pytest.approx(54.0)
    assert schedule.begun(table, poll=True, now=0.0, draw=1.0).poll_at == pytest.approx(66.0)


def test_files_go_out_at_once_and_without_a_poll():
    table = schedule.woken(rested())
    assert schedule.next_step({"work": table}, 1.0) == Step("work", poll=False)
    after = schedule.begun(table, poll=False, now=1.0, draw=0.5)
    assert after.poll_at == table.poll_at


def test_what_wakes_a_route_during_its_pass_is_another_pass():
    running = schedule.begun(schedule.woken(rested()), poll=False, now=1.0, draw=0.5)
    assert schedule.next_step({"work": schedule.succeeded(running, inf)}, 2.0) is None
    assert schedule.next_step({"work": schedule.succeeded(schedule.woken(running), inf)}, 2.0) is not None


def test_a_failed_poll_is_a_poll_again_when_the_wait_is_over_and_files_wait_with_it():
    table = fail(rested(), DOWN, 60.0)
    assert table.not_before > 60.0
    woken = schedule.woken(table)
    assert schedule.next_step({"work": woken}, table.not_before - 0.1) is None
    assert schedule.next_step({"work": woken}, table.not_before) == Step("work", poll=True)


def test_success_forgets_the_failures():
    table = schedule.succeeded(fail(fail(rested(), DOWN, 60.0), DOWN, 80.0), inf)
    assert (table.failures, table.error, table.not_before) == (0, None, -inf)


def test_a_week_offline_asks_about_every_quarter_of_an_hour_and_comes_back_soon_after():
    table, now, tries = rested(), 60.0, 0
    while now < 7 * 86400:
        table = fail(schedule.begun(table, poll=True, now=now, draw=0.5), DOWN, now, 0.5)
        now, tries = table.due_at(), tries + 1
        assert table.due_at() - table.ran_at <= 15 * 60
    assert 7 * 24 * 4 <= tries <= 7 * 24 * 8


def test_what_the_service_ordered_is_kept_to_even_when_its_user_asks():
    slow_down = Unavailable("slow down", after=timedelta(minutes=40), throttled=True)
    table = schedule.forced(fail(rested(), slow_down, 60.0))
    assert table.due_at() >= 60.0 + 40 * 60
    assert schedule.after_jump(table, 100.0).due_at() >= 60.0 + 40 * 60


def test_back_off_does_not_delay_a_pass_that_its_user_asks_for():
    assert schedule.next_step({"work": schedule.forced(fail(rested(), DOWN, 60.0))}, 60.1) == Step("work", poll=True)


def test_a_wrong_sign_in_is_not_tried_again_by_any_clock_or_wish_but_by_a_poke():
    table = fail(rested(), SignInNeeded("revoked", what_to_do="datebook connect work"), 60.0)
    for stopped in (table, schedule.forced(table), schedule.woken(table), schedule.after_jump(table, 1e9)):
        assert schedule.next_step({"work": stopped}, 1e9) is None
    assert schedule.next_step({"work": schedule.poked(table)}, 60.1) == Step("work", poll=True)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (SignInNeeded("", what_to_do=""), StopAccount),
        (Forbidden("", what_to_do=""), StopRoute),
        (Missing("", what_to_do=""), StopRoute),
        (Unavailable(""), Wait),
        (Full(""), Wait),
        (JournalError(""), StopRoute),
        (SyncError(""), Wait),
    ],
)
def test_each_error_has_an_answer(error, answer):
    assert type(schedule.answer_to(error, 1, 0.5)) is answer


def test_only_being_told_to_slow_down_holds_up_the_whole_account():
    assert schedule.answer_to(Unavailable("", throttled=True), 1, 0.5).whole_account
    assert not schedule.answer_to(Unavailable("", throttled=False), 1, 0.5).whole_account


def test_files_go_before_polls_but_do_not_starve_one_that_is_overdue():
    busy = replace(schedule.woken(rested()), ran_at=100.0)
    waiting = rested()
    assert schedule.next_step({"busy": busy, "waiting": waiting}, 61.0) == Step("busy", poll=True)
    fresh_poll = replace(busy, poll_at=1e6)
    assert schedule.next_step({"busy": fresh_poll, "waiting": waiting}, 61.0) == Step("busy", poll=False)
    assert schedule.next_step({"busy": fresh_poll, "waiting": waiting}, 101.0) == Step("waiting", poll=True)


def test_a_suspend_and_a_clock_that_was_set_are_jumps_and_a_slow_machine_is_none():
    def later(wall, monotonic):
        return Instant(NOON.wall + timedelta(seconds=wall), NOON.monotonic + monotonic)

    assert schedule.has_jumped(NOON, later(3600, 5))
    assert schedule.has_jumped(NOON, later(-3600, 5))
    assert not schedule.has_jumped(NOON, later(600, 600))
    assert not schedule.has_jumped(NOON, later(30, 5))


def test_after_a_jump_everything_is_asked_at_once():
    table = schedule.after_jump(fail(rested(), DOWN, 60.0), 61.0)
    assert schedule.next_step({"work": table}, 61.0) == Step("work", poll=True)


def test_again_at_once_does_not_spin():
    assert schedule.moment_of(NOON.wall - timedelta(days=1), NOON) > NOON.monotonic
    assert schedule.moment_of(NOON.wall + timedelta(seconds=10), NOON) == pytest.approx(NOON.monotonic + 10)
    assert schedule.moment_of(None, NOON) == inf


def test_a_first_network_failure_is_no_warning_and_anything_else_is():
    assert not schedule.is_worth_a_warning(DOWN, 1)
    assert schedule.is_worth_a_warning(DOWN, 2)
    assert schedule.is_worth_a_warning(Forbidden("", what_to_do=""), 1)


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_waits_are_never_nothing_and_never_longer_than_a_quarter_of_an_hour(failures, draw):
    answer = schedule.answer_to(DOWN, failures, draw)
    assert 0.5 <= answer.seconds <= 900
