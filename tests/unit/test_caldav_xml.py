"""Hrefs as ids, and the reading of multistatus answers and error bodies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.dav.caldav_errors import Meaning, meaning_of
from adapters.dav.caldav_href import resource_name, to_href, to_id
from adapters.dav.caldav_xml import NotXml, conditions_of, is_bare_error, multiget, plain_etag, query, read_multistatus

OPEN = b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">'
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("href", "item"),
    [
        ("/me/work/a.ics", "/me/work/a.ics"),
        ("/me/work/a%40b.ics", "/me/work/a@b.ics"),
        ("/me/work/a@b.ics", "/me/work/a@b.ics"),
        ("/me/work/a%2540b.ics", "/me/work/a%2540b.ics"),
        ("/me/work/a%2fb.ics", "/me/work/a%2Fb.ics"),
        ("/me/work/100%.ics", "/me/work/100%25.ics"),
        ("/me/work/%E9.ics", "/me/work/%E9.ics"),
        ("/me/work/%C3%A9.ics", "/me/work/é.ics"),
        ("https://dav.example/me/work/x%20y.ics", "/me/work/x y.ics"),
        ("x%20y.ics", "/me/work/x y.ics"),
        ("/me/work/%0a.ics", "/me/work/%0A.ics"),
    ],
)
def test_the_spellings_of_an_href_are_one_id_and_different_hrefs_are_not(href: str, item: str) -> None:
    assert to_id(href, "/me/work/") == item
    assert to_id(to_href(item)) == item


@given(st.text(min_size=1, max_size=30))
def test_every_name_survives_the_way_into_a_request_and_back(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    from urllib.parse import quote, unquote

    href = f"/me/work/{quote(name, safe='')}"
    asked = to_href(to_id(href))
    assert unquote(asked) == unquote(href)
    assert asked.count("/") == href.count("/")
    assert asked.isascii()
    assert not set(asked) & set(" \r\n\t")


@given(st.text(max_size=300))
def test_a_new_resource_never_leaves_its_calendar(uid: str) -> None:
    name = resource_name(uid)
    assert name.endswith(".ics")
    assert len(name) <= 160
    assert not set(name) & set("/\\%?# \r\n\0")
    assert not name.startswith(".")
    assert ".." not in name


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_uids_have_different_names(one: str, other: str) -> None:
    assert (resource_name(one) == resource_name(other)) == (one == other)


def test_a_member_is_read_with_its_etag_data_and_status() -> None:
    body = OPEN + (
        b"<d:response><d:href>/w/a%40b.ics</d:href><d:propstat><d:prop><d:getetag>W/&quot;1&quot;</d:getetag>"
        b"<c:calendar-data>BEGIN:VCALENDAR&#13;\nSUMMARY:a &amp; b\nEND:VCALENDAR\n</c:calendar-data></d:prop>"
        b"<d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:displayname/></d:prop>"
        b"<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
        b"<d:response><d:href>/w/b.ics</d:href><d:href>/w/c.ics</d:href><d:status>HTTP/1.1 404 Not Found</d:status>"
        b"</d:response><d:sync-token> t1 </d:sync-token></d:multistatus>"
    )
    answer = read_multistatus(body, "/w/")
    whole, *gone = answer.members
    assert (whole.id, whole.etag, whole.status) == ("/w/a@b.ics", '"1"', None)
    assert whole.data == b"BEGIN:VCALENDAR\r\nSUMMARY:a & b\r\nEND:VCALENDAR\r\n"
    assert [(member.id, member.gone) for member in gone] == [("/w/b.ics", True), ("/w/c.ics", True)]
    assert (answer.token, answer.truncated) == ("t1", False)


def test_the_mark_of_a_truncated_answer_is_no_member() -> None:
    body = OPEN + (
        b"<d:response><d:href>/w/</d:href><d:status>HTTP/1.1 507 Insufficient Storage</d:status>"
        b"<d:error><d:number-of-matches-within-limits/></d:error></d:response>"
        b"<d:sync-token>t2</d:sync-token></d:multistatus>"
    )
    answer = read_multistatus(body, "/w/")
    assert (answer.members, answer.token, answer.truncated) == ((), "t2", True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Please log in</body></html>",
        b"<!DOCTYPE html><html></html>",
        OPEN,
        OPEN + b"<d:response>",
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + OPEN[21:] + b"</d:multistatus>",
        b"{}",
        b"BEGIN:VCALENDAR",
        "<multistatus/>".encode("utf-16"),
    ],
)
def test_what_is_no_multistatus_is_never_an_empty_one(body: bytes) -> None:
    with pytest.raises(NotXml):
        read_multistatus(body, "/w/")


def test_hostile_names_are_quoted_in_requests() -> None:
    assert b"%3Cx%3E&amp;" in multiget(["/w/<x>&.ics"])
    assert b"&lt;x&gt;&amp;" in query("<x>&")


@pytest.mark.parametrize("body", [b"", b" \n", b'<?xml version="1.0"?>\n<D:error xmlns:D="DAV:"/>', b"<error></error>"])
def test_an_error_that_says_nothing_is_bare(body: bytes) -> None:
    assert is_bare_error(body)
    assert conditions_of(body) == (frozenset(), ())


@pytest.mark.parametrize("body", [b"Forbidden", b'<D:error xmlns:D="DAV:"><D:need-privileges/></D:error>', b"<html/>"])
def test_an_error_that_says_something_is_not_bare(body: bytes) -> None:
    assert not is_bare_error(body)


@pytest.mark.parametrize(
    ("status", "condition", "meaning"),
    [
        (403, "need-privileges", Meaning.FORBIDDEN),
        (403, "valid-sync-token", Meaning.EXPIRED),
        (412, "no-uid-conflict", Meaning.CHANGED),
        (403, "max-resource-size", Meaning.REFUSED),
        (403, "quota-not-exceeded", Meaning.FULL),
        (403, "unheard-of", Meaning.FORBIDDEN),
        (418, "", Meaning.LATER),
        (302, "", Meaning.LATER),
        (507, "", Meaning.FULL),
    ],
)
def test_a_precondition_says_more_than_its_status(status: int, condition: str, meaning: Meaning) -> None:
    assert meaning_of(status, frozenset({condition} if condition else ())) is meaning


def test_an_etag_loses_its_mark_of_weakness() -> None:
    assert plain_etag(' W/"abc" ') == '"abc"'
    assert plain_etag('"abc"') == '"abc"'
