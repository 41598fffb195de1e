"""What is Microsoft 365's own about a calendar, over real HTTP: both feeds, uids, versions, its limits, guests."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from adapters.graph.graph_account import GraphAccount
from adapters.outlook.outlook_properties import PROPERTY_SET, UID, graph_id
from daemon.core.errors import CursorExpired, Refused
from daemon.core.model import Answer, Field, Guest, Key, Timed
from daemon.core.store import Create, Gone, Remove, Seen, Update, Written
from tests.servers.graph_server import Trouble
from tests.servers.graph_worlds import AGENDA, graph_account, now
from tests.servers.one_order import made, seen, update
from tests.servers.outlook_services import GraphService

SUBJECT, WHEN, BODY, GUESTS = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.DESCRIPTION, Field.ATTENDEES))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
CALL = {SUBJECT: "Call", WHEN: NINE, Key(Field.TYPE): "call"}
PEOPLE = frozenset({Guest("anna@r.example", "Anna"), Guest("oleg@r.example", "Oleg", optional=True)})


@pytest.fixture
def outlook(graph):
    return GraphService(graph)


def create(store, uid="uid-1", view=None, **more):
    return made(store, Create(uid, f"token {uid}", CALL | (view or {}), **more))


# --- accounts and calendars


@pytest.mark.parametrize("ending", ["", "/", "/v1.0", "/v1.0/"])
def test_another_address_is_given_with_or_without_the_version(graph, ending):
    account = GraphAccount(graph.address + ending, lambda: "token", clock=now)
    assert [calendar.name for calendar in account.calendars()] == ["Calendar"]
    account.close()


def test_a_check_tells_of_the_sign_in_the_clock_and_the_rights(graph, account):
    graph.mailbox.add_calendar("Holidays", writable=False)
    findings = {(finding.code, finding.ok) for finding in account.check()}
    assert {("login", True), ("rights", True), ("rights", False)} <= findings
    assert [finding.cure for finding in account.check() if finding.code == "clock" and not finding.ok]


def test_the_primary_calendar_is_found_where_the_list_does_not_mark_it(graph, account):
    default = graph.mailbox.calendars[graph.mailbox.default]
    graph.mailbox.add_calendar("Another")
    default.default = False
    assert account.open("primary").identity == f"graph:{default.id}"


def test_every_request_asks_for_ids_that_last(graph, store):
    item = create(store)
    update(store, item, {SUBJECT: "After"})
    store.changes(store.changes(None).cursor)
    store.find("uid-1", "")
    store.read([item.ref.id, item.ref.id])
    assert all('IdType="ImmutableId"' in each.headers.get("prefer", each.headers.get("Prefer")) for each in graph.asked)


# --- the feed


@pytest.fixture(params=["events/delta", "calendarView/delta"])
def feed(request, graph):
    graph.mailbox.knobs.events_delta = request.param == "events/delta"
    return request.param


def test_the_feed_that_a_probe_chose_is_remembered(graph, store, hand, feed):
    hand.add("one", "One")
    cursor = store.changes(None).cursor
    before = len(graph.asked)
    store.changes(cursor)
    [asked] = graph.asked[before:]
    assert feed in asked.address


@pytest.mark.parametrize(
    ("status", "code"),
    [(410, "resyncRequired"), (410, ""), (400, "SyncStateNotFound"), (400, "ErrorInvalidIdMalformed"), (404, "")],
)
def test_every_way_of_saying_that_a_link_has_expired_is_understood(graph, store, status, code):
    cursor = store.changes(None).cursor
    graph.fail(Trouble.ANSWER, "GET", "delta", status=status, code=code)
    with pytest.raises(CursorExpired):
        store.changes(cursor)


def test_a_long_list_comes_in_pages_and_each_event_once(graph, store, hand, feed):
    graph.mailbox.knobs.duplicates = True
    ids = {hand.add(f"uid-{number}", f"Event {number}") for number in range(450)}
    changes = store.changes(None)
    assert {ref.id for ref in changes.items} == ids
    assert len(changes.items) == 450
    gone = min(ids)
    hand.remove(gone)
    later = store.changes(changes.cursor)
    assert (list(later.gone), list(later.items)) == ([gone], [])


def test_links_that_name_another_host_are_followed_at_our_own(graph, store, hand):
    graph.mailbox.knobs.links_to = "https://graph.microsoft.com"
    for number in range(250):
        hand.add(f"uid-{number}", "Event")
    changes = store.changes(None)
    assert len(changes.items) == 250
    hand.add("late", "Late")
    assert len(store.changes(changes.cursor).items) == 1


def test_an_event_that_is_told_as_there_and_as_gone_in_one_round_is_asked_for(graph, store, hand):
    cursor = store.changes(None).cursor
    item = hand.add("uid", "Event")
    link = json.loads(cursor)["link"]
    answer = {"value": [{"id": item, "changeKey": "x"}, {"id": item, "@removed": {"reason": "deleted"}}]}
    places = store._feed._round(iter([answer | {"@odata.deltaLink": link}]))
    assert places == ({item: ""}, [item], link)


def test_an_event_that_leaves_the_window_is_told_as_gone_and_reads_as_there(graph, store, hand):
    graph.mailbox.knobs.events_delta = False
    item = hand.add("uid", "Event")
    cursor = store.changes(None).cursor
    late = {"timeZone": "UTC", "dateTime": "2040-01-01T09:00:00"}
    graph.mailbox.update(graph.mailbox.event(item), {"start": late, "end": late})
    assert list(store.changes(cursor).gone) == [item]
    assert isinstance(seen(store, item), Seen)


def test_a_window_that_is_old_is_laid_anew_with_a_full_round(graph, hand):
    graph.mailbox.knobs.events_delta = False
    times = [datetime(2026, 11, 24, tzinfo=UTC)]
    account = graph_account(graph, clock=lambda: times[0])
    store = account.open("primary")
    far = {"timeZone": "UTC", "dateTime": "2040-01-01T09:00:00"}
    item = hand.add("uid", "Far away", start=far, end=far)
    changes = store.changes(None)
    assert [ref.id for ref in changes.items] == [item]
    times[0] += timedelta(days=120)
    with pytest.raises(CursorExpired):
        store.changes(changes.cursor)
    account.close()


def test_an_event_that_is_moved_to_another_calendar_is_gone_from_this_one(graph, store, hand):
    item = hand.add("uid", "Event")
    cursor = store.changes(None).cursor
    graph.mailbox.move(graph.mailbox.event(item), graph.mailbox.add_calendar("Team").id)
    assert list(store.changes(cursor).gone) == [item]
    assert list(store.read([item])) == [Gone(item)]


# --- reading


def test_events_are_asked_for_in_twenties_one_batch_at_a_time(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(45)]
    assert len(list(store.read(ids))) == 45
    batches = [each for each in graph.asked if each.address == "/$batch"]
    assert [len(each.body["requests"]) for each in batches] == [20, 20, 5]
    assert graph.most_at_work == 1


# --- creating


def test_our_uid_stands_in_the_property_that_is_used_over_ews_too(graph, store):
    item = create(store, "7f1c2a9e@datebook")
    assert item.activity.uid == "7f1c2a9e@datebook"
    held = graph.mailbox.event(item.ref.id).properties
    assert held[f"string {{{PROPERTY_SET}}} name {UID}"] == "7f1c2a9e@datebook"


def test_an_event_of_others_has_the_uid_that_graph_gives_it(graph, store):
    body = {name: {"dateTime": "2026-11-30T09:00:00", "timeZone": "UTC"} for name in ("start", "end")}
    event = graph.mailbox.create(graph.mailbox.default, body)
    item = seen(store, event.id)
    assert item.activity.uid == event.owned["iCalUId"]
    assert isinstance(update(store, item, {}, uid="ours"), Written)
    assert store.find("ours", "").activity.uid == "ours"


def test_uids_that_differ_in_case_alone_are_told_apart(store):
    create(store, "abc")
    assert store.find("ABC", "") is None
    assert store.find("abc", "").activity.uid == "abc"


def test_a_uid_with_quotes_does_not_break_out_of_the_filter(store):
    uid = "it's ' or ep/value ne 'x"
    assert create(store, uid).activity.uid == uid
    assert store.find(uid, "").activity.uid == uid


def test_no_reminder_is_made_that_nobody_asked_for(graph, store):
    item = create(store)
    assert graph.mailbox.event(item.ref.id).fields["isReminderOn"] is False
    assert Key(Field.REMINDERS) not in item.activity.view


@pytest.mark.parametrize("error", ["TimeZoneNotSupportedException", "ErrorPropertyValidationFailure"])
def test_a_zone_name_that_graph_does_not_take_is_said_in_windows_words(graph, store, error):
    graph.mailbox.knobs.zone_error = error
    graph.mailbox.knobs.iana_names = False
    item = create(store)
    assert item.activity.view[WHEN] == NINE
    assert graph.mailbox.event(item.ref.id).fields["start"]["timeZone"] == "FLE Standard Time"
    before = len(graph.writes)
    create(store, "uid-2")
    assert len(graph.writes) - before == 1


# --- copies


def test_a_service_that_can_not_list_our_events_is_read_all_the_same(graph, account):
    graph.mailbox.knobs.finds_all = False
    assert create(account.open("primary")).activity.uid == "uid-1"


# --- updating and deleting


def test_an_update_names_its_properties_alone_and_the_version_that_it_expects(graph, store):
    item = create(store)
    etag = graph.mailbox.event(item.ref.id).etag
    update(store, item, {SUBJECT: "After"})
    patch = graph.writes[-1]
    assert patch.body == {"subject": "After"}
    assert patch.headers["if-match"] == etag


def test_a_service_that_touches_an_event_after_our_write_is_an_echo_with_another_version(graph, store):
    graph.mailbox.knobs.bump_after_write = True
    item = create(store)
    outcome = update(store, item, {SUBJECT: "After"})
    graph.mailbox.bump(graph.mailbox.event(item.ref.id))
    assert seen(store, item.ref.id).ref.version != outcome.ref.version


def test_a_changed_text_of_html_is_html(graph, store, hand):
    item = seen(store, hand.add("uid", "Event"))
    assert item.activity.view[BODY] == "Another client's agenda"
    update(store, item, {BODY: "Ours & <new>\nsecond"})
    body = graph.mailbox.event(item.ref.id).fields["body"]
    assert body["contentType"] == "html"
    assert "&lt;new&gt;" in body["content"]
    assert seen(store, item.ref.id).activity.view[BODY] == "Ours & <new>\nsecond"


def test_the_way_into_an_online_meeting_is_never_overwritten(graph, store, hand):
    item = hand.add("uid", "Event")
    event = graph.mailbox.event(item)
    event.fields["isOnlineMeeting"] = True
    event.owned["onlineMeeting"] = {"joinUrl": "https://teams.example/1"}
    reading = seen(store, item)
    assert reading.activity.view[Key(Field.MEETING_URL)] == "https://teams.example/1"
    assert reading.activity.frozen.keys() == {Key(Field.DESCRIPTION)}
    assert isinstance(update(store, reading, {BODY: "Ours"}), Refused)
    assert isinstance(update(store, reading, {SUBJECT: "Ours"}), Written)
    assert event.fields["body"]["content"] == AGENDA


def test_two_calendars_of_one_mailbox_share_its_four_places(graph, account):
    graph.mailbox.add_calendar("Team")
    stores = [account.open(name) for name in ("Calendar", "Team")]
    writes = [Create(f"uid-{number}", f"token {number}", {SUBJECT: "x", WHEN: NINE}) for number in range(30)]
    with ThreadPoolExecutor() as pool:
        outcomes = [pool.submit(lambda store=store: list(store.write(writes))) for store in stores]
    assert all(isinstance(outcome, Written) for each in outcomes for _, outcome in each.result())
    assert graph.most_at_work <= 4


def test_no_more_than_four_requests_are_under_way_at_once(graph, store):
    writes = [Create(f"uid-{number}", f"token {number}", {SUBJECT: "x", WHEN: NINE}) for number in range(40)]
    assert all(isinstance(outcome, Written) for _, outcome in store.write(writes))
    assert 1 < graph.most_at_work <= 4


# --- guests and mail


def test_a_new_event_is_written_without_its_guests_unless_mail_is_ordered(graph, store):
    item = create(store, view={GUESTS: PEOPLE})
    assert "attendees" not in graph.writes[-1].body
    assert item.activity.guests == frozenset()
    assert graph.mailbox.outbox == []


def test_with_an_order_guests_are_invited_told_and_cancelled(graph, store):
    item = create(store, view={GUESTS: PEOPLE}, notify=True)
    assert {guest.email for guest in item.activity.guests if guest.optional} == {"oleg@r.example"}
    outcome = update(store, item, {SUBJECT: "Moved"}, notify=True)
    list(store.write([Remove(outcome.ref, "t", notify=True)]))
    assert [mail.kind for mail in graph.mailbox.outbox] == ["invitation", "update", "cancellation"]
    assert all(mail.to == ("anna@r.example", "oleg@r.example") for mail in graph.mailbox.outbox)


def test_an_order_to_mail_does_not_send_guests_that_the_change_does_not_name(graph, store):
    item = create(store, view={GUESTS: PEOPLE}, notify=True)
    update(store, item, {SUBJECT: "Moved"}, notify=True)
    assert graph.writes[-1].body == {"subject": "Moved"}


@pytest.mark.parametrize(
    "patch",
    [{SUBJECT: "x"}, {GUESTS: None}, {Key(Field.SKIP): None}, {Key(Field.REMINDERS): frozenset({timedelta(0)})}, {}],
)
def test_a_meeting_that_we_organise_is_not_touched_without_an_order(graph, store, patch):
    item = create(store, view={GUESTS: PEOPLE}, notify=True)
    graph.mailbox.outbox.clear()
    before = len(graph.writes)
    for write in (
        Update(item.ref, "t", patch, item.raw, item.activity.view, uid="other"),
        Remove(item.ref, "t"),
    ):
        [(_, outcome)] = store.write([write])
        assert isinstance(outcome, Refused)
        assert "mails" in outcome.reason
    assert len(graph.writes) == before
    assert graph.mailbox.outbox == []


def test_a_guests_own_copy_can_be_edited_and_mails_nobody(graph, store):
    item = create(store, view={GUESTS: PEOPLE}, notify=True)
    graph.mailbox.outbox.clear()
    event = graph.mailbox.event(item.ref.id)
    event.owned |= {
        "isOrganizer": False,
        "organizer": {"emailAddress": {"address": "boss@r.example", "name": "Boss"}},
        "responseStatus": {"response": "tentativelyAccepted"},
    }
    me = {"emailAddress": {"address": "Me@corp.example"}, "type": "required", "status": {"response": "none"}}
    event.fields["attendees"].append(me)
    item = seen(store, item.ref.id)
    answers = {guest.email: guest.answer for guest in item.activity.guests}
    assert answers["me@corp.example"] is Answer.TENTATIVE
    assert [guest.email for guest in item.activity.guests if guest.organizer] == ["boss@r.example"]
    assert isinstance(update(store, item, {Key(Field.TYPE): "lunch"}), Written)
    assert graph.mailbox.outbox == []


def test_answers_rooms_and_names_of_guests_stay_when_one_more_is_invited(graph, store):
    item = create(store, view={GUESTS: PEOPLE}, notify=True)
    fields = graph.mailbox.event(item.ref.id).fields
    room = {"emailAddress": {"address": "room5@r.example"}, "type": "resource", "status": {"response": "accepted"}}
    fields["attendees"].append(room)
    fields["attendees"][0]["status"] = {"response": "accepted", "time": "2026-11-20T10:00:00Z"}
    item = seen(store, item.ref.id)
    assert {guest.email for guest in item.activity.guests if not guest.organizer} == {guest.email for guest in PEOPLE}
    patch = {GUESTS: item.activity.view[GUESTS] | {Guest("new@r.example")}}
    assert isinstance(update(store, item, patch, notify=True), Written)
    after = {each["emailAddress"]["address"]: each for each in fields_of(graph, item)["attendees"]}
    assert after["anna@r.example"]["status"] == {"response": "accepted", "time": "2026-11-20T10:00:00Z"}
    assert after["room5@r.example"]["type"] == "resource"
    assert "new@r.example" in after


def fields_of(graph, item):
    return graph.mailbox.event(item.ref.id).fields


def test_our_own_properties_are_read_whatever_the_case_of_their_id(graph, store):
    item = create(store)
    assert graph_id(UID).casefold() in graph.mailbox.event(item.ref.id).properties
    assert seen(store, item.ref.id).activity.uid == "uid-1"
