"""What a person sees: aligned tables, colours where there is a terminal, ages, a progress bar."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from daemon.control import Progress, ProgressSink

GAP = "  "
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Ink(Enum):
    """What a text means; its colour is the terminal's."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    WARN = "33"
    BAD = "1;31"


class Screen:
    """One stream: standard output or error. Nothing that is shown can steer the terminal."""

    def __init__(self, stream: TextIO, env: Mapping[str, str]) -> None:
        self._stream = stream
        self.terminal = stream.isatty()
        self.coloured = self.terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    def line(self, text: str = "") -> None:
        """Show one line."""
        # A file name may hold bytes that are no text, and a terminal may know fewer signs than we do.
        encoding = self._stream.encoding or "utf-8"
        safe = text.encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(safe + "\n")

    def ink(self, text: str, ink: Ink) -> str:
        """The text in a colour, where this stream shows colours."""
        return f"\x1b[{ink.value}m{text}\x1b[0m" if self.coloured and ink.value and text else text

    def table(self, rows: Sequence[Sequence[str]], inks: Sequence[Sequence[Ink]] = (), indent: str = "") -> None:
        """Show rows in aligned columns; the last column is as wide as it likes."""
        widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
        for at, row in enumerate(rows):
            colours = inks[at] if at < len(inks) else [Ink.PLAIN] * len(row)
            cells = [
                self.ink(cell, ink) + " " * (wide - width(cell))
                for cell, ink, wide in zip(row, colours, widths, strict=True)
            ]
            self.line(indent + GAP.join(cells).rstrip())

    def clear(self) -> None:
        """Empty the terminal."""
        self._stream.write("\x1b[H\x1b[2J\x1b[3J")

    def flush(self) -> None:
        """Send out what is waiting."""
        self._stream.flush()


def plain(text: str) -> str:
    """A text from a file or a server on one line, with what could steer a terminal shown as escapes."""
    spaced = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in spaced)


def width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) != 0 for letter in text)


def shortened(text: str, most: int) -> str:
    """A text of at most so many columns."""
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, or in how long: `12 s ago`, `in 5 min`."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    return f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A length of time in its largest unit."""
    for unit, name in ((2 * _DAY, "d"), (2 * _HOUR, "h"), (2 * _MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // (unit / 2))} {name}"
    return f"{int(seconds)} s"


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 file`, `1,204 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@contextmanager
def progress_bar(stream: TextIO | None = None) -> Iterator[ProgressSink]:
    """Shows how far long work is, on one line of a terminal that is gone at the end; elsewhere nothing."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _: None
        return
    try:
        yield lambda progress: _draw(stream, progress)
    finally:
        stream.write("\r\x1b[K")
        stream.flush()


def _draw(stream: TextIO, progress: Progress) -> None:
    bar = ""
    if progress.total > 0:
        full = min(20, 20 * progress.done // progress.total)
        bar = f"[{'#' * full}{'.' * (20 - full)}] {progress.done:,}/{progress.total:,}  "
    columns = _columns(stream)
    stream.write("\r\x1b[K" + shortened(bar + plain(progress.text), columns - 1))
    stream.flush()


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def day_and_time(moment: datetime, now: datetime) -> str:
    """A moment in the zone of `now`: the time today, else the date with it."""
    local = moment.astimezone(now.tzinfo)
    near = abs(now - moment) < timedelta(hours=20)
    return f"{local:%H:%M}" if near else f"{local:%Y-%m-%d %H:%M}"
