"""`datebook connect` to Google: consent, PKCE, pasted addresses, tokens at rest, renewal, and what ends a sign-in."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.google_calendar.google_account import GoogleAccount
from adapters.net.transport import Session
from adapters.sign_in.oauth import GoogleTokens, OAuthApp
from adapters.sign_in.oauth_listener import Answered, Listener
from adapters.sign_in.oauth_tokens import KeptTokens
from adapters.sign_in.token_places import FilePlace
from daemon.core.errors import Forbidden, SignInNeeded, Unavailable
from tests.servers.google_home import Home, consent, visit
from tests.servers.google_persona import GooglePersona


@pytest.fixture
def persona() -> Iterator[GooglePersona]:
    with GooglePersona() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, persona: GooglePersona) -> Home:
    return Home(tmp_path, persona)


def test_the_pasted_address_signs_in_and_no_token_is_shown(home, persona):
    connecting = home.start("connect", "google", "--no-browser")
    code, out, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 0, err
    assert "Me (primary)" in out
    assert next(iter(persona.oauth.refresh)) in home.tokens.read_text()
    assert not any(token in out + err for token in [*persona.oauth.refresh, *persona.oauth.access])
    assert persona.oauth.secret not in out + err + home.tokens.read_text()


def test_the_tokens_are_for_the_eyes_of_their_user_alone(home):
    home.sign_in()
    assert stat.S_IMODE(home.tokens.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.tokens.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((home.root / "state").stat().st_mode) == 0o700


def test_the_link_asks_for_the_calendar_alone_with_pkce_and_a_loopback_port(home):
    connecting = home.start("connect", "google", "--no-browser", "--port", str(free_port()))
    asked = dict(part.split("=", 1) for part in urlsplit(connecting.link).query.split("&"))
    assert asked["scope"] == "https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].startswith("http%3A%2F%2F127.0.0.1%3A")
    assert (asked["access_type"], asked["prompt"]) == ("offline", "consent")
    assert connecting.end(consent(connecting.link) + "\n")[0] == 0


def free_port() -> int:
    from tests.servers.program import free_port as free

    return free()


def test_a_browser_that_comes_back_to_the_port_needs_no_paste(home):
    connecting = home.start("connect", "google", "--no-browser")
    target = consent(connecting.link)
    assert visit(target.partition("?")[0] + "favicon.ico")[0] == 404
    status, page, _ = visit(target)
    assert status == 200
    assert "Signed in" in page
    assert connecting.end()[0] == 0
    assert home.tokens.exists()


def test_an_address_of_another_sign_in_is_not_taken_and_may_be_pasted_again(home):
    connecting = home.start("connect", "google", "--no-browser")
    target = consent(connecting.link)
    foreign = re.sub(r"state=[^&]+", "state=foreign", target)
    assert visit(foreign)[0] == 404
    code, _, err = connecting.end(f"nonsense\n{foreign}\n{target}\n")
    assert code == 0
    assert "not the address" in err
    assert "another sign-in" in err


def test_who_says_no_is_told_what_to_do_and_nothing_is_kept(home):
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link, "deny") + "\n")
    assert code == 1
    assert "test users" in err
    assert not home.tokens.exists()


def test_without_the_box_for_the_calendar_the_missing_scope_is_named(home, persona):
    persona.oauth.unticked = True
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 1
    assert "ticked" in err
    assert not home.tokens.exists()


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"test_users": frozenset({"someone@else.example"})}, "access_denied"),
        ({"kind": "web"}, "redirect_uri_mismatch"),
        ({"client": "another.apps.googleusercontent.com"}, "invalid_client"),
    ],
)
def test_what_google_tells_the_browser_alone_is_explained_before(home, persona, fault, word):
    for name, value in fault.items():
        setattr(persona.oauth, name, value)
    connecting = home.start("connect", "google", "--no-browser")
    status, page, _ = visit(connecting.link)
    assert (status, word in page) == (400, True)
    assert "Access blocked" in connecting.read(rf".*{word}: .*")
    connecting.process.send_signal(signal.SIGINT)
    code, _, err = connecting.end()
    assert code != 0
    assert "Traceback" not in err
    assert not home.tokens.exists()


def test_a_sign_in_that_would_not_last_is_none_and_names_the_type_of_client(home):
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link.replace("prompt=consent", "prompt=none")) + "\n")
    assert code == 1
    assert "no refresh token" in err
    assert "Desktop app" in err
    assert not home.tokens.exists()


def test_a_wrong_client_secret_is_named(home):
    home.more["DATEBOOK_TEST_CLIENT"] = "GOCSPX-wrong"
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 1
    assert "Desktop app" in err
    assert "GOCSPX" not in err


def test_an_api_that_is_not_enabled_is_named_with_the_way_to_enable_it(home, persona):
    persona.api_enabled = False
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 1
    assert "Enable the CalDAV API" in err


def test_connecting_again_asks_for_no_consent_while_the_sign_in_holds(home, persona):
    home.sign_in()
    done = home.run("connect", "google")
    assert done.returncode == 0
    assert len(persona.oauth.refresh) == 1
    connecting = home.start("connect", "google", "--again", "--no-browser")
    assert connecting.end(consent(connecting.link) + "\n")[0] == 0
    assert len(persona.oauth.refresh) == 2


def test_a_new_account_is_added_with_its_client_once_the_sign_in_has_worked(tmp_path, persona):
    home = Home(tmp_path, persona)
    (tmp_path / "config.yaml").write_text("# mine\nstore: ~/D\nowner: me@example.com\n")
    options = ("--service", "google", "--url", persona.url, "--user", "me@example.com", "--no-browser")
    client = ("--client-id", persona.oauth.client, "--password-env", "DATEBOOK_TEST_CLIENT")
    connecting = home.start("connect", "google", *options, *client)
    code, _, err = connecting.end(consent(connecting.link, "deny") + "\n")
    assert code == 1, err
    assert (tmp_path / "config.yaml").read_text() == "# mine\nstore: ~/D\nowner: me@example.com\n"
    connecting = home.start("connect", "google", *options, *client)
    code, _, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 0, err
    text = (tmp_path / "config.yaml").read_text()
    assert f"client: {{id: {persona.oauth.client}, secret: {{env: DATEBOOK_TEST_CLIENT}}}}" in text
    assert "calendar: primary" in text


def test_the_wrong_person_in_the_browser_is_noticed(home, persona):
    persona.oauth.user = "me@example.com"
    config = (home.root / "config.yaml").read_text().replace("user: me@example.com", "user: you@example.com")
    (home.root / "config.yaml").write_text(config)
    connecting = home.start("connect", "google", "--no-browser")
    target = consent(connecting.link.replace("login_hint=you%40example.com", ""))
    code, out, _ = connecting.end(target + "\n")
    assert code == 3
    assert "me@example.com" in out
    assert "--again" in out


# Tokens that live on ---------------------------------------------------------------------------------


class Time:
    """A clock that is set by hand, shared by the persona and the tokens."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Signed:
    """A sign-in that has been made: its tokens, and the account that uses them."""

    time: Time
    persona: GooglePersona
    tokens: GoogleTokens
    account: GoogleAccount


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    time = Time()
    with GooglePersona(clock=time) as persona:
        tokens = tokens_of(persona, tmp_path, time)
        url, user = persona.url, persona.oauth.user
        account = GoogleAccount(
            url, user, tokens, renew=tokens.renew, zone="Europe/Helsinki", types=(), clock=time, name="google"
        )
        yield Signed(time, persona, tokens, account)
        account.close()


def tokens_of(persona: GooglePersona, folder: Path, time: Time) -> GoogleTokens:
    """Tokens as `connect` leaves them."""
    from adapters.sign_in.oauth_tokens import Tokens

    access, refresh = persona.oauth.issue()
    file = KeptTokens(FilePlace(folder / "secrets" / "google.json", "google"))
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(persona.url))
    grant = persona.oauth.refresh[refresh]
    life = timedelta(seconds=persona.oauth.lifetime)
    file.save(Tokens(access, time(), time() + life, refresh, f"{origin}/token", persona.oauth.client, grant.ends))
    app = OAuthApp(persona.oauth.client, lambda: persona.oauth.secret)
    return GoogleTokens(app, file, Session(store="google", timeout=5), time)


def test_a_token_is_renewed_before_it_ends_and_no_request_is_refused(signed):
    signed.account.calendars()
    for _ in range(3):
        signed.time.now += timedelta(minutes=56)
        assert signed.account.calendars()
    assert signed.persona.oauth.log == ["refresh_token"] * 3
    assert signed.tokens.expires() == signed.time() + timedelta(seconds=3599)


def test_a_token_that_is_refused_before_its_time_is_replaced_once(signed):
    signed.account.calendars()
    signed.persona.oauth.expire_access()
    assert signed.account.calendars()
    assert signed.persona.oauth.log == ["refresh_token"]


def test_a_revoked_sign_in_is_said_with_its_likely_causes(signed):
    signed.persona.oauth.revoke_all()
    with pytest.raises(SignInNeeded, match="invalid_grant") as caught:
        signed.account.calendars()
    for cause in ("datebook connect google", "7 days", "myaccount.google.com"):
        assert cause in caught.value.what_to_do


def test_a_sign_in_of_a_client_in_testing_says_when_it_ends(tmp_path):
    time = Time()
    with GooglePersona(clock=time) as persona:
        persona.oauth.testing = True
        tokens = tokens_of(persona, tmp_path, time)
        assert tokens.expires() == time() + timedelta(days=7)
        time.now += timedelta(days=3)
        tokens()
        assert tokens.expires() == time() + timedelta(days=4)
        time.now += timedelta(days=5)
        with pytest.raises(SignInNeeded):
            tokens()


def test_a_token_endpoint_that_is_down_is_tried_later_and_a_good_token_used_meanwhile(signed):
    signed.time.now += timedelta(minutes=57)
    signed.persona.oauth.broken = 5
    assert signed.tokens() in signed.persona.oauth.access
    signed.time.now += timedelta(minutes=10)
    signed.persona.oauth.broken = 5
    with pytest.raises(Unavailable) as caught:
        signed.tokens()
    assert not caught.value.uncertain
    signed.persona.oauth.broken = 0
    assert signed.tokens() in signed.persona.oauth.access


def test_many_threads_and_a_second_program_renew_a_token_once(signed, tmp_path):
    other = GoogleTokens(signed.tokens.app, signed.tokens.kept, Session(store="google"), signed.time)
    signed.time.now += timedelta(hours=2)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda source=source: got.append(source())) for source in [signed.tokens, other] * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert signed.persona.oauth.log == ["refresh_token"]


def test_a_new_sign_in_is_noticed_and_a_renewal_is_none(signed, tmp_path):
    signed.tokens()
    assert not signed.tokens.changed()
    signed.time.now += timedelta(hours=2)
    signed.tokens()
    assert not signed.tokens.changed()
    tokens_of(signed.persona, tmp_path, signed.time)
    assert signed.tokens.changed()
    assert signed.tokens() in signed.persona.oauth.access


def test_tokens_of_another_client_id_and_damaged_ones_ask_for_a_sign_in(signed):
    signed.tokens.app = OAuthApp("another", lambda: "secret")
    with pytest.raises(SignInNeeded, match="another client id"):
        signed.tokens()
    signed.tokens.kept.place.path.write_text('{"access": 1}')
    with pytest.raises(SignInNeeded, match="damaged"):
        signed.tokens()
    signed.tokens.kept.place.remove()
    with pytest.raises(SignInNeeded, match="nobody has signed in"):
        signed.tokens()


def test_a_token_without_the_scope_is_forbidden_and_named(persona):
    access, _ = persona.oauth.issue(scope="openid")
    account = GoogleAccount(
        persona.url, "me@example.com", lambda: access, zone="UTC", types=(), clock=lambda: datetime.now(UTC)
    )
    with pytest.raises(Forbidden) as caught:
        account.calendars()
    assert "ticked" in caught.value.what_to_do
    account.close()


def test_no_token_is_in_any_log_or_repr(signed, caplog):
    caplog.set_level("DEBUG")
    signed.time.now += timedelta(hours=2)
    signed.account.calendars()
    said = caplog.text + repr(signed.tokens) + repr(signed.tokens.kept.load())
    assert not any(token in said for token in [*signed.persona.oauth.access, *signed.persona.oauth.refresh])
    assert signed.persona.oauth.secret not in said


def test_the_status_says_when_the_sign_in_ends(home, persona):
    home.sign_in()
    assert home.run("sync").returncode == 0
    status = json.loads((home.root / "state" / "status.json").read_text())
    ends = datetime.fromisoformat(status["accounts"]["google"]["token_expires"])
    assert timedelta(minutes=50) < ends - datetime.now(UTC) < timedelta(minutes=61)


def test_the_browser_has_its_page_before_the_answer_is_taken(monkeypatch):
    sent = threading.Event()
    write = BaseHTTPRequestHandler.end_headers

    def slowly(handler):
        sent.wait(0.3)  # a machine under load
        write(handler)
        sent.set()

    monkeypatch.setattr(BaseHTTPRequestHandler, "end_headers", slowly)
    with Listener(0) as listener:
        listener.expect("mine")
        link = f"http://127.0.0.1:{listener.port}/?state=mine&error=access_denied"
        asking = threading.Thread(target=visit, args=[link])
        asking.start()
        assert os.read(listener.woken, 1)
        assert sent.is_set()
        assert listener.answered == Answered("mine", error="access_denied")
        asking.join()
