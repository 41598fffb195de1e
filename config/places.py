"""Where the config and the state of Datebook are: options, environment, systemd's folders, the user's folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.core.errors import UsageError

_OURS = frozenset({"journal.db", "status.json", "lock", "control.sock", "secrets"})


@dataclass(frozen=True, slots=True)
class Places:
    """The config file, the state folder, and systemd's folder of credentials."""

    config: Path
    state: Path
    credentials: Path | None = None

    @property
    def journal(self) -> Path:
        """The state journal."""
        return self.state / "journal.db"

    @property
    def status(self) -> Path:
        """The status file."""
        return self.state / "status.json"

    @property
    def control(self) -> Path:
        """The running daemon's control socket."""
        return self.state / "control.sock"

    @property
    def lock(self) -> Path:
        """What the owner of the state folder has locked."""
        return self.state / "lock"

    @property
    def secrets(self) -> Path:
        """The folder of passwords and tokens that no keyring could take."""
        return self.state / "secrets"


def shipped(name: str) -> Path:
    """A file that comes with the program: a JSON Schema, the example config."""
    return Path(__file__).parent / name


def find_places(config: str | None, state: str | None, env: Mapping[str, str]) -> Places:
    """The places that the options (None: not given) and the environment mean; nothing is made.

    An option goes before $DATEBOOK_CONFIG and $DATEBOOK_STATE, they before systemd's folders (the first
    of several), these before the user's own ones.
    """
    credentials = env.get("CREDENTIALS_DIRECTORY")
    return Places(
        config=_config(config or env.get("DATEBOOK_CONFIG", ""), env),
        state=_state(state or env.get("DATEBOOK_STATE", ""), env),
        credentials=Path(credentials) if credentials else None,
    )


def make_state(places: Places) -> None:
    """Make the state folder, for its user's eyes alone. Raises UsageError where others can write to it."""
    state = places.state
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)
        _tighten(state)
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise UsageError(
            f"The state folder {state} can't be made: {what}.",
            what_to_do="Name another one: --state DIR or $DATEBOOK_STATE.",
        ) from error


def _tighten(state: Path) -> None:
    info = state.stat()
    if not info.st_mode & 0o077:
        return
    ours = info.st_uid == os.getuid() and not info.st_mode & stat.S_ISVTX
    names = {entry.name for entry in state.iterdir()}
    if ours and (not names or names & _OURS):
        state.chmod(0o700)
    elif info.st_mode & 0o022:
        raise UsageError(
            f"Others can write to the state folder {state}.",
            what_to_do=f"Name a folder of its own with --state DIR, or: chmod 700 {state}",
        )


def _config(given: str, env: Mapping[str, str]) -> Path:
    if given:
        return _absolute(given)
    systemd = _first(env.get("CONFIGURATION_DIRECTORY", ""))
    if systemd:
        return Path(systemd) / "config.yaml"
    import platformdirs  # noqa: PLC0415  10 ms that `datebook status` under systemd need not spend

    return platformdirs.user_config_path("datebook", appauthor=False) / "config.yaml"


def _state(given: str, env: Mapping[str, str]) -> Path:
    if given:
        return _absolute(given)
    systemd = _first(env.get("STATE_DIRECTORY", ""))
    if systemd:
        return Path(systemd)
    import platformdirs  # noqa: PLC0415  as above

    return platformdirs.user_state_path("datebook", appauthor=False)


def _absolute(given: str) -> Path:
    return Path(given).expanduser().absolute()


def _first(folders: str) -> str:
    return folders.partition(":")[0]
