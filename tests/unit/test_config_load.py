"""What a config may say, and how wrong ones are answered."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import pytest

from config.load import load, parse_config
from config.schema import Config, SecretRef, SecretSource, Service
from daemon.core.errors import ConfigError, ConfigProblem
from daemon.core.policy import Backlog, Brake, Direction, PrivateEvents, Route, Since

PLACE = Path("/etc/datebook/config.yaml")
HOME = Path("/home/anna")
ACCOUNT = "accounts:\n  home: {service: caldav, url: 'https://dav.example.com/', user: me}\n"


def read(text: str) -> Config:
    return parse_config(text.encode(), PLACE, home=HOME)


def problems(text: str | bytes) -> tuple[ConfigProblem, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text if isinstance(text, bytes) else text.encode(), PLACE, home=HOME)
    return caught.value.problems


def problem(text: str | bytes) -> ConfigProblem:
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def route(lines: str, top: str = "") -> Route:
    return read(f"store: ~/D\n{top}{ACCOUNT}calendars:\n  work:\n    account: home\n{lines}").routes["work"]


def route_problem(lines: str) -> ConfigProblem:
    return problem(f"store: ~/D\n{ACCOUNT}calendars:\n  work:\n    account: home\n{lines}")


def test_the_shipped_example_is_valid_and_shows_the_defaults():
    example = Path(__file__).parents[2] / "config" / "example.yaml"
    config = load(example, home=HOME)
    assert config.store == HOME / "Datebook"
    assert [account.service for account in config.accounts.values()] == ["google", "exchange", "caldav"]
    assert config.accounts["home"].password == SecretRef(SecretSource.FILE, str(HOME / ".config/datebook/home.secret"))
    work, default = config.routes["work"], Route("work", "google")
    shown = {"send", "rules"}  # these have no default that could be shown
    assert {f.name for f in fields(Route) if getattr(work, f.name) != getattr(default, f.name)} == shown
    assert [rule.type for rule in work.rules] == ["call", "lunch"]
    assert list(config.routes) == ["work", "private"]


def test_a_config_needs_no_more_than_a_store():
    config = read("store: ~/Datebook\n")
    assert config.store == HOME / "Datebook"
    assert config.types == ("call", "meeting", "task", "deadline", "email", "lunch")
    assert (config.timezone, config.shared, config.routes) == ("", False, {})


def test_a_relative_store_is_beside_the_config():
    assert read("store: activities\n").store == Path("/etc/datebook/activities")


def test_values_are_read_as_text_and_converted_by_their_key():
    work = route(
        "    calendar: 10:30\n    delete_grace: 1m\n    poll: 1h30m\n    brake: {count: 3, share: 5%}\n"
        "    include_context: yes\n    backlog: skip\n    direction: to-calendar\n"
        "    since: 2026-11-24\n    send: call\n"
    )
    assert work.calendar == "10:30"
    assert (work.delete_grace, work.poll) == (timedelta(minutes=1), timedelta(minutes=90))
    assert work.brake == Brake(3, 0.05)
    assert (work.include_context, work.backlog, work.direction) == (True, Backlog.SKIP, Direction.TO_CALENDAR)
    assert work.since == date(2026, 11, 24)
    assert work.send == frozenset({"call"})


def test_a_bare_key_has_its_default():
    assert route("    since:\n    poll:\n").since is Since.NOW


def test_in_a_shared_store_private_events_come_as_busy_unless_said_otherwise():
    assert route("", top="shared: true\n").private_events is PrivateEvents.BUSY
    assert route("    private_events: full\n", top="shared: true\n").private_events is PrivateEvents.FULL
    assert route("").private_events is PrivateEvents.FULL


def test_incoming_events_get_the_first_own_type_where_there_is_no_meeting():
    assert route("", top="types: [visit, call]\n").receive_as == "visit"


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file():
    found = problems(
        "stor: ~/D\nshared: perhaps\ntimezone: Europe/Helsinky\naccounts:\n  a: {service: gogle}\n"
        "calendars:\n  work:\n    account: b\n    pol: 60s\n    direction: up\n"
    )
    assert [(one.line, one.column) for one in found] == [
        (1, 1),
        (1, 1),
        (2, 9),
        (3, 11),
        (5, 16),
        (8, 14),
        (9, 5),
        (10, 16),
    ]
    cures = " ".join(one.cure for one in found)
    for word in ("`store`", "`true`", "`Europe/Helsinki`", "`google`", "`poll`", "from-calendar"):
        assert word in cures


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("    directon: both\n", "`direction`"),
        ("    direction: bot\n", "`both`"),
        ("    guests: nevr\n", "`never`"),
        ("    poll: 60\n", "60s"),
        ("    poll: 0s\n", "1s"),
        ("    since: 2026-02-30\n", "2026-11-24"),
        ("    brake: {count: -1}\n", "whole number"),
        ("    brake: {share: 1.5}\n", "0.2"),
        ("    brake: {coun: 5}\n", "`count`"),
        ("    send: [call, meting]\n", "`meeting`"),
        ("    receive_as: cal\n", "`call`"),
        ("    rules: [{title: '(', type: call}]\n", "backslash"),
        ("    rules: [{titel: x, type: call, category: y}]\n", "`title`"),
        ("    rules: [{type: call}]\n", "receive_as"),
        ("    folder: ../elsewhere\n", "below the store"),
        ("    folder: .datebook/x\n", "below the store"),
        ("    folder: '{yaer}'\n", "`year`"),
        ("    poll: 99999999999d\n", "ten years"),
        ("    calendar: [a, b]\n", "single value"),
    ],
)
def test_a_wrong_value_names_the_cure(line, cure):
    assert cure in route_problem(line).cure


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://dav.example.com/", True),
        ("http://127.0.0.1:5232/me/", True),
        ("http://localhost/", True),
        ("http://[::1]:80/", True),
        ("http://dav.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("ftp://dav.example.com/", False),
        ("dav.example.com", False),
        ("https://me:secret@dav.example.com/", False),
        ("https://dav.example.com:port/", False),
    ],
)
def test_plain_http_goes_to_this_machine_alone(url, fine):
    text = f"store: ~/D\naccounts:\n  a: {{service: caldav, url: '{url}', user: me}}\n"
    if fine:
        assert read(text).accounts["a"].url == url
    else:
        assert problem(text).line == 3


def test_a_password_in_plain_text_is_refused_and_not_repeated():
    found = problem(
        "store: ~/D\naccounts:\n  a:\n    service: caldav\n    url: https://x.example\n    password: hunter2\n"
    )
    assert (found.line, found.column) == (6, 15)
    assert "keyring" in found.cure
    assert "hunter2" not in found.message + found.cure


def test_a_login_in_an_address_is_not_repeated():
    found = problem("store: ~/D\naccounts:\n  a: {service: caldav, url: 'https://me:hunter2@x.example/'}\n")
    assert "hunter2" not in found.message + found.cure


@pytest.mark.parametrize("source", list(SecretSource))
def test_a_secret_is_kept_in_one_of_five_places(source):
    text = f"store: ~/D\naccounts:\n  a: {{service: google, token: {{{source}: ~/name}}}}\n"
    expected = str(HOME / "name") if source is SecretSource.FILE else "~/name"
    assert read(text).accounts["a"].token == SecretRef(source, expected)


def test_a_misspelt_secret_place_is_named():
    assert "`keyring`" in problem("store: ~/D\naccounts:\n  a: {service: google, token: {keyrng: x}}\n").cure


def test_a_token_and_a_password_exclude_each_other():
    text = f"store: ~/D\n{ACCOUNT.replace('user: me', 'password: {env: A}, token: {env: B}')}"
    assert "either" in problem(text).message


@pytest.mark.parametrize("host", ["outlook.office365.com", "Outlook.Office365.com.", "outlook.office.com"])
def test_exchange_online_is_sent_to_microsoft365_with_the_reason(host):
    text = f"store: ~/D\naccounts:\n  a: {{service: exchange, url: 'https://{host}/EWS/Exchange.asmx'}}\n"
    found = problem(text)
    assert "2027" in found.message
    assert "service: microsoft365" in found.cure


@pytest.mark.parametrize("service", [Service.CALDAV, Service.EXCHANGE])
def test_a_server_of_ones_own_needs_an_address(service):
    found = problem(f"store: ~/D\naccounts:\n  a: {{service: {service}}}\n")
    assert "`accounts.a.url` is missing" in found.message


def test_two_routes_into_one_calendar_are_refused():
    routes = "  a: {account: home, calendar: Work}\n  b: {account: home, calendar: work}\n"
    found = problem(f"store: ~/D\n{ACCOUNT}calendars:\n{routes}")
    assert found.line == 6
    assert "`calendars.a`" in found.message


def test_two_accounts_of_one_login_are_one_when_it_comes_to_calendars():
    text = (
        "store: ~/D\naccounts:\n  a: {service: caldav, url: 'https://x.example/', user: me}\n"
        "  b: {service: caldav, url: 'https://x.example', user: Me}\n"
        "calendars:\n  a: {account: a}\n  b: {account: b}\n"
    )
    assert "same calendar" in problem(text).message


def test_a_calendar_of_a_broken_account_is_not_reported_as_well():
    text = "store: ~/D\naccounts:\n  a: {service: caldavv}\ncalendars:\n  w: {account: a}\n"
    assert "`caldav`" in problem(text).cure


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("store: ~/A\nstore: ~/B\n", 2, "twice"),
        ("store: !!python/name:os.system x\n", 1, "tag"),
        ("store: &a ~/A\n", 1, "anchor"),
        ("store: ~/A\nowner: *a\n", 2, "alias"),
        ("store: [~/A\n", 2, "not valid YAML"),
        ("store: ~/A\nowner: a: b\n", 2, "not valid YAML"),
        ("store:\n\t- a\n", 2, "not valid YAML"),
        ("- a\n", 1, "keys with values"),
        ("store: ~/A\n---\nstore: ~/B\n", 2, "second document"),
        ("? [a]\n: b\nstore: ~/A\n", 1, "one word"),
        (b"store: ~/A\nowner: \xff\n", 2, "UTF-8"),
        ("a: " + "[" * 5000, 1, "nested"),
        ("", 1, "`store` is missing"),
        ("# nothing\n", 1, "`store` is missing"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(text, line, word):
    found = problems(text)
    assert any(word in one.message and one.line == line for one in found), found


def test_a_huge_file_is_refused():
    assert "1 MiB" in problem(b"#" * (1 << 20) + b"\nstore: x\n").message


def test_a_byte_order_mark_is_no_trouble():
    assert read("\ufeffstore: ~/D\r\n").store == HOME / "D"


def test_a_missing_config_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    assert "datebook init" in caught.value.problems[0].cure


@pytest.mark.parametrize(
    ("zone", "near"),
    [("Europe/Helsinky", "Europe/Helsinki"), ("helsinki", "Europe/Helsinki"), ("europe/berlin", "Europe/Berlin")],
)
def test_a_wrong_zone_names_the_nearest(zone, near):
    assert near in problem(f"store: ~/D\ntimezone: {zone}\n").cure


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/localtime", "Nowhere/At_All"])
def test_a_zone_is_a_name_and_no_path(zone):
    assert "no such time zone" in problem(f"store: ~/D\ntimezone: {zone}\n").message


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "x" * 70])
def test_names_of_accounts_and_calendars_can_stand_in_paths_and_commands(name):
    assert "no name" in problem(f"store: ~/D\naccounts:\n  '{name}': {{service: google}}\n").message


def test_a_type_is_one_word():
    assert "one word" in problem("store: ~/D\ntypes: [call, two words]\n").cure


def test_an_owner_is_a_mail_address():
    assert "mail address" in problem("store: ~/D\nowner: me\n").message
