"""Keeps a password that was typed: in the keyring where there is one, else in a private file of the state folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from config.edit import replace_file
from config.places import Places, make_state
from config.schema import SecretRef, SecretSource
from daemon.core.errors import UsageError


def keep(password: str, account: str, places: Places) -> SecretRef:
    """Keep a password; where it is now, as the config says it."""
    if _in_keyring("datebook", account, password):
        return SecretRef(SecretSource.KEYRING, f"datebook/{account}")
    make_state(places)
    places.secrets.mkdir(mode=0o700, exist_ok=True)
    file = places.secrets / f"{account}.password"
    _in_file(file, password)
    return SecretRef(SecretSource.FILE, str(file))


def keep_at(password: str, ref: SecretRef) -> None:
    """Put a new password where the config says that it is. Raises UsageError where Datebook can't write."""
    match ref.source:
        case SecretSource.FILE:
            _in_file(Path(ref.value), password)
        case SecretSource.KEYRING:
            service, _, user = ref.value.rpartition("/")
            if not _in_keyring(service or user, user, password):
                raise UsageError(
                    "The keyring takes no password.", what_to_do="Unlock it, or name a file in the config."
                )
        case _:
            raise UsageError(f"The password comes from {ref.source}.", what_to_do="Change it there.")


def drop(ref: SecretRef) -> None:
    """Forget a password that `keep` has just kept."""
    if ref.source is SecretSource.FILE:
        Path(ref.value).unlink(missing_ok=True)
        return
    import keyring
    import keyring.errors

    service, _, user = ref.value.rpartition("/")
    with suppress(keyring.errors.KeyringError):
        keyring.delete_password(service, user)


def _in_keyring(service: str, user: str, password: str) -> bool:
    """Whether the keyring has it now; many machines have none, or one that nobody has unlocked."""
    import keyring
    import keyring.errors

    try:
        if keyring.get_keyring().priority < 1:
            return False
        keyring.set_password(service, user, password)
        return bool(keyring.get_password(service, user) == password)
    except (keyring.errors.KeyringError, OSError, RuntimeError):
        return False


def _in_file(file: Path, password: str) -> None:
    before = file.read_bytes() if file.exists() else None
    if before is not None:
        os.chmod(file, 0o600)  # noqa: PTH101  the same for a link's target
    replace_file(file, password.encode() + b"\n", expected=before)
