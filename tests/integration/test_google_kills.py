"""kill -9 between a write to Google and the journal, where Google drops or rewrites what was written.

The next plain syncs end where an undisturbed one does: what Google did not keep stays in the file, nothing is
doubled, and nobody is asked. The bounded form takes some steps, `make torture` all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.servers.google_answers import Manners
from tests.servers.google_bodies import Rewriting
from tests.servers.google_killed import LocalGoogle, set_up
from tests.servers.kill_points import Stage, stage_on

DROPS = frozenset({"PRIORITY", "CLASS", "CATEGORIES", "VALARM", "URL", "CONFERENCE", "X-"})
GOOGLES = {
    "drops": Rewriting(drops=DROPS),
    "puts its own alarm in place of ours": Rewriting(drops=frozenset({"VALARM", "X-"}), default_alarm="-PT30M"),
    "keeps": Rewriting(),
}
_TALKING = {"after send", "before receive", "after receive", "before commit", "after commit"}


@pytest.fixture(params=list(GOOGLES))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    google = LocalGoogle(tmp_path, Manners(rewriting=GOOGLES[request.param]))
    with stage_on(tmp_path / "stage", google, account=google.account) as made:
        set_up(made)
        yield made


def ends_as_undisturbed(stage: Stage, steps: Iterable[int], names: list[str]) -> int:
    """How many kills the outcome is the same after."""
    stage.begin()
    stage.sync(2)
    golden = stage.outcome()
    assert (golden["conflicts"], golden["open"], golden["tmp"]) == ([], 0, [])
    assert len(golden["files"]) == len(golden["events"]) == 6
    done = 0
    for step in steps:
        stage.begin()
        if stage.killed_at(step):
            stage.sync(2)
            assert stage.outcome() == golden, f"killed at step {step}: {names[step - 1]}"
            done += 1
    return done


@pytest.mark.slow
def test_killed_between_a_write_and_the_journal_the_file_keeps_what_google_dropped(stage: Stage) -> None:
    stage.begin()
    names = stage.steps()
    talking = [number for number, name in enumerate(names, 1) if name in _TALKING]
    assert ends_as_undisturbed(stage, talking[:: max(1, len(talking) // 8)], names) > 6


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_killed_at_every_step(stage: Stage) -> None:
    stage.begin()
    names = stage.steps()
    assert ends_as_undisturbed(stage, range(1, len(names) + 1), names) > 150
