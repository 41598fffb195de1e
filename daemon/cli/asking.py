"""Questions at the terminal, each with its default; where nobody sits there, none is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from daemon.cli.screen import Ink, plain
from daemon.cli.shell import Shell
from daemon.core.errors import UsageError


def ask(shell: Shell, question: str, default: str = "", wrong: Callable[[str], str] = lambda _: "") -> str:
    """An answer that `wrong` has nothing to say against; an empty one is the default."""
    while True:
        shown = f" [{plain(default)}]" if default else ""
        answer = _read(shell, f"{question}{shell.err.ink(shown, Ink.FAINT)}: ") or default
        fault = wrong(answer)
        if not fault:
            return answer
        shell.err.line(f"    {plain(fault)}")


def ask_yes(shell: Shell, question: str, *, default: bool) -> bool:
    """Yes or no."""
    answer = ask(shell, question, "yes" if default else "no", lambda said: "" if _truth(said) else "Answer yes or no.")
    return answer.casefold().startswith("y")


def _truth(said: str) -> bool:
    return said.casefold() in {"y", "yes", "n", "no"}


def ask_which(shell: Shell, question: str, choices: Sequence[str], default: int = 0) -> int:
    """The number, from 0, of one of the lines that are shown."""
    for at, choice in enumerate(choices, 1):
        shell.err.line(f"  {at}  {plain(choice)}")

    def wrong(said: str) -> str:
        fits = said.isascii() and said.isdigit() and 1 <= int(said) <= len(choices)
        return "" if fits else f"Answer with a number from 1 to {len(choices)}."

    return int(ask(shell, question, str(default + 1), wrong)) - 1


def ask_password(shell: Shell, question: str) -> str:
    """A password, not shown while it is typed. Raises UsageError when nothing is typed."""
    from getpass import getpass

    shell.err.flush()
    try:
        password = getpass(f"{plain(question)} (not shown): ", stream=sys.stderr)
    except EOFError:
        password = ""
    if not password:
        raise UsageError("No password was given.", what_to_do="Give the command again.")
    return password


def _read(shell: Shell, prompt: str) -> str:
    sys.stderr.write(prompt)
    shell.err.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise UsageError("The answer is missing.", what_to_do="Give it as an option: see --help.")
    return line.strip()
