"""One calendar of an Exchange mailbox behind the store's door."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import get_folder, sync_items
from adapters.exchange.ews_xml import Answered, M, folder_of, item_id_of
from adapters.exchange.exchange_reading import Reader
from adapters.exchange.exchange_search import Search, asked
from adapters.exchange.exchange_wire import Wire
from adapters.exchange.exchange_writing import Writer
from adapters.outlook.outlook_codec import refusal
from adapters.outlook.outlook_copies import Copies
from adapters.outlook.outlook_item import CalendarFolder, OutlookItem
from adapters.outlook.outlook_properties import TOKEN
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import CursorExpired, Missing, SyncError, Unavailable
from daemon.core.model import View
from daemon.core.store import Capabilities, Changes, Outcome, Reading, Ref, Write

READ_BATCH = 10  # Microsoft's advice for GetItem: each costs the server a look into the database

CAPABILITIES = Capabilities(
    in_flight=1,
    read_batch=READ_BATCH,
    max_reminders=1,
    suppresses_mail=True,  # SendToNone: MS-OXWSMTGS R4401, R4500, R6000
    versions_creates=False,  # EWS has no conditional create; ours looks for its own property first
    versions_deletes=True,  # by reading the change key just before
    whole_series=False,
)


class ExchangeStore:
    """A calendar folder over EWS. For one thread at a time: a mailbox is asked one thing at once."""

    def __init__(self, wire: Wire, folder: CalendarFolder, owner: Owner, name: str = "") -> None:
        self._wire, self._folder, self._name = wire, folder, name
        self._last_state = ""
        self._search = Search(wire, folder.target, name)
        self._copies = Copies(self._search.all_carrying)
        self._reader = Reader(wire, owner, self._copies, name)
        self._writer = Writer(wire, folder.target, owner, self._reader, self._search.carrying, name)

    @property
    def capabilities(self) -> Capabilities:
        """What Exchange can hold and do."""
        return CAPABILITIES

    @property
    def identity(self) -> str:
        """The id of the folder: it stays when the folder is renamed or moved within the mailbox."""
        return f"ews:{self._folder.id}"

    def changes(self, cursor: str | None) -> Changes:
        """Ids and change keys of what changed; a sync state belongs to one folder. Raises CursorExpired, Missing.

        Exchange tells an id once, other servers may tell its older states too, in either order: an id of which
        more than one is told comes without a version, so that the item itself is looked at.
        """
        state = "" if cursor is None else self._state(cursor)
        found: dict[str, set[str | None]] = {}
        with self._understood():
            if cursor is None:
                self._is_the_same()
            for element, is_there in self._pages(state):
                item, changekey = item_id_of(element)
                found.setdefault(item, set()).add(changekey if is_there else None)
        gone = [item for item, told in found.items() if told == {None}]
        self._copies.forget(gone)
        return Changes(
            items=[Ref(item, _only(told)) for item, told in found.items() if told != {None}],
            gone=[] if cursor is None else gone,
            cursor=json.dumps({"folder": self._folder.id, "state": self._last_state}),
            complete=cursor is None,
        )

    def read(self, ids: Sequence[str]) -> Iterator[Reading]:
        """Read items in tens; one that can't be read is told apart from its neighbours."""
        for begin in range(0, len(ids), READ_BATCH):
            yield from self._reader.read(ids[begin : begin + READ_BATCH])

    def find(self, uid: str, token: str) -> Reading | None:
        """The item that carries this token, else the oldest that carries the uid."""
        with self._understood():
            carrying = sorted(self._search.sought(uid), key=lambda item: _age(item, token))
        if not carrying:
            return None
        return next(self._reader.read([carrying[0].id]))

    def refuses(self, view: View) -> str:
        """Why Exchange can't hold this; "": it can."""
        return refusal(view)

    def write(self, writes: Sequence[Write]) -> Iterator[tuple[Write, Outcome]]:
        """Carry out writes one after another."""
        for write in writes:
            yield write, self._outcome(write)

    def close(self) -> None:
        """The connection belongs to the account, which closes it."""

    def _outcome(self, write: Write) -> Outcome:
        try:
            with self._understood():
                return self._writer.write(write)
        except SyncError as error:
            return error

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Answers that are not as EWS says are trouble of the server, told without their text."""
        try:
            yield
        except ValueError as error:
            what = f"Exchange's answer is not as EWS says ({type(error).__name__})"
            raise Unavailable(what, store=self._name) from error

    def _state(self, cursor: str) -> str:
        try:
            said = json.loads(cursor)
            folder, state = said["folder"], said["state"]
        except (ValueError, TypeError, KeyError):
            raise CursorExpired("the cursor is not one of Exchange", store=self._name) from None
        if folder != self._folder.id or not isinstance(state, str) or not state:
            raise CursorExpired("the cursor is of another calendar", store=self._name)
        return state

    def _pages(self, state: str) -> Iterator[tuple[Element, bool]]:
        """All changes since `state`: what carries the id, and whether the item is there.

        Afterwards `_last_state` is where they end. Whether somebody has read an item is no change, and what
        is no calendar item (a task, a meeting request that was filed here) is passed over.
        """
        while True:
            answer = self._ask(sync_items(self._folder.target, state))
            after = answer.element.findtext(f"{M}SyncState") or ""
            changes = answer.element.find(f"{M}Changes")
            page = [] if changes is None else list(changes)
            for change in page:
                event = change.find(f"{T}CalendarItem")
                if change.tag == f"{T}Delete":
                    yield change, False
                elif change.tag in {f"{T}Create", f"{T}Update"} and event is not None:
                    yield event, True
            if not after or (answer.element.findtext(f"{M}IncludesLastItemInRange") or "true").lower() == "true":
                self._last_state = after
                return
            if after == state and not page:
                raise Unavailable("Exchange's list of changes does not end", store=self._name, uncertain=False)
            state = after

    def _is_the_same(self) -> None:
        """Raise Missing where the folder of that name is another by now: what it lists would be another calendar."""
        if self._folder.named is None:
            return
        answer = self._ask(get_folder(self._folder.named))
        now = [folder_of(element) for element in answer.element.iterfind(f"{M}Folders/*")]
        if not now or now[0] is None or now[0].id != self._folder.id:
            cure = "look whether it is the right one (`datebook calendars`), then start Datebook anew"
            raise Missing("the mailbox has another calendar than before", what_to_do=cure, store=self._name)

    def _ask(self, request: Element) -> Answered:
        return asked(self._wire, request, self._name)


def _only(told: set[str | None]) -> str:
    """The one version that is told; "" where there are several."""
    [first, *others] = told
    return "" if others or first is None else first


def _age(item: OutlookItem, token: str) -> tuple[bool, str, str]:
    created = "" if item.created is None else item.created.isoformat()
    return item.properties.get(TOKEN) != token, created, item.id
