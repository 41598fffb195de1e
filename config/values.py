"""Reads single values of the config: text to what its key means, or a problem with its cure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from config.node import Listing, Mark, Node, Problems, Scalar, instead
from config.zone import is_zone, nearest_zone

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


class ValueReader:
    """Reads nodes into values. A value that can't be read is a problem, and None here."""

    def __init__(self, problems: Problems, base: Path, home: Path) -> None:
        self.problems = problems
        self._base = base
        self._home = home

    def problem(self, mark: Mark | None, message: str, cure: str) -> None:
        """Remember one problem."""
        self.problems.add(mark, message, cure)

    def text(self, node: Node, what: str) -> str | None:
        """One text, as it is written."""
        if isinstance(node, Scalar):
            if node.text.strip() and node.text.isprintable():
                return node.text.strip()
            self.problem(node.mark, f"{what} must be one line of text.", "Write a value, or leave the key out.")
            return None
        kind = "a list" if isinstance(node, Listing) else "keys with values"
        self.problem(node.mark, f"{what} must be one value, and this is {kind}.", "Write a single value.")
        return None

    def word(self, node: Node, what: str, words: type[_E]) -> _E | None:
        """One of the words that a key takes."""
        text = self.text(node, what)
        if text is None:
            return None
        with contextlib.suppress(ValueError):
            return words(text.casefold())
        self.problem(node.mark, f"{what} can't be `{text}`.", instead(text, list(words)))
        return None

    def boolean(self, node: Node, what: str) -> bool | None:
        """`true` or `false`."""
        text = self.text(node, what)
        if text is None:
            return None
        if text.casefold() in _TRUE | _FALSE:
            return text.casefold() in _TRUE
        self.problem(node.mark, f"{what} can't be `{text}`.", "Write `true` or `false`.")
        return None

    def duration(self, node: Node, what: str, least: timedelta = timedelta(0)) -> timedelta | None:
        """A length of time such as `60s`, `10m` or `1h30m`."""
        text = self.text(node, what)
        if text is None:
            return None
        compact = text.replace(" ", "").casefold()
        if not _DURATION.fullmatch(compact):
            self.problem(node.mark, f"{what} can't be `{text}`.", "Write a length of time: `60s`, `10m`, `1h30m`.")
            return None
        try:
            length = sum((timedelta(**{_UNITS[u]: float(n)}) for n, u in _PART.findall(compact)), timedelta(0))
        except OverflowError:
            length = timedelta.max
        if not least <= length <= timedelta(days=3660):
            self.problem(node.mark, f"{what} can't be `{text}`.", f"Write at least {_short(least)}, at most ten years.")
            return None
        return length

    def count(self, node: Node, what: str, least: int = 0) -> int | None:
        """A whole number."""
        text = self.text(node, what)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least:  # noqa: PLR2004  nine digits
            return int(text)
        self.problem(node.mark, f"{what} can't be `{text}`.", f"Write a whole number, {least} or more.")
        return None

    def share(self, node: Node, what: str) -> float | None:
        """A part of the whole: `0.2`, or `20%`."""
        text = self.text(node, what)
        if text is None:
            return None
        number, scale = (text[:-1], 100) if text.endswith("%") else (text, 1)
        if re.fullmatch(r"\d{1,6}(\.\d{1,6})?|\.\d{1,6}", number.strip()):
            value = float(number) / scale
            if 0 <= value <= 1:
                return value
        self.problem(node.mark, f"{what} can't be `{text}`.", "Write a part of the whole, from 0 to 1, such as `0.2`.")
        return None

    def day(self, text: str) -> date | None:
        """A date such as `2026-11-24`; None when this is none (no problem is noted)."""
        try:
            return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
        except ValueError:
            return None

    def pattern(self, node: Node, what: str) -> re.Pattern[str] | None:
        """A regular expression of Python; `(?i)` at its start ignores case."""
        text = self.text(node, what)
        if text is None:
            return None
        try:
            return re.compile(text)
        except re.error as error:
            cure = "Put a backslash before a special character that you mean as it is."
            self.problem(node.mark, f"{what} is no regular expression: {error}.", cure)
            return None

    def zone(self, node: Node, what: str) -> str | None:
        """A time zone of the IANA database."""
        text = self.text(node, what)
        if text is None or is_zone(text):
            return text
        near = nearest_zone(text)
        cure = f"Did you mean `{near}`?" if near else "Write an IANA name, such as `Europe/Helsinki`."
        self.problem(node.mark, f"{what} can't be `{text}`: there is no such time zone.", cure)
        return None

    def path(self, node: Node, what: str) -> Path | None:
        """A path; `~` is the home folder, a relative one begins at the config's folder."""
        text = self.text(node, what)
        if text is None:
            return None
        if text == "~" or text.startswith("~/"):
            return self._home / text[2:]
        if text.startswith("~"):
            self.problem(node.mark, f"{what}: another user's home (`~name`) is not taken.", "Write the whole path.")
            return None
        return self._base / text

    def choices(self, node: Node, what: str, one: Callable[[Node, str], _T | None]) -> tuple[_T, ...] | None:
        """A list, or a single value in place of a list of one."""
        if isinstance(node, Scalar):
            node = Listing((node,), node.mark)
        if not isinstance(node, Listing):
            self.problem(node.mark, f"{what} must be a list.", "Write `[one, two]`.")
            return None
        values = [one(item, what) for item in node.items]
        return tuple(value for value in values if value is not None) if None not in values else None

    def known(self, node: Node, what: str, words: Iterable[str], cure: str = "") -> str | None:
        """A word that the config itself defines (a type, an account)."""
        words = tuple(words)
        text = self.text(node, what)
        if text is None or text in words:
            return text
        self.problem(node.mark, f"{what} can't be `{text}`.", " ".join(filter(None, (instead(text, words), cure))))
        return None


def _short(length: timedelta) -> str:
    return f"{int(length.total_seconds())}s"
