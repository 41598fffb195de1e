"""Writes to a Microsoft 365 calendar: each names the properties that it sets and the version that it expects.

Graph mails the guests of a meeting whatever we ask (it has no SendToNone), so guests are sent only by order, and
a meeting that we organise is not touched without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import assert_never

from adapters.graph.graph_client import GraphClient, Json, Request, segment
from adapters.graph.graph_codec import Change, event_json, new_event
from adapters.graph.graph_errors import Answer, Asked
from adapters.graph.graph_event import Whole, changekey_of, etag_of, kind_of, mails_somebody
from adapters.graph.graph_instances import WOULD_MAIL, carry_out, path_of, resume
from adapters.graph.graph_reading import Reader
from adapters.graph.graph_series import Pending, after_write, item_after, pending_for, with_property
from adapters.outlook.outlook_codec import create_fields, patch_fields, patched, refusal
from adapters.outlook.outlook_fields import Unheld, recurrence_in
from adapters.outlook.outlook_item import Fields, ItemKind, OutlookItem, master_key
from adapters.outlook.outlook_properties import PENDING
from adapters.outlook.outlook_series import (
    Steps,
    drops_occurrences,
    is_about_series,
    revives,
    steps_for_patch,
    steps_from_nothing,
    touches_instances,
    with_repeated,
)
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import NotFound, Refused, SyncError, Unavailable, VersionMismatch
from daemon.core.model import Field, Key, View
from daemon.core.store import Create, Ref, Remove, Update, Write, Written

# What Graph answers where it does not know an IANA name, or thinks that start and end differ in their zones.
_ZONE_TROUBLE = frozenset({"TimeZoneNotSupportedException", "ErrorInvalidParameter", "ErrorPropertyValidationFailure"})
_NO_CONTENT = 204
_NO_RIGHT = 403


@dataclass(slots=True)
class Writer:
    """Writes to one calendar."""

    client: GraphClient
    calendar: str
    owner: Owner
    reader: Reader
    windows_zones: bool = False

    def write(self, write: Write) -> Written:
        """Carry out one write. Raises what its outcome is."""
        try:
            match write:
                case Create():
                    return self._create(write)
                case Update():
                    return self._update(write)
                case Remove():
                    return self._remove(write)
        except Unheld as error:
            raise Refused(f"Microsoft 365 can't hold it: {error}", reason=str(error), store=self.client.name) from error
        assert_never(write)

    # --- create

    def _create(self, write: Create) -> Written:
        """Make an event. Graph answers a repeated transactionId with the event that it made the first time.

        No version is told, so that the event is asked for once: a feed need not tell of the deletion of what it
        has not told of before, so one that is deleted before the next poll could be missed.
        """
        fields = create_fields(write, self.owner)
        path = f"/me/calendars/{segment(self.calendar)}/events"
        event = self._set("POST", path, lambda: self._new(write, fields))
        item = str(event["id"])
        if Key(Field.REPEAT) in write.view:
            # It is made, and whoever reads it finishes its steps or tells why not: another one must not be made.
            with suppress(SyncError):
                self._finished(item)
        return Written(Ref(item))

    def _new(self, write: Create, fields: Fields) -> Mapping[str, object]:
        transaction = hashlib.sha256(write.token.encode()).hexdigest()[:36]
        event = new_event(fields, transaction, guests=write.notify, windows_zones=self.windows_zones)
        master = item_after({}, event, self.owner)
        steps = steps_from_nothing(None, master, write.view, self.owner)
        return self._with_steps(event, self._pending(steps, master, event, mail=write.notify))

    def _pending(self, steps: Steps, master: OutlookItem, event: Json, *, mail: bool) -> Pending:
        return pending_for(steps, master, event, mail=mail, windows_zones=self.windows_zones)

    def _with_steps(self, body: dict[str, object], pending: Pending) -> dict[str, object]:
        return with_property(body, pending.properties) if pending else body

    def _finished(self, item: str) -> Ref:
        """The event, once the steps that stand on it are done."""
        whole = self.reader.whole(item)
        if PENDING not in whole.series.master.properties:
            return Ref(item, whole.series.version)
        resume(self.client, whole, self.owner)
        return Ref(item)

    # --- update

    def _update(self, write: Update) -> Written:
        whole = self._expected(write)
        self._refuse_mail(whole.event, write.ref.id, whole.exceptions, notify=write.notify)
        master, owner = whole.series.master, self.owner
        after = patched(whole.activity(owner).view, write.patch)
        reason = refusal(after, owner.limits) if is_about_series(write) else ""
        if reason:
            raise Unheld(reason)
        changed = {key.field for key in write.patch if key.instance is None}
        fields = dict(patch_fields(master, after, changed, owner, write.uid))
        if master.is_series and revives(whole.series, after, owner):
            fields["Recurrence"] = recurrence_in(after, owner.limits)
        if drops_occurrences(whole.series, fields):
            return self._with_new_pattern(write, whole, fields, after)
        return self._in_place(write, whole, fields, after)

    def _with_new_pattern(self, write: Update, whole: Whole, fields: Fields, after: View) -> Written:
        """The exceptions are forgotten now: they are put back in the steps that follow."""

        def body() -> dict[str, object]:
            said = self._patch(whole, fields, notify=write.notify)
            master = item_after(whole.event, said, self.owner)
            steps = steps_from_nothing(whole.series, master, after, self.owner)
            pending = self._pending(steps, master, after_write(whole.event, said), mail=write.notify)
            return self._with_steps(said, pending)

        self._set("PATCH", path_of(write.ref.id), body, whole.event)
        with _half_done():
            return Written(self._finished(write.ref.id))

    def _in_place(self, write: Update, whole: Whole, fields: Fields, after: View) -> Written:
        patch = with_repeated(whole.series, after, write.patch, self.owner)
        if fields and patch != write.patch:  # nobody asks for these once more, so they stand on the master
            return self._with_steps_on_master(replace(write, patch=patch), whole, fields, after)
        pending = self._steps(write, whole, fields, after) if touches_instances(patch) else Pending()
        body = self._patch(whole, fields, notify=write.notify)
        ref = write.ref
        if body:
            path = path_of(write.ref.id)
            event = self._set("PATCH", path, lambda: self._patch(whole, fields, notify=write.notify), whole.event)
            ref = Ref(write.ref.id, "" if whole.exceptions else changekey_of(event))
        if not pending:
            return Written(ref)
        with _half_done():
            now = self.reader.whole(write.ref.id) if body else whole
            carry_out(self.client, now, pending, self.owner)
        return Written(Ref(write.ref.id))

    def _with_steps_on_master(self, write: Update, whole: Whole, fields: Fields, after: View) -> Written:
        def body() -> dict[str, object]:
            pending = self._steps(write, whole, fields, after)
            return self._with_steps(self._patch(whole, fields, notify=write.notify), pending)

        self._set("PATCH", path_of(write.ref.id), body, whole.event)
        with _half_done():
            return Written(self._finished(write.ref.id))

    def _steps(self, write: Update, whole: Whole, fields: Fields, after: View) -> Pending:
        said = self._patch(whole, fields, notify=write.notify)
        master = item_after(whole.event, said, self.owner)
        steps = steps_for_patch(whole.series, master, after, write.patch, self.owner)
        return self._pending(steps, master, after_write(whole.event, said), mail=write.notify)

    def _patch(self, whole: Whole, fields: Fields, *, notify: bool) -> dict[str, object]:
        return event_json(Change(fields, whole.series.master, whole.event, notify, self.windows_zones))

    def _expected(self, write: Update) -> Whole:
        """The event as the write expects it. Raises VersionMismatch where it is another by now.

        If-Match is not in Microsoft's pages on events: what is there is looked at as well.
        """
        if not write.ref.version:
            raise VersionMismatch("it must be read before it is written", store=self.client.name, ref=write.ref.id)
        try:
            whole = self.reader.whole(write.ref.id)
        except NotFound as error:
            raise VersionMismatch("it is gone", store=self.client.name, ref=write.ref.id) from error
        if whole.series.version != write.ref.version:
            raise VersionMismatch("it changed since it was read", store=self.client.name, ref=write.ref.id)
        return whole

    def _set(self, method: str, path: str, body: Callable[[], Mapping[str, object]], event: Json | None = None) -> Json:
        """Send a write; where Windows's words for its zones are taken and IANA's are not, they are used from now on."""
        expected = etag_of(event) if event is not None else ""
        request = Request(method, path, body(), if_match=expected)
        answer = self.client.send(request)
        if answer.code in _ZONE_TROUBLE and "start" in (request.body or {}) and not self.windows_zones:
            self.windows_zones = True
            again = self.client.send(Request(method, path, body(), if_match=expected))
            self.windows_zones = again.ok
            answer = again if again.ok else answer
        if not answer.ok:
            raise self._refusal(answer, request, event)
        if not answer.body.get("id") and (event is None or answer.status != _NO_CONTENT):
            # Accepted (202) is not done, and what else answers so may have kept it from Graph.
            what = f"Microsoft 365 answered {answer.status} without the event"
            raise Unavailable(what, store=self.client.name, uncertain=True)
        return answer.body

    def _refusal(self, answer: Answer, request: Request, event: Json | None) -> Exception:
        ref = "" if event is None else str(event.get("id"))
        # A 404 of a new event is about its calendar; a 403 of any is about who may write here.
        asked = Asked.CALENDAR if event is None and answer.status != _NO_RIGHT else Asked.ITEM
        error = self.client.error(answer, request, asked=asked, ref=ref)
        if isinstance(error, NotFound):
            return VersionMismatch("it is gone", store=self.client.name, ref=ref)
        return error

    # --- remove

    def _remove(self, write: Remove) -> Written:
        """Delete an event, to the deleted ones; one that is gone is as it should be."""
        item = write.ref.id
        try:
            now = self.reader.changekey(item)
            if changekey_of(now) != master_key(write.ref.version):
                raise VersionMismatch("it changed since it was read", store=self.client.name, ref=item)
            if not write.notify:
                self._refuse_mail(now, item, self._exceptions(now, item), notify=False)
            self.client.ask(Request("DELETE", path_of(item), if_match=etag_of(now)), asked=Asked.ITEM, ref=item)
        except NotFound:
            pass
        return Written(Ref(item), exact=True)

    def _exceptions(self, event: Json, item: str) -> Sequence[Json]:
        """The exceptions of a series: their guests stand on them alone."""
        return self.reader.whole(item).exceptions if kind_of(event) is ItemKind.MASTER else ()

    def _refuse_mail(self, event: Json, item: str, exceptions: Sequence[Json], *, notify: bool) -> None:
        """The last gate: whatever was decided above, nobody is mailed without an order."""
        if not notify and mails_somebody(event, self.owner, exceptions):
            raise Refused("it would mail its guests", reason=WOULD_MAIL, store=self.client.name, ref=item)


@contextmanager
def _half_done() -> Iterator[None]:
    """Between the steps of a write even a look that fails leaves it uncertain what is there now."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(
            str(error), store=error.store, ref=error.ref, after=error.after, throttled=error.throttled, uncertain=True
        ) from error
