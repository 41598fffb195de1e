"""What can go wrong with a request to the EWS simulator, and the record of those that came."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.servers.ews_kept import Element


class Trouble(StrEnum):
    """What can go wrong with one request."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    THROTTLED = "429"
    UNAVAILABLE = "503"
    BROKEN = "500, no XML"
    BUSY = "ErrorServerBusy as a SOAP fault"
    DROP = "connection closed before anything was done"
    DROP_AFTER = "connection closed after it was done"
    UNAVAILABLE_AFTER = "503 after it was done"
    HANG = "no answer at all until the server stops"
    ERROR = "an error code in the response message"


@dataclass
class Fault:
    """Trouble for the next requests of one operation ("": of any)."""

    trouble: Trouble
    operation: str = ""
    times: int = 1
    retry_after: int | None = None
    code: str = ""
    skip: int = 0  # how many fitting requests go well first


@dataclass
class Asked:
    """One request that came, and the answer to it."""

    operation: str
    request: Element
    answer: Element | None = None
