"""The XML of CalDAV: bodies of requests, and the reading of multistatus answers (RFC 4918, 4791, 6578).

An answer that is not what was asked for (HTML, half a document, a document with a DTD) is `NotXml`:
never an empty listing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import escape

from lxml import etree

from adapters.dav.caldav_href import to_href, to_id

DAV: Final = "{DAV:}"
CAL: Final = "{urn:ietf:params:xml:ns:caldav}"
CALENDARSERVER: Final = "{http://calendarserver.org/ns/}"
APPLE: Final = "{http://apple.com/ns/ical/}"

_RESPONSE, _HREF, _STATUS = f"{DAV}response", f"{DAV}href", f"{DAV}status"
_PROPSTAT, _PROP, _ETAG = f"{DAV}propstat", f"{DAV}prop", f"{DAV}getetag"
_DATA, _TYPE, _ERROR = f"{CAL}calendar-data", f"{DAV}getcontenttype", f"{DAV}error"
_TOKEN, _MULTISTATUS = f"{DAV}sync-token", f"{DAV}multistatus"
_OK, _NOT_FOUND, _GONE, _TRUNCATED = 200, 404, 410, 507

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<{0} xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    ' xmlns:S="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/">'
)


class NotXml(ValueError):
    """The body is no multistatus that could be believed."""


@dataclass(frozen=True, slots=True)
class Member:
    """One response of a multistatus. `status` None: it has properties; `props` are those that it found."""

    id: str
    status: int | None = None
    etag: str = ""
    data: bytes | None = field(default=None, repr=False)
    content_type: str = ""
    props: Mapping[str, etree._Element] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()

    @property
    def gone(self) -> bool:
        """Whether the server says that this very href is not there."""
        return self.status in {_NOT_FOUND, _GONE}


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A whole answer; `token` is its sync-token, `truncated` says that more pages follow (RFC 6578 section 3.6)."""

    members: tuple[Member, ...]
    token: str = ""
    truncated: bool = False


def propfind(*names: str) -> bytes:
    """A PROPFIND for properties, named with the prefixes D, C, S (calendarserver.org) or A (Apple)."""
    props = "".join(f"<{name}/>" for name in names)
    return f"{_HEAD.format('D:propfind')}<D:prop>{props}</D:prop></D:propfind>".encode()


def sync_collection(token: str, *, inline: bool = False) -> bytes:
    """A REPORT of what changed since a token (RFC 6578); never with DAV:limit, which servers get wrong."""
    data = '<C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/>' if inline else ""
    return (
        '<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>'
        f"{escape(token)}</D:sync-token>"
        f"<D:sync-level>1</D:sync-level><D:prop><D:getetag/><D:getcontenttype/>{data}</D:prop></D:sync-collection>"
    ).encode()


def multiget(ids: Iterable[str]) -> bytes:
    """A REPORT that reads items whole (RFC 4791 section 7.9)."""
    hrefs = "".join(f"<D:href>{escape(to_href(item))}</D:href>" for item in ids)
    return (
        f"{_HEAD.format('C:calendar-multiget')}<D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}"
        "</C:calendar-multiget>"
    ).encode()


def query(uid: str | None = None) -> bytes:
    """A REPORT that lists the events with their ETags, or only the one with a UID (RFC 4791 section 7.8)."""
    inner = ""
    if uid is not None:
        match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        inner = f'<C:prop-filter name="UID">{match}</C:prop-filter>'
    return (
        f"{_HEAD.format('C:calendar-query')}<D:prop><D:getetag/></D:prop>"
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{inner}</C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>"
    ).encode()


def read_multistatus(body: bytes, base: str, *, props: bool = True) -> Multistatus:
    """Read a multistatus whose relative hrefs are relative to the path `base`. Raises NotXml.

    Without `props` the members have only what stands in their own fields, and the document is let go of
    while it is read: a listing of 10,000 would take 20 MiB.
    """
    members: list[Member] = []
    truncated = False
    try:
        responses = _Responses(body, keep=props)
        for response in responses:
            read = list(_members(response, base, keep=props))
            if len(read) == 1 and read[0].status == _TRUNCATED:
                truncated = True
                continue
            members += read
    except etree.XMLSyntaxError as error:
        raise NotXml("the answer is no XML, or only half of it") from error
    return Multistatus(tuple(members), responses.token(), truncated)


def conditions_of(body: bytes) -> tuple[frozenset[str], tuple[str, ...]]:
    """The local names of the preconditions in an error body, and the hrefs that it names. Empty for no XML."""
    try:
        root = _parse(body)
    except NotXml:
        return frozenset(), ()
    errors = [root] if root.tag == _ERROR else list(root.iter(_ERROR))
    names = {etree.QName(child).localname for error in errors for child in error.iterchildren(etree.Element)}
    hrefs = tuple((found.text or "").strip() for error in errors for found in error.iter(_HREF))
    return frozenset(names), hrefs


def is_bare_error(body: bytes) -> bool:
    """Whether an error body says nothing: empty, or an empty DAV:error."""
    if not body.strip():
        return True
    return (
        re.fullmatch(rb"\s*(?:<\?xml[^>]*\?>)?\s*<(?:\w+:)?error\b[^>]*(?:/>|>\s*</(?:\w+:)?error>)\s*", body)
        is not None
    )


def text_of(member: Member, name: str) -> str:
    """The text of a property; "" when it is not there."""
    found = member.props.get(name)
    return (found.text or "").strip() if found is not None else ""


def href_of(member: Member, name: str, base: str) -> str:
    """The id that a property's first href names; "" when it names none."""
    found = member.props.get(name)
    href = found.findtext(_HREF, "").strip() if found is not None else ""
    return to_id(href, base) if href else ""


def names_in(member: Member, name: str) -> frozenset[str]:
    """The Clark names of all elements within a property (privileges, resource types, reports)."""
    found = member.props.get(name)
    if found is None:
        return frozenset()
    return frozenset(str(element.tag) for element in found.iter(etree.Element) if element is not found)


def plain_etag(etag: str) -> str:
    """An ETag without the mark of weakness that proxies add, so that it can stand in If-Match."""
    return etag.strip().removeprefix("W/")


class _Responses:
    """The responses of a multistatus, one by one while the document is parsed."""

    def __init__(self, body: bytes, *, keep: bool) -> None:
        self._keep = keep
        self._parsing = etree.iterparse(
            BytesIO(body), events=("end",), tag=_RESPONSE,
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip

    def __iter__(self) -> Iterator[etree._Element]:
        last: etree._Element | None = None
        for _, response in self._parsing:
            yield response
            if self._keep:
                continue
            response.clear()
            # The element itself is still the parser's; the one before it is not.
            parent = last.getparent() if last is not None else None
            if last is not None and parent is not None:
                parent.remove(last)
            last = response

    def token(self) -> str:
        """The sync-token, once all is read. Raises NotXml for what is no multistatus."""
        root = self._parsing.root
        if root is None or _has_document_type(root):
            raise NotXml("the answer has a document type, as no CalDAV server sends it")
        whole = next(root.iter(_MULTISTATUS), None)
        if whole is None:
            raise NotXml("the answer is XML, but no multistatus")
        return str(whole.findtext(_TOKEN, "")).strip()


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise NotXml("the answer is no XML, or only half of it") from error
    if _has_document_type(root):
        raise NotXml("the answer has a document type, as no CalDAV server sends it")
    return root


def _members(response: etree._Element, base: str, *, keep: bool) -> Iterable[Member]:
    hrefs: list[str] = []
    status: int | None = None
    conditions: frozenset[str] = frozenset()
    props: dict[str, etree._Element] = {}
    for child in response:
        tag = child.tag
        if tag == _HREF:
            hrefs.append(to_id(child.text or "", base))
        elif tag == _PROPSTAT:
            if _code(child.findtext(_STATUS, "200")) == _OK:
                props.update((str(prop.tag), prop) for prop in child.iterfind(f"{_PROP}/*"))
        elif tag == _STATUS:
            status = _code(child.text or "")
        elif tag == _ERROR:
            conditions = frozenset(etree.QName(inner).localname for inner in child.iterchildren(etree.Element))
    if status == _OK:
        status = None
    for href in hrefs:
        yield _member(href, status, props, conditions, keep=keep)


def _member(
    item: str, status: int | None, props: dict[str, etree._Element], conditions: frozenset[str], *, keep: bool
) -> Member:
    etag, data, kind = props.get(_ETAG), props.get(_DATA), props.get(_TYPE)
    return Member(
        item,
        status,
        plain_etag(etag.text or "") if etag is not None else "",
        _network_lines(data.text) if data is not None and data.text else None,
        (kind.text or "").lower() if kind is not None else "",
        props if keep else {},
        conditions,
    )


def _network_lines(text: str) -> bytes:
    # XML turns CRLF into LF on its way; RFC 5545 section 3.1 wants CRLF.
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _code(status: str) -> int:
    parts = status.split(None, 2)
    for part in parts[:2]:
        if part.isdigit():
            return int(part)
    return 500


def _has_document_type(root: Any) -> bool:
    """Whether the document brings a DTD, and with it entities: the stubs of lxml lack the word."""
    return bool(root.getroottree().docinfo.doctype)
