"""A calendar on Exchange through real exchangelib over real HTTP: single events, other clients, copies, mail."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from lxml import etree

from adapters.outlook.outlook_properties import PROPERTY_SET, UID
from daemon.core.errors import CursorExpired, Missing, Refused, Unreadable, VersionMismatch
from daemon.core.model import AllDay, Answer, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Gone, Ref, Remove, Seen, Update, Written
from tests.servers.ews_kept import leaf
from tests.servers.ews_schema import T, violations
from tests.servers.ews_server import Trouble, serving
from tests.servers.ews_worlds import ExchangeHand, exchange_account

SUBJECT, WHEN, BODY, GUESTS = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.DESCRIPTION, Field.ATTENDEES))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
PEOPLE = frozenset({Guest("anna@r.example", "Anna"), Guest("oleg@r.example", "Oleg", optional=True)})


@pytest.fixture
def ews():
    """A server that is asked, and answers, by Microsoft's schema."""
    with serving() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def account(ews):
    found = exchange_account(ews)
    yield found
    found.close()


@pytest.fixture
def store(account):
    return account.open("primary")


@pytest.fixture
def hand(ews):
    return ExchangeHand(ews.mailbox, ews.mailbox.default)


def create(store, uid="uid-1", **more):
    view = {SUBJECT: "Call", WHEN: NINE, Key(Field.TYPE): "call"} | more.pop("view", {})
    [(_, outcome)] = store.write([Create(uid, f"token {uid}", view, **more)])
    assert isinstance(outcome, Written), outcome
    return seen(store, outcome.ref.id)


def seen(store, item):
    [reading] = store.read([item])
    assert isinstance(reading, Seen), reading
    return reading


def update(store, item, patch, **more):
    [(_, outcome)] = store.write([Update(item.ref, "t", patch, item.raw, item.activity.view, **more)])
    return outcome


# --- accounts and folders


def test_an_account_lists_its_calendars_and_says_which_can_be_written(ews, account):
    ews.mailbox.add_folder("Team")
    ews.mailbox.add_folder("Holidays", writable=False)
    found = {calendar.name: (calendar.primary, calendar.writable) for calendar in account.calendars()}
    assert found == {"Calendar": (True, True), "Team": (False, True), "Holidays": (False, False)}


def test_a_calendar_is_opened_by_name_id_or_as_primary(ews, account):
    team = ews.mailbox.add_folder("Team")
    assert account.open("team").identity == account.open(team.id).identity
    assert account.open("primary").identity == account.open("Calendar").identity != account.open("Team").identity


def test_an_unknown_calendar_is_refused_with_the_names_of_those_that_are_there(account):
    with pytest.raises(Missing, match="'Calendar'"):
        account.open("Nope")


def test_a_calendar_that_is_renamed_stays_the_same_calendar(ews, account):
    team = ews.mailbox.add_folder("Team")
    store = account.open("Team")
    item = create(store)
    cursor = store.changes(None).cursor
    team.name = "Team 2027"
    assert not store.changes(cursor).items
    assert isinstance(update(store, item, {SUBJECT: "Still here"}), Written)


def test_a_calendar_that_is_deleted_is_missing_and_nothing_in_it_is_called_gone(ews, account):
    team = ews.mailbox.add_folder("Team")
    store = account.open("Team")
    create(store)
    cursor = store.changes(None).cursor
    del ews.mailbox.folders[team.id]
    with pytest.raises(Missing):
        store.changes(cursor)


def test_a_cursor_of_another_calendar_is_not_believed(ews, account):
    ews.mailbox.add_folder("Team")
    cursor = account.open("Calendar").changes(None).cursor
    with pytest.raises(CursorExpired):
        account.open("Team").changes(cursor)


# --- the feed


@pytest.mark.parametrize("with_state", [True, False])
def test_a_sync_state_that_the_server_forgot_is_an_expired_cursor_in_both_shapes(ews, store, hand, with_state):
    hand.add("one", "One")
    cursor = store.changes(None).cursor
    ews.invalidate_sync_states(with_state=with_state)
    with pytest.raises(CursorExpired):
        store.changes(cursor)
    assert len(store.changes(None).items) == 1


def test_a_long_list_of_changes_comes_in_pages_and_each_item_once(ews, store, hand):
    ids = [hand.add(f"uid-{number}", f"Event {number}") for number in range(1100)]
    changes = store.changes(None)
    assert [ref.id for ref in changes.items] == ids[::-1]
    assert ews.operations.count("SyncFolderItems") == 3
    hand.remove(ids[0])
    later = store.changes(changes.cursor)
    assert (list(later.gone), list(later.items)) == ([ids[0]], [])


def test_a_pass_without_changes_is_one_request(ews, store):
    cursor = store.changes(None).cursor
    before = len(ews.asked)
    store.changes(cursor)
    assert len(ews.asked) - before == 1


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


@pytest.mark.parametrize("html", [True, False])
def test_a_text_reads_back_whatever_the_server_wraps_it_in(ews, store, html):
    ews.mailbox.knobs.html_bodies = html
    text = "1. Introductions\n2. Scope  of <the> pilot\n\n   indented & so on"
    assert create(store, view={BODY: text}).activity.view[BODY] == text


@pytest.mark.parametrize("bare", [True, False])
def test_a_series_begins_on_its_day_with_and_without_offsets(ews, store, bare):
    ews.mailbox.knobs.bare_recurrence_dates = bare
    rule = "FREQ=WEEKLY;UNTIL=20261228T070000Z;BYDAY=MO"
    assert create(store, view={Key(Field.REPEAT): rule}).activity.view[Key(Field.REPEAT)] == rule


def test_one_item_that_can_not_be_understood_does_not_hide_its_neighbours(ews, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(5)]
    poisoned = ews.mailbox.item(ids[2])
    poisoned.fields["Recurrence"] = etree.fromstring(
        f'<t:Recurrence xmlns:t="{T}"><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>'
        "<t:NoEndRecurrence><t:StartDate>2030-01-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
    )
    poisoned.fields["StartTimeZone"] = etree.Element(f"{{{T}}}StartTimeZone", Id="tzone://Microsoft/Custom")
    readings = list(store.read(ids))
    assert [type(reading) for reading in readings] == [Seen, Seen, Failed, Seen, Seen]
    assert isinstance(readings[2].error, Unreadable)
    assert readings[2].title == '"Event"'


def test_an_item_that_vanishes_between_the_feed_and_the_reading_is_gone(store, hand):
    item = hand.add("uid", "Event")
    [ref] = store.changes(None).items
    hand.remove(item)
    assert list(store.read([ref.id])) == [Gone(item)]


def test_an_item_that_the_server_refuses_to_give_is_failed_and_not_gone(ews, store, hand):
    item = hand.add("uid", "Event")
    ews.fail(Trouble.ERROR, "GetItem", code="ErrorCorruptData")
    [reading] = store.read([item])
    assert isinstance(reading, Failed)


# --- creating


def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(ews, store):
    ews.fail(Trouble.DROP_AFTER, "CreateItem")
    write = Create("uid-1", "token-1", {SUBJECT: "Once", WHEN: NINE})
    [(_, lost)] = store.write([write])
    assert lost.uncertain
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    [(_, again)] = store.write([write])
    assert again.ref.id == found.ref.id
    assert len(ews.mailbox.items) == 1


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


def test_a_subject_that_is_too_long_is_refused_before_it_is_sent(ews, store):
    view = {SUBJECT: "x" * 256, WHEN: NINE}
    assert "255" in store.refuses(view)
    [(_, outcome)] = store.write([Create("u", "t", view)])
    assert isinstance(outcome, Refused)
    assert "CreateItem" not in ews.operations


# --- copies


def copied(ews, item, *, uid=None):
    """What Outlook does with Ctrl+C, Ctrl+V: all fields, our properties too."""
    original = ews.mailbox.item(item)
    element = etree.Element(f"{{{T}}}CalendarItem")
    element.extend(value for name, value in original.fields.items() if name != "UID")
    copy = ews.mailbox.create(original.folder, element, "SendToNone", "UTC")
    copy.properties = dict(original.properties)
    if uid is not None:
        copy.fields["UID"] = leaf("UID", uid)
    return copy.id


def test_of_an_item_and_its_copy_the_older_one_keeps_the_uid(ews, store):
    item = create(store)
    copy = seen(store, copied(ews, item.ref.id))
    assert seen(store, item.ref.id).activity.uid == "uid-1"
    assert copy.activity.uid not in {"uid-1", ""}
    assert copy.activity.view[SUBJECT] == "Call"


def test_a_copy_is_known_as_one_by_a_daemon_that_has_just_started(ews, account):
    store = account.open("primary")
    copy = copied(ews, create(store).ref.id, uid="uid-1")
    fresh = account.open("primary")
    assert seen(fresh, copy).activity.uid == seen(store, copy).activity.uid != "uid-1"
    assert fresh.find("uid-1", "").ref.id != copy


def test_a_copy_that_is_given_a_uid_of_its_own_is_no_copy_any_more(ews, store):
    copy = seen(store, copied(ews, create(store).ref.id))
    assert isinstance(update(store, copy, {}, uid=copy.activity.uid), Written)
    properties = ews.mailbox.item(copy.ref.id).properties
    assert properties[(PROPERTY_SET, UID)] == copy.activity.uid


def test_when_the_original_is_deleted_the_copy_is_what_is_left(ews, store):
    item = create(store)
    copy = copied(ews, item.ref.id)
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


def test_an_edit_of_another_client_in_between_is_not_overwritten(store, hand):
    item = create(store)
    hand.retitle(item.ref.id, "Theirs")
    assert isinstance(update(store, item, {SUBJECT: "Ours"}), VersionMismatch)
    assert hand.subject(item.ref.id) == "Theirs"


def test_a_server_that_touches_an_item_after_our_write_is_an_echo_with_another_version(ews, store):
    ews.mailbox.knobs.bump_after_write = True
    item = create(store)
    outcome = update(store, item, {SUBJECT: "After"})
    assert seen(store, item.ref.id).ref.version != outcome.ref.version


def test_a_deleted_item_goes_to_the_deleted_ones(ews, store):
    item = create(store)
    list(store.write([Remove(item.ref, "t")]))
    assert [kept.id for kept in ews.mailbox.trash] == [item.ref.id]


def test_the_deletion_of_an_item_that_was_edited_meanwhile_is_refused(store, hand):
    item = create(store)
    hand.retitle(item.ref.id, "Theirs")
    [(_, outcome)] = store.write([Remove(item.ref, "t")])
    assert isinstance(outcome, VersionMismatch)


def test_html_that_somebody_made_survives_our_edits_of_other_fields(ews, store, hand):
    item = seen(store, hand.add("uid", "Event"))
    update(store, item, {SUBJECT: "Edited", WHEN: AllDay(date(2030, 1, 2))})
    assert hand.keeps_unknown(item.ref.id)
    assert seen(store, item.ref.id).activity.view[WHEN] == AllDay(date(2030, 1, 2))


def test_timed_becomes_all_day_and_timed_again(store):
    item = create(store)
    update(store, item, {WHEN: AllDay(date(2026, 12, 1), 2)})
    item = seen(store, item.ref.id)
    assert item.activity.view[WHEN] == AllDay(date(2026, 12, 1), 2)
    update(store, item, {WHEN: NINE})
    assert seen(store, item.ref.id).activity.view[WHEN] == NINE


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


def test_modified_times_are_aware(store):
    assert create(store).activity.modified.tzinfo is UTC


def test_a_version_is_needed_to_write(store):
    item = create(store)
    bare = Seen(Ref(item.ref.id), item.activity, item.raw)
    assert isinstance(update(store, bare, {SUBJECT: "x"}), VersionMismatch)


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
