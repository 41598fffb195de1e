"""A keyring in a file, for programs that tests start: $PYTHON_KEYRING_BACKEND names it, $DATEBOOK_TEST_RING the file.

A file `locked` beside it locks it, `full` lets it take nothing, as a desktop's keyring may.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordSetError


class FileRing(KeyringBackend):
    """Entries by service and user."""

    priority = 5  # type: ignore[assignment]  # keyring's own back ends have it as a plain attribute too

    @property
    def path(self) -> Path:
        return Path(os.environ["DATEBOOK_TEST_RING"])

    def entries(self) -> dict[str, str]:
        if self.path.with_name("locked").exists():
            raise KeyringLocked
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        entries = self.entries()
        if self.path.with_name("full").exists():
            raise PasswordSetError
        self.path.write_text(json.dumps({**entries, f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self.entries()
        del entries[f"{service} {username}"]
        self.path.write_text(json.dumps(entries))
