"""A CalDAV store whose server is behind a fault proxy, and a hand on the server itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.dav.caldav_account import CalDavAccount
from adapters.dav.caldav_quirks import Quirks
from adapters.dav.caldav_store import CalDavStore
from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.null_dav import null_dav
from tests.servers.program import Program
from tests.servers.running import Servers
from tests.servers.worlds import TYPES, ZONE, CalDavHand, now

TIMEOUT = 0.5


@dataclass
class Proxied:
    """The store, the proxy before its server, and another client at the server itself."""

    store: CalDavStore
    account: CalDavAccount
    proxy: FaultProxy
    hand: CalDavHand

    def fault(self, fault: Fault) -> Fault:
        """Let something go wrong; what came in before is forgotten."""
        self.proxy.clear()
        return self.proxy.add(fault)


@contextmanager
def proxied(
    servers: Servers,
    quirks: Quirks = Quirks(),  # noqa: B008  a frozen value
    *,
    program: Callable[[], Program] = null_dav,
    secret: Callable[[], str] = lambda: "secret",
    bearer: bool = False,
) -> Iterator[Proxied]:
    """A fresh calendar behind a fresh proxy."""
    server = servers.get(program)
    url = servers.calendar(server)
    with FaultProxy(url) as proxy:
        account = CalDavAccount(
            proxy.url_of(url), "me", secret, bearer=bearer, quirks=quirks, zone=ZONE, types=TYPES, clock=now,
            name="test", timeout=TIMEOUT,
        )  # fmt: skip
        store = account.open(proxy.url_of(url))
        proxy.clear()
        yield Proxied(store, account, proxy, CalDavHand(server, url))
        account.close()
