"""`datebook new`: writes an activity file that its user then fills in."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from daemon.cli.init import SCHEMA_NAME
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import Unreadable, UsageError

if TYPE_CHECKING:
    from config.schema import Config
    from daemon.cli.register import Commands

_HELP = """\
Writes an activity file into the store and opens it in $EDITOR, where there is a terminal.

Without --date it is unscheduled: it goes to no calendar until you fill `due_date` in.
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("new", _new, "write an activity", _HELP)
    command.add_argument("type", metavar="TYPE", help="one of the config's types, such as call")
    command.add_argument("subject", metavar="SUBJECT", nargs="+", help="what it is about")
    command.add_argument("--date", metavar="DATE", help="due_date, such as 2026-11-24, or `today`")
    command.add_argument("--time", metavar="TIME", help="due_time, such as 14:00; without it the activity is all-day")
    command.add_argument("--duration", metavar="LENGTH", help="such as 45m")
    command.add_argument("--no-edit", action="store_true", help="don't open an editor")


def _new(args: argparse.Namespace, shell: Shell) -> int:
    config = shell.config()
    if args.type not in config.types:
        from config.node import instead

        raise UsageError(f"There is no type `{args.type}`.", what_to_do=instead(args.type, config.types))
    if args.time and not args.date:
        raise UsageError("A time needs a date.", what_to_do="Add --date DATE.")
    path = _write(config, args, _day(args.date, config, shell))
    shell.out.line(str(path))
    shell.out.flush()
    if not args.date:
        shell.err.line("It is unscheduled, and not synced before it has a `due_date`.")
    if args.no_edit or not (sys.stdin.isatty() and shell.out.terminal) or not _edit(path, shell):
        return Exit.DONE
    from daemon.cli.check import look_over, report, rules_of

    return report(list(look_over([path], rules_of(config, shell))), 1, shell)


def _day(said: str | None, config: Config, shell: Shell) -> date | None:
    if said is None:
        return None
    if said == "today":
        return shell.now().astimezone(ZoneInfo(config.timezone) if config.timezone else None).date()
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise UsageError(f"`{said}` is no date.", what_to_do="Write it as 2026-11-24.") from None


def _write(config: Config, args: argparse.Namespace, day: date | None) -> Path:
    """Write the file under a name that is free."""
    if not (config.store / ".datebook").is_dir():
        raise UsageError(f"{config.store} is no store.", what_to_do="Mount its disk; for a new one: datebook init")
    subject = " ".join(args.subject)
    folder = _folder(config, day)
    data = _text(config, args, subject, day, folder).encode()
    _refuse_broken(data, config)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(subject, day):
        try:
            with (folder / name).open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return folder / name
    raise AssertionError("there is always another number")


def _text(config: Config, args: argparse.Namespace, subject: str, day: date | None, folder: Path) -> str:
    """The file, with the hint in its first line by which editors find the schema."""
    from adapters.activity.yaml_write import Text, scalar

    up = "../" * len(folder.relative_to(config.store).parts)
    lines = {
        "# yaml-language-server": f"$schema={up}.datebook/{SCHEMA_NAME}",
        "subject": scalar(Text(subject)),
        "type": args.type,
        "due_date": day.isoformat() if day else "",
        "due_time": scalar(Text(args.time or "", word=True)) if args.time else "",
        "duration": scalar(Text(args.duration or "", word=True)) if args.duration else "",
        "note": "",
    }
    return "".join(f"{key}: {value}".rstrip() + "\n" for key, value in lines.items())


def _folder(config: Config, day: date | None) -> Path:
    """Where an incoming activity of that day would be put, of the first calendar."""
    if day is None:
        return config.store
    route = next(iter(config.routes.values()), None)
    template = route.folder if route else "{year}/{month}"
    return config.store / template.replace("{year}", f"{day.year:04}").replace("{month}", f"{day.month:02}")


def _names(subject: str, day: date | None) -> Iterator[str]:
    from daemon.core.naming import slug

    stem = f"{day.isoformat()}-{slug(subject)}" if day else slug(subject)
    yield f"{stem}.yaml"
    for number in range(2, 10_000):
        yield f"{stem}-{number}.yaml"


def _refuse_broken(data: bytes, config: Config) -> None:
    from adapters.activity import activity_codec

    for found in activity_codec.problems(data, zone=config.timezone or "UTC", types=config.types):
        if isinstance(found, Unreadable):
            raise UsageError(found.message, what_to_do=found.cure)


def _edit(path: Path, shell: Shell) -> bool:
    """Open the editor and wait for it; whether there is one."""
    editor = shell.env.get("VISUAL") or shell.env.get("EDITOR")
    if not editor:
        return False
    try:
        subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  the user's own editor
    except (OSError, ValueError) as error:
        raise UsageError(f"$EDITOR can't be started: {editor}", what_to_do="Set EDITOR to a program.") from error
    return True
