"""The simulators that the stories of Exchange and Microsoft 365 run against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.core.store import Store
from tests.servers.ews_server import EwsServer
from tests.servers.ews_server import serving as serving_ews
from tests.servers.graph_server import GraphServer
from tests.servers.graph_server import serving as serving_graph
from tests.servers.outlook_services import MANNERS, SERVICES, Hand, OutlookAccount, OutlookService


@pytest.fixture
def ews() -> Iterator[EwsServer]:
    """An Exchange server that is asked, and answers, by Microsoft's schema."""
    with serving_ews() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    """Microsoft 365, of which nothing is asked that no client should ask."""
    with serving_graph() as server:
        yield server
    assert server.problems == []


@pytest.fixture(params=SERVICES)
def outlook(request: pytest.FixtureRequest) -> Iterator[OutlookService]:
    """Each of the two services; a test that asks for certain manners of theirs names them."""
    with MANNERS[request.param]() as service:
        yield service
    assert service.wrongs == []


@pytest.fixture
def account(outlook: OutlookService) -> Iterator[OutlookAccount]:
    """An account of the service that the story is about."""
    found = outlook.account()
    yield found
    found.close()


@pytest.fixture
def store(account: OutlookAccount) -> Store:
    """Its primary calendar."""
    return account.open("primary")


@pytest.fixture
def hand(outlook: OutlookService) -> Hand:
    """Another client of that calendar."""
    return outlook.hand
