"""Several requests in one: Graph's `$batch`, of at most 20, which it carries out four at a time for a mailbox.

Answers come in any order, each with a status of its own: a 429 may stand inside of a 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from adapters.graph.graph_client import GraphClient, Json, Request
from adapters.graph.graph_errors import Answer, Asked
from daemon.core.errors import Unavailable

BATCH = 20  # the most that Graph takes


def send_all(client: GraphClient, requests: Sequence[Request]) -> Iterator[Answer]:
    """The answer to each request, in their order. Raises what concerns a whole batch.

    One batch is under way at a time: Graph handles four of its parts at once, as many as a mailbox is allowed.
    """
    rest = iter(requests)
    while part := list(islice(rest, BATCH)):
        yield from [client.send(part[0])] if len(part) == 1 else _send(client, part)


def _send(client: GraphClient, part: Sequence[Request]) -> list[Answer]:
    body = {"requests": [_said(str(number), request) for number, request in enumerate(part)]}
    said = client.ask(Request("POST", "/$batch", body), asked=Asked.CALENDAR)
    responses = said.get("responses")
    found = dict(map(_answer, responses)) if isinstance(responses, list) else {}
    if any(str(number) not in found for number in range(len(part))):
        raise Unavailable("Microsoft 365 answers fewer requests than it was asked", store=client.name)
    return [found[str(number)] for number in range(len(part))]


def _said(number: str, request: Request) -> dict[str, object]:
    said: dict[str, object] = {"id": number, "method": request.method, "url": request.path, "headers": request.headers}
    return said if request.body is None else {**said, "body": request.body}


def _answer(response: Json) -> tuple[str, Answer]:
    headers, body = response.get("headers"), response.get("body")
    status = response.get("status")
    return str(response.get("id")), Answer(
        status if isinstance(status, int) else 500,
        {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {},
        body if isinstance(body, Mapping) else {},
    )
