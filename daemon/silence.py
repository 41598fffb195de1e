"""Whether it is proven that a CalDAV server mails nobody whose SCHEDULE-AGENT is CLIENT; kept in the state folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.known_servers import KnownServers

_PROVEN = "mails no guest with SCHEDULE-AGENT=CLIENT"


@dataclass(slots=True)
class Silence:
    """What `doctor --write-test` has shown of one account's server, in this process or another."""

    path: Path
    account: str
    _seen: tuple[int, int] | None = None
    _known: bool = False

    def is_proven(self) -> bool:
        """Whether it was shown, and nothing else since."""
        now = _stamp(self.path)
        if now != self._seen:
            self._seen, self._known = now, KnownServers(self.path).recall(self._key) == _PROVEN
        return self._known

    def keep(self, *, proven: bool) -> None:
        """Remember what was shown now."""
        KnownServers(self.path).keep(self._key, _PROVEN if proven else "")

    @property
    def _key(self) -> str:
        return f"silence {self.account}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_ino
