"""Each field of an activity as Exchange holds it: there and back, and what Exchange says by itself."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outlook.outlook_codec import create_fields, instance_fields, patch_fields, patched, refusal
from adapters.outlook.outlook_fields import Unheld
from adapters.outlook.outlook_item import Attendee, Body, Mailbox, Zone
from adapters.outlook.outlook_properties import EXTRA, TOKEN, UID
from adapters.outlook.outlook_view import Owner, item_view
from adapters.outlook.recurrence_pattern import Kind, Pattern, Recurrence
from adapters.outlook.windows_zones import iana_zone, windows_zone
from daemon.core.errors import Unreadable
from daemon.core.fields import equal, normal
from daemon.core.model import (
    AllDay,
    Answer,
    Busy,
    Field,
    Guest,
    Key,
    Priority,
    Privacy,
    Status,
    Timed,
)
from daemon.core.store import Create
from tests.servers.ews_items import ME, kept, shown

SUBJECT, WHEN, REPEAT, SKIP, BODY = (
    Key(name) for name in (Field.SUBJECT, Field.WHEN, Field.REPEAT, Field.SKIP, Field.DESCRIPTION)
)
NINE = Timed(datetime(2026, 11, 30, 9, 0), "Europe/Helsinki", timedelta(hours=1))
PLAIN = {SUBJECT: "Call Romashka", WHEN: NINE, Key(Field.TYPE): "meeting"}


def created(view, **more):
    return create_fields(Create("uid-1", "token-1", PLAIN | view, **more), ME)


def there_and_back(view, **more):
    return shown(kept(created(view, **more)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field.SUBJECT, "Ромашка 🎉 & <friends>"),
        (Field.TYPE, "call"),
        (Field.CATEGORIES, frozenset({"VIP", "Key account"})),
        (Field.WHEN, Timed(datetime(2026, 3, 29, 2, 30), "Europe/Helsinki", timedelta(minutes=45))),
        (Field.WHEN, Timed(datetime(2026, 7, 1, 23, 30), "America/New_York", timedelta(days=2, minutes=5))),
        (Field.WHEN, AllDay(date(2026, 11, 24))),
        (Field.WHEN, AllDay(date(2026, 3, 28), 3)),
        (Field.LOCATION, "Lva Tolstogo 16, room 4.02"),
        (Field.MEETING_URL, "https://meet.example.com/romashka?a=1&b=2"),
        (Field.DESCRIPTION, "1. Introductions\n\n  2. Scope & <dates>"),
        (Field.BUSY, Busy.OOF),
        (Field.BUSY, Busy.ELSEWHERE),
        (Field.BUSY, Busy.TENTATIVE),
        (Field.BUSY, Busy.FREE),
        (Field.PRIVATE, Privacy.PRIVATE),
        (Field.PRIVATE, Privacy.CONFIDENTIAL),
        (Field.PRIORITY, Priority.HIGH),
        (Field.PRIORITY, Priority.LOW),
        (Field.STATUS, Status.TENTATIVE),
        (Field.STATUS, Status.CANCELLED),
        (Field.REMINDERS, frozenset({timedelta(minutes=15)})),
        (Field.REMINDERS, frozenset({timedelta()})),
        (Field.REMINDERS, frozenset({timedelta(days=14)})),
        (Field.REPEAT, "FREQ=WEEKLY;BYDAY=MO"),
        (Field.REPEAT, "FREQ=WEEKLY"),
        (Field.REPEAT, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=5"),
        (Field.REPEAT, "FREQ=DAILY;UNTIL=20261224"),
    ],
)
def test_a_field_comes_back_from_exchange_as_it_was_meant(field, value):
    back = there_and_back({Key(field): value}).view[Key(field)]
    assert normal(Key(field), back) == normal(Key(field), value)


@pytest.mark.parametrize(
    ("field", "value"),
    [(Field.PRIVATE, Privacy.PUBLIC), (Field.PRIORITY, Priority.MEDIUM), (Field.STATUS, Status.CONFIRMED)],
)
def test_a_default_that_was_said_is_no_difference_afterwards(field, value):
    assert there_and_back({Key(field): value}).view.get(Key(field), value) == value


def test_of_several_reminders_the_nearest_to_the_start_is_kept():
    view = there_and_back({Key(Field.REMINDERS): frozenset({timedelta(minutes=15), timedelta(days=1)})}).view
    assert view[Key(Field.REMINDERS)] == frozenset({timedelta(minutes=15)})


def test_an_activity_without_reminders_gets_none_and_one_without_a_title_stays_so():
    view = shown(kept(create_fields(Create("u", "t", {WHEN: NINE}), ME))).view
    assert Key(Field.REMINDERS) not in view
    assert SUBJECT not in view


def test_guests_are_invited_as_unanswered_and_come_back_with_name_and_role():
    guests = frozenset({Guest("anna@r.example", "Anna Petrova"), Guest("oleg@r.example", "Oleg", optional=True)})
    fields = created({Key(Field.ATTENDEES): guests | {Guest("me@corp.example", organizer=True)}})
    assert fields["RequiredAttendees"] == (Attendee(Mailbox("anna@r.example", "Anna Petrova"), "Unknown"),)
    assert shown(kept(fields)).view[Key(Field.ATTENDEES)] == guests


def test_the_answers_of_guests_and_the_organiser_are_read():
    people = (
        "<t:IsMeeting>true</t:IsMeeting><t:MyResponseType>Tentative</t:MyResponseType>"
        "<t:Organizer><t:Mailbox><t:Name>Boss</t:Name><t:EmailAddress>Boss@corp.example</t:EmailAddress></t:Mailbox>"
        "</t:Organizer>"
    )
    required = (
        Attendee(Mailbox("me@corp.example"), "Unknown"),
        Attendee(Mailbox("a@r.example"), "Accept"),
        Attendee(Mailbox("d@r.example"), "Decline"),
        Attendee(Mailbox("n@r.example"), "NoResponseReceived"),
    )
    view = shown(kept({**created({}), "RequiredAttendees": required}, people)).view
    guests = {guest.email: guest for guest in view[Key(Field.ATTENDEES)]}
    assert guests["me@corp.example"].answer is Answer.TENTATIVE
    assert guests["a@r.example"].answer is Answer.ACCEPTED
    assert guests["d@r.example"].answer is Answer.DECLINED
    assert guests["n@r.example"].answer is Answer.NEEDS_ACTION
    assert guests["boss@corp.example"].organizer


def test_an_event_that_nobody_else_is_on_has_no_guests():
    organizer = "<t:Organizer><t:Mailbox><t:EmailAddress>me@corp.example</t:EmailAddress></t:Mailbox></t:Organizer>"
    assert Key(Field.ATTENDEES) not in shown(kept(created({}), organizer)).view


def test_whoever_was_on_the_list_keeps_address_and_answer_when_the_list_changes():
    was = Attendee(Mailbox("A@R.example", "Anna", "EX"), "Accept", "2026-11-01T08:00:00Z")
    item = kept({**created({}), "RequiredAttendees": (was,)})
    after = patched(
        item_view(item, ME), {Key(Field.ATTENDEES): frozenset({Guest("a@r.example"), Guest("b@r.example")})}
    )
    fields = patch_fields(item, after, {Field.ATTENDEES}, ME)
    assert fields["RequiredAttendees"] == (was, Attendee(Mailbox("b@r.example")))
    assert fields["OptionalAttendees"] is None


def test_all_day_ends_are_exclusive_for_us_and_midnights_in_the_zone_for_exchange():
    fields = created({WHEN: AllDay(date(2026, 11, 24), 2)})
    assert (fields["Start"], fields["End"]) == ("2026-11-23T22:00:00Z", "2026-11-25T22:00:00Z")
    assert fields["StartTimeZone"] == Zone("FLE Standard Time")


@pytest.mark.parametrize(
    ("zone_id", "start", "end"),
    [
        ("Tokyo Standard Time", "2026-11-23T15:00:00Z", "2026-11-24T15:00:00Z"),
        ("Pacific Standard Time", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"),
        ("Customized Time Zone", "2026-11-23T15:00:00Z", "2026-11-24T15:00:00Z"),
        ("tzone://Microsoft/Custom", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"),
        ("UTC", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
    ],
)
def test_an_all_day_event_keeps_its_date_whatever_zone_made_it(zone_id, start, end):
    fields = {**created({}), "IsAllDayEvent": "true", "Start": start, "End": end, "StartTimeZone": Zone(zone_id)}
    assert shown(kept(fields)).view[WHEN] == AllDay(date(2026, 11, 24))


@pytest.mark.parametrize("zone", ["Europe/Rome", "Asia/Calcutta", "America/Ciudad_Juarez", "Europe/Kiev", "Etc/GMT-3"])
def test_the_zone_keeps_the_name_that_the_file_gave_it(zone):
    when = Timed(datetime(2026, 7, 1, 10, 0), zone, timedelta(hours=1))
    assert there_and_back({WHEN: when}).view[WHEN] == when


def test_a_zone_that_was_changed_in_outlook_is_believed():
    fields = created({WHEN: Timed(datetime(2026, 7, 1, 10, 0), "Europe/Rome", timedelta(hours=1))})
    when = shown(kept({**fields, "StartTimeZone": Zone("Tokyo Standard Time")})).view[WHEN]
    assert when == Timed(datetime(2026, 7, 1, 17, 0), "Asia/Tokyo", timedelta(hours=1))


def test_every_windows_zone_that_is_shown_is_written_as_itself():
    zones = {windows_zone(name) for name in ("Europe/Kyiv", "Asia/Kolkata", "Asia/Yangon", "America/Nuuk", "UTC")}
    assert all(zone and windows_zone(iana_zone(zone) or "") == zone for zone in zones)


def test_a_single_event_in_an_unknown_zone_is_the_same_instant_in_the_users_zone():
    fields = {**created({WHEN: Timed(datetime(2026, 7, 1, 10, 0), "UTC", timedelta(hours=1))})}
    when = shown(kept({**fields, "StartTimeZone": Zone("Customized Time Zone")})).view[WHEN]
    assert when == Timed(datetime(2026, 7, 1, 13, 0), "Europe/Helsinki", timedelta(hours=1))


def test_a_series_in_an_unknown_zone_is_not_guessed_at():
    fields = {**created({REPEAT: "FREQ=DAILY"}), "StartTimeZone": Zone("tzone://Microsoft/Custom")}
    with pytest.raises(Unreadable, match="time zone"):
        shown(kept(fields))


def test_floating_times_are_told_apart_and_stand_in_the_users_zone():
    activity = there_and_back({}, floating=True)
    assert activity.floating
    assert activity.view[WHEN] == NINE


def test_html_stays_as_it_is_unless_its_text_changes():
    item = kept({**created({}), "Body": Body("<p>Agenda: <b>prices</b></p>", is_html=True)})
    view = item_view(item, ME)
    assert view[BODY] == "Agenda: prices"
    assert "Body" not in patch_fields(item, view, {Field.DESCRIPTION}, ME)
    changed = patch_fields(item, patched(view, {BODY: "Agenda: dates\n& prices"}), {Field.DESCRIPTION}, ME)
    assert changed["Body"].is_html
    assert shown(kept({**created({}), "Body": changed["Body"]})).view[BODY] == "Agenda: dates\n& prices"
    assert patch_fields(item, patched(view, {BODY: None}), {Field.DESCRIPTION}, ME)["Body"] is None


def test_a_patch_sets_the_fields_of_its_keys_and_no_other():
    item = kept(created({Key(Field.LOCATION): "Room 5", BODY: "text"}))
    after = patched(item_view(item, ME), {Key(Field.LOCATION): None})
    assert patch_fields(item, after, {Field.LOCATION}, ME) == {"Location": None}


def test_a_new_start_of_a_series_moves_the_range_of_its_recurrence_too():
    item = kept(created({REPEAT: "FREQ=WEEKLY;BYDAY=MO"}))
    later = Timed(datetime(2026, 12, 7, 9, 0), "Europe/Helsinki", timedelta(hours=1))
    fields = patch_fields(item, patched(item_view(item, ME), {WHEN: later}), {Field.WHEN}, ME)
    assert fields["Recurrence"].first == date(2026, 12, 7)


def test_a_category_that_outlook_puts_first_does_not_change_the_type():
    fields = created({Key(Field.TYPE): "call", Key(Field.CATEGORIES): frozenset({"VIP"})})
    view = shown(kept({**fields, "Categories": ("VIP", "Red category", "call")})).view
    assert view[Key(Field.TYPE)] == "call"
    assert view[Key(Field.CATEGORIES)] == frozenset({"VIP", "Red category"})


def test_the_first_category_of_a_foreign_event_is_its_type():
    fields = {name: value for name, value in created({}).items() if name not in {UID, TOKEN, EXTRA}}
    view = shown(kept({**fields, "Categories": ("Lunch", "Red category")})).view
    assert (view[Key(Field.TYPE)], view[Key(Field.CATEGORIES)]) == ("Lunch", frozenset({"Red category"}))


def test_a_meeting_that_its_organiser_cancelled_is_cancelled_whatever_we_wrote():
    activity = shown(kept(created({Key(Field.STATUS): Status.TENTATIVE}), "<t:IsCancelled>true</t:IsCancelled>"))
    assert activity.view[Key(Field.STATUS)] is Status.CANCELLED
    assert not activity.frozen


def test_the_address_of_an_online_meeting_is_the_servers_unless_the_file_named_another():
    url = "<t:JoinOnlineMeetingUrl>https://join.corp.example/1</t:JoinOnlineMeetingUrl>"
    activity = shown(kept(created({}), url))
    assert activity.view[Key(Field.MEETING_URL)] == "https://join.corp.example/1"
    assert not activity.frozen
    own = created({Key(Field.MEETING_URL): "https://meet.example.com/1"})
    assert shown(kept(own, url)).view[Key(Field.MEETING_URL)] == "https://meet.example.com/1"


def test_the_uid_is_ours_where_we_gave_one_else_exchanges():
    fields = created({})
    assert shown(kept(fields)).uid == "uid-1"
    assert (
        shown(kept({**{name: value for name, value in fields.items() if name != UID}, "UID": "theirs"})).uid == "theirs"
    )


def test_what_another_program_wrote_into_our_property_is_no_error():
    for text in ("", "nonsense", "[]", '{"zone": 5, "skip": "x", "status": "odd", "floating": "yes"}'):
        assert shown(kept({**created({}), EXTRA: text})).view[WHEN] == NINE


def test_control_characters_that_xml_has_no_word_for_are_left_out():
    assert there_and_back({SUBJECT: "a\x0bb", Key(Field.LOCATION): "c\x00d"}).view[SUBJECT] == "ab"


@pytest.mark.parametrize("bare", ["2026-11-30", "2026-11-30+02:00", "2026-11-30Z", "2026-11-30-08:00"])
def test_the_first_day_of_a_series_is_the_same_with_any_offset_and_with_none(bare):
    item = kept(created({}), "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
                f"<t:NoEndRecurrence><t:StartDate>{bare}</t:StartDate></t:NoEndRecurrence></t:Recurrence>",
                kind="RecurringMaster")  # fmt: skip
    assert item.recurrence is not None
    assert item.recurrence.first == date(2026, 11, 30)


# --- series


WEDNESDAYS = Pattern(Kind.WEEKLY, days=("WE",), first_day="MO")


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (NINE, replace(NINE, start=datetime(2026, 12, 2, 9, 0))),
        (AllDay(date(2026, 11, 30), 2), AllDay(date(2026, 12, 2), 2)),
    ],
)
def test_a_series_whose_pattern_begins_after_the_start_begins_with_its_first_instance(start, first):
    recurrence = Recurrence(WEDNESDAYS, date(2026, 11, 30), count=4)
    view = shown(kept(created({WHEN: start}) | {"Recurrence": recurrence})).view
    assert view[WHEN] == first
    assert equal(REPEAT, view[REPEAT], "FREQ=WEEKLY;BYDAY=WE;COUNT=4")


def test_a_series_whose_days_are_those_of_another_zone_keeps_its_start():
    recurrence = Recurrence(WEDNESDAYS, date(2026, 12, 1), count=4)
    assert shown(kept(created({}) | {"Recurrence": recurrence})).view[WHEN] == NINE


WEEKLY = {REPEAT: "FREQ=WEEKLY;BYDAY=MO;COUNT=10", Key(Field.LOCATION): "Room 5"}
SECOND = date(2026, 12, 7)


def an_exception(wanted, master):
    view = PLAIN | WEEKLY | wanted
    fields = instance_fields(view, SECOND, wanted, master, None, ME)
    own = {**created({Key(Field.LOCATION): "Room 5"}), "Start": "2026-12-07T07:00:00Z", "End": "2026-12-07T08:00:00Z"}
    merged = {name: value for name, value in {**own, **fields}.items() if value is not None}
    return kept(merged, "<t:OriginalStart>2026-12-07T07:00:00Z</t:OriginalStart>", kind="Exception")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field.SUBJECT, "Half-year"),
        (Field.WHEN, Timed(datetime(2026, 12, 8, 11, 0), "Europe/Helsinki", timedelta(hours=2))),
        (Field.LOCATION, "Elsewhere"),
        (Field.LOCATION, ""),
        (Field.DESCRIPTION, "Only this week"),
        (Field.BUSY, Busy.FREE),
        (Field.REMINDERS, frozenset({timedelta(minutes=5)})),
        (Field.PRIORITY, Priority.HIGH),
        (Field.MEETING_URL, "https://meet.example.com/once"),
    ],
)
def test_an_instance_says_only_what_differs_in_it(field, value):
    master = kept(created(WEEKLY))
    activity = shown(master, an_exception({Key(field, SECOND): value}, master))
    differing = {key: said for key, said in activity.view.items() if key.instance is not None}
    assert differing == {Key(field, SECOND): value}


def test_deleted_instances_are_skipped_days_of_the_series():
    start = "<t:Start>2026-12-14T07:00:00Z</t:Start>"
    deleted = f"<t:DeletedOccurrences><t:DeletedOccurrence>{start}</t:DeletedOccurrence></t:DeletedOccurrences>"
    assert shown(kept(created(WEEKLY), deleted)).view[SKIP] == frozenset({date(2026, 12, 14)})


def test_a_skipped_day_that_is_no_instance_is_remembered_all_the_same():
    view = there_and_back(WEEKLY | {SKIP: frozenset({date(2026, 12, 25)})}).view
    assert view[SKIP] == frozenset({date(2026, 12, 25)})


# --- what can't be held


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ({SUBJECT: "x" * 256}, "255"),
        ({WHEN: Timed(datetime(2026, 1, 1, 9), "localtime", timedelta(hours=1))}, "localtime"),
        ({REPEAT: "FREQ=HOURLY"}, "hours"),
        ({REPEAT: "FREQ=WEEKLY;BYDAY=TU"}, "begins on a day"),
        (WEEKLY | {Key(Field.SUBJECT, date(2026, 12, 8)): "x"}, "2026-12-08"),
        (WEEKLY | {Key(Field.WHEN, SECOND): AllDay(date(2026, 12, 14))}, "pass its neighbour"),
        (WEEKLY | {Key(Field.WHEN, SECOND): AllDay(date(2026, 11, 29))}, "pass its neighbour"),
    ],
)
def test_what_exchange_can_not_hold_is_refused_with_the_reason(view, words):
    assert words in refusal(PLAIN | view)
    with pytest.raises(Unheld, match=words):
        created(view)


def test_what_exchange_can_hold_is_not_refused():
    moved = Timed(datetime(2026, 12, 10, 9, 0), "Europe/Helsinki", timedelta(hours=1))
    assert refusal(PLAIN | WEEKLY | {Key(Field.WHEN, SECOND): moved, SKIP: frozenset({date(2026, 12, 14)})}) == ""


_texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)
_whens = st.one_of(
    st.builds(AllDay, st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(1, 40)),
    st.builds(
        Timed,
        st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(
            lambda moment: moment.replace(second=0, microsecond=0)
        ),
        st.sampled_from(["Europe/Helsinki", "Europe/Rome", "America/New_York", "Asia/Kolkata", "UTC", "Asia/Tokyo"]),
        st.integers(0, 5000).map(lambda minutes: timedelta(minutes=minutes)),
    ),
)


@given(_texts, _texts, _whens, st.tuples(st.sampled_from(Busy), st.sampled_from(Privacy), st.sampled_from(Priority)))
def test_any_view_reads_back_as_equal(subject, location, when, words):
    view = {SUBJECT: subject, Key(Field.LOCATION): location, WHEN: _real(when)}
    view |= dict(zip((Key(Field.BUSY), Key(Field.PRIVATE), Key(Field.PRIORITY)), words, strict=True))
    back = there_and_back(view).view
    defaults = {Key(Field.PRIVATE): Privacy.PUBLIC, Key(Field.PRIORITY): Priority.MEDIUM}
    assert all(equal(key, back.get(key, defaults.get(key)), value) for key, value in view.items())


def _real(when):
    """A wall-clock time that its zone leaves out (in spring) is another one on the way back."""
    if isinstance(when, Timed):
        from datetime import UTC
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(when.zone)
        start = when.start.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
        return Timed(start, when.zone, when.length)
    return when


def test_the_zone_of_the_mailbox_is_that_of_whole_days():
    for zone, days in product(["Asia/Tokyo", "America/New_York", "Europe/Helsinki"], [1, 3]):
        owner = Owner("me@corp.example", zone)
        fields = create_fields(Create("u", "t", {SUBJECT: "x", WHEN: AllDay(date(2026, 3, 28), days)}), owner)
        assert shown(kept(fields), owner=owner).view[WHEN] == AllDay(date(2026, 3, 28), days)
