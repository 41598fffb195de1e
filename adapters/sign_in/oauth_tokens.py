"""The tokens of one sign-in, in a file for its user's eyes alone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from daemon.core.errors import SignInNeeded


@dataclass(frozen=True, slots=True)
class Tokens:
    """What signing in gave. Times are aware; `ends` is when the user has to sign in again (None: not told).

    `client` is the id of the client that they were given to: to another one they are worth nothing.
    """

    access: str = field(repr=False)
    issued: datetime
    expires: datetime
    refresh: str = field(repr=False)
    token_uri: str
    client: str
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Where the tokens of one account are kept: mode 0600, in a folder of mode 0700, written whole or not at all."""

    path: Path
    account: str

    def load(self) -> Tokens:
        """The tokens. Raises SignInNeeded where there are none."""
        try:
            return _read(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise self._needed("nobody has signed in yet") from None
        except OSError as error:
            raise self._needed(f"the tokens can't be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError):
            raise self._needed("the file of the tokens is damaged") from None

    def save(self, tokens: Tokens) -> None:
        """Keep the tokens in place of those that were there. Raises OSError."""
        self._make_folder()
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(_dump(tokens))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Forget the tokens."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs of Datebook from renewing these tokens at the same time. Raises OSError."""
        self._make_folder()
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _needed(self, what: str) -> SignInNeeded:
        return SignInNeeded(what, what_to_do=f"Run `datebook connect {self.account}`.", store=self.account)


def _dump(tokens: Tokens) -> str:
    values = {
        "access": tokens.access,
        "issued": tokens.issued.isoformat(),
        "expires": tokens.expires.isoformat(),
        "refresh": tokens.refresh,
        "token_uri": tokens.token_uri,
        "client": tokens.client,
        "ends": tokens.ends.isoformat() if tokens.ends else None,
    }
    return json.dumps(values, indent=1) + "\n"


def _read(text: str) -> Tokens:
    values = json.loads(text)
    names = ("access", "refresh", "token_uri", "client")
    if not all(isinstance(values[name], str) for name in names):
        raise TypeError("a token is a text")
    ends = values["ends"]
    return Tokens(
        access=values["access"],
        issued=_aware(values["issued"]),
        expires=_aware(values["expires"]),
        refresh=values["refresh"],
        token_uri=values["token_uri"],
        client=values["client"],
        ends=_aware(ends) if ends is not None else None,
    )


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment
