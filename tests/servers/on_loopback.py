"""Little HTTP servers of the tests: on loopback, a thread for each connection, silent."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

_S = TypeVar("_S")


class Quiet:
    """A handler that keeps its connection, and sends at once what it writes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """The tests' output stays theirs."""


class Loopback(ThreadingHTTPServer):
    """A server at a free port, or at the one that is given."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def running(server: Loopback) -> Iterator[None]:
    """Serve while the block lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve_by_hand(
    about: str | None, port: int, serving: Callable[[int], AbstractContextManager[_S]], told: Callable[[_S], str]
) -> None:
    """Serve until interrupted, at the port of the command line; `told` says how to get in."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=port)
    with serving(parser.parse_args().port) as server:
        print(told(server), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
