"""One calendar of an Exchange mailbox behind the store's door."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import find_items, sync_items
from adapters.exchange.ews_xml import Answered, M, item_id_of, item_of
from adapters.exchange.exchange_errors import error_of
from adapters.exchange.exchange_reading import Reader
from adapters.exchange.exchange_wire import Wire
from adapters.exchange.exchange_writing import Writer
from adapters.outlook.outlook_codec import refusal
from adapters.outlook.outlook_copies import Copies
from adapters.outlook.outlook_item import CalendarFolder, FolderTarget, OutlookItem
from adapters.outlook.outlook_properties import TOKEN, UID
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import CursorExpired, SyncError, Unavailable
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
        self._target = FolderTarget(folder.id)
        self._last_state = ""
        self._copies = Copies(lambda: self._carrying(None))
        self._reader = Reader(wire, owner, self._copies, name)
        self._writer = Writer(wire, self._target, owner, self._reader, self._carrying, name)

    @property
    def capabilities(self) -> Capabilities:
        """What Exchange can hold and do."""
        return CAPABILITIES

    @property
    def identity(self) -> str:
        """The id of the folder: it stays when the folder is renamed or moved within the mailbox."""
        return f"ews:{self._folder.id}"

    def changes(self, cursor: str | None) -> Changes:
        """Ids and change keys of what changed; a sync state belongs to one folder. Raises CursorExpired."""
        state = "" if cursor is None else self._state(cursor)
        found: dict[str, str | None] = {}
        with self._understood():
            for element, is_there in self._pages(state):
                item, changekey = item_id_of(element)
                # The newest comes first; an id that was seen is older news.
                found.setdefault(item, changekey if is_there else None)
        gone = [item for item, changekey in found.items() if changekey is None]
        self._copies.forget(gone)
        return Changes(
            items=[Ref(item, changekey) for item, changekey in found.items() if changekey is not None],
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
            carrying = sorted(self._carrying(uid), key=lambda item: _age(item, token))
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

        Afterwards `_last_state` is where they end. Whether somebody has read an item is no change.
        """
        while True:
            answer = self._ask(sync_items(self._target, state))
            after = answer.element.findtext(f"{M}SyncState") or ""
            changes = answer.element.find(f"{M}Changes")
            page = [] if changes is None else list(changes)
            for change in page:
                if change.tag == f"{T}Delete":
                    yield change, False
                elif change.tag in {f"{T}Create", f"{T}Update"}:
                    yield change[0], True
            if not after or (answer.element.findtext(f"{M}IncludesLastItemInRange") or "true").lower() == "true":
                self._last_state = after
                return
            if after == state and not page:
                raise Unavailable("Exchange's list of changes does not end", store=self._name, uncertain=False)
            state = after

    def _carrying(self, uid: str | None) -> Iterator[OutlookItem]:
        """The items that carry this uid in our property (None: any), as a search shows them."""
        offset = 0
        while True:
            answer = self._ask(find_items(self._target, uid, offset))
            root = answer.element.find(f"{M}RootFolder")
            holder = None if root is None else root.find(f"{T}Items")
            page = [] if holder is None else list(holder)
            yield from (found for found in map(item_of, page) if uid is None or found.properties.get(UID) == uid)
            offset += len(page)
            if root is None or not page or root.get("IncludesLastItemInRange", "true").lower() == "true":
                return

    def _ask(self, request: Element) -> Answered:
        answers = self._wire.call(request)
        if not answers:
            raise Unavailable("Exchange answers nothing", store=self._name, uncertain=False)
        if not answers[0].ok:
            raise error_of(answers[0].code, store=self._name, back_off=answers[0].back_off)
        return answers[0]


def _age(item: OutlookItem, token: str) -> tuple[bool, str, str]:
    created = "" if item.created is None else item.created.isoformat()
    return item.properties.get(TOKEN) != token, created, item.id
