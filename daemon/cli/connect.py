"""Signing in to an account, and adding a new one to the config once it has worked."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from config.edit import replace_file
from config.node import instead
from config.schema import AccountConfig, Config, SecretRef, SecretSource
from daemon.cli import keeping, signing_in
from daemon.cli.accounts import (
    as_json,
    explain_refusal,
    means,
    opened,
    route_of,
    show_calendars,
    show_findings,
)
from daemon.cli.asking import ask_password, ask_which
from daemon.cli.new_account import Draft, given_secret, with_account
from daemon.cli.order import carry_out
from daemon.cli.shell import Exit, Shell
from daemon.control import ControlLost, NoDaemon, Request
from daemon.control import ask as ask_daemon
from daemon.core.errors import Forbidden, SignInNeeded, UsageError
from daemon.core.policy import Direction, Route
from daemon.core.store import CalendarInfo, Finding
from daemon.sign_in import SERVICES
from daemon.status.status_file import last_status

_TRIES = 3
_ASKED = frozenset({SecretSource.FILE, SecretSource.KEYRING})


def connect(args: argparse.Namespace, shell: Shell) -> int:
    """Sign in; what is new stands in the config only when that has worked."""
    config = shell.config()
    before = config.path.read_bytes()
    draft = Draft(before.decode("utf-8"), config)
    is_new = args.account not in config.accounts
    draft = with_account(args, draft, shell) if is_new else _unchanged(args, draft)
    if not is_new and args.direction and not args.calendar:
        _check_directions(args, [route for route in config.routes.values() if route.account == args.account], config)
    try:
        offered, findings = _sign_in(args, draft, shell)
        draft = _with_route(args, draft, offered, shell) if is_new or args.calendar else draft
    except BaseException:
        if draft.kept:
            keeping.drop(draft.kept)
        if is_new and _by_oauth(draft.config.accounts[args.account]):
            signing_in.forget(draft.config.accounts[args.account], shell)
        raise
    is_changed = draft.text.encode() != before
    if is_changed:
        replace_file(config.path, draft.text.encode(), expected=before)
    elif not args.json:
        shell.out.line(_as_before(args.account, shell))
    _report(args, draft.config, offered, findings, shell)
    _tell_daemon(args.account, shell)
    return Exit.DONE if all(one.ok for one in findings) else Exit.NEEDS_USER


def _as_before(account: str, shell: Shell) -> str:
    """What is said of an account that stands in the config as it is wished."""
    last = last_status(shell.places.status)
    known = last.accounts.get(account) if last else None
    if known is not None and known.is_disconnected:
        return f"`{account}` is connected again, and goes on where it was; the config stays as it is."
    return f"`{account}` is connected already; the config stays as it is."


def _unchanged(args: argparse.Namespace, draft: Draft) -> Draft:
    """An account that is there keeps what its user wrote: other wishes are not silently dropped."""
    there = draft.config.accounts[args.account]
    differing = [f"{key}: {said}" for key, said in _differing(args, there)]
    if differing:
        raise UsageError(
            f"The account `{args.account}` is connected already, and the config says {', '.join(differing)}.",
            what_to_do=f"Edit it in {draft.config.path}, or take another name for a second account.",
        )
    return draft


def _differing(args: argparse.Namespace, there: AccountConfig) -> Iterator[tuple[str, str]]:
    """What the options wish otherwise than it is, in the config's words; of a secret, only where it is kept."""
    for key, said in (("service", there.service.value), ("url", there.url), ("user", there.user)):
        if (wish := getattr(args, key)) and wish.rstrip("/") != said.rstrip("/"):
            yield key, said or "nothing"
    client = there.client
    if args.client_id and (client is None or args.client_id != client.id):
        yield "client", client.id if client else "nothing"
    kept = client.secret if client else there.password
    if (given := given_secret(args)) and (kept is None or _place(given) != _place(kept)):
        yield "secret" if client else "password", f"{{{kept.source.value}: ...}}" if kept else "nothing"


def _place(ref: SecretRef) -> tuple[SecretSource, str]:
    value = str(Path(ref.value).expanduser()) if ref.source is SecretSource.FILE else ref.value
    return ref.source, value


def _by_oauth(account: AccountConfig) -> bool:
    return account.service in SERVICES and account.token is None


def _sign_in(args: argparse.Namespace, draft: Draft, shell: Shell) -> tuple[Sequence[CalendarInfo], Sequence[Finding]]:
    """What the account offers, and what its test found. Consent is asked for where the kept one does not do."""
    account = draft.config.accounts[args.account]
    if not _by_oauth(account):
        return _tested(account, draft, shell)
    if not args.again:
        with suppress(SignInNeeded, Forbidden):
            return _offered(account, draft, shell)
    signing_in.sign_in(account, args, shell)
    return _tested(account, draft, shell)


def _offered(account: AccountConfig, draft: Draft, shell: Shell) -> tuple[Sequence[CalendarInfo], Sequence[Finding]]:
    with closing(opened(account.name, draft.config, shell)) as door:
        return door.calendars(), [one for one in door.check() if one.code != "rights"]


def _tested(account: AccountConfig, draft: Draft, shell: Shell) -> tuple[Sequence[CalendarInfo], Sequence[Finding]]:
    """The same with what is there already; a wrong password may be typed again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return _offered(account, draft, shell)
        except SignInNeeded as error:
            explain_refusal(error, account, shell)
            if not tries_left or not shell.interactive or not _may_ask(account):
                raise
            shell.err.line(str(error))
            _ask_again(account, shell)
        except Forbidden as error:
            explain_refusal(error, account, shell)
            raise
    raise AssertionError("the last try returns or raises")


def _may_ask(account: AccountConfig) -> bool:
    return account.password is not None and account.password.source in _ASKED


def _ask_again(account: AccountConfig, shell: Shell) -> None:
    if account.password:
        keeping.keep_at(ask_password(shell, f"Password of {account.user}"), account.password)


def _with_route(args: argparse.Namespace, draft: Draft, offered: Sequence[CalendarInfo], shell: Shell) -> Draft:
    wish = args.calendar or _chosen(offered, shell)
    with closing(opened(args.account, draft.config, shell)) as door, closing(door.open(wish)):
        pass  # raises Missing, with the names that there are
    meant, taken = _meant(wish, offered), draft.config.routes
    there = meant and route_of(meant, args.account, draft.config)
    if there:
        _check_directions(args, [taken[there]], draft.config)
        return draft
    direction = _direction(args, meant, shell)
    names = (args.account, *(f"{args.account}-{number}" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    return draft.grown("calendars", name, {"account": args.account, "calendar": wish, "direction": direction.value})


def _check_directions(args: argparse.Namespace, routes: Sequence[Route], config: Config) -> None:
    """A calendar that is kept in step goes the way that the config says."""
    for route in routes:
        if args.direction and args.direction != route.direction.value:
            raise UsageError(
                f"The calendar is kept in step already: `{route.name}`, with direction: {route.direction.value}.",
                what_to_do=f"Edit `direction` of `{route.name}` in {config.path}.",
            )


def _chosen(offered: Sequence[CalendarInfo], shell: Shell) -> str:
    """The calendar to keep in step, by a name that stays good."""
    if not shell.interactive or len(offered) < 2:  # noqa: PLR2004  one calendar is no choice
        return "primary" if not offered or any(one.primary for one in offered) else offered[0].id
    shell.err.line("Which calendar?")
    first = next((at for at, one in enumerate(offered) if one.primary), 0)
    one = offered[ask_which(shell, "Number", [one.name for one in offered], first)]
    alone = sum(other.name.casefold() == one.name.casefold() for other in offered) == 1
    return "primary" if one.primary else one.name if alone and one.name else one.id


def _meant(wish: str, offered: Sequence[CalendarInfo]) -> CalendarInfo | None:
    return next((one for one in offered if means(wish, one)), None)


def _direction(args: argparse.Namespace, calendar: CalendarInfo | None, shell: Shell) -> Direction:
    read_only = calendar is not None and calendar.writable is False
    if args.direction:
        try:
            direction = Direction(args.direction)
        except ValueError:
            cure = instead(args.direction, list(Direction))
            raise UsageError(f"There is no direction `{args.direction}`.", what_to_do=cure) from None
        if read_only and direction is not Direction.FROM_CALENDAR:
            raise UsageError(
                "This calendar may be read, and not written.",
                what_to_do="Take --direction from-calendar, or ask the calendar's owner for the right to write.",
            )
        return direction
    if read_only:
        shell.err.line("This calendar may be read, and not written: its events come in, nothing goes out.")
        return Direction.FROM_CALENDAR
    return Direction.BOTH


def _report(
    args: argparse.Namespace,
    config: Config,
    offered: Sequence[CalendarInfo],
    findings: Sequence[Finding],
    shell: Shell,
) -> None:
    if args.json:
        shell.json(
            {
                "account": args.account,
                "calendars": [as_json(one, args.account, config) for one in offered],
                "findings": [
                    {"code": one.code, "ok": one.ok, "message": one.message, "cure": one.cure} for one in findings
                ],
            }
        )
        return
    show_findings(findings, shell)
    shell.out.line()
    show_calendars(offered, args.account, config, shell)
    routes = [name for name, route in config.routes.items() if route.account == args.account]
    shell.out.line()
    if routes:
        shell.out.line(f"Kept in step: {', '.join(routes)}. `datebook plan` shows what a first sync would do.")
    else:
        shell.out.line(f"No calendar of it is kept in step yet: datebook connect {args.account} --calendar NAME")


def _tell_daemon(name: str, shell: Shell) -> None:
    """A running daemon takes the new config up; without one, what is there now is noted as from before."""
    try:
        reply = ask_daemon(shell.places.control, Request("reload", {"account": name}))
        if reply.message:
            shell.err.line(f"{reply.message} {reply.cure}".rstrip())
    except NoDaemon:
        carry_out(shell, "connect", {"account": name})
    except ControlLost as error:
        shell.err.line(f"{error} Restart it, so that it takes the account up.")
