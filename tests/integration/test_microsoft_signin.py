"""Signing in to Microsoft with the real msal against a simulated sign-in over real HTTP."""

from __future__ import annotations

import logging
import re
import stat
import webbrowser
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from adapters.sign_in.microsoft_app import cloud_of
from adapters.sign_in.microsoft_signin import TokenSource, sign_in
from adapters.sign_in.microsoft_words import trouble
from adapters.sign_in.token_places import FilePlace
from daemon.core.errors import Forbidden, SignInNeeded, Unavailable
from tests.servers.graph_login import CLIENT, Browser, Routed, serving
from tests.servers.graph_server import serving as serving_graph
from tests.servers.graph_worlds import graph_account


@pytest.fixture
def login():
    with serving() as server:
        yield server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "tokens" / "office.json"


def paste(login, **more):
    """What a person pastes who opened the link."""

    def read(_prompt):
        link = re.search(r"https://\S+", shown[-1])[0]
        return "http://localhost/?" + urlencode(login.authorize(link) | more)

    shown = []
    return shown, read


def signed_in(login, cache, **more):
    shown, read = paste(login)
    options = {"open_browser": False, "show": shown.append, "read": read, "http": Routed(login)} | more
    sign_in(CLIENT, "", FilePlace(cache), **options)
    return shown


def source(login, cache, **more):
    return TokenSource(CLIENT, "", FilePlace(cache), http=Routed(login), **more)


def test_the_link_is_shown_and_the_pasted_address_signs_in(login, cache):
    shown = signed_in(login, cache)
    query = parse_qs(urlsplit(re.search(r"https://\S+", shown[0])[0]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert set(query["scope"][0].split()) == {"Calendars.ReadWrite", "offline_access", "openid", "profile"}
    assert source(login, cache)() == login.granted[0]


def test_the_tokens_are_for_their_users_eyes_alone(login, cache):
    signed_in(login, cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o700
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_the_browser_is_opened_and_its_answer_comes_by_loopback(login, cache, monkeypatch):
    browser = Browser(login)
    monkeypatch.setattr(webbrowser, "get", lambda *_: browser)
    monkeypatch.setattr(webbrowser, "open", browser.open)
    said = []
    sign_in(CLIENT, "", FilePlace(cache), open_browser=True, show=said.append, read=lambda _: "", http=Routed(login))
    assert "http%3A%2F%2Flocalhost%3A" in browser.opened[0]
    assert source(login, cache)() == login.granted[0]


def test_an_empty_line_asks_for_a_code_to_type_on_another_device(login, cache):
    shown = []
    sign_in(CLIENT, "", FilePlace(cache), open_browser=False, show=shown.append, read=lambda _: "", http=Routed(login))
    assert "ABCD-EFGH" in shown[-1]
    assert source(login, cache)() == login.granted[0]


@pytest.mark.parametrize(("error", "code"), [("access_denied", "50199"), ("access_denied", "53003")])
def test_a_tenant_that_blocks_device_codes_is_told_with_the_other_way_in(login, cache, error, code):
    login.refuses["device_code"] = (error, code)
    with pytest.raises((SignInNeeded, Forbidden)) as refused:
        sign_in(
            CLIENT, "", FilePlace(cache), open_browser=False, show=lambda _: None, read=lambda _: "", http=Routed(login)
        )
    assert code in str(refused.value)
    assert "--no-browser" in refused.value.what_to_do
    assert not cache.exists()


def test_an_address_of_another_sign_in_is_not_taken(login, cache):
    shown, read = paste(login, state="another")
    with pytest.raises(SignInNeeded, match="another sign-in"):
        sign_in(CLIENT, "", FilePlace(cache), open_browser=False, show=shown.append, read=read, http=Routed(login))


def test_consent_that_only_an_administrator_can_give_is_explained(login, cache):
    login.refuses["authorization_code"] = ("invalid_grant", "65001")
    with pytest.raises(Forbidden) as refused:
        signed_in(login, cache)
    assert "administrator" in refused.value.what_to_do


def test_a_sign_in_without_the_right_to_calendars_is_told_and_not_kept(login, cache):
    login.scope = "User.Read"
    with pytest.raises(Forbidden, match=r"Calendars\.ReadWrite"):
        signed_in(login, cache)
    assert not cache.exists()


def test_an_unknown_tenant_is_named(login, cache):
    with pytest.raises(SignInNeeded, match=r"nowhere\.example"):
        sign_in(
            CLIENT, "nowhere.example", FilePlace(cache), open_browser=False, show=print, read=input, http=Routed(login)
        )


def test_a_token_that_is_good_is_used_again_without_a_word_to_microsoft(login, cache):
    signed_in(login, cache)
    tokens = source(login, cache)
    assert {tokens() for _ in range(3)} == {login.granted[0]}
    assert len(login.asked) == 1
    assert tokens.expires() is not None


def test_a_token_that_has_nearly_ended_is_renewed_and_kept(login, cache):
    login.lifetime = 60
    signed_in(login, cache)
    assert source(login, cache)() == login.granted[1]
    assert login.asked[-1]["grant"] == "refresh_token"


def test_a_token_that_graph_does_not_take_is_renewed_once(login, cache):
    signed_in(login, cache)
    with serving_graph() as graph:
        graph.tokens.clear()
        account = graph_account(graph, token=source(login, cache))
        with pytest.raises(SignInNeeded):
            account.calendars()
        assert len(login.granted) == 2
        assert len(graph.asked) == 2
        graph.tokens.add(login.granted[1])
        assert account.calendars()
        account.close()


@pytest.mark.parametrize("code", ["50173", "700082", "70008", "50076"])
def test_a_sign_in_that_has_ended_says_so_and_how_to_go_on(login, cache, code):
    signed_in(login, cache)
    login.refuses["refresh_token"] = ("invalid_grant", code)
    tokens = source(login, cache)
    with pytest.raises(SignInNeeded, match=code) as needed:
        tokens.renew(tokens())
    assert "datebook connect" in needed.value.what_to_do


def test_nobody_has_signed_in_yet(login, cache):
    tokens = source(login, cache, name="office")
    with pytest.raises(SignInNeeded) as needed:
        tokens()
    assert needed.value.store == "office"
    assert tokens.expires() is None


def test_a_new_sign_in_is_noticed_by_a_daemon_that_runs(login, cache):
    signed_in(login, cache)
    tokens = source(login, cache)
    first = tokens()
    assert not tokens.changed()
    cache.unlink()
    signed_in(login, cache)
    assert tokens.changed()
    assert tokens() != first
    assert not tokens.changed()


def test_microsoft_being_down_is_no_reason_to_sign_in_again(login, cache):
    login.lifetime = 60
    signed_in(login, cache)
    login.broken = 5
    with pytest.raises(Unavailable):
        source(login, cache)()


def test_a_damaged_file_of_tokens_asks_to_sign_in(login, cache):
    cache.parent.mkdir()
    cache.write_text("{nonsense")
    with pytest.raises(SignInNeeded):
        source(login, cache)()
    signed_in(login, cache)
    assert source(login, cache)() == login.granted[0]


def test_no_token_stands_in_a_log_a_message_or_a_repr(login, cache, caplog):
    caplog.set_level(logging.DEBUG)
    signed_in(login, cache)
    tokens = source(login, cache)
    tokens.renew(tokens())
    said = caplog.text + repr(tokens)
    assert not any(secret in said for secret in (*login.granted, "refresh-", "code-"))


def test_national_clouds_have_their_own_sign_in_and_permission():
    assert cloud_of("https://graph.microsoft.us/v1.0").login == "https://login.microsoftonline.us"
    assert cloud_of("https://graph.microsoft.us").scope == "https://graph.microsoft.us/Calendars.ReadWrite"
    assert cloud_of("").scope == "Calendars.ReadWrite"


def test_what_microsoft_says_of_a_person_is_not_repeated():
    error = trouble({"error": "invalid_grant", "error_description": "AADSTS50034: me@corp.example is not there"})
    assert "me@corp" not in str(error) + error.what_to_do
    assert "AADSTS50034" in str(error)
