"""Random two-sided schedules: edits on both sides, also during a pass, a lying server, deaths and restarts.

Each value that a person saved must at rest be on both sides, or in the journal (history, open conflicts) or in
the trash, unless that person replaced it. `make torture` plays as many as DATEBOOK_SEEDS says (default 5,000), from
DATEBOOK_SEED on.
"""

from __future__ import annotations

import os

import pytest

from tests.servers.schedule import Schedule

_CHUNK = 25
_FIRST = int(os.environ.get("DATEBOOK_SEED", "0"))
_MANY = int(os.environ.get("DATEBOOK_SEEDS", "5000"))


def played(seed: int) -> tuple[list[str], list[str]]:
    schedule = Schedule(seed)
    try:
        schedule.run()
        return schedule.finish(), schedule.trace
    finally:
        schedule.close()


def play_all(seeds: range) -> None:
    wrong = {seed: found for seed in seeds if (found := played(seed)[0])}
    assert not wrong, f"replay with Schedule({min(wrong)}): {wrong}"


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 150, _CHUNK))
def test_nothing_is_lost_or_doubled_whatever_two_people_and_a_server_do(start: int) -> None:
    play_all(range(start, start + _CHUNK))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [726, 777, 4559, 4614])
def test_what_once_failed_does_not_fail_again(seed: int) -> None:
    play_all(range(seed, seed + 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 92])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert played(seed) == played(seed)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("start", range(_FIRST, _FIRST + _MANY, 500))
def test_the_same_for_many_thousands_of_seeds(start: int) -> None:
    print(f"seeds {start} to {start + 499}")
    play_all(range(start, min(start + 500, _FIRST + _MANY)))
