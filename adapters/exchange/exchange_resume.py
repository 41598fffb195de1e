"""Finishing the steps that stand on a series: single occurrences that are still to be left out or changed."""

from __future__ import annotations

from datetime import date

from adapters.exchange.ews_recurrence import Element
from adapters.exchange.ews_requests import delete_item, update_item
from adapters.exchange.exchange_errors import error_of
from adapters.exchange.exchange_pending import aimed, pending_of
from adapters.exchange.exchange_wire import Wire
from adapters.outlook.outlook_fields import recurrence_in
from adapters.outlook.outlook_item import ItemTarget, OccurrenceTarget, Series
from adapters.outlook.outlook_properties import PENDING
from adapters.outlook.outlook_series import target_of
from adapters.outlook.outlook_view import Owner, item_view, local_day
from adapters.outlook.recurrence_codec import index_of
from adapters.outlook.recurrence_pattern import Recurrence
from daemon.core.errors import VersionMismatch


def resume(wire: Wire, series: Series, owner: Owner, name: str, *, mail: bool = False) -> None:
    """Do what is still to be done and take it off the master; without mail, unless its writer orders it.

    A step that Exchange refuses stays on the list: the item is told as refused, nothing of it is lost.
    """
    skip, change = pending_of(series.master)
    recurrence = recurrence_in(item_view(series.master, owner))
    if recurrence is not None:
        for day, request in change.items():
            if index_of(recurrence, day) is not None:
                change_occurrence(wire, series, recurrence, day, request, owner=owner, name=name, mail=mail)
        gone = {local_day(start, series.master, owner) for start in series.master.deleted}
        for day in sorted(skip - gone):
            if index_of(recurrence, day) is not None:
                delete_occurrence(wire, series, recurrence, day, name=name, mail=mail)
    finish(wire, series.master.id, name)


def finish(wire: Wire, master: str, name: str) -> None:
    """Take the list of steps off a master, whatever its version is by now."""
    send(wire, update_item(ItemTarget(master, ""), {PENDING: None}, mail=False, overwrite=True), name)


def change_occurrence(  # noqa: PLR0913  the series, which occurrence of it, and the manner
    wire: Wire,
    series: Series,
    recurrence: Recurrence,
    day: date,
    request: Element,
    *,
    owner: Owner,
    name: str,
    mail: bool,
) -> None:
    """Make one occurrence differ."""
    send(wire, aimed(request, target_of(series, recurrence, day, owner), mail=mail), name)


def delete_occurrence(  # noqa: PLR0913  as above
    wire: Wire, series: Series, recurrence: Recurrence, day: date, *, name: str, mail: bool
) -> None:
    """Leave one occurrence out; one that is left out already is fine."""
    index = index_of(recurrence, day)
    if index is None:
        return
    try:
        send(wire, delete_item(OccurrenceTarget(series.master.id, index), mail=mail), name)
    except VersionMismatch:
        return  # it is deleted already: what its error means for other requests


def send(wire: Wire, request: Element, name: str) -> None:
    """Send one write. Raises the error that the server answers."""
    for answer in wire.call(request):
        if not answer.ok:
            raise error_of(answer.code, store=name, back_off=answer.back_off)
