"""A CalDAV server may fail in any way: the error says what to do, and nothing is lost, doubled or believed gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from daemon.core.errors import (
    CursorExpired,
    Forbidden,
    Full,
    Missing,
    Refused,
    SignInNeeded,
    StoreError,
    Unavailable,
    VersionMismatch,
)
from daemon.core.model import Field, Key, Timed
from daemon.core.store import Create, Failed, Gone, Outcome, Remove, Seen, Update, Write, Written
from tests.servers import fault_proxy as faults
from tests.servers.fault_proxy import Act, Fault, answer
from tests.servers.proxied import Proxied, proxied
from tests.servers.running import Servers

SUBJECT = Key(Field.SUBJECT)
VIEW = {
    SUBJECT: "Call",
    Key(Field.WHEN): Timed(datetime(2030, 1, 7, 9, 30), "Europe/Helsinki", timedelta(hours=1)),
    Key(Field.TYPE): "meeting",
}
CREATE = Create("fault-1", "token", VIEW)

BARE = b'<?xml version="1.0" encoding="UTF-8"?>\n<D:error xmlns:D="DAV:"/>\n'
LATER = (408, 423, 425, 429, 500, 502, 503, 504, 301, 302, 599)
REFUSED = (400, 405, 413, 414, 415, 422)
BROKEN: dict[str, Act] = {
    "hang": faults.hang,
    "drop": faults.drop,
    "reset": faults.reset,
    "reset in the head": faults.reset_in_head,
    "garbage": faults.garbage,
}


@pytest.fixture
def dav(servers: Servers) -> Iterator[Proxied]:
    with proxied(servers) as place:
        yield place


def only(dav: Proxied, write: Write) -> Outcome:
    [(_, outcome)] = list(dav.store.write([write]))
    return outcome


def made(dav: Proxied) -> Seen:
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Written)
    [reading] = dav.store.read([outcome.ref.id])
    assert isinstance(reading, Seen)
    return reading


def listed(dav: Proxied) -> list[str]:
    dav.proxy.clear()
    return [ref.id for ref in dav.store.changes(None).items]


def expected(status: int) -> type[StoreError]:
    if status in LATER:
        return Unavailable
    if status in REFUSED:
        return Refused
    return {401: SignInNeeded, 404: Missing, 410: Missing, 409: VersionMismatch, 412: VersionMismatch, 507: Full}[
        status
    ]


STATUSES = sorted({*LATER, *REFUSED, 401, 404, 409, 410, 412, 507})


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_failed_create_says_what_to_do_and_its_repetition_makes_one_event(
    dav: Proxied, status: int, *, after: bool
) -> None:
    dav.fault(Fault(answer(status), method="PUT", after=after))
    outcome = only(dav, CREATE)
    if status == 412 and after:
        assert isinstance(outcome, Written)  # our own event is there already
    else:
        assert isinstance(outcome, expected(status)), outcome
    assert dav.proxy.methods().count("PUT") == 1
    dav.proxy.clear()
    again = only(dav, CREATE)
    assert isinstance(again, Written)
    assert listed(dav) == [again.ref.id]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("status", [status for status in STATUSES if status != 412])
def test_a_failed_update_says_what_to_do_and_never_happens_twice(dav: Proxied, status: int, *, after: bool) -> None:
    item = made(dav)
    dav.fault(Fault(answer(status), method="PUT", after=after))
    outcome = only(dav, Update(item.ref, "t", {SUBJECT: "Changed"}, item.raw))
    wanted = VersionMismatch if status in {404, 410} else expected(status)
    assert isinstance(outcome, wanted), outcome
    assert dav.proxy.methods().count("PUT") == 1
    assert dav.hand.subject(item.ref.id) == ("Changed" if after else "Call")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_failed_removal_says_what_to_do(dav: Proxied, status: int, *, after: bool) -> None:
    item = made(dav)
    dav.fault(Fault(answer(status), method="DELETE", after=after))
    outcome = only(dav, Remove(item.ref, "t"))
    wanted = Written if status in {404, 410} else expected(status)
    assert isinstance(outcome, wanted), outcome
    assert (dav.hand.subject(item.ref.id) is None) == after


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_lost_answer_to_a_write_is_uncertain_and_the_write_is_not_repeated(
    dav: Proxied, method: str, act: Act, *, after: bool
) -> None:
    item = made(dav)
    dav.fault(Fault(act, method=method, after=after))
    write: Write = Remove(item.ref, "t") if method == "DELETE" else Update(item.ref, "t", {SUBJECT: "New"}, item.raw)
    outcome = only(dav, write)
    assert isinstance(outcome, Unavailable), outcome
    assert outcome.uncertain
    assert dav.proxy.methods() == [method]


@pytest.mark.parametrize("act", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_create_whose_answer_was_lost_is_settled_by_asking(dav: Proxied, act: Act, *, after: bool) -> None:
    dav.fault(Fault(act, method="PUT", after=after))
    assert isinstance(only(dav, CREATE), Unavailable)
    dav.proxy.clear()
    found = dav.store.find(CREATE.uid, CREATE.token)
    assert isinstance(found, Seen) if after else found is None
    assert isinstance(only(dav, CREATE), Written)
    assert len(listed(dav)) == 1


BAD_ANSWERS: dict[str, Act] = BROKEN | {
    "half a body": faults.half_body,
    "a short length": faults.short_length,
    "bad gzip": faults.bad_gzip,
    "a gzip bomb": faults.gzip_bomb,
    "a login page": faults.login_page,
    "bad XML": faults.bad_xml,
    "an entity bomb": faults.entity_bomb,
    "an empty multistatus": faults.empty_multistatus,
    "a redirect in a circle": faults.redirect_in_a_circle,
    "an empty 207": answer(207),
    "an empty 200": answer(200),
    "204": answer(204),
    "JSON": answer(207, b"{}", Content_Type="application/json"),
}


@pytest.mark.parametrize("act", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
@pytest.mark.parametrize("first", [1, 2])
def test_a_listing_that_is_no_listing_is_never_an_empty_calendar(dav: Proxied, act: Act, first: int) -> None:
    made(dav)
    dav.fault(Fault(act, method="PROPFIND", first=first, times=None))
    with pytest.raises(Unavailable):
        dav.store.changes(None)


@pytest.mark.parametrize("act", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_feed_that_breaks_does_not_move_the_cursor(dav: Proxied, act: Act) -> None:
    made(dav)
    cursor = dav.store.changes(None).cursor
    dav.fault(Fault(act, says=b"sync-collection", times=None))
    with pytest.raises((Unavailable, CursorExpired)):
        dav.store.changes(cursor)
    dav.proxy.clear()
    assert not dav.store.changes(cursor).items


@pytest.mark.parametrize("act", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_what_cannot_be_read_is_never_gone(dav: Proxied, act: Act) -> None:
    ids = [dav.hand.add(f"read-{number}", "Event") for number in range(3)]
    dav.fault(Fault(act, method="REPORT", times=None))
    dav.proxy.add(Fault(act, method="GET", times=None))
    try:
        readings = list(dav.store.read(ids))
    except Unavailable:
        return
    assert not any(isinstance(reading, Gone) for reading in readings), readings


@pytest.mark.parametrize("status", [400, 405, 413, 500, 503, 429])
def test_one_item_that_cannot_be_read_does_not_hide_the_others(dav: Proxied, status: int) -> None:
    ids = [dav.hand.add(f"read-{number}", "Event") for number in range(5)]
    dav.fault(Fault(faults.changed(faults.fewer_members), method="REPORT"))
    dav.proxy.add(Fault(answer(status), method="GET", times=1))
    kinds = sorted(type(reading).__name__ for reading in dav.store.read(ids))
    assert kinds == ["Failed", "Seen", "Seen", "Seen", "Seen"]


def test_a_multiget_that_leaves_items_out_is_completed_by_asking_for_each(dav: Proxied) -> None:
    ids = [dav.hand.add(f"short-{number}", f"Event {number}") for number in range(6)]
    dav.hand.remove(ids[5])
    dav.fault(Fault(faults.changed(faults.fewer_members), method="REPORT"))
    readings = list(dav.store.read(ids))
    assert [type(reading) for reading in readings] == [Seen] * 5 + [Gone]


def test_a_character_that_xml_forbids_spoils_its_own_event_alone(dav: Proxied) -> None:
    ids = [dav.hand.add(f"control-{number}", "bell \x07" if number == 3 else "fine") for number in range(8)]
    readings = {
        (reading.ref.id if isinstance(reading, Seen) else reading.id): reading for reading in dav.store.read(ids)
    }
    assert set(readings) == set(ids)
    assert all(isinstance(readings[item], Seen) for number, item in enumerate(ids) if number != 3)
    assert isinstance(readings[ids[3]], Seen | Failed)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'),
        (409, b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'),
        (412, b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'),
        (400, b""),
        (410, b""),
        (507, b'<D:error xmlns:D="DAV:"><D:number-of-matches-within-limits/></D:error>'),
    ],
)
def test_a_token_that_the_server_no_longer_takes_asks_for_a_listing(dav: Proxied, status: int, body: bytes) -> None:
    item = made(dav)
    cursor = dav.store.changes(None).cursor
    dav.fault(Fault(answer(status, body, Content_Type="application/xml"), says=b"sync-collection"))
    with pytest.raises(CursorExpired):
        dav.store.changes(cursor)
    assert listed(dav) == [item.ref.id]


@pytest.mark.parametrize(("status", "body"), [(403, BARE), (403, b""), (429, b"")])
def test_a_rate_limit_is_no_lost_token(dav: Proxied, status: int, body: bytes) -> None:
    cursor = dav.store.changes(None).cursor
    dav.fault(Fault(answer(status, body), says=b"sync-collection"))
    with pytest.raises(Unavailable) as caught:
        dav.store.changes(cursor)
    assert caught.value.throttled


def test_a_server_that_never_takes_its_own_tokens_is_asked_for_etags_instead(dav: Proxied) -> None:
    item = made(dav)
    cursor = dav.store.changes(None).cursor
    dav.fault(Fault(answer(400), says=b"sync-collection", times=None))
    for _ in range(2):
        with pytest.raises(CursorExpired):
            dav.store.changes(cursor)
        cursor = dav.store.changes(None).cursor
    dav.proxy.log.clear()
    quiet = dav.store.changes(cursor)
    assert (list(quiet.items), quiet.complete) == ([], False)
    dav.hand.retitle(item.ref.id, "Changed")
    assert [ref.id for ref in dav.store.changes(cursor).items] == [item.ref.id]
    assert "REPORT" not in dav.proxy.methods()


def test_a_calendar_that_is_gone_is_missing_and_not_empty(dav: Proxied) -> None:
    made(dav)
    cursor = dav.store.changes(None).cursor
    dav.hand.server.ask("DELETE", dav.hand.url)
    with pytest.raises(Missing):
        dav.store.changes(cursor)
    with pytest.raises(Missing):
        dav.store.changes(None)
    assert isinstance(only(dav, CREATE), Missing | VersionMismatch)


@pytest.mark.parametrize("count", [1, 3])
def test_the_items_of_a_calendar_that_is_gone_are_not_gone(dav: Proxied, count: int) -> None:
    ids = [dav.hand.add(f"kept-{number}", "Event") for number in range(count)]
    dav.hand.server.ask("DELETE", dav.hand.url)
    with pytest.raises(Missing):
        list(dav.store.read(ids))
    dav.proxy.add(Fault(answer(405), method="REPORT", times=None))
    with pytest.raises(Missing):
        list(dav.store.read(ids))


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("Tue, 24 Nov 2026 09:02:00 GMT", 120), ("Tue, 24 Nov 2026 08:00:00 GMT", 0)]
)
def test_the_server_says_when_to_come_back(dav: Proxied, value: str, seconds: int) -> None:
    dav.fault(Fault(answer(503, Retry_After=value), method="PUT"))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Unavailable)
    assert outcome.after == timedelta(seconds=seconds)


def test_a_bare_403_is_a_rate_limit_when_the_calendar_itself_answers_so(dav: Proxied) -> None:
    dav.fault(Fault(answer(403, BARE), times=None))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Unavailable)
    assert outcome.throttled
    assert not outcome.uncertain


def test_a_bare_403_is_about_the_event_when_the_calendar_may_be_written(dav: Proxied) -> None:
    dav.fault(Fault(answer(403, BARE), method="PUT", times=None))
    assert isinstance(only(dav, CREATE), Refused)


def test_a_403_that_names_a_missing_right_is_about_the_account(dav: Proxied) -> None:
    body = b'<D:error xmlns:D="DAV:"><D:need-privileges><D:resource/></D:need-privileges></D:error>'
    read_only = faults.changed(lambda full: setattr(full, "body", full.body.replace(b"<D:write/>", b"<D:read-acl/>")))
    dav.fault(Fault(answer(403, body), method="PUT", times=None))
    dav.proxy.add(Fault(read_only, method="PROPFIND", times=None))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Forbidden)
    assert outcome.what_to_do


def test_an_event_that_the_server_finds_invalid_is_refused_alone(dav: Proxied) -> None:
    body = b'<D:error xmlns:D="DAV:"><C:valid-calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"/></D:error>'
    dav.fault(Fault(answer(403, body), method="PUT", path="bad"))
    writes = [Create(uid, uid, VIEW) for uid in ("good-1", "bad-1", "good-2")]
    outcomes = {write.token: type(outcome) for write, outcome in dav.store.write(writes)}
    assert outcomes == {"good-1": Written, "bad-1": Refused, "good-2": Written}


def test_a_uid_that_is_taken_names_the_event_that_has_it(dav: Proxied) -> None:
    there = dav.hand.add("other-name", "Theirs")
    dav.hand._put(dav.hand.url + "elsewhere.ics", dav.hand._get(there).replace(b"other-name", b"fault-1"))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, VersionMismatch)
    assert outcome.ref.endswith("/elsewhere.ics")
    found = dav.store.find("fault-1", "t")
    assert isinstance(found, Seen)
    assert found.ref.id == outcome.ref


@pytest.mark.parametrize("uid", ["a\r\nATTENDEE:mailto:x@example.com", "a\nb", "a\x00b", "a\x1b[2Jb"])
def test_a_uid_that_would_break_out_of_its_line_is_never_sent(dav: Proxied, uid: str) -> None:
    assert isinstance(only(dav, Create(uid, "t", VIEW)), Refused)
    assert not dav.proxy.log


def test_throttling_stops_the_rest_of_the_writes(dav: Proxied) -> None:
    dav.fault(Fault(answer(429, Retry_After="30"), method="PUT", times=None))
    outcomes = [outcome for _, outcome in dav.store.write([Create(f"t-{n}", f"t-{n}", VIEW) for n in range(40)])]
    assert len(outcomes) == 40
    assert all(isinstance(outcome, Unavailable) and outcome.after == timedelta(seconds=30) for outcome in outcomes)
    assert len(dav.proxy.log) <= dav.store.capabilities.in_flight


def test_a_server_that_fails_all_the_time_is_left_alone_after_a_few_writes(dav: Proxied) -> None:
    dav.fault(Fault(answer(500), method="PUT", times=None))
    outcomes = [outcome for _, outcome in dav.store.write([Create(f"t-{n}", f"t-{n}", VIEW) for n in range(40)])]
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert len(dav.proxy.log) <= 3 + dav.store.capabilities.in_flight
    assert sum(outcome.uncertain for outcome in outcomes if isinstance(outcome, Unavailable)) == len(dav.proxy.log)


def test_one_write_that_the_server_fails_on_does_not_stop_the_others(dav: Proxied) -> None:
    dav.fault(Fault(answer(500), method="PUT", path="t-3", times=None))
    outcomes = [outcome for _, outcome in dav.store.write([Create(f"t-{n}.", f"t-{n}", VIEW) for n in range(10)])]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Unavailable"] + ["Written"] * 9


def test_an_etag_that_is_not_told_has_to_be_read(dav: Proxied) -> None:
    dav.fault(Fault(faults.changed(faults.without_etag), method="PUT"))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Written)
    assert outcome.ref.version == ""
    assert isinstance(only(dav, Update(outcome.ref, "t", {SUBJECT: "New"}, outcome.raw)), VersionMismatch)


def test_etags_that_a_proxy_weakened_still_protect_a_write(dav: Proxied) -> None:
    dav.proxy.add(Fault(faults.changed(faults.weak_etags), times=None))
    item = made(dav)
    assert isinstance(only(dav, Update(item.ref, "t", {SUBJECT: "New"}, item.raw)), Written)
    assert isinstance(only(dav, Update(item.ref, "t", {SUBJECT: "Newer"}, item.raw)), VersionMismatch)


def test_a_new_event_is_known_by_the_name_that_the_server_gave_it(dav: Proxied) -> None:
    moved = faults.changed(lambda full: full.headers.update(Location=f"{dav.store._collection.id}chosen%40here.ics"))
    dav.fault(Fault(moved, method="PUT"))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Written)
    assert outcome.ref.id == f"{dav.store._collection.id}chosen@here.ics"


@pytest.mark.parametrize("location", ["https://evil.example/x.ics", "/other/x.ics", "//evil.example/me/x.ics"])
def test_a_name_outside_the_calendar_is_not_believed(dav: Proxied, location: str) -> None:
    dav.fault(Fault(faults.changed(lambda full: full.headers.update(Location=location)), method="PUT"))
    outcome = only(dav, CREATE)
    assert isinstance(outcome, Written)
    assert outcome.ref.id == f"{dav.store._collection.id}fault-1.ics"
