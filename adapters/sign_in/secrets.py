"""Secrets from where their user keeps them: a command, the keyring, a file, a systemd credential, the environment.

A secret is read when it is needed and is in no message, log or repr.
"""

from __future__ import annotations

import hmac
import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from adapters.sign_in.keyring_calls import from_keyring
from daemon.core.errors import SecretNeeded, SignInNeeded

COMMAND_LIMIT = 10.0  # seconds
_MAX_BYTES = 1 << 16


class Kind(StrEnum):
    """Where a secret is kept: the words of the config."""

    COMMAND = "command"
    KEYRING = "keyring"
    FILE = "file"
    CREDENTIAL = "credential"
    ENV = "env"


@dataclass(slots=True)
class Secret:
    """One secret by its place. Calling it reads it anew; raises SignInNeeded when that is not possible.

    `value` is a command line, `service/user` of the keyring, a path, or the name of a credential or variable.
    """

    kind: Kind
    value: str = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _last: str | None = field(default=None, repr=False)

    def __call__(self) -> str:
        """Read the secret; surrounding line ends are no part of it."""
        secret = _READERS[Kind(self.kind)](self.value, self.environment).strip("\r\n")
        if not secret:
            raise _unreadable(f"the {self.kind} gave an empty secret")
        self._last = secret
        return secret

    def changed(self) -> bool:
        """Whether reading it again gives something new; False when it can't be read, or never was."""
        before = self._last
        try:
            after = self()
        except SignInNeeded:
            self._last = before
            return False
        return before is not None and not hmac.compare_digest(before.encode(), after.encode())


def _unreadable(what: str, cure: str = "") -> SecretNeeded:
    return SecretNeeded(what, what_to_do=cure or "Check the account's password or token in the config.")


def _from_command(value: str, environment: Mapping[str, str]) -> str:
    try:
        command = shlex.split(value)
        done = subprocess.run(  # noqa: S603  the user's own command from the user's own config, without a shell
            command,
            capture_output=True,
            timeout=COMMAND_LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(
            f"the secret's command gave no answer within {COMMAND_LIMIT:.0f} s",
            "Run it by hand: a service can't answer its questions (an agent that is locked?).",
        ) from None
    except (OSError, ValueError, IndexError) as error:
        raise _unreadable(f"the secret's command can't be run ({type(error).__name__})") from None
    if done.returncode != 0:
        raise _unreadable(
            f"the secret's command ended with exit code {done.returncode}",
            "Run it by hand and see; it is run without a shell, which would know `~`, `$` and `|`.",
        )
    # The first line, as `pass` has it: what follows are notes.
    return _text(done.stdout).partition("\n")[0]


def _from_keyring(value: str, _environment: Mapping[str, str]) -> str:
    import keyring  # noqa: PLC0415  its back ends are searched for at import, which costs 50 ms and more

    service, _, user = value.rpartition("/")
    cure = "Unlock the keyring on your desktop, or keep the secret in a file or command."
    secret: str | None = from_keyring(lambda: keyring.get_password(service or user, user), cure)
    if secret is None:
        raise _unreadable("the keyring has no such secret", f"Store it: keyring set {service or user} {user}")
    return secret


def _from_file(value: str, _environment: Mapping[str, str]) -> str:
    path = Path(value).expanduser()
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXO):
                raise _unreadable(f"{path}: everybody may read this secret", f"chmod 600 {path}")
            return _text(file.read(_MAX_BYTES))
    except OSError as error:
        raise _unreadable(f"{path}: the secret can't be read ({error.strerror})") from None


def _from_credential(value: str, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise _unreadable(
            f"credential {value}: there is no $CREDENTIALS_DIRECTORY",
            "Run Datebook as the systemd service, with LoadCredential= in the unit.",
        )
    if not value or "/" in value or value in {".", ".."}:
        raise _unreadable(f"credential {value}: a credential is a plain name")
    try:
        return _text((Path(folder) / value).read_bytes()[:_MAX_BYTES])
    except OSError as error:
        raise _unreadable(
            f"credential {value}: can't be read ({error.strerror})", "Add LoadCredential= for it to the unit."
        ) from None


def _from_env(value: str, environment: Mapping[str, str]) -> str:
    if value not in environment:
        raise _unreadable(f"the environment has no ${value}")
    return environment[value]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable("the secret is no UTF-8 text") from None


_READERS: dict[Kind, Callable[[str, Mapping[str, str]], str]] = {
    Kind.COMMAND: _from_command,
    Kind.KEYRING: _from_keyring,
    Kind.FILE: _from_file,
    Kind.CREDENTIAL: _from_credential,
    Kind.ENV: _from_env,
}
