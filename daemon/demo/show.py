"""The tour: what is done, what travels, and what the files and the calendar say then."""

from __future__ import annotations

import difflib
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import FrameType
from typing import NoReturn

from daemon.cli.screen import Ink, Screen
from daemon.cli.shell import Shell
from daemon.demo.calendar import OtherClient
from daemon.demo.samples import samples
from daemon.demo.stage import Stage, daemon, set_up, wait_for

_CALL = "Call Anna about the renewal"
_KICKOFF = "Romashka kick-off"


def show(shell: Shell, *, keep: bool) -> int:
    """Show the tour; on a terminal stay until Ctrl-C. Raises DemoFailed."""
    with _ended_by_signals():
        _show(shell, keep=keep)
    return 0


def _show(shell: Shell, *, keep: bool) -> None:
    from config.zone import system_zone

    root = Path(tempfile.mkdtemp(prefix="datebook-demo-"))
    out = shell.out
    try:
        with set_up(root, system_zone(shell.env)) as stage:
            _write_samples(stage, out)
            with daemon(stage):
                _tour(stage, out)
                if sys.stdin.isatty() and out.terminal:
                    _stay(stage, out)
    finally:
        if keep:
            out.line(f"Kept: {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A window that is closed, or a SIGTERM, ends everything that was started, as Ctrl-C does."""
    ending = [one for one in (signal.SIGHUP, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]  # nohup

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        for one in ending:  # a second one must not break off the tidying up
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = [(number, signal.signal(number, end)) for number in ending]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _head(out: Screen, text: str) -> None:
    out.line()
    out.line(out.ink(text, Ink.STRONG))


def _write_samples(stage: Stage, out: Screen) -> None:
    out.line(out.ink("Datebook: a folder of activities, kept in step with a calendar", Ink.STRONG))
    out.line(f"  folder    {stage.store}")
    out.line(f"  calendar  {stage.collection} (Radicale)")
    files = samples(datetime.now(UTC).astimezone().date())
    for name, text in files.items():
        (stage.store / name).write_text(text)
    _head(out, f"1. {len(files)} activity files, and the daemon starts")


def _tour(stage: Stage, out: Screen) -> None:
    calendar = OtherClient(stage)
    began = time.monotonic()
    wait_for("the files to arrive in the calendar", lambda: len(calendar.titles()) == 3)  # noqa: PLR2004  as many as there are samples
    out.line(f"  in the calendar after {time.monotonic() - began:.1f} s:")
    for title in calendar.titles():
        out.line(f"    {title}: {calendar.described(title)}")
    _wait_for_uids(stage)
    _edit_file(stage, calendar, out)
    _edit_calendar(stage, calendar, out)
    _status(stage, out)


def _wait_for_uids(stage: Stage) -> None:
    """An edit of ours must not meet the daemon's own: the uid that it adds to each new file."""
    wait_for("the uids", lambda: all("\nuid:" in path.read_text() for path in stage.store.glob("*.yaml")))


def _edit_file(stage: Stage, calendar: OtherClient, out: Screen) -> None:
    _head(out, "2. You edit a file: the call moves to 11:00")
    path = stage.store / "call-anna.yaml"
    before = path.read_text()
    path.write_text(before.replace("10:30", "11:00"))
    _diff(out, path.name, before, path.read_text())
    began = time.monotonic()
    wait_for("the edit to arrive in the calendar", lambda: "11:00" in calendar.described(_CALL))
    out.line(f"  in the calendar after {time.monotonic() - began:.1f} s: {calendar.described(_CALL)}")


def _edit_calendar(stage: Stage, calendar: OtherClient, out: Screen) -> None:
    _head(out, "3. Somebody edits the calendar: the kick-off gets another room")
    path = stage.store / "romashka-kickoff.yaml"
    before = path.read_text()
    calendar.change(_KICKOFF, location="Romashka office, room 5.11")
    began = time.monotonic()
    _ask_for_a_pass(stage)
    wait_for("the edit to arrive in the file", lambda: path.read_text() != before)
    out.line(f"  in the file after {time.monotonic() - began:.1f} s, and nothing else in it has changed:")
    _diff(out, path.name, before, path.read_text())


def _ask_for_a_pass(stage: Stage) -> None:
    """The daemon asks the calendar once a minute; the tour is not that patient."""
    from daemon.control import Request, ask

    ask(stage.state / "control.sock", Request("sync", {}))


def _diff(out: Screen, name: str, before: str, after: str) -> None:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, n=1, lineterm="")
    for line in list(lines)[2:]:
        ink = Ink.GOOD if line.startswith("+") else Ink.BAD if line.startswith("-") else Ink.FAINT
        out.line("    " + out.ink(line, ink))


def _status(stage: Stage, out: Screen) -> None:
    from daemon.cli.status_view import show as show_status
    from daemon.status.status_file import parse_status, read_text

    _head(out, "4. datebook status")

    def settled() -> bool:
        text = read_text(stage.state / "status.json")
        return text is not None and parse_status(text).state.value == "ok"

    wait_for("the status to be ok", settled)
    text = read_text(stage.state / "status.json") or ""
    show_status(out, parse_status(text), "", datetime.now().astimezone())


def _stay(stage: Stage, out: Screen) -> None:
    _head(out, "It goes on running: edit the files, or the calendar, and look")
    out.line(f"  {_this_program()} --config {stage.config} --state {stage.state} status --watch")
    out.line(f"  a calendar program of yours: {stage.url}, user demo, password demo")
    out.line("  Ctrl-C ends it, and takes the folder along.")
    out.flush()
    try:
        Event().wait()
    except KeyboardInterrupt:
        out.line()


def _this_program() -> str:
    """How this program is called in a shell: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m daemon"
    found = shutil.which(called.name)
    return called.name if found and Path(found).absolute() == called else shlex.quote(str(called))
