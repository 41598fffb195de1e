"""Signing in to an Exchange server whose address nobody knows, with the logins that real ones ask for."""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest
from exchangelib.autodiscover import Autodiscovery

from adapters.exchange.exchange_account import discover
from daemon.cli.main import main
from daemon.core.errors import Missing, SignInNeeded, UsageError
from tests.servers.company_certificate import certificate
from tests.servers.ews_doors import ntlm_users
from tests.servers.ews_server import EwsServer, serving
from tests.servers.ews_worlds import exchange_account

# --- NTLM


@pytest.fixture
def ntlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EwsServer]:
    """A server that takes NTLM alone, as those in a Windows domain do."""
    users = ntlm_users(tmp_path, "CORP:alice:secret", ":me@corp.example:secret")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    server = EwsServer(speaks_ntlm=True)
    with serving(server) as ews:
        yield ews
    assert server.violations == []


@pytest.mark.parametrize("user", [r"CORP\alice", "me@corp.example"])
def test_a_server_that_asks_for_ntlm_is_signed_in_to_by_challenge_and_response(ntlm: EwsServer, user: str) -> None:
    ntlm.user = user
    account = exchange_account(ntlm, address="me@corp.example")
    assert account.open("primary").changes(None).complete
    assert ntlm.logins == 1
    account.close()


def test_a_wrong_password_is_tried_once_over_ntlm_too(ntlm: EwsServer) -> None:
    with pytest.raises(SignInNeeded):
        exchange_account(ntlm, secret=lambda: "wrong").open("primary")
    assert ntlm.logins == 1


def test_that_a_server_takes_ntlm_is_remembered_with_its_version(ntlm: EwsServer) -> None:
    kept: list[str] = []
    exchange_account(ntlm, remember=kept.append).open("primary")
    assert kept == ["NTLM 15.2.1748.10"]


def test_what_the_cure_for_kerberos_says_to_install_is_there_to_be_installed(ntlm: EwsServer) -> None:
    ntlm.speaks_ntlm, ntlm.challenge = False, "Negotiate"
    with pytest.raises(SignInNeeded) as refused:
        exchange_account(ntlm).open("primary")
    [extra] = re.findall(r"datebook\[(\w+)\]", refused.value.what_to_do)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any("gssapi" in one for one in project["optional-dependencies"][extra])


# --- autodiscover


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server that knows every name as this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        monkeypatch.setattr(Autodiscovery, "DNS_RESOLVER_KWARGS", {"configure": False})
        settings = {"nameservers": ["127.0.0.1"], "port": door.getsockname()[1], "timeout": 5.0}
        monkeypatch.setattr(Autodiscovery, "DNS_RESOLVER_ATTRS", settings)
        threading.Thread(target=_answer_names, args=[door], daemon=True).start()
        yield


def _answer_names(door: socket.socket) -> None:
    while True:
        try:
            raw, asker = door.recvfrom(1500)
        except OSError:
            return
        asked = dns.message.from_wire(raw)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        answer.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", "127.0.0.1"))
        door.sendto(answer.to_wire(), asker)


@pytest.fixture
def office(names: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EwsServer]:
    """The Exchange of a mail domain, with a certificate that this machine trusts."""
    authority, tls = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    common = tmp_path / "common"
    common.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(common))
    with serving(tls=tls) as ews:
        ews.address = ews.address.replace("127.0.0.1", "localhost")
        ews.user = f"me@{ews.address.split('/')[2]}"
        ews.directory.knows(ews.user, external=ews.address)
        yield ews
    assert list(common.iterdir()) == []  # nothing that anybody else could read, or plant


def found(ews: EwsServer, password: str = "secret") -> Any:
    return discover(ews.user, ews.user, lambda: password)


def test_a_mail_domain_is_asked_where_its_exchange_is(office: EwsServer) -> None:
    assert (found(office).url, found(office).address) == (office.address, office.user)
    assert set(office.directory.asked) == {office.user}


def test_an_exchange_that_has_an_internal_address_alone_is_found(office: EwsServer) -> None:
    office.directory.knows(office.user, internal=office.address)
    assert found(office).url == office.address


def test_a_mailbox_without_an_address_of_ews_is_told_with_the_cure(office: EwsServer) -> None:
    office.directory.knows(office.user)
    with pytest.raises(Missing) as missing:
        found(office)
    assert "--url" in missing.value.what_to_do


def test_a_mailbox_that_is_in_the_cloud_is_sent_to_the_other_service(office: EwsServer) -> None:
    office.directory.knows(office.user, external="https://outlook.office365.com/EWS/Exchange.asmx")
    with pytest.raises(UsageError) as refused:
        found(office)
    assert "microsoft365" in str(refused.value.what_to_do)


def test_a_password_that_autodiscover_does_not_take_is_told(office: EwsServer) -> None:
    with pytest.raises(SignInNeeded) as refused:
        found(office, "wrong")
    assert "--url" in refused.value.what_to_do


def test_connect_finds_the_address_writes_it_down_and_remembers_how_the_server_took_the_login(
    office: EwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, state = tmp_path / "config.yaml", tmp_path / "state"
    config.write_text(f"store: {tmp_path}/store   # mine\nowner: me@corp.example\ntimezone: Europe/Helsinki\n")
    monkeypatch.setenv("MY_PASSWORD", office.password)
    places = ["--config", str(config), "--state", str(state)]
    new = ["--service", "exchange", "--user", office.user, "--password-env", "MY_PASSWORD", "--calendar", "primary"]
    assert main([*places, "connect", "office", *new]) == 0
    assert "Calendar (primary)" in capsys.readouterr().out
    text = config.read_text()
    assert f"url: {office.address}" in text
    assert "# mine" in text
    assert list(json.loads((state / "servers.json").read_text()).values()) == ["basic 15.2.1748.10"]
    before = len(office.directory.asked)
    (tmp_path / "store" / "call.yaml").write_text("subject: Call\ndue_date: 2030-11-25\n")
    assert main([*places, "sync"]) in {0, 3}
    assert len(office.directory.asked) == before  # a sync asks nobody where the server is
