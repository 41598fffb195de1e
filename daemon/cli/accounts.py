"""`datebook connect` and `datebook calendars`: signing in, and what an account offers."""

from __future__ import annotations

import argparse
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from daemon.cli.screen import Ink, plain
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import Forbidden, SecretNeeded, SignInNeeded, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.schema import AccountConfig, Config
    from daemon.cli.register import Commands
    from daemon.core.store import Account, CalendarInfo, Finding

_PRIMARY = "primary"
_BY_OAUTH = frozenset({"google", "microsoft365"})
_CONNECT = """\
Signs in to an account, tests the rights, and lists its calendars.

An account that the config lacks is added to it first, with one calendar: by questions, or by options.
No comment and no line of the config is changed. A password that is typed goes into the keyring, or where
there is none into a private file of the state folder.

Google and Microsoft 365 are signed in to in the browser, with a client id of your own (docs/google.md,
docs/microsoft365.md). --no-browser prints the link instead and takes the address that the browser is sent
to in the end. A sign-in that still works is kept; --again signs in anew.
"""
_DISCONNECT = """\
Stops syncing an account. Every link and every file stays; a later `datebook connect` takes up where it
was, and doubles nothing.
"""
_CALENDARS = """\
Lists the calendars that an account of the config offers, and which of them Datebook keeps in step.
"""


def add_to(commands: Commands) -> None:
    """Add the commands."""
    connect = commands.add("connect", _connect, "sign in to an account", _CONNECT, json=True)
    connect.add_argument("account", metavar="ACCOUNT", help="its name in the config; a new one is yours to choose")
    new = connect.add_argument_group("a new account")
    new.add_argument("--service", metavar="SERVICE", help="google, microsoft365, exchange or caldav")
    new.add_argument("--url", help="the server's address")
    new.add_argument("--user", help="the name that you sign in with")
    new.add_argument("--calendar", metavar="NAME", help="id, URL or display name; default: primary")
    new.add_argument("--direction", metavar="WAY", help="both, to-calendar or from-calendar; default: both")
    secret = connect.add_argument_group(
        "where its password, or its client's secret, is kept"
    ).add_mutually_exclusive_group()
    secret.add_argument("--password-command", metavar="COMMAND", help="a command that prints it")
    secret.add_argument("--password-file", metavar="FILE", help="a file that holds it")
    secret.add_argument("--password-env", metavar="NAME", help="an environment variable")
    secret.add_argument("--keyring", metavar="SERVICE/USER", help="an entry of the keyring")
    sign_in = connect.add_argument_group("Google and Microsoft 365")
    sign_in.add_argument("--client-id", metavar="ID", help="of your own client; the options above say its secret")
    sign_in.add_argument("--no-browser", action="store_true", help="print the link, and take the pasted answer")
    sign_in.add_argument("--port", metavar="PORT", help="the port that the browser is sent back to; default: any")
    sign_in.add_argument("--again", action="store_true", help="sign in anew, as somebody else for example")
    disconnect = commands.add("disconnect", _disconnect, "stop syncing an account", _DISCONNECT, json=True)
    disconnect.add_argument("account", metavar="ACCOUNT", help="its name in the config")
    calendars = commands.add("calendars", _calendars, "what an account offers", _CALENDARS, json=True)
    calendars.add_argument("account", metavar="ACCOUNT", help="its name in the config")


def opened(name: str, config: Config, shell: Shell) -> Account:
    """The account of that name, ready to be asked."""
    from config.zone import system_zone
    from daemon.accounts import open_account

    zone = config.timezone or system_zone(shell.env)
    return open_account(known(name, config), places=shell.places, zone=zone, types=config.types, owner=config.owner)


def known(name: str, config: Config) -> AccountConfig:
    """The account of that name in the config. Raises UsageError with the nearest one."""
    from config.node import instead

    if name in config.accounts:
        return config.accounts[name]
    cure = instead(name, config.accounts) if config.accounts else ""
    raise UsageError(f"The config has no account `{name}`.", what_to_do=f"{cure} `datebook connect {name}` adds it.")


def _calendars(args: argparse.Namespace, shell: Shell) -> int:
    config = shell.config()
    with closing(opened(args.account, config, shell)) as account:
        offered = account.calendars()
    if args.json:
        shell.json({"calendars": [as_json(one, args.account, config) for one in offered]})
    else:
        show_calendars(offered, args.account, config, shell)
    return Exit.DONE


def as_json(one: CalendarInfo, account: str, config: Config) -> dict[str, str | bool | None]:
    """One calendar for a program, with the name of its route."""
    return {
        "id": one.id,
        "name": one.name,
        "primary": one.primary,
        "writable": one.writable,
        "color": one.color,
        "route": route_of(one, account, config),
    }


def route_of(one: CalendarInfo, account: str, config: Config) -> str | None:
    """The config's name for a calendar; None: Datebook has nothing to do with it."""
    routes = [route for route in config.routes.values() if route.account == account]
    return next((route.name for route in routes if means(route.calendar, one)), None)


def means(wish: str, one: CalendarInfo) -> bool:
    """Whether the config's `calendar` names this one: by id, URL, last part of the path, display name or `primary`."""
    if wish.casefold() == _PRIMARY:
        return one.primary
    there = unquote(one.id).rstrip("/")
    here = unquote(urlsplit(wish).path if "://" in wish else wish).rstrip("/")
    parts = there.removesuffix("/events") if "@" in here else there  # Google's id stands before that
    return here in {there, parts.rpartition("/")[2]} or _folded(wish) == _folded(one.name)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def show_calendars(offered: Sequence[CalendarInfo], account: str, config: Config, shell: Shell) -> None:
    """Show what an account offers."""
    if not offered:
        shell.out.line("This account offers no calendar for events: make one there.")
        return
    rows = [("calendar", "rights", "in the config", "id")]
    rights = {True: "read, write", False: "read only", None: "not told"}
    for one in offered:
        name = plain(one.name) + (" (primary)" if one.primary else "")
        rows.append((name, rights[one.writable], route_of(one, account, config) or "-", plain(one.id)))
    inks = [[Ink.FAINT] * 4, *([Ink.STRONG, Ink.PLAIN, Ink.PLAIN, Ink.FAINT] for _ in offered)]
    shell.out.table(rows, inks)


def _connect(args: argparse.Namespace, shell: Shell) -> int:
    from daemon.cli.connect import connect

    return connect(args, shell)


def _disconnect(args: argparse.Namespace, shell: Shell) -> int:
    from daemon.cli.order import carry_out
    from daemon.control import ControlLost, NoDaemon, Request
    from daemon.control import ask as ask_daemon

    account = known(args.account, shell.config())
    reply = carry_out(shell, "disconnect", {"account": args.account})
    with suppress(NoDaemon, ControlLost):  # where nothing runs, nothing has to stop
        ask_daemon(shell.places.control, Request("reload", {}))
    _sign_out(account, shell)
    if args.json:
        shell.json(reply.data)
    else:
        shell.out.line(f"{args.account} is not synced any more; `datebook connect {args.account}` begins again.")
    return reply.code


def _sign_out(account: AccountConfig, shell: Shell) -> None:
    """Throw away the tokens that Datebook's own sign-in gave; a password is its user's."""
    from daemon.sign_in import forget_tokens, signs_in

    if not signs_in(account):
        return
    try:
        forget_tokens(account, shell.places)
    except (SecretNeeded, OSError) as error:
        shell.err.line(f"The tokens of {account.name} are still kept: {error}")


def show_findings(findings: Sequence[Finding], shell: Shell) -> None:
    """Show the results of a test, each failure with its cure."""
    for one in findings:
        word, ink = ("FAIL", Ink.BAD) if not one.ok else ("ok  ", Ink.GOOD) if one.checked else ("-   ", Ink.WARN)
        shell.out.line(f"{shell.out.ink(word, ink)}  {plain(one.message)}")
        if one.cure and not (one.ok and one.checked):
            shell.out.line(f"      -> {plain(one.cure)}")


def explain_refusal(error: SignInNeeded | Forbidden, account: AccountConfig, shell: Shell) -> None:
    """Say more about a refusal than the server did: two-factor login, and whom to ask."""
    from daemon.cli.admin_letter import letter, two_factors

    if isinstance(error, SecretNeeded) or (isinstance(error, SignInNeeded) and account.service in _BY_OAUTH):
        return
    if isinstance(error, SignInNeeded):
        shell.err.line(two_factors(account, urlsplit(account.url).hostname or ""))
        return
    shell.err.line("Only an administrator can change that. This text is for yours:")
    shell.err.line()
    for line in letter(account, str(error)).splitlines():
        shell.err.line(line)
