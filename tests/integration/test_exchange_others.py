"""Servers that speak EWS otherwise than Exchange does: less of it, in another order, or with fewer words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.exchange.exchange_account import ExchangeAccount
from adapters.exchange.exchange_store import ExchangeStore
from adapters.outlook.outlook_properties import PROPERTY_SET, UID
from daemon.core.errors import (
    Forbidden,
    Missing,
    Refused,
    Unavailable,
    Unreadable,
    VersionMismatch,
)
from daemon.core.model import AllDay, Field, Key, Timed
from daemon.core.store import Create, Failed, Gone, Seen, Update, Written
from tests.servers.ews_kept import leaf
from tests.servers.ews_mailbox import Knobs
from tests.servers.ews_operations import OPERATIONS
from tests.servers.ews_schema import T
from tests.servers.ews_server import EwsServer, Trouble
from tests.servers.ews_worlds import ExchangeHand, exchange_account
from tests.servers.one_order import made, ordered, seen
from tests.servers.outlook_services import ExchangeService

SUBJECT, WHEN = Key(Field.SUBJECT), Key(Field.WHEN)
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Moscow", timedelta(hours=1))
WRITE = Create("uid-1", "token-1", {SUBJECT: "Once", WHEN: NINE})


@pytest.fixture
def knobs(ews: EwsServer) -> Knobs:
    return ews.mailbox.knobs


@pytest.fixture
def outlook(ews: EwsServer) -> ExchangeService:
    return ExchangeService(ews)


# --- searching


@pytest.mark.parametrize("stumbles", [False, True])
def test_a_server_that_can_not_be_asked_who_carries_a_uid_takes_edits_and_its_copies_are_known(
    ews: EwsServer, store: ExchangeStore, account: ExchangeAccount, *, stumbles: bool
) -> None:
    ews.mailbox.knobs.restrictions = frozenset({"IsEqualTo"})
    ews.mailbox.knobs.stumbles = stumbles
    item = made(store, WRITE)
    copy = ExchangeService(ews).copied(item.ref.id)
    fresh = account.open("primary")
    assert seen(fresh, copy).activity.uid != "uid-1"
    assert isinstance(ordered(fresh, Update(item.ref, "t", {SUBJECT: "After"}, item.raw)), Written)
    assert seen(fresh, item.ref.id).activity.view[SUBJECT] == "After"


def test_without_searches_items_are_read_and_edited_and_why_nothing_is_made_is_said(
    ews: EwsServer, store: ExchangeStore, hand: ExchangeHand
) -> None:
    theirs = ews.mailbox.item(hand.add("theirs", "Event"))
    theirs.properties[PROPERTY_SET, UID] = "uid-0"
    ews.mailbox.knobs.operations = frozenset(OPERATIONS) - {"FindItem"}
    item = seen(store, theirs.id)
    assert item.activity.uid == "uid-0"
    assert isinstance(ordered(store, Update(item.ref, "t", {SUBJECT: "After"}, item.raw)), Written)
    refused = ordered(store, WRITE)
    assert isinstance(refused, Refused)
    assert "FindItem" in refused.reason
    with pytest.raises(Forbidden) as asked:  # it may have been made: that is no trouble of one item alone
        store.find("uid-1", "token-1")
    assert "FindItem" in asked.value.what_to_do
    assert "CreateItem" not in ews.operations


def test_a_search_that_shows_ids_alone_does_not_make_an_item_twice(ews: EwsServer, store: ExchangeStore) -> None:
    ews.mailbox.knobs.bare_hits = True
    first = made(store, WRITE)
    assert ordered(store, WRITE) == Written(type(first.ref)(first.ref.id))
    assert len(ews.mailbox.items) == 1
    assert store.find("uid-1", "token-1") == first


def test_a_server_that_is_throttled_at_the_search_is_not_asked_again_at_once(
    ews: EwsServer, store: ExchangeStore, account: ExchangeAccount
) -> None:
    item = made(store, WRITE)
    ews.fail(Trouble.THROTTLED, "FindItem")
    before = ews.operations.count("FindItem")
    with pytest.raises(Unavailable):
        list(account.open("primary").read([item.ref.id]))
    assert ews.operations.count("FindItem") == before + 1


# --- folders


def test_the_default_calendar_is_addressed_by_its_name_and_known_by_its_id(
    ews: EwsServer, account: ExchangeAccount
) -> None:
    ews.mailbox.knobs.default_by_name = ews.mailbox.knobs.needs_mailbox = True
    for name in ("primary", "Calendar", ews.mailbox.default):
        store = account.open(name)
        assert store.identity == f"ews:{ews.mailbox.default}"
        item = made(store, WRITE)
        assert [ref.id for ref in store.changes(None).items] == [item.ref.id]
        assert store.find("uid-1", "token-1") == item


def test_an_owner_whose_address_is_not_the_mailboxs_finds_the_calendar_of_the_login(
    ews: EwsServer,
) -> None:
    account = exchange_account(ews, address="alias@elsewhere.example")
    assert account.open("primary").changes(None).complete
    assert [calendar.name for calendar in account.calendars()] == ["Calendar"]


def test_a_default_calendar_that_was_replaced_is_missing_and_nothing_of_the_old_one_is_gone(
    ews: EwsServer, store: ExchangeStore
) -> None:
    made(store, WRITE)
    store.changes(None)
    ews.mailbox.folders[ews.mailbox.default].distinguished = ""
    ews.mailbox.add_folder("Calendar", distinguished="calendar")
    with pytest.raises(Missing):
        store.changes(None)


def test_a_server_that_lists_no_folders_offers_its_default_calendar(ews: EwsServer, account: ExchangeAccount) -> None:
    ews.mailbox.knobs.operations = frozenset(OPERATIONS) - {"FindFolder"}
    assert [(calendar.name, calendar.primary) for calendar in account.calendars()] == [("Calendar", True)]
    assert [(finding.code, finding.ok) for finding in account.check()] == [
        ("login", True),
        ("rights", True),
    ]
    assert account.open("calendar").identity == account.open("primary").identity
    with pytest.raises(Missing, match="'Calendar'"):
        account.open("Team")


def test_the_primary_calendar_is_opened_without_a_list_of_folders(ews: EwsServer, account: ExchangeAccount) -> None:
    account.open("primary")
    assert "FindFolder" not in ews.operations


# --- the feed


def test_a_feed_that_tells_every_state_oldest_first_loses_no_edit_and_no_deletion(
    knobs: Knobs, store: ExchangeStore, hand: ExchangeHand
) -> None:
    knobs.told = "oldest first"
    edited, removed, brief = (
        hand.add("edited", "Before"),
        hand.add("removed", "Going"),
        hand.add("brief", "Brief"),
    )
    cursor = store.changes(None).cursor
    for number in range(3):
        hand.retitle(edited, f"Edit {number}")
    hand.retitle(removed, "Gone soon")
    hand.remove(removed)
    hand.remove(brief)
    changes = store.changes(cursor)
    told = {ref.id for ref in changes.items} | set(changes.gone)
    assert told == {edited, removed, brief}
    assert seen(store, edited).activity.view[SUBJECT] == "Edit 2"
    assert {ref.id: ref.version for ref in changes.items}[edited] == seen(store, edited).ref.version
    [reading] = store.read([removed])
    assert isinstance(reading, Gone)


@pytest.mark.parametrize("keys", ["of each", "none"])
def test_an_item_of_which_no_one_version_is_told_is_looked_at(
    knobs: Knobs, store: ExchangeStore, hand: ExchangeHand, keys: str
) -> None:
    item = hand.add("edited", "Before")
    cursor = store.changes(None).cursor
    knobs.told, knobs.keys_told = "oldest first", keys
    for number in range(3):
        hand.retitle(item, f"Edit {number}")
    assert [(ref.id, ref.version) for ref in store.changes(cursor).items] == [(item, "")]


def test_tasks_meeting_requests_and_what_was_read_are_no_changes_of_a_calendar(
    knobs: Knobs, store: ExchangeStore, hand: ExchangeHand
) -> None:
    knobs.crowded = True
    item = hand.add("uid", "Event")
    changes = store.changes(None)
    assert [ref.id for ref in changes.items] == [item]
    later = store.changes(changes.cursor)
    assert (list(later.items), list(later.gone)) == ([], [])


def test_ids_that_differ_in_case_alone_are_two_items(ews: EwsServer, store: ExchangeStore, hand: ExchangeHand) -> None:
    first, second = (ews.mailbox.item(hand.add(uid, uid)) for uid in ("one", "two"))
    for item, name in ((first, "AAMkAGx="), (second, "AAMKagX=")):
        ews.mailbox.items[name] = ews.mailbox.items.pop(item.id)
        item.id = name
        ews.mailbox.bump(item)
    refs = [ref.id for ref in store.changes(None).items if ref.id.startswith("AAM")]
    assert sorted(refs) == ["AAMKagX=", "AAMkAGx="]
    subjects = [reading.activity.view[SUBJECT] for reading in store.read(sorted(refs)) if isinstance(reading, Seen)]
    assert subjects == ["two", "one"]


@pytest.mark.parametrize(
    "code",
    [
        "ErrorInvalidIdMalformed",
        "ErrorAccessDenied",
        "ErrorFolderNotFound",
        "ErrorMailboxStoreUnavailable",
    ],
)
def test_no_error_but_that_of_a_missing_item_says_that_it_is_gone(
    ews: EwsServer, store: ExchangeStore, hand: ExchangeHand, code: str
) -> None:
    item = hand.add("uid", "Event")
    ews.fail(Trouble.ERROR, "GetItem", code=code)
    [reading] = store.read([item])
    assert isinstance(reading, Failed)
    ews.fail(Trouble.ERROR, "GetItem", code="ErrorItemNotFound")
    assert list(store.read([item])) == [Gone(item)]


def test_an_instance_that_is_gone_says_nothing_of_its_series(ews: EwsServer, store: ExchangeStore) -> None:
    series = made(
        store,
        Create(
            "uid-1",
            "token-1",
            {SUBJECT: "S", WHEN: NINE, Key(Field.REPEAT): "FREQ=WEEKLY"},
        ),
    )
    ews.fail(Trouble.ERROR, "UpdateItem", code="ErrorItemNotFound")
    patch = {Key(Field.SUBJECT, date(2026, 12, 7)): "Once"}
    assert isinstance(ordered(store, Update(series.ref, "t", patch, series.raw)), VersionMismatch)


# --- what items and answers leave out


def test_a_write_that_says_nothing_of_what_it_wrote_may_have_been_carried_out(
    knobs: Knobs, store: ExchangeStore
) -> None:
    knobs.silent_writes = True
    lost = ordered(store, WRITE)
    assert isinstance(lost, Unavailable)
    assert lost.uncertain
    item = store.find("uid-1", "token-1")
    assert isinstance(item, Seen)
    lost = ordered(store, Update(item.ref, "t", {SUBJECT: "After"}, item.raw))
    assert isinstance(lost, Unavailable)
    assert lost.uncertain
    assert seen(store, item.ref.id).activity.view[SUBJECT] == "After"


@pytest.mark.parametrize(("name", "word"), [("DaysOfWeek", "Mittwoch"), ("DayOfWeekIndex", "Fifth")])
def test_a_series_in_words_that_ews_does_not_know_is_set_aside_alone(
    ews: EwsServer, store: ExchangeStore, hand: ExchangeHand, name: str, word: str
) -> None:
    rule = "FREQ=MONTHLY;BYDAY=-1MO;COUNT=5"
    odd = made(
        store,
        Create("odd", "odd", {SUBJECT: "Odd", WHEN: NINE, Key(Field.REPEAT): rule}),
    ).ref.id
    other = hand.add("other", "Event")
    for element in ews.mailbox.item(odd).fields["Recurrence"].iter(f"{{{T}}}{name}"):
        element.text = word
    [failed, fine] = store.read([odd, other])
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Unreadable)
    assert failed.title == '"Odd"'
    assert isinstance(fine, Seen)
    ews.violations[:] = [each for each in ews.violations if word not in each]


def test_an_item_that_is_told_without_a_zone_keeps_the_one_that_was_written(knobs: Knobs, store: ExchangeStore) -> None:
    knobs.zones_told = False
    assert made(store, WRITE).activity.view[WHEN] == NINE


def test_an_item_that_never_had_a_zone_shows_its_instant_in_that_of_the_mailbox(
    knobs: Knobs, store: ExchangeStore, hand: ExchangeHand
) -> None:
    knobs.zones_told = False
    when = seen(store, hand.add("theirs", "Event")).activity.view[WHEN]
    assert when == Timed(datetime(2030, 1, 1, 11, 0), "Europe/Helsinki", timedelta(hours=1))


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Helsinki", "Asia/Tokyo"])
@pytest.mark.parametrize("by_utc", [False, True])
def test_whole_days_that_are_told_without_a_zone_stay_on_their_days(ews: EwsServer, zone: str, *, by_utc: bool) -> None:
    ews.mailbox.knobs.zones_told = False
    whole = AllDay(date(2026, 12, 1), 2)
    store = exchange_account(ews, zone=zone).open("primary")
    item = made(store, Create("uid-1", "token-1", {SUBJECT: "Fair", WHEN: whole}))
    if by_utc:
        for name, day in (("Start", 1), ("End", 3)):
            stored = ews.mailbox.item(item.ref.id)
            stored.fields[name] = leaf(name, f"{datetime(2026, 12, day, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}")
    assert seen(store, item.ref.id).activity.view[WHEN] == whole
