"""Writes to an Exchange calendar: each names the fields that it sets and the version that it expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from adapters.exchange.ews_requests import create_item, delete_item, update_item
from adapters.exchange.ews_xml import Answered, item_id_of, series_of
from adapters.exchange.exchange_errors import error_of
from adapters.exchange.exchange_pending import pending_text, requests_of
from adapters.exchange.exchange_reading import Reader
from adapters.exchange.exchange_resume import change_occurrence, delete_occurrence, resume
from adapters.exchange.exchange_wire import Wire
from adapters.outlook.outlook_codec import create_fields, patch_fields, patched, refusal
from adapters.outlook.outlook_fields import Unheld, recurrence_in
from adapters.outlook.outlook_item import (
    Attendee,
    Body,
    Fields,
    FolderTarget,
    ItemTarget,
    OutlookItem,
    Series,
    Zone,
    master_key,
)
from adapters.outlook.outlook_properties import EXTRA, PENDING, TOKEN
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
from adapters.outlook.outlook_view import Owner, activity_of
from daemon.core.errors import NotFound, Refused, StoreError, Unavailable, VersionMismatch
from daemon.core.model import View
from daemon.core.store import Create, Ref, Remove, Update, Write, Written

Carrying = Callable[[str], Iterable[OutlookItem]]


class Writer:
    """Writes to one calendar folder; `carrying` finds the items that carry a uid."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of one store
        self, wire: Wire, folder: FolderTarget, owner: Owner, reader: Reader, carrying: Carrying, name: str
    ) -> None:
        self._wire, self._folder, self._owner = wire, folder, owner
        self._reader, self._carrying, self._name = reader, carrying, name

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
            raise Refused(f"Exchange can't hold it: {error}", reason=str(error), store=self._name) from error
        assert_never(write)

    # --- create

    def _create(self, write: Create) -> Written:
        """Make an item, unless an earlier attempt with this token has: EWS itself would make a second one.

        No version is told, so that the item is asked for once: the feed tells only of the deletion of what it
        has told of before, so one that is deleted before the next poll would be missed.
        """
        there = {item.properties.get(TOKEN): item for item in self._carrying(write.uid)}
        made = there.get(write.token)
        if made is not None:
            return self._made(made.id, mail=write.notify)
        if there:
            raise VersionMismatch("an item with this uid is there already", store=self._name)
        fields = dict(create_fields(write, self._owner))
        steps = steps_from_nothing(None, _plain_item(fields), write.view, self._owner)
        if steps:
            fields[PENDING] = pending_text(steps, mail=write.notify)
        [answer] = self._wire.call(create_item(self._folder, fields, mail=write.notify))
        item, _ = self._written(answer, "")
        return self._made(item, mail=write.notify) if steps else Written(Ref(item))

    def _made(self, item: str, *, mail: bool) -> Written:
        """An item that stands there, whatever becomes of its steps: said to have failed, it would be made again."""
        with suppress(StoreError):  # whoever reads it goes on with the steps
            self._finished(item, mail=mail)
        return Written(Ref(item))

    def _finished(self, item: str, *, mail: bool = False) -> Ref:
        """The item, once the steps that stand on it are done."""
        whole = self._reader.whole(item)
        if PENDING not in whole.series.master.properties:
            return Ref(item, whole.series.version)
        resume(self._wire, whole.series, self._owner, self._name, mail=mail)
        return Ref(item)

    # --- update

    def _update(self, write: Update) -> Written:
        whole = self._expected(write)
        master, owner = whole.master, self._owner
        before = activity_of(whole, owner).view
        after = patched(before, write.patch)
        reason = refusal(after) if is_about_series(write) else ""
        if reason:
            raise Unheld(reason)
        changed = {key.field for key in write.patch if key.instance is None}
        fields = dict(patch_fields(master, after, changed, owner, write.uid))
        if master.is_series and revives(whole, after, owner) and recurrence_in(after) is not None:
            fields["Recurrence"] = recurrence_in(after)
        if drops_occurrences(whole, fields):
            return self._with_new_pattern(write, whole, fields, after)
        return self._in_place(write, whole, fields, after)

    def _with_new_pattern(self, write: Update, whole: Series, fields: Fields, after: View) -> Written:
        """Exchange forgets all exceptions now: they are put back in the steps that follow."""
        changed = _as_after(whole.master, fields)
        steps = steps_from_nothing(whole, changed, after, self._owner)
        pending = {PENDING: pending_text(steps, mail=write.notify)} if steps else {}
        written = self._set(whole.master, {**fields, **pending}, mail=write.notify)
        return Written(self._finished(written.id, mail=write.notify)) if steps else Written(written)

    def _in_place(self, write: Update, whole: Series, fields: Fields, after: View) -> Written:
        steps = Steps()
        patch = with_repeated(whole, after, write.patch, self._owner)
        if touches_instances(patch):
            changed = _as_after(whole.master, fields)
            steps = steps_for_patch(whole, changed, after, patch, self._owner)
        if fields and patch != write.patch:  # nobody asks for these once more, so they stand on the master
            fields = {**fields, PENDING: pending_text(steps, mail=write.notify)}
            return Written(self._finished(self._set(whole.master, fields, mail=write.notify).id, mail=write.notify))
        ref = self._set(whole.master, fields, mail=write.notify) if fields else Ref(write.ref.id, write.ref.version)
        recurrence = recurrence_in(after)
        if not steps or recurrence is None:
            return Written(Ref(ref.id) if fields and whole.exceptions else ref)
        name = self._name
        try:
            for day, request in requests_of(steps, mail=write.notify).items():
                change_occurrence(
                    self._wire, whole, recurrence, day, request, owner=self._owner, name=name, mail=write.notify
                )
        except NotFound as error:  # of one instance: it says nothing of the series
            raise VersionMismatch("an instance of it is gone", store=name, ref=write.ref.id) from error
        for day in sorted(steps.skip):
            delete_occurrence(self._wire, whole, recurrence, day, name=name, mail=write.notify)
        return Written(Ref(ref.id))

    def _expected(self, write: Update) -> Series:
        """The item as the write expects it. Raises VersionMismatch where it is another by now."""
        if not write.ref.version:
            raise VersionMismatch("it must be read before it is written", store=self._name, ref=write.ref.id)
        series = series_of(write.raw) if write.raw else None
        if series is None or series.version != write.ref.version or series.master.is_series:
            try:
                series = self._reader.whole(write.ref.id).series
            except NotFound as error:
                raise VersionMismatch("it is gone", store=self._name, ref=write.ref.id) from error
        if series.version != write.ref.version:
            raise VersionMismatch("it changed since it was read", store=self._name, ref=write.ref.id)
        return series

    def _set(self, item: OutlookItem, fields: Fields, *, mail: bool) -> Ref:
        [answer] = self._wire.call(update_item(ItemTarget(item.id, item.changekey), fields, mail=mail))
        try:
            return Ref(*self._written(answer, item.id))
        except NotFound as error:
            raise VersionMismatch("it is gone", store=self._name, ref=item.id) from error

    # --- remove

    def _remove(self, write: Remove) -> Written:
        """Move an item to the deleted ones; EWS checks no version there, so it is looked at just before."""
        try:
            now = self._reader.changekey(write.ref.id)
            if now != master_key(write.ref.version):
                raise VersionMismatch("it changed since it was read", store=self._name, ref=write.ref.id)
            [answer] = self._wire.call(delete_item(ItemTarget(write.ref.id, now), mail=write.notify))
            self._check(answer, write.ref.id)
        except NotFound:
            pass  # it is as it should be
        self._reader.copies.forget([write.ref.id])
        return Written(Ref(write.ref.id), exact=True)

    # --- answers

    def _check(self, answer: Answered, item: str) -> None:
        if not answer.ok:
            raise error_of(answer.code, store=self._name, ref=item, back_off=answer.back_off)

    def _written(self, answer: Answered, item: str) -> tuple[str, str]:
        """Id and change key after a write. Raises Unavailable where it went well and they are not told."""
        self._check(answer, item)
        try:
            return item_id_of(answer.items[0])
        except (LookupError, ValueError) as error:
            raise Unavailable("Exchange does not say what it wrote", store=self._name, ref=item) from error


def _plain_item(fields: Fields) -> OutlookItem:
    """An item that was just made, as far as its occurrences inherit from it."""
    return _as_after(OutlookItem("", ""), fields)


def _as_after(item: OutlookItem, fields: Fields) -> OutlookItem:
    """An item after a write, as far as its occurrences inherit from it."""
    body, required, optional = (fields.get(name) for name in ("Body", "RequiredAttendees", "OptionalAttendees"))
    extra, zone = fields.get(EXTRA), fields.get("StartTimeZone")
    return replace(
        item,
        body=body if isinstance(body, Body) else Body("") if "Body" in fields else item.body,
        required=_people(required) if "RequiredAttendees" in fields else item.required,
        optional=_people(optional) if "OptionalAttendees" in fields else item.optional,
        zone_id=zone.id if isinstance(zone, Zone) else item.zone_id,
        properties={**item.properties, EXTRA: extra if isinstance(extra, str) else ""}
        if EXTRA in fields
        else item.properties,
    )


def _people(value: object) -> tuple[Attendee, ...]:
    return tuple(each for each in value if isinstance(each, Attendee)) if isinstance(value, tuple) else ()
