"""The units as `datebook service install` writes them: every path in its place, however odd it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.errors import UsageError
from daemon.installing.unit_files import (
    SYSTEM_UNIT,
    USER_UNIT,
    UnitPaths,
    opened_place,
    shipped_unit,
    store_drop_in,
    system_unit,
    user_unit,
)

PATHS = UnitPaths(
    Path("/opt/date book/bin/datebook"),
    Path('/home/ann/100% "mine" $HOME'),
    Path("/home/ann/my config/my.yaml"),
    Path("/home/ann/state"),
)


def directives(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_no_word_in_braces_is_left() -> None:
    user = user_unit(shipped_unit(USER_UNIT), PATHS, namespaces=True)
    system = system_unit(shipped_unit(SYSTEM_UNIT), PATHS)
    left = re.compile(r"\{(datebook|store|config|state)")
    assert [line for line in directives(user) + directives(system) if left.search(line)] == []


def test_a_config_of_another_name_and_odd_paths_are_quoted_as_systemd_reads_them() -> None:
    lines = directives(user_unit(shipped_unit(USER_UNIT), PATHS, namespaces=True))
    run = next(line for line in lines if line.startswith("ExecStart="))
    assert run == (
        'ExecStart="/opt/date book/bin/datebook" --config "/home/ann/my config/my.yaml" --state "/home/ann/state" run'
    )
    assert 'ReadWritePaths="-/home/ann/100%% \\"mine\\" $HOME"' in lines
    assert store_drop_in(Path("/srv/50%")).endswith('[Service]\nReadWritePaths="-/srv/50%%"\n')


def test_variables_in_the_command_line_are_none() -> None:
    odd = UnitPaths(PATHS.datebook, PATHS.store, Path("/home/$USER/config.yaml"), Path("/x"))
    assert '--config "/home/$$USER/config.yaml"' in user_unit(shipped_unit(USER_UNIT), odd, namespaces=True)


@pytest.mark.skipif(sys.platform != "linux", reason="it needs a mount that every machine has")
def test_a_disk_of_its_own_is_left_open_as_a_whole_and_the_home_is_not(tmp_path: Path) -> None:
    assert opened_place(Path("/proc/self/Datebook"), tmp_path) == Path("/proc")
    assert opened_place(tmp_path / "Datebook", tmp_path) == tmp_path / "Datebook"
    assert opened_place(Path("/Datebook"), tmp_path) == Path("/Datebook")


def test_a_path_that_would_add_a_line_is_refused() -> None:
    odd = UnitPaths(PATHS.datebook, Path("/home/ann/x\nExecStartPre=/bin/rm"), PATHS.config, PATHS.state)
    with pytest.raises(UsageError):
        user_unit(shipped_unit(USER_UNIT), odd, namespaces=True)


def test_what_needs_user_namespaces_goes_where_there_are_none() -> None:
    lines = directives(user_unit(shipped_unit(USER_UNIT), PATHS, namespaces=False))
    taken = {
        "PrivateUsers=yes",
        "ProtectClock=yes",
        "ProtectKernelLogs=yes",
        "PrivateDevices=yes",
        "ProtectHostname=yes",
    }
    assert not taken & set(lines)
    assert "NoNewPrivileges=yes" in lines


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("namespaces", [True, False])
def test_systemd_takes_the_unit_with_odd_paths(tmp_path: Path, namespaces: bool) -> None:  # noqa: FBT001  a parameter
    program = tmp_path / "date book"
    program.symlink_to(shutil.which("true") or "/bin/true")
    paths = UnitPaths(program, PATHS.store, PATHS.config, PATHS.state)
    unit = tmp_path / USER_UNIT
    unit.write_text(user_unit(shipped_unit(USER_UNIT), paths, namespaces=namespaces))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="this machine was started by systemd")
@pytest.mark.parametrize("what", ["install", "uninstall", "status"])
def test_without_systemd_the_command_says_what_to_do_instead(tmp_path: Path, what: str) -> None:
    places = ["--config", str(tmp_path / "config.yaml"), "--state", str(tmp_path / "state")]
    command = [sys.executable, "-m", "daemon", *places, "service", what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "datebook run" in done.stderr


def test_the_units_come_with_the_wheel() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert re.search(r'force-include\]\n"systemd" = "daemon/units"', text)
