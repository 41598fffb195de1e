"""A web server on loopback that waits for what the browser brings back from a sign-in (RFC 8252 section 7.3)."""

from __future__ import annotations

import hmac
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from daemon.core.errors import UsageError

_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Datebook</title>"
    "<body style='font:1.2em sans-serif;margin:4em'><h1>{title}</h1><p>{text}</p>"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back from the browser: a code, or the word for why there is none."""

    state: str
    code: str = field(default="", repr=False)
    error: str = ""


def answer_in(address: str) -> Answered | None:
    """What an address that the browser was sent to says; None: it is none."""
    try:
        said = parse_qs(urlsplit(address).query)
    except ValueError:
        return None
    state, code, error = (said.get(name, [""])[0] for name in ("state", "code", "error"))
    return Answered(state, code, error) if code or error else None


class Listener:
    """A web server on loopback for one answer; what else is asked of it (a favicon) is not there."""

    def __init__(self, port: int) -> None:
        self.answered: Answered | None = None
        self._state = ""
        self._lock = threading.Lock()
        self._closed = False
        self.woken, self._waker = os.pipe()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        except OSError as error:
            os.close(self.woken)
            os.close(self._waker)
            cure = "Name another one with --port."
            raise UsageError(f"Port {port} can't be listened on: {error.strerror}.", what_to_do=cure) from None
        # A browser may open connections that it never uses.
        self._server.daemon_threads, self._server.block_on_close = True, False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def expect(self, state: str) -> None:
        """Take the answer that has this state (RFC 6749 section 10.12), and no other."""
        self._state = state

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self._lock:
            self._closed = True
            os.close(self.woken)
            os.close(self._waker)

    def _page(self, path: str) -> str:
        """The page for a request; "" when it has nothing to do with the sign-in."""
        answered = self._meant(path)
        if answered is None:
            return ""
        if answered.error:
            return _PAGE.format(title="Not allowed", text="Datebook was not given access to your calendar.")
        return _PAGE.format(title="Signed in", text="You can close this page: Datebook goes on where you started it.")

    def _take(self, path: str) -> None:
        """Take the first answer, once its page is sent: the program may end as soon as it has it."""
        answered = self._meant(path)
        with self._lock:
            if answered is not None and self.answered is None and not self._closed:
                self.answered = answered
                os.write(self._waker, b".")

    def _meant(self, path: str) -> Answered | None:
        answered = answer_in(path)
        if answered is None or not self._state:
            return None
        return answered if hmac.compare_digest(answered.state.encode(), self._state.encode()) else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_GET(self) -> None:
                try:
                    self._answer(listener._page(self.path).encode())
                finally:
                    listener._take(self.path)

            def _answer(self, page: bytes) -> None:
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_unused: object) -> None:
                """Say nothing: the path holds the code."""

        return Handler
