"""`datebook demo`: the main job on an embedded CalDAV server, in a folder that is gone afterwards."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daemon.cli.shell import Shell

if TYPE_CHECKING:
    from daemon.cli.register import Commands

_HELP = """\
Starts a CalDAV server on a loopback port, a sample store and the daemon, and shows an edit of a file
arriving in the calendar, and an edit in the calendar arriving in the file.

On a terminal it then stays, for you to play with, until Ctrl-C.
"""


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("demo", _demo, "see it work, on a server of its own", _HELP)
    command.add_argument("--keep", action="store_true", help="keep the folder when the demo ends")


def _demo(args: argparse.Namespace, shell: Shell) -> int:
    from daemon.demo.show import show

    return show(shell, keep=args.keep)
