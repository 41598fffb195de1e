"""The wheel: built as a user's installer does, looked into, and run from a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, sources

_DATA = {"config/activity.schema.json", "config/status.schema.json", "config/example.yaml"}


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # hatchling stands in the development group: the build asks no registry.
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("datebook-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-compile", "--target", folder, wheel)
    return folder


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_module_the_schemas_and_the_units_and_nothing_else(wheel):
    modules = {source.name for source in sources()}
    units = {f"daemon/units/{path.name}" for path in (ROOT / "systemd").iterdir()}
    ours = {name for name in _names(wheel) if ".dist-info/" not in name}
    assert ours == modules | _DATA | units


def test_the_wheel_claims_three_names_and_one_command(wheel):
    tops = {name.split("/")[0] for name in _names(wheel)}
    assert {name for name in tops if not name.endswith(".dist-info")} == set(PACKAGES)
    with zipfile.ZipFile(wheel) as archive:
        (entries,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert archive.read(entries).decode().split() == ["[console_scripts]", "datebook", "=", "daemon.__main__:main"]
        assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_claims_a_name_of_ours(package):
    owners = metadata.packages_distributions().get(package, [])
    assert set(owners) <= {"datebook"}, "install Datebook into an environment of its own"


def _run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(folder)}
    command: Sequence[str] = [sys.executable, "-m", "daemon", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)


def test_what_is_installed_makes_a_store_with_its_schema(installed, tmp_path):
    where = ["--config", str(tmp_path / "c.yaml"), "--state", str(tmp_path / "state")]
    made = _run(
        installed, tmp_path, *where, "init", "--store", str(tmp_path / "Store"), "--owner", "me@x.example", "--yes"
    )
    assert made.returncode == 0, made.stderr
    shipped = installed / "config" / "activity.schema.json"
    assert (tmp_path / "Store" / ".datebook" / shipped.name).read_bytes() == shipped.read_bytes()
    new = _run(installed, tmp_path, *where, "new", "call", "Call Anna", "--date", "2030-01-07", "--time", "9:30")
    assert (new.returncode, new.stderr) == (0, "")
    assert Path(new.stdout.strip()).is_file()


def test_what_is_installed_is_not_the_checkout(installed, tmp_path):
    code = "import daemon, adapters, config; print(daemon.__file__, adapters.__file__, config.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert all(path.startswith(str(installed)) for path in said.stdout.split())
