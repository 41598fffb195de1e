"""The daemon's end of the control socket: takes requests in threads of its own and answers each."""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.control import (
    ALIVE_LINE,
    HEARTBEAT,
    Handler,
    Progress,
    Reply,
    Request,
    parse_request,
    peer_uid,
    progress_line,
    read_lines,
    reply_line,
    short_path,
)
from daemon.core.errors import DatebookError

_AT_ONCE = 8  # commands; a ninth waits
_PATIENCE = 10.0  # seconds for a client to say what it wants, or to take an answer


class ControlServer:
    """Listens while it is entered. `handle` is called in threads, for several requests at once.

    The caller holds the state folder's lock: a socket that stands there already is a dead one's.
    """

    def __init__(
        self, path: Path, handle: Handler, *, uids: Collection[int] | None = None, heartbeat: float = HEARTBEAT
    ) -> None:
        self._path = path
        self._handle = handle
        self._uids = frozenset({os.getuid(), 0} if uids is None else uids)
        self._heartbeat = heartbeat
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._free = threading.Semaphore(_AT_ONCE)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen. Raises OSError where something else than a socket has its name."""
        if self._path.is_socket():
            self._path.unlink()
        # The mode is there before the name is: nobody else can get in between.
        os.fchmod(self._listener.fileno(), 0o600)
        with short_path(self._path) as short:
            self._listener.bind(short)
        self._path.chmod(0o600)
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more requests; those that are being carried out are not waited for."""
        # Shutting down wakes `accept`, closing alone does not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with suppress(OSError):
            self._path.unlink()

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                link, _ = self._listener.accept()
            except OSError:
                self._free.release()
                return
            threading.Thread(target=self._serve, args=(link,), name="control-request", daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        try:
            with link, suppress(OSError, ValueError):
                uid = peer_uid(link)
                link.settimeout(_PATIENCE)
                # A stranger's request is read too: closing over unread bytes resets the link, and the refusal is lost.
                for line in read_lines(link):
                    if uid is None or uid in self._uids:
                        self._answer(link, parse_request(line))
                    else:
                        link.sendall(reply_line(Reply(1, {}, "This daemon belongs to another user.", "")))
                    return
        finally:
            self._free.release()

    def _answer(self, link: socket.socket, request: Request) -> None:
        """Run the command in a thread and pass on what it says; a client that has left doesn't stop it."""
        said: queue.SimpleQueue[Progress | Reply] = queue.SimpleQueue()
        threading.Thread(target=_run, args=(self._handle, request, said), name="control-command", daemon=True).start()
        while True:
            try:
                step = said.get(timeout=self._heartbeat)
            except queue.Empty:
                link.sendall(ALIVE_LINE)
                continue
            if isinstance(step, Reply):
                link.sendall(reply_line(step))
                return
            link.sendall(progress_line(step))


def _run(handle: Handler, request: Request, said: queue.SimpleQueue[Progress | Reply]) -> None:
    ended = Reply(
        1, {}, f"The daemon failed at `{request.command}`.", "Its log says more: journalctl --user -u datebook"
    )
    try:
        ended = handle(request, said.put)
    except DatebookError as error:
        ended = Reply(1, {}, str(error), str(getattr(error, "what_to_do", "")))
    finally:
        # Any other error goes to the thread's excepthook and so to the log; the client is answered all the same.
        said.put(ended)
