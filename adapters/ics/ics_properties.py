"""The properties of one component, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.ics.content_lines import Component, Line
from adapters.ics.ics_values import unescape

Properties = Mapping[bytes, Sequence[Line]]


def properties_of(component: Component) -> dict[bytes, list[Line]]:
    """The lines of a component, by name."""
    found: dict[bytes, list[Line]] = {}
    for each in component.body:
        if isinstance(each, Line):
            found.setdefault(each.name, []).append(each)
    return found


def text_of(properties: Properties, name: bytes) -> str:
    """A TEXT property; empty where it is missing or blank."""
    if name not in properties:
        return ""
    text = unescape(properties[name][0].value)
    return text if text.strip() else ""


def word_of(properties: Properties, name: bytes) -> str:
    """A property that is one word, in capitals; empty where it is missing."""
    return properties[name][0].value.strip().upper() if name in properties else ""
