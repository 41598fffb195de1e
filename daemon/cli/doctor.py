"""`datebook doctor`: tests everything that Datebook stands on, and has a cure for each thing that is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from daemon.cli.accounts import known, show_findings
from daemon.cli.screen import Ink, plain, progress_bar
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from config.schema import Config
    from daemon.cli.register import Commands
    from daemon.core.store import Finding

_HELP = """\
Tests login, rights, calendars, clocks, zone data, the store's folder, the journal and the service, and says
for each thing that is wrong what to do about it. Writes nothing, unless --write-test is given.

--write-test makes, edits and deletes one private event, years ahead, in each calendar that is written, and
says what the server kept of it. It mails nobody.

Exit codes: 0 all is well, 3 something needs you.
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("doctor", _doctor, "test everything, with a cure for each fault", _HELP, json=True)
    command.add_argument("account", nargs="?", metavar="ACCOUNT", help="test this account alone")
    command.add_argument("--write-test", action="store_true", help="make, edit and delete one far-future private event")
    command.add_argument(
        "--guest", metavar="MAIL", help="with --write-test: put this guest on it (a server may mail them)"
    )


def _doctor(args: argparse.Namespace, shell: Shell) -> int:
    if args.guest and not args.write_test:
        raise UsageError("--guest belongs to the write test.", what_to_do="Add --write-test.")
    config = shell.config()
    if args.account:
        known(args.account, config)
    parts = {} if args.account else _parts(config, shell)
    accounts = _accounts(args, config, shell)
    whole = {**parts, **{f"account {name}": found for name, found in accounts.items()}}
    if args.json:
        shell.json({name: [_row(one) for one in found] for name, found in whole.items()})
    else:
        _show(whole, shell)
    bad = any(not one.ok for found in whole.values() for one in found)
    return Exit.NEEDS_USER if bad else Exit.DONE


def _row(one: Finding) -> dict[str, str | bool]:
    return {"code": one.code, "ok": one.ok, "checked": one.checked, "message": one.message, "cure": one.cure}


def _parts(config: Config, shell: Shell) -> dict[str, list[Finding]]:
    from daemon.clock import SystemClock
    from daemon.doctor import machine, running
    from daemon.journal.examine import bound_to

    bound, zone = bound_to(shell.places.journal)
    return {
        "machine": [*machine.of_packages(), *machine.of_zones(zone or _zone(config, shell))],
        "store": [*machine.of_store(config, SystemClock(), bound), *machine.of_watching(config.store)],
        "state": list(machine.of_state(shell.places)),
        "service": [*running.of_daemon(shell.places), *running.of_service(config, shell.places, shell.env)],
    }


def _zone(config: Config, shell: Shell) -> str:
    from config.zone import system_zone

    return config.timezone or system_zone(shell.env)


def _accounts(args: argparse.Namespace, config: Config, shell: Shell) -> dict[str, list[Finding]]:
    """The accounts, tested by the running daemon, whose secrets may be its own; without one, here."""
    from daemon.cli.order import tell_of_other_config
    from daemon.control import ControlLost, NoDaemon, Request
    from daemon.control import ask as ask_daemon
    from daemon.core.store import Finding

    tell_of_other_config(shell)
    wish = {"account": args.account or "", "write_test": args.write_test, "guest": args.guest or ""}
    with progress_bar() as progress:
        try:
            reply = ask_daemon(shell.places.control, Request("doctor", wish), progress)
        except NoDaemon:
            return _here(args, config, shell)
        except ControlLost as error:
            lost = Finding("daemon", ok=False, message=str(error), cure="Its log says why; then restart it.")
            return {"of the daemon": [lost]}
    if reply.message:
        raise UsageError(reply.message, what_to_do=reply.cure)
    rows: Mapping[str, Iterable[Any]] = reply.data["accounts"]  # type: ignore[assignment]  # as the order has it
    return {name: [Finding(**row) for row in found] for name, found in rows.items()}


def _here(args: argparse.Namespace, config: Config, shell: Shell) -> dict[str, list[Finding]]:
    import sys
    from datetime import UTC, datetime

    from daemon.clock import SystemClock
    from daemon.doctor.accounts import of_account
    from daemon.logs import set_up_logs

    set_up_logs(sys.stderr, journal=False, clock=lambda: datetime.now(UTC), level="error")
    names = [args.account] if args.account else list(config.accounts)
    return {
        name: list(
            of_account(
                name,
                config,
                shell.places,
                zone=_zone(config, shell),
                clock=SystemClock(),
                write_test=args.write_test,
                guest=args.guest or "",
            )
        )
        for name in names
    }


def _show(whole: Mapping[str, list[Finding]], shell: Shell) -> None:
    for name, found in whole.items():
        shell.out.line(shell.out.ink(plain(name), Ink.STRONG))
        show_findings(found, shell)
        shell.out.line()
    bad = sum(not one.ok for found in whole.values() for one in found)
    untested = any(not one.checked for found in whole.values() for one in found)
    well = "All that could be tested is well." if untested else "All is well."
    shell.out.line(f"{bad} of these need{'s' if bad == 1 else ''} you." if bad else well)
