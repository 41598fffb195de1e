"""Secrets come from where their user keeps them, and are never said aloud."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from adapters.sign_in import secrets
from adapters.sign_in.secrets import Kind, Secret
from daemon.core.errors import SignInNeeded

CANARY = "pa55 wörd;$(x)"


def test_a_command_gives_its_first_line(tmp_path: Path) -> None:
    script = tmp_path / "give"
    script.write_text(f"#!{sys.executable}\nprint({CANARY!r})\nprint('notes: nothing')\n")
    script.chmod(0o700)
    assert Secret(Kind.COMMAND, f"'{script}'")() == CANARY


def test_a_command_is_no_shell_line(tmp_path: Path) -> None:
    assert Secret(Kind.COMMAND, f"echo a; touch {tmp_path}/made")() == f"a; touch {tmp_path}/made"
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("line", ["false", "/no/such/command", "", "echo 'unclosed", "true"])
def test_a_command_that_gives_nothing_asks_for_its_user(line: str) -> None:
    with pytest.raises(SignInNeeded) as caught:
        Secret(Kind.COMMAND, line)()
    assert caught.value.what_to_do


def test_a_command_that_waits_for_somebody_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "COMMAND_LIMIT", 0.2)
    began = time.monotonic()
    with pytest.raises(SignInNeeded, match="no answer within"):
        Secret(Kind.COMMAND, "sleep 20")()
    assert time.monotonic() - began < 5


def test_a_file_gives_its_text_without_the_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n", encoding="utf-8")
    path.chmod(0o600)
    assert Secret(Kind.FILE, str(path))() == CANARY


def test_a_file_that_everybody_may_read_is_refused_with_its_cure(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(CANARY)
    path.chmod(0o644)
    with pytest.raises(SignInNeeded) as caught:
        Secret(Kind.FILE, str(path))()
    assert "chmod 600" in caught.value.what_to_do
    assert CANARY not in str(caught.value)


def test_a_credential_is_a_file_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "home").write_text(CANARY)
    assert Secret(Kind.CREDENTIAL, "home", {"CREDENTIALS_DIRECTORY": str(tmp_path)})() == CANARY


@pytest.mark.parametrize("name", ["../home", "", "missing"])
def test_a_credential_is_never_looked_for_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "home").write_text(CANARY)
    (tmp_path / "inner").mkdir()
    with pytest.raises(SignInNeeded):
        Secret(Kind.CREDENTIAL, name, {"CREDENTIALS_DIRECTORY": str(tmp_path / "inner")})()


def test_the_environment_gives_a_secret_by_name() -> None:
    assert Secret(Kind.ENV, "DAV_PASSWORD", {"DAV_PASSWORD": CANARY})() == CANARY
    with pytest.raises(SignInNeeded, match="DAV_PASSWORD"):
        Secret(Kind.ENV, "DAV_PASSWORD", {})()


def test_a_keyring_without_a_backend_asks_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(SignInNeeded) as caught:
            Secret(Kind.KEYRING, "datebook/home")()
    finally:
        keyring.set_keyring(before)
    assert caught.value.what_to_do


def test_a_secret_has_changed_only_when_reading_it_again_gives_another(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("one")
    secret = Secret(Kind.FILE, str(path))
    assert not secret.changed()
    assert secret() == "one"
    assert not secret.changed()
    path.write_text("two")
    assert secret.changed()
    assert not secret.changed()
    path.unlink()
    assert not secret.changed()
    path.touch(mode=0o600)
    path.write_text("three")
    assert secret.changed()


def test_a_secret_is_in_no_repr(tmp_path: Path) -> None:
    secret = Secret(Kind.ENV, "DAV_PASSWORD", {"DAV_PASSWORD": CANARY})
    secret()
    assert CANARY not in repr(secret)
