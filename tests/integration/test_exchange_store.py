"""What is Exchange's own about a calendar, through real exchangelib over real HTTP: requests, uids, copies, mail."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from lxml import etree

from adapters.outlook.outlook_properties import PROPERTY_SET, UID
from daemon.core.errors import Missing
from daemon.core.model import Answer, Field, Guest, Key, Timed
from daemon.core.store import Create, Remove, Written
from tests.servers.ews_kept import leaf
from tests.servers.ews_schema import T, violations
from tests.servers.ews_server import Trouble
from tests.servers.one_order import made, seen, update
from tests.servers.outlook_services import ExchangeService

SUBJECT, WHEN, GUESTS = Key(Field.SUBJECT), Key(Field.WHEN), Key(Field.ATTENDEES)
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
CALL = {SUBJECT: "Call", WHEN: NINE, Key(Field.TYPE): "call"}
PEOPLE = frozenset({Guest("anna@r.example", "Anna"), Guest("oleg@r.example", "Oleg", optional=True)})


@pytest.fixture
def outlook(ews):
    return ExchangeService(ews)


def create(store, uid="uid-1", view=None, **more):
    return made(store, Create(uid, f"token {uid}", CALL | (view or {}), **more))


# --- the feed


def test_a_cursor_of_a_calendar_that_is_deleted_says_that_it_is_missing_and_calls_nothing_gone(outlook, account):
    team = outlook.add_calendar("Team")
    store = account.open("Team")
    create(store)
    cursor = store.changes(None).cursor
    outlook.drop_calendar(team)
    with pytest.raises(Missing):
        store.changes(cursor)


def test_a_long_list_of_changes_comes_in_pages_and_each_item_once(ews, store, hand):
    ids = [hand.add(f"uid-{number}", f"Event {number}") for number in range(1100)]
    changes = store.changes(None)
    assert [ref.id for ref in changes.items] == ids[::-1]
    assert ews.operations.count("SyncFolderItems") == 3
    hand.remove(ids[0])
    later = store.changes(changes.cursor)
    assert (list(later.gone), list(later.items)) == ([ids[0]], [])


def test_what_happened_while_the_daemon_was_away_for_a_day_comes_at_once(store, hand):
    edited, removed = hand.add("edited", "Before"), hand.add("removed", "Going")
    cursor = store.changes(None).cursor
    for number in range(3):
        hand.retitle(edited, f"Edit {number}")
    hand.remove(removed)
    brief = hand.add("brief", "Made and deleted in between")
    hand.remove(brief)
    changes = store.changes(cursor)
    assert [ref.id for ref in changes.items] == [edited]
    assert list(changes.gone) == [removed]


# --- reading


def test_items_are_asked_for_in_tens(ews, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(25)]
    list(store.read(ids))
    assert ews.operations.count("GetItem") == 3


@pytest.mark.parametrize("bare", [True, False])
def test_a_series_begins_on_its_day_with_and_without_offsets(ews, store, bare):
    ews.mailbox.knobs.bare_recurrence_dates = bare
    rule = "FREQ=WEEKLY;UNTIL=20261228T070000Z;BYDAY=MO"
    assert create(store, view={Key(Field.REPEAT): rule}).activity.view[Key(Field.REPEAT)] == rule


# --- creating


def test_a_create_that_the_server_did_and_then_said_503_makes_one_item(ews, store):
    ews.fail(Trouble.UNAVAILABLE_AFTER, "CreateItem")
    write = Create("uid-1", "token-1", {SUBJECT: "Once", WHEN: NINE})
    for _ in range(3):
        [(_, outcome)] = store.write([write])
    assert isinstance(outcome, Written)
    assert len(ews.mailbox.items) == 1


def test_exchange_keeps_the_uid_that_we_give(ews, store):
    item = create(store, "7f1c2a9e@datebook")
    assert item.activity.uid == "7f1c2a9e@datebook"
    assert ews.mailbox.item(item.ref.id).text("UID") == "7f1c2a9e@datebook"


def test_an_incoming_event_gets_our_uid_by_an_update_and_is_found_by_it(store, hand):
    item = seen(store, hand.add("theirs", "Event"))
    assert isinstance(update(store, item, {}, uid="ours"), Written)
    assert store.find("ours", "").activity.uid == "ours"


# --- copies


def test_a_copy_that_carries_the_uid_itself_is_known_as_one_by_a_daemon_that_has_just_started(outlook, account):
    store = account.open("primary")
    copy = outlook.copied(create(store).ref.id)
    outlook.mailbox.item(copy).fields["UID"] = leaf("UID", "uid-1")
    fresh = account.open("primary")
    assert seen(fresh, copy).activity.uid == seen(store, copy).activity.uid != "uid-1"
    assert fresh.find("uid-1", "").ref.id != copy


def test_a_copy_that_is_given_a_uid_of_its_own_is_no_copy_any_more(outlook, ews, store):
    copy = seen(store, outlook.copied(create(store).ref.id))
    assert isinstance(update(store, copy, {}, uid=copy.activity.uid), Written)
    properties = ews.mailbox.item(copy.ref.id).properties
    assert properties[(PROPERTY_SET, UID)] == copy.activity.uid


def test_when_the_original_is_deleted_the_copy_is_what_is_left(outlook, ews, store):
    item = create(store)
    copy = outlook.copied(item.ref.id)
    cursor = store.changes(None).cursor
    seen(store, copy)
    ews.mailbox.delete(ews.mailbox.item(item.ref.id), "SendToNone")
    store.changes(cursor)
    assert seen(store, copy).activity.uid == "uid-1"


# --- updating and deleting


def test_an_update_is_one_request_that_names_its_fields_alone(ews, store):
    item = create(store)
    before = len(ews.asked)
    update(store, item, {SUBJECT: "After"})
    [asked] = ews.asked[before:]
    assert [uri.get("FieldURI") for uri in asked.request.iter(f"{{{T}}}FieldURI")] == ["item:Subject"]
    assert asked.request.get("ConflictResolution") == "NeverOverwrite"


def test_a_server_that_touches_an_item_after_our_write_is_an_echo_with_another_version(ews, store):
    ews.mailbox.knobs.bump_after_write = True
    item = create(store)
    outcome = update(store, item, {SUBJECT: "After"})
    assert seen(store, item.ref.id).ref.version != outcome.ref.version


# --- guests and mail


def everything(store, *, notify):
    """A life of a meeting with guests: made, edited, a guest more, an instance skipped and moved, deleted."""
    item = create(store, view={GUESTS: PEOPLE, Key(Field.REPEAT): "FREQ=WEEKLY;COUNT=5"}, notify=notify)
    monday = date(2026, 12, 7)
    for patch in (
        {SUBJECT: "Edited"},
        {WHEN: Timed(datetime(2026, 11, 30, 10, 0), "Europe/Helsinki", timedelta(hours=1))},
        {GUESTS: PEOPLE | {Guest("new@r.example")}},
        {Key(Field.SUBJECT, monday): "Once"},
        {Key(Field.SKIP): frozenset({date(2026, 12, 14)})},
        {Key(Field.SKIP): None},
    ):
        assert isinstance(update(store, seen(store, item.ref.id), patch, notify=notify), Written), patch
    [(_, outcome)] = store.write([Remove(seen(store, item.ref.id).ref, "t", notify=notify)])
    assert isinstance(outcome, Written)


def test_without_an_order_no_write_ever_mails_anybody(ews, store):
    everything(store, notify=False)
    assert ews.mailbox.outbox == []


def test_with_an_order_guests_are_invited_told_and_cancelled(ews, store):
    everything(store, notify=True)
    kinds = [mail.kind for mail in ews.mailbox.outbox]
    assert kinds[0] == "invitation"
    assert kinds[-1] == "cancellation"
    assert "update" in kinds
    assert all("anna@r.example" in mail.to for mail in ews.mailbox.outbox)


def test_answers_of_guests_are_never_changed_by_our_writes(ews, store):
    item = create(store, view={GUESTS: PEOPLE})
    stored = ews.mailbox.item(item.ref.id)
    for response in stored.fields["RequiredAttendees"].iter(f"{{{T}}}ResponseType"):
        response.text = "Accept"
    ews.mailbox.bump(stored)
    for patch in ({SUBJECT: "Edited"}, {GUESTS: PEOPLE | {Guest("new@r.example", answer=Answer.DECLINED)}}):
        assert isinstance(update(store, seen(store, item.ref.id), patch), Written)
    answers = {guest.email: guest.answer for guest in seen(store, item.ref.id).activity.guests}
    assert answers["anna@r.example"] is Answer.ACCEPTED
    assert answers["new@r.example"] is Answer.NEEDS_ACTION


def test_a_meeting_of_somebody_else_names_its_organiser(ews, store, hand):
    item = hand.add("uid", "Their meeting")
    stored = ews.mailbox.item(item)
    stored.organizer = "boss@corp.example"
    stored.fields["RequiredAttendees"] = etree.fromstring(
        f'<t:RequiredAttendees xmlns:t="{T}"><t:Attendee><t:Mailbox><t:EmailAddress>me@corp.example</t:EmailAddress>'
        "</t:Mailbox></t:Attendee></t:RequiredAttendees>"
    )
    organisers = [guest.email for guest in seen(store, item).activity.guests if guest.organizer]
    assert organisers == ["boss@corp.example"]


# --- the simulator's own honesty


def test_the_simulators_rules_tell_a_wrong_order_and_a_missing_element():
    right = f'<t:Attendee xmlns:t="{T}"><t:Mailbox/><t:ResponseType>Accept</t:ResponseType></t:Attendee>'
    wrong = f'<t:Attendee xmlns:t="{T}"><t:ResponseType>Accept</t:ResponseType><t:Mailbox/></t:Attendee>'
    word = f'<t:CalendarItem xmlns:t="{T}"><t:Sensitivity>Secret</t:Sensitivity></t:CalendarItem>'
    assert violations(etree.fromstring(right)) == []
    assert violations(etree.fromstring(wrong))
    assert violations(etree.fromstring(word))


def test_a_series_that_was_made_is_said_to_be_made_though_the_look_at_its_steps_failed(ews, store):
    moved = Key(Field.SUBJECT, date(2026, 12, 7))
    view = {
        Key(Field.SUBJECT): "Review",
        Key(Field.WHEN): NINE,
        Key(Field.REPEAT): "FREQ=WEEKLY;COUNT=5;BYDAY=MO",
        moved: "Another title",
    }
    ews.fail(Trouble.BUSY, "GetItem")
    [(_, outcome)] = store.write([Create("series-once", "token-once", view)])
    assert isinstance(outcome, Written)
    [again] = store.read([outcome.ref.id])
    assert again.activity.view[moved] == "Another title"
    assert len(ews.mailbox.items) == 1
