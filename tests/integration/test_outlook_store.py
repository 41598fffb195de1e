"""A calendar on Exchange and in Microsoft 365 over real HTTP: accounts, the feed, single events, others, copies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from daemon.core.errors import CursorExpired, Missing, Refused, Unreadable, VersionMismatch
from daemon.core.model import AllDay, Field, Key, Timed
from daemon.core.store import Create, Failed, Gone, Ref, Remove, Seen, Written
from tests.servers.one_order import made, ordered, seen, update
from tests.servers.outlook_services import Cut, Step

SUBJECT, WHEN, BODY = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.DESCRIPTION))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
CALL = {SUBJECT: "Call", WHEN: NINE, Key(Field.TYPE): "call"}


def create(store, more=None):
    return made(store, Create("uid-1", "token-1", CALL | (more or {})))


# --- accounts and calendars


def test_an_account_lists_its_calendars_and_says_which_can_be_written(outlook, account):
    outlook.add_calendar("Team")
    outlook.add_calendar("Holidays", writable=False)
    found = {calendar.name: (calendar.primary, calendar.writable) for calendar in account.calendars()}
    assert found == {"Calendar": (True, True), "Team": (False, True), "Holidays": (False, False)}


def test_a_calendar_is_opened_by_name_id_or_as_primary(outlook, account):
    team = outlook.add_calendar("Team")
    assert account.open("team").identity == account.open(team).identity
    assert account.open("primary").identity == account.open("Calendar").identity != account.open("Team").identity


def test_an_unknown_calendar_is_refused_with_the_names_of_those_that_are_there(account):
    with pytest.raises(Missing, match="'Calendar'"):
        account.open("Nope")


def test_a_calendar_that_is_renamed_stays_the_same_calendar(outlook, account):
    team = outlook.add_calendar("Team")
    store = account.open("Team")
    item = create(store)
    cursor = store.changes(None).cursor
    outlook.rename_calendar(team, "Team 2027")
    assert not store.changes(cursor).items
    assert isinstance(update(store, item, {SUBJECT: "Still here"}), Written)


def test_a_calendar_that_is_deleted_is_missing_and_nothing_in_it_is_called_gone(outlook, account):
    team = outlook.add_calendar("Team")
    store = account.open("Team")
    create(store)
    outlook.drop_calendar(team)
    with pytest.raises(Missing):
        store.changes(None)


def test_a_cursor_of_another_calendar_is_not_believed(outlook, account):
    outlook.add_calendar("Team")
    cursor = account.open("Calendar").changes(None).cursor
    with pytest.raises(CursorExpired):
        account.open("Team").changes(cursor)


# --- the feed


@pytest.mark.parametrize(
    "outlook", ["exchange", "exchange that forgets without a state", "graph", "graph by windows"], indirect=True
)
def test_a_cursor_that_the_service_forgot_has_expired(outlook, store, hand):
    hand.add("one", "One")
    cursor = store.changes(None).cursor
    outlook.forget_cursors()
    with pytest.raises(CursorExpired):
        store.changes(cursor)
    assert len(store.changes(None).items) == 1


def test_a_pass_without_changes_is_one_request(outlook, store):
    cursor = store.changes(None).cursor
    before = len(outlook.server.asked)
    store.changes(cursor)
    assert len(outlook.server.asked) - before == 1


# --- reading


@pytest.mark.parametrize("html", [True, False])
def test_a_text_reads_back_whatever_the_service_wraps_it_in(outlook, store, html):
    outlook.mailbox.knobs.html_bodies = html
    text = "1. Introductions\n2. Scope  of <the> pilot\n\n   indented & so on"
    assert create(store, {BODY: text}).activity.view[BODY] == text


def test_one_item_that_can_not_be_understood_does_not_hide_its_neighbours(outlook, store, hand):
    ids = [hand.add(f"uid-{number}", "Event") for number in range(5)]
    outlook.spoil(ids[2])
    readings = list(store.read(ids))
    assert [type(reading) for reading in readings] == [Seen, Seen, Failed, Seen, Seen]
    assert isinstance(readings[2].error, Unreadable)
    assert readings[2].title == '"Event"'


def test_an_item_that_vanishes_between_the_feed_and_the_reading_is_gone(store, hand):
    item = hand.add("uid", "Event")
    [ref] = store.changes(None).items
    hand.remove(item)
    assert list(store.read([ref.id])) == [Gone(item)]


def test_an_item_that_the_service_refuses_to_give_is_failed_and_not_gone(outlook, store, hand):
    item = hand.add("uid", "Event")
    outlook.refuse_reading()
    [reading] = store.read([item])
    assert isinstance(reading, Failed)


def test_modified_times_are_aware(store):
    assert create(store).activity.modified.tzinfo is UTC


# --- creating


@pytest.mark.parametrize("how", [Cut.LOST_AFTER, Cut.DOWN_AFTER], ids=lambda how: how.name)
def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(outlook, store, how):
    outlook.cut(how, Step.CREATE)
    write = Create("uid-1", "token-1", {SUBJECT: "Once", WHEN: NINE})
    assert ordered(store, write).uncertain
    found = store.find("uid-1", "token-1")
    assert isinstance(found, Seen)
    assert ordered(store, write).ref.id == found.ref.id
    assert len(outlook.kept) == 1


def test_a_subject_that_is_too_long_is_refused_before_it_is_sent(outlook, store):
    view = {SUBJECT: "x" * 256, WHEN: NINE}
    assert "255" in store.refuses(view)
    assert isinstance(ordered(store, Create("u", "t", view)), Refused)
    assert outlook.writes == []


# --- copies


def test_of_an_item_and_its_copy_the_older_one_keeps_the_uid(outlook, store):
    item = create(store)
    copy = seen(store, outlook.copied(item.ref.id))
    assert seen(store, item.ref.id).activity.uid == "uid-1"
    assert copy.activity.uid not in {"uid-1", ""}
    assert copy.activity.view[SUBJECT] == "Call"
    assert store.find("uid-1", "").ref.id == item.ref.id


def test_a_copy_is_known_as_one_by_a_daemon_that_has_just_started(outlook, account):
    store = account.open("primary")
    copy = outlook.copied(create(store).ref.id)
    fresh = account.open("primary")
    assert seen(fresh, copy).activity.uid == seen(store, copy).activity.uid != "uid-1"
    assert fresh.find("uid-1", "").ref.id != copy


# --- updating and deleting

VERSIONS = ["exchange", "graph", "graph that ignores If-Match"]


@pytest.mark.parametrize("outlook", VERSIONS, indirect=True)
def test_an_edit_of_another_client_in_between_is_not_overwritten(store, hand):
    item = create(store)
    hand.retitle(item.ref.id, "Theirs")
    assert isinstance(update(store, item, {SUBJECT: "Ours"}), VersionMismatch)
    assert hand.subject(item.ref.id) == "Theirs"


@pytest.mark.parametrize("outlook", VERSIONS, indirect=True)
def test_the_deletion_of_an_item_that_was_edited_meanwhile_is_refused(store, hand):
    item = create(store)
    hand.retitle(item.ref.id, "Theirs")
    assert isinstance(ordered(store, Remove(item.ref, "t")), VersionMismatch)
    assert hand.subject(item.ref.id) == "Theirs"


def test_a_version_is_needed_to_write(store):
    item = create(store)
    bare = Seen(Ref(item.ref.id), item.activity, item.raw)
    assert isinstance(update(store, bare, {SUBJECT: "x"}), VersionMismatch)


def test_a_deleted_item_goes_to_the_deleted_ones(outlook, store):
    item = create(store)
    assert isinstance(ordered(store, Remove(item.ref, "t")), Written)
    assert [kept.id for kept in outlook.mailbox.trash] == [item.ref.id]


def test_html_that_somebody_made_survives_our_edits_of_other_fields(store, hand):
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
