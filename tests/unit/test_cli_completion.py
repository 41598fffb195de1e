"""Shell completion and the manual page know every command, as the parser does; real shells and man take them."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from daemon.cli.manual import manual
from daemon.cli.parts import parts_of
from daemon.cli.register import parser

NAMES = [part.name for part in parts_of(parser())]


def script(shell: str) -> str:
    command = [sys.executable, "-m", "daemon", "completion", shell]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def completed(*words: str) -> list[str]:
    """What bash offers for the last word."""
    program = (
        f'{script("bash")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _datebook; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    command = ["bash", "--norc", "-c", program, "bash", "datebook", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def test_bash_completes_commands_their_options_and_their_words() -> None:
    assert {"init", "service", "doctor", "status"} <= set(completed(""))
    assert completed("serv") == ["service"]
    assert completed("service", "un") == ["uninstall"]
    assert completed("--config", "x.yaml", "doctor", "--write") == ["--write-test"]
    assert completed("approve", "--m") == ["--mail"]


def test_where_a_value_is_due_bash_completes_files() -> None:
    assert completed("init", "--store", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_completed(shell: str) -> None:
    text = script(shell)
    assert [name for name in NAMES if name not in text] == []


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_takes_its_script() -> None:
    program = f"{script('zsh')}\nprint -r -- ${{_comps[datebook]}}"
    done = subprocess.run(["zsh", "-fc", program], capture_output=True, text=True, timeout=60, check=False)
    assert "_datebook" in done.stdout, done.stderr


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_takes_its_script() -> None:
    command = ["fish", "--no-config", "-c", f"{script('fish')}\ncomplete -C 'datebook serv'"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "service" in done.stdout, done.stderr


def test_the_manual_page_has_every_command_and_option() -> None:
    text = manual().replace("\\-", "-")
    for part in parts_of(parser()):
        assert f".SS {part.name}" in text
        for option in part.options:
            assert not option.names or option.names[-1] in text
            assert option.help, f"{part.name} {option.names or option.value} has no help"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_finds_no_fault_with_the_manual_page() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z"]
    done = subprocess.run(command, input=manual(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
