"""Reading YAML activity files: document to Activity. What is read forgivingly is said aloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar

from adapters.activity.activity_guests import guests_of_node
from adapters.activity.activity_keys import (
    CONTEXT_KEYS,
    FIELD_OF_KEY,
    SERIES_ONLY,
    WHEN_KEYS,
    is_one_line,
)
from adapters.activity.activity_series import ALL_DAY, Span, inherited, is_many_a_day, named_by, span_of
from adapters.activity.activity_sheet import NOT_TEXT, Sheet, is_blank, scalar_text
from adapters.activity.activity_values import (
    DAY,
    HOUR,
    BadValue,
    date_of,
    duration_of,
    original_of,
    reminder_of,
    time_of,
    truth,
    type_of,
    word_of,
    zone_of,
)
from adapters.activity.yaml_lines import Document, decode, load, place
from adapters.activity.yaml_tree import Listing, Node, Scalar, Table, YamlFault
from daemon.core.errors import Unreadable
from daemon.core.instances import occurs
from daemon.core.model import (
    Activity,
    AllDay,
    Busy,
    Field,
    Key,
    Local,
    Note,
    Original,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    When,
    when_of,
)
from daemon.core.recurrence import rule_of, settled

T = TypeVar("T")
_WHEN_KEYS = frozenset(WHEN_KEYS)
_EMPTIABLE = frozenset((Field.LOCATION, Field.MEETING_URL, Field.DESCRIPTION))


def read(raw: bytes, *, zone: str, types: Sequence[str], path: str = "") -> Activity:
    """The activity that a file says. Raises Unreadable for the first thing that is wrong with it.

    `zone` is the store's default zone; without `types` any type will do.
    """
    try:
        return document_activity(load(*decode(raw), is_one_line), zone=zone, types=types, path=path)
    except YamlFault as fault:
        raise _unreadable(_text_of(raw), fault, path) from None


def problems(raw: bytes, *, zone: str, types: Sequence[str], path: str = "") -> list[Unreadable | Note]:
    """Everything that is wrong with a file, then what was read forgivingly, in the order of its lines."""
    try:
        reader = _Reader(load(*decode(raw), is_one_line), zone, types)
        activity = reader.activity()
    except YamlFault as fault:
        return [_unreadable(_text_of(raw), fault, path)]
    faults = sorted(reader.faults, key=lambda f: f.offset)
    return [*(_unreadable(reader.doc.text, fault, path) for fault in faults), *activity.notes]


def document_activity(doc: Document, *, zone: str, types: Sequence[str] = (), path: str = "") -> Activity:
    """The activity of a document that was parsed already. Raises Unreadable."""
    reader = _Reader(doc, zone, types)
    activity = reader.activity()
    if reader.faults:
        raise _unreadable(doc.text, min(reader.faults, key=lambda f: f.offset), path)
    return activity


def _unreadable(text: str, fault: YamlFault, path: str) -> Unreadable:
    line, column = place(text, fault.offset)
    return Unreadable(fault.message, code=fault.code, cure=fault.cure, path=path, line=line, column=column)


def _text_of(raw: bytes) -> str:
    return raw[: 1 << 20].decode(errors="replace").removeprefix("\ufeff")


class _Reader(Sheet):
    """One pass over one document. `faults` collects what is wrong; the activity is right only without any."""

    def __init__(self, doc: Document, zone: str, types: Sequence[str]) -> None:
        super().__init__(doc)
        self._zone = zone
        self._types = types
        self._master: When | None = None

    def activity(self) -> Activity:
        said = self.said(self.doc.root)
        if "subject" not in said:
            self.no_subject()
        view: dict[Key, Value] = {}
        self._master = when = self._when(said)
        if when is not None:
            view[Key(Field.WHEN)] = when
        self._fields(said, view, None)
        repeat = view.get(Key(Field.REPEAT))
        by_time = isinstance(repeat, str) and is_many_a_day(repeat)
        if "skip" in said:
            originals = frozenset(self._originals(said["skip"], by_time=by_time))
            if originals:
                view[Key(Field.SKIP)] = originals
        done_instances = self._changes(said["changes"], view, by_time=by_time) if "changes" in said else frozenset()
        if "changes" in said and not self.faults:
            self._note_strays(said["changes"], view, by_time=by_time)
        return Activity(
            uid=self.plain(said, "uid"),
            view=view,
            local=self._local(said, done_instances),
            notes=self.sorted_notes() if self._notes or self.doc.repairs else (),
        )

    def _when(self, said: Mapping[str, Node], span: Span | None = None) -> When | None:
        """The span that four keys say; without a date (of the file, or of the instance) there is none."""
        day = self.convert(said, "due_date", date_of)
        length = self.convert(said, "duration", duration_of)
        zone = self.convert(said, "timezone", zone_of)
        all_day = span is not None and self.plain(said, "due_time") == ALL_DAY
        time = None if all_day else self.convert(said, "due_time", time_of)
        if span is None:
            span = Span(day, None, None, None, self._zone) if day else None
        if span is None or not said.keys() & _WHEN_KEYS:
            return None
        if all_day or (time is None and span.time is None):
            days = -(-length // DAY) if length is not None else span.days
            return AllDay(day or span.day, max(1, days or 1))
        start = time or (span.time.time() if span.time else None)
        assert start is not None  # noqa: S101  one of the two is there
        if length is None:
            length = HOUR if span.length is None else span.length
        return Timed(datetime.combine(day or span.day, start), zone or span.zone, length)

    def _fields(self, said: Mapping[str, Node], view: dict[Key, Value], instance: Original | None) -> None:
        for name, node in said.items():
            field = FIELD_OF_KEY.get(name)
            if field is None or name == "skip":
                continue
            try:
                value = self._field(name, node)
            except BadValue as error:
                self.bad(name, node, error)
                continue
            if value is not None:
                view[Key(field, instance)] = value

    def _field(self, name: str, node: Node) -> Value | None:
        if name == "attendees":
            return guests_of_node(self, node) or None
        if name == "reminders":
            return frozenset(self.items(name, node, reminder_of)) or None
        if type(node) is not Scalar:
            raise NOT_TEXT
        text = node.text
        match name:
            case "type":
                return type_of(text, self._types)
            case "busy":
                return word_of(text, Busy)
            case "private":
                return word_of(text, Privacy)
            case "priority":
                return word_of(text, Priority)
            case "status":
                return word_of(text, Status)
            case "repeat":
                return self._repeat(text)
            case _:
                return scalar_text(self.doc, node)

    def _repeat(self, text: str) -> str:
        when = self._master
        day = when.start.date() if isinstance(when, Timed) else when.first if when else None
        return _rule(text, day) if when is None else _settled_rule(text, day, when)

    def _originals(self, node: Node, *, by_time: bool) -> Iterator[Original]:
        for original in self.items("skip", node, original_of):
            yield named_by(original, by_time=by_time)

    def _changes(self, node: Node, view: dict[Key, Value], *, by_time: bool) -> frozenset[Original]:
        """Put what differs in single instances into the view; which instances are marked done."""
        if not isinstance(node, Table):
            self.bad("changes", node, BadValue("this is no map", "Write `2026-12-14:` and indented keys below it."))
            return frozenset()
        done = set()
        seen: set[Original] = set()
        for key, entry in node.entries:
            try:
                original = named_by(original_of(key.text), by_time=by_time)
            except BadValue as error:
                self.bad("changes", key, error)
                continue
            if original in seen:
                self.fault(key.start, "duplicate_key", "this instance stands here twice", "Merge the two entries.")
            seen.add(original)
            if not is_blank(entry) and self._instance(original, entry, view):
                done.add(original)
        return frozenset(done)

    def _note_strays(self, node: Node, view: View, *, by_time: bool) -> None:
        """Remark on the changes of what is no instance; a calendar's added dates (RDATE) are in no file."""
        for key, entry in node.entries if isinstance(node, Table) else ():
            if not is_blank(entry) and not occurs(view, named_by(original_of(key.text), by_time=by_time)):
                said = "`repeat` has no instance then" if Key(Field.REPEAT) in view else "there is no `repeat`"
                cure = "Write the date on which the instance would be if nothing had moved it, or take this out."
                self.note(key.start, "no_instance", f"changes: {said}; what stands here is kept and not sent", cure)

    def _instance(self, original: Original, node: Node, view: dict[Key, Value]) -> bool:
        if not isinstance(node, Table):
            self.bad(
                "changes", node, BadValue("this is no map", "Write the keys that differ, indented, below the date.")
            )
            return False
        said = self.said(node)
        for name in said.keys() & SERIES_ONLY:
            self.bad(name, said[name], BadValue("one instance can't have its own", "Change the series instead."))
        mine: dict[Key, Value] = {}
        when = self._when(said, span_of(original, when_of(view), self._zone))
        if when is not None:
            mine[Key(Field.WHEN, original)] = when
        self._fields({n: v for n, v in said.items() if n not in SERIES_ONLY}, mine, original)
        self._emptied(node, original, view, mine)
        view.update((k, v) for k, v in mine.items() if v != inherited(k, view, self._zone))
        return bool(self.convert(said, "done", truth))

    def _emptied(self, table: Table, original: Original, view: View, mine: dict[Key, Value]) -> None:
        """`""` and `[]` in an instance: it lacks what the series has."""
        for key, node in table.entries:
            field = FIELD_OF_KEY.get(key.text)
            if field is None or not is_blank(node) or (isinstance(node, Scalar) and not node.style):
                continue
            master = view.get(Key(field))
            if isinstance(master, frozenset):
                mine[Key(field, original)] = frozenset()
            elif type(master) is str and field in _EMPTIABLE:
                mine[Key(field, original)] = ""

    def _local(self, said: Mapping[str, Node], done_instances: frozenset[Original]) -> Local:
        sync = self.convert(said, "sync", truth)
        return Local(
            owner=self.plain(said, "owner") or None,
            calendar=self.plain(said, "calendar") or None,
            sync=sync is not False,
            done=bool(self.convert(said, "done", truth)),
            done_through=self.convert(said, "done_through", date_of),
            done_instances=done_instances,
            masked=bool(self.convert(said, "masked", truth)),
            context=tuple((n, _context(said[n])) for n in said if n in CONTEXT_KEYS),
        )


@lru_cache(maxsize=1024)
def _rule(text: str, start: date | None) -> str:
    try:
        return rule_of(text, start=start)
    except ValueError as error:
        raise BadValue(str(error), "Write an RRULE, or a phrase such as `every week on Monday`.") from None


@lru_cache(maxsize=1024)
def _settled_rule(text: str, start: date | None, when: When) -> str:
    return settled(_rule(text, start), when)


def _context(node: Node) -> str:
    match node:
        case Scalar():
            return node.text.strip()
        case Listing():
            return ", ".join(filter(None, map(_context, node.items)))
        case Table():
            return ", ".join(f"{key.text}: {_context(value)}" for key, value in node.entries)
