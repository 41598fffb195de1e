"""Reading YAML activity files: document to Activity. What is read forgivingly is said aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar

from adapters.activity_keys import (
    CONTEXT_KEYS,
    FIELD_OF_KEY,
    RANK,
    SERIES_ONLY,
    WHEN_KEYS,
    close_key,
    is_one_line,
)
from adapters.activity_series import ALL_DAY, Span, inherited, is_many_a_day, named_by, span_of
from adapters.activity_values import (
    DAY,
    HOUR,
    BadValue,
    date_of,
    duration_of,
    mail_of,
    name_and_mail,
    original_of,
    reminder_of,
    shown,
    time_of,
    truth,
    type_of,
    word_of,
    zone_of,
)
from adapters.yaml_lines import Document, decode, load, place
from adapters.yaml_tree import Listing, Node, Scalar, Table, YamlFault
from daemon.core.errors import Unreadable
from daemon.core.model import (
    Activity,
    AllDay,
    Answer,
    Busy,
    Field,
    Guest,
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
_NOT_TEXT = BadValue("this is a list or a map, not text", "Write one line of text, in quotes if it has brackets.")
_WHEN_KEYS = frozenset(WHEN_KEYS)
_EMPTIABLE = frozenset((Field.LOCATION, Field.MEETING_URL, Field.DESCRIPTION))
_WARNED = frozenset(("subject", "location", "conference_meeting_url"))


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


def is_blank(node: Node) -> bool:
    """Whether a value says nothing: bare, empty, or an empty list or map."""
    match node:
        case Scalar():
            return node.bare or not node.text.strip()
        case Listing():
            return not node.items
        case Table():
            return not node.entries


def scalar_text(doc: Document, node: Scalar) -> str:
    """The text of a scalar; the line break that ends a block scalar is not part of it, save under `|+`."""
    if node.style in ("|", ">") and "+" not in doc.text[node.start : node.start + 3]:
        return node.text.removesuffix("\n")
    return node.text


def guest_of_node(doc: Document, node: Node) -> Guest | None:
    """The guest that one item of `attendees` names; None where it names none."""
    return _Reader(doc, "UTC", ()).guest(node)


class _Reader:
    """One pass over one document. `faults` collects what is wrong; the activity is right only without any."""

    def __init__(self, doc: Document, zone: str, types: Sequence[str]) -> None:
        self.doc = doc
        self.faults: list[YamlFault] = []
        self._zone = zone
        self._types = types
        self._notes: list[tuple[int, str, str, str]] = []
        self._master: When | None = None

    def activity(self) -> Activity:
        said = self._said(self.doc.root)
        if "subject" not in said:
            self._no_subject()
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
        return Activity(
            uid=self._plain(said, "uid"),
            view=view,
            local=self._local(said, done_instances),
            notes=self._sorted_notes() if self._notes or self.doc.repairs else (),
        )

    def _fault(self, offset: int, code: str, message: str, cure: str) -> None:
        self.faults.append(YamlFault(offset, code, message, cure))

    def _bad(self, name: str, node: Node, error: BadValue) -> None:
        self._fault(node.start, "bad_value", f"{name}: {error.message}", error.cure)

    def _said(self, table: Table) -> dict[str, Node]:
        """The keys that have a value; remarks about the others on the way."""
        said: dict[str, Node] = {}
        for key, node in table.entries:
            name = key.text
            if is_blank(node):
                self._check_swallowed(name, node)
                continue
            said[name] = node
            if name not in RANK:
                self._check_name(key)
            elif name in _WARNED and type(node) is Scalar and not node.style:
                self._check_comment(name, node)
        return said

    def _check_name(self, key: Scalar) -> None:
        close = close_key(key.text)
        if close:
            self._note(key.start, "unknown_key", f"{shown(key.text)} is no key of Datebook", f"Did you mean {close}?")

    def _check_swallowed(self, name: str, node: Node) -> None:
        if not isinstance(node, Scalar) or node.style or not is_one_line(name):
            return
        rest = self.doc.text[node.start : self.doc.line_end(node.start)].lstrip(" \t")
        if rest.startswith("#") and (name == "subject" or rest[1:2].strip()):
            offset = self.doc.text.index("#", node.start)
            cure = f"Put the value in quotes: {name}: '#...'"
            self._fault(offset, "comment", f"{name} is empty, because # begins a comment", cure)

    def _check_comment(self, name: str, node: Scalar) -> None:
        text = self.doc.text
        if text[node.end : node.end + 1] != " ":
            return
        rest = text[node.end : self.doc.line_end(node.end)]
        comment = rest.lstrip(" \t")
        if comment.startswith("#") and (comment[1:2].strip() or len(rest) - len(comment) == 1):
            offset = node.end + len(rest) - len(comment)
            cure = "Put the value in quotes if that belongs to it; else put two spaces before the # and one after it."
            self._note(offset, "comment", f"{name}: what follows # is a comment and not part of the value", cure)

    def _no_subject(self) -> None:
        if any(f.code == "comment" for f in self.faults):
            return
        close = next(
            (k for k, _ in self.doc.root.entries if k.text not in RANK and close_key(k.text) == "subject"), None
        )
        cure = f"{shown(close.text)} is called subject here." if close else "Add a line such as `subject: Call Anna`."
        self._fault(close.start if close else 0, "no_subject", "the subject is missing", cure)

    def _note(self, offset: int, code: str, message: str, cure: str) -> None:
        self._notes.append((offset, code, message, cure))

    def _sorted_notes(self) -> tuple[Note, ...]:
        for repair in self.doc.repairs:
            message = "the value is no valid YAML; it was read as the text that it looks like"
            self._note(repair.start, "unquoted", message, "Put the value in quotes.")
        return tuple(Note(code, m, cure, *place(self.doc.text, at)) for at, code, m, cure in sorted(self._notes))

    def _plain(self, said: Mapping[str, Node], name: str) -> str:
        node = said.get(name)
        if node is None:
            return ""
        if type(node) is Scalar:
            return scalar_text(self.doc, node).strip()
        self._bad(name, node, _NOT_TEXT)
        return ""

    def _convert(self, said: Mapping[str, Node], name: str, form: Callable[[str], T]) -> T | None:
        text = self._plain(said, name)
        if not text:
            return None
        try:
            return form(text)
        except BadValue as error:
            self._bad(name, said[name], error)
            return None

    def _when(self, said: Mapping[str, Node], span: Span | None = None) -> When | None:
        """The span that four keys say; without a date (of the file, or of the instance) there is none."""
        day = self._convert(said, "due_date", date_of)
        length = self._convert(said, "duration", duration_of)
        zone = self._convert(said, "timezone", zone_of)
        all_day = span is not None and self._plain(said, "due_time") == ALL_DAY
        time = None if all_day else self._convert(said, "due_time", time_of)
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
                self._bad(name, node, error)
                continue
            if value is not None:
                view[Key(field, instance)] = value

    def _field(self, name: str, node: Node) -> Value | None:
        if name == "attendees":
            return self._guests(node) or None
        if name == "reminders":
            return frozenset(self._items(name, node, reminder_of)) or None
        if type(node) is not Scalar:
            raise _NOT_TEXT
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

    def _items(self, name: str, node: Node, form: Callable[[str], T]) -> Iterator[T]:
        """The elements of a list of plain words; one word counts as a list of one."""
        for item in node.items if isinstance(node, Listing) else (node,):
            if is_blank(item):
                continue
            try:
                if not isinstance(item, Scalar):
                    raise _NOT_TEXT
                yield form(item.text)
            except BadValue as error:
                self._bad(name, item, error)

    def _originals(self, node: Node, *, by_time: bool) -> Iterator[Original]:
        for original in self._items("skip", node, original_of):
            yield named_by(original, by_time=by_time)

    def _guests(self, node: Node) -> frozenset[Guest]:
        guests: dict[str, Guest] = {}
        for item in node.items if isinstance(node, Listing) else (node,):
            if is_blank(item):
                continue
            guest = self.guest(item)
            if guest is None:
                continue
            if guest.email in guests:
                self._note(
                    item.start, "same_guest", "this address stands here twice; the first one counts", "Remove one."
                )
            guests.setdefault(guest.email, guest)
        return frozenset(guests.values())

    def guest(self, node: Node) -> Guest | None:
        try:
            if isinstance(node, Scalar):
                name, email = name_and_mail(node.text)
                return Guest(email, name)
            if isinstance(node, Table):
                return self._guest_of(node)
        except BadValue as error:
            self._bad("attendees", node, error)
            return None
        self._bad("attendees", node, BadValue("this is a list in a list", "Write `Name <mail>`."))
        return None

    def _guest_of(self, table: Table) -> Guest | None:
        said = {key.text: node for key, node in table.entries if not is_blank(node)}
        if "email" not in said:
            raise BadValue("a guest has no email", "Add `email: name@example.com`.")
        email = self._convert(said, "email", mail_of)
        answer = self._convert(said, "status", lambda text: word_of(text.replace("_", "-"), Answer))
        optional = self._convert(said, "optional", truth)
        organizer = self._convert(said, "is_organizer", truth)
        if email is None:
            return None
        return Guest(
            email, self._plain(said, "name"), bool(optional), answer or Answer.NEEDS_ACTION, organizer=bool(organizer)
        )

    def _changes(self, node: Node, view: dict[Key, Value], *, by_time: bool) -> frozenset[Original]:
        """Put what differs in single instances into the view; which instances are marked done."""
        if not isinstance(node, Table):
            self._bad("changes", node, BadValue("this is no map", "Write `2026-12-14:` and indented keys below it."))
            return frozenset()
        done = set()
        seen: set[Original] = set()
        for key, entry in node.entries:
            try:
                original = named_by(original_of(key.text), by_time=by_time)
            except BadValue as error:
                self._bad("changes", key, error)
                continue
            if original in seen:
                self._fault(key.start, "duplicate_key", "this instance stands here twice", "Merge the two entries.")
            seen.add(original)
            if not is_blank(entry) and self._instance(original, entry, view):
                done.add(original)
        return frozenset(done)

    def _instance(self, original: Original, node: Node, view: dict[Key, Value]) -> bool:
        if not isinstance(node, Table):
            self._bad(
                "changes", node, BadValue("this is no map", "Write the keys that differ, indented, below the date.")
            )
            return False
        said = self._said(node)
        for name in said.keys() & SERIES_ONLY:
            self._bad(name, said[name], BadValue("one instance can't have its own", "Change the series instead."))
        mine: dict[Key, Value] = {}
        when = self._when(said, span_of(original, when_of(view), self._zone))
        if when is not None:
            mine[Key(Field.WHEN, original)] = when
        self._fields({n: v for n, v in said.items() if n not in SERIES_ONLY}, mine, original)
        self._emptied(node, original, view, mine)
        view.update((k, v) for k, v in mine.items() if v != inherited(k, view, self._zone))
        return bool(self._convert(said, "done", truth))

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
        sync = self._convert(said, "sync", truth)
        return Local(
            owner=self._plain(said, "owner") or None,
            calendar=self._plain(said, "calendar") or None,
            sync=sync is not False,
            done=bool(self._convert(said, "done", truth)),
            done_through=self._convert(said, "done_through", date_of),
            done_instances=done_instances,
            masked=bool(self._convert(said, "masked", truth)),
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
