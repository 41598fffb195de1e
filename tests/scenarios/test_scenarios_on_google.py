"""Each scenario once more, on a Google calendar with Google's manners."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenarios.google import play_on_google
from tests.scenarios.scenario import read, scenarios
from tests.servers.google_answers import Manners

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in scenarios()])
def test_scenario(path: Path, tmp_path: Path) -> None:
    if path.stem == "floating":
        pytest.skip("Google puts floating times into the calendar's zone")
    scenario = read(path)
    personas = play_on_google(scenario, tmp_path, Manners())
    if not re.search(r"guests\W+(?:ask|send)", f"{scenario.config} {scenario.story}"):
        assert [mail for persona in personas for mail in persona.mails] == []
