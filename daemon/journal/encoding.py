"""How values of the model are kept in the journal: compact JSON, and back.

A value never is a JSON number, so numbers stand for the blanks of a pair. The key of an instance is
`field@original`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from daemon.core.model import (
    Activity,
    AllDay,
    Answer,
    Base,
    Blank,
    Busy,
    Field,
    Guest,
    Half,
    Key,
    Local,
    Original,
    Pair,
    Patch,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
)
from daemon.journal.seals import sealed, unsealed

_BLANKS = (Blank.ABSENT, Blank.UNKNOWN, Blank.UNHELD)
_BLANK_NUMBER = {blank: number for number, blank in enumerate(_BLANKS)}
_DATE_LENGTH = len("2026-11-24")
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def dump_original(original: Original) -> str:
    """ISO 8601, a date or a local date-time."""
    return original.isoformat()


def load_original(text: str) -> Original:
    """The reverse of `dump_original`."""
    return date.fromisoformat(text) if len(text) == _DATE_LENGTH else datetime.fromisoformat(text)


_NAMES = {field: field.value for field in Field}  # an enum's `value` costs more than the rest of a key


def dump_key(key: Key) -> str:
    """`location`, or `location@2026-12-14`."""
    if key.instance is None:
        return _NAMES[key.field]
    return f"{_NAMES[key.field]}@{key.instance.isoformat()}"


def load_key(text: str) -> Key:
    """The reverse of `dump_key`."""
    known = _KEYS.get(text)
    if known is not None:
        return known
    name, _, original = text.partition("@")
    return Key(Field(name), load_original(original))


_KEYS = {field.value: Key(field) for field in Field}


def _dump_when(value: Any) -> list[Any]:
    if isinstance(value, AllDay):
        return [value.first.isoformat(), value.days]
    return [value.start.isoformat(), value.zone, value.length.total_seconds()]


def _load_when(data: Any) -> Value:
    match data:
        case [first, days]:
            return AllDay(date.fromisoformat(first), days)
        case _:
            start, zone, seconds = data
            return Timed(datetime.fromisoformat(start), zone, timedelta(seconds=seconds))


def _dump_guests(value: Any) -> list[Any]:
    rows = [[guest.email, guest.name, guest.optional, guest.answer.value, guest.organizer] for guest in value]
    return sorted(rows)


def _load_guests(data: Any) -> Value:
    return frozenset(Guest(email, name, opt, Answer(answer), org) for email, name, opt, answer, org in data)


def _same(value: Any) -> Any:
    return value


_DUMP: Mapping[Field, Callable[[Any], Any]] = {
    Field.WHEN: _dump_when,
    Field.ATTENDEES: _dump_guests,
    Field.REMINDERS: lambda value: sorted(delta.total_seconds() for delta in value),
    Field.SKIP: lambda value: sorted(original.isoformat() for original in value),
    Field.CATEGORIES: sorted,
}
_LOAD: Mapping[Field, Callable[[Any], Value]] = {
    Field.WHEN: _load_when,
    Field.ATTENDEES: _load_guests,
    Field.REMINDERS: lambda data: frozenset(timedelta(seconds=seconds) for seconds in data),
    Field.SKIP: lambda data: frozenset(load_original(text) for text in data),
    Field.CATEGORIES: lambda data: frozenset(str(text) for text in data),
    Field.BUSY: Busy,
    Field.PRIVATE: Privacy,
    Field.PRIORITY: Priority,
    Field.STATUS: Status,
}


def dump_value(key: Key, value: Value | None) -> Any:
    """One value as JSON-able data; None stays None."""
    return None if value is None else _DUMP.get(key.field, _same)(value)


def load_value(key: Key, data: Any) -> Value | None:
    """The reverse of `dump_value`."""
    load = _LOAD.get(key.field)
    loaded: Value | None = data if data is None or load is None else load(data)
    return loaded


def _half(key: Key, half: Half) -> Any:
    return _BLANK_NUMBER[half] if isinstance(half, Blank) else dump_value(key, half)


def _load_half(key: Key, data: Any) -> Half:
    if isinstance(data, int):
        return _BLANKS[data]
    value = load_value(key, data)
    return Blank.ABSENT if value is None else value


def _view_data(view: View | Patch) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in view.items():
        dump = _DUMP.get(key.field)
        data[dump_key(key)] = value if dump is None or value is None else dump(value)
    return data


def dump_view(view: View | Patch) -> str:
    """A view or a patch; equal ones give equal texts."""
    return _dumps(dict(sorted(_view_data(view).items())))


def load_patch(text: str) -> dict[Key, Value | None]:
    """The reverse of `dump_view`."""
    return {(key := load_key(name)): load_value(key, data) for name, data in json.loads(text).items()}


def _load_view_data(data: Mapping[str, Any]) -> dict[Key, Value]:
    view: dict[Key, Value] = {}
    for name, item in data.items():
        key = load_key(name)
        value = load_value(key, item)
        if value is not None:
            view[key] = value
    return view


def dump_pairs(pairs: Mapping[Key, Pair]) -> str:
    """What is agreed on, key by key."""
    return _dumps(_pairs_data(pairs))


def _pairs_data(pairs: Mapping[Key, Pair]) -> dict[str, Any]:
    return {
        dump_key(key): [_half(key, pair.file)]
        if pair.file is pair.calendar or pair.file == pair.calendar
        else [_half(key, pair.file), _half(key, pair.calendar)]
        for key, pair in pairs.items()
    }


def load_pairs(text: str) -> dict[Key, Pair]:
    """The reverse of `dump_pairs`."""
    return _load_pairs_data(json.loads(text))


def _load_pairs_data(data: Mapping[str, Any]) -> dict[Key, Pair]:
    pairs = {}
    for name, halves in data.items():
        key = load_key(name)
        pairs[key] = Pair(_load_half(key, halves[0]), _load_half(key, halves[-1]))
    return pairs


def dump_base(base: Base) -> str:
    """The whole base of a link."""
    data: dict[str, Any] = {"p": _pairs_data(base.pairs)}
    if base.overlay:
        data["o"] = _view_data(base.overlay)
    if not base.complete:
        data["r"] = True
    return sealed(_dumps(data))


def base_of(pairs: str, overlay: str) -> str:
    """The same of pairs and an overlay that are encoded already."""
    covered = f',"o":{overlay}' if overlay not in {"", "{}"} else ""
    return sealed(f'{{"p":{pairs}{covered}}}')


def load_base(text: str) -> Base:
    """The reverse of `dump_base`. Raises JournalError."""
    data = json.loads(unsealed(text))
    overlay = {(key := load_key(name)): load_value(key, item) for name, item in data.get("o", {}).items()}
    return Base(_load_pairs_data(data["p"]), overlay, not data.get("r", False))


def _local_data(local: Local) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if local.owner is not None:
        data["owner"] = local.owner
    if local.calendar is not None:
        data["calendar"] = local.calendar
    for name in ("done", "masked"):
        if getattr(local, name):
            data[name] = True
    if not local.sync:
        data["sync"] = False
    if local.done_through is not None:
        data["done_through"] = local.done_through.isoformat()
    if local.done_instances:
        data["done_instances"] = sorted(original.isoformat() for original in local.done_instances)
    if local.context:
        data["context"] = local.context
    return data


def _load_local(data: Mapping[str, Any]) -> Local:
    through = data.get("done_through")
    return Local(
        owner=data.get("owner"),
        calendar=data.get("calendar"),
        sync=data.get("sync", True),
        done=data.get("done", False),
        done_through=date.fromisoformat(through) if through else None,
        done_instances=frozenset(load_original(text) for text in data.get("done_instances", ())),
        masked=data.get("masked", False),
        context=tuple((name, value) for name, value in data.get("context", ())),
    )


def dump_activity(activity: Activity) -> str:
    """An activity as one side had it; notes are not kept."""
    data: dict[str, Any] = {"v": _view_data(activity.view)}
    if activity.uid:
        data["u"] = activity.uid
    if local := _local_data(activity.local):
        data["l"] = local
    if activity.modified is not None:
        data["m"] = activity.modified.isoformat()
    if activity.frozen:
        data["z"] = {dump_key(key): reason for key, reason in activity.frozen.items()}
    if activity.floating:
        data["f"] = True
    if activity.lasts is not None:
        data["e"] = activity.lasts.isoformat()
    if activity.unmailed:
        data["q"] = sorted(activity.unmailed)
    return sealed(_dumps(data))


def activity_saying(uid: str, view: str) -> str:
    """The same for an activity with nothing but a uid and a view, which is encoded already."""
    named = f',"u":{_dumps(uid)}' if uid else ""
    return sealed(f'{{"v":{view}{named}}}')


def activity_named(text: str, uid: str) -> str | None:
    """An encoded activity with a uid; None where it has one already."""
    if '"u":' in text:  # quotes within a text are escaped: this can only be the key
        return None
    return sealed(f'{unsealed(text)[:-1]},"u":{_dumps(uid)}}}')


def says(text: str, field: Field) -> bool:
    """Whether an encoded activity says something of a field; of the series, where it is one."""
    return f'"{field.value}":' in text  # quotes within a text are escaped: this can only be the key


def floats(text: str) -> bool:
    """Whether an encoded activity is in no zone."""
    return '"f":true' in text  # as above


def load_activity(text: str) -> Activity:
    """The reverse of `dump_activity`. Raises JournalError."""
    data = json.loads(unsealed(text))
    modified, lasts = data.get("m"), data.get("e")
    local = data.get("l")
    return Activity(
        uid=data.get("u", ""),
        view=_load_view_data(data["v"]),
        local=_load_local(local) if local else Local(),
        modified=datetime.fromisoformat(modified) if modified else None,
        frozen={load_key(name): reason for name, reason in data.get("z", {}).items()},
        floating=data.get("f", False),
        lasts=datetime.fromisoformat(lasts) if lasts else None,
        unmailed=frozenset(data.get("q", ())),
    )
