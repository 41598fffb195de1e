"""HTTP/1.1 over one socket: a request goes out in one piece, its answer is read to the end (RFC 9112).

Read by hand: http.client's email parser and its two sends a request would be half the cost of a PUT.
"""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_CHUNK = 1 << 16
_MAX_HEAD = 1 << 18
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) (\d{3})(?: (.*))?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?")
_TARGET = re.compile(r"[!-~]+")
_INFORMATION = range(100, 200)
_BODILESS = frozenset({204, 304})


class BrokenAnswer(Exception):
    """The answer is no HTTP, ended too early, or is too large."""


class NothingAnswered(Exception):
    """The connection ended before the first byte of an answer."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and header fields; names in lower case, repeated ones joined by a comma."""

    status: int
    reason: str
    headers: Mapping[str, str]
    persistent: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may cost: bytes of body before unpacking, and seconds from its first to its last byte."""

    size: int
    patience: float
    clock: Callable[[], float] = field(repr=False)


@dataclass(slots=True)
class Wire:
    """One connection, used by one thread at a time."""

    socket: socket.socket
    limits: Limits
    received: int = 0
    _rest: bytes = b""
    _until: float = 0.0

    def exchange(self, request: bytes, *, bodiless: bool = False) -> tuple[Head, bytes]:
        """Send a request and read its whole answer. Raises NothingAnswered, BrokenAnswer, OSError."""
        self._until = self.limits.clock() + self.limits.patience
        self.received = 0
        try:
            self.socket.sendall(request)
            head = self._head()
        except ConnectionError as error:
            raise NothingAnswered(type(error).__name__) from error
        while head.status in _INFORMATION:
            head = self._head()
        body = b"" if bodiless or head.status in _BODILESS else self._body(head)
        return head, body

    def is_quiet(self) -> bool:
        """Whether the connection is open with nothing unread: neither closed nor holding a stray answer."""
        if self._rest:
            return False
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def _more(self) -> bytes:
        data = self.socket.recv(_CHUNK)
        self.received += len(data)
        if self.received > self.limits.size + _MAX_HEAD:
            raise BrokenAnswer("the answer is too large")
        if self.limits.clock() > self._until:
            raise TimeoutError
        return data

    def _head(self) -> Head:
        found = _END_OF_HEAD.search(self._rest)
        while found is None:
            data = self._more()
            if not data and not self._rest:
                raise NothingAnswered("the connection was closed")
            if not data or len(self._rest) > _MAX_HEAD:
                raise BrokenAnswer("the head of the answer broke off")
            self._rest += data
            found = _END_OF_HEAD.search(self._rest)
        head, self._rest = self._rest[: found.start()], self._rest[found.end() :]
        return parse_head(head.decode("latin-1"))

    def _body(self, head: Head) -> bytes:
        if "chunked" in head.headers.get("transfer-encoding", "").lower():
            return self._chunks()
        length = head.headers.get("content-length")
        if length is None:
            return self._until_closed()
        if not length.isdecimal() or int(length) > self.limits.size:
            raise BrokenAnswer("the length of the answer is none, or too large")
        return self._exactly(int(length))

    def _exactly(self, size: int) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size:
            data = self._more()
            if not data:
                raise BrokenAnswer("the answer ended too early")
            parts.append(data)
            have += len(data)
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]

    def _until_closed(self) -> bytes:
        parts = [self._rest]
        while data := self._more():
            parts.append(data)
        self._rest = b""
        return b"".join(parts)

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := self._chunk_size():
            parts.append(self._exactly(size))
            self._line()
        while self._line().strip():
            pass
        return b"".join(parts)

    def _chunk_size(self) -> int:
        found = _CHUNK_SIZE.fullmatch(self._line())
        if found is None:
            raise BrokenAnswer("a chunk of the answer has no size")
        size = int(found.group(1), 16)
        if size > self.limits.size:
            raise BrokenAnswer("the answer is too large")
        return size

    def _line(self) -> bytes:
        while b"\n" not in self._rest:
            data = self._more()
            if not data or len(self._rest) > _MAX_HEAD:
                raise BrokenAnswer("the answer ended too early")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def request_bytes(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A whole request. Raises ValueError where a value would break out of its line."""
    if not _TARGET.fullmatch(target):
        raise ValueError("the address holds a space or a control character")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method in {"PUT", "POST", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    text = "\n".join(lines)
    if text.count("\n") != len(lines) - 1 or "\r" in text or "\0" in text:
        raise ValueError("a header holds a line end")
    return text.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


def parse_head(text: str) -> Head:
    """Read a status line and header fields. Raises BrokenAnswer."""
    first, *lines = text.split("\n")
    status = _STATUS_LINE.fullmatch(first.rstrip("\r"))
    if status is None:
        raise BrokenAnswer("the answer is no HTTP/1")
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"}:
            headers[name] = f"{headers.get(name, '')} {line.strip()}"
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower()
        if not colon or not name:
            raise BrokenAnswer("a header field of the answer has no name")
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    asked = headers.get("connection", "").lower()
    persistent = "close" not in asked and (status.group(1) == "1" or "keep-alive" in asked)
    # Without a length the answer ends with its connection.
    ends = "content-length" in headers or "transfer-encoding" in headers or int(status.group(2)) in _BODILESS
    return Head(int(status.group(2)), status.group(3) or "", headers, persistent and ends)
