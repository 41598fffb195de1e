"""`datebook check`: looks activity files over like a linter, with or without a config."""

from __future__ import annotations

import argparse
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.screen import Ink, counted, plain
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import ConfigError, Unreadable, UsageError
from daemon.status import Json

if TYPE_CHECKING:
    from config.schema import Config
    from daemon.cli.register import Commands
    from daemon.core.model import Activity, Note

_HELP = """\
Looks activity files over like a linter: FILE:LINE:COLUMN, what is wrong, and what to do.

An error keeps a file from being synced; with a warning it is read all the same, perhaps otherwise than meant.
Without FILE the whole store is looked over. Exit codes: 0 no errors, 3 there are some, 2 a FILE is not there.
"""
_MAX_BYTES = 1 << 20
_NAMED = re.compile(r"^(?:X-DATEBOOK-)?calendar[ \t]*:[ \t]*(?P<value>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file is read by: the default zone, the types (none: every type will do), the names of calendars."""

    zone: str
    types: tuple[str, ...] = ()
    calendars: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to say about a file; `broken`: it can't be read, else it was read all the same."""

    file: str
    line: int | None
    column: int | None
    code: str
    message: str
    cure: str
    broken: bool

    @property
    def severity(self) -> str:
        """`error`: something has to be done before it is synced; `warning`: it is read all the same."""
        return "error" if self.broken else "warning"


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("check", _check, "look activity files over", _HELP, json=True)
    command.add_argument("files", metavar="FILE", nargs="*", help="activity files; needs no config")


def rules_of(config: Config | None, shell: Shell) -> Rules:
    """The rules of a config, or those that hold without one."""
    from config.zone import system_zone

    zone = config.timezone if config else ""
    if config is None:
        return Rules(zone or system_zone(shell.env))
    return Rules(zone or system_zone(shell.env), config.types, frozenset(config.routes))


def _check(args: argparse.Namespace, shell: Shell) -> int:
    if args.files:
        store, rules = None, rules_of(_config_if_any(shell), shell)
        paths = [Path(name) for name in args.files]
    else:
        config = shell.config()
        store, rules = config.store, rules_of(config, shell)
        paths = list(_activities(store))
    faults = list(look_over(paths, rules))
    if args.json:
        shell.json({"problems": [_problem(fault, store) for fault in faults], "files": len(paths)})
        code = _code(faults)
    else:
        code = report(faults, len(paths), shell)
    return Exit.WRONG if args.files and not all(map(os.path.lexists, paths)) else code


def _problem(fault: Fault, store: Path | None) -> Json:
    """A fault as the status file has it: below the store, a file is named from there."""
    file = Path(fault.file).relative_to(store).as_posix() if store else fault.file
    return {
        "file": file,
        "line": fault.line,
        "column": fault.column,
        "severity": fault.severity,
        "code": fault.code,
        "message": fault.message,
        "cure": fault.cure,
        "since": None,
        "needs_user": fault.broken,
    }


def report(faults: Sequence[Fault], files: int, shell: Shell) -> int:
    """Show what was found, and the exit code that it means."""
    for fault in faults:
        place = ":".join(str(part) for part in (fault.file, fault.line, fault.column) if part is not None)
        ink = Ink.BAD if fault.broken else Ink.WARN
        shell.out.line(f"{plain(place)}: {shell.out.ink(fault.severity, ink)}: {plain(fault.message)}")
        if fault.cure:
            shell.out.line(f"    {plain(fault.cure)}")
    wrong = sum(fault.broken for fault in faults)
    summary = f"{counted(files, 'file')}: {counted(wrong, 'error')}, {counted(len(faults) - wrong, 'warning')}"
    (shell.out if not faults else shell.err).line(summary)
    return _code(faults)


def _code(faults: Iterable[Fault]) -> int:
    return Exit.NEEDS_USER if any(fault.broken for fault in faults) else Exit.DONE


def _config_if_any(shell: Shell) -> Config | None:
    """The config, where there is a good one: files can be looked over without."""
    if not shell.places.config.exists():
        return None
    try:
        return shell.config()
    except ConfigError as error:
        shell.err.line(f"{error.path} is broken, so its types and zone are not known here.")
        return None


def _activities(store: Path) -> Iterator[Path]:
    """Every activity file of a store, in order, without what is ignored there."""
    if not store.is_dir():
        raise UsageError(f"The store {store} is not there.", what_to_do="Mount its disk; for a new one: datebook init")
    from adapters.folder.file_names import is_activity, is_conflict_copy, is_ignored

    for folder, folders, names in os.walk(store, onerror=_unreadable_folder):
        folders[:] = sorted(name for name in folders if not is_ignored(name))
        for name in sorted(names):
            if is_activity(name) or (is_conflict_copy(name) and not is_ignored(name)):
                yield Path(folder, name)


def _unreadable_folder(error: OSError) -> None:
    raise UsageError(f"{error.filename} can't be read: {error.strerror}.", what_to_do="Give yourself the right to.")


def look_over(paths: Iterable[Path], rules: Rules) -> Iterator[Fault]:
    """Everything there is to say about these files."""
    for path in paths:
        try:
            yield from _faults(path, rules)
        except OSError as error:
            cure = "Check the name and the rights."
            yield Fault(
                str(path), None, None, "not_readable", f"It can't be read: {error.strerror}.", cure, broken=True
            )


def _faults(path: Path, rules: Rules) -> Iterator[Fault]:
    from adapters.folder.file_names import is_conflict_copy

    shown = str(path)
    if is_conflict_copy(path.name):
        cure = "Take over what the original lacks, then delete this copy."
        yield Fault(
            shown, None, None, "replicator_conflict", "A replicator left this; it is ignored.", cure, broken=False
        )
    elif path.is_symlink():
        cure = "Put the file itself there."
        yield Fault(shown, None, None, "symlink", "Symbolic links are not followed.", cure, broken=True)
    elif not stat.S_ISREG(path.stat().st_mode):
        cure = "An activity is a plain file; remove this, or give it another name."
        yield Fault(shown, None, None, "not_a_file", "It is no regular file.", cure, broken=True)
    elif path.stat().st_size > _MAX_BYTES:
        cure = "An activity has no need for that; is this another kind of file?"
        yield Fault(shown, None, None, "too_big", "It is larger than 1 MiB.", cure, broken=True)
    else:
        for one in _problems(path, rules):
            broken = isinstance(one, Unreadable)
            yield Fault(shown, one.line, one.column, one.code, one.message, one.cure, broken=broken)
        yield from _calendar(path, rules)


def _calendar(path: Path, rules: Rules) -> Iterator[Fault]:
    """Whether the calendar that a file names is in the config; of a broken file nothing more is said."""
    from config.node import instead

    try:
        name = _read(path, rules).local.calendar or ""
    except Unreadable:
        return
    if rules.calendars is None or not name or name in rules.calendars:
        return
    cure = instead(name, rules.calendars) if rules.calendars else "Run `datebook connect ACCOUNT`."
    found = _NAMED.search(path.read_text("utf-8", "replace"))
    line = found.string.count("\n", 0, found.start()) + 1 if found else None
    column = found.start("value") - found.start() + 1 if found else None
    message = f"calendar: the config has none with the name `{name}`"
    yield Fault(str(path), line, column, "unknown_calendar", message, cure, broken=True)


def _read(path: Path, rules: Rules) -> Activity:
    from adapters.activity import activity_codec
    from adapters.ics import ics_codec

    raw, shown = path.read_bytes(), str(path)
    if path.suffix.lower() == ".ics":
        return ics_codec.read(raw, zone=rules.zone, types=rules.types, path=shown)
    return activity_codec.read(raw, zone=rules.zone, types=rules.types, path=shown)


def _problems(path: Path, rules: Rules) -> Sequence[Unreadable | Note]:
    raw = path.read_bytes()
    if path.suffix.lower() == ".ics":
        from adapters.ics import ics_codec

        try:
            return ics_codec.read(raw, zone=rules.zone, types=rules.types, path=str(path)).notes
        except Unreadable as error:
            return [error]
    from adapters.activity import activity_codec

    return activity_codec.problems(raw, zone=rules.zone, types=rules.types, path=str(path))
