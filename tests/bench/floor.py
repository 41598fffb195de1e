"""The floor: the cheapest kept-alive client that sends the same requests, with the standard library alone.

It reads no iCalendar, keeps no journal and syncs nothing to the disk: nobody can be cheaper in Python.
`python -m tests.bench.floor OPERATION URL FOLDER [NUMBER]` prints the CPU seconds of the work itself.
"""

from __future__ import annotations

import os
import re
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

_HREF = re.compile(rb"<(?:\w+:)?href>([^<]*\.ics)</")
_DATA = re.compile(rb"calendar-data>(BEGIN:VCALENDAR.*?)</", re.DOTALL)
_TOKEN = re.compile(rb"<(?:\w+:)?sync-token>([^<]*)<")
_BATCH = 200
_PROPS = b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:sync-token/></D:prop></D:propfind>'

_MULTIGET = (
    b'<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    b"<D:prop><D:getetag/><C:calendar-data/></D:prop>%s</C:calendar-multiget>"
)


class Floor:
    """One kept-alive connection to one calendar."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.path = parts.path
        self.connection = HTTPConnection(parts.hostname or "", parts.port, timeout=600)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """One request; the body of its answer."""
        self.connection.request(method, path, body or None, headers or {})
        return self.connection.getresponse().read()

    def upload(self, files: list[Path]) -> None:
        """PUT files."""
        for file in files:
            self.ask("PUT", self.path + file.name, file.read_bytes(), {"Content-Type": "text/calendar"})

    def download(self, folder: Path) -> None:
        """List, read in batches, write."""
        self.ask("PROPFIND", self.path, _PROPS, {"Depth": "0"})
        hrefs = _HREF.findall(self.ask("PROPFIND", self.path, _PROPS, {"Depth": "1"}))
        for start in range(0, len(hrefs), _BATCH):
            self.read(hrefs[start : start + _BATCH], folder)

    def read(self, hrefs: list[bytes], folder: Path) -> None:
        """One multiget, each event to a file."""
        wanted = b"".join(b"<D:href>%s</D:href>" % href for href in hrefs)
        answer = self.ask("REPORT", self.path, _MULTIGET % wanted, {"Depth": "1"})
        for href, data in zip(hrefs, _DATA.findall(answer), strict=False):
            (folder / href.decode().rpartition("/")[2]).write_bytes(data)

    def token(self) -> bytes:
        """The calendar's sync token."""
        found = _TOKEN.search(self.ask("PROPFIND", self.path, _PROPS, {"Depth": "0"}))
        return found.group(1) if found else b""

    def changes(self, token: bytes) -> bytes:
        """One sync-collection."""
        body = b'<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token></D:sync-collection>'
        return self.ask("REPORT", self.path, body % token)


def scan(folder: Path) -> int:
    """Stat every file below a folder."""
    count = 0
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def upload_in_four(url: str, files: list[Path]) -> None:
    """PUT files over four connections."""
    crew = [Thread(target=Floor(url).upload, args=(files[at::4],)) for at in range(4)]
    for worker in crew:
        worker.start()
    for worker in crew:
        worker.join()


def perform(operation: str, url: str, folder: Path, number: int) -> float:
    """Do one operation; the CPU seconds of the work, without the start of the process."""
    floor = Floor(url)
    token = floor.token()
    files = sorted(folder.glob("*.ics"))[:number] if "upload" in operation or operation in {"changes", "read"} else []
    start = time.process_time()
    match operation:
        case "upload":
            floor.upload(files)
        case "upload-4":
            upload_in_four(url, files)
        case "download":
            floor.download(folder)
        case "noop":
            scan(folder)
            floor.changes(token)
        case "quiet":
            floor.changes(token)
        case "read":
            floor.changes(token)
            floor.read([f"{floor.path}{file.name}".encode() for file in files], folder)
        case "changes":
            floor.upload(files)
            floor.changes(token)
            floor.read([f"{floor.path}{file.name}".encode() for file in files], folder)
        case _:
            raise SystemExit(f"no operation {operation}")
    return time.process_time() - start


if __name__ == "__main__":
    print(perform(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 10**9))
