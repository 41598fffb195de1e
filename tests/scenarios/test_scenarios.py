"""Each scenario is one test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.scenario import read, scenarios
from tests.scenarios.story import play
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in scenarios()])
def test_scenario(path: Path, servers: Servers, tmp_path: Path) -> None:
    play(read(path), tmp_path, servers, radicale)
