"""Where the tokens of a sign-in are kept, as one text: in a file for its user's eyes alone, or in the keyring."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.sign_in.keyring_calls import from_keyring
from daemon.core.errors import SecretNeeded, SignInNeeded

SERVICE = "datebook"  # what the keyring calls the program


class TokenPlace(Protocol):
    """The place of one account's tokens."""

    @property
    def account(self) -> str:
        """Whose they are, by its name in the config."""

    @property
    def path(self) -> Path:
        """The file that it is, or would be."""

    def read(self) -> str | None:
        """The text; None: there is none. Raises SignInNeeded with what to do."""

    def write(self, text: str) -> None:
        """Keep a text in place of the one that was there, whole or not at all. Raises OSError, SecretNeeded."""

    def remove(self) -> None:
        """Forget the text. Raises OSError, SecretNeeded."""

    def stamp(self) -> object:
        """What differs when another program has written; always None where only reading tells that."""


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file of mode 0600, in a folder of mode 0700; it is written whole or not at all."""

    path: Path
    account: str = ""

    def read(self) -> str | None:
        """The text; None: there is none. Raises SignInNeeded with what to do."""
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            what = f"{self.path}: the tokens can't be read ({type(error).__name__})"
            raise SignInNeeded(what, what_to_do=how_to_sign_in(self.account), store=self.account) from None

    def write(self, text: str) -> None:
        """Keep a text in place of the one that was there. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Forget the text. Raises OSError."""
        self.path.unlink(missing_ok=True)

    def stamp(self) -> object:
        """The file's number and time."""
        try:
            there = self.path.stat()
        except OSError:
            return ()
        return there.st_ino, there.st_mtime_ns


@dataclass(frozen=True, slots=True)
class KeyringPlace:
    """An entry of the keyring. `path` is its name there, so that every state folder has its own."""

    path: Path
    account: str = ""

    def read(self) -> str | None:
        """The text; None: there is none. Raises SecretNeeded with what to do."""
        import keyring  # noqa: PLC0415  its back ends are searched for at import

        found: str | None = from_keyring(lambda: keyring.get_password(SERVICE, str(self.path)), self._cure)
        return found

    def write(self, text: str) -> None:
        """Keep a text in place of the one that was there, and see that it is there. Raises SecretNeeded."""
        import keyring  # noqa: PLC0415  its back ends are searched for at import

        from_keyring(lambda: keyring.set_password(SERVICE, str(self.path), text), self._cure)
        if self.read() != text:
            raise SecretNeeded("the keyring did not keep the tokens", what_to_do=self._cure, store=self.account)

    def remove(self) -> None:
        """Forget the text. Raises SecretNeeded."""
        import keyring  # noqa: PLC0415  its back ends are searched for at import

        if self.read() is not None:
            from_keyring(lambda: keyring.delete_password(SERVICE, str(self.path)), self._cure)

    def stamp(self) -> object:
        """Nothing: asking the keyring each time would be dear."""

    @property
    def _cure(self) -> str:
        return (
            f"Unlock the keyring on your desktop, or take `tokens: keyring` out of account `{self.account}` and run "
            f"`datebook connect {self.account} --again`: then they are kept in a file of mode 0600."
        )


def how_to_sign_in(account: str) -> str:
    """The cure for tokens that are gone."""
    return f"Run `datebook connect {account}`." if account else "Run `datebook connect` for this account."


@contextmanager
def renewing_alone(path: Path) -> Iterator[None]:
    """Keep other programs of Datebook from renewing the tokens of this place at the same time. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
