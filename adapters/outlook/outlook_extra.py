"""What Exchange has no field for, as it stands in one property of our own on an item (pure).

Such a word counts only while Exchange's own field still means the same; who changes the event in Outlook is
believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from adapters.outlook.outlook_item import OutlookItem
from adapters.outlook.outlook_properties import EXTRA

_TEXTS = ("zone", "rule", "type", "status", "url")


@dataclass(frozen=True, slots=True)
class Extra:
    """What we wrote beside Exchange's own fields, in the words of the file."""

    zone: str = ""
    rule: str = ""
    type: str = ""
    status: str = ""
    url: str = ""
    floating: bool = False
    skip: tuple[str, ...] = ()  # dates left out that are no instances anyway

    def text(self) -> str | None:
        """As it is kept; None where there is nothing to keep."""
        said = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":")) if said else None


def extra_of(item: OutlookItem) -> Extra:
    """What we wrote on this item; nothing where another program wrote there."""
    said = _words(item)
    skip = said.get("skip")
    days = tuple(day for day in skip if isinstance(day, str)) if isinstance(skip, list) else ()
    return Extra(**_texts(said), floating=said.get("floating") is True, skip=days)


def instance_extra(master: OutlookItem, exception: OutlookItem, day: date) -> Extra:
    """What we wrote on an instance over what stands on its series.

    Exchange may give an exception a copy of what stood on the series once: only what was written for this
    very day counts.
    """
    said = _words(exception)
    words = _texts(said) if said.get("of") == day.isoformat() else {}
    return replace(extra_of(master), **words)  # type: ignore[arg-type]  # names of text fields alone


def instance_extra_text(master: OutlookItem, extra: Extra, day: date, repeats: Iterable[str] = ()) -> str:
    """What is to stand on an instance: where it differs from its series, and what it repeats of that."""
    series = extra_of(master)
    differing = {name: getattr(extra, name) for name in _TEXTS if getattr(extra, name) != getattr(series, name)}
    repeated = {"repeats": sorted(repeats)} if repeats else {}
    said = {"of": day.isoformat(), **differing, **repeated}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def repeated_by(exception: OutlookItem, day: date) -> frozenset[str]:
    """The fields that we wrote on an instance as its series had them: they need not follow the series by themselves."""
    said = _words(exception)
    names = said.get("repeats") if said.get("of") == day.isoformat() else None
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def with_extra(item: OutlookItem, extra: Extra) -> OutlookItem:
    """The item as if this stood on it."""
    return replace(item, properties={**item.properties, EXTRA: extra.text() or ""})


def _words(item: OutlookItem) -> dict[str, object]:
    try:
        said = json.loads(item.properties.get(EXTRA) or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _texts(said: Mapping[str, object]) -> dict[str, str]:
    return {name: text for name in _TEXTS if isinstance(text := said.get(name), str)}
