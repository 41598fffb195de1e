"""A scenario as it is written down: what is there, what both sides do, what Datebook makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.things import EVENTS, FILES

HERE = Path(__file__).parent
_KEYS = {"says", "there", "config", "people", "files", "calendar", "starts", "story", "mails", "instead"}
_INSTEAD = {"says", "story", "mails"}
Step = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One case. `rule` is its folder, `says` one sentence about the program; see README.md for the words of a story."""

    rule: str
    name: str
    says: str
    config: Mapping[str, Any]
    people: Sequence[str]
    files: Mapping[str, str]
    calendar: Mapping[str, str]
    starts: str
    story: Sequence[Step]
    mails: bool
    instead: Mapping[str, Mapping[str, Any]]

    def on(self, service: str) -> Scenario:
        """The case as it goes on a service: where that can do more or less, it says and tells something else."""
        other = self.instead.get(service)
        if other is None:
            return self
        assert not other.keys() - _INSTEAD, f"{self.rule}/{self.name}: {other.keys()}"
        story = [_step(each) for each in other["story"]]
        return replace(self, says=other["says"], story=story, mails=other.get("mails") == "ordered")


def read(path: Path) -> Scenario:
    """Read one case; a word that does not exist is an error."""
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    strange = data.keys() - _KEYS
    assert not strange, f"{path}: {strange}"
    there = data.get("there") or []
    there = [there] if isinstance(there, str) else there
    return Scenario(
        rule=path.parent.name,
        name=path.stem,
        says=data["says"],
        config=data.get("config") or {},
        people=data.get("people") or [],
        files={**dict(FILES[name] for name in there if name in FILES), **(data.get("files") or {})},
        calendar={**dict(EVENTS[name] for name in there if name in EVENTS), **(data.get("calendar") or {})},
        starts=data.get("starts", "synced"),
        story=[_step(each) for each in data["story"]],
        mails=data.get("mails") == "ordered",
        instead=data.get("instead") or {},
    )


def _step(given: Any) -> Step:
    if isinstance(given, str):
        return given, ""
    ((words, value),) = given.items()
    return words, value


def scenarios() -> Iterator[Path]:
    """Every case, in the order of the contract."""
    return iter(sorted(HERE.glob("*/*.yaml")))
