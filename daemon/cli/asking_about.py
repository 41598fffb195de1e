"""`why`, `list`, `conflicts`, `resolve`, `log`, `undo` and `restore`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from daemon.cli.order import carry_out
from daemon.cli.screen import Ink, counted, day_and_time, plain, shortened
from daemon.cli.shell import Shell

if TYPE_CHECKING:
    from daemon.cli.register import Commands
    from daemon.control import Reply

_WHY = "Shows the whole path to the decision about one file: why it is or is not in the calendar, and the cure."
_LIST = """\
Lists the activities that fit the filters, and says how many each filter hides.

--status is what the activity says of itself, --sync is how its sync stands.
"""
_CONFLICTS = "Shows both values of every open conflict."
_RESOLVE = (
    "Takes one side's value for every open conflict of a file, or its whole state where the calendar's server "
    "looks restored from a backup (FILE may be the hold's id: all files of it)."
)
_LOG = "Shows what was done, by whom, before and after; newest first."
_UNDO = "Takes one entry of the log back, on both sides, before it returns."
_RESTORE = (
    "Brings a file back from the trash, and its event with it; or a file that was removed while its event still "
    "stands (FILE may be the id of a hold: all files of it that were removed)."
)
_FILE = "a file of the store"
_STATES = "synced, waiting, held, conflict, blocked, read_only, ignored, unscheduled or broken"


def add_to(commands: Commands) -> None:
    """Add the commands."""
    why = commands.add("why", _why, "why a file is or is not in the calendar", _WHY, json=True)
    why.add_argument("file", metavar="FILE", help=_FILE)
    listing = commands.add("list", _list, "the activities", _LIST, json=True)
    listing.add_argument("--owner", metavar="MAIL", help="of this person")
    listing.add_argument("--type", metavar="TYPE", help="of this type")
    listing.add_argument(
        "--status", metavar="STATUS", help="the activity's own `status`: confirmed, tentative or cancelled"
    )
    listing.add_argument("--sync", metavar="STATE", help=f"how its sync stands: {_STATES}")
    listing.add_argument(
        "--from", metavar="DATE", help="that begin on this day or later; a series: of which an instance does"
    )
    listing.add_argument(
        "--to", metavar="DATE", help="that begin on this day or before; together with --from: within these days"
    )
    either = listing.add_mutually_exclusive_group()
    either.add_argument("--done", action="store_true", help="that are done")
    either.add_argument("--open", action="store_true", help="that are not done")
    listing.add_argument("--text", metavar="TEXT", help="with this text anywhere")
    commands.add("conflicts", _conflicts, "what both sides changed", _CONFLICTS, json=True)
    resolve = commands.add("resolve", _resolve, "take one side of a conflict", _RESOLVE, json=True)
    resolve.add_argument("file", metavar="FILE", help=_FILE)
    resolve.add_argument("--keep", choices=("file", "calendar"), required=True, help="whose value stays")
    resolve.add_argument("--field", metavar="FIELD", help="only this field, as `conflicts` names it")
    log = commands.add("log", _log, "what was done", _LOG, json=True)
    log.add_argument("file", metavar="FILE", nargs="?", help=_FILE)
    log.add_argument("--limit", type=_many, default=100, metavar="N", help="at most so many entries (default 100)")
    undo = commands.add("undo", _undo, "take something back", _UNDO, json=True)
    undo.add_argument("entry", metavar="ENTRY", type=int, help="the number that `log` shows")
    restore = commands.add("restore", _restore, "bring back from the trash", _RESTORE, json=True)
    restore.add_argument("file", metavar="FILE", help="the name that the file had")


def _many(said: str) -> int:
    if (number := int(said)) < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return number


def _given(args: argparse.Namespace) -> dict[str, str]:
    """A path as the daemon can understand it: with the folder that this command was given in."""
    try:
        here = os.getcwd()  # noqa: PTH109  a folder that was removed is no error here
    except OSError:
        here = ""
    return {"file": args.file or "", "here": here}


def _why(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "why", {**_given(args)})
    if args.json:
        shell.json(reply.data)
        return reply.code
    data: Mapping[str, Any] = reply.data
    where = f" in {data['calendar']}" if data["calendar"] else ""
    ink = Ink.GOOD if data["state"] == "synced" else Ink.WARN
    shell.out.line(f"{plain(data['file'])}: {shell.out.ink(data['state'], ink)}{where}")
    shell.out.line(f"  {plain(data['reason'])}")
    if data["cure"]:
        shell.out.line(f"  {plain(data['cure'])}")
    if data.get("note"):
        shell.out.line(f"  {plain(data['note'])}")
    for one in data.get("warnings", ()):
        place = f"line {one['line']}: " if one["line"] else ""
        shell.out.line(f"  {place}{shell.out.ink('warning', Ink.WARN)}: {plain(one['message'])}")
        shell.out.line(f"      {plain(one['cure'])}")
    return reply.code


def _list(args: argparse.Namespace, shell: Shell) -> int:
    names = ("owner", "type", "status", "sync", "from", "to", "done", "open", "text")
    reply = carry_out(shell, "list", {name: getattr(args, name) for name in names})
    if args.json:
        shell.json(reply.data)
        return reply.code
    rows: Sequence[Mapping[str, Any]] = reply.data["activities"]  # type: ignore[assignment]  # as the order has it
    if rows:
        shell.out.table([_activity(row) for row in rows])
    hidden: Mapping[str, int] = reply.data["hidden"]  # type: ignore[assignment]  # the order fills it with counts
    shell.out.line(counted(len(rows), "activity", "activities"))
    for name, many in hidden.items():
        shell.out.line(f"  the filter on {name} hides {many:,}")
    hints: Sequence[str] = reply.data["hints"]  # type: ignore[assignment]  # the order fills it with sentences
    for hint in hints:
        shell.err.line(plain(hint))
    return reply.code


def _activity(row: Mapping[str, Any]) -> list[str]:
    undated = "-" if row["state"] == "broken" else "unscheduled"
    start = row["begins"] or undated
    subject = shortened(plain(row["subject"]), 50)
    mark = "disconnected" if row["code"] == "disconnected" else "done" if row["done"] else row["state"]
    return [start, row["type"], subject, mark, plain(row["file"])]


def _conflicts(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "conflicts", {})
    if args.json:
        shell.json(reply.data)
        return reply.code
    rows: Sequence[Mapping[str, Any]] = reply.data["conflicts"]  # type: ignore[assignment]  # as the order has it
    if not rows:
        shell.out.line("There are no conflicts.")
    for row in rows:
        shell.out.line(f"{plain(row['file'])}: {shell.out.ink(row['field'], Ink.STRONG)} ({row['calendar']})")
        shell.out.line(f"  file      {_value(row['file_value'])}")
        kept = "" if row["chosen"] is None else " (kept: the file's save put back an older value)"
        shell.out.line(f"  calendar  {_value(row['calendar_value'])}{kept}")
        if row["chosen"] is None:
            shell.out.line(f"  datebook resolve {plain(row['file'])} --keep file|calendar")
        else:
            shell.out.line("  Save your value once more: then it is believed.")
    return reply.code


_KEPT = {
    (False, "file"): "the file's value stays on both sides.",
    (False, "calendar"): "the calendar's value stays on both sides.",
    (True, "file"): "what the file says is sent again.",
    (True, "calendar"): "the calendar is followed.",
}


def _value(text: str | None) -> str:
    return "(nothing)" if text is None else shortened(plain(text), 100)


def _resolve(args: argparse.Namespace, shell: Shell) -> int:
    order = {**_given(args), "keep": args.keep, "field": args.field or ""}
    reply = carry_out(shell, "resolve", order)
    if args.json:
        shell.json(reply.data)
    else:
        many, restored = int(str(reply.data["resolved"])), reply.data.get("restored")
        shell.out.line(
            f"{counted(many, 'file' if restored else 'conflict')} resolved: {_KEPT[bool(restored), args.keep]}"
        )
        _tell_of_trouble(reply, shell)
    return reply.code


def _log(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "log", {**_given(args), "limit": args.limit})
    if args.json:
        shell.json(reply.data)
        return reply.code
    rows: Sequence[Mapping[str, Any]] = reply.data["entries"]  # type: ignore[assignment]  # as the order has it
    now = shell.now()
    for row in rows:
        moment = datetime.fromisoformat(row["when"])
        when = day_and_time(moment, now.astimezone(moment.tzinfo))
        head = f"{row['id']:>5}  {when}  {row['action']} {row['side']}  {plain(row['file'] or row['uid'])}"
        shell.out.line(f"{head}  by {row['by']}: {plain(row['reason'])}")
        for name in sorted({*row["before"], *row["after"]}):
            before, after = _value(row["before"].get(name)), _value(row["after"].get(name))
            shell.out.line(f"         {name}: {before} -> {after}" if row["before"] else f"         {name}: {after}")
    if not rows:
        shell.out.line(f"Nothing was done to {plain(args.file)} yet." if args.file else "Nothing was done yet.")
    return reply.code


def _undo(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "undo", {"entry": args.entry})
    if args.json:
        shell.json(reply.data)
    else:
        where = "in the file; the calendar follows" if reply.message else "on both sides"
        shell.out.line(f"Entry {args.entry} is taken back {where}.")
        _tell_of_trouble(reply, shell)
    return reply.code


def _tell_of_trouble(reply: Reply, shell: Shell) -> None:
    if reply.message:
        shell.err.line(f"datebook: {shell.err.ink(plain(reply.message), Ink.BAD)}")
    if reply.cure:
        shell.err.line(f"    {plain(reply.cure)}")


def _restore(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "restore", {**_given(args)})
    if args.json:
        shell.json(reply.data)
    else:
        shell.out.line(f"{plain(str(reply.data['restored']))} is back.")
        _tell_of_trouble(reply, shell)
    return reply.code
