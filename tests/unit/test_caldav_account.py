"""One sign-in at a CalDAV server: what is found there, by which names, and what goes wrong."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.dav.caldav_account import CalDavAccount
from adapters.net.signing import basic_auth
from daemon.core.errors import Forbidden, Missing, SignInNeeded, Unavailable
from daemon.core.store import Gone
from tests.servers.fault_proxy import Act, Answer, Exchange, Fault, FaultProxy, answer, changed
from tests.servers.null_dav import null_dav
from tests.servers.program import Program
from tests.servers.proxied import TIMEOUT
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.worlds import TYPES, ZONE, now
from tests.servers.xandikos_server import xandikos

NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
READ_WRITE = "<D:current-user-privilege-set><D:privilege><D:write/></D:privilege></D:current-user-privilege-set>"
READ = "<D:current-user-privilege-set><D:privilege><D:read/></D:privilege></D:current-user-privilege-set>"


def account(url: str, *, password: str = "secret", clock: datetime | None = None) -> CalDavAccount:
    return CalDavAccount(
        url, "me", lambda: password, zone=ZONE, types=TYPES, clock=lambda: clock or now(), name="test", timeout=TIMEOUT
    )


def multistatus(*responses: tuple[str, str]) -> Act:
    inner = "".join(
        f"<D:response><D:href>{href}</D:href><D:propstat><D:prop>{props}</D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        for href, props in responses
    )
    body = f'<?xml version="1.0"?><D:multistatus {NAMESPACES}>{inner}</D:multistatus>'.encode()
    return answer(207, body, Content_Type="application/xml")


def calendar(name: str, *, components: str = "VEVENT", rights: str = READ_WRITE) -> str:
    return (
        f"<D:displayname>{name}</D:displayname><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>{rights}"
        f'<C:supported-calendar-component-set><C:comp name="{components}"/></C:supported-calendar-component-set>'
    )


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.get(null_dav).home) as running:
        yield running


def scripted(proxy: FaultProxy, answers: dict[str, Act]) -> CalDavAccount:
    """An account of a server that says this at these paths, and 404 elsewhere."""
    for path, act in sorted(answers.items(), key=lambda pair: -len(pair[0])):
        proxy.add(Fault(act, path=path, times=None))
    proxy.add(Fault(answer(404), times=None))
    return account(f"http://127.0.0.1:{proxy.port}/")


@pytest.mark.parametrize("program", [null_dav, radicale, xandikos])
def test_a_calendar_is_opened_by_each_of_its_names(servers: Servers, program: type[Program]) -> None:
    server = servers.get(program)
    url = servers.calendar(server)
    name = url.rstrip("/").rpartition("/")[2]
    path = url.partition("127.0.0.1")[2].partition("/")[2]
    opened = account(server.home)
    for way in (name, name.upper(), url, url.rstrip("/"), f"/{path}", f"/{path}".rstrip("/")):
        assert opened.open(way).identity == url, way
    opened.close()
    directly = account(url)
    assert directly.open(name).identity == url
    directly.close()


@pytest.mark.parametrize("program", [null_dav, radicale, xandikos])
def test_real_servers_are_found_from_their_root_and_from_a_home(servers: Servers, program: type[Program]) -> None:
    server = servers.get(program)
    url = servers.calendar(server)
    name = url.rstrip("/").rpartition("/")[2]
    for start in (f"http://127.0.0.1:{server.port}/", f"http://127.0.0.1:{server.port}", server.home):
        opened = account(start)
        found = {info.name: info for info in opened.calendars()}
        opened.close()
        assert found[name].writable is True
        assert sum(info.primary for info in found.values()) == 1


def test_a_name_that_is_not_there_is_answered_with_those_that_are(servers: Servers) -> None:
    server = servers.get(null_dav)
    name = servers.calendar(server).rstrip("/").rpartition("/")[2]
    with pytest.raises(Missing) as caught:
        account(server.home).open("Holidays")
    assert name in caught.value.what_to_do
    with pytest.raises(Missing):
        account(server.home).open(f"{server.home}nothing-here/")
    with pytest.raises(Missing):
        account(server.home).open(server.home)  # a home is no calendar


def test_well_known_leads_to_the_server(proxy: FaultProxy) -> None:
    opened = scripted(
        proxy,
        {
            "/.well-known/caldav": answer(301, Location="/remote.php/dav/"),
            "/remote.php/dav/": multistatus(
                (
                    "/remote.php/dav/",
                    "<D:current-user-principal><D:href>/principals/me/</D:href></D:current-user-principal>",
                )
            ),
            "/principals/me/": multistatus(
                ("/principals/me/", "<C:calendar-home-set><D:href>/calendars/me/</D:href></C:calendar-home-set>")
            ),
            "/calendars/me/": multistatus(
                ("/calendars/me/", "<D:resourcetype><D:collection/></D:resourcetype>"),
                ("/calendars/me/personal/", calendar("Personal")),
            ),
        },
    )
    assert [(info.id, info.name, info.primary) for info in opened.calendars()] == [
        ("/calendars/me/personal/", "Personal", True)
    ]


def test_the_default_calendar_of_the_server_is_the_primary_one(proxy: FaultProxy) -> None:
    inbox = "<C:schedule-inbox-URL><D:href>/inbox/</D:href></C:schedule-inbox-URL>"
    home = "<C:calendar-home-set><D:href>/home/</D:href></C:calendar-home-set>"
    default = "<C:schedule-default-calendar-URL><D:href>/home/b%40c/</D:href></C:schedule-default-calendar-URL>"
    opened = scripted(
        proxy,
        {
            "/inbox/": multistatus(("/inbox/", default)),
            "/home/": multistatus(
                ("/home/a/", calendar("A")),
                ("/home/b@c/", calendar("B", rights=READ)),
                ("/home/tasks/", calendar("Tasks", components="VTODO")),
                ("/home/book/", "<D:displayname>Book</D:displayname><D:resourcetype><D:collection/></D:resourcetype>"),
            ),
            "/": multistatus(("/", home + inbox)),
        },
    )
    assert [(info.id, info.primary, info.writable) for info in opened.calendars()] == [
        ("/home/a/", False, True),
        ("/home/b@c/", True, False),
    ]
    assert opened.open("primary").identity.endswith("/home/b@c/")


def test_two_calendars_of_one_name_are_told_apart_by_id(proxy: FaultProxy) -> None:
    home = "<C:calendar-home-set><D:href>/home/</D:href></C:calendar-home-set>"
    listing = multistatus(("/home/a/", calendar("Work")), ("/home/b/", calendar("work ")))
    opened = scripted(proxy, {"/home/": listing, "/": multistatus(("/", home))})
    with pytest.raises(Missing, match="several") as caught:
        opened.open("Work")
    assert "/home/a/" in caught.value.what_to_do
    assert opened.open("a").identity.endswith("/home/a/")


def test_no_caldav_server_at_the_address_is_said(proxy: FaultProxy) -> None:
    with pytest.raises(Missing, match="no CalDAV server"):
        scripted(proxy, {}).calendars()


def test_a_wrong_password_is_for_the_user(proxy: FaultProxy) -> None:
    proxy.add(Fault(answer(401, WWW_Authenticate="Basic realm=x"), times=None))
    opened = account(proxy.url_of("http://x/me/work/"))
    with pytest.raises(SignInNeeded) as caught:
        opened.calendars()
    assert "datebook connect" in caught.value.what_to_do
    assert len(proxy.log) == 1


def guarded_by(token: list[str]) -> Act:
    def act(exchange: Exchange) -> None:
        right = exchange.request.headers.get("authorization") == f"Bearer {token[0]}"
        exchange.send(exchange.forward() if right else Answer(401, {"WWW-Authenticate": "Bearer"}))

    return act


def test_a_token_that_expired_is_asked_for_anew_once(servers: Servers, proxy: FaultProxy) -> None:
    url = servers.calendar(servers.get(null_dav))
    valid = ["first"]
    asked: list[str] = []

    def broker() -> str:
        asked.append(valid[0])
        return valid[0]

    proxy.add(Fault(guarded_by(valid), times=None))
    opened = CalDavAccount(
        proxy.url_of(url), "me", broker, bearer=True, zone=ZONE, types=TYPES, clock=now, timeout=TIMEOUT
    )
    store = opened.open(proxy.url_of(url))
    assert asked == ["first"]
    valid[0] = "second"
    threads = [threading.Thread(target=store.changes, args=(None,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.changes(None).complete
    assert asked[:2] == ["first", "second"]
    assert len(asked) <= 3


def test_a_server_that_wants_a_digest_gets_one(servers: Servers, proxy: FaultProxy) -> None:
    def digest_only(exchange: Exchange) -> None:
        signed = exchange.request.headers.get("authorization", "").startswith('Digest username="me", realm="r"')
        challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'}
        exchange.send(exchange.forward() if signed else Answer(401, challenge))

    url = servers.calendar(servers.get(null_dav))
    proxy.add(Fault(digest_only, times=None))
    store = account(proxy.url_of(url)).open(proxy.url_of(url))
    proxy.log.clear()
    assert store.changes(None).complete
    assert len(proxy.log) == 2  # no challenge again


def test_a_secret_that_cannot_be_read_is_no_crash(servers: Servers) -> None:
    def locked() -> str:
        raise SignInNeeded("the keyring is locked", what_to_do="Unlock it.")

    opened = CalDavAccount(servers.get(null_dav).home, "me", locked, zone=ZONE, types=TYPES, clock=now)
    with pytest.raises(SignInNeeded, match="locked"):
        opened.calendars()
    [finding] = opened.check()
    assert (finding.code, finding.ok, finding.cure) == ("login", False, "Unlock it.")


def test_a_healthy_account_has_nothing_but_good_findings(servers: Servers) -> None:
    server = servers.get(radicale)
    servers.calendar(server)
    findings = list(account(server.home, clock=datetime.now(UTC)).check())
    assert {finding.code for finding in findings} == {"login", "principal", "clock", "calendars", "rights"}
    assert all(finding.ok and not finding.cure for finding in findings)


def test_a_clock_that_is_wrong_is_found(servers: Servers) -> None:
    server = servers.get(radicale)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    [finding] = [finding for finding in account(server.home, clock=ahead).check() if finding.code == "clock"]
    assert not finding.ok
    assert "ahead" in finding.message
    assert finding.cure


def test_a_calendar_that_may_only_be_read_is_found(servers: Servers, proxy: FaultProxy) -> None:
    read_only = changed(lambda full: setattr(full, "body", full.body.replace(b"<D:write/>", b"<D:read-acl/>")))
    proxy.add(Fault(read_only, method="PROPFIND", times=None))
    findings = [finding for finding in account(f"http://127.0.0.1:{proxy.port}/me/").check() if not finding.ok]
    assert findings
    assert {finding.code for finding in findings} == {"rights"}
    assert all("from-calendar" in finding.cure for finding in findings)


def test_a_server_that_is_away_is_said_with_a_cure(proxy: FaultProxy) -> None:
    proxy.add(Fault(answer(503), times=None))
    [finding] = account(f"http://127.0.0.1:{proxy.port}/me/").check()
    assert (finding.code, finding.ok) == ("login", False)
    assert finding.cure


def test_plain_http_to_another_machine_is_refused_before_the_secret_is_read() -> None:
    def never() -> str:
        raise AssertionError

    opened = CalDavAccount("http://dav.example.com/", "me", never, zone=ZONE, types=TYPES, clock=now)
    with pytest.raises(Forbidden):
        opened.calendars()


def test_no_title_and_no_password_reaches_the_log(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    server = servers.get(null_dav)
    url = servers.calendar(server)
    server.ask(
        "PUT", f"{url}canary.ics", b"BEGIN:VCALENDAR\r\nSUMMARY:canary title\r\n", {"Content-Type": "text/calendar"}
    )
    opened = account(server.home, password="canary password")
    with caplog.at_level(logging.DEBUG):
        store = opened.open(url)
        ids = [ref.id for ref in store.changes(None).items]
        assert not any(isinstance(reading, Gone) for reading in store.read([*ids, *ids]))
    header: list[str] = []
    basic_auth("me", "canary password")(type("Signed", (), {"headers": (made := {})})())
    header = list(made.values())
    assert "canary" not in caplog.text
    assert header[0].split()[1] not in caplog.text


def test_nothing_heavy_is_imported_before_a_request_is_made() -> None:
    code = (
        "import sys; from adapters.dav.caldav_account import CalDavAccount as A;"
        "A('https://x/', 'me', str, zone='UTC', types=(), clock=str).close();"
        "print([name for name in ('caldav', 'niquests', 'keyring', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_error_names_the_account_and_never_the_password(proxy: FaultProxy) -> None:
    proxy.add(Fault(answer(503), times=None))
    with pytest.raises(Unavailable) as caught:
        account(f"http://127.0.0.1:{proxy.port}/me/", password="canary").calendars()
    assert caught.value.store == "test"
    assert "canary" not in str(caught.value)
