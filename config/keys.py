"""Takes the keys of one section of the config, one reader each, and names those that nothing knows."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from config.node import Mark, Node, Problems, Section, instead

_T = TypeVar("_T")


class Keys:
    """The keys of one section. `place` names the section in messages, such as `calendars.work`."""

    def __init__(self, section: Section, place: str, problems: Problems) -> None:
        self._section = section
        self._place = place
        self._problems = problems

    def named(self, key: str) -> str:
        """The whole name of a key, for messages."""
        return f"`{self._place}.{key}`" if self._place else f"`{key}`"

    def mark(self, key: str = "") -> Mark:
        """Where a key stands, or the section."""
        return self._section.key_mark(key)

    def node(self, key: str) -> Node | None:
        """What is written at a key; None: nothing."""
        return self._section.get(key)

    def take(self, key: str, read: Callable[[Node, str], _T | None], default: _T) -> _T:
        """The value of a key, or its default (also where it can't be read: the problem is noted)."""
        node = self._section.get(key)
        value = None if node is None else read(node, self.named(key))
        return default if value is None else value

    def section(self, key: str) -> Section | None:
        """The section at a key; None: it isn't there, or is no section (the problem is noted)."""
        node = self._section.get(key)
        if node is None or isinstance(node, Section):
            return node
        self._problems.add(node.mark, f"{self.named(key)} must be keys with values.", "See the example config.")
        return None

    def require(self, key: str, cure: str) -> bool:
        """Whether the key has a value; when not, that is a problem."""
        if self._section.get(key) is not None:
            return True
        self._problems.add(self.mark(key), f"{self.named(key)} is missing.", cure)
        return False

    def only(self, known: Collection[str]) -> None:
        """Every key that is not known is a problem."""
        for key, _ in self._section.entries:
            if key.text not in known:
                where = f" in `{self._place}`" if self._place else ""
                self._problems.add(key.mark, f"There is no key `{key.text}`{where}.", instead(key.text, known))
