"""The program's own source files, as text, syntax trees and imports."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "config", "daemon")


@dataclass(frozen=True)
class Source:
    """One file of Python; `name` is its path from the root, `module` its dotted name."""

    path: Path

    @cached_property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def module(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of what is imported, at the top or within: of `from a import b` both `a` and `a.b`."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        return frozenset(found)

    @property
    def dotted(self) -> Iterator[tuple[int, str]]:
        """Every `a.b` and `a.b.c` that is read, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.lineno, f"{node.value.id}.{node.attr}"

    @property
    def comments(self) -> Iterator[tuple[int, str]]:
        """Every comment, with its line."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def imports_any(self, *names: str) -> set[str]:
        """Which of its imports are these, or lie below them."""
        return {one for one in self.imports for name in names if one == name or one.startswith(f"{name}.")}

    def is_in(self, *places: str) -> bool:
        """Whether it is one of these files, or in one of these folders (with a slash at the end)."""
        return any(self.name == place or (place.endswith("/") and self.name.startswith(place)) for place in places)


@lru_cache
def sources(*folders: str) -> tuple[Source, ...]:
    """The sources in these folders of the root, in order; of the program's packages where none is named."""
    return tuple(Source(path) for folder in folders or PACKAGES for path in sorted((ROOT / folder).rglob("*.py")))
