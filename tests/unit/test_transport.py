"""The HTTP session: kept connections, no blind repetition, nothing sent where it should not go."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adapters.net.origin import origin_of, proxy_for
from adapters.net.signing import basic_auth, bearer_auth
from adapters.net.transport import Session
from daemon.core.errors import Forbidden, Unavailable

Script = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self.respond

    def respond(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.log.append((self.command, self.path))
        self.server.peers.add(self.client_address[1])
        self.server.script(self)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log: list[tuple[str, str]] = []
        self.peers: set[int] = set()
        self.script: Script = lambda handler: handler.say(200, b"hello")
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(timeout=2, limit=1 << 20, store="test")
    yield made
    made.close()


def test_requests_share_one_kept_alive_connection(server: Server, session: Session) -> None:
    for _ in range(20):
        assert session.request("GET", f"{server.url}/a").body == b"hello"
    assert len(server.peers) == 1
    assert (session.counters.requests, session.counters.connections) == (20, 1)
    assert session.counters.received > 100


def test_threads_have_connections_of_their_own_and_the_right_answers(server: Server, session: Session) -> None:
    server.script = lambda handler: handler.say(200, handler.path.encode())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: session.request("GET", f"{server.url}/{n}").body, range(200)))
    assert answers == [f"/{n}".encode() for n in range(200)]
    assert len(server.peers) <= 8


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "REPORT", "PUT", "DELETE"])
def test_a_connection_that_the_server_closed_while_idle_is_replaced(
    server: Server, session: Session, method: str
) -> None:
    closed = threading.Event()

    def then_close(handler: Handler) -> None:
        handler.say(200)
        handler.close_connection = True
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server.script = then_close
    session.request("GET", server.url)
    assert closed.wait(2)
    assert session.request(method, server.url).status == 200
    assert [seen for seen, _ in server.log] == ["GET", method]


@pytest.mark.parametrize(("method", "sent"), [("REPORT", 2), ("PUT", 1), ("DELETE", 1), ("POST", 1)])
def test_only_what_changes_nothing_is_sent_again_when_a_kept_connection_dies(
    server: Server, session: Session, method: str, sent: int
) -> None:
    session.request("GET", server.url)

    def die_once(handler: Handler) -> None:
        server.script = lambda again: again.say(200, b"second")
        handler.close_connection = True

    server.log.clear()
    server.script = die_once
    if sent == 2:
        assert session.request(method, server.url).body == b"second"
    else:
        with pytest.raises(Unavailable) as caught:
            session.request(method, server.url, b"x")
        assert caught.value.uncertain
    assert len(server.log) == sent


def test_a_fresh_connection_that_dies_is_not_tried_again(server: Server, session: Session) -> None:
    server.script = lambda handler: setattr(handler, "close_connection", True)
    with pytest.raises(Unavailable):
        session.request("REPORT", server.url)
    assert len(server.log) == 1


def test_nothing_that_was_not_sent_is_uncertain(session: Session) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Unavailable, match="refused") as caught:
        session.request("PUT", f"http://127.0.0.1:{port}/", b"x")
    assert not caught.value.uncertain
    with pytest.raises(Unavailable, match="DNS") as caught:
        session.request("PUT", "https://no-such-host.invalid/", b"x")
    assert not caught.value.uncertain


@pytest.mark.parametrize("url", ["http://example.com/", "http://192.168.1.5:8080/", "http://127.0.0.1.example.com/"])
def test_plain_http_is_for_this_machine_alone(session: Session, url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        session.request("GET", url)
    assert "https" in caught.value.what_to_do


@pytest.mark.parametrize("url", ["ftp://example.com/", "file:///etc/passwd", "example.com", "https://"])
def test_only_http_addresses_are_opened(session: Session, url: str) -> None:
    with pytest.raises(Forbidden):
        session.request("GET", url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://[::1]:5232/", "http://localhost/", "https://example.com/"]
)
def test_loopback_and_https_are_taken(url: str) -> None:
    assert origin_of(url).port > 0


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_packed_answers_are_unpacked(server: Server, session: Session, encode: Callable[[bytes], bytes]) -> None:
    name = "gzip" if encode is gzip.compress else "deflate"
    server.script = lambda handler: handler.say(200, encode(b"hello " * 1000), Content_Encoding=name)
    assert session.request("GET", server.url).body == b"hello " * 1000


@pytest.mark.parametrize("body", [gzip.compress(bytes(2 << 20)), gzip.compress(b"x" * 99999)[:-20], b"junk"])
def test_packed_answers_that_burst_or_break_are_refused(server: Server, session: Session, body: bytes) -> None:
    server.script = lambda handler: handler.say(200, body, Content_Encoding="gzip")
    with pytest.raises(Unavailable):
        session.request("GET", server.url)


def test_an_answer_beyond_the_limit_is_refused(server: Server, session: Session) -> None:
    server.script = lambda handler: handler.say(200, bytes((1 << 20) + 1))
    with pytest.raises(Unavailable):
        session.request("GET", server.url)
    server.script = lambda handler: handler.say(200, bytes(1 << 20))
    assert len(session.request("GET", server.url).body) == 1 << 20


def test_chunked_answers_are_read_to_their_end(server: Server, session: Session) -> None:
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

    server.script = chunked
    assert session.request("GET", server.url).body == b"hello world"
    assert session.request("GET", server.url).body == b"hello world"
    assert len(server.peers) == 1


def test_chunks_that_stop_are_half_an_answer(server: Server, session: Session) -> None:
    def broken(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"ff\r\nhello")
        handler.close_connection = True

    server.script = broken
    with pytest.raises(Unavailable):
        session.request("REPORT", server.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_reads_follow_a_redirect_on_the_same_host(server: Server, session: Session, status: int) -> None:
    server.script = lambda handler: (
        handler.say(200, b"there") if handler.path == "/there" else handler.say(status, Location="/there")
    )
    response = session.request("PROPFIND", f"{server.url}/here", b"<x/>")
    assert (response.body, response.url) == (b"there", f"{server.url}/there")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_writes_follow_no_redirect(server: Server, session: Session, method: str) -> None:
    server.script = lambda handler: handler.say(307, Location="/there")
    assert session.request(method, f"{server.url}/here", b"x").status == 307
    assert len(server.log) == 1


def test_a_password_never_follows_a_redirect_to_another_host(server: Server, session: Session) -> None:
    with Server() as elsewhere:
        server.script = lambda handler: handler.say(302, Location=elsewhere.url)
        assert session.request("GET", server.url, auth=basic_auth("me", "secret")).status == 302
        assert not elsewhere.log


def test_basic_signing_is_utf8_and_bearer_signing_is_a_token(server: Server, session: Session) -> None:
    server.script = lambda handler: handler.say(200, handler.headers["Authorization"].encode())
    assert session.request("GET", server.url, auth=basic_auth("me", "sécret")).text == "Basic bWU6c8OpY3JldA=="
    assert session.request("GET", server.url, auth=bearer_auth("t0ken")).text == "Bearer t0ken"


def test_a_digest_challenge_is_answered_by_the_handler_of_requests(server: Server, session: Session) -> None:
    from caldav.lib.http_sync import requests

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    def guarded(handler: Handler) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', handler.headers.get("Authorization", "")))
        if not given:
            handler.say(401, WWW_Authenticate='Digest realm="r", nonce="n0", qop="auth", algorithm=MD5')
            return
        wanted = md5(f"{md5('me:r:secret')}:n0:{given['nc']}:{given['cnonce']}:auth:{md5(f'PUT:{handler.path}')}")
        handler.say(201 if given["response"] == wanted else 403)

    server.script = guarded
    auth = requests.auth.HTTPDigestAuth("me", "secret")
    assert session.request("PUT", f"{server.url}/x", b"body", auth=auth).status == 201
    assert session.request("PUT", f"{server.url}/y", b"body", auth=auth).status == 201
    assert len(server.log) == 3  # one challenge is enough


def test_a_header_cannot_be_smuggled_in(server: Server, session: Session) -> None:
    with pytest.raises(Unavailable):
        session.request("GET", server.url, headers={"X-A": "b\r\nX-Evil: 1"})
    assert not server.log


def test_the_environment_names_a_proxy_for_https_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "internal.example, .corp.example")
    assert proxy_for(origin_of("https://example.com/")) == "http://proxy.example:3128"
    assert proxy_for(origin_of("https://internal.example/")) == ""
    assert proxy_for(origin_of("https://mail.corp.example/")) == ""
    assert proxy_for(origin_of("http://127.0.0.1/")) == ""
    assert proxy_for(origin_of("https://localhost/")) == ""


def test_https_goes_through_the_proxy_as_a_tunnel(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("https_proxy", f"http://u:p@127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        asked: list[bytes] = []

        def proxy() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=proxy)
        thread.start()
        with pytest.raises(Unavailable, match="proxy") as caught:
            session.request("PUT", "https://dav.example/x", b"x")
        thread.join()
    assert not caught.value.uncertain
    assert asked[0].startswith(b"CONNECT dav.example:443 ")
    assert b"Proxy-Authorization: Basic dTpw" in asked[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(server: Server, certificate: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return f"https://localhost:{server.server_address[1]}/"


def test_a_private_authority_is_trusted_when_it_is_named(secure: str, certificate: Path) -> None:
    session = Session(ca=certificate, timeout=5)
    assert [session.request("GET", secure).body for _ in range(3)] == [b"hello"] * 3
    assert session.counters.connections == 1
    session.close()


def test_an_unknown_authority_is_refused_before_anything_is_sent(secure: str, server: Server) -> None:
    with pytest.raises(Unavailable, match="certificate is not trusted") as caught:
        Session(timeout=5).request("PUT", secure, b"x", auth=basic_auth("me", "secret"))
    assert not caught.value.uncertain
    assert not server.log


def test_an_authority_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match=r"missing\.pem"):
        Session(ca=tmp_path / "missing.pem").request("GET", "https://localhost:1/")
