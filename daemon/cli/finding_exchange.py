"""The address of an Exchange server that its user does not know: asked of the mail domain (autodiscover)."""

from __future__ import annotations

from config.schema import SecretRef
from daemon.cli.asking import ask
from daemon.cli.screen import plain
from daemon.cli.shell import Shell
from daemon.core.errors import Missing


def find_exchange(user: str, owner: str, given: SecretRef, shell: Shell) -> str:
    """The address of EWS. Raises Missing, SignInNeeded; UsageError where the mailbox is in Microsoft's cloud."""
    from adapters.exchange.exchange_account import discover
    from daemon.accounts import secret_of

    address = user if "@" in user else owner
    shell.err.line(f"Asking {plain(address.rpartition('@')[2])} where its Exchange is ...")
    shell.err.flush()
    try:
        found = discover(address, user, secret_of(given, shell.places))
    except Missing as error:
        if not shell.interactive:
            raise
        shell.err.line(f"{plain(str(error))}.")
        return ask(shell, "Address of EWS (https://.../EWS/Exchange.asmx)", "", _wrong)
    shell.err.line(f"Found: {plain(found.url)}")
    return found.url


def _wrong(said: str) -> str:
    return "" if said else "It is needed."
