"""Where config and state are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.places import Places, find_places, make_state
from daemon.core.errors import UsageError


def test_an_option_goes_before_the_environment_and_that_before_systemd():
    env = {
        "DATEBOOK_CONFIG": "/env/c.yaml",
        "DATEBOOK_STATE": "/env/state",
        "CONFIGURATION_DIRECTORY": "/sd/config:/sd/other",
        "STATE_DIRECTORY": "/sd/state:/sd/other",
        "CREDENTIALS_DIRECTORY": "/sd/credentials",
    }
    assert find_places("/o/c.yaml", "/o/state", env) == Places(
        Path("/o/c.yaml"), Path("/o/state"), Path("/sd/credentials")
    )
    found = find_places(None, None, env)
    assert (found.config, found.state) == (Path("/env/c.yaml"), Path("/env/state"))
    del env["DATEBOOK_CONFIG"], env["DATEBOOK_STATE"]
    found = find_places(None, None, env)
    assert (found.config, found.state) == (Path("/sd/config/config.yaml"), Path("/sd/state"))


def test_without_a_word_they_are_in_the_users_own_folders(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x/config")
    monkeypatch.setenv("XDG_STATE_HOME", "/x/state")
    assert find_places(None, None, {}) == Places(Path("/x/config/datebook/config.yaml"), Path("/x/state/datebook"))


def test_a_relative_option_is_meant_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_places("c.yaml", "state", {}).config == tmp_path / "c.yaml"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_state_folder_is_for_its_user_alone(tmp_path):
    state = tmp_path / "a" / "state"
    make_state(Places(tmp_path / "c.yaml", state))
    assert mode(state) == 0o700
    state.chmod(0o755)
    (state / "status.json").touch()
    make_state(Places(tmp_path / "c.yaml", state))
    assert mode(state) == 0o700


def test_a_folder_of_other_things_keeps_its_mode(tmp_path):
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(0o755)
    make_state(Places(tmp_path / "c.yaml", tmp_path))
    assert mode(tmp_path) == 0o755


@pytest.mark.parametrize("bits", [0o777, 0o1777, 0o770])
def test_a_folder_that_others_write_to_is_refused(tmp_path, bits):
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(bits)
    with pytest.raises(UsageError) as caught:
        make_state(Places(tmp_path / "c.yaml", tmp_path))
    assert "chmod 700" in caught.value.what_to_do


def test_a_file_in_its_place_is_said_plainly(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(UsageError, match="can't be made"):
        make_state(Places(tmp_path / "c.yaml", tmp_path / "state"))
