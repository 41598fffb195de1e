"""Google's versions, UIDs and reasons: what is read from what its CalDAV says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from adapters.dav.caldav_errors import Asked, error_of
from adapters.dav.caldav_href import to_href
from adapters.google_calendar.google_account import calendar_id
from adapters.google_calendar.google_errors import WORDS
from adapters.google_calendar.google_uids import original, replacements, resource_name
from adapters.google_calendar.google_versions import etag_in, is_young, version_of
from adapters.net.transport import Response
from adapters.sign_in.oauth import Endpoints, endpoints_of, trouble
from adapters.sign_in.oauth_consent import answer_in
from daemon.core.errors import Forbidden, Missing, SignInNeeded, Unavailable

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
BODY = (
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTAMP:20261124T085959Z\r\nLAST-MODIFIED:20261124T085959Z\r\nSUMMARY:%s\r\n"
)


def test_two_contents_under_one_etag_are_two_versions_and_dtstamp_is_no_content():
    one = version_of('"639"', BODY % b"One")
    assert one != version_of('"639"', BODY % b"Two")
    assert one == version_of('"639"', (BODY % b"One").replace(b"DTSTAMP:20261124T08", b"DTSTAMP:20261125T08"))
    assert one == version_of('"639"', (BODY % b"One").replace(b"\r\n", b"\n"))
    assert etag_in(one) == '"639"'
    assert version_of("", BODY) == ""


def test_an_etag_with_the_mark_in_it_is_found_again():
    assert etag_in(version_of('"a#b"', BODY)) == '"a#b"'


@pytest.mark.parametrize(("age", "young"), [(-5, True), (1, True), (119, True), (180, False)])
def test_an_event_is_young_for_two_minutes_whatever_the_clocks_say(age, young):
    assert is_young(BODY, NOW - timedelta(seconds=1) + timedelta(seconds=age)) == young


def test_without_a_time_of_change_an_event_is_not_young():
    assert not is_young(b"BEGIN:VCALENDAR\r\nLAST-MODIFIED:20269999T999999Z\r\n", NOW)


@pytest.mark.parametrize(
    "uid", ["plain-1", "a/b\\c", "per%40cent@example.com", "ü 日本", "x" * 300, ".hidden", "a.ics"]
)
def test_a_resource_is_called_after_its_uid_and_the_uid_is_found_in_the_path(uid):
    assert unquote(to_href(f"/events/{resource_name(uid)}")) == f"/events/{uid}.ics"


def test_a_replaced_uid_says_whose_it_is():
    for uid in ("abc", "a.datebook-2", "line\nbreak", ""):
        for other in replacements(uid):
            assert other != uid
            assert original(other) == (uid or other)
    assert original("abc@google.com") == "abc@google.com"


def test_the_id_of_a_calendar_is_read_from_its_address():
    assert calendar_id("https://apidata.googleusercontent.com/caldav/v2/me%40example.com/events/") == "me@example.com"
    assert calendar_id("http://127.0.0.1:5232/me/work/") == ""


def answered(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, "/caldav/v2/")


def said(reason: str, *, under: str = "errors") -> bytes:
    return json.dumps({"error": {under: [{"reason": reason, "domain": "usageLimits"}], "code": 403}}).encode()


def error(response: Response) -> Exception:
    return error_of(response, asked=Asked.CALENDAR, changing=False, now=NOW, store="google", words=WORDS)


@pytest.mark.parametrize(
    "reason", ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"]
)
def test_a_rate_limit_in_words_is_one_although_its_status_is_403(reason):
    found = error(answered(403, said(reason)))
    assert isinstance(found, Unavailable)
    assert found.throttled
    assert not found.uncertain


def test_a_403_that_says_what_is_missing_names_the_cure():
    for body, word in [
        (said("accessNotConfigured"), "CalDAV API"),
        (said("SERVICE_DISABLED", under="details"), "CalDAV API"),
        (said("insufficientPermissions"), "ticked"),
        (said("domainPolicy"), "administrator"),
    ]:
        found = error(answered(403, body))
        assert isinstance(found, Forbidden)
        assert word in found.what_to_do
    challenge = 'Bearer realm="x", error="insufficient_scope", scope="y"'
    assert isinstance(error(answered(403, b"", www_authenticate=challenge)), Forbidden)


def test_gdata_xml_is_read_too_and_what_is_none_of_googles_says_nothing():
    gdata = b'<errors xmlns="http://schemas.google.com/g/2005"><error><code>notFound</code></error></errors>'
    assert isinstance(error(answered(404, gdata)), Missing)
    for body in (
        b"",
        b"{",
        b"[]",
        b'{"error": 1}',
        b'{"error": {"errors": [1, {"reason": 2}]}}',
        b"<html>" * 9,
        b"{" * 9999,
    ):
        assert WORDS.reasons(body, {}) == frozenset()


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        ({"error": "invalid_grant"}, SignInNeeded, "7 days"),
        ({"error": "invalid_grant", "error_subtype": "invalid_rapt"}, SignInNeeded, "datebook connect home"),
        ({"error": "invalid_client"}, SignInNeeded, "Desktop app"),
        ({"error": "deleted_client"}, SignInNeeded, "Desktop app"),
        ({"error": "admin_policy_enforced"}, Forbidden, "administrator"),
    ],
)
def test_what_the_token_endpoint_refuses_is_said_with_its_cure(answer, kind, word):
    found = trouble(answer, "home")
    assert isinstance(found, kind)
    assert word in found.what_to_do


def test_a_token_endpoint_that_is_down_or_unheard_of_is_tried_later():
    for answer in ({}, {"error": "temporarily_unavailable"}, {"error": "<script>"}):
        found = trouble(answer, "home", later=True)
        assert isinstance(found, Unavailable)
        assert "<" not in str(found)


def test_only_a_server_on_loopback_plays_googles_sign_in():
    assert endpoints_of("http://127.0.0.1:8080/caldav/v2/").token == "http://127.0.0.1:8080/token"
    for url in ("", "https://gateway.example.com/caldav/v2/", "https://127.0.0.1.example.com/"):
        assert endpoints_of(url) == Endpoints()


def test_an_address_without_a_code_is_no_answer():
    for text in ("", "nonsense", "http://127.0.0.1/", "http://[", "http://127.0.0.1/?state=x"):
        assert answer_in(text) is None
    found = answer_in("http://127.0.0.1:1/?state=s&code=4/0Ab&scope=x")
    assert found
    assert (found.state, found.code) == ("s", "4/0Ab")
