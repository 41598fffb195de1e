"""The systemd units: valid, hardened, and explained line by line."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
PLACES = {"{datebook}": "/usr/bin/true", "{store}": "/srv/a store", "{config}": "/srv/config", "{state}": "/srv/state"}

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
both = pytest.mark.parametrize("name", ["datebook.service", "datebook@.service"])


def installed(name, folder):
    """The unit as `datebook service install` writes it, as one instance."""
    text = (UNITS / name).read_text()
    for word, path in PLACES.items():
        text = text.replace(word, path)
    unit = folder / name.replace("@", "@ann")
    unit.write_text(text)
    return unit


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


@needs_analyze
@both
def test_systemd_finds_nothing_wrong_with_the_unit(name, tmp_path):
    result = analyze("verify", "--man=no", str(installed(name, tmp_path)))
    assert (result.returncode, result.stderr) == (0, "")


@needs_analyze
@both
def test_the_hardening_is_rated_two_or_better(name, tmp_path):
    result = analyze("security", "--offline=yes", "--no-pager", str(installed(name, tmp_path)))
    rating = re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)
    assert rating is not None, result.stderr
    assert float(rating[1]) <= 2.0


@both
def test_state_config_and_store_stay_writable(name):
    text = (UNITS / name).read_text()
    writable = " ".join(re.findall(r"^(?:ReadWritePaths|StateDirectory)=(.*)$", text, re.MULTILINE))
    assert "{store}" in writable
    assert "config" in writable or "/etc/datebook/%i" in writable
    assert "{state}" in writable or "datebook/%i" in writable


@both
def test_a_unit_without_the_lines_for_user_namespaces_is_still_whole(name, tmp_path):
    text = (UNITS / name).read_text()
    reduced = re.sub(r"^# --- needs user namespaces\n.*?^# --- end\n", "", text, flags=re.MULTILINE | re.DOTALL)
    assert ("PrivateUsers" in reduced) == ("@" in name)
    assert "NoNewPrivileges=yes" in reduced


@both
def test_every_directive_has_its_comment(name):
    lines = (UNITS / name).read_text().splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"[A-Z]\w+=", line)
        and not before.startswith("#")
        and before.partition("=")[0] != line.partition("=")[0]
    ]
    assert bare == []
