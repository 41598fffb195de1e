"""Signing of requests: basic, bearer, and the second round that a digest needs."""

from __future__ import annotations

import functools
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self


@dataclass(slots=True)
class Outgoing:
    """A request on its way, in the shape that the auth handlers of requests and niquests sign.

    A handler that wants to see the answer (digest, RFC 7616) leaves a hook.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    hooks: list[Callable[..., Any]] = field(default_factory=list)
    _cookies: None = None

    def register_hook(self, event: str, hook: Callable[..., Any]) -> None:
        """Show the answer to this hook, which may send another request in its place."""
        if event == "response":
            self.hooks.append(hook)

    def copy(self) -> Outgoing:
        """Make the same request again, without its hooks."""
        return replace(self, headers=dict(self.headers), hooks=[])

    def prepare_cookies(self, cookies: object) -> None:
        """Do without cookies."""


Auth = Callable[[Outgoing], object]


@dataclass(slots=True)
class Round:
    """A refused request as a hook sees it, in the shape of requests' responses."""

    request: Outgoing
    status_code: int
    headers: Mapping[str, str]
    resend: Callable[[Outgoing], None]
    history: list[object] = field(default_factory=list)
    raw: ClassVar[object] = object()  # where requests looks for cookies
    content: ClassVar[bytes] = b""
    is_redirect: ClassVar[bool] = False

    @property
    def connection(self) -> Self:
        """What sends the second request: this very object."""
        return self

    def send(self, request: Outgoing, **_unused: object) -> Self:
        """Send the request that answers the challenge."""
        self.resend(request)
        return self

    def close(self) -> None:
        """Do nothing: the refused answer was read to its end."""


def basic_auth(user: str, password: str) -> Auth:
    """Sign requests with a name and password (RFC 7617), in UTF-8."""
    value = "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
    return functools.partial(_authorize, value)


def bearer_auth(token: str) -> Auth:
    """Sign requests with a token (RFC 6750)."""
    return functools.partial(_authorize, f"Bearer {token}")


def _authorize(value: str, outgoing: Outgoing) -> Outgoing:
    outgoing.headers["Authorization"] = value
    return outgoing
