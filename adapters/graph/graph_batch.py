"""Several requests in one: Graph's `$batch`, of at most 20, which it carries out four at a time for a mailbox.

Answers come in any order, each with a status of its own: a 429 may stand inside of a 200. A service or a gateway
that has no `$batch` is asked for one thing at a time, four at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from adapters.graph.graph_client import AT_ONCE, GraphClient, Json, Request
from adapters.graph.graph_errors import Answer, Asked
from adapters.net.in_flight import in_flight
from daemon.core.errors import Unavailable

BATCH = 20  # the most that Graph takes
# What is answered where there is no such address. Nothing in the batch was carried out then.
_NO_BATCH = frozenset({400, 404, 405, 501})


def send_all(client: GraphClient, requests: Sequence[Request]) -> Iterator[Answer]:
    """The answer to each request, in their order. Raises what concerns a whole batch.

    One batch is under way at a time: Graph handles four of its parts at once, as many as a mailbox is allowed.
    """
    rest = iter(requests)
    while part := list(islice(rest, BATCH)):
        yield from [client.send(part[0])] if len(part) == 1 else _send(client, part)


def _send(client: GraphClient, part: Sequence[Request]) -> list[Answer]:
    if not client.batches:
        return _singly(client, part)
    body = {"requests": [_said(str(number), request) for number, request in enumerate(part)]}
    whole = Request("POST", "/$batch", body)
    answer = client.send(whole)
    if answer.status in _NO_BATCH:
        answers = _singly(client, part)
        # Where nothing at all is answered, it need not be for want of batches.
        client.batches = not any(each.ok for each in answers)
        return answers
    if not answer.ok:
        raise client.error(answer, whole, asked=Asked.CALENDAR)
    responses = answer.body.get("responses")
    found = dict(map(_answer, responses)) if isinstance(responses, list) else {}
    if any(str(number) not in found for number in range(len(part))):
        raise Unavailable("Microsoft 365 answers fewer requests than it was asked", store=client.name)
    return [found[str(number)] for number in range(len(part))]


def _singly(client: GraphClient, part: Sequence[Request]) -> list[Answer]:
    def send(number: int) -> tuple[int, Answer]:
        return number, client.send(part[number])

    answers = dict(in_flight(send, range(len(part)), AT_ONCE))
    return [answers[number] for number in range(len(part))]


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
