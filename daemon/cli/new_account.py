"""An account that the config lacks, drafted from questions or options; the config itself is not touched yet."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from config.edit import Plain, add_entry
from config.load import parse_config
from config.node import instead
from config.schema import Config, SecretRef, SecretSource, Service
from daemon.cli import keeping
from daemon.cli.asking import ask, ask_password, ask_which
from daemon.cli.finding_exchange import find_exchange
from daemon.cli.shell import Shell
from daemon.core.errors import UsageError
from daemon.sign_in import SERVICES

_PASSWORDS = frozenset({Service.CALDAV, Service.EXCHANGE})


@dataclass(frozen=True, slots=True)
class Draft:
    """A config as it is to be: its text, and what that says. `kept` is a password that was kept for it."""

    text: str
    config: Config
    kept: SecretRef | None = None

    def grown(self, section: str, name: str, keys: dict[str, Plain]) -> Draft:
        """The draft with one more entry. Raises ConfigError for a wrong value."""
        text = add_entry(self.text, section, name, keys)
        return replace(self, text=text, config=parse_config(text.encode(), self.config.path))


def with_account(args: argparse.Namespace, draft: Draft, shell: Shell) -> Draft:
    """The draft with the new account. Raises UsageError for what is missing where nobody can be asked."""
    service = _service(args, shell)
    keys: dict[str, Plain] = {"service": service.value}
    if service is Service.EXCHANGE and not args.url:
        return _with_exchange(args, draft, shell)
    if service in _PASSWORDS:
        url = args.url or _asked(shell, "Address of the server (https://...)", "--url")
        keys["url"] = url
    elif args.url:
        keys["url"] = args.url
    user = args.user or _asked(shell, "User", "--user", draft.config.owner)
    keys["user"] = user
    given = given_secret(args)
    if service in SERVICES:
        return _with_client(args, draft, keys, given, shell)
    if given:
        return draft.grown("accounts", args.account, {**keys, "password": {given.source.value: given.value}})
    # What is wrong so far is said before anybody types a password.
    without = draft.grown("accounts", args.account, keys)
    if service not in _PASSWORDS or not shell.interactive:
        return without
    kept = keeping.keep(ask_password(shell, f"Password of {user}"), args.account, shell.places)
    try:
        grown = draft.grown("accounts", args.account, {**keys, "password": {kept.source.value: kept.value}})
    except BaseException:
        keeping.drop(kept)
        raise
    return replace(grown, kept=kept)


def _with_exchange(args: argparse.Namespace, draft: Draft, shell: Shell) -> Draft:
    """An Exchange account whose address is asked of its mail domain (autodiscover), or of its user."""
    user = args.user or _asked(shell, "User", "--user", draft.config.owner)
    given = given_secret(args)
    kept = None
    if given is None and shell.interactive:
        given = kept = keeping.keep(ask_password(shell, f"Password of {user}"), args.account, shell.places)
    if given is None:
        cure = "Say where the password is (--password-command, ...), or give the server's address: --url URL."
        raise UsageError("The address of the server is missing.", what_to_do=cure)
    try:
        url = find_exchange(user, draft.config.owner, given, shell)
        secret = {given.source.value: given.value}
        keys: dict[str, Plain] = {"service": Service.EXCHANGE.value, "url": url, "user": user, "password": secret}
        return replace(draft.grown("accounts", args.account, keys), kept=kept)
    except BaseException:
        if kept:
            keeping.drop(kept)
        raise


def _with_client(
    args: argparse.Namespace, draft: Draft, keys: dict[str, Plain], given: SecretRef | None, shell: Shell
) -> Draft:
    """An account that is signed in to with its user's own client."""
    id_ = args.client_id or _asked(shell, "Client id", "--client-id")
    without = draft.grown("accounts", args.account, {**keys, "client": {"id": id_}})
    if given is None and keys["service"] != Service.GOOGLE.value:
        return without
    kept = None
    if given is None and shell.interactive:
        given = kept = keeping.keep(ask_password(shell, "Client secret"), f"{args.account}-client", shell.places)
    if given is None:
        cure = "Say where it is: --password-command, --password-file, --password-env or --keyring."
        raise UsageError("The client's secret is missing.", what_to_do=cure)
    client = {"id": id_, "secret": {given.source.value: given.value}}
    return replace(draft.grown("accounts", args.account, {**keys, "client": client}), kept=kept)


def _service(args: argparse.Namespace, shell: Shell) -> Service:
    if args.service:
        with suppress(ValueError):
            return Service(args.service)
        raise UsageError(f"There is no service `{args.service}`.", what_to_do=instead(args.service, list(Service)))
    if args.url and not shell.interactive:
        raise UsageError("It is not said what kind of server this is.", what_to_do="Add --service caldav or exchange.")
    if not shell.interactive:
        raise UsageError(
            f"The config has no account `{args.account}`.",
            what_to_do="Add one with: --service SERVICE --url URL --user USER [--calendar NAME] [--direction WAY]",
        )
    services = tuple(Service)
    lines = [
        "Google Calendar",
        "Microsoft 365, Outlook.com",
        "Exchange in your own house (EWS)",
        "another CalDAV server",
    ]
    shell.err.line("What kind of calendar is it?")
    return services[ask_which(shell, "Number", lines, services.index(Service.CALDAV))]


def _asked(shell: Shell, question: str, option: str, default: str = "") -> str:
    if shell.interactive:
        return ask(shell, question, default, lambda said: "" if said else "Something must stand here.")
    if default:
        return default
    raise UsageError(f"{option} is missing.", what_to_do=f"Give it: {option} ...")


def given_secret(args: argparse.Namespace) -> SecretRef | None:
    """Where the options say that the password, or the client's secret, is kept."""
    if args.password_command:
        return SecretRef(SecretSource.COMMAND, args.password_command)
    if args.password_file:
        return SecretRef(SecretSource.FILE, str(Path(args.password_file).expanduser().absolute()))
    if args.password_env:
        return SecretRef(SecretSource.ENV, args.password_env)
    return SecretRef(SecretSource.KEYRING, args.keyring) if args.keyring else None
