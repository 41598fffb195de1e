"""The control socket: how a command asks the running daemon to do something, and follows it.

A socket of the state folder, mode 0600. Each connection carries one request, a line of JSON
`{"command": ..., "args": {...}}`; the answer is any number of lines `{"progress": {...}}` and `{"alive": true}`,
and last `{"reply": {...}}`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.errors import DatebookError
from daemon.status import Json

MAX_LINE = 16 << 20
HEARTBEAT = 5.0  # seconds between signs of life while a command runs
_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux, 104 elsewhere


@dataclass(frozen=True, slots=True)
class Request:
    """A command for the daemon. `args` is what JSON can say."""

    command: str
    args: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command is. `total` 0: not known."""

    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a command: its exit code, its report, and on failure what happened and what to do."""

    code: int = 0
    data: Mapping[str, Json] = field(default_factory=dict)
    message: str = ""
    cure: str = ""


ProgressSink = Callable[[Progress], None]
Handler = Callable[[Request, ProgressSink], Reply]


class NoDaemon(DatebookError):
    """No daemon runs with this state folder."""


class ControlLost(DatebookError):
    """The daemon does not answer, or ended while it was at it: the command may have been carried out."""


def ask(
    path: Path,
    request: Request,
    on_progress: ProgressSink = lambda _: None,
    *,
    connect_timeout: float = 2.0,
    silence: float = 6 * HEARTBEAT,
) -> Reply:
    """Have the running daemon carry out a command, however long it takes, unless it is silent for `silence` seconds.

    Raises NoDaemon, ControlLost.
    """
    with connected(path, connect_timeout) as link:
        link.settimeout(silence)
        try:
            link.sendall(_line({"command": request.command, "args": request.args}))
            return _follow(link, on_progress)
        except TimeoutError as error:
            raise ControlLost("The daemon does not answer.") from error
        except (OSError, ValueError) as error:
            raise ControlLost("The daemon ended before it had answered.") from error


@contextmanager
def connected(path: Path, timeout: float) -> Iterator[socket.socket]:
    """A connection to the daemon. Raises NoDaemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        try:
            with short_path(path) as short:
                link.connect(short)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            raise NoDaemon("The daemon does not run.") from error
        except OSError as error:
            raise ControlLost(f"The daemon can't be reached: {error.strerror or 'it does not answer'}.") from error
        yield link


def _follow(link: socket.socket, on_progress: ProgressSink) -> Reply:
    for line in read_lines(link):
        said = json.loads(line)
        if "progress" in said:
            step = said["progress"]
            on_progress(Progress(str(step["text"]), int(step["done"]), int(step["total"])))
        elif "reply" in said:
            reply = said["reply"]
            return Reply(int(reply["code"]), reply["data"], str(reply["message"]), str(reply["cure"]))
    raise ConnectionResetError


def read_lines(link: socket.socket) -> Iterator[bytes]:
    """The lines that arrive, until the other end closes. Raises ValueError for one without an end."""
    buffer = b""
    while chunk := link.recv(65536):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from lines
        if len(buffer) > MAX_LINE:
            raise ValueError("a line without an end")


def _line(said: Mapping[str, Json]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def progress_line(progress: Progress) -> bytes:
    """A step, as it is sent."""
    return _line({"progress": {"text": progress.text, "done": progress.done, "total": progress.total}})


def reply_line(reply: Reply) -> bytes:
    """The end, as it is sent."""
    return _line(
        {"reply": {"code": reply.code, "data": reply.data, "message": reply.message, "cure": reply.cure}},
    )


ALIVE_LINE = _line({"alive": True})


def parse_request(line: bytes) -> Request:
    """The request in a line. Raises ValueError."""
    said = json.loads(line)
    if not isinstance(said, dict) or not isinstance(said.get("command"), str):
        raise ValueError("a request names a command")  # noqa: TRY004  whatever is wrong with it, it is no request
    args = said.get("args", {})
    if not isinstance(args, dict):
        raise ValueError("args are a mapping")  # noqa: TRY004  as above
    return Request(said["command"], args)


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of a socket that is short enough for the kernel: through a link when the path itself is not."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="datebook-") as folder:
        link = Path(folder) / "s"
        link.symlink_to(path.parent.absolute(), target_is_directory=True)
        yield str(link / path.name)


def peer_uid(link: socket.socket) -> int | None:
    """The user at the other end; None where this system doesn't say (the socket's mode guards it then)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    form = struct.Struct("3i")
    _, uid, _ = form.unpack(link.getsockopt(socket.SOL_SOCKET, option, form.size))
    return int(uid)
