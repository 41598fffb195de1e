"""`tokens: keyring`: what signing in gave is in the keyring and in no file, and a keyring that fails loses nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import keyring
import pytest

from adapters.net.transport import Session
from adapters.sign_in.keyring_calls import from_keyring
from adapters.sign_in.microsoft_signin import TokenSource, sign_in
from adapters.sign_in.oauth import GoogleTokens, OAuthApp
from adapters.sign_in.oauth_tokens import KeptTokens, Tokens
from adapters.sign_in.token_places import SERVICE, KeyringPlace
from daemon.core.errors import SecretNeeded, SignInNeeded
from tests.servers.file_ring import FileRing
from tests.servers.google_home import Home, consent
from tests.servers.google_persona import GooglePersona
from tests.servers.graph_login import CLIENT, Routed, serving


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileRing]:
    (tmp_path / "ring").mkdir()
    monkeypatch.setenv("DATEBOOK_TEST_RING", str(tmp_path / "ring" / "entries.json"))
    before, own = keyring.get_keyring(), FileRing()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


def lock(ring: FileRing) -> None:
    ring.path.with_name("locked").touch()


def unlock(ring: FileRing) -> None:
    ring.path.with_name("locked").unlink()


def fill(ring: FileRing) -> None:
    ring.path.with_name("full").touch()


def on_the_keyring(home: Home, ring: FileRing) -> Home:
    """The same machine with `tokens: keyring`; its programs meet the same keyring."""
    config = home.root / "config.yaml"
    config.write_text(config.read_text().replace("service: google\n", "service: google\n    tokens: keyring\n"))
    home.more["PYTHON_KEYRING_BACKEND"] = "tests.servers.file_ring.FileRing"
    home.more["DATEBOOK_TEST_RING"] = str(ring.path)
    home.more["PYTHONPATH"] = str(Path(__file__).parents[2])
    return home


@pytest.fixture
def persona() -> Iterator[GooglePersona]:
    with GooglePersona() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, persona: GooglePersona, ring: FileRing) -> Home:
    (tmp_path / "home").mkdir()
    return on_the_keyring(Home(tmp_path / "home", persona), ring)


def test_connect_puts_the_tokens_into_the_keyring_and_into_no_file_and_disconnect_takes_them_away(home, persona, ring):
    home.tokens.parent.mkdir(parents=True)
    home.tokens.write_text("from before")
    home.sign_in()
    [kept] = ring.entries().values()
    assert next(iter(persona.oauth.refresh)) in kept
    assert not home.tokens.exists()
    assert home.run("sync").returncode == 0
    assert home.run("disconnect", "google").returncode == 0
    assert ring.entries() == {}


def test_disconnect_throws_away_a_file_of_tokens_too(tmp_path, persona):
    home = Home(tmp_path, persona)
    home.sign_in()
    assert home.tokens.exists()
    assert home.run("disconnect", "google").returncode == 0
    assert not home.tokens.exists()


def test_a_locked_keyring_is_said_with_its_cure_before_anybody_is_sent_to_the_browser(home, persona, ring):
    lock(ring)
    done = home.run("connect", "google", "--no-browser")
    assert done.returncode == 1
    assert "the keyring is locked" in done.stderr
    assert "tokens: keyring" in done.stderr
    assert "/o/oauth2/" not in done.stderr
    unlock(ring)
    home.sign_in()
    lock(ring)
    done = home.run("sync")
    assert done.returncode == 1
    assert "the keyring is locked" in done.stderr
    unlock(ring)
    assert home.run("sync").returncode == 0
    assert len(persona.oauth.refresh) == 1


def test_a_machine_without_a_keyring_is_told_so(home):
    home.more["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    done = home.run("connect", "google", "--no-browser")
    assert done.returncode == 1
    assert "there is no keyring here" in done.stderr


def test_a_keyring_that_does_not_take_the_tokens_is_no_sign_in(home, ring):
    fill(ring)
    connecting = home.start("connect", "google", "--no-browser")
    code, _, err = connecting.end(consent(connecting.link) + "\n")
    assert code == 1
    assert "does not take this secret" in err
    ring.path.with_name("full").unlink()
    home.sign_in()
    assert home.run("sync").returncode == 0


def test_a_keyring_that_keeps_nothing_is_found_out(tmp_path, ring, monkeypatch):
    monkeypatch.setattr(FileRing, "set_password", lambda *_: None)
    with pytest.raises(SecretNeeded, match="did not keep"):
        KeyringPlace(tmp_path / "google.json", "google").write("a token")


def test_a_keyring_that_gives_no_answer_is_not_waited_for_for_ever():
    release = threading.Event()
    with pytest.raises(SecretNeeded, match="no answer"):
        from_keyring(release.wait, "", patience=0.05)
    with pytest.raises(SecretNeeded, match="no answer"):
        from_keyring(lambda: "", "", patience=0.05)
    release.set()
    assert from_keyring(lambda: "well again", "") == "well again"


def test_whatever_a_back_end_raises_is_a_problem_with_its_cure():
    def broken() -> None:
        raise ZeroDivisionError("canary")

    with pytest.raises(SecretNeeded) as caught:
        from_keyring(broken, "Unlock it.")
    assert caught.value.what_to_do == "Unlock it."
    assert "canary" not in str(caught.value)


# A program that runs while the keyring is locked ------------------------------------------------------


def google_tokens(persona: GooglePersona, place: KeyringPlace, now: list[datetime]) -> GoogleTokens:
    """Tokens as `connect` leaves them in the keyring."""
    access, refresh = persona.oauth.issue()
    kept = KeptTokens(place)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(persona.url))
    end = now[0] + timedelta(seconds=persona.oauth.lifetime)
    kept.save(Tokens(access, now[0], end, refresh, f"{origin}/token", persona.oauth.client))
    app = OAuthApp(persona.oauth.client, lambda: persona.oauth.secret)
    return GoogleTokens(app, kept, Session(store="google", timeout=5), lambda: now[0])


@pytest.mark.parametrize("trouble", [lock, fill])
def test_a_keyring_that_locks_under_the_daemon_ends_no_sign_in(tmp_path, ring, trouble):
    now = [datetime(2026, 11, 24, 9, tzinfo=UTC)]
    with GooglePersona(clock=lambda: now[0]) as persona:
        place = KeyringPlace(tmp_path / "google.json", "google")
        tokens = google_tokens(persona, place, now)
        tokens()
        trouble(ring)
        for _ in range(3):
            now[0] += timedelta(hours=1)
            assert persona.oauth.bearer(f"Bearer {tokens()}")
        assert not tokens.changed()
        for name in ("locked", "full"):
            ring.path.with_name(name).unlink(missing_ok=True)
        now[0] += timedelta(hours=1)
        assert tokens() in (place.read() or "")


def test_a_keyring_that_was_locked_at_the_start_is_noticed_when_it_is_unlocked(tmp_path, ring):
    now = [datetime(2026, 11, 24, 9, tzinfo=UTC)]
    with GooglePersona(clock=lambda: now[0]) as persona:
        tokens = google_tokens(persona, KeyringPlace(tmp_path / "google.json", "google"), now)
        lock(ring)
        with pytest.raises(SecretNeeded, match="locked"):
            tokens()
        assert not tokens.changed()
        unlock(ring)
        assert tokens.changed()
        assert persona.oauth.bearer(f"Bearer {tokens()}")


def test_two_state_folders_have_entries_of_their_own(tmp_path, ring):
    one, other = (KeyringPlace(tmp_path / name / "google.json", "google") for name in ("one", "other"))
    one.write("1")
    other.write("2")
    one.remove()
    assert (one.read(), other.read()) == (None, "2")
    assert all(name.startswith(f"{SERVICE} ") for name in ring.entries())


def test_microsofts_tokens_are_in_the_keyring_and_outlive_its_being_locked(tmp_path, ring):
    place = KeyringPlace(tmp_path / "office.json", "office")
    with serving() as login:
        shown: list[str] = []

        def paste(_prompt: str) -> str:
            link = re.search(r"https://\S+", shown[-1])
            assert link
            return "http://localhost/?" + urlencode(login.authorize(link[0]))

        http = Routed(login)
        lock(ring)
        with pytest.raises(SecretNeeded, match="locked"):
            sign_in(CLIENT, "", place, open_browser=False, show=shown.append, read=paste, http=http)
        assert shown == []
        unlock(ring)
        login.lifetime = 60
        sign_in(CLIENT, "", place, open_browser=False, show=shown.append, read=paste, http=http)
        tokens = TokenSource(CLIENT, "", place, name="office", http=http)
        assert tokens() == login.granted[1]
        assert tokens.expires() is not None
        lock(ring)
        assert tokens() == login.granted[2]
        unlock(ring)
        assert tokens() == login.granted[3]
        assert login.granted[3] in (place.read() or "")
        place.remove()
        with pytest.raises(SignInNeeded, match="nobody has signed in"):
            TokenSource(CLIENT, "", place, name="office", http=http)()
