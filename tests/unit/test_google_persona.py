"""The tests' own Google: each of its manners, and each of them switched off, as a client on the wire meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection

import pytest

from tests.servers.google_answers import Manners
from tests.servers.google_person import event
from tests.servers.google_persona import GooglePersona

BODY = event("Anna", uid="anna-1", start="20280101T100000", end="20280101T110000")
SERIES = event("Weekly", uid="anna-1", start="20280101T100000", end="20280101T110000", more="RRULE:FREQ=WEEKLY\r\n")
TASK = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:t-1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
SYNC = '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:prop/></D:sync-collection>'


@pytest.fixture
def persona() -> Iterator[GooglePersona]:
    with GooglePersona() as running:
        yield running


def ask(
    persona: GooglePersona, method: str, name: str = "", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    """One request to the primary calendar, or to another path: status, headers and body of the answer."""
    connection = HTTPConnection("127.0.0.1", persona.port, timeout=30)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    named["Authorization"] = f"Bearer {persona.oauth.issue()[0]}"
    connection.request(method, name if name.startswith("/") else persona.primary.path + name, body, named)
    answer = connection.getresponse()
    read = answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()
    connection.close()
    return read


def turn(persona: GooglePersona, **manners: object) -> None:
    persona.manners = replace(Manners(), **manners)  # type: ignore[arg-type]  # each test names its own


def test_a_put_says_where_and_not_which_version(persona):
    status, headers, _ = ask(persona, "PUT", "elsewhere.ics", BODY)
    assert (status, "etag" in headers) == (201, False)
    assert headers["location"].endswith("/anna-1.ics")
    turn(persona, silent_put=False)
    assert "etag" in ask(persona, "PUT", "anna-1.ics", BODY)[1]


def test_if_none_match_is_not_honoured_and_if_match_on_put_is(persona):
    ask(persona, "PUT", "anna-1.ics", BODY)
    assert ask(persona, "PUT", "anna-1.ics", BODY, If_None_Match="*")[0] == 204
    assert ask(persona, "PUT", "anna-1.ics", BODY, If_Match='"stale"')[0] == 412
    turn(persona, ignores_if_none_match=False)
    assert ask(persona, "PUT", "anna-1.ics", BODY, If_None_Match="*")[0] == 412


def test_a_delete_takes_whatever_is_there(persona):
    ask(persona, "PUT", "anna-1.ics", BODY)
    turn(persona, ignores_if_match_on_delete=False)
    assert ask(persona, "DELETE", "anna-1.ics", If_Match='"stale"')[0] == 412
    turn(persona)
    assert ask(persona, "DELETE", "anna-1.ics", If_Match='"stale"')[0] == 204
    assert ask(persona, "GET", "anna-1.ics")[0] == 404


def test_the_uid_of_a_deleted_event_may_be_spent(persona):
    for manner, status in ((0, 201), (409, 409), (403, 403)):
        persona.web(BODY)
        persona.web_delete("anna-1")
        turn(persona, spent_uid=manner)
        assert ask(persona, "PUT", "anna-1.ics", BODY)[0] == status
        if status == 201:
            persona.web_delete("anna-1")


def test_an_edit_of_a_series_as_it_was_before_is_a_conflict(persona):
    persona.web(SERIES.replace(b"SUMMARY", b"SEQUENCE:4\r\nSUMMARY"))
    assert ask(persona, "PUT", "anna-1.ics", SERIES)[0] == 409
    assert ask(persona, "PUT", "anna-1.ics", SERIES.replace(b"SUMMARY", b"SEQUENCE:4\r\nSUMMARY"))[0] == 204
    turn(persona, refuses_old_series=False)
    assert ask(persona, "PUT", "anna-1.ics", SERIES)[0] == 204


def test_there_are_no_tasks_and_no_calendars_to_be_made(persona):
    assert ask(persona, "PUT", "t-1.ics", TASK)[0] == 403
    assert ask(persona, "MKCALENDAR", "/caldav/v2/new/")[0] == 405
    turn(persona, takes_tasks=True, makes_calendars=True)
    assert ask(persona, "PUT", "t-1.ics", TASK)[0] == 201
    assert ask(persona, "MKCALENDAR", "/caldav/v2/new/")[0] == 201


def test_what_the_engine_can_not_read_is_refused(persona):
    broken = BODY.replace(b"DTSTART;TZID=Europe/Helsinki:20280101T100000", b"DTSTART:whenever")
    assert ask(persona, "PUT", "anna-1.ics", broken)[0] == 400
    assert persona.primary.items == {}


def test_sync_tokens_end_and_long_answers_come_in_pages(persona):
    persona.web(BODY.replace(b"anna-1", b"anna-0"))
    token = persona.primary.token()
    for number in (1, 2):
        persona.web(BODY.replace(b"anna-1", b"anna-%d" % number))
    persona.web_delete("anna-0")
    turn(persona, page=2)
    status, _, first = ask(persona, "REPORT", "", SYNC.format(token).encode())
    assert (status, "507 Insufficient Storage" in first) == (207, True)
    after = first.partition("<D:sync-token>")[2].partition("<")[0]
    _, _, second = ask(persona, "REPORT", "", SYNC.format(after).encode())
    assert "507" not in second
    told = first + second
    assert [told.count(f"anna-{number}.ics") for number in range(3)] == [1, 1, 1]
    assert told.count("404 Not Found") == 1
    for status in (403, 409, 410):
        turn(persona, bogus_token=status)
        persona.expire_tokens()
        assert ask(persona, "REPORT", "", SYNC.format(token).encode())[0] == status


@pytest.mark.parametrize(("form", "status"), [("bare", 403), ("json", 403), ("gdata", 403), ("429", 429)])
def test_it_limits_requests_in_each_form(persona, form, status):
    persona.limit(form, method="PUT")
    assert ask(persona, "GET", "none.ics")[0] == 404
    assert ask(persona, "PUT", "anna-1.ics", BODY)[0] == status
    assert ask(persona, "PUT", "anna-1.ics", BODY)[0] == 201
