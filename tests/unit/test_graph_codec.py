"""Every field of an activity, there and back over Graph: what is sent, and what is read of what Graph then shows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.graph.graph_codec import Change, event_json, new_event
from adapters.graph.graph_event import OUR_PROPERTIES, SELECT, etag_of, item_of, mails_somebody, moment_of, whole_of
from adapters.outlook.outlook_codec import create_fields, patch_fields, patched
from adapters.outlook.outlook_fields import Unheld
from adapters.outlook.outlook_properties import EXTRA, PROPERTY_SET, graph_id
from adapters.outlook.outlook_view import Owner
from adapters.outlook.recurrence_pattern import GRAPH
from daemon.core.errors import Unreadable
from daemon.core.fields import equal
from daemon.core.model import AllDay, Answer, Busy, Field, Guest, Key, Priority, Privacy, Status, Timed
from daemon.core.store import Create
from tests.servers.graph_answers import event_json as shown_by_graph
from tests.servers.graph_answers import options_of
from tests.servers.graph_mailbox import Mailbox

SUBJECT, WHEN, BODY, REPEAT = (Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.DESCRIPTION, Field.REPEAT))
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
ME = Owner("me@corp.example", "Europe/Helsinki", GRAPH)
PLAIN = {SUBJECT: "Call", WHEN: NINE}
ASKED = {"$select": ",".join(SELECT), "$expand": OUR_PROPERTIES}


def sent(view, *, guests=False, **more):
    fields = create_fields(Create("uid-1", "token-1", PLAIN | view, **more), ME)
    return new_event(fields, "transaction", guests=guests)


def shown(posted, **change):
    """The event as Graph shows it after this was posted."""
    mailbox = Mailbox()
    event = mailbox.create(mailbox.default, posted)
    event.fields |= {name: value for name, value in change.items() if name in event.fields}
    event.owned |= {name: value for name, value in change.items() if name not in event.fields}
    return shown_by_graph(mailbox, event, options_of(ASKED, ""))


def read(event, owner=ME):
    return whole_of(event, [], owner).activity(owner)


def there_and_back(view, **more):
    return read(shown(sent(view, **more))).view


@pytest.mark.parametrize(
    ("field", "value", "property_", "said"),
    [
        (Field.SUBJECT, "Звонок & <b>", "subject", "Звонок & <b>"),
        (Field.LOCATION, "Room 5", "location", {"displayName": "Room 5"}),
        (Field.DESCRIPTION, "One\n  two", "body", {"contentType": "text", "content": "One\n  two"}),
        (Field.BUSY, Busy.FREE, "showAs", "free"),
        (Field.BUSY, Busy.BUSY, "showAs", "busy"),
        (Field.BUSY, Busy.TENTATIVE, "showAs", "tentative"),
        (Field.BUSY, Busy.OOF, "showAs", "oof"),
        (Field.BUSY, Busy.ELSEWHERE, "showAs", "workingElsewhere"),
        (Field.PRIVATE, Privacy.PRIVATE, "sensitivity", "private"),
        (Field.PRIVATE, Privacy.CONFIDENTIAL, "sensitivity", "confidential"),
        (Field.PRIORITY, Priority.HIGH, "importance", "high"),
        (Field.PRIORITY, Priority.LOW, "importance", "low"),
        (Field.REMINDERS, frozenset({timedelta(minutes=45)}), "reminderMinutesBeforeStart", 45),
        (Field.TYPE, "call", "categories", ["call"]),
        (Field.WHEN, AllDay(date(2026, 12, 1), 3), "isAllDay", True),
        (Field.WHEN, NINE, "start", {"dateTime": "2026-11-30T09:00:00", "timeZone": "Europe/Helsinki"}),
        (Field.WHEN, NINE, "end", {"dateTime": "2026-11-30T10:00:00", "timeZone": "Europe/Helsinki"}),
        (Field.STATUS, Status.TENTATIVE, "showAs", "busy"),
        (Field.MEETING_URL, "https://meet.example.com/x", "isReminderOn", False),
    ],
)
def test_a_field_has_its_property_and_reads_back(field, value, property_, said):
    body = sent({Key(field): value})
    assert body[property_] == said
    assert read(shown(body)).view[Key(field)] == value


def test_what_a_view_does_not_say_is_left_to_graph_save_reminder_and_showing():
    body = sent({})
    assert set(body) == {
        *("subject", "start", "end", "isAllDay", "isReminderOn", "showAs", "transactionId"),
        "singleValueExtendedProperties",
    }
    assert body["isReminderOn"] is False
    assert sent({WHEN: AllDay(date(2026, 12, 1))})["showAs"] == "free"


def test_private_medium_and_confirmed_read_as_the_defaults_that_they_are():
    view = read(shown(sent({}), sensitivity="personal", importance="normal")).view
    assert view[Key(Field.PRIVATE)] is Privacy.PRIVATE
    assert Key(Field.PRIORITY) not in view
    assert Key(Field.STATUS) not in view


def test_the_end_of_whole_days_is_the_midnight_after_them():
    body = sent({WHEN: AllDay(date(2026, 3, 28), 2)})
    assert (body["start"]["dateTime"], body["end"]["dateTime"]) == ("2026-03-28T00:00:00", "2026-03-30T00:00:00")
    assert body["start"]["timeZone"] == body["end"]["timeZone"]


@pytest.mark.parametrize("mine", ["Asia/Tokyo", "America/New_York", "Europe/Helsinki"])
@pytest.mark.parametrize("theirs", ["UTC", "Pacific Standard Time", "Asia/Kolkata", "tzone://Microsoft/Custom", ""])
def test_whole_days_are_the_same_in_every_zone(mine, theirs):
    owner = Owner("me@corp.example", mine, GRAPH)
    event = shown(sent({WHEN: AllDay(date(2026, 3, 28), 2)})) | {"originalStartTimeZone": theirs}
    assert read(event, owner).view[WHEN] == AllDay(date(2026, 3, 28), 2)


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "Europe/Rome", "Asia/Calcutta", "America/Ciudad_Juarez"])
def test_the_name_of_a_zone_is_never_replaced_by_a_round_trip(zone):
    when = Timed(datetime(2026, 7, 1, 10, 0), zone, timedelta(hours=1))
    try:
        event = shown(sent({WHEN: when}))
    except Unheld:
        pytest.skip("Windows has no name for it")
    windows = event | {"originalStartTimeZone": item_of(event, ME).zone_id}
    assert read(event).view[WHEN] == when
    assert read(windows).view[WHEN] == when


def test_the_zone_that_we_wrote_counts_where_graph_does_not_tell_one():
    when = Timed(datetime(2026, 7, 1, 10, 0), "America/New_York", timedelta(hours=1))
    event = shown(sent({WHEN: when})) | {"originalStartTimeZone": None}
    assert read(event).view[WHEN] == when


def test_a_zone_that_somebody_chose_in_outlook_is_believed():
    event = shown(sent({})) | {"originalStartTimeZone": "Tokyo Standard Time"}
    assert read(event).view[WHEN] == Timed(datetime(2026, 11, 30, 16, 0), "Asia/Tokyo", timedelta(hours=1))


def test_a_single_event_in_an_unknown_zone_is_the_same_instant_in_the_users_zone():
    event = shown(sent({})) | {"originalStartTimeZone": "tzone://Microsoft/Custom"}
    assert read(event).view[WHEN] == NINE


def test_a_series_in_an_unknown_zone_is_not_guessed_at():
    event = shown(sent({REPEAT: "FREQ=DAILY"})) | {"originalStartTimeZone": "tzone://Microsoft/Custom"}
    event["recurrence"]["range"]["recurrenceTimeZone"] = "Customized Time Zone"
    with pytest.raises(Unreadable, match="time zone"):
        read(event)


def test_the_second_of_two_hours_that_the_clocks_show_alike_is_said_in_utc():
    body = sent({WHEN: Timed(datetime(2026, 10, 25, 3, 30), "Europe/Helsinki", timedelta(hours=1))})
    assert body["start"] == {"dateTime": "2026-10-25T03:30:00", "timeZone": "Europe/Helsinki"}
    assert body["end"] == {"dateTime": "2026-10-25T01:30:00", "timeZone": "UTC"}
    assert read(shown(body)).view[WHEN].length == timedelta(hours=1)


def test_times_with_seven_digits_and_with_an_offset_are_understood():
    assert moment_of("2026-11-20T08:00:01.1234567Z") == moment_of("2026-11-20T10:00:01+02:00")
    assert moment_of("") is None


def test_floating_times_are_told_apart_and_stand_in_the_users_zone():
    activity = read(shown(sent({}, floating=True)))
    assert activity.floating
    assert activity.view[WHEN] == NINE


def test_html_stays_as_it_is_unless_its_text_changes():
    event = shown(sent({}), body={"contentType": "html", "content": "<p>Agenda: <b>prices</b></p>"})
    item, view = item_of(event, ME), read(event).view
    assert view[BODY] == "Agenda: prices"
    assert "Body" not in patch_fields(item, view, {Field.DESCRIPTION}, ME)
    fields = patch_fields(item, patched(view, {BODY: "Agenda: dates"}), {Field.DESCRIPTION}, ME)
    assert event_json(Change(fields, item, event))["body"]["contentType"] == "html"
    fields = patch_fields(item, patched(view, {BODY: None}), {Field.DESCRIPTION}, ME)
    assert event_json(Change(fields, item, event))["body"] == {"contentType": "text", "content": ""}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (Field.LOCATION, {"location": {"displayName": ""}}),
        (Field.SUBJECT, {"subject": ""}),
        (Field.REMINDERS, {"isReminderOn": False}),
        (Field.PRIVATE, {"sensitivity": "normal"}),
        (Field.PRIORITY, {"importance": "normal"}),
        (Field.BUSY, {"showAs": "busy"}),
        (Field.REPEAT, {"recurrence": None}),
    ],
)
def test_a_cleared_key_clears_its_property_and_no_other(key, said):
    full = {
        Key(Field.LOCATION): "Room 5", Key(Field.REMINDERS): frozenset({timedelta(minutes=5)}),
        Key(Field.PRIVATE): Privacy.PRIVATE, Key(Field.PRIORITY): Priority.HIGH, Key(Field.BUSY): Busy.OOF,
        REPEAT: "FREQ=DAILY",
    }  # fmt: skip
    event = shown(sent(full))
    item, view = item_of(event, ME), read(event).view
    fields = patch_fields(item, patched(view, {Key(key): None}), {key}, ME)
    assert event_json(Change(fields, item, event)) == said


def test_guests_are_sent_only_where_they_may_be():
    people = frozenset({Guest("anna@r.example", "Anna"), Guest("oleg@r.example", optional=True)})
    assert "attendees" not in sent({Key(Field.ATTENDEES): people})
    body = sent({Key(Field.ATTENDEES): people}, guests=True)
    assert [(each["emailAddress"]["address"], each["type"]) for each in body["attendees"]] == [
        ("anna@r.example", "required"),
        ("oleg@r.example", "optional"),
    ]
    event = shown(body)
    me = {"emailAddress": {"address": "Me@corp.example"}}
    assert mails_somebody(event, ME)
    assert mails_somebody(event | {"attendees": [me, {"emailAddress": None}]}, ME)
    assert not mails_somebody(event | {"isOrganizer": False}, ME)
    assert not mails_somebody(event | {"attendees": []}, ME)
    assert not mails_somebody(event | {"attendees": [me]}, ME)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("none", Answer.NEEDS_ACTION), ("notResponded", Answer.NEEDS_ACTION), ("accepted", Answer.ACCEPTED),
        ("declined", Answer.DECLINED), ("tentativelyAccepted", Answer.TENTATIVE), ("organizer", Answer.ACCEPTED),
    ],
)  # fmt: skip
def test_every_answer_of_a_guest_is_understood(response, answer):
    guest = {"emailAddress": {"address": "Anna@r.example", "name": "Anna"}, "status": {"response": response}}
    view = read(shown(sent({}), attendees=[{**guest, "type": "required"}])).view
    assert Guest("anna@r.example", "Anna", answer=answer) in view[Key(Field.ATTENDEES)]
    assert Guest("me@corp.example", "Me", answer=Answer.ACCEPTED, organizer=True) in view[Key(Field.ATTENDEES)]


def test_a_room_is_no_guest():
    room = {"emailAddress": {"address": "room@r.example"}, "type": "resource", "status": {}}
    assert Key(Field.ATTENDEES) not in read(shown(sent({}), attendees=[room])).view


def test_a_meeting_that_its_organiser_cancelled_is_cancelled():
    activity = read(shown(sent({}), isCancelled=True))
    assert activity.view[Key(Field.STATUS)] is Status.CANCELLED
    assert not activity.frozen


def test_a_category_that_outlook_puts_first_does_not_change_the_type():
    body = sent({Key(Field.TYPE): "call", Key(Field.CATEGORIES): frozenset({"VIP"})})
    view = read(shown(body, categories=["VIP", "Red category", "call"])).view
    assert view[Key(Field.TYPE)] == "call"
    assert view[Key(Field.CATEGORIES)] == frozenset({"VIP", "Red category"})


def test_our_properties_have_the_names_that_they_have_over_ews():
    body = sent({}, floating=True)
    ids = {each["id"]: each["value"] for each in body["singleValueExtendedProperties"]}
    assert ids[f"String {{{PROPERTY_SET}}} Name datebook-uid"] == "uid-1"
    assert set(ids) == {f"String {{{PROPERTY_SET}}} Name datebook-{name}" for name in ("uid", "token", "extra")}


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"zone": 5, "skip": "x", "status": "odd", "floating": "yes"}'])
def test_what_another_program_wrote_into_our_property_is_no_error(text):
    event = shown(sent({}))
    event["singleValueExtendedProperties"] = [{"id": graph_id(EXTRA), "value": text}]
    assert read(event).view[WHEN] == NINE


def test_the_version_is_the_change_key_with_which_the_etag_agrees():
    event = shown(sent({}))
    assert etag_of(event) == f'W/"{event["changeKey"]}"'
    assert item_of({"@odata.etag": event["@odata.etag"]} | {"id": "x"}, ME).changekey == event["changeKey"]


def test_an_event_with_hardly_anything_in_it_is_told_as_unreadable():
    with pytest.raises(Unreadable):
        read({"id": "x"})


# HTML has a use of its own for these: they read back as plain spaces, or not at all.
_FOLDED = "\u00a0\u200b\u200c\u200d\ufeff"
_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=_FOLDED), max_size=40
)
_whens = st.one_of(
    st.builds(AllDay, st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(1, 40)),
    st.builds(
        Timed,
        st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(
            lambda at: at.replace(hour=12, second=0, microsecond=0)
        ),
        st.sampled_from(["Europe/Helsinki", "Europe/Rome", "America/New_York", "Asia/Kolkata", "UTC", "Asia/Tokyo"]),
        st.integers(0, 5000).map(lambda minutes: timedelta(minutes=minutes)),
    ),
)


@given(_texts, _texts, _whens, st.tuples(st.sampled_from(Busy), st.sampled_from(Privacy), st.sampled_from(Priority)))
def test_any_view_reads_back_as_equal(subject, text, when, words):
    view = {SUBJECT: subject, BODY: text, WHEN: when}
    view |= dict(zip((Key(Field.BUSY), Key(Field.PRIVATE), Key(Field.PRIORITY)), words, strict=True))
    back = there_and_back(view)
    defaults = {Key(Field.PRIVATE): Privacy.PUBLIC, Key(Field.PRIORITY): Priority.MEDIUM}
    assert all(equal(key, back.get(key, defaults.get(key)), value) for key, value in view.items())
