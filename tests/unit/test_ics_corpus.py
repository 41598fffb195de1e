"""Events as other programs write them: understood, and left alone byte for byte."""

from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.ics.ics_codec import compose, patch, peek_uid, read, split
from adapters.ics.ics_values import clean
from daemon.core.errors import Unreadable
from daemon.core.model import Activity, AllDay, Busy, Field, Key, Privacy, Status, Timed

CORPUS = Path(__file__).parent.parent / "corpus" / "ics"
FILES = sorted(CORPUS.glob("*.ics"))
ZONE = "Europe/Helsinki"
TYPES = ("call", "meeting")
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


def shipped() -> list[Path]:
    found = find_spec("icalendar")
    places = found.submodule_search_locations if found else None
    return sorted(Path(places[0], "tests").rglob("*.ics")) if places else []


def activity(name: str) -> Activity:
    return read((CORPUS / f"{name}.ics").read_bytes(), zone=ZONE, types=TYPES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_patch_that_says_what_is_there_changes_no_byte(path: Path) -> None:
    raw = path.read_bytes()
    view = read(raw, zone=ZONE, types=TYPES).view
    assert patch(raw, view, zone=ZONE, now=NOW, types=TYPES) == raw


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_read_can_be_composed_anew(path: Path) -> None:
    view = read(path.read_bytes(), zone=ZONE, types=TYPES).view
    assert read(compose("u", view, zone=ZONE, now=NOW), zone=ZONE, types=TYPES).view == view


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_uid_is_found_without_reading(path: Path) -> None:
    raw = path.read_bytes()
    assert peek_uid(raw) == read(raw, zone=ZONE).uid


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_any_calendar_is_read_or_refused_in_words(path: Path) -> None:
    raw = path.read_bytes()
    try:
        parts = split(raw)
    except Unreadable:
        return
    for _, part in parts:
        try:
            seen = read(part, zone=ZONE, types=TYPES)
        except Unreadable:
            continue
        assert patch(part, seen.view, zone=ZONE, now=NOW, types=TYPES) == part
        assert all(clean(value) == value for value in seen.view.values() if type(value) is str)


def test_google_shows_its_meeting_link_and_guests() -> None:
    view = activity("google-meet").view
    assert view[Key(Field.MEETING_URL)] == "https://meet.google.com/abc-defg-hij"
    assert view[Key(Field.REMINDERS)] == {timedelta(minutes=10)}
    assert {(guest.email, guest.name, guest.organizer) for guest in activity("google-meet").guests} == {
        ("me@example.com", "", True),
        ("anna@romashka.example", "", False),
    }
    assert Key(Field.DESCRIPTION) not in view


def test_outlook_names_zones_in_its_own_way() -> None:
    view = activity("outlook-windows-zone").view
    assert view[Key(Field.WHEN)] == Timed(datetime(2026, 12, 1, 10), "Europe/Berlin", timedelta(hours=1))
    assert view[Key(Field.REPEAT)] == "FREQ=WEEKLY;UNTIL=20270301;BYDAY=TU"
    assert view[Key(Field.SKIP)] == {date(2026, 12, 8)}
    assert view[Key(Field.BUSY)] is Busy.OOF
    assert view[Key(Field.PRIVATE)] is Privacy.PRIVATE


def test_a_moved_outlook_series_keeps_its_own_name_of_the_zone() -> None:
    raw = (CORPUS / "outlook-windows-zone.ics").read_bytes()
    later = Timed(datetime(2026, 12, 1, 14), "Europe/Berlin", timedelta(hours=1))
    changed = patch(raw, {Key(Field.WHEN): later}, zone=ZONE, now=NOW)
    assert b'DTSTART;TZID="W. Europe Standard Time":20261201T140000' in changed or (
        b"DTSTART;TZID=W. Europe Standard Time:20261201T140000" in changed
    )
    assert b"EXDATE;TZID=W. Europe Standard Time:20261208T140000" in changed
    assert b"TZID:Europe/Berlin" not in changed
    assert b"SEQUENCE:1" in changed


def test_a_new_description_drops_the_formatted_copy_of_the_old_one() -> None:
    raw = (CORPUS / "outlook-windows-zone.ics").read_bytes()
    changed = patch(raw, {Key(Field.DESCRIPTION): "New"}, zone=ZONE, now=NOW)
    assert b"X-ALT-DESC" not in changed
    assert b"DESCRIPTION:New\r\n" in changed


def test_a_zone_that_somebody_made_up_is_recognised_by_what_it_does() -> None:
    when = activity("exchange-custom-zone").view[Key(Field.WHEN)]
    assert isinstance(when, Timed)
    assert when.zone == "America/New_York"


def test_a_guest_without_an_address_stays_on_the_event_unseen() -> None:
    raw = (CORPUS / "exchange-custom-zone.ics").read_bytes()
    assert {guest.email for guest in activity("exchange-custom-zone").guests} == {
        "boss@corp.example",
        "jane@corp.example",
    }
    kept = frozenset(guest for guest in activity("exchange-custom-zone").guests if guest.organizer)
    changed = patch(raw, {Key(Field.ATTENDEES): kept}, zone=ZONE, now=NOW)
    assert b"CN=Ghost:invalid:nomail" in changed
    assert b"Jane" not in changed


def test_floating_times_are_read_in_the_default_zone_and_stay_floating() -> None:
    khal = activity("khal")
    assert khal.floating
    assert khal.view[Key(Field.WHEN)] == Timed(datetime(2026, 11, 26, 9, 30), ZONE, timedelta(minutes=45))
    later = Timed(datetime(2026, 11, 26, 10), ZONE, timedelta(minutes=45))
    changed = patch((CORPUS / "khal.ics").read_bytes(), {Key(Field.WHEN): later}, zone=ZONE, now=NOW)
    assert b"DTSTART:20261126T100000\n" in changed
    assert b"\r" not in changed


def test_a_duration_stays_a_duration() -> None:
    longer = Timed(datetime(2026, 11, 26, 9), "Europe/Berlin", timedelta(hours=2))
    changed = patch((CORPUS / "nextcloud.ics").read_bytes(), {Key(Field.WHEN): longer}, zone=ZONE, now=NOW)
    assert b"DURATION:PT2H\r\n" in changed
    assert b"DTEND" not in changed


def test_the_end_of_an_all_day_event_is_not_its_last_day() -> None:
    assert activity("apple-all-day").view[Key(Field.WHEN)] == AllDay(date(2026, 12, 1), 2)


def test_alarms_that_are_no_reminders_are_kept() -> None:
    raw = (CORPUS / "apple-all-day.ics").read_bytes()
    changed = patch(raw, {Key(Field.REMINDERS): None}, zone=ZONE, now=NOW)
    assert b"X-APPLE-DEFAULT-ALARM:TRUE" in changed
    assert b"TRIGGER:-PT15H" not in changed


def test_overrides_are_read_as_differences() -> None:
    view = activity("thunderbird-series").view
    inst = date(2026, 12, 2)
    assert {key.field for key in view if key.instance} == {Field.SUBJECT, Field.WHEN}
    assert view[Key(Field.SUBJECT, inst)] == "Standup (late)"
    assert view[Key(Field.SKIP)] == {date(2026, 12, 3)}
    assert view[Key(Field.TYPE)] == "meeting"
    assert view[Key(Field.CATEGORIES)] == {"Team, north"}


def test_a_moved_series_takes_its_overrides_and_skips_along() -> None:
    raw = (CORPUS / "thunderbird-series.ics").read_bytes()
    before = read(raw, zone=ZONE, types=TYPES).view
    moved = Timed(datetime(2026, 12, 1, 8), "Europe/Berlin", timedelta(minutes=15))
    changed = patch(raw, {Key(Field.WHEN): moved}, zone=ZONE, now=NOW, types=TYPES)
    assert b"RECURRENCE-ID;TZID=/mozilla.org/20050126_1/Europe/Berlin:20261202T080000" in changed
    assert read(changed, zone=ZONE, types=TYPES).view == {**before, Key(Field.WHEN): moved}


def test_a_cancelled_instance_is_an_override() -> None:
    raw = (CORPUS / "thunderbird-series.ics").read_bytes()
    key = Key(Field.STATUS, date(2026, 12, 7))
    changed = patch(raw, {key: Status.CANCELLED}, zone=ZONE, now=NOW, types=TYPES)
    assert changed.count(b"BEGIN:VEVENT") == 3
    assert read(changed, zone=ZONE, types=TYPES).view[key] is Status.CANCELLED


def test_an_instance_that_says_nothing_of_its_own_any_more_is_no_override() -> None:
    raw = (CORPUS / "thunderbird-series.ics").read_bytes()
    inst = date(2026, 12, 2)
    gone = {Key(Field.SUBJECT, inst): None, Key(Field.WHEN, inst): None}
    changed = patch(raw, gone, zone=ZONE, now=NOW, types=TYPES)
    assert changed.count(b"BEGIN:VEVENT") == 1


def test_an_invitation_to_one_instance_is_an_event() -> None:
    seen = activity("google-instance-only")
    assert seen.view[Key(Field.WHEN)] == Timed(datetime(2026, 12, 14, 8), "UTC", timedelta(minutes=45))
    assert Key(Field.REPEAT) in seen.frozen


def test_the_name_of_a_zone_may_hold_a_comma() -> None:
    when = activity("odd-zones").view[Key(Field.WHEN)]
    assert isinstance(when, Timed)
    assert ZoneInfo(when.zone).utcoffset(when.start) == timedelta(hours=5, minutes=30)
    assert when.length == timedelta(hours=1, minutes=30)
    ((_, part),) = split((CORPUS / "odd-zones.ics").read_bytes())
    assert part.count(b"BEGIN:VTIMEZONE") == 2


def test_a_name_may_hold_quotes_and_line_ends() -> None:
    names = {guest.email: guest.name for guest in activity("nextcloud-rich").guests}
    assert names["bob@cloud.example"] == 'Smith "Bob" Robert Line'
    assert activity("nextcloud-rich").view[Key(Field.MEETING_URL)] == "https://cloud.example/call/abcd"


def test_text_that_is_folded_within_characters_is_whole() -> None:
    seen = activity("folded-within-characters")
    assert seen.uid == "folds"
    assert seen.view[Key(Field.SUBJECT)] == "Ежегодная конференция по учёту 📅 "
    assert {guest.name for guest in seen.guests} == {"Йозеф; 'Jo'", ""}


def test_an_unknown_class_counts_as_private_and_stays_as_it_is() -> None:
    raw = (CORPUS / "outlook-all-day.ics").read_bytes()
    assert activity("outlook-all-day").view[Key(Field.PRIVATE)] is Privacy.PRIVATE
    assert activity("outlook-all-day").view[Key(Field.WHEN)] == AllDay(date(2026, 12, 24), 11)
    assert b"CLASS:X-TEAM-ONLY" in patch(raw, {Key(Field.SUBJECT): "Ferien"}, zone=ZONE, now=NOW)


def test_only_alarms_before_the_start_are_reminders() -> None:
    assert activity("thunderbird-alarms").view[Key(Field.REMINDERS)] == {
        timedelta(minutes=15),
        timedelta(days=1),
        timedelta(hours=2),
    }


def test_an_instance_that_is_named_in_another_zone_is_that_instance() -> None:
    view = activity("google-series-changed").view
    assert {key.instance for key in view if key.instance} == {date(2026, 12, 7)}
    assert view[Key(Field.WHEN, date(2026, 12, 7))] == Timed(
        datetime(2026, 12, 7, 10), "America/New_York", timedelta(minutes=30)
    )


def test_single_added_dates_freeze_the_rule_with_the_reason() -> None:
    assert "RDATE" in activity("frozen-rdate").frozen[Key(Field.REPEAT)]
