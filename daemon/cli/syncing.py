"""`sync`, `plan`, `approve` and `run`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.cli.order import carry_out
from daemon.cli.screen import Ink, counted, plain, shortened
from daemon.cli.shell import Shell
from daemon.cli.status_view import held_words
from daemon.control import Reply

if TYPE_CHECKING:
    from daemon.cli.register import Commands

_SYNC = """\
Makes one pass over everything, or has the running daemon make one, and waits for its end. What a grace
holds back (a file that was removed) is waited for.
"""
_PLAN = """\
Shows what a sync would do, item by item, with the reason, and whom it would mail. Changes nothing.

What is held waits for `datebook approve`.
"""
_APPROVE = """\
Lets a held plan go: exactly the actions that `datebook plan` showed, each only if its item is unchanged
since. What mails anybody needs --mail besides.
"""
_RUN = "Runs the daemon in the foreground, until Ctrl-C or SIGTERM. SIGHUP has it read the config again."


def add_to(commands: Commands) -> None:
    """Add the commands."""
    sync = commands.add("sync", _sync, "one pass, now", _SYNC, json=True)
    sync.add_argument("calendars", nargs="*", metavar="CALENDAR", help="only these calendars of the config")
    sync.add_argument("--full", action="store_true", help="read every file, whatever its date says")
    commands.add("plan", _plan, "what a sync would do", _PLAN, json=True)
    approve = commands.add("approve", _approve, "let a held plan go", _APPROVE, json=True)
    approve.add_argument("hold", nargs="?", metavar="HOLD", help="the id that `plan` shows (default: all)")
    approve.add_argument("--mail", action="store_true", help="and let it mail the guests that `plan` names")
    commands.add("run", _run, "the daemon, in the foreground", _RUN)


def _run(_args: argparse.Namespace, shell: Shell) -> int:
    from daemon.service import run

    return run(shell.places)


def _sync(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "sync", {"calendars": args.calendars, "full": args.full})
    return _tell_synced(reply, args, shell)


def _tell_synced(reply: Reply, args: argparse.Namespace, shell: Shell) -> int:
    if args.json:
        shell.json(reply.data)
        return reply.code
    rows: Sequence[Mapping[str, Any]] = reply.data["calendars"]  # type: ignore[assignment]  # as the order has it
    for row in rows:
        done = "not finished" if row["error"] else _amounts(row)
        shell.out.line(f"{row['calendar']}: {done}")
    waiting: Sequence[Mapping[str, Any]] = reply.data.get("waiting", ())  # type: ignore[assignment]  # as above
    for row in waiting:
        shell.out.line(f"{plain(row['file'])}: {plain(row['reason'])} {plain(row['cure'])}")
    if not rows:
        shell.out.line("No calendar is kept in step: `datebook connect ACCOUNT`.")
    if reply.message:
        shell.err.line(f"datebook: {shell.err.ink(plain(reply.message), Ink.BAD)}")
        shell.err.line(f"    {plain(reply.cure or 'It is tried again by the daemon, or by the next `datebook sync`.')}")
    elif reply.data.get("needs_user"):
        shell.out.line("Something needs you: `datebook status` says what.")
    return reply.code


def _amounts(row: Mapping[str, Any]) -> str:
    """What went each way: to the calendar, to files; what was only read, such as an event that a file equals."""
    out, files = row["wrote"] - row["files"], row["files"]
    moved = [f"{out:,} to the calendar" if out else "", f"{files:,} to files" if files else ""]
    read = f"{counted(row['read'], 'event')} read" if row["read"] and not files else ""
    return ", ".join(filter(None, [*moved, read])) or "up to date"


def _plan(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "plan", {})
    if args.json:
        shell.json(reply.data)
        return reply.code
    actions: Sequence[Mapping[str, Any]] = reply.data["actions"]  # type: ignore[assignment]  # as the order has it
    held: Sequence[Mapping[str, Any]] = reply.data["held"]  # type: ignore[assignment]  # the order fills it with holds
    stuck = [f"{reply.data[what]} {what}" for what in ("broken", "blocked") if reply.data.get(what)]
    if not actions and not held and stuck:
        shell.out.line("A sync would do nothing.")
    elif not actions and not held:
        shell.out.line("Everything is in step; a sync would do nothing.")
    _show_actions(actions, shell)
    for one in held:
        many = counted(len(one["actions"]), "action")
        why = held_words(one["reason"], one.get("message", ""))
        shell.out.line()
        shell.out.line(shell.out.ink(f"Held, {many} on {one['calendar']}: {why}.", Ink.WARN))
        _show_actions(one["actions"], shell)
        mail = " --mail" if one["mails"] else ""
        shell.out.line(f"  Let them go with `datebook approve {one['id']}{mail}`.")
    if stuck:
        shell.out.line(f"Files that no sync can send: {', '.join(stuck)}. `datebook status` says what to do.")
    return reply.code


def _show_actions(actions: Sequence[Mapping[str, Any]], shell: Shell) -> None:
    if not actions:
        return
    shell.out.table([_cells(row) for row in actions], indent="  ")
    for row in actions:
        if row["mails"]:
            shell.out.line(f"  mails {', '.join(map(plain, row['mails']))}: {plain(row['subject'])}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    target = "calendar" if row["side"] == "calendar" else "file"
    what = shortened(plain(row["subject"] or row["file"] or row["uid"]), 40)
    fields = ", ".join(row["fields"]) if row["action"] in {"update", "conflict"} else ""
    return [row["calendar"], f"{row['action']} {target}", what, fields or "", plain(row["reason"])]


def _approve(args: argparse.Namespace, shell: Shell) -> int:
    reply = carry_out(shell, "approve", {"hold": args.hold or "", "mail": args.mail})
    if not args.json and not reply.data.get("approved"):
        shell.out.line("Nothing is held.")
        return reply.code
    if not args.json and reply.data.get("needs_mail"):
        many = counted(int(str(reply.data["needs_mail"])), "action")
        shell.out.line(f"{many} would mail guests and stay held: add --mail to send them.")
    return _tell_synced(reply, args, shell)
