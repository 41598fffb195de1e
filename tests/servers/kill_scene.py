"""What stands in the folder and in the calendar when Datebook is killed: changes of all kinds on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.kill_points import Stage
from tests.servers.null_dav import Connection, Server
from tests.servers.program import Program

FILE = "# mine\nsubject: {title}\ndue_date: 2030-11-24\ndue_time: 9:00\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//another client//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:20301124T100000Z\r\nDTEND:20301124T110000Z\r\nSUMMARY:{title}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


class LocalDav:
    """`null_dav` in a thread, whose calendars can be kept and put back."""

    def __init__(self) -> None:
        self.server = Server()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = self._loop.create_server(lambda: Connection(self.server), "127.0.0.1", 0)
        self._listener = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        port = self._listener.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/me/work/"

    @property
    def _items(self) -> dict[str, Any]:
        return self.server.calendars["work"].items

    def keep(self) -> object:
        return copy.deepcopy(self.server.calendars)

    def put_back(self, kept: object) -> None:
        self.server.calendars = copy.deepcopy(kept)  # type: ignore[assignment]  # the wrapped one stands in

    def texts(self) -> dict[str, str]:
        return {name: item.body.decode() for name, item in self._items.items()}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        self.server.calendars["work"].put(name, change(self.texts()[name]).encode())

    def add(self, name: str, text: str) -> None:
        self.server.calendars["work"].put(name, text.encode())

    def remove(self, name: str) -> None:
        self.server.calendars["work"].delete(name)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with contextlib.suppress(Exception):
            self._loop.close()


@dataclass
class RadicaleDav:
    """A calendar on Radicale, whose folder can be kept and put back."""

    program: Program
    url: str
    root: Path
    kept: list[Path] = field(default_factory=list)

    @property
    def _folder(self) -> Path:
        return self.program.folder / "collections" / "collection-root" / self.url.split("/", 3)[3].rstrip("/")

    def keep(self) -> object:
        target = self.root / "kept-calendar"
        shutil.copytree(self._folder, target)
        return target

    def put_back(self, kept: object) -> None:
        assert isinstance(kept, Path)
        shutil.rmtree(self._folder)
        shutil.copytree(kept, self._folder)

    def texts(self) -> dict[str, str]:
        return {path.name: path.read_bytes().decode() for path in self._folder.glob("*.ics")}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        self.add(name, change(self.texts()[name]))

    def add(self, name: str, text: str) -> None:
        status, _, _ = self.program.ask("PUT", self.url + name, text.encode(), {"Content-Type": "text/calendar"})
        assert status in {201, 204}

    def remove(self, name: str) -> None:
        self.program.ask("DELETE", self.url + name)

    def close(self) -> None:
        """The program is shared."""


def titled(stage: Stage, *titles: str) -> str:
    """The name of the event that has one of these titles."""
    for name, text in stage.dav.texts().items():
        if any(f"SUMMARY:{title}\r\n" in text for title in titles):
            return name
    raise AssertionError(titles)


def edit_file(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def set_up(stage: Stage) -> None:
    """Six files and four events in step; then every kind of change on both sides."""
    stage.sync()
    for number in range(6):
        (stage.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}"))
    for number in range(4):
        stage.dav.add(f"e{number}.ics", EVENT.format(uid=f"e{number}", title=f"Event {number}"))
    stage.sync(2)
    (stage.store / "new.yaml").write_text(FILE.format(title="New file"))
    edit_file(stage.store / "f0.yaml", "File 0", "File 0 edited")
    (stage.store / "f1.yaml").unlink()
    (stage.store / "f2.yaml").rename(stage.store / "moved.yaml")
    stage.dav.add("new.ics", EVENT.format(uid="new", title="New event"))
    stage.dav.edit(titled(stage, "Event 0"), lambda text: text.replace("Event 0", "Event 0 edited"))
    stage.dav.remove(titled(stage, "Event 1"))
    edit_file(stage.store / "f3.yaml", "File 3", "File 3 edited")
    stage.dav.edit(titled(stage, "File 3"), lambda text: text.replace("END:VEVENT", "LOCATION:There\r\nEND:VEVENT"))
    stage.keep()


def set_up_first_sync(stage: Stage) -> None:
    """Files and events that have never met; one of each is the same."""
    stage.sync()
    for number in range(4):
        (stage.store / f"f{number}.yaml").write_text(FILE.format(title=f"File {number}"))
        stage.dav.add(f"e{number}.ics", EVENT.format(uid=f"e{number}", title=f"Event {number}"))
    stage.keep()


def set_up_one_edit(stage: Stage) -> None:
    """One file was edited, and nothing else."""
    stage.sync()
    (stage.store / "f.yaml").write_text(FILE.format(title="File"))
    stage.sync(2)
    edit_file(stage.store / "f.yaml", "File", "File edited")
    stage.keep()


def set_up_series(stage: Stage) -> None:
    """Two series with changes in single instances: one changed in its file, one in the calendar."""
    stage.sync()
    (stage.store / "f.yaml").write_text(FILE.format(title="File") + "repeat: FREQ=WEEKLY;COUNT=8\n")
    weekly = EVENT.format(uid="e", title="Event").replace("SUMMARY:", "RRULE:FREQ=WEEKLY;COUNT=8\r\nSUMMARY:")
    stage.dav.add("e.ics", weekly)
    stage.sync(2)
    file = stage.store / "f.yaml"
    text = file.read_text() + "skip: [2030-12-01]\nchanges:\n  2030-12-08: {subject: File changed, due_time: 11:00}\n"
    file.write_text(text)
    stage.dav.edit(
        "e.ics", lambda text: text.replace("SUMMARY:Event", "EXDATE:20301201T100000Z\r\nSUMMARY:Event weekly")
    )
    stage.keep()
