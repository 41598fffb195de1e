"""`datebook completion` and `datebook manual`: what a shell needs to complete commands, and the manual page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from daemon.cli.shell import Exit, Shell

if TYPE_CHECKING:
    from daemon.cli.parts import Part
    from daemon.cli.register import Commands

_HELP = """\
Prints what your shell needs to complete commands, options and files. Once:

  bash   datebook completion bash > ~/.local/share/bash-completion/completions/datebook
  zsh    echo 'eval "$(datebook completion zsh)"' >> ~/.zshrc
  fish   datebook completion fish > ~/.config/fish/completions/datebook.fish
"""
_MANUAL = """\
Prints the manual page. To read it:      datebook manual | man -l -
To have `man datebook` find it, once:    datebook manual > ~/.local/share/man/man1/datebook.1
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("completion", _completion, "complete commands in your shell", _HELP)
    command.add_argument("shell", choices=tuple(_SHELLS), help="which shell")
    commands.add("manual", _manual, "the manual page", _MANUAL)


def _manual(_args: argparse.Namespace, shell: Shell) -> int:
    from daemon.cli.manual import manual

    for line in manual().splitlines():
        shell.out.line(line)
    return Exit.DONE


def _completion(args: argparse.Namespace, shell: Shell) -> int:
    from daemon.cli.parts import parts_of, whole_of
    from daemon.cli.register import parser

    whole = parser()
    for line in _SHELLS[args.shell](whole_of(whole), parts_of(whole)):
        shell.out.line(line)
    return Exit.DONE


def bash(whole: Part, parts: Sequence[Part]) -> list[str]:
    """A completion function of bash."""
    cases = [f'    {part.name}) words="{" ".join(_words(part))}" ;;' for part in parts]
    return [
        "# bash completion of datebook",
        "_datebook() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" at=1',
        '  while [ "$at" -lt "$COMP_CWORD" ]; do',
        '    case "${COMP_WORDS[at]}" in',
        "      --config|--state) at=$((at+1)) ;;",
        "      -*) ;;",
        '      *) command="${COMP_WORDS[at]}"; break ;;',
        "    esac",
        "    at=$((at+1))",
        "  done",
        "  COMPREPLY=()",
        f'  case "$previous" in {"|".join(_taking_values(whole, parts))}) return ;; esac',
        '  case "$command" in',
        f'    "") words="{" ".join([part.name for part in parts] + _words(whole))}" ;;',
        *cases,
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
        "}",
        "complete -o bashdefault -o default -F _datebook datebook",
    ]


def zsh(whole: Part, parts: Sequence[Part]) -> list[str]:
    """The same function, over zsh's own bridge."""
    return ["autoload -U +X compinit && compinit", "autoload -U +X bashcompinit && bashcompinit", *bash(whole, parts)]


def fish(whole: Part, parts: Sequence[Part]) -> list[str]:
    """Completion rules of fish."""
    lines = ["# fish completion of datebook"]
    lines += [_rule("__fish_use_subcommand", f"-f -a {part.name}", part.brief) for part in parts]
    lines += _fish_options("__fish_use_subcommand", whole)
    for part in parts:
        lines += _fish_options(f"__fish_seen_subcommand_from {part.name}", part)
    return lines


def _fish_options(when: str, part: Part) -> list[str]:
    found = []
    for option in part.options:
        if not option.names:
            found += [_rule(when, f"-f -a {choice}", "") for choice in option.choices]
            continue
        names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
        found.append(_rule(when, " ".join([*names, *(["-r"] if option.value else [])]), option.help))
    return found


def _rule(when: str, what: str, text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"complete -c datebook -n '{when}' {what}" + (f" -d '{quoted}'" if text else "")


def _words(part: Part) -> list[str]:
    words = [name for option in part.options for name in option.names if name.startswith("--")]
    return words + [choice for option in part.options if not option.names for choice in option.choices]


def _taking_values(whole: Part, parts: Sequence[Part]) -> list[str]:
    options = [option for part in (whole, *parts) for option in part.options if option.value]
    return sorted({name for option in options for name in option.names})


_SHELLS: Mapping[str, Callable[[Part, Sequence[Part]], list[str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
