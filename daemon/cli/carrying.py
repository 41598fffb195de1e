"""`import` and `export`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.order import carry_out
from daemon.cli.screen import counted, plain, shortened
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import Unreadable, UsageError

if TYPE_CHECKING:
    from daemon.cli.register import Commands

_IMPORT = """\
Splits calendar files (.ics) with many events into activities, one file each. What is in the store already,
by its uid or by its subject and time, is not made twice. On a terminal it shows first what it would make.

A file of the store that was split goes to the trash.
"""
_EXPORT = """\
Writes all activities into one calendar (.ics) or one table (.csv).

--json says how many were written and how many were left out; without --output, with the whole as `text`.
"""
_BATCH = 4 << 20  # characters that one order carries
_FATES = {
    "new": "to make",
    "known": "in the store already",
    "alike": "in the store already, with the same subject and time",
    "unreadable": "not readable",
}


def add_to(commands: Commands) -> None:
    """Add the commands."""
    taking = commands.add("import", _import, "make activities of a calendar file", _IMPORT, json=True)
    taking.add_argument("files", nargs="+", metavar="FILE", help="a calendar file (.ics)")
    taking.add_argument("--preview", action="store_true", help="only show what would be made")
    taking.add_argument("--yes", action="store_true", help="make them without asking")
    giving = commands.add("export", _export, "write all activities into one file", _EXPORT, json=True)
    giving.add_argument("--format", choices=("ics", "csv"), default="ics", help="what to write (default ics)")
    giving.add_argument("--output", metavar="FILE", help="where to (default: the standard output)")


def _import(args: argparse.Namespace, shell: Shell) -> int:
    whole = {name: list(_objects(Path(name))) for name in args.files}
    asks = shell.interactive and not args.yes and not args.json
    if args.preview or asks:
        told = _order(shell, whole, preview=True)
        if args.preview:
            return _tell(told, args, shell)
        _tell(told, args, shell)
        from daemon.cli.asking import ask_yes

        if not told["new"] or not ask_yes(shell, "Make them?", default=True):
            return Exit.DONE
    return _tell(_order(shell, whole, preview=False), args, shell)


def _objects(path: Path) -> Iterator[str]:
    """The activities of a calendar file. Raises UsageError."""
    from adapters.ics.ics_codec import split

    try:
        objects = split(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.", what_to_do="Name a calendar file.") from error
    except Unreadable as error:
        raise UsageError(f"{path} is no calendar file: {error}.", what_to_do="Name an .ics file.") from error
    if not objects:
        raise UsageError(f"{path} has no events.", what_to_do="Name a calendar file with events.")
    return (raw.decode("utf-8", "replace") for _, raw in objects)


def _order(shell: Shell, whole: Mapping[str, Sequence[str]], *, preview: bool) -> dict[str, Any]:
    total: dict[str, Any] = {"preview": preview, "activities": [], "trashed": [], **dict.fromkeys(_FATES, 0)}
    for name, objects in whole.items():
        batches = list(_batches(objects))
        for number, batch in enumerate(batches, 1):
            source = _in_store(shell, Path(name)) if number == len(batches) else ""
            reply = carry_out(shell, "import", {"objects": list(batch), "preview": preview, "source": source})
            data: Mapping[str, Any] = reply.data
            total["activities"] += data["activities"]
            total["trashed"] += [name] if data["trashed"] else []
            for fate in _FATES:
                total[fate] += data[fate]
    return total


def _batches(objects: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in objects:
        if batch and size + len(text) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _in_store(shell: Shell, path: Path) -> str:
    """The path of a file of the store; "" for one elsewhere."""
    return str(path.absolute()) if path.resolve().is_relative_to(shell.config().store.resolve()) else ""


def _tell(told: Mapping[str, Any], args: argparse.Namespace, shell: Shell) -> int:
    if args.json:
        shell.json(told)
    else:
        rows = [row for row in told["activities"] if row["fate"] not in {"known", "unreadable"}]
        shell.out.table(
            [[_FATES[row["fate"]], shortened(plain(row["subject"]), 50), plain(row["file"])] for row in rows]
        )
        for row in (row for row in told["activities"] if row["fate"] == "unreadable"):
            name = shortened(plain(row["subject"]), 50) or "an event without a title"
            shell.out.line(f"{name}: not readable: {plain(row['reason'])}; {plain(row['cure'])}")
        for fate, words in _FATES.items():
            if told[fate]:
                made = "made" if fate == "new" and not told["preview"] else words
                shell.out.line(f"{counted(told[fate], 'activity', 'activities')}: {made}")
        for name in told["trashed"]:
            went = f"went to the store's trash; `datebook restore {plain(Path(name).name)}` brings it back"
            shell.out.line(f"{plain(name)} itself {'would go to the trash' if told['preview'] else went}.")
    return Exit.NEEDS_USER if told["unreadable"] else Exit.DONE


def _export(args: argparse.Namespace, shell: Shell) -> int:
    data: Mapping[str, Any] = carry_out(shell, "export", {"format": args.format}).data
    if not args.output and args.json:
        shell.json({"format": args.format, **data})
        return Exit.DONE
    if not args.output:
        shell.out.line(data["text"].replace("\r\n", "\n").rstrip("\n"))
        return Exit.DONE
    target = Path(args.output)
    try:
        target.write_bytes(data["text"].encode())
    except OSError as error:
        raise UsageError(f"{target} can't be written: {error.strerror}.", what_to_do="Name another file.") from error
    said = {"format": args.format, "file": str(target), "activities": data["activities"], "left_out": data["left_out"]}
    if args.json:
        shell.json(said)
    else:
        shell.out.line(f"{counted(data['activities'], 'activity', 'activities')} written to {plain(str(target))}.")
        if data["left_out"]:
            shell.out.line(f"{counted(data['left_out'], 'activity', 'activities')} without a date left out.")
    return Exit.DONE
