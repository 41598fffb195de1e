"""Reading items of an Exchange calendar: in batches, series with their exceptions, bad ones told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import get_items
from adapters.exchange.ews_xml import Answered, item_of, raw_of
from adapters.exchange.exchange_errors import error_of
from adapters.exchange.exchange_resume import resume
from adapters.exchange.exchange_wire import Wire
from adapters.outlook.outlook_copies import Copies
from adapters.outlook.outlook_item import OutlookItem, Series
from adapters.outlook.outlook_properties import PENDING
from adapters.outlook.outlook_view import Owner, activity_of
from daemon.core.errors import (
    Forbidden,
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    StoreError,
    Unavailable,
    Unreadable,
)
from daemon.core.store import Failed, Gone, Reading, Ref, Seen

_BATCH = 10


def _title(event: Element) -> str:
    """What a report calls an event; nothing of a private one."""
    if (event.findtext(f"{T}Sensitivity") or "Normal") != "Normal":
        return "a private event"
    subject = event.findtext(f"{T}Subject")
    return f'"{subject}"' if subject else ""


@dataclass(frozen=True, slots=True)
class Whole:
    """An item with its exceptions, as elements and as values."""

    master: Element
    exceptions: list[Element]
    series: Series

    @property
    def raw(self) -> bytes:
        """As it is kept."""
        return raw_of(self.master, self.exceptions)


@dataclass(slots=True)
class Reader:
    """Reads items of one mailbox."""

    wire: Wire
    owner: Owner
    copies: Copies
    name: str = ""
    _since_2013: bool | None = field(default=None)

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """One reading for each id, in order. Raises what concerns all of them."""
        for item, found in zip(ids, self._elements(ids), strict=True):
            yield self._reading(item, found)

    def whole(self, item: str) -> Whole:
        """One item with its exceptions. Raises NotFound and other StoreErrors, Unreadable."""
        found = next(self._elements([item]))
        if isinstance(found, StoreError):
            raise found
        return self._with_exceptions(found)

    def changekey(self, item: str) -> str:
        """The change key that an item has now. Raises NotFound."""
        [answer] = self.wire.call(get_items([item], whole=False))
        return item_of(self._only(answer, item)).changekey

    def _elements(self, ids: Sequence[str]) -> Iterator[Element | StoreError]:
        """An element or an error for each id; when a whole batch fails, one by one."""
        if not ids:
            return
        try:
            answers = self.wire.call(get_items(ids, since_2013=self._knows_2013()))
        except (Unavailable, SignInNeeded, Forbidden, Missing):
            raise
        except StoreError as error:
            if len(ids) == 1:
                yield error
                return
            for item in ids:
                yield from self._elements([item])
            return
        if len(answers) != len(ids):
            raise Unavailable("Exchange answers fewer items than it was asked for", store=self.name, uncertain=False)
        for item, answer in zip(ids, answers, strict=True):
            try:
                yield self._only(answer, item)
            except StoreError as error:
                yield error

    def _only(self, answer: Answered, item: str) -> Element:
        if not answer.ok:
            raise error_of(answer.code, store=self.name, ref=item, back_off=answer.back_off)
        if not answer.items or answer.items[0].tag != f"{T}CalendarItem":
            reason = "it is no calendar item (a meeting message, a booking)"
            raise Refused("no calendar item", reason=reason, store=self.name, ref=item)
        return answer.items[0]

    def _reading(self, item: str, found: Element | StoreError) -> Reading:
        if isinstance(found, NotFound):
            self.copies.forget([item])
            return Gone(item)
        if isinstance(found, StoreError):
            return Failed(item, found)
        try:
            whole = self._with_exceptions(found)
            if PENDING in whole.series.master.properties:
                resume(self.wire, whole.series, self.owner, self.name)
                whole = self.whole(item)
            return self._seen(whole)
        except NotFound:
            return Failed(item, Unavailable("it changed while it was read", store=self.name, uncertain=False))
        except Unreadable as error:
            return Failed(item, error, title=_title(found))
        except (Unavailable, SignInNeeded, Forbidden, Missing):
            raise
        except StoreError as error:
            return Failed(item, error)
        except (ValueError, LookupError) as error:
            # No text of the error: it may hold what stands in the event.
            odd = Unreadable(f"the event is not as EWS says ({type(error).__name__})", code="odd_event")
            return Failed(item, odd, title=_title(found))

    def _seen(self, whole: Whole) -> Seen:
        master = whole.series.master
        activity = activity_of(whole.series, self.owner, self.copies.uid_of(master))
        return Seen(Ref(master.id, whole.series.version), activity, whole.raw)

    def _with_exceptions(self, element: Element) -> Whole:
        master = item_of(element)
        elements = list(self._exceptions(master))
        return Whole(element, elements, Series(master, tuple(map(item_of, elements))))

    def _exceptions(self, master: OutlookItem) -> Iterator[Element]:
        ids = [known.id for known in master.modified]
        for begin in range(0, len(ids), _BATCH):
            for found in self._elements(ids[begin : begin + _BATCH]):
                if isinstance(found, StoreError):
                    raise found
                yield found

    def _knows_2013(self) -> bool:
        if self._since_2013 is None:
            self._since_2013 = self.wire.knows_2013()
        return self._since_2013
