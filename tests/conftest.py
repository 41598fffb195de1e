"""Servers that are started once for each run of the tests, and the stores that the contract holds for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers.running import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The test servers of this process, each started when it is first asked for."""
    with ExitStack() as stack:
        yield Servers(stack)
