"""Sets structlog up: key=value for people on a terminal, JSON under systemd, and no private text in either.

That no title, address or secret is logged is the duty of whoever logs; the processor here is the second
lock on that door. What libraries log is reduced to who spoke and how loud: python-caldav, for one, logs
whole events.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from pathlib import PurePath
from typing import TextIO

REDACTED = "[redacted]"

# Keys whose values are somebody's words, address or secret; compared without `_` and `-`.
_PRIVATE = re.compile(
    "subject|title|summary|(public)?description|notes?|body|text|content|location|raw|ics|yaml"
    "|e?mail|address|owner|user(name)?|attendees?|guests?|participants|organizer|person|displayname"
    "|password|passwd|(client)?secret|(access|refresh|id)?token|bearer|auth(orization)?|(set)?cookies?|headers"
    "|url|href|filevalue|calendarvalue"
)
_SECRETS = re.compile(
    r"(?P<login>(?<=://)[^/\s@]+@)"
    r"|(?P<scheme>(?i:\b(?:bearer|basic|negotiate|ntlm)\s+)[\w.~+/=-]{6,})"
    r"|(?P<query>(?i:(?<=[?&;])(?:access_token|token|key|code|sig|password)=)[^&\s]+)"
    r"|(?P<mail>[^\s@<>\"'(),;:/=\[\]]+@[\w-]+(?:\.[\w-]+)+)"
)
# journald's priorities (sd-daemon(3)); it takes them from the start of a line.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PLAIN = re.compile(r"[\w./:+@%-]+")

Event = MutableMapping[str, object]
Clock = Callable[[], datetime]


def under_systemd(env: Mapping[str, str], stream: TextIO) -> bool:
    """Whether the stream is journald's (JOURNAL_STREAM names its device and inode)."""
    try:
        info = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return env.get("JOURNAL_STREAM", "") == f"{info.st_dev}:{info.st_ino}"


def set_up_logs(stream: TextIO, *, journal: bool, clock: Clock, level: str = "info") -> None:
    """Send every log event of the program, and of the libraries, to the stream. Once, before the first event."""
    import structlog  # noqa: PLC0415  0.1 s that no quick command need spend

    render = _journal_line if journal else _Terminal(clock)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _place_of_failure,
            redact,
            lambda _logger, _name, event: render(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level, logging.INFO)),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)


def redact(_logger: object, _name: str, event: Event) -> Event:
    """The event without anybody's words, addresses or secrets."""
    return {key: _clean(key, value) for key, value in event.items()}


def _place_of_failure(_logger: object, _name: str, event: Event) -> Event:
    """Where an exception came from, in place of its text, which may hold somebody's words."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"  {PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
        event["exception"] = "\n".join([type(error).__name__, *places])
    return event


def redacted(text: str) -> str:
    """A text without logins, tokens and mail addresses."""
    return _SECRETS.sub(lambda found: f"{_kept(found)}{REDACTED}{'@' if found['login'] else ''}", text)


def _kept(found: re.Match[str]) -> str:
    if found["scheme"]:
        return found["scheme"].split()[0] + " "
    return found["query"].partition("=")[0] + "=" if found["query"] else ""


def _clean(key: str, value: object) -> object:
    if _PRIVATE.fullmatch(re.sub(r"[_-]", "", key).casefold()):
        return REDACTED
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(inner): _clean(str(inner), each) for inner, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean("", each) for each in value]
        case bytes() | bytearray() | memoryview():
            return f"[{len(value)} bytes]"
        case _:
            return redacted(str(value))


def _journal_line(event: Event) -> str:
    level = str(event.get("level", "info"))
    return f"<{_PRIORITIES.get(level, 6)}>{json.dumps(event, ensure_ascii=True, default=str)}"


class _Terminal:
    """`09:30:00 info    file changed  calendar=work count=3`, control characters shown as escapes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, event: Event) -> str:
        level, said, trace = str(event.pop("level", "info")), event.pop("event", ""), event.pop("exception", None)
        pairs = " ".join(f"{key}={_word(value)}" for key, value in event.items())
        line = f"{self._clock():%H:%M:%S} {level:<7} {_printable(str(said))}"
        shown = f"{line}  {pairs}" if pairs else line
        return shown if trace is None else f"{shown}\n{_lines(str(trace))}"


def _word(value: object) -> str:
    text = "yes" if value is True else "no" if value is False else "-" if value is None else str(value)
    return text if _PLAIN.fullmatch(text) else f'"{_printable(text)}"'


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _lines(text: str) -> str:
    return "\n".join(_printable(line) for line in text.splitlines())


class _Libraries(logging.Handler):
    """What a library logs: its name, the level and the place in its code, never its words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on. Its message may hold a whole event, so it is left out."""
        import structlog  # noqa: PLC0415  loaded already

        log = structlog.get_logger()
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say("library", library=record.name, where=f"{record.filename}:{record.lineno}")


def log_faults() -> None:
    """Send what no code has caught, in any thread, to the log as one event, without its words.

    A signal that ends the program (the watchdog's SIGABRT, too) first shows where each thread was.
    """
    import faulthandler  # noqa: PLC0415  with its one use
    import threading  # noqa: PLC0415  with its one use

    import structlog  # noqa: PLC0415  see `set_up_logs`

    log = structlog.get_logger()

    def of_thread(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is not None and fault.exc_type is not SystemExit:
            where = fault.thread.name if fault.thread else ""
            log.critical("fault", thread=where, exc_info=fault.exc_value)

    threading.excepthook = of_thread
    sys.excepthook = lambda _kind, error, _trace: log.critical("fault", exc_info=error)
    with suppress(OSError, ValueError):  # a stream that is no file
        faulthandler.enable(sys.stderr)
