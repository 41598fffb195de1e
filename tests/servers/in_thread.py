"""A small server in a thread of the tests' own process, on a loopback port."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from tests.servers.null_dav import Answer, Connection, Request


class InThread:
    """Serves what `handle` answers, from `with` to its end. `counts` and `latency` are those of `null_dav`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.counts: dict[str, int] = {}
        self.latency = 0.0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server: Any = self
        listener = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(server), "127.0.0.1", self.port)
        )
        self.port = int(listener.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        listener.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
