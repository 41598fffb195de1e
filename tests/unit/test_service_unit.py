"""What is asked of systemd to start a unit and to take it away: a `systemctl` that writes down what it is told."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from daemon.installing.service_unit import ServiceUnit
from daemon.installing.systemctl import Systemctl

ANSWERS = """\
#!/bin/sh
echo "$@" >> {told}
case "$*" in *" show "*) cat {folder}/state; test -e {folder}/next && mv {folder}/next {folder}/state; esac
exit 0
"""
STARTING = "LoadState=loaded\nActiveState=activating\nSubState=start\n"
RUNNING = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\n"
FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\n"


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    program = tmp_path / "systemctl"
    program.write_text(ANSWERS.format(told=tmp_path / "told", folder=tmp_path))
    program.chmod(0o755)
    (tmp_path / "state").write_text(RUNNING)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def unit(folder: Path, name: str = "datebook.service", instance: str = "") -> ServiceUnit:
    file = folder / "units" / ("datebook@.service" if instance else name)
    file.parent.mkdir(exist_ok=True)
    file.touch()
    systemctl = Systemctl(user=not instance, env={**os.environ, "XDG_RUNTIME_DIR": str(folder)})
    return ServiceUnit(systemctl, name, file, instance)


def told(folder: Path) -> list[str]:
    orders = (line.partition("--no-pager ")[2] for line in (folder / "told").read_text().splitlines())
    return [order for order in orders if not order.startswith("show ")]


def test_a_start_waits_until_it_runs(systemd):
    (systemd / "next").write_text(RUNNING)
    (systemd / "state").write_text(STARTING)
    slept: list[float] = []
    state = unit(systemd).start(clock=lambda: 0.0, sleep=slept.append)
    assert (state.runs, state.pid) == (True, 7)
    assert told(systemd) == [
        "daemon-reload",
        "enable -- datebook.service",
        "restart --no-block -- datebook.service",
    ]


def test_what_has_failed_before_may_start_again_and_a_failure_is_not_waited_out(systemd):
    (systemd / "state").write_text(FAILED)
    state = unit(systemd).start(clock=lambda: 0.0, sleep=lambda _: None)
    assert (state.runs, state.has_failed) == (False, True)
    assert "reset-failed -- datebook.service" in told(systemd)


def test_a_start_that_takes_its_time_is_left_to_systemd(systemd):
    (systemd / "state").write_text(STARTING)
    seconds = itertools.count(0.0, 6.0)
    state = unit(systemd).start(clock=lambda: next(seconds), sleep=lambda _: None)
    assert (state.runs, state.has_failed) == (False, False)


def test_what_is_removed_is_stopped_first(systemd):
    mine = unit(systemd)
    assert mine.remove()
    assert not mine.file.exists()
    assert told(systemd) == ["disable --now -- datebook.service", "daemon-reload"]
    assert not mine.remove()


def test_the_template_stays_while_another_account_uses_it(systemd):
    ann, bob = (unit(systemd, f"datebook@{name}.service", name) for name in ("ann", "bob"))
    for one in (ann, bob):
        one.drop_in.parent.mkdir()
        one.drop_in.touch()
    assert ann.remove()
    assert not ann.drop_in.parent.exists()
    assert bob.file.exists()
    assert bob.remove()
    assert not bob.file.exists()
