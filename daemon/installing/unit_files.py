"""The systemd units as they are installed: the shipped texts with real paths. Pure, save for finding the texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from daemon.core.errors import UsageError

USER_UNIT = "datebook.service"
SYSTEM_UNIT = "datebook@.service"
_NAMESPACES = re.compile(r"^# --- needs user namespaces\n.*?^# --- end\n", re.MULTILINE | re.DOTALL)
_COMMENT_OF_STORE = "# What `datebook service install --system` found in the config of this instance.\n"


@dataclass(frozen=True, slots=True)
class UnitPaths:
    """What stands in for the words in braces. `config` is the config file; `state` its user's state folder."""

    datebook: Path
    store: Path
    config: Path = Path()
    state: Path = Path()


def shipped_unit(name: str) -> str:
    """The text of a unit: in an installed program beside this module, in a checkout in its own folder."""
    here = Path(__file__).parent.parent
    for folder in (here / "units", here.parent / "systemd"):
        if (folder / name).is_file():
            return (folder / name).read_text("utf-8")
    raise UsageError(f"The unit {name} did not come with this program.", what_to_do="Install Datebook again.")


def user_unit(text: str, paths: UnitPaths, *, namespaces: bool) -> str:
    """The user unit for these paths; without `namespaces` what needs them is left out. Raises UsageError."""
    whole = text if namespaces else _NAMESPACES.sub("", text)
    lines = [_filled(line, paths) for line in whole.splitlines()]
    return "\n".join(lines) + "\n"


def system_unit(text: str, paths: UnitPaths) -> str:
    """The template unit; the store of each instance is written beside it (`store_drop_in`). Raises UsageError."""
    lines = [line for line in text.splitlines() if "{store}" not in line or line.startswith("#")]
    return "\n".join(_filled(line, paths) for line in lines) + "\n"


def store_drop_in(store: Path) -> str:
    """What one instance adds to the template: its store may be written. Raises UsageError."""
    return f'{_COMMENT_OF_STORE}[Service]\nReadWritePaths="-{_quoted(store)}"\n'


def opened_place(store: Path, home: Path) -> Path:
    """What the fence leaves open for a store: the whole of a disk that is mounted for itself, else the store alone.

    A folder on such a disk would be a mount of its own inside the fence, where `umount` would leave the disk mounted.
    """
    whole = store.resolve()
    top = next(place for place in (whole, *whole.parents) if place.is_mount() or place == place.parent)
    return store if home.resolve().is_relative_to(top) else top


def _filled(line: str, paths: UnitPaths) -> str:
    if line.startswith("#"):
        return line  # the comments explain the words
    expands = line.startswith(("ExecStart=", "ExecStartPre="))
    filled = line.replace("{config}/config.yaml", _quoted(paths.config, expands=expands))
    for word, path in (
        ("{datebook}", paths.datebook),
        ("{store}", paths.store),
        ("{config}", paths.config.parent),
        ("{state}", paths.state),
    ):
        # The path of the program itself is the one word of ExecStart= in which systemd expands no variable.
        filled = filled.replace(word, _quoted(path, expands=expands and word != "{datebook}"))
    return filled


def _quoted(path: Path, *, expands: bool = False) -> str:
    """A path between double quotes of a unit (systemd.syntax(7)); `expands`: where $NAME is a variable."""
    text = str(path)
    if not text.isprintable():
        raise UsageError("A path holds control characters, which no unit can name.", what_to_do="Rename the folder.")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return text.replace("$", "$$") if expands else text
