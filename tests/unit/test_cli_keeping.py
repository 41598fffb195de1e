"""Where a password goes that was typed, and what is said when a login is refused."""

from __future__ import annotations

import keyring
import keyring.backend
import keyring.errors
import pytest

from config.places import Places
from config.schema import AccountConfig, SecretRef, SecretSource, Service
from daemon.cli.admin_letter import letter, two_factors
from daemon.cli.keeping import drop, keep, keep_at
from daemon.core.errors import UsageError


class Ring(keyring.backend.KeyringBackend):
    """A keyring in a dict, as the desktop's own one would be."""

    priority = 5
    locked = False

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service, username):
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        if self.locked:
            raise keyring.errors.KeyringLocked
        self.held[service, username] = password

    def delete_password(self, service, username):
        del self.held[service, username]


@pytest.fixture
def ring():
    before, own = keyring.get_keyring(), Ring()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "c.yaml", tmp_path / "state")


def test_a_keyring_takes_it_where_there_is_one(ring, places):
    assert keep("hunter2", "home", places) == SecretRef(SecretSource.KEYRING, "datebook/home")
    assert ring.held == {("datebook", "home"): "hunter2"}
    assert not places.secrets.exists()


def test_a_locked_keyring_leaves_it_to_a_private_file(ring, places):
    ring.locked = True
    ref = keep("hunter2", "home", places)
    assert ref == SecretRef(SecretSource.FILE, str(places.secrets / "home.password"))
    assert (places.secrets / "home.password").stat().st_mode & 0o777 == 0o600
    assert places.secrets.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("locked", [True, False])
def test_a_new_password_takes_the_old_ones_place_and_can_be_dropped(ring, places, locked):
    ring.locked = locked
    ref = keep("old", "home", places)
    keep_at("new", ref)
    kept = (places.secrets / "home.password").read_text() if locked else ring.held["datebook", "home"]
    assert kept.strip() == "new"
    drop(ref)
    assert ring.held == {}
    assert not (places.secrets / "home.password").exists()


def test_a_password_from_a_command_is_changed_there(places):
    with pytest.raises(UsageError, match="command"):
        keep_at("new", SecretRef(SecretSource.COMMAND, "pass show x"))


@pytest.mark.parametrize("service", list(Service))
def test_the_letter_names_the_right_that_is_missing(service):
    text = letter(AccountConfig("a", service, "me@example.com", "https://x.example/"), "403 need-privileges")
    assert "403 need-privileges" in text
    assert "me@example.com" in text
    assert "It needs " in text


@pytest.mark.parametrize(
    ("host", "word"),
    [("caldav.icloud.com", "account.apple.com"), ("icloud.com.example.com", "security settings"), ("", "app password")],
)
def test_the_cure_for_two_factors_is_the_providers_own(host, word):
    assert word in two_factors(AccountConfig("a", Service.CALDAV), host)
