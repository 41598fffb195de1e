"""One collection of a CalDAV server: requests to it and its members, answers as values or errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from adapters.dav.caldav_client import CalDavClient
from adapters.dav.caldav_errors import Asked, error_of
from adapters.dav.caldav_href import to_href, to_id
from adapters.dav.caldav_xml import Multistatus, NotXml, read_multistatus
from adapters.net.transport import Response
from daemon.core.errors import StoreError, Unavailable

OK, CREATED, NO_CONTENT, MULTISTATUS = 200, 201, 204, 207
NOT_FOUND, GONE = 404, 410
XML_TYPE: Final = {"Content-Type": "application/xml; charset=utf-8"}
ICS_TYPE: Final = "text/calendar; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Collection:
    """Where requests go. `url` ends with a slash; `clock` gives the aware time of now."""

    client: CalDavClient
    url: str
    store: str
    clock: Callable[[], datetime]
    origin: str = field(init=False)
    id: str = field(init=False)  # its path, unquoted

    def __post_init__(self) -> None:
        """Take the URL apart once."""
        object.__setattr__(self, "origin", urljoin(self.url, "/").rstrip("/"))
        object.__setattr__(self, "id", to_id(self.url))

    def url_of(self, item: str) -> str:
        """The absolute URL of an item; "" is the collection itself."""
        return self.origin + to_href(item) if item else self.url

    def propfind(self, body: bytes, *, depth: int, props: bool = True) -> Multistatus:
        """PROPFIND on the collection. Raises any StoreError."""
        return self.read(self.send("PROPFIND", "", body, {**XML_TYPE, "Depth": str(depth)}), props=props)

    def report(self, body: bytes) -> Multistatus:
        """REPORT on the collection and its members. Raises any StoreError."""
        return self.read(self.send("REPORT", "", body, {**XML_TYPE, "Depth": "1"}), props=False)

    def read(self, response: Response, *, props: bool = True) -> Multistatus:
        """The multistatus in an answer; without `props`, ETags and data alone. Raises any StoreError."""
        if response.status not in {OK, MULTISTATUS}:
            raise self.error(response)
        try:
            return read_multistatus(response.body, urlsplit(response.url).path, props=props)
        except NotXml as error:
            raise Unavailable(f"{error} (status {response.status})", store=self.store, uncertain=False) from error

    def send(self, method: str, item: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
        """Send a request to an item or ("") the collection. Raises Unavailable, Forbidden."""
        try:
            return self.client.send(method, self.url_of(item), body, headers)
        except StoreError as error:
            error.store, error.ref = error.store or self.store, error.ref or item
            raise

    def error(self, response: Response, item: str = "", *, changing: bool = False) -> StoreError:
        """The error that an answer stands for; `item` when it was about one."""
        return error_of(
            response,
            asked=Asked.ITEM if item else Asked.CALENDAR,
            changing=changing,
            now=self.clock(),
            store=self.store,
            ref=item,
            words=self.client.words,
        )
