from datetime import date

import pytest

from daemon.core.model import Activity, AllDay, Field, Key, Local
from daemon.core.plan import State
from daemon.core.policy import Direction, Route
from daemon.core.routing import Choice, route_for

ME, HER = "me@example.com", "her@example.com"
ROUTES = (
    Route("inbox", "google", direction=Direction.FROM_CALENDAR),
    Route("work", "google", send=frozenset({"call", "meeting"})),
    Route("tasks", "office"),
    Route("hers", "hers"),
)
USERS = {"inbox": ME, "work": ME, "tasks": "Me@Example.com", "hers": HER}


def choose(local=None, kind="call", came_from=None, *, shared=False, routes=ROUTES, users=USERS, dated=True):
    view = {Key(Field.SUBJECT): "Call", Key(Field.TYPE): kind}
    if dated:
        view[Key(Field.WHEN)] = AllDay(date(2026, 11, 30))
    activity = Activity("u1", view, local or Local())
    return route_for(activity, routes, users=users, owner=ME, shared=shared, came_from=came_from)


def verdict(choice):
    assert choice.route is None
    return choice.verdict.state, choice.verdict.code


def test_the_first_calendar_that_sends_and_takes_the_type_gets_it():
    assert choose() == Choice("work")
    assert choose(kind="task") == Choice("tasks")


def test_a_file_that_says_no_type_is_a_meeting():
    view = {Key(Field.WHEN): AllDay(date(2026, 11, 30))}
    activity = Activity("u1", view)
    assert route_for(activity, ROUTES, users=USERS, owner=ME, shared=False, came_from=None) == Choice("work")


def test_the_calendar_that_the_file_names_goes_before_all():
    assert choose(Local(calendar="tasks"), came_from="work") == Choice("tasks")
    assert choose(Local(calendar="work"), kind="task") == Choice("work")


def test_what_came_from_a_calendar_goes_back_there_whatever_it_sends():
    assert choose(kind="lunch", came_from="inbox") == Choice("inbox")
    assert choose(came_from="no longer in the config") == Choice("work")


def test_a_calendar_that_is_not_in_the_config_blocks_and_the_nearest_name_is_offered():
    choice = choose(Local(calendar="wrok"))
    assert verdict(choice) == (State.BLOCKED, "unknown_calendar")
    assert "calendar: work" in choice.verdict.cure
    assert "work, tasks" in choose(Local(calendar="zzz")).verdict.cure


def test_each_owner_goes_into_the_calendar_of_their_account():
    assert choose(Local(owner="HER@example.com")) == Choice("hers")
    assert verdict(choose(Local(owner="else@example.com"))) == (State.IGNORED, "other_owner")


def test_a_type_that_no_calendar_sends_is_said():
    choice = choose(kind="task", routes=ROUTES[:2])
    assert verdict(choice) == (State.IGNORED, "type_not_sent")
    assert "`task`" in choice.verdict.reason


def test_an_account_with_a_bare_login_is_the_config_owners():
    home = (Route("home", "home"),)
    assert choose(routes=home, users={"home": "me"}) == Choice("home")
    assert verdict(choose(Local(owner=HER), routes=home, users={"home": "me"})) == (State.IGNORED, "other_owner")
    assert choose(routes=home, users={"home": "login@provider.example"}) == Choice("home")


def test_in_a_shared_store_a_file_without_an_owner_is_created_nowhere():
    assert verdict(choose(shared=True)) == (State.BLOCKED, "no_owner")
    assert choose(Local(owner=ME), shared=True) == Choice("work")
    assert choose(came_from="work", shared=True) == Choice("work")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (choose(Local(sync=False)), (State.IGNORED, "sync_off")),
        (choose(dated=False), (State.UNSCHEDULED, "unscheduled")),
        (choose(routes=()), (State.IGNORED, "no_calendar")),
        (choose(routes=ROUTES[:1]), (State.IGNORED, "no_calendar")),
    ],
)
def test_a_file_that_belongs_to_no_calendar_says_why_and_what_to_do(choice, expected):
    assert verdict(choice) == expected
    assert choice.verdict.reason
    assert choice.verdict.cure
