"""The config file as a tree of texts with places, and the list of everything wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.core.errors import ConfigProblem


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it stands there. `bare`: nothing is written, not even quotes."""

    text: str
    mark: Mark
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of values."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Section:
    """Keys with their values, in the file's order; no key twice.

    `flow`: written in braces. `end` is the place just after the last entry (flow: of the closing brace).
    """

    entries: tuple[tuple[Scalar, Node], ...]
    mark: Mark
    flow: bool = False
    end: Mark = Mark(1, 1)

    def get(self, name: str) -> Node | None:
        """The value of a key; None: the key is not there, or bare."""
        for key, value in self.entries:
            if key.text == name:
                return None if isinstance(value, Scalar) and value.bare else value
        return None

    def key_mark(self, name: str) -> Mark:
        """Where a key stands; the section's own place when it isn't there."""
        return next((key.mark for key, _ in self.entries if key.text == name), self.mark)


Node = Scalar | Listing | Section


@dataclass(slots=True)
class Problems:
    """Collects what is wrong, so that all of it can be said at once."""

    found: list[ConfigProblem] = field(default_factory=list)

    def add(self, mark: Mark | None, message: str, cure: str) -> None:
        """Remember one problem and its cure."""
        line, column = (mark.line, mark.column) if mark else (None, None)
        self.found.append(ConfigProblem(message, cure, line, column))

    def in_order(self) -> tuple[ConfigProblem, ...]:
        """The problems from the top of the file to its bottom."""
        return tuple(sorted(self.found, key=lambda one: (one.line or 0, one.column or 0)))


def nearest(word: str, words: Iterable[str]) -> str:
    """The word that was most likely meant; "" when none is near."""
    by_folded = {each.casefold(): each for each in words}
    close = difflib.get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""


def instead(word: str, words: Iterable[str]) -> str:
    """A cure for a wrong word: the nearest one, or all that there are."""
    words = sorted(words)
    near = nearest(word, words)
    if near:
        return f"Did you mean `{near}`?"
    return f"It takes one of: {', '.join(words)}." if words else "Leave it out."
