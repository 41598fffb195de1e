"""Each scenario once more in mailboxes: over EWS and over Graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.in_exchange import in_exchange
from tests.scenarios.in_graph import in_graph
from tests.scenarios.left_out import left_out
from tests.scenarios.outlook import play_in_outlook
from tests.scenarios.scenario import read, scenarios

pytestmark = pytest.mark.slow
SERVES = {"exchange": in_exchange, "microsoft365": in_graph}
CASES = [
    pytest.param(path, service, id=f"{service}-{path.parent.name}/{path.stem}")
    for service in SERVES
    for path in scenarios()
    if not left_out(read(path), service)
]


@pytest.mark.parametrize(("path", "service"), CASES)
def test_scenario(path: Path, service: str, tmp_path: Path) -> None:
    play_in_outlook(read(path).on(service), tmp_path, SERVES[service])
