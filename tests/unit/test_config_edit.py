"""Adding to a config that somebody wrote by hand."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from config.edit import add_entry, replace_file
from config.load import parse_config
from daemon.core.errors import ConfigError, UsageError

HOME = {
    "service": "caldav",
    "url": "https://dav.example.com/me/",
    "user": "me",
    "password": {"keyring": "datebook/home"},
}

WRITTEN = """\
# My config.
store: ~/D      # the folder

accounts:
    # the old one
    office:   {service: caldav,  url: 'https://x.example/'}   # keep
    # office2: not yet

# Now the calendars.
calendars:
    work: {account: office}
"""


def added(before: str, after: str) -> list[str]:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in lines if line.startswith("- ")], lines
    return [line[2:] for line in lines if line.startswith("+ ")]


def test_an_account_is_added_below_the_others_and_no_other_line_changes():
    after = add_entry(WRITTEN, "accounts", "home", HOME)
    assert added(WRITTEN, after) == [
        "    home:",
        "        service: caldav",
        "        url: https://dav.example.com/me/",
        "        user: me",
        "        password: {keyring: datebook/home}",
    ]
    assert after.index("# office2") < after.index("home:\n") < after.index("# Now the calendars.")
    config = parse_config(after.encode(), Path("/c.yaml"))
    assert list(config.accounts) == ["office", "home"]


def test_a_calendar_comes_last_because_the_first_that_fits_takes_an_activity():
    after = add_entry(add_entry(WRITTEN, "accounts", "home", HOME), "calendars", "home", {"account": "home"})
    assert list(parse_config(after.encode(), Path("/c.yaml")).routes) == ["work", "home"]


@pytest.mark.parametrize(
    "text",
    [
        "store: ~/D\n",
        "store: ~/D",
        "store: ~/D\n# the end\n",
        "store: ~/D\naccounts:\n",
        "store: ~/D\naccounts: # none yet\n\nowner: me@example.com\n",
        "store: ~/D\naccounts: {}\nowner: me@example.com\n",
        "store: ~/D\naccounts: {a: {service: google}}  # one\n",
        "store: ~/D\naccounts: {a: {service: google},}\n",
        "store: ~/D\naccounts: {\n  a: {service: google}\n}\n",
        "store: ~/D\naccounts:\n a:\n  service: google\n# the end\n",
        "store: ~/D\naccounts:\n  a:\n    service: google\n...\n",
        "---\nstore: ~/D\naccounts:\n  a:\n    service: google\n",
        "store: ~/D\r\naccounts:\r\n  a:\r\n    service: google\r\n\r\nowner: me@example.com\r\n",
        "\ufeffstore: ~/D\naccounts:\n  a: {service: google}\n",
    ],
)
def test_it_is_added_however_the_file_is_written(text):
    after = add_entry(text, "accounts", "home", HOME)
    before = parse_config(text.encode(), Path("/c.yaml"))
    config = parse_config(after.encode(), Path("/c.yaml"))
    assert list(config.accounts) == [*before.accounts, "home"]
    assert config.owner == before.owner
    assert after.count("\r\n") == (after.count("\n") if "\r\n" in text else 0)


@pytest.mark.parametrize(
    "value", ["a: b", "#x", "yes", "", "{x}", 'say "hi"', "- a", "Ünïcode", "a, b", "x #y", "tr\tb"]
)
def test_a_value_is_quoted_where_it_must_be(value):
    after = add_entry("store: ~/D\n", "calendars", "w", {"account": "a", "calendar": value})
    after = add_entry(after, "accounts", "a", {"service": "google", "password": {"command": value}})
    assert after.startswith("store: ~/D\n")


@pytest.mark.parametrize(
    "text", ["{store: ~/D}\n", "store: ~/D\naccounts: [a]\n", "store: ~/D\naccounts: {a: {service: google} # x,\n}\n"]
)
def test_what_cannot_be_extended_is_shown_for_adding_by_hand(text):
    with pytest.raises(UsageError) as caught:
        add_entry(text, "accounts", "home", HOME)
    assert "    service: caldav\n" in caught.value.what_to_do


def test_an_entry_that_is_there_already_is_not_added_again():
    with pytest.raises(UsageError, match="already"):
        add_entry(WRITTEN, "accounts", "office", HOME)


def test_a_broken_config_is_not_touched():
    with pytest.raises(ConfigError):
        add_entry("store: [\n", "accounts", "home", HOME)


def test_a_config_that_is_a_link_stays_one_and_keeps_its_mode(tmp_path):
    target, link = tmp_path / "dotfiles.yaml", tmp_path / "config.yaml"
    target.write_bytes(b"a")
    target.chmod(0o640)
    link.symlink_to(target)
    replace_file(link, b"b", expected=b"a")
    assert link.is_symlink()
    assert target.read_bytes() == b"b"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.yaml", "dotfiles.yaml"]


def test_an_edit_that_was_saved_meanwhile_is_not_overwritten(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(b"newer")
    with pytest.raises(UsageError, match="meanwhile"):
        replace_file(file, b"b", expected=b"a")
    assert file.read_bytes() == b"newer"


def test_a_new_config_is_for_its_user_alone(tmp_path):
    file = tmp_path / "datebook" / "config.yaml"
    replace_file(file, b"a", expected=None)
    assert file.stat().st_mode & 0o777 == 0o600
