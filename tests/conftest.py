"""Servers that are started once for each run of the tests, and signals as a terminal has them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.running import Servers


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT and hands that on; what tests start is to be interruptible."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The test servers of this process, each started when it is first asked for."""
    with ExitStack() as stack:
        yield Servers(stack)
