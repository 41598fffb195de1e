"""Reading events of a Microsoft 365 calendar: in batches, series with their exceptions, bad ones told apart."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.graph.graph_batch import BATCH, send_all
from adapters.graph.graph_client import GraphClient, Json, Request, query, segment
from adapters.graph.graph_errors import Answer, Asked, Meaning, meaning_of, says_what
from adapters.graph.graph_event import (
    OUR_PROPERTIES,
    SELECT,
    Whole,
    exception_ids,
    kind_of,
    more_exceptions,
    tells_occurrences,
    whole_of,
    with_exceptions,
)
from adapters.graph.graph_instances import path_of, resume
from adapters.graph.graph_occurrences import with_occurrences
from adapters.outlook.outlook_copies import Copies
from adapters.outlook.outlook_item import ItemKind
from adapters.outlook.outlook_properties import PENDING
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import (
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    StoreError,
    Unavailable,
    Unreadable,
    VersionMismatch,
)
from daemon.core.store import Failed, Gone, Reading, Ref, Seen

_EVENT = query(select=",".join(SELECT), expand=f"{OUR_PROPERTIES},exceptionOccurrences")
_ALONE = query(select=",".join(name for name in SELECT if name != "cancelledOccurrences"), expand=OUR_PROPERTIES)
# What a cloud answers that does not have a property or an expansion; its codes for that are many.
_UNKNOWN_OPTION = frozenset({400, 501})
# What a service answers that can't say in which calendar an event is.
_NOT_ASKED_SO = frozenset({404, 501})
# What concerns every item alike is raised, not told of one.
_OF_ALL = (Unavailable, SignInNeeded, Missing)

Found = Json | StoreError


def _title(event: Found) -> str:
    """What a report calls an event; nothing of a private one."""
    if isinstance(event, StoreError):
        return ""
    if event.get("sensitivity", "normal") != "normal":
        return "a private event"
    subject = event.get("subject")
    return f'"{subject}"' if isinstance(subject, str) and subject else ""


@dataclass(slots=True)
class Reader:
    """Reads events of one calendar. `moved` holds ids of which the feed said that they left it."""

    client: GraphClient
    calendar: str
    owner: Owner
    copies: Copies
    moved: set[str] = field(default_factory=set)
    names_occurrences: bool = True  # the service tells the exceptions of a series with its master

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """One reading for each id. Raises what concerns all of them, once what could be read is told."""
        for begin in range(0, len(ids), BATCH):
            part = ids[begin : begin + BATCH]
            found = dict(zip(part, self._masters(part), strict=True))
            down: list[StoreError] = []
            yield from self._readings(found, down)
            if down:
                raise down[0]

    def whole(self, item: str) -> Whole:
        """One event with its exceptions. Raises NotFound and other StoreErrors, Unreadable."""
        [event] = self._masters([item])
        if isinstance(event, StoreError):
            raise event
        exceptions = list(self._events(exception_ids(event), _ALONE))
        return self._whole(event, exceptions)

    def changekey(self, item: str) -> Json:
        """What tells the version of an event, its kind and its guests. Raises NotFound."""
        select = query(select="id,changeKey,type,recurrence,isOrganizer,attendees")
        [found] = self._events([item], select)
        if isinstance(found, StoreError):
            raise found
        return found

    def _readings(self, found: Mapping[str, Found], down: list[StoreError]) -> Iterator[Reading]:
        """The exceptions of all series among them are asked for together. What concerns all goes to `down`."""
        wanted = {item: exception_ids(each) for item, each in found.items() if not isinstance(each, StoreError)}
        ids = list(dict.fromkeys(each for exceptions in wanted.values() for each in exceptions))
        exceptions = dict(zip(ids, self._events(ids, _ALONE), strict=True))
        for item, event in found.items():
            try:
                yield self._reading(item, event, [exceptions[each] for each in wanted.get(item, ())])
            except _OF_ALL as error:
                down.append(error)

    def _masters(self, ids: Sequence[str]) -> Iterator[Found]:
        """Events with the ids of their exceptions; from a service that can't tell them, by asking for instances."""
        answers = list(self._answers(ids, _EVENT if self.names_occurrences else _ALONE))
        if self.names_occurrences:
            self._ask_again(ids, answers)
        for each in self._found(ids, answers):
            yield each if isinstance(each, StoreError) else self._with_occurrences(each)

    def _ask_again(self, ids: Sequence[str], answers: list[Answer]) -> None:
        """Put the answers without the options in place of those that do not take them."""
        refused = [number for number, answer in enumerate(answers) if _takes_no_options(answer)]
        again = self._answers([ids[number] for number in refused], _ALONE)
        if not any(answer.ok for answer in answers) and any(answer.ok for answer in again):
            self.names_occurrences = False
        for number, answer in zip(refused, again, strict=True):
            answers[number] = answer

    def _with_occurrences(self, event: Json) -> Found:
        """A master with its exceptions, from its instances where it does not name them all."""
        if kind_of(event) is not ItemKind.MASTER:
            return event
        try:
            if not tells_occurrences(event):
                return with_occurrences(self.client, event, self.owner)
            return with_exceptions(event, self._more_exceptions(event))
        except StoreError as error:
            return error
        except (Unreadable, ValueError):
            return event  # it is told as unreadable where it is read

    def _events(self, ids: Sequence[str], options: str) -> Iterator[Found]:
        return self._found(ids, self._answers(ids, options))

    def _answers(self, ids: Sequence[str], options: str) -> Sequence[Answer]:
        return list(send_all(self.client, [Request("GET", path_of(item) + options) for item in ids]))

    def _found(self, ids: Sequence[str], answers: Sequence[Answer]) -> Iterator[Found]:
        calendar_answers = functools.cache(self._calendar_answers)
        for item, answer in zip(ids, answers, strict=True):
            if answer.ok and answer.body.get("id"):
                yield answer.body
            elif answer.ok:
                yield Unavailable("an event without its id", store=self.client.name, ref=item, uncertain=False)
            elif meaning_of(answer) is Meaning.UNCLEAR:
                yield self._unclear(item, answer, calendar_answers=calendar_answers())
            else:
                yield self.client.error(answer, Request("GET", path_of(item)), asked=Asked.ITEM, ref=item)

    def _calendar_answers(self) -> bool:
        answer = self.client.send(Request("GET", f"/me/calendars/{segment(self.calendar)}{query(select='id')}"))
        return answer.ok and bool(answer.body.get("id"))

    def _unclear(self, item: str, answer: Answer, *, calendar_answers: bool) -> StoreError:
        """What it means that something is not there: gone is only what the feed called so, if the calendar answers."""
        if not calendar_answers:
            return self.client.error(answer, Request("GET", path_of(item)), asked=Asked.ITEM, ref=item)
        what = f"Microsoft 365 answered {answer.status} and does not say that the event is gone"
        if item in self.moved:
            return NotFound(what, store=self.client.name, ref=item)
        return Refused(what, reason=what, store=self.client.name, ref=item)

    def _more_exceptions(self, event: Json) -> Iterator[object]:
        """The further pages of the exceptions that came with their master."""
        link = more_exceptions(event)
        if link:
            request = Request("GET", self.client.path_of(link))
            for page in self.client.pages(request, asked=Asked.ITEM):
                found = page.get("value")
                if not isinstance(found, list):
                    raise Unavailable("a page without exceptions", store=self.client.name, uncertain=False)
                yield from found

    def _reading(self, item: str, event: Found, exceptions: Sequence[Found]) -> Reading:
        try:
            if isinstance(event, StoreError):
                raise event
            if kind_of(event) in {ItemKind.OCCURRENCE, ItemKind.EXCEPTION} or self._left(item):
                return self._gone(item)  # no item of this calendar: it belongs to a series, or to another calendar
            whole = self._whole(event, exceptions)
            if PENDING in whole.series.master.properties:
                resume(self.client, whole, self.owner)
                whole = self.whole(item)
            master = whole.series.master
            activity = whole.activity(self.owner, self.copies.uid_of(master))
            return Seen(Ref(item, whole.series.version), activity, whole.raw)
        except NotFound:
            return self._gone(item)
        except Unreadable as error:
            return Failed(item, error, title=_title(event))
        except _OF_ALL:
            raise
        except StoreError as error:
            return Failed(item, error)
        except (ValueError, TypeError) as error:
            # No text of the error: it may hold what stands in the event.
            odd = Unreadable(f"the event is not as Graph says ({type(error).__name__})", code="odd_event")
            return Failed(item, odd, title=_title(event))

    def _whole(self, event: Json, exceptions: Sequence[Found]) -> Whole:
        for each in exceptions:
            if isinstance(each, NotFound):
                raise VersionMismatch("it changed while it was read", store=self.client.name)
            if isinstance(each, StoreError):
                raise each
        return whole_of(event, [each for each in exceptions if not isinstance(each, StoreError)], self.owner)

    def _gone(self, item: str) -> Gone:
        self.copies.forget([item])
        return Gone(item)

    def _left(self, item: str) -> bool:
        """Whether an event of which the feed said that it is gone is in another calendar now."""
        if item not in self.moved:
            return False
        request = Request("GET", f"{path_of(item)}/calendar{query(select='id')}")
        answer = self.client.send(request)
        if answer.ok:
            there = answer.body.get("id")
            return isinstance(there, str) and there != self.calendar
        error = self.client.error(answer, request, asked=Asked.ITEM)
        if isinstance(error, _OF_ALL) and answer.status not in _NOT_ASKED_SO:
            raise error
        return False


def _takes_no_options(answer: Answer) -> bool:
    return answer.status in _UNKNOWN_OPTION and not says_what(answer)
