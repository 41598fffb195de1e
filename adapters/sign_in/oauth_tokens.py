"""The tokens of one sign-in at Google, as a text that is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from adapters.sign_in.token_places import TokenPlace, how_to_sign_in
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
class KeptTokens:
    """The tokens of one account in the place where they are kept."""

    place: TokenPlace

    @property
    def account(self) -> str:
        """Whose they are."""
        return self.place.account

    def load(self) -> Tokens:
        """The tokens. Raises SignInNeeded where there are none, SecretNeeded where the keyring gives none."""
        text = self.place.read()
        if text is None:
            raise self._needed("nobody has signed in yet")
        try:
            return _read(text)
        except (ValueError, KeyError, TypeError):
            raise self._needed("what is kept of the tokens is damaged") from None

    def save(self, tokens: Tokens) -> None:
        """Keep the tokens in place of those that were there. Raises OSError, SecretNeeded."""
        self.place.write(_dump(tokens))

    def _needed(self, what: str) -> SignInNeeded:
        return SignInNeeded(what, what_to_do=how_to_sign_in(self.account), store=self.account)


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
