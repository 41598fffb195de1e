"""Single writes to a CalDAV calendar, each under the version that it expects."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urljoin, urlsplit

from adapters.dav.caldav_collection import CREATED, GONE, ICS_TYPE, NO_CONTENT, NOT_FOUND, OK, Collection
from adapters.dav.caldav_errors import conditions_named, no_right
from adapters.dav.caldav_href import to_id
from adapters.dav.caldav_quirks import Quirks
from adapters.dav.caldav_reading import Reader
from adapters.dav.caldav_xml import DAV, is_bare_error, names_in, plain_etag, propfind
from adapters.ics import ics_codec
from adapters.net.transport import Response
from daemon.core.errors import (
    Forbidden,
    Missing,
    Refused,
    StoreError,
    SyncError,
    Unavailable,
    Unreadable,
    VersionMismatch,
)
from daemon.core.model import Field, View
from daemon.core.store import Create, Outcome, Ref, Remove, Seen, Update, Write, Written

_STORED = frozenset({OK, CREATED, 202, NO_CONTENT})
_FORBIDDEN = 403
_PRECONDITION_FAILED = 412
_RIGHTS = propfind("D:current-user-privilege-set")
_ETAG = propfind("D:getetag")
_WRITE_RIGHTS = frozenset({f"{DAV}all", f"{DAV}write", f"{DAV}write-content"})


def may_write(privileges: frozenset[str]) -> bool | None:
    """Whether these privileges let events be changed (RFC 3744 section 3); None: the server does not say."""
    return bool(privileges & _WRITE_RIGHTS) if privileges else None


class BareRefusal(Refused):
    """403 without a reason for one event, where the calendar itself answers: the event, or a limit of writes."""


def _silences(write: Create | Update) -> bool:
    """Whether guests may have been put on the event with the order to mail them nothing."""
    view = write.view if isinstance(write, Create) else write.patch
    return not write.notify and any(key.field is Field.ATTENDEES and value for key, value in view.items())


def _is_stored(response: Response) -> bool:
    """Whether the server has carried a write out. A login page says 200 too, and has stored nothing."""
    is_page = response.headers.get("content-type", "").strip().lower().startswith("text/html")
    return response.status in _STORED and not (is_page and response.status == OK)


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out writes, one by one; several threads may use it at once."""

    collection: Collection
    reader: Reader
    quirks: Quirks
    organizer: str = ""  # who invites, where a new meeting has guests and names nobody

    def outcome(self, write: Write) -> Outcome:
        """Carry out one write; its errors are an outcome."""
        try:
            match write:
                case Create():
                    return self._create(write)
                case Update():
                    return self._update(write)
                case Remove():
                    return self._remove(write)
                case _:
                    assert_never(write)
        except SyncError as error:
            return error

    def _create(self, write: Create) -> Outcome:
        self._check_uid(write.uid)
        body = self._body(write)
        item = self.collection.id + self.quirks.name(write.uid)
        condition = {"If-None-Match": "*"} if self.quirks.conditional_create else {}
        response = self._put(item, body, condition)
        if _is_stored(response):
            return self._written(item, body, response, write)
        if response.status == _PRECONDITION_FAILED and not conditions_named(response):
            return self._there_already(item, write, body)
        return self._error(response, item)

    def _body(self, write: Create) -> bytes:
        """What a file says beyond its view stays out of it: it never travels."""
        zone, now = self.reader.zone, self.collection.clock()
        silent = not write.notify  # the server leaves the mail to us, who send none (RFC 6638 section 7.1)
        if ics_codec.is_calendar(write.like):
            with suppress(Unreadable):
                return ics_codec.compose_like(
                    write.like,
                    write.uid,
                    write.view,
                    zone=zone,
                    now=now,
                    types=self.reader.types,
                    organizer=self.organizer,
                    client_schedules=silent,
                )
        return ics_codec.compose(
            write.uid,
            write.view,
            zone=zone,
            now=now,
            floating=write.floating,
            organizer=self.organizer,
            client_schedules=silent,
        )

    def _check_uid(self, uid: str) -> None:
        if not uid.isprintable():
            what = "its uid holds a line end or another control character"
            raise Refused(what, reason=f"{what}: give it another one", store=self.collection.store)

    def _there_already(self, item: str, write: Create, body: bytes) -> Outcome:
        """An earlier attempt of ours, whose answer was lost, or another event."""
        found = self.reader.one(item)
        if isinstance(found, Seen) and found.activity.uid == write.uid and found.activity.view == self._shown(body):
            return Written(found.ref, found.raw, exact=True)
        return self._mismatch("another event has this name", item)

    def _shown(self, body: bytes) -> View:
        return ics_codec.read(body, zone=self.reader.zone, types=self.reader.types).view

    def _update(self, write: Update) -> Outcome:
        if not write.ref.version:
            return self._mismatch("its version is not known: it has to be read first", write.ref.id)
        self._check_uid(write.uid)
        raw = write.raw or self._raw_of(write.ref)
        body = ics_codec.patch(
            raw,
            write.patch,
            zone=self.reader.zone,
            now=self.collection.clock(),
            uid=write.uid,
            types=self.reader.types,
            organizer=self.organizer,
            client_schedules=not write.notify,
        )
        response = self._put(write.ref.id, body, {"If-Match": write.ref.version})
        if _is_stored(response):
            return self._written(write.ref.id, body, response, write)
        if response.status in {NOT_FOUND, GONE}:
            return self._mismatch("it is no longer there", write.ref.id)
        return self._error(response, write.ref.id)

    def _raw_of(self, ref: Ref) -> bytes:
        reading = self.reader.one(ref.id)
        if isinstance(reading, Seen) and reading.ref.version == ref.version:
            return reading.raw
        raise self._mismatch("it changed since it was read", ref.id)

    def _remove(self, write: Remove) -> Outcome:
        item, version = write.ref.id, write.ref.version
        if not version:
            return self._mismatch("its version is not known: it has to be read first", item)
        if not self.quirks.conditional_delete:
            current = self._version_now(item)
            if current is None:
                return Written(Ref(item))
            if current != version:
                return self._mismatch("it changed since it was read", item)
        response = self.collection.send("DELETE", item, headers={"If-Match": version})
        if response.status in {NOT_FOUND, GONE}:
            return self._unless_all_is_gone(item)
        return Written(Ref(item)) if _is_stored(response) else self._error(response, item)

    def _unless_all_is_gone(self, item: str) -> Written | StoreError:
        """An event that is not there is deleted; not where a server for the moment says so of everything."""
        try:
            self.collection.propfind(_RIGHTS, depth=0)
        except StoreError as error:
            return error
        return Written(Ref(item))

    def _version_now(self, item: str) -> str | None:
        """The ETag that an item has now; None: it is gone."""
        response = self.collection.send("PROPFIND", item, _ETAG, {"Depth": "0"})
        if response.status in {NOT_FOUND, GONE}:
            return None
        members = self.collection.read(response).members
        return None if members and members[0].gone else next((member.etag for member in members), "")

    def _put(self, item: str, body: bytes, condition: Mapping[str, str]) -> Response:
        return self.collection.send("PUT", item, body, {"Content-Type": ICS_TYPE, **condition})

    def _written(self, item: str, body: bytes, response: Response, write: Create | Update) -> Written:
        etag = plain_etag(response.headers.get("etag", ""))
        if _silences(write):
            etag = ""  # whom the server leaves alone is known once it has been read
        ref = Ref(self._moved(item, response), etag)
        return Written(ref, body, exact=bool(etag) and self.quirks.stores_exactly)

    def _moved(self, item: str, response: Response) -> str:
        """Where a new item really is: a server may store it under a name of its own choice (Location)."""
        location = response.headers.get("location", "")
        if response.status != CREATED or not location:
            return item
        url = urljoin(response.url, location)
        named = to_id(url)
        within = urlsplit(url).netloc == urlsplit(self.collection.url).netloc and named.startswith(self.collection.id)
        return named if within and named != self.collection.id else item

    def _mismatch(self, what: str, item: str) -> VersionMismatch:
        return VersionMismatch(f"{what}", store=self.collection.store, ref=item)

    def _error(self, response: Response, item: str) -> StoreError:
        if response.status in _STORED:
            what = "a web page answered in the server's place: is there a login page between?"
            return Unavailable(what, store=self.collection.store, ref=item)
        error = self.collection.error(response, item, changing=True)
        if isinstance(error, Missing):
            # 404 for a PUT or DELETE that is about an item means that its calendar is not there.
            return self.collection.error(response, changing=True)
        if response.status == _FORBIDDEN and isinstance(error, Forbidden | Unavailable):
            return self._whose_fault(response, error, item)
        return error

    def _whose_fault(self, response: Response, error: StoreError, item: str) -> StoreError:
        """Whether a 403 is about the calendar, a rate limit, or this one event: the calendar's own rights tell."""
        try:
            members = self.collection.propfind(_RIGHTS, depth=0).members
        except StoreError as unable:
            return unable if is_bare_error(response.body) else error
        right = may_write(names_in(members[0], f"{DAV}current-user-privilege-set")) if members else None
        if right is False or (right is None and isinstance(error, Forbidden)):
            return no_right("the account may read this calendar, but not write to it (403)", self.collection.store, "")
        what = "the server refuses this event (403), though the calendar can be written"
        refusal = BareRefusal if is_bare_error(response.body) else Refused
        return refusal(what, reason=what, store=self.collection.store, ref=item)
