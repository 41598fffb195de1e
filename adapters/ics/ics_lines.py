"""Changes to the lines of one component: what says the same already is left as it is, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.ics.content_lines import Component, Line, ending_of, line
from adapters.ics.ics_values import clean, escape, unescape


def put(component: Component, name: str, content: str | None) -> bool:
    """Make `content` the one line of this name, in the place of the first; None: no line. True: it changed."""
    plain = name.encode()
    existing = list(component.lines(plain))
    if content is None:
        return drop(component, plain)
    if len(existing) == 1 and existing[0].text == content:
        return False
    fresh = line(content, ending_of(component))
    if existing:
        component.body[component.body.index(existing[0])] = fresh
        remove(component, existing[1:])
    else:
        add(component, fresh)
    return True


def add(component: Component, fresh: Line, after: Line | None = None) -> None:
    """Add a line: after another, or behind the last line of the component."""
    body = component.body
    if after is not None:
        body.insert(body.index(after) + 1, fresh)
        return
    if not body or isinstance(body[-1], Line):
        body.append(fresh)
        return
    at = next((index for index, each in enumerate(body) if isinstance(each, Component)), len(body))
    body.insert(at, fresh)


def remove(component: Component, gone: Iterable[Line | Component]) -> None:
    """Remove lines or components, by identity."""
    ids = {id(each) for each in gone}
    if ids:
        component.body = [each for each in component.body if id(each) not in ids]


def drop(component: Component, *names: bytes) -> bool:
    """Remove every line of these names. True: there were some."""
    before = len(component.body)
    remove(component, list(component.lines(*names)))
    return len(component.body) != before


def put_text(component: Component, name: str, text: str) -> bool:
    """Make `text` the value of a TEXT property, with the parameters that it has; empty: no line."""
    text = clean(text)
    if not text.strip():
        return drop(component, name.encode())
    existing = component.first(name.encode())
    head = name
    if existing is not None:
        if unescape(existing.value) == text:
            return False
        head = (
            existing.head if "ALTREP" not in existing.head.upper() and "ENCODING" not in existing.head.upper() else name
        )
    return put(component, name, f"{head}:{escape(text)}")


def with_params(head: str, changed: dict[str, str | None]) -> str:
    """A name with its parameters, some of them changed (None: gone), the others as they are written."""
    name, *params = _split_params(head)
    kept = [param for param in params if changed.get(param.partition("=")[0].strip().upper(), param) == param]
    fresh = [f"{key}={value}" for key, value in changed.items() if value is not None]
    return ";".join([name, *kept, *fresh])


def _split_params(head: str) -> list[str]:
    if '"' not in head:
        return head.split(";")
    parts, quoted = [""], False
    for character in head:
        quoted ^= character == '"'
        if character == ";" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts
