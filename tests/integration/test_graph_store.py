"""A calendar in Microsoft 365 over real HTTP: accounts, both feeds, single events, other clients, copies, guests."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.graph.graph_account import GraphAccount
from adapters.outlook.outlook_properties import PROPERTY_SET, UID, graph_id
from daemon.core.errors import CursorExpired, Missing, Refused, Unreadable, VersionMismatch
from daemon.core.model import AllDay, Answer, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Gone, Remove, Seen, Update, Written
from tests.servers.graph_server import Trouble, serving
from tests.servers.graph_worlds import AGENDA, GraphHand, graph_account, now

SUBJECT, WHEN, BODY, GUESTS = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.DESCRIPTION, Field.ATTENDEES))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
PEOPLE = frozenset({Guest("anna@r.example", "Anna"), Guest("oleg@r.example", "Oleg", optional=True)})


@pytest.fixture
def graph():
    with serving() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def account(graph):
    found = graph_account(graph)
    yield found
    found.close()


@pytest.fixture
def store(account):
    return account.open("primary")


@pytest.fixture
def hand(graph):
    return GraphHand(graph.mailbox, graph.mailbox.default)


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


# --- accounts and calendars


@pytest.mark.parametrize("ending", ["", "/", "/v1.0", "/v1.0/"])
def test_another_address_is_given_with_or_without_the_version(graph, ending):
    account = GraphAccount(graph.address + ending, lambda: "token", clock=now)
    assert [calendar.name for calendar in account.calendars()] == ["Calendar"]
    account.close()


def test_an_account_lists_its_calendars_and_says_which_can_be_written(graph, account):
    graph.mailbox.add_calendar("Team")
    graph.mailbox.add_calendar("Holidays", writable=False)
    found = {calendar.name: (calendar.primary, calendar.writable) for calendar in account.calendars()}
    assert found == {"Calendar": (True, True), "Team": (False, True), "Holidays": (False, False)}


def test_a_check_tells_of_the_sign_in_the_clock_and_the_rights(graph, account):
    graph.mailbox.add_calendar("Holidays", writable=False)
    findings = {(finding.code, finding.ok) for finding in account.check()}
    assert {("login", True), ("rights", True), ("rights", False)} <= findings
    assert [finding.cure for finding in account.check() if finding.code == "clock" and not finding.ok]


def test_a_calendar_is_opened_by_name_id_or_as_primary(graph, account):
    team = graph.mailbox.add_calendar("Team")
    assert account.open("team").identity == account.open(team.id).identity
    assert account.open("primary").identity == account.open("Calendar").identity != account.open("Team").identity


def test_the_primary_calendar_is_found_where_the_list_does_not_mark_it(graph, account):
    default = graph.mailbox.calendars[graph.mailbox.default]
    graph.mailbox.add_calendar("Another")
    default.default = False
    assert account.open("primary").identity == f"graph:{default.id}"


def test_an_unknown_calendar_is_refused_with_the_names_of_those_that_are_there(account):
    with pytest.raises(Missing, match="'Calendar'"):
        account.open("Nope")


def test_a_calendar_that_is_deleted_is_missing_and_nothing_in_it_is_called_gone(graph, account):
    team = graph.mailbox.add_calendar("Team")
    store = account.open("Team")
    create(store)
    del graph.mailbox.calendars[team.id]
    with pytest.raises(Missing):
        store.changes(None)


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


def test_a_link_that_the_service_forgot_is_an_expired_cursor(graph, store, hand, feed):
    hand.add("one", "One")
    cursor = store.changes(None).cursor
    graph.expire()
    with pytest.raises(CursorExpired):
        store.changes(cursor)
    assert len(store.changes(None).items) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(410, "resyncRequired"), (410, ""), (400, "SyncStateNotFound"), (400, "ErrorInvalidIdMalformed"), (404, "")],
)
def test_every_way_of_saying_that_a_link_has_expired_is_understood(graph, store, status, code):
    cursor = store.changes(None).cursor
    graph.fail(Trouble.ANSWER, "GET", "delta", status=status, code=code)
    with pytest.raises(CursorExpired):
        store.changes(cursor)


def test_a_cursor_of_another_calendar_is_not_believed(graph, account):
    graph.mailbox.add_calendar("Team")
    cursor = account.open("Calendar").changes(None).cursor
    with pytest.raises(CursorExpired):
        account.open("Team").changes(cursor)


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


def test_a_pass_without_changes_is_one_request(graph, store):
    cursor = store.changes(None).cursor
    before = len(graph.asked)
    store.changes(cursor)
    assert len(graph.asked) - before == 1


# --- reading


def test_events_are_asked_for_in_twenties_one_batch_at_a_time(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(45)]
    assert len(list(store.read(ids))) == 45
    batches = [each for each in graph.asked if each.address == "/$batch"]
    assert [len(each.body["requests"]) for each in batches] == [20, 20, 5]
    assert graph.most_at_work == 1


@pytest.mark.parametrize("html", [True, False])
def test_a_text_reads_back_whatever_the_service_wraps_it_in(graph, store, html):
    graph.mailbox.knobs.html_bodies = html
    text = "1. Introductions\n2. Scope  of <the> pilot\n\n   indented & so on"
    assert create(store, view={BODY: text}).activity.view[BODY] == text


def test_one_event_that_can_not_be_understood_does_not_hide_its_neighbours(graph, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(5)]
    graph.mailbox.event(ids[2]).fields["attendees"] = "nonsense"
    graph.mailbox.event(ids[2]).fields["recurrence"] = {"pattern": {"type": "daily"}, "range": {"startDate": "x"}}
    graph.mailbox.event(ids[2]).owned["iCalUId"] = 5
    readings = list(store.read(ids))
    assert [type(reading) for reading in readings] == [Seen, Seen, Failed, Seen, Seen]
    assert isinstance(readings[2].error, Unreadable)
    assert readings[2].title == '"Event"'


def test_an_event_that_the_service_refuses_to_give_is_failed_and_not_gone(graph, store, hand):
    item = hand.add("uid", "Event")
    graph.fail(Trouble.ANSWER, "GET", "/me/events", status=400, code="ErrorCorruptData")
    [reading] = store.read([item])
    assert isinstance(reading, Failed)


# --- creating


@pytest.mark.parametrize("trouble", [Trouble.DROP_AFTER, Trouble.ANSWER_AFTER])
def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(graph, store, trouble):
    graph.fail(trouble, "POST", status=500)
    write = Create("uid-1", "token-1", {SUBJECT: "Once", WHEN: NINE})
    [(_, lost)] = store.write([write])
    assert lost.uncertain
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    [(_, again)] = store.write([write])
    assert again.ref.id == found.ref.id
    assert len(graph.mailbox.events) == 1


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


def test_a_subject_that_is_too_long_is_refused_before_it_is_sent(graph, store):
    view = {SUBJECT: "x" * 256, WHEN: NINE}
    assert "255" in store.refuses(view)
    [(_, outcome)] = store.write([Create("u", "t", view)])
    assert isinstance(outcome, Refused)
    assert graph.writes == []


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


def copied(graph, item):
    """What Outlook does with Ctrl+C, Ctrl+V: all fields, our properties too."""
    original = graph.mailbox.event(item)
    names = ("subject", "start", "end", "body")
    copy = graph.mailbox.create(original.calendar, {name: original.fields[name] for name in names})
    copy.properties = dict(original.properties)
    return copy.id


def test_of_an_event_and_its_copy_the_older_one_keeps_the_uid(graph, store):
    item = create(store)
    copy = seen(store, copied(graph, item.ref.id))
    assert seen(store, item.ref.id).activity.uid == "uid-1"
    assert copy.activity.uid not in {"uid-1", ""}
    assert store.find("uid-1", "").ref.id == item.ref.id


def test_a_copy_is_known_as_one_by_a_daemon_that_has_just_started(graph, account):
    copy = copied(graph, create(account.open("primary")).ref.id)
    assert seen(account.open("primary"), copy).activity.uid != "uid-1"


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


def test_an_edit_of_another_client_is_not_overwritten_even_where_if_match_is_ignored(graph, store, hand):
    graph.mailbox.knobs.checks_if_match = False
    item = create(store)
    hand.retitle(item.ref.id, "Theirs")
    assert isinstance(update(store, item, {SUBJECT: "Ours"}), VersionMismatch)
    [(_, outcome)] = store.write([Remove(item.ref, "t")])
    assert isinstance(outcome, VersionMismatch)
    assert hand.subject(item.ref.id) == "Theirs"


def test_a_service_that_touches_an_event_after_our_write_is_an_echo_with_another_version(graph, store):
    graph.mailbox.knobs.bump_after_write = True
    item = create(store)
    outcome = update(store, item, {SUBJECT: "After"})
    graph.mailbox.bump(graph.mailbox.event(item.ref.id))
    assert seen(store, item.ref.id).ref.version != outcome.ref.version


def test_html_that_somebody_made_survives_our_edits_of_other_fields(store, hand):
    item = seen(store, hand.add("uid", "Event"))
    update(store, item, {SUBJECT: "Edited", WHEN: AllDay(date(2030, 1, 2))})
    assert hand.keeps_unknown(item.ref.id)
    assert seen(store, item.ref.id).activity.view[WHEN] == AllDay(date(2030, 1, 2))


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


def test_timed_becomes_all_day_and_timed_again(store):
    item = create(store)
    update(store, item, {WHEN: AllDay(date(2026, 12, 1), 2)})
    item = seen(store, item.ref.id)
    assert item.activity.view[WHEN] == AllDay(date(2026, 12, 1), 2)
    update(store, item, {WHEN: NINE})
    assert seen(store, item.ref.id).activity.view[WHEN] == NINE


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
