"""How servers took a login before, kept in the state folder: what a start need not ask again. No secret is in it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from config.edit import replace_file
from daemon.core.errors import UsageError


class KnownServers:
    """A small file of words by user and address; one that can't be read or written is as good as none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, server: str) -> str:
        """What was kept of a server; "" where nothing was."""
        word = self._words().get(server, "")
        return word if isinstance(word, str) else ""

    def keep(self, server: str, manner: str) -> None:
        """Keep it; "" forgets."""
        words = self._words()
        if words.get(server, "") == manner:
            return
        words[server] = manner
        with suppress(OSError, UsageError):
            before = self._path.read_bytes() if self._path.exists() else None
            replace_file(self._path, json.dumps(words, indent=1).encode(), expected=before)

    def _words(self) -> dict[str, object]:
        try:
            words = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return words if isinstance(words, dict) else {}
