"""The manual page, made from the command line itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from daemon.cli.parts import Option, Part, parts_of, whole_of
from daemon.cli.register import parser

_FILES = (
    ("config.yaml", "The config, in the user's config folder: --config FILE or $DATEBOOK_CONFIG names another."),
    ("status.json", "How everything is, in the state folder; $DATEBOOK_STATE or --state DIR names another one."),
    ("journal.db", "What both sides last agreed on, in the state folder. Never edit it."),
    (".datebook/", "The store's marker and trash, below the store. Never copy it to another store."),
)
_CODES = (
    ("0", "Done, and healthy."),
    ("1", "Failed."),
    ("2", "Wrong usage or config."),
    ("3", "Done, but something needs its user: a conflict, a held plan, a broken file, a blocked item."),
)
_SIGNALS = (
    ("SIGTERM, SIGINT", "Finishes the write in hand, settles the journal, and ends within ten seconds."),
    ("SIGHUP", "Reads the config again; a broken one keeps the old one, and the status says so."),
)


def manual() -> str:
    """The page, in the man(7) language."""
    whole = parser()
    return "\n".join(_lines(whole_of(whole), parts_of(whole))) + "\n"


def _lines(whole: Part, parts: tuple[Part, ...]) -> Iterator[str]:
    yield '.TH DATEBOOK 1 "" "Datebook" "User commands"'
    yield from (".SH NAME", r"datebook \- CRM activities as files, in step with your calendars")
    yield from (".SH SYNOPSIS", r".B datebook", r"[\-\-config FILE] [\-\-state DIR] COMMAND [OPTIONS]")
    yield from (".SH DESCRIPTION", *_text(whole.text))
    yield ".SH OPTIONS"
    yield from _options(whole.options)
    yield ".SH COMMANDS"
    for part in parts:
        yield f".SS {_plain(_usage(part))}"
        yield from _text(part.text)
        yield from _options(one for one in part.options if one.names[:1] not in {("-h",), ("--config",), ("--state",)})
    for head, rows in (("FILES", _FILES), ("SIGNALS", _SIGNALS), ("EXIT STATUS", _CODES)):
        yield f".SH {head}"
        for name, text in rows:
            yield from (".TP", f".B {_plain(name)}", _plain(text))


def _usage(part: Part) -> str:
    arguments = [_argument(option) for option in part.options if not option.names]
    return " ".join([part.name, *arguments])


def _argument(option: Option) -> str:
    text = f"{option.value}..." if option.repeats else option.value
    return f"[{text}]" if option.optional else text


def _options(options: Iterable[Option]) -> Iterator[str]:
    for one in options:
        shown = ", ".join(one.names) + (f" {one.value}" if one.names and one.value else "") if one.names else one.value
        yield from (".TP", f".B {_plain(shown)}", _plain(one.help) or r"\&")


def _text(text: str) -> Iterator[str]:
    """Paragraphs as they are; lines that are indented are examples."""
    indented = False
    for line in text.strip().splitlines():
        if line.startswith(" ") != indented:
            indented = not indented
            yield ".nf" if indented else ".fi"
        yield _plain(line) if line.strip() else ".PP"
    if indented:
        yield ".fi"


def _plain(text: str) -> str:
    """A text that man takes as it stands (man(7): a dot or quote at the start of a line is a command)."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
