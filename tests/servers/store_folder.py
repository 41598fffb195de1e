"""The folder of activities as its user handles it: with an editor."""

from __future__ import annotations

from pathlib import Path


class StoreFolder:
    """For whoever has a `root` that holds the folder."""

    __slots__ = ()
    root: Path

    @property
    def store(self) -> Path:
        return self.root / "store"

    def write(self, path: str, text: str) -> Path:
        """Save a file as an editor would."""
        target = self.store / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def read(self, path: str) -> str:
        return (self.store / path).read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text, text
        (self.store / path).write_text(text.replace(old, new))

    def files(self) -> list[str]:
        """The files of the folder, without Datebook's own."""
        found = (path for path in self.store.rglob("*") if path.is_file() and ".datebook" not in path.parts)
        return sorted(path.relative_to(self.store).as_posix() for path in found)
