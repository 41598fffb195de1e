"""An Exchange server with a certificate of its own company."""

from __future__ import annotations

import pytest

from daemon.core.errors import Forbidden
from tests.servers.company_certificate import certificate
from tests.servers.ews_server import serving
from tests.servers.ews_worlds import exchange_account


@pytest.fixture
def company(tmp_path):
    return certificate(tmp_path)


def test_a_private_authority_is_trusted_where_the_account_names_it(company):
    authority, tls = company
    with serving(tls=tls) as ews:
        assert exchange_account(ews, ca=authority).open("primary").changes(None).complete


def test_an_unknown_authority_is_refused_and_the_cure_named(company):
    with serving(tls=company[1]) as ews:
        with pytest.raises(Forbidden) as refused:
            exchange_account(ews).open("primary")
        assert "ca: FILE" in refused.value.what_to_do
        assert ews.logins == 0
