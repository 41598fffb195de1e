"""vdirsyncer, the latest from PyPI, in an environment of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import Cost, run

_CONFIG = """\
[general]
status_path = "{status}"
[pair bench]
a = "files"
b = "calendar"
collections = null
conflict_resolution = "a wins"
[storage files]
type = "filesystem"
path = "{files}"
fileext = ".ics"
[storage calendar]
type = "caldav"
url = "{url}"
username = "me"
password = "secret"
"""


def version(command: Path) -> str:
    """Which one it is."""
    said = subprocess.run([str(command), "--version"], check=True, capture_output=True, text=True).stdout
    return said.split()[-1]


@dataclass(frozen=True, slots=True)
class Rival:
    """One pair of vdirsyncer: a folder of .ics files and one calendar."""

    command: Path
    folder: Path

    @property
    def files(self) -> Path:
        """Its folder of .ics files."""
        return self.folder / "files"

    def set_up(self, url: str) -> None:
        """Write its config and have it find the calendar."""
        self.files.mkdir(parents=True, exist_ok=True)
        text = _CONFIG.format(status=self.folder / "status", files=self.files, url=url)
        (self.folder / "config").write_text(text, encoding="utf-8")
        self._run("discover")

    def sync(self) -> Cost:
        """`vdirsyncer sync`, from its start to its end."""
        return self._run("sync")

    def _run(self, word: str) -> Cost:
        return run([self.command, "--config", self.folder / "config", word], log=self.folder / "log")
