"""A Google calendar that a stage of kills can keep and put back: the persona, with the engine's folder behind it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.google_answers import Manners
from tests.servers.google_persona import GooglePersona
from tests.servers.kill_points import Stage
from tests.servers.kill_scene import edit_file

ACCOUNT = "service: google\n    url: {url}\n    user: me@example.com\n    token: {{file: {token}}}\n"


@dataclass
class LocalGoogle:
    """The primary calendar of a persona; edits are made in its web page. `root` is the test's own folder."""

    root: Path
    manners: Manners
    persona: GooglePersona = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.persona = GooglePersona(manners=self.manners).__enter__()
        self.persona.oauth.lifetime = 10.0**9
        self.url = f"http://127.0.0.1:{self.persona.port}{self.persona.primary.path}"

    @property
    def account(self) -> str:
        """The account in the config."""
        token = self.root / "token"
        if not token.exists():
            token.write_text(self.persona.oauth.issue()[0])
            token.chmod(0o600)
        return ACCOUNT.format(url=self.persona.url, token=token)

    def keep(self) -> object:
        target = self.root / "kept-engine"
        shutil.copytree(self.persona.engine.folder, target)
        return target, copy.deepcopy(self._state())

    def put_back(self, kept: object) -> None:
        assert isinstance(kept, tuple)
        folder, state = kept
        with self.persona.engine.lock:
            shutil.rmtree(self.persona.engine.folder)
            shutil.copytree(folder, self.persona.engine.folder)
            vars(self.persona.primary).update(copy.deepcopy(state))

    def _state(self) -> dict[str, Any]:
        """What the persona remembers of its calendar beside what the engine has."""
        return {name: value for name, value in vars(self.persona.primary).items() if name != "engine"}

    def texts(self) -> dict[str, str]:
        return {name: item.body.decode() for name, item in self.persona.primary.items.items()}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        self.persona.web(change(self.texts()[name]).encode())

    def add(self, _name: str, text: str) -> None:
        self.persona.web(text.encode())

    def remove(self, name: str) -> None:
        self.persona.web_delete(self.persona.primary.items[name].uid.decode())

    def close(self) -> None:
        self.persona.__exit__(None, None, None)


FILE = "# mine\nsubject: {title}\ndue_date: 2030-11-24\ndue_time: 9:00\n"
DOUBTFUL = (
    "type: call\npriority: high\nprivate: true\nbusy: tentative\nreminders: [10m, 1h]\n"
    "conference_meeting_url: https://meet.example/1\nlocation: There\nnote: mine\n"
)


def set_up(stage: Stage) -> None:
    """Files with everything that Google may not keep are in step; then all of that is edited, made and removed."""
    stage.sync()
    for number in range(4):
        (stage.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}") + DOUBTFUL)
    weekly, plain = stage.store / "weekly.yaml", stage.store / "plain.yaml"
    weekly.write_text(FILE.format(title="Weekly") + DOUBTFUL + "repeat: FREQ=WEEKLY;COUNT=6\n")
    plain.write_text(FILE.format(title="Plain"))
    stage.sync(2)
    (stage.store / "new.yaml").write_text(FILE.format(title="New") + DOUBTFUL)
    edit_file(stage.store / "f0.yaml", "priority: high", "priority: low")  # nothing else
    for old, new in (("File 1", "File 1 edited"), ("priority: high", "priority: low"), ("[10m, 1h]", "[5m]")):
        edit_file(stage.store / "f1.yaml", old, new)
    for old, new in (("reminders: [10m, 1h]\n", ""), ("private: true", "private: false")):
        edit_file(stage.store / "f2.yaml", old, new)
    (stage.store / "f3.yaml").unlink()
    changes = "skip: [2030-12-01]\nchanges:\n  2030-12-08: {subject: Changed, priority: low}\n"
    edit_file(weekly, "note: mine\n", f"note: mine\n{changes}")
    edit_file(plain, "due_time: 9:00\n", f"due_time: 9:00\n{DOUBTFUL}")
    stage.keep()
