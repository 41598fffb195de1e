"""Every test of this folder that asks for a `world` runs against every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.running import Servers
from tests.servers.worlds import WORLDS, World


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[World]:
    """One empty calendar or folder behind a store, with another person's hand on it."""
    with servers.own:
        yield WORLDS[request.param](servers, tmp_path)
