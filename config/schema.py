"""The config as values: frozen, typed, complete with every default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from daemon.core.policy import Route

DEFAULT_TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")


class Service(StrEnum):
    """The kinds of accounts."""

    GOOGLE = "google"
    MICROSOFT365 = "microsoft365"
    EXCHANGE = "exchange"
    CALDAV = "caldav"


class SecretSource(StrEnum):
    """Where a secret is kept; never in the config itself."""

    COMMAND = "command"
    KEYRING = "keyring"
    FILE = "file"
    CREDENTIAL = "credential"  # a file of $CREDENTIALS_DIRECTORY (systemd LoadCredential)
    ENV = "env"


class TokenHome(StrEnum):
    """Where Datebook keeps the tokens of a sign-in that it has made itself."""

    FILE = "file"  # of mode 0600, in the state folder
    KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where to find a secret: a command line, `service/user` of the keyring, a path, or a name."""

    source: SecretSource
    value: str


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The user's own OAuth client."""

    id: str
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One sign-in at one service. `password` and `token` (a bearer token from a broker) exclude each other."""

    name: str
    service: Service
    user: str = ""
    url: str = ""  # overrides the service's own address
    password: SecretRef | None = None
    token: SecretRef | None = None
    client: OAuthClient | None = None
    ca: Path | None = None  # a private CA to trust
    tenant: str = ""  # Microsoft 365: directory id or domain; "" means `organizations`
    tokens: TokenHome = TokenHome.FILE  # where `datebook connect` keeps what signing in gave


@dataclass(frozen=True, slots=True)
class Config:
    """The whole of config.yaml. `routes` keep the file's order: the first that fits takes an activity."""

    path: Path
    store: Path
    owner: str = ""
    shared: bool = False
    timezone: str = ""  # "" means the system's
    types: tuple[str, ...] = DEFAULT_TYPES
    accounts: Mapping[str, AccountConfig] = field(default_factory=dict)
    routes: Mapping[str, Route] = field(default_factory=dict)
    keep_history_days: int = 365
