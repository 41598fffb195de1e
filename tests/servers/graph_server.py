"""Microsoft Graph, as far as calendars go: stateful, over real HTTP, strict, with its manners and faults.

By hand: `python -m tests.servers.graph_server --port 8445`, then the address that it prints with the token `token`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.servers.graph_answers import applied
from tests.servers.graph_mailbox import GraphError, Json, Mailbox
from tests.servers.graph_routes import Call, answer
from tests.servers.on_loopback import Loopback, Quiet, running, serve_by_hand

BATCH = 20
_PAGE = "a page of HTML"


class Trouble(StrEnum):
    """What can go wrong with one request."""

    ANSWER = "an error is answered, nothing is done"
    ANSWER_AFTER = "an error is answered although it was done"
    DROP = "connection closed before anything was done"
    DROP_AFTER = "connection closed after it was done"
    HANG = "no answer at all until the server stops"


@dataclass
class Fault:
    """Trouble for the next requests whose method and address hold these words ("": any)."""

    trouble: Trouble
    method: str = ""
    address: str = ""
    status: int = 503
    code: str = ""
    retry_after: int | None = None
    times: int = 1
    skip: int = 0  # how many fitting requests go well first
    inside: bool = False  # parts of batches alone
    page: str = ""  # a page of HTML in place of Graph's own words


@dataclass
class Asked:
    """One request that came, alone or as a part of a batch."""

    method: str
    address: str
    body: Json
    headers: dict[str, str]
    inside: bool
    status: int = 0


@dataclass
class GraphServer:
    """The running server: its mailbox, its faults, and a record of what it was asked."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    tokens: set[str] = field(default_factory=lambda: {"token"})
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # the simulator's own, and what no client should do
    released: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    at_work: int = 0
    most_at_work: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def writes(self) -> list[Asked]:
        """The requests that change something."""
        return [
            each for each in self.asked if each.method in {"POST", "PATCH", "DELETE"} and "$batch" not in each.address
        ]

    def fail(self, trouble: Trouble, method: str = "", address: str = "", **more: object) -> None:
        """Order trouble for the next request."""
        self.faults.append(Fault(trouble, method, address, **more))  # type: ignore[arg-type]  # any option

    def expire(self) -> None:
        """Forget every link that was given out."""
        self.mailbox.epoch += 1

    def fault_for(self, asked: Asked) -> Fault | None:
        for fault in self.faults:
            fits = fault.method in {"", asked.method} and fault.address in asked.address
            if not fits or not fault.times or (fault.inside and not asked.inside):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None


class _Lost(Exception):
    """The connection is to be closed without an answer."""


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        graph = self.server.graph
        with graph.lock:
            graph.at_work += 1
            graph.most_at_work = max(graph.most_at_work, graph.at_work)
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._reply(*self._answer(graph, body))
        except _Lost:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(2)
        except OSError:
            self.close_connection = True  # the client is gone, which is no fault of anybody
        except Exception:
            graph.problems.append(traceback.format_exc())
            raise
        finally:
            with graph.lock:
                graph.at_work -= 1

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  names of http.server

    def _answer(self, graph: GraphServer, body: bytes) -> tuple[int, Json, dict[str, str]]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        prefix, _, rest = self.path.partition("/v1.0/")
        target = f"/{rest}"
        if headers.get("authorization", "").removeprefix("Bearer ") not in graph.tokens:
            graph.asked.append(Asked(self.command, target, {}, headers, inside=False, status=401))
            return _error(GraphError(401, "InvalidAuthenticationToken", "Lifetime validation failed."))
        if graph.at_work > graph.mailbox.knobs.at_once:
            return _error(GraphError(429, "ApplicationThrottled", "MailboxConcurrency"), {"Retry-After": "1"})
        try:
            said = json.loads(body) if body else {}
        except ValueError:
            return _error(GraphError(400, "BadRequest", "no JSON"))
        base = graph.mailbox.knobs.links_to or graph.address + prefix
        call = Call(self.command, target, headers, said, f"{base}/v1.0")
        if urlsplit(target).path == "/$batch":
            return self._carry_out(graph, call, lambda: self._batch(graph, call))
        return self._carry_out(graph, call, lambda: answer(graph.mailbox, call))

    def _batch(self, graph: GraphServer, call: Call) -> tuple[int, Json]:
        if graph.mailbox.knobs.batches != 200:
            raise GraphError(graph.mailbox.knobs.batches, "", "no such address")
        requests = call.body["requests"]
        if len(requests) > BATCH or len({each["id"] for each in requests}) != len(requests):
            raise GraphError(400, "BadRequest", "too many requests in a batch, or one id twice")
        responses = []
        for each in requests:
            headers = {name.lower(): value for name, value in each.get("headers", {}).items()}
            if each.get("body") and headers.get("content-type") != "application/json":
                raise GraphError(400, "BadRequest", "a body without its type")
            part = Call(each["method"], each["url"], headers, each.get("body", {}), call.base)
            do = functools.partial(answer, graph.mailbox, part)
            status, body, sent = self._carry_out(graph, part, do, inside=True)
            responses.append({"id": each["id"], "status": status, "headers": sent, "body": body})
        return 200, {"responses": responses[::-1]}

    def _carry_out(
        self, graph: GraphServer, call: Call, do: Callable[[], tuple[int, Json]], *, inside: bool = False
    ) -> tuple[int, Json, dict[str, str]]:
        asked = Asked(call.method, call.target, call.body, dict(call.headers), inside)
        graph.asked.append(asked)
        fault = graph.fault_for(asked)
        if fault is not None and fault.trouble in {Trouble.ANSWER, Trouble.DROP, Trouble.HANG}:
            return self._trouble(graph, fault, asked)
        try:
            status, body = do()
        except GraphError as error:
            asked.status = error.status
            return _error(error)
        asked.status = status
        if fault is not None:
            return self._trouble(graph, fault, asked)
        return status, body, {"Preference-Applied": applied(call.prefer)}

    def _trouble(self, graph: GraphServer, fault: Fault, asked: Asked) -> tuple[int, Json, dict[str, str]]:
        if fault.trouble is Trouble.HANG:
            graph.released.wait(60)
        if fault.trouble not in {Trouble.ANSWER, Trouble.ANSWER_AFTER}:
            raise _Lost
        asked.status = fault.status
        after = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        status, body, headers = _error(GraphError(fault.status, fault.code, "As ordered."), after)
        return status, {_PAGE: fault.page} if fault.page else body, headers

    def _reply(self, status: int, body: Json, headers: dict[str, str]) -> None:
        """Head and body in one write: two would wait for each other's acknowledgement."""
        said = b"" if status == 204 else body[_PAGE].encode() if _PAGE in body else json.dumps(body).encode()
        lines = {"Content-Type": "application/json", "Date": self.date_time_string(), **headers}
        if status != 204:
            lines["Content-Length"] = str(len(said))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.wfile.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + said)


def _error(error: GraphError, headers: dict[str, str] | None = None) -> tuple[int, Json, dict[str, str]]:
    body: Json = {"error": {"code": error.code, "message": error.text, "innerError": {"request-id": "0"}}}
    return error.status, body if error.code else {}, headers or {}


class _Http(Loopback):
    graph: GraphServer


@contextlib.contextmanager
def serving(graph: GraphServer | None = None, port: int = 0) -> Iterator[GraphServer]:
    """Run a server on loopback while the block lasts."""
    graph = graph or GraphServer()
    http = _Http(_Handler, port)
    http.graph = graph
    graph.address = f"http://127.0.0.1:{http.server_port}"
    with running(http):
        try:
            yield graph
        finally:
            graph.released.set()


if __name__ == "__main__":
    serve_by_hand(
        __doc__,
        8445,
        lambda port: serving(port=port),
        lambda graph: f"{graph.address}/v1.0  token {min(graph.tokens)}",
    )
