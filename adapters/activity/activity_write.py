"""Writing YAML activity files: a patch touches the lines of its keys and no other; what is written reads back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from adapters.activity.activity_edit import Edits
from adapters.activity.activity_forms import UNTITLED, whole_file
from adapters.activity.activity_keys import RANK, is_one_line
from adapters.activity.activity_read import document_activity
from adapters.activity.activity_series import inherited
from adapters.activity.yaml_edit import Editor, Unpatchable
from adapters.activity.yaml_lines import Document, decode, load
from adapters.activity.yaml_plain import may_end_with
from adapters.activity.yaml_tree import Scalar, YamlFault
from adapters.activity.yaml_write import Text, Written, block_entry, scalar
from daemon.core.errors import Unreadable
from daemon.core.model import Activity, Field, Key, Local, Patch, Value, View, when_of
from daemon.core.recurrence import settled

_ROUNDS = 4  # a change of the series can move what its instances inherit: written again until it reads as meant
_PLAIN_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOCAL_WORDS = frozenset(("done", "done_through", "masked", "sync"))


def patch(raw: bytes, patch: Patch, *, zone: str, uid: str = "") -> bytes:
    """The file with the changed keys rewritten, and the uid as its last line where it has none.

    Raises Unreadable for a file that can't be read, or (`unwritable`, with the keys) whose form leaves no way to
    write a value.
    """
    if uid and not patch and (named := _with_uid(raw, uid)) is not None:
        return named
    doc = _load(raw)
    before = document_activity(doc, zone=zone)
    wanted = _after(before.view, patch, zone)
    changes = {key: wanted.get(key) for key in patch if wanted.get(key) != before.view.get(key)}
    if not changes and (not uid or uid == before.uid):
        return raw
    for quote, whole in ((False, False), (True, False), (False, True), (True, True)):
        try:
            written = _patched(doc, before, changes, wanted, zone=zone, uid=uid, quote=quote, whole=whole)
        except (Unpatchable, Unreadable, YamlFault, UnicodeEncodeError):
            continue
        if written is not None:
            return (doc.mark + written).encode()
    raise Unreadable(
        "the values of the calendar can't be written into this file as it is built",
        code="unwritable",
        cure="Change them in the calendar to what a file can say, or write the file as plain `key: value` lines.",
        keys=frozenset(_stuck(raw, patch, zone)),
    )


def _stuck(raw: bytes, whole: Patch, zone: str) -> Iterator[Key]:
    """The keys of a patch that can't be written by themselves; all of them where it is their meeting."""
    found = [key for key, value in whole.items() if len(whole) == 1 or not _goes_in(raw, {key: value}, zone)]
    yield from found or whole


def _goes_in(raw: bytes, one: Patch, zone: str) -> bool:
    try:
        patch(raw, one, zone=zone)
    except Unreadable:
        return False
    return True


def _with_uid(raw: bytes, uid: str) -> bytes | None:
    """A plain file with the line of its uid behind it; None where that takes more thought.

    YAML is read from left to right: a key at the first column leaves what stands before it as it was. So it is
    enough that the whole still is YAML, and that the last key of its root is this one with this value.
    """
    line = f"uid: {uid}\n".encode()
    is_plain = _PLAIN_UID.fullmatch(uid) and scalar(Text(uid)) == uid
    if not is_plain or b"uid" in raw or b"\r" in raw or not raw.endswith(b"\n"):
        return None
    with suppress(UnicodeDecodeError):
        if may_end_with(raw.decode(), "uid"):
            return raw + line
    try:
        doc = _load(raw + line)
    except Unreadable:
        return None
    if doc.repairs or doc.root.flow or doc.column(doc.root.entries[0][0].start):
        return None
    key, value = doc.root.entries[-1]
    is_last = key.start == len(doc.text) - len(line) and key.text == "uid"
    return raw + line if is_last and isinstance(value, Scalar) and value.text == uid else None


def set_local(raw: bytes, key: str, text: str | None) -> bytes:
    """The file with one key that never travels (done, owner, calendar ...) set, or taken away."""
    doc = _load(raw)
    editor = Editor(doc, RANK)
    if text is not None:
        editor.set(doc.root, key, Text(text, word=key in _LOCAL_WORDS))
    elif doc.root.find(key):
        editor.remove(doc.root, (key,))
    written = (doc.mark + editor.text()).encode()
    _load(written)
    return written


def compose(view: View, *, uid: str, local: Local, zone: str) -> bytes:
    """A new file that says this view. Raises Unreadable (`unwritable`) for a value that YAML has no way to hold."""
    wanted = _after({}, view, zone)
    for quote in (False, True):
        entries = whole_file(wanted, uid=uid, local=local, zone=zone)
        text = "".join(block_entry(k, _quoted(v) if quote else v, 0, "\n") for k, v in entries.items())
        try:
            raw = text.encode()
            found = document_activity(_load(raw), zone=zone)
        except (UnicodeEncodeError, Unreadable):
            continue
        if found.view == wanted and found.uid == uid:
            return raw
    raise Unreadable(
        "the event has a value that a file can't hold", code="unwritable", cure="Change it in the calendar."
    )


def _load(raw: bytes) -> Document:
    try:
        return load(*decode(raw), is_one_line)
    except YamlFault as fault:
        raise Unreadable(fault.message, code=fault.code, cure=fault.cure) from None


def _quoted(written: Written) -> Written:
    match written:
        case Text():
            return Text(written.value, '"', written.word)
        case list():
            return [_quoted(item) for item in written]
        case dict():
            return {key: _quoted(value) for key, value in written.items()}


def _after(before: View, patch: Patch, zone: str) -> dict[Key, Value]:
    """What the file is to say: nothing empty, nothing that an instance inherits, a subject always."""
    view = {key: value for key, value in before.items() if key not in patch}
    for key, value in patch.items():
        said = _said(key, value)
        if said is not None and key.field is not Field.CATEGORIES:
            view[key] = said
    repeat, when = view.get(Key(Field.REPEAT)), when_of(view)
    if isinstance(repeat, str) and when is not None:
        view[Key(Field.REPEAT)] = settled(repeat, when)
    return {k: v for k, v in view.items() if k.instance is None or v != (inherited(k, view, zone) or _nothing(v))}


def _said(key: Key, value: Value | None) -> Value | None:
    blank = value is None or value == frozenset() or (type(value) is str and not value.strip())
    if not blank:
        return value
    if key == Key(Field.SUBJECT):
        return UNTITLED
    return None if key.instance is None or value is None or key.field is Field.SUBJECT else _nothing(value)


def _nothing(value: Value) -> Value | None:
    """What an instance says that has no text, or no elements, where its series has some."""
    return frozenset() if isinstance(value, frozenset) else "" if type(value) is str else None


def _patched(  # noqa: PLR0913  the two ways to write, and what must come out
    doc: Document, before: Activity, changes: Patch, wanted: View, *, zone: str, uid: str, quote: bool, whole: bool
) -> str | None:
    """The text after the patch, once it reads as wanted; None where it does not."""
    for round_ in range(_ROUNDS):
        edits = Edits(doc, wanted, zone, quote=quote, whole=whole)
        edits.apply(changes)
        if round_ == 0 and uid and before.uid != uid:
            _put_uid(edits.editor, doc, uid)
        text = edits.editor.text()
        doc = load(doc.mark, text, is_one_line)
        after = document_activity(doc, zone=zone)
        changes = {k: wanted.get(k) for k in wanted.keys() | after.view.keys() if wanted.get(k) != after.view.get(k)}
        if not changes:
            return text if after.local == before.local and after.uid == (uid or before.uid) else None
        if any(key.instance is None for key in changes):
            return None
    return None


def _put_uid(editor: Editor, doc: Document, uid: str) -> None:
    if doc.root.find("uid"):
        editor.set(doc.root, "uid", Text(uid))
    else:
        editor.add_last("uid", Text(uid))
