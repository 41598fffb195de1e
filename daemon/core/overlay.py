"""What a calendar shows in place of the agreed values: how done looks, and the block of CRM context.

An overlay is never read back: what lies under it is what the pair says. A title under a check mark and a text
above a block are read without them, so that an edit there is not lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from daemon.core.fields import effective, equal, normal, said
from daemon.core.instances import SKIP, skipped
from daemon.core.model import (
    CONTEXT_FENCE_END,
    CONTEXT_FENCE_START,
    Base,
    Busy,
    Field,
    Key,
    Original,
    Patch,
    Value,
    View,
    text_of,
)
from daemon.core.policy import DoneShown

DONE_MARK = "✓ "

_BLOCK = re.compile(
    rf"\s*^{re.escape(CONTEXT_FENCE_START)}[ \t]*\r?$.*?(^{re.escape(CONTEXT_FENCE_END)}[ \t]*\r?$|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Cover:
    """What is to be shown over the agreed values of one activity; an empty one shows them as they are.

    `whole`: all of it is done; `instances`: these are. `context` are the lines of the block.
    """

    done: DoneShown = DoneShown.NOTHING
    whole: bool = False
    instances: frozenset[Original] = frozenset()
    context: tuple[str, ...] = ()
    holds: frozenset[Field] = frozenset(Field)

    def over(self, view: View) -> Patch:
        """The overlay of a view."""
        overlay: dict[Key, Value | None] = {}
        if self.context:
            overlay[Key(Field.DESCRIPTION)] = _with_block(text_of(view, Field.DESCRIPTION), self.context)
        if self.whole:
            overlay |= self._done_series(view)
        else:
            for original in self.instances - skipped(view.get(SKIP)):
                overlay |= self._done_instance(view, original)
        return {key: value for key, value in overlay.items() if key.field in self.holds}

    def _done_series(self, view: View) -> Patch:
        """The activity as a whole; its instances follow, save where one says something of its own."""
        match self.done:
            case DoneShown.FREE:
                shown: dict[Key, Value | None] = {Key(Field.BUSY): Busy.FREE, Key(Field.REMINDERS): None}
                shown |= {key: Busy.FREE for key in view if key.field is Field.BUSY}
                shown |= {key: None for key in view if key.field is Field.REMINDERS}
                return shown
            case DoneShown.PREFIX:
                return {key: _marked(value) for key, value in view.items() if _has_title(key, value)}
            case DoneShown.DELETE | DoneShown.NOTHING:
                return {}

    def _done_instance(self, view: View, original: Original) -> Patch:
        match self.done:
            case DoneShown.FREE:
                shown: dict[Key, Value | None] = {Key(Field.BUSY, original): Busy.FREE}
                if effective(view, Key(Field.REMINDERS, original)):
                    shown[Key(Field.REMINDERS, original)] = frozenset()
                return shown
            case DoneShown.PREFIX:
                key = Key(Field.SUBJECT, original)
                title = effective(view, key)
                return {key: _marked(title)} if _has_title(key, title) else {}
            case DoneShown.DELETE | DoneShown.NOTHING:
                return {}


def _has_title(key: Key, value: Value | None) -> bool:
    return key.field is Field.SUBJECT and bool(normal(key, value))


def _marked(title: Value | None) -> Value | None:
    return DONE_MARK + title if isinstance(title, str) and not title.startswith(DONE_MARK) else title


def _with_block(text: str, lines: tuple[str, ...]) -> str:
    block = "\n".join([CONTEXT_FENCE_START, *lines, CONTEXT_FENCE_END])
    return f"{text.rstrip()}\n\n{block}" if text.strip() else block


def without_block(text: str) -> str:
    """A description without the block of CRM context, wherever a person may have moved it."""
    return _BLOCK.sub("", text) if CONTEXT_FENCE_START in text else text


def without_blocks(view: View) -> View:
    """The view with no block of CRM context in its descriptions; a text that was nothing else is gone."""
    bare = dict(view)
    for key, value in view.items():
        if key.field is Field.DESCRIPTION and isinstance(value, str) and CONTEXT_FENCE_START in value:
            bare[key] = without_block(value)
            if not bare[key]:
                del bare[key]
    return bare


def underlay(calendar: View, base: Base) -> View:
    """The calendar's view with the overlays taken off: what is under them counts as unchanged."""
    under = dict(without_blocks(calendar))
    for key in base.overlay:
        if key.field is Field.DESCRIPTION:
            continue
        value = said(base.pair(key).calendar)
        if key.field is Field.SUBJECT:
            value = _under_mark(key, calendar.get(key), base.overlay[key], value)
        if value is None:
            under.pop(key, None)
        else:
            under[key] = value
    return under


def _under_mark(key: Key, title: Value | None, shown: Value | None, agreed: Value | None) -> Value | None:
    """The title under a check mark: what was agreed, unless somebody wrote another one."""
    if equal(key, title, shown):
        return agreed
    return title.removeprefix(DONE_MARK.strip()).lstrip() if isinstance(title, str) else title


def recognise(calendar: View, file: View, cover: Cover) -> tuple[View, Patch]:
    """Tell an overlay of ours where no base remembers it (a rebuilt journal): what lies under it, and the overlay.

    Where the calendar shows just what `cover` would show over the file, the file's own word is under it.
    """
    overlay = {key: value for key, value in cover.over(file).items() if equal(key, calendar.get(key), value)}
    under = dict(without_blocks(calendar))
    for key in overlay:
        if key.field is Field.DESCRIPTION:
            continue
        under.pop(key, None)
        if key in file:
            under[key] = file[key]
    return under, overlay
