"""Where a new file for an incoming event is put: `folder/DATE-slug-of-the-subject.yaml`; no private title is in it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from hashlib import sha256

from daemon.core.fields import NO_TITLE
from daemon.core.model import Field, Key, Privacy, View, text_of, when_of
from daemon.core.policy import Route
from daemon.core.times import first_day

_LONGEST = 60  # characters
_LONGEST_BYTES = 180  # of UTF-8: a name may have 255, and date, hash, number and suffix need room
_UNTITLED = "untitled"
_PRIVATE = "private"
# Names that another system keeps for its devices; a slug may stand alone in a name without a date.
_RESERVED = frozenset({"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)})


def slug(subject: str) -> str:
    """The letters and digits of a subject, of every script, in lower case, all else as single hyphens."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", subject).lower())
    words = "".join(char if _stays(char) else "-" for char in text).split("-")
    name = _cut("-".join(word for word in words if word))
    return name if name and name not in _RESERVED else _UNTITLED


@lru_cache(maxsize=4096)
def _stays(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


def _cut(name: str) -> str:
    """The name within both limits, never cut between a letter and its marks."""
    cut = name[:_LONGEST].encode()[:_LONGEST_BYTES].decode(errors="ignore")
    if len(cut) < len(name):
        while cut and unicodedata.category(name[len(cut)])[0] == "M":
            cut = cut[:-1]
    return cut.strip("-")


def mark(uid: str) -> str:
    """A short hash of a uid, the same on every machine: two daemons that receive one meeting write one file."""
    return sha256(uid.encode()).hexdigest()[:8]


def place(route: Route, view: View, uid: str, *, shared: bool, masked: bool = False) -> str:
    """The path wanted for a new file, relative to the store, with forward slashes; in a shared store with a hash.

    A path is shown where no text of a private event may be: its title is in none. `masked`: it tells nothing anyway.
    """
    when = when_of(view)
    subject = text_of(view, Field.SUBJECT)
    private = not masked and view.get(Key(Field.PRIVATE), Privacy.PUBLIC) is not Privacy.PUBLIC
    parts = [_PRIVATE if private else slug("" if subject == NO_TITLE else subject)]
    folder = route.folder
    if when:
        day = first_day(when)
        parts.insert(0, day.isoformat())
        folder = folder.replace("{year}", f"{day.year:04}").replace("{month}", f"{day.month:02}")
    else:
        folder = folder.replace("{year}", "").replace("{month}", "")
    if shared or private:
        parts.append(mark(uid))
    names = [name for name in folder.replace("\\", "/").split("/") if name not in {"", ".", ".."}]
    return "/".join([*names, f"{'-'.join(parts)}.{route.format}"])
