"""The status file on disk: written whole and private, read back as values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from daemon.core.errors import DatebookError
from daemon.status import (
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Health,
    Held,
    Json,
    OpenConflict,
    Problem,
    Status,
    StoreStatus,
    Trouble,
)
from daemon.status.status_mapping import SCHEMA, build_status

_E = TypeVar("_E", bound=StrEnum)


class StatusUnreadable(DatebookError):
    """The status file is there and can't be understood."""


def write_status(path: Path, status: Status) -> None:
    """Replace the status file, mode 0600; after a crash it is the old one or the new one. Raises OSError."""
    data = json.dumps(build_status(status), ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with suppress(FileNotFoundError):
            temporary.unlink()
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def read_text(path: Path) -> str | None:
    """The status file as it stands there; None: there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StatusUnreadable(f"{path} can't be read: {error}") from error


def last_status(path: Path) -> Status | None:
    """How things stood when the file was last written; None: nobody can tell."""
    with suppress(OSError, StatusUnreadable):
        text = read_text(path)
        return parse_status(text) if text else None
    return None


def parse_status(text: str) -> Status:
    """The values of a status file. Raises StatusUnreadable, also for one of a newer Datebook."""
    try:
        whole = _Part(json.loads(text))
        if whole.number("schema") != SCHEMA:
            raise StatusUnreadable("The status file was written by another version of Datebook.")
        return _status(whole)
    except (ValueError, TypeError, KeyError) as error:
        raise StatusUnreadable("The status file can't be understood.") from error


class _Part:
    """One mapping of the file, read key by key."""

    def __init__(self, value: Json) -> None:
        if not isinstance(value, Mapping):
            raise TypeError("a mapping is wanted here")
        self._value = value

    def text(self, key: str) -> str:
        value = self._value.get(key)
        return value if isinstance(value, str) else ""

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if self._value.get(key) is not None else None

    def number(self, key: str) -> int:
        value = self._value.get(key)
        return value if isinstance(value, int) else 0

    def maybe_number(self, key: str) -> int | None:
        return self.number(key) if self._value.get(key) is not None else None

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._value.get(key)
        return value if isinstance(value, bool) else default

    def moment(self, key: str) -> datetime | None:
        text = self.text(key)
        return datetime.fromisoformat(text) if text else None

    def word(self, key: str, words: type[_E]) -> _E:
        return words(self.text(key))

    def part(self, key: str) -> _Part | None:
        value = self._value.get(key)
        return None if value is None else _Part(value)

    def parts(self, key: str) -> dict[str, _Part]:
        value = self._value.get(key)
        return {name: _Part(each) for name, each in value.items()} if isinstance(value, Mapping) else {}

    def rows(self, key: str) -> list[_Part]:
        value = self._value.get(key)
        return [_Part(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def _status(whole: _Part) -> Status:
    started, updated = whole.moment("started"), whole.moment("updated")
    if started is None or updated is None:
        raise KeyError("updated")
    return Status(
        version=whole.text("version"),
        pid=whole.number("pid"),
        started=started,
        updated=updated,
        state=whole.word("state", Health),
        store=_store(whole.part("store") or _Part({})),
        accounts={name: _account(part) for name, part in whole.parts("accounts").items()},
        calendars={name: _calendar(part) for name, part in whole.parts("calendars").items()},
        problems=tuple(_problem(part) for part in whole.rows("problems")),
        conflicts=tuple(_conflict(part) for part in whole.rows("conflicts")),
        by_command=whole.text("by") == "command",
    )


def _trouble(part: _Part | None) -> Trouble | None:
    return Trouble(part.text("code"), part.text("message"), part.text("cure")) if part else None


def _store(part: _Part) -> StoreStatus:
    return StoreStatus(
        path=part.text("path"),
        activities=part.number("activities"),
        unscheduled=part.number("unscheduled"),
        broken=part.number("broken"),
        missing=_trouble(part.part("missing")),
    )


def _account(part: _Part) -> AccountStatus:
    return AccountStatus(
        state=part.word("state", AccountState),
        since=part.moment("since"),
        last_success=part.moment("last_success"),
        next_try=part.moment("next_try"),
        token_expires=part.moment("token_expires"),
        error=_trouble(part.part("error")),
    )


def _calendar(part: _Part) -> CalendarStatus:
    return CalendarStatus(
        account=part.text("account"),
        direction=part.text("direction"),
        state=part.word("state", CalendarState),
        last_sync=part.moment("last_sync"),
        linked=part.number("linked"),
        pending_out=part.number("pending_out"),
        pending_in=part.number("pending_in"),
        conflicts=part.number("conflicts"),
        blocked=part.number("blocked"),
        held=_held(part.part("held")),
    )


def _held(part: _Part | None) -> Held | None:
    if part is None:
        return None
    return Held(
        reason=part.text("reason"),
        creates=part.number("creates"),
        updates=part.number("updates"),
        deletes=part.number("deletes"),
        mails=part.number("mails"),
        id=part.text("id"),
        message=part.text("message"),
    )


def _problem(part: _Part) -> Problem:
    return Problem(
        code=part.text("code"),
        message=part.text("message"),
        cure=part.text("cure"),
        since=part.moment("since"),
        file=part.maybe_text("file"),
        calendar=part.maybe_text("calendar"),
        account=part.maybe_text("account"),
        line=part.maybe_number("line"),
        column=part.maybe_number("column"),
        needs_user=part.flag("needs_user", default=True),
    )


def _conflict(part: _Part) -> OpenConflict:
    return OpenConflict(
        file=part.text("file"),
        calendar=part.text("calendar"),
        field=part.text("field"),
        file_value=part.maybe_text("file_value"),
        calendar_value=part.maybe_text("calendar_value"),
        chosen=part.maybe_text("chosen"),
        since=part.moment("since"),
        private=part.flag("private", default=False),
    )
