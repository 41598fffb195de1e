"""Requests to Graph: addresses, headers, tokens, pages. What is asked of each answer is the stores' business."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable
from urllib.parse import quote, urlsplit

from adapters.graph.graph_errors import Answer, Asked, error_of
from adapters.net.signing import bearer_auth
from adapters.net.transport import Session
from daemon.core.errors import CursorExpired, SignInNeeded, StoreError, Unavailable

GRAPH = "https://graph.microsoft.com"
VERSIONS = ("/v1.0", "/beta")
# Ids that stay when an item moves between folders, and times in one zone, on every request.
IMMUTABLE = 'IdType="ImmutableId"'
PREFER = f'{IMMUTABLE}, outlook.timezone="UTC"'
AT_ONCE = 4  # requests that Graph lets an app have under way for one mailbox, all its calendars together
_UNAUTHORIZED = 401

Json = Mapping[str, object]


@runtime_checkable
class Renewable(Protocol):
    """A source of tokens that can be told that its last one was not taken."""

    def renew(self, refused: str) -> str:
        """Another token in place of one that was refused. Raises SignInNeeded."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, by itself or as a part of a batch. `path` begins after the version, already escaped."""

    method: str
    path: str
    body: Json | None = None
    if_match: str = ""
    page: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """What it asks for beside its token."""
        prefer = f"{PREFER}, odata.maxpagesize={self.page}" if self.page else PREFER
        said = {"Accept": "application/json", "Prefer": prefer}
        if self.if_match:
            said["If-Match"] = self.if_match
        if self.body is not None:
            said["Content-Type"] = "application/json"
        return said


@dataclass(slots=True)
class GraphClient:
    """One sign-in at Graph. Safe for threads as far as `token` is; `clock` gives aware times."""

    session: Session
    base: str
    token: Callable[[], str] = field(repr=False)
    clock: Callable[[], datetime]
    name: str = ""
    batches: bool = True  # the service has $batch, as far as is known
    _gate: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE), repr=False)

    def ask(self, request: Request, *, asked: Asked, ref: str = "") -> Json:
        """The answer to one request. Raises the error that it stands for."""
        answer = self.send(request)
        if not answer.ok:
            raise self.error(answer, request, asked=asked, ref=ref)
        return answer.body

    def send(self, request: Request) -> Answer:
        """The answer to one request, errors too. A token that is not taken is renewed once. Raises Unavailable."""
        return self._send(request, self.base + request.path)

    def pages(self, request: Request, *, asked: Asked) -> Iterator[Json]:
        """All pages of a list, the last with whatever follows from it (a deltaLink)."""
        yield from self.rest_of(self.ask(request, asked=asked), request, asked=asked)

    def rest_of(self, page: Json, request: Request, *, asked: Asked) -> Iterator[Json]:
        """A first page that is there already, and those after it."""
        seen: set[str] = set()
        while True:
            yield page
            link = page.get("@odata.nextLink")
            if not isinstance(link, str) or not link:
                return
            if link in seen:
                raise Unavailable("Microsoft 365's list does not end", store=self.name, uncertain=False)
            seen.add(link)
            page = self.ask(Request("GET", self.path_of(link), page=request.page), asked=asked)

    def path_of(self, link: str) -> str:
        """The part of a link after the version: the token goes to our own address alone. Raises CursorExpired."""
        path = link[len(self.base) :] if link.startswith(f"{self.base}/") else _after_version(link)
        if not path.startswith("/"):
            raise CursorExpired("a link that leads elsewhere", store=self.name)
        return path

    def error(self, answer: Answer, request: Request, *, asked: Asked, ref: str = "") -> StoreError:
        """The error that an answer to this request stands for."""
        changing = request.method != "GET"
        return error_of(answer, asked=asked, changing=changing, now=self.clock(), store=self.name, ref=ref)

    def _send(self, request: Request, url: str) -> Answer:
        used = self.token()
        answer = self._exchange(request, url, used)
        if answer.status != _UNAUTHORIZED:
            return answer
        newer = self.token.renew(used) if isinstance(self.token, Renewable) else self.token()
        return answer if newer == used else self._exchange(request, url, newer)

    def _exchange(self, request: Request, url: str, token: str) -> Answer:
        body = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        if not token.isascii() or not token.isprintable():
            raise SignInNeeded("what the token's source gave is no token", what_to_do="Check `token`.", store=self.name)
        with self._gate:
            response = self.session.request(request.method, url, body, request.headers, bearer_auth(token))
        answer = Answer(response.status, response.headers, parsed(response.body))
        if answer.ok and not answer.body and response.body.strip() not in {b"", b"{}"}:
            # The page of a portal or of a gateway, whatever its status.
            changing = request.method != "GET"
            raise Unavailable("what answers is not Microsoft 365", store=self.name, uncertain=changing)
        return answer


def base_of(url: str) -> str:
    """The address that paths are added to; "" means Microsoft's own. With or without the version."""
    base = (url or GRAPH).rstrip("/")
    return base if base.endswith(VERSIONS) else f"{base}/v1.0"


def parsed(body: bytes) -> Json:
    """An answer's JSON object; empty where it is none."""
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def segment(text: str) -> str:
    """A part of a path, escaped."""
    return quote(text, safe="")


def query(**options: str) -> str:
    """A query of OData options, named without their dollar sign."""
    return "?" + "&".join(f"${name}={quote(value, safe='')}" for name, value in options.items())


def _after_version(link: str) -> str:
    parts = urlsplit(link)
    for version in VERSIONS:
        _, found, rest = parts.path.partition(f"{version}/")
        if found:
            return f"/{rest}" + (f"?{parts.query}" if parts.query else "")
    return ""
