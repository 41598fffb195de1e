"""A store and a Google calendar kept in step, with Google's manners: the commands against the persona."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.google_answers import Mail, Manners
from tests.servers.google_bodies import Rewriting
from tests.servers.google_person import GooglePerson, event
from tests.servers.google_persona import GooglePersona
from tests.servers.null_dav import Answer, Request

CALL = "subject: Call {who}\ntype: call\ndue_date: 2027-11-24\ndue_time: 10:30\n"
WEEKLY = "subject: Weekly\ndue_date: 2027-11-24\ndue_time: 10:30\nrepeat: FREQ=WEEKLY;COUNT=6\n"
GUESTS = "ORGANIZER:mailto:me@example.com\nATTENDEE;CN=Anna:mailto:anna@customer.example\n"


@pytest.fixture
def persona() -> Iterator[GooglePersona]:
    with GooglePersona() as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, persona: GooglePersona) -> GooglePerson:
    return GooglePerson(tmp_path / "me", persona)


def uid_in(text: str) -> str:
    found = re.search(r"^uid: (.*)$", text, re.MULTILINE)
    assert found, text
    return found.group(1)


def held_lines(text: str, *names: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(names)]


def test_edits_travel_both_ways_and_then_nothing_is_written(person, persona):
    person.write("anna.yaml", CALL.format(who="Anna"))
    person.sync()
    uid = uid_in(person.read("anna.yaml"))
    assert "SUMMARY:Call Anna" in person.events()[uid]
    person.in_web(uid, "Call Anna", "Call Anna Petrova")
    person.edit("anna.yaml", "10:30", "11:30")
    person.sync()
    assert "subject: Call Anna Petrova" in person.read("anna.yaml")
    assert "T113000" in person.events()[uid]
    puts = [method for method, _ in persona.log].count("PUT")
    before = person.read("anna.yaml")
    person.sync()
    person.sync()
    assert [method for method, _ in persona.log].count("PUT") == puts
    assert person.read("anna.yaml") == before


def test_two_edits_within_one_second_are_both_seen(tmp_path):
    moment = datetime.now(UTC)
    with GooglePersona(clock=lambda: moment) as persona:
        person = GooglePerson(tmp_path / "me", persona)
        person.write("anna.yaml", CALL.format(who="Anna"))
        person.sync()
        person.sync()
        uid = uid_in(person.read("anna.yaml"))
        for name in ("Berta", "Clara"):
            person.in_web(uid, re.search("SUMMARY:.*", person.events()[uid]).group(), f"SUMMARY:{name}")
            person.sync()
            assert f"subject: {name}" in person.read("anna.yaml")
        person.in_web(uid, "SUMMARY:Clara", "SUMMARY:Dora")
        person.edit("anna.yaml", "10:30", "12:30")
        person.sync()
        assert "subject: Dora" in person.read("anna.yaml")
        assert "SUMMARY:Dora" in person.events()[uid]
        assert "T123000" in person.events()[uid]


def test_an_event_that_is_deleted_in_the_web_goes_to_the_trash_and_a_removed_file_deletes_its_event(person, persona):
    for who in ("Anna", "Berta"):
        person.write(f"{who}.yaml", CALL.format(who=who))
    person.sync()
    persona.web_delete(uid_in(person.read("Anna.yaml")))
    (person.store / "Berta.yaml").unlink()
    person.sync()
    assert person.files() == []
    assert person.events() == {}
    assert [path.name for path in (person.store / ".datebook" / "trash").rglob("*Anna*")]
    person.sync()
    assert person.files() == []


def test_the_uid_of_a_deleted_event_is_replaced_where_google_does_not_take_it_again(person, persona):
    persona.manners = replace(persona.manners, spent_uid=409)
    person.write("anna.yaml", CALL.format(who="Anna") + "uid: anna-1\n")
    person.sync()
    persona.web_delete("anna-1")
    person.edit("anna.yaml", "10:30", "11:30")
    person.sync()
    assert list(person.events()) == ["anna-1.datebook-2"]
    assert uid_in(person.read("anna.yaml")) == "anna-1"
    person.in_web("anna-1.datebook-2", "SUMMARY:Call Anna", "SUMMARY:Call Berta")
    person.sync()
    assert "subject: Call Berta" in person.read("anna.yaml")
    assert len(person.files()) == 1


def test_with_a_lost_journal_the_replaced_uid_still_finds_its_file(person, persona):
    persona.manners = replace(persona.manners, spent_uid=403)
    persona.primary.spent.add("anna-1")
    person.write("anna.yaml", CALL.format(who="Anna") + "uid: anna-1\n")
    person.sync()
    for journal in (person.root / "state").glob("journal.db*"):
        journal.unlink()
    person.run("sync")
    assert person.files() == ["anna.yaml"]
    assert list(person.events()) == ["anna-1.datebook-2"]


def test_an_event_that_stands_at_a_name_already_is_not_replaced(person, persona):
    person.sync()
    persona.web(event("Theirs", uid="anna-1", start="20280101T100000", end="20280101T110000"))
    persona.primary.untold.add("anna-1.ics")
    person.write("anna.yaml", CALL.format(who="Anna") + "uid: anna-1\n")
    person.run("sync")
    assert "SUMMARY:Theirs" in person.events()["anna-1"]


# Series ----------------------------------------------------------------------------------------------


def test_a_series_with_exceptions_made_in_the_web_is_one_file(person, persona):
    override = (
        "BEGIN:VEVENT\nDTSTART;TZID=Europe/Helsinki:20280112T150000\nDTEND;TZID=Europe/Helsinki:20280112T160000\n"
        "DTSTAMP:20261101T000000Z\nUID:weekly-1@google.com\nRECURRENCE-ID;TZID=Europe/Helsinki:20280112T100000\n"
        "SUMMARY:Weekly\\, later\nEND:VEVENT\n"
    )
    cancelled = override.replace("20280112", "20280119").replace("SUMMARY:", "STATUS:CANCELLED\nSUMMARY:")
    more = "RRULE:FREQ=WEEKLY;COUNT=6;BYDAY=WE\nEXDATE;TZID=Europe/Helsinki:20280126T100000\n"
    persona.web(
        event(
            "Weekly",
            uid="weekly-1@google.com",
            start="20280105T100000",
            end="20280105T110000",
            more=more,
            after=override + cancelled,
        )
    )
    person.sync()
    [path] = person.files()
    text = person.read(path)
    assert "repeat: " in text
    assert "2028-01-26" in text
    assert "Weekly, later" in text
    assert "15:00" in text
    assert "2028-01-19" in text
    person.edit(path, "subject: Weekly\n", "subject: Weekly review\n")
    person.sync()
    body = person.events()["weekly-1@google.com"]
    assert "SUMMARY:Weekly review" in body
    assert "SUMMARY:Weekly\\, later" in body
    assert body.count("STATUS:CANCELLED") == 1
    assert "EXDATE;TZID=Europe/Helsinki:20280126T100000" in body


OVERRIDE = (
    "BEGIN:VEVENT\nUID:weekly-1\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID;TZID=Europe/Helsinki:{day}T103000\n"
    "DTSTART;TZID=Europe/Helsinki:{day}T{hour}3000\nDTEND;TZID=Europe/Helsinki:{day}T{hour}4500\nSUMMARY:{title}\n"
    "{more}END:VEVENT\n"
)


def test_what_is_done_in_the_web_to_single_days_of_a_series_comes_into_its_one_file(person, persona):
    person.write("weekly.yaml", WEEKLY + "uid: weekly-1\n")
    person.sync()
    moved = OVERRIDE.format(day="20271201", hour="15", title="Weekly at three", more="")
    cancelled = OVERRIDE.format(day="20271208", hour="10", title="Weekly", more="STATUS:CANCELLED\n")
    person.in_web("weekly-1", "END:VCALENDAR", f"{moved}{cancelled}END:VCALENDAR")
    person.sync()
    text = person.read("weekly.yaml")
    assert "Weekly at three" in text
    assert "2027-12-08" in text
    deleted = "EXDATE;TZID=Europe/Helsinki:20271215T103000\n"
    person.in_web("weekly-1", "RRULE:FREQ=WEEKLY", f"{deleted}RRULE:FREQ=WEEKLY")
    person.sync()
    assert "2027-12-15" in person.read("weekly.yaml")
    assert person.files() == ["weekly.yaml"]
    person.edit("weekly.yaml", "subject: Weekly\n", "subject: Weekly review\n")
    person.sync()
    body = person.events()["weekly-1"]
    for kept in ("SUMMARY:Weekly at three", "EXDATE;TZID=Europe/Helsinki:20271215T103000", "SUMMARY:Weekly review"):
        assert kept in body
    days = len(re.findall("RECURRENCE-ID", body)) + len(re.findall("EXDATE", body))
    assert days == 3
    before = person.read("weekly.yaml")
    person.sync()
    assert person.read("weekly.yaml") == before


def test_a_single_day_of_somebody_elses_series_is_one_file(person, persona):
    lone = OVERRIDE.format(day="20271201", hour="15", title="Only this day", more="").replace("weekly-1", "theirs-1")
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\n{lone}END:VCALENDAR\n"
    persona.web(text.replace("\n", "\r\n").encode())
    person.sync()
    [path] = person.files()
    assert "Only this day" in person.read(path)
    person.sync()
    assert person.files() == [path]
    assert list(person.events()) == ["theirs-1"]


def test_a_series_that_is_split_in_the_web_is_two_series_and_doubles_no_day(person, persona):
    person.write("weekly.yaml", WEEKLY)
    person.sync()
    uid = uid_in(person.read("weekly.yaml"))
    person.in_web(uid, "COUNT=6", "UNTIL=20271214T215959Z")
    later = event(
        "Weekly, new room",
        uid=f"{uid}_R20271215T083000",
        start="20271215T103000",
        end="20271215T113000",
        more="RRULE:FREQ=WEEKLY;COUNT=3\n",
    )
    persona.web(later)
    person.sync()
    assert len(person.files()) == 2
    assert "UNTIL=2027121" in person.read("weekly.yaml")
    person.sync()
    assert len(person.events()) == 2


def test_a_series_that_the_web_has_given_a_higher_sequence_is_edited_from_the_file_all_the_same(tmp_path):
    moment = datetime.now(UTC)
    with GooglePersona(clock=lambda: moment) as persona:  # all within one second: the ETag tells nothing
        person = GooglePerson(tmp_path / "me", persona)
        person.write("weekly.yaml", WEEKLY + "uid: weekly-1\n")
        person.sync()
        person.in_web("weekly-1", "SEQUENCE:0", "SEQUENCE:7")
        person.edit("weekly.yaml", "subject: Weekly", "subject: Weekly review")
        person.sync()
        assert "SUMMARY:Weekly review" in person.events()["weekly-1"]
        assert int(re.search(r"SEQUENCE:(\d+)", person.events()["weekly-1"])[1]) >= 7


def test_a_409_for_a_series_is_tried_once_more_and_goes_through(person, persona):
    person.write("weekly.yaml", WEEKLY + "uid: weekly-1\n")
    person.sync()
    person.sync()
    persona.primary.conflicts["weekly-1"] = 1
    person.edit("weekly.yaml", "10:30", "11:00")
    person.sync()
    assert "T110000" in person.events()["weekly-1"]


def test_a_409_that_stays_sets_the_series_aside_and_the_rest_goes_on(person, persona):
    person.write("weekly.yaml", WEEKLY + "uid: weekly-1\n")
    person.sync()
    person.sync()
    persona.primary.conflicts["weekly-1"] = 1000
    person.edit("weekly.yaml", "10:30", "11:00")
    person.write("anna.yaml", CALL.format(who="Anna"))
    before = len(persona.bodies)
    person.sync(3)
    assert len(persona.bodies) - before <= 3
    assert "T103000" in person.events()["weekly-1"]
    assert len(person.events()) == 2
    assert "DELETE" not in [method for method, _ in persona.log]
    [problem] = [one for one in person.status()["problems"] if one.get("file") == "weekly.yaml"]
    assert "409" in problem["message"]
    assert "11:00" in person.read("weekly.yaml")


# Trouble ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["bare", "json", "429", "gdata"])
def test_a_rate_limit_in_any_form_is_waited_out_and_nothing_is_lost(person, persona, form):
    person.write("anna.yaml", CALL.format(who="Anna"))
    person.sync()
    person.sync()
    person.edit("anna.yaml", "10:30", "11:30")
    persona.limit(form, times=50)
    assert person.run("sync").code == 1
    persona.limits.clear()
    person.sync()
    assert len(person.events()) == 1
    assert "T113000" in next(iter(person.events().values()))


def test_a_limit_of_writes_alone_is_known_by_the_second_refusal(person, persona):
    person.sync()
    for number in range(6):
        person.write(f"call-{number}.yaml", CALL.format(who=number))
    persona.limit("bare", times=100, method="PUT")
    assert person.run("sync").code == 1
    assert len(persona.bodies) == 0
    puts = [method for method, _ in persona.log].count("PUT")
    assert puts <= 12
    persona.limits.clear()
    person.run("sync")
    assert len(person.events()) >= 3


def test_one_event_that_google_refuses_without_a_reason_is_set_aside_and_the_rest_goes_out(person, persona):
    persona.primary.refused.update({"bad-1", "bad-1.datebook-2", "bad-1.datebook-3"})
    person.write("bad.yaml", CALL.format(who="Bad") + "uid: bad-1\n")
    for number in range(3):
        person.write(f"call-{number}.yaml", CALL.format(who=number))
    person.run("sync")
    assert person.sync(3).code == 3
    assert len(person.events()) == 3


def test_an_expired_sync_token_costs_a_listing_and_neither_file_nor_event(person, persona):
    for bogus in (400, 403, 410, 412):
        persona.manners = replace(persona.manners, bogus_token=bogus)
        person.write(f"call-{bogus}.yaml", CALL.format(who=bogus))
        person.sync()
        persona.expire_tokens()
        person.sync()
    assert len(person.files()) == len(person.events()) == 4


def test_an_href_that_is_listed_and_not_found_is_no_deletion(person, persona):
    person.write("anna.yaml", CALL.format(who="Anna") + "uid: anna-1\n")
    person.sync()
    person.sync()
    persona.primary.ghosts.add("anna-1.ics")
    persona.expire_tokens()
    person.run("sync")
    assert person.files() == ["anna.yaml"]
    persona.primary.ghosts.clear()
    person.in_web("anna-1", "Call Anna", "Call Berta")
    person.run("sync")
    assert "Call Berta" in person.read("anna.yaml")


def test_a_token_that_is_refused_stops_the_account_and_says_how_to_go_on(person, persona):
    person.write("anna.yaml", CALL.format(who="Anna"))
    person.sync()
    persona.oauth.revoke_all()
    done = person.run("sync")
    assert done.code == 1
    person.sign_in()
    person.edit("anna.yaml", "10:30", "11:30")
    person.sync()
    assert "T113000" in next(iter(person.events().values()))


def test_an_api_that_is_switched_off_names_the_missing_right(person, persona):
    persona.api_enabled = False
    done = person.run("calendars", "google")
    assert done.code == 1
    assert "CalDAV API" in done.err


def test_a_calendar_that_google_does_not_list_is_asked_for_by_its_id(person, persona):
    persona.make_calendar("team@group.calendar.google.com", label="Team", ticked=False)
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace("calendar: primary", "calendar: Team"))
    done = person.run("sync")
    assert done.code == 1
    assert "Me (me@example.com)" in done.err
    assert "calendar/syncselect" in done.err
    assert "by its id" in done.err


def test_a_shared_calendar_that_is_not_listed_is_opened_by_its_id(person, persona):
    shared = persona.make_calendar("team@group.calendar.google.com", label="Team", ticked=False)
    config = (person.root / "config.yaml").read_text()
    (person.root / "config.yaml").write_text(config.replace("calendar: primary", f"calendar: {shared.name}"))
    person.write("anna.yaml", CALL.format(who="Anna"))
    person.sync()
    assert len(shared.items) == 1
    assert persona.primary.items == {}


# What the facts leave open ----------------------------------------------------------------------------

FULL = """\
subject: Call Anna
type: call
due_date: 2027-11-24
due_time: 10:30
location: Room 5
conference_meeting_url: https://meet.example/abc
public_description: Agenda
priority: high
private: true
busy: tentative
reminders: [10m]
"""


@pytest.mark.parametrize(
    "drops",
    [
        {"X-"},
        {"CATEGORIES", "X-"},
        {"PRIORITY"},
        {"CLASS"},
        {"VALARM"},
        {"URL", "CONFERENCE"},
        {"X-", "CATEGORIES", "PRIORITY", "CLASS", "VALARM", "URL", "CONFERENCE"},
    ],
    ids=lambda names: "+".join(sorted(names)),
)
def test_what_google_does_not_keep_stays_in_the_file(person, persona, drops):
    persona.manners = replace(persona.manners, rewriting=Rewriting(drops=frozenset(drops)))
    person.write("anna.yaml", FULL)
    person.sync()
    person.sync()
    text = person.read("anna.yaml")
    assert text.startswith(FULL), text
    puts = len(persona.bodies)
    person.in_web(uid_in(text), "LOCATION:Room 5", "LOCATION:Room 6")
    person.sync()
    assert person.read("anna.yaml").startswith(FULL.replace("Room 5", "Room 6"))
    person.edit("anna.yaml", "10:30", "11:30")
    person.sync()
    person.sync()
    assert person.read("anna.yaml").startswith(FULL.replace("Room 5", "Room 6").replace("10:30", "11:30"))
    assert len(persona.bodies) == puts + 1


def test_a_default_alarm_that_google_adds_is_no_ping_pong(person, persona):
    persona.manners = replace(persona.manners, rewriting=Rewriting(default_alarm="-P0DT0H30M0S"))
    person.write("anna.yaml", CALL.format(who="Anna"))
    for _ in range(3):
        person.sync()
    assert len(persona.bodies) == 1


@pytest.mark.parametrize("zone", ["UTC", "Europe/Helsinki"])
def test_a_floating_time_that_google_puts_into_a_zone_moves_nothing(person, persona, zone):
    persona.manners = replace(persona.manners, rewriting=Rewriting(floating_zone=zone))
    ics = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//EN\nBEGIN:VEVENT\nUID:float-1\nDTSTAMP:20261101T000000Z\n"
    ics += "DTSTART:20271124T103000\nDTEND:20271124T113000\nSUMMARY:Floating\nEND:VEVENT\nEND:VCALENDAR\n"
    person.write("float.ics", ics.replace("\n", "\r\n"))
    for _ in range(3):
        person.sync()
    assert len(persona.bodies) == 1
    assert "103000" in person.read("float.ics") or "083000Z" in person.read("float.ics")


@pytest.mark.parametrize(
    "manners",
    [
        Manners(silent_put=False),
        Manners(renames=False),
        Manners(tells_tokens=False),
        Manners(page=2),
        Manners(ignores_if_none_match=False, ignores_if_match_on_delete=False, coarse_etags=False, rewriting=None),
    ],
    ids=["etag on PUT", "keeps names", "no sync tokens", "pages", "as the RFCs have it"],
)
def test_a_day_of_work_goes_through_whatever_google_really_does(person, persona, manners):
    persona.manners = manners
    for number in range(5):
        person.write(f"call-{number}.yaml", CALL.format(who=number))
    person.sync()
    person.edit("call-0.yaml", "10:30", "11:30")
    (person.store / "call-1.yaml").unlink()
    person.in_web(uid_in(person.read("call-2.yaml")), "SUMMARY:Call 2", "SUMMARY:Called")
    persona.web_delete(uid_in(person.read("call-3.yaml")))
    persona.web(event("From the web", uid="web-1", start="20280101T100000", end="20280101T110000"))
    person.sync()
    person.sync()
    titles = sorted(re.search("SUMMARY:(.*)", body).group(1) for body in person.events().values())
    assert titles == ["Call 0", "Call 4", "Called", "From the web"]
    assert len(person.files()) == 4
    assert "subject: Called" in person.read("call-2.yaml")


# Guests -----------------------------------------------------------------------------------------------


def test_under_never_nothing_that_datebook_does_mails_anybody(person, persona):
    persona.web(event("Theirs", uid="met-1", start="20280101T100000", end="20280101T110000", more=GUESTS))
    person.write("own.yaml", CALL.format(who="Anna") + "attendees: [Anna <anna@customer.example>]\n")
    person.sync()
    person.sync()
    [met] = [path for path in person.files() if path != "own.yaml"]
    person.edit(met, "subject: Theirs", "subject: Ours")
    person.edit("own.yaml", "10:30", "11:30")
    person.run("sync")
    person.edit("own.yaml", "attendees: [Anna <anna@customer.example>]", "attendees: [Bob <bob@customer.example>]")
    person.run("sync")
    (person.store / met).unlink()
    person.run("sync")
    (person.store / "own.yaml").unlink()
    person.run("sync")
    for entry in person.run("log", "--json").json["entries"]:
        person.run("undo", str(entry["id"]))
    assert persona.mails == []
    assert not any(b"ATTENDEE" in body or b"SCHEDULE-AGENT" in body for body in persona.bodies)
    assert "SUMMARY:Theirs" in person.events()["met-1"]


def test_under_ask_a_mail_goes_only_after_its_user_has_ordered_it(tmp_path, persona):
    person = GooglePerson(tmp_path / "me", persona, "    guests: ask\n")
    person.sync()
    person.write("own.yaml", CALL.format(who="Anna") + "attendees: [Anna <anna@customer.example>]\n")
    person.run("sync")
    assert persona.mails == []
    person.run("approve")
    assert persona.mails == []
    assert person.run("approve", "--mail").code == 0
    [mail] = persona.mails
    assert mail == Mail("invitation", "anna@customer.example", mail.uid)


def test_under_send_a_guest_is_invited_and_told_of_changes_once(tmp_path, persona):
    person = GooglePerson(tmp_path / "me", persona, "    guests: send\n")
    person.sync()
    person.write("own.yaml", CALL.format(who="Anna") + "attendees: [Anna <anna@customer.example>]\n")
    person.sync()
    person.edit("own.yaml", "10:30", "11:30")
    person.sync()
    person.sync()
    assert [mail.kind for mail in persona.mails] == ["invitation", "update"]


def test_the_organiser_and_the_conference_of_an_event_go_back_as_they_came(tmp_path, persona):
    more = GUESTS + "X-GOOGLE-CONFERENCE:https://meet.google.com/abc\nATTACH:https://drive.google.com/x\n"
    persona.web(event("Theirs", uid="met-1", start="20280101T100000", end="20280101T110000", more=more))
    person = GooglePerson(tmp_path / "me", persona, "    guests: send\n")
    person.run("sync")
    person.run("approve")
    person.sync()
    [path] = person.files()
    person.edit(path, "subject: Theirs", "subject: Ours")
    person.sync()
    body = person.events()["met-1"]
    kept = held_lines(body, "ORGANIZER", "ATTENDEE", "X-GOOGLE-CONFERENCE", "ATTACH")
    assert sorted(kept) == sorted(more.strip().splitlines())
    assert "SUMMARY:Ours" in body


# What the account really does --------------------------------------------------------------------------


def test_the_write_test_says_what_google_keeps_mails_nobody_and_leaves_nothing(person, persona):
    persona.manners = replace(persona.manners, rewriting=Rewriting(drops=frozenset({"PRIORITY", "X-", "CLASS"})))
    person.sync()
    done = person.run("doctor", "google", "--write-test", "--json")
    found = {one["code"]: one["message"] for one in done.json["account google"]}
    assert "reminders" in found["write_kept"]
    assert "private (CLASS), the priority" in found["write_changed"]
    assert found["write_x_properties"] == "X- properties are dropped"
    assert found["write_categories"] == "CATEGORIES are kept"
    assert "whoever sees this calendar sees your private activities" in found["write_private"]
    assert "write_type" not in found
    assert persona.primary.items == {}
    assert persona.mails == []


def test_the_write_test_tells_of_reminders_that_google_puts_in_place_of_ours(person, persona):
    drops = frozenset({"CATEGORIES", "X-", "VALARM"})
    persona.manners = replace(persona.manners, rewriting=Rewriting(drops=drops, default_alarm="-PT30M"))
    done = person.run("doctor", "google", "--write-test", "--json")
    found = {one["code"]: one["message"] for one in done.json["account google"]}
    assert "in place of yours" in found["write_reminders"]
    assert "does not say its type" in found["write_type"]
    assert "private (CLASS)" in found["write_kept"]
    assert "write_private" not in found


def test_the_write_test_puts_a_guest_on_the_event_only_when_its_user_names_one(person, persona):
    person.sync()
    done = person.run("doctor", "google", "--write-test", "--guest", "me+test@example.com", "--json")
    found = {one["code"]: one for one in done.json["account google"]}
    assert found["write_create"]["ok"]
    assert {mail.to for mail in persona.mails} == {"me+test@example.com"}
    assert persona.primary.items == {}


def test_activities_of_every_type_are_events_and_no_calendar_is_ever_made(person, persona):
    for kind in ("task", "deadline", "call"):
        person.write(f"{kind}.yaml", CALL.format(who=kind).replace("type: call", f"type: {kind}"))
    person.sync()
    assert all("BEGIN:VEVENT" in body and "VTODO" not in body for body in person.events().values())
    assert len(person.events()) == 3
    assert {method for method, _ in persona.log} <= {"PROPFIND", "REPORT", "GET", "PUT", "DELETE", "OPTIONS"}


def test_calendars_are_shown_by_the_ids_that_google_shows(person, persona):
    persona.make_calendar("team@group.calendar.google.com", label="Team")
    persona.make_calendar("en.fi#holiday@group.v.calendar.google.com", label="Holidays")
    offered = person.run("calendars", "google", "--json").json["calendars"]
    assert [(one["id"], one["primary"], one["writable"], one["route"]) for one in offered] == [
        ("me@example.com", True, None, "work"),
        ("team@group.calendar.google.com", False, None, None),
        ("en.fi#holiday@group.v.calendar.google.com", False, False, None),
    ]


def test_an_expired_token_reads_again_only_what_may_have_changed(tmp_path):
    from datetime import timedelta

    from tests.servers.google_world import account_of
    from tests.servers.worlds import now

    moment = [now() - timedelta(days=1)]
    with GooglePersona(clock=lambda: moment[0]) as persona:
        for number in range(4):
            persona.web(event(f"Event {number}", uid=f"e-{number}", start="20280101T100000", end="20280101T110000"))
        persona.oauth.lifetime = 10.0**9
        store = account_of(persona).open("primary")
        read = list(store.read([ref.id for ref in store.changes(None).items]))
        moment[0] = now()
        persona.web(event("Edited", uid="e-2", start="20280101T100000", end="20280101T110000"))
        listed = {ref.id: ref.version for ref in store.changes(None).items}
    unsure = [item for item, version in listed.items() if not version]
    assert [item.rpartition("/")[2] for item in unsure] == ["e-2.ics"]
    assert {seen.ref.version for seen in read} >= {version for version in listed.values() if version}


class LimitsAfterPut(GooglePersona):
    """Google, which asks to slow down just when something was written, a few times."""

    left = 2

    def handle(self, request: Request) -> Answer:
        answer = super().handle(request)
        if request.method == "PUT" and answer.status < 300 and self.left:
            self.left -= 1
            self.limit("429")
        return answer


def test_what_google_drops_stays_in_the_file_although_its_limit_hides_that_at_first(tmp_path):
    drops = Rewriting(drops=frozenset({"PRIORITY", "CLASS", "VALARM"}))
    with LimitsAfterPut(manners=Manners(rewriting=drops)) as persona:
        person = GooglePerson(tmp_path / "me", persona)
        text = CALL.format(who="Anna") + "priority: high\nprivate: true\nreminders: [10m]\n"
        person.write("anna.yaml", text)
        for _ in range(4):
            person.run("sync")
        assert person.read("anna.yaml").startswith(text)
        assert len(person.events()) == 1
        person.edit("anna.yaml", "priority: high", "priority: low")
        for _ in range(4):
            person.run("sync")
        assert person.read("anna.yaml").startswith(text.replace("high", "low"))
        assert len(person.events()) == 1
        person.sync()


def test_a_rate_limit_is_told_from_an_outage_when_a_command_leaves_the_status(tmp_path):
    with GooglePersona() as persona:
        person = GooglePerson(tmp_path / "me", persona)
        person.write("anna.yaml", CALL.format(who="Anna"))
        persona.limit("429")
        person.run("sync")
        [account] = person.run("status", "--json").json["accounts"].values()
        assert (account["state"], account["error"]["code"]) == ("throttled", "throttled")
