"""What a scenario may expect: each word of `expect` is one check."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.scenarios.calendars import property_of

if TYPE_CHECKING:
    from tests.scenarios.story import Story

_GONE = "~"
_FINE = {"synced", "waiting"}


@dataclass(frozen=True, slots=True)
class Seen:
    """The files of everybody and the events of every calendar."""

    files: Mapping[str, str]
    events: Mapping[str, str]

    def difference(self, other: Seen) -> str:
        """What differs, in full."""
        found = []
        for before, after in ((self.files, other.files), (self.events, other.events)):
            names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
            found += [f"--- {name}\n{before.get(name)}\n+++\n{after.get(name)}" for name in names]
        return "\n".join(found)


def _files(story: Story, wanted: Mapping[str, Any] | Sequence[str]) -> None:
    """Exactly these files are there; of each, these lines."""
    files = story.me.files()
    names = {name.replace("*", "") for name in wanted}
    assert sorted(files) == sorted(names), f"the files are {sorted(files)}"
    if isinstance(wanted, Mapping):
        for name, lines in wanted.items():
            _lines(name, files[name], lines)


def _file(story: Story, wanted: Mapping[str, Any]) -> None:
    """Of each of these files, these lines."""
    files = story.me.files()
    for name, lines in wanted.items():
        assert name in files, f"the files are {sorted(files)}"
        _lines(name, files[name], lines)


def _lines(name: str, text: str, wanted: str | Mapping[str, str]) -> None:
    if isinstance(wanted, str):
        assert not wanted or text.replace("\r\n", "\n").strip() == wanted.strip(), f"{name} is\n{text}"
        return
    for key, value in wanted.items():
        found = re.search(rf"^{re.escape(key)}:(.*(?:\n[ \t-].*)*)", text, re.MULTILINE)
        said = " ".join(found[1].split()) if found else _GONE
        assert said == " ".join(value.split()), f"{name} says {key}: {said}\n{text}"


def _calendar(story: Story, wanted: Mapping[str, Any] | Sequence[str]) -> None:
    """Exactly these events are in the first calendar (or in `other/...`); of each, these properties."""
    first = next(iter(story.calendars))
    places = [place if "/" in place else f"{first}/{place}" for place in wanted]
    named = {place.split("/")[0] for place in places} | {first}
    there = {name: text for name, text in story.look().events.items() if name.split("/")[0] in named}
    assert sorted(there) == sorted(places), f"the events are {sorted(there)}"
    if isinstance(wanted, Mapping):
        for place, said in zip(places, wanted.values(), strict=True):
            _properties(place, there[place], said)


def _event(story: Story, wanted: Mapping[str, Any]) -> None:
    """Of each of these events, these properties."""
    first = next(iter(story.calendars))
    there = story.look().events
    for place, said in wanted.items():
        name = place if "/" in place else f"{first}/{place}"
        assert name in there, f"the events are {sorted(there)}"
        _properties(name, there[name], said)


def _titles(story: Story, wanted: Sequence[str]) -> None:
    """The events of all calendars have these titles."""
    found = sorted(property_of(text, "SUMMARY") or "" for text in story.look().events.values())
    assert found == sorted(wanted), f"the events are {found}"


def _properties(name: str, text: str, wanted: str | Mapping[str, Any] | Sequence[str]) -> None:
    if isinstance(wanted, str):
        assert not wanted, "an event is compared by its properties"
        return
    if isinstance(wanted, Sequence):
        for line in wanted:
            assert (line[4:] not in text) if line.startswith("not ") else (line in text), f"{name}: {line}\n{text}"
        return
    for key, value in wanted.items():
        said = property_of(text, key)
        assert (said if said is not None else _GONE) == value, f"{name} has {key}: {said}\n{text}"


def _why(story: Story, wanted: Mapping[str, str]) -> None:
    """The state of a file, or its state and code; whatever needs its user names a cure."""
    for path, said in wanted.items():
        data = story.me.order("why", {"file": path}).data
        found = f"{data['state']}/{data['code']}" if "/" in said else data["state"]
        assert found == said, f"why {path}: {data}"
        assert data["reason"], data
        assert data["cure"] or data["state"] in _FINE or data["code"] in {"guest", "gone"}, data


def _reason(story: Story, wanted: Mapping[str, str]) -> None:
    """The reason that `why` gives for a file has these words."""
    for path, words in wanted.items():
        data = story.me.order("why", {"file": path}).data
        assert words in str(data["reason"]), f"why {path}: {data}"


def _conflicts(story: Story, wanted: Mapping[str, Mapping[str, Sequence[str]]] | str) -> None:
    """The open conflicts: by file, by field, the file's and the calendar's value."""
    rows: Any = story.me.order("conflicts").data["conflicts"]
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        values = [_GONE if row[name] is None else row[name] for name in ("file_value", "calendar_value")]
        found.setdefault(row["file"], {})[row["field"]] = values
    assert found == (wanted or {}), f"the conflicts are {found}"


def _log(story: Story, wanted: Sequence[str]) -> None:
    """The log has these entries: `update file by calendar: location ~ -> Room 5`."""
    rows: Any = story.me.order("log").data["entries"]
    found = []
    for row in rows:
        head = f"{row['action']} {row['side']} by {row['by']}"
        found.append(head)
        was, now = row["before"], row["after"]
        found += [f"{head}: {key} {was.get(key) or _GONE} -> {now.get(key) or _GONE}" for key in {*was, *now}]
    for line in wanted:
        assert line in found, f"no {line!r} in {found}"


def _plan(story: Story, wanted: Sequence[str]) -> None:
    """The plan has exactly these actions: `update calendar call.yaml: location`."""
    data: Any = story.me.order("plan").data
    found = sorted(_action(row) for row in data["actions"])
    assert found == sorted(wanted or []), f"the plan is {found}"


def _action(row: Mapping[str, Any]) -> str:
    fields = f": {', '.join(row['fields'])}" if row["fields"] and row["action"] in {"update", "conflict"} else ""
    mails = f" mails {', '.join(row['mails'])}" if row["mails"] else ""
    return f"{row['action']} {row['side']} {row['file'] or row['uid']}{fields}{mails}"


def _held(story: Story, wanted: Mapping[str, Any] | str) -> None:
    """What is held, by reason: how many actions, or which."""
    data: Any = story.me.order("plan").data
    found = {row["reason"]: sorted(_action(action) for action in row["actions"]) for row in data["held"]}
    counts = {reason: str(len(rows)) for reason, rows in found.items()}
    for reason, value in (wanted or {}).items():
        expected = value if isinstance(value, str) else sorted(value)
        assert (counts if isinstance(value, str) else found).get(reason) == expected, f"held: {found}"
    assert found.keys() == (wanted or {}).keys(), f"held: {found}"


def _trash(story: Story, wanted: Sequence[str]) -> None:
    """These files are in the trash, each with the date and the reason."""
    entries = story.me.app().folder.trash_list()
    assert sorted(entry.path for entry in entries) == sorted(wanted), [entry.path for entry in entries]
    assert all(entry.reason and entry.when for entry in entries)


def _mode(story: Story, wanted: Mapping[str, str]) -> None:
    """The mode of these files."""
    for path, mode in wanted.items():
        said = stat.S_IMODE((story.me.store / path).stat().st_mode)
        assert f"{said:o}" == mode, f"{path} has mode {said:o}"


def _nowhere(story: Story, wanted: Sequence[str]) -> None:
    """These words are in no file of the store, the trash, the journal, the log."""
    text = story.me.everything()
    for word in wanted:
        assert word not in text, f"{word!r} is still kept"


def _wrote(story: Story, wanted: str) -> None:
    """What the last order wrote: nothing, files, calendar, or both."""
    assert story.before is not None
    now = story.look()
    sides = [now.files != story.before.files, now.events != story.before.events]
    said = {(False, False): "nothing", (True, False): "files", (False, True): "calendar", (True, True): "both"}
    found = said[sides[0], sides[1]]
    assert found == wanted, f"it wrote {found}: {story.before.difference(now)}"


def _reply(story: Story, wanted: Mapping[str, Any]) -> None:
    """The last order's report has these values."""
    for key, value in wanted.items():
        assert str(story.reply.data.get(key)) == value, story.reply


def _says(story: Story, wanted: str) -> None:
    """The last order's message has these words."""
    assert wanted in f"{story.reply.message} {story.reply.cure} {story.reply.data}", story.reply


def _problems(story: Story, wanted: Mapping[str, str] | str) -> None:
    """The problems of the status file: by file, or by calendar, the code."""
    from daemon.status.standing import standing

    app = story.me.app()
    now = standing(app.journal, app.config.routes, str(app.config.store), app.engine.eyes.problems.values())
    found = {one.file or one.calendar or one.account: one.code for one in now.problems}
    assert found == (wanted or {}), f"the problems are {found}"
    assert all(one.message and one.cure for one in now.problems)


def _list(story: Story, wanted: Mapping[str, Any]) -> None:
    """What `list` shows with these filters, and how many each hides."""
    data: Any = story.me.order("list", wanted.get("filters") or {}).data
    assert sorted(row["subject"] for row in data["activities"]) == sorted(wanted["shows"]), data
    assert {name: str(many) for name, many in data["hidden"].items()} == (wanted.get("hides") or {}), data


def _export(story: Story, wanted: Sequence[str]) -> None:
    """What was exported has these lines."""
    lines = str(story.reply.data["text"]).splitlines()
    for line in wanted:
        assert line in lines, lines


def _blocked(story: Story, wanted: Mapping[str, str]) -> None:
    """How many files the status file counts as blocked, by calendar."""
    from daemon.status.standing import standing

    app = story.me.app()
    now = standing(app.journal, app.config.routes, str(app.config.store), ())
    found = {name: str(one.blocked) for name, one in now.calendars.items()}
    assert {name: found[name] for name in wanted} == wanted, f"blocked are {found}"


CHECKS: Mapping[str, Callable[[Any, Any], None]] = {
    "blocked": _blocked,
    "reason": _reason,
    "calendar": _calendar,
    "conflicts": _conflicts,
    "event": _event,
    "export": _export,
    "file": _file,
    "files": _files,
    "held": _held,
    "list": _list,
    "log": _log,
    "mode": _mode,
    "nowhere": _nowhere,
    "plan": _plan,
    "problems": _problems,
    "reply": _reply,
    "says": _says,
    "titles": _titles,
    "trash": _trash,
    "why": _why,
    "wrote": _wrote,
}
