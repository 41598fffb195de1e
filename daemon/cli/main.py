"""The command `datebook`: finds the command that is meant, runs it, turns errors into words and exit codes."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from config.places import find_places
from daemon.cli import register
from daemon.cli.screen import Ink, Screen, plain
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import ConfigError, DatebookError, Unavailable, UsageError

# A pass makes many thousand values without a cycle among them: Python's own thresholds cost a tenth of its time.
_SELDOM = (20_000, 20, 20)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1, 2 or 3."""
    sys.excepthook = _show_fault
    gc.set_threshold(*_SELDOM)
    err = Screen(sys.stderr, os.environ)
    try:
        args = register.parser().parse_args(argv)
        places = find_places(args.config, args.state, os.environ)
        code = args.run(args, Shell(places, os.environ, Screen(sys.stdout, os.environ), err))
        sys.stdout.flush()
    except DatebookError as error:
        _flush()
        show_error(error, err)
        return _code_of(error)
    except KeyboardInterrupt:
        _die_of(signal.SIGINT)
    except BrokenPipeError:
        _die_of(signal.SIGPIPE)
    return int(code)


def show_error(error: DatebookError, err: Screen) -> None:
    """Say what happened, where, and what to do."""
    if isinstance(error, ConfigError):
        for one in error.problems:
            place = ":".join(str(part) for part in (error.path, one.line, one.column) if part is not None)
            err.line(f"{place}: {err.ink(plain(one.message), Ink.BAD)}")
            err.line(f"    {plain(one.cure)}")
        return
    err.line(f"datebook: {err.ink(plain(str(error)), Ink.BAD)}")
    for line in _cure_of(error).splitlines():
        err.line(f"    {plain(line) if line.strip() else ''}")


def _cure_of(error: DatebookError) -> str:
    said = str(getattr(error, "what_to_do", "") or getattr(error, "cure", "") or getattr(error, "reason", ""))
    if not said and isinstance(error, Unavailable):
        return "Check the address and the network, then give the command again."
    return said


def _code_of(error: DatebookError) -> int:
    return Exit.WRONG if isinstance(error, ConfigError | UsageError) else Exit.FAILED


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _die_of(signal.SIGPIPE)


def _die_of(number: signal.Signals) -> NoReturn:
    """End as the shell expects of a program that was interrupted, without a word."""
    # What is still in the buffer can't be written any more: it must not be tried again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(Exit.FAILED)


def _show_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of Datebook itself: where it is, in two lines; in full for whoever asks."""
    if os.environ.get("DATEBOOK_DEBUG"):
        traceback.print_exception(kind, error, trace)
        return
    last = traceback.extract_tb(trace)[-1:]
    where = "".join(f" in {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    if isinstance(error, OSError):
        named = f" {error.filename}:" if error.filename else ""
        sys.stderr.write(f"datebook:{plain(str(named))} {error.strerror or kind.__name__}\n")
        return
    sys.stderr.write(f"datebook: a fault of the program: {kind.__name__}{where}\n")
    sys.stderr.write("    DATEBOOK_DEBUG=1 shows more; please report it.\n")
