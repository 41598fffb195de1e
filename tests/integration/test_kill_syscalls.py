"""kill -9 between any two system calls of a real `datebook sync` against a real Radicale: one plain sync mends it.

Nothing is lost or doubled, no conflict is made up, and no temporary file stays. A few dozen kills here, thousands in
`make torture`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.kill_points import Stage, stage_on
from tests.servers.kill_scene import RadicaleDav, set_up, set_up_first_sync, set_up_one_edit, set_up_series
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers
from tests.servers.syscalls import Point, killed, need_strace, points

SCENES = {
    "changes of all kinds": set_up,
    "a first sync": set_up_first_sync,
    "one edit": set_up_one_edit,
    "a series": set_up_series,
}


@contextmanager
def staged(servers: Servers, root: Path, scene: Callable[[Stage], None]) -> Iterator[Stage]:
    need_strace()
    server = servers.get(radicale)
    with stage_on(root / "stage", RadicaleDav(server, servers.calendar(server), root)) as stage:
        scene(stage)
        yield stage


def ends_alike(stage: Stage, golden: dict[str, object], point: Point) -> bool:
    """Kill a sync there; whether it was killed. The next plain one must end as an undisturbed one does."""
    stage.begin()
    if not killed(stage, point):
        return False
    stage.sync()
    assert stage.outcome() == golden, f"killed at {point}"
    return True


def undisturbed(stage: Stage) -> dict[str, object]:
    """How one sync from the starting point ends."""
    stage.sync()
    golden = stage.outcome()
    assert (golden["conflicts"], golden["open"], golden["tmp"]) == ([], 0, [])
    stage.begin()
    return golden


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sync_killed_between_any_two_system_calls_is_mended_by_the_next(servers: Servers, tmp_path: Path) -> None:
    with staged(servers, tmp_path, set_up) as stage:
        golden = undisturbed(stage)
        every = points(stage)
        assert {"pwrite64", "renameat2", "unlinkat", "fsync", "sendto", "recvfrom"} <= {point.call for point in every}
        chosen = every[3 :: max(1, len(every) // 42)]
        assert sum(ends_alike(stage, golden, point) for point in chosen) >= 40


@pytest.mark.torture
@pytest.mark.timeout(14400)
class TestBetweenAllSystemCalls:
    @pytest.mark.parametrize("scene", SCENES)
    def test_killed(self, servers: Servers, tmp_path: Path, scene: str) -> None:
        with staged(servers, tmp_path, SCENES[scene]) as stage:
            golden = undisturbed(stage)
            every = points(stage)
            done = sum(ends_alike(stage, golden, point) for point in every)
            assert done > 0.9 * len(every)
            print(f"{scene}: {done} kills")

    @pytest.mark.parametrize("shift", [7, 61, 127])
    def test_killed_and_killed_again_while_it_mends_that(self, servers: Servers, tmp_path: Path, shift: int) -> None:
        with staged(servers, tmp_path, set_up) as stage:
            golden = undisturbed(stage)
            every = points(stage)
            done = 0
            for number, point in enumerate(every):
                stage.begin()
                second = every[(number * shift + shift) % len(every)]
                done += killed(stage, point) + killed(stage, second)
                stage.sync()
                assert stage.outcome() == golden, f"killed at {point}, then at {second}"
            assert done > len(every)
            print(f"{done} kills")
