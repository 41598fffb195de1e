"""Signing in by OAuth at the terminal: the browser, or a link and a pasted address."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from daemon.cli.asking import ask
from daemon.cli.shell import Shell
from daemon.core.errors import SecretNeeded, UsageError

if TYPE_CHECKING:
    from config.schema import AccountConfig


def sign_in(account: AccountConfig, args: argparse.Namespace, shell: Shell) -> None:
    """Ask the user for consent and keep the tokens. Raises SignInNeeded, Forbidden, Unavailable, UsageError."""
    from daemon.accounts import secret_of
    from daemon.clock import SystemClock
    from daemon.sign_in import Terminal, ask_consent, client_secret

    shell.err.flush()
    by_hand = args.no_browser or not _has_browser(shell.env)
    terminal = Terminal(
        show=shell.err.line,
        ask=lambda question: _line(question, shell),
        browse=None if by_hand else _browse,
        paste=_descriptor() if by_hand or shell.interactive else None,
        port=_port(args.port),
    )
    ask_consent(account, shell.places, client_secret(account, secret_of, shell.places), SystemClock().now, terminal)
    shell.err.line("Signed in.")


def forget(account: AccountConfig, shell: Shell) -> None:
    """Throw away the tokens that `sign_in` has just kept."""
    from daemon.sign_in import forget_tokens

    with suppress(SecretNeeded):  # a keyring that is locked now has taken none
        forget_tokens(account, shell.places)


def _port(given: str | None) -> int:
    if given is None:
        return 0
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 1 << 16):
        raise UsageError(f"`{given}` is no port.", what_to_do="Give a number between 1024 and 65535: --port 8765")
    return int(given)


def _has_browser(env: Mapping[str, str]) -> bool:
    """Whether a graphical browser can be opened from here; Google's page does not work in one of text."""
    return sys.platform in {"darwin", "win32"} or any(
        env.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )


def _browse(link: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(link)
    except webbrowser.Error:
        return False


def _descriptor() -> int | None:
    """Where pasted lines come from; None: nowhere."""
    try:
        return sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _line(question: str, shell: Shell) -> str:
    """One line; an empty one where nobody can answer."""
    if shell.interactive:
        return ask(shell, question)
    shell.err.line(question)
    shell.err.flush()
    return sys.stdin.readline().strip()
