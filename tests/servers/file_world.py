"""A folder of activity files for the contract suite: ids are paths, and another person has an editor."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from adapters.folder.file_marker import make_marker
from adapters.folder.file_store import FileStore
from daemon.core.store import Marker
from tests.servers.running import Servers
from tests.servers.worlds import TYPES, ZONE, World, now

FILE = """# A comment of its writer
subject: {subject}
due_date: 2030-01-01
due_time: "9:00"
crm_score: 17   # a key that Datebook does not know
uid: {uid}
"""


@dataclass
class FileHand:
    """Another person, with an editor."""

    root: Path

    def add(self, uid: str, subject: str) -> str:
        """Save a new file."""
        (self.root / place(uid)).write_text(FILE.format(uid=uid, subject=subject), encoding="utf-8")
        return place(uid)

    def retitle(self, item: str, subject: str) -> None:
        """Edit its subject."""
        path = self.root / item
        path.write_text(re.sub("subject: .*", f"subject: {subject}", path.read_text("utf-8")), encoding="utf-8")

    def remove(self, item: str) -> None:
        """Delete the file."""
        (self.root / item).unlink()

    def subject(self, item: str) -> str | None:
        """Its subject."""
        path = self.root / item
        found = re.search("subject: (.*)", path.read_text("utf-8")) if path.exists() else None
        return found.group(1) if found else None

    def keeps_unknown(self, item: str) -> bool:
        """Whether the comment and the strange key are there."""
        text = (self.root / item).read_text("utf-8")
        return text.startswith("# A comment of its writer\n") and "crm_score: 17   # a key that" in text


def place(uid: str) -> str:
    """Where the file of a uid is wanted."""
    plain = re.fullmatch(r"[\w-]{1,60}", uid)
    return f"{uid if plain else hashlib.sha256(uid.encode()).hexdigest()[:12]}.yaml"


def file_world(_servers: Servers, folder: Path) -> World:
    """An empty store folder."""
    root = folder / "store"
    root.mkdir()
    make_marker(root, Marker("contract", ZONE))
    store = FileStore(root, zone=ZONE, clock=now, types=TYPES)
    return World(
        store, FileHand(root), place=place, has_feed=False, holds_twins=True, reads_before_writing=True, batch=600
    )
