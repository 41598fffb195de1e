"""Looking for items of an Exchange calendar by the uid that they carry in a property of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import All, Wanted, find_items, get_marks
from adapters.exchange.ews_xml import Answered, M, item_of
from adapters.exchange.exchange_errors import error_of
from adapters.exchange.exchange_wire import Wire
from adapters.outlook.outlook_item import FolderTarget, OutlookItem
from adapters.outlook.outlook_properties import UID
from daemon.core.errors import Forbidden, NotFound, Refused, Unavailable

_LOOKS = 10  # items of a GetItem
_CURE = "ask the administrator to allow FindItem of EWS: without it an event could be made twice"


class Search:
    """Searches in one calendar folder."""

    def __init__(self, wire: Wire, folder: FolderTarget, name: str) -> None:
        self._wire, self._folder, self._name = wire, folder, name

    def carrying(self, uid: str) -> Iterator[OutlookItem]:
        """The items that carry this uid. Raises Refused, with a reason for its user, where none can be looked for."""
        try:
            yield from self._looked(uid)
        except Refused as error:
            reason = "this server can't be asked (FindItem) whether the event is there already, so it is not made"
            raise Refused(str(error), reason=reason, store=self._name) from error

    def sought(self, uid: str) -> Iterator[OutlookItem]:
        """The same, of an event that may have been made. Raises Forbidden where none can be looked for."""
        try:
            yield from self._looked(uid)
        except Refused as error:
            what = f"whether an event was made can't be found out: {error}"
            raise Forbidden(what, what_to_do=_CURE, store=self._name) from error

    def all_carrying(self) -> Iterator[OutlookItem]:
        """The items that carry any uid. Raises Refused where none can be looked for."""
        try:
            found = list(self._looked(All.CARRYING))
        except Refused:
            found = list(self._looked(All.ITEMS))
        except Unavailable as error:
            if error.throttled:
                raise
            # A server that stumbles over the question alone answers the plain one; one that is away does not.
            found = list(self._looked(All.ITEMS))
        yield from found

    def _looked(self, wanted: Wanted) -> Iterator[OutlookItem]:
        for page in self._pages(wanted):
            found = [item_of(element) for element in page if element.tag == f"{T}CalendarItem"]
            shown = [item for item in found if UID in item.properties]
            bare = [item.id for item in found if UID not in item.properties]
            if shown and wanted is All.ITEMS:
                bare = []  # this server shows our property: those have none
            for item in (*shown, *self._marks(bare)):
                carried = item.properties.get(UID)
                if carried and (isinstance(wanted, All) or carried == wanted):
                    yield item

    def _pages(self, wanted: Wanted) -> Iterator[list[Element]]:
        offset = 0
        while True:
            answer = asked(self._wire, find_items(self._folder, wanted, offset), self._name)
            root = answer.element.find(f"{M}RootFolder")
            holder = None if root is None else root.find(f"{T}Items")
            page = [] if holder is None else list(holder)
            yield page
            offset += len(page)
            if root is None or not page or root.get("IncludesLastItemInRange", "true").lower() == "true":
                return

    def _marks(self, ids: Sequence[str]) -> Iterator[OutlookItem]:
        """Items that a search showed without our property: it may not be what searches show on this server."""
        for begin in range(0, len(ids), _LOOKS):
            for answer in self._wire.call(get_marks(ids[begin : begin + _LOOKS])):
                if answer.ok:
                    yield from (item_of(element) for element in answer.items if element.tag == f"{T}CalendarItem")
                    continue
                error = error_of(answer.code, store=self._name, back_off=answer.back_off)
                if not isinstance(error, NotFound):
                    raise error


def asked(wire: Wire, request: Element, name: str) -> Answered:
    """The one answer to a request. Raises the error that it says, Unavailable where there is none."""
    answers = wire.call(request)
    if not answers:
        raise Unavailable("Exchange answers nothing", store=name, uncertain=False)
    if not answers[0].ok:
        raise error_of(answers[0].code, store=name, back_off=answers[0].back_off)
    return answers[0]
