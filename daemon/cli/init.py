"""`datebook init`: makes the store, its marker and the config."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.asking import ask, ask_yes
from daemon.cli.screen import Ink, plain
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from daemon.cli.register import Commands

_HELP = """\
Makes the folder of your activities with its marker, and a config that you can edit.

Asks what it needs to know; options answer beforehand, and --yes takes the default for the rest.
Nothing that is there already is overwritten: given again, it makes what is missing, and where its options
differ from the config it says so and changes nothing.
"""
_MAIL = re.compile(r"[^\s@<>,;:]+@[^\s@<>,;:]+")
SCHEMA_NAME = "activity.schema.json"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a new config says."""

    store: Path
    owner: str
    timezone: str
    shared: bool


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("init", _init, "make the store and the config", _HELP)
    command.add_argument("--store", metavar="DIR", help="the folder of your activities")
    command.add_argument("--owner", metavar="MAIL", help="your mail address: whose activities these are")
    command.add_argument("--timezone", metavar="ZONE", help="such as Europe/Helsinki; default: this machine's")
    command.add_argument("--shared", action="store_true", help="several people see this folder")
    command.add_argument("--yes", action="store_true", help="ask nothing, take the defaults")


def _init(args: argparse.Namespace, shell: Shell) -> int:
    from config.places import make_state

    made: list[str] = []
    existed = shell.places.config.exists()
    wishes = _agreed(args, shell) if existed else _wishes(args, shell)
    if existed and shell.places.journal.exists() and not (wishes.store / ".datebook").exists():
        raise UsageError(
            f"The store {wishes.store} was in use, and its marker is missing.",
            what_to_do="If a disk or share belongs there, mount it. For a new store take another --config and --state.",
        )
    if not existed and shell.places.journal.exists():
        _part_from_old_store(wishes.store, shell, made)
    _make_folder(wishes.store, made)
    shared = _mark(wishes, made)
    _help_editors(wishes.store, made)
    if not existed:
        _write_config(replace(wishes, shared=shared), shell, made)
    make_state(shell.places)
    _report(made, wishes.store, shell)
    return Exit.DONE


def _part_from_old_store(store: Path, shell: Shell, made: list[str]) -> None:
    """Where the state folder remembers a store that is gone, put that memory aside; nothing of it is deleted.

    Raises UsageError while that store, or a daemon that keeps it, is there.
    """
    from daemon.journal.examine import bound_to
    from daemon.lock import AlreadyRunning, holder
    from daemon.status.status_file import last_status

    journal = shell.places.journal
    known, _ = bound_to(journal)
    if known is None or _store_at(store) == known:
        return
    if (pid := holder(shell.places.lock)) is not None:
        raise AlreadyRunning(shell.places.state, pid)
    last = last_status(shell.places.status)
    if last is not None and last.store.path and _store_at(Path(last.store.path)) == known:
        raise UsageError(
            f"The state folder {shell.places.state} remembers another store, which is there: {last.store.path}.",
            what_to_do=f"Take that one up again with --store {last.store.path}, or take another --state for a new one.",
        )
    aside = journal.with_name(f"{journal.name}.of-{known}")
    for suffix in ("", "-wal", "-shm"):
        part = journal.with_name(journal.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    made.append(f"{aside} (what was remembered of a store that is not there any more)")


def _store_at(store: Path) -> str | None:
    """The id of the store at a path; None: there is none."""
    from adapters.folder.atomic_files import Directories
    from adapters.folder.file_marker import read_marker

    if not (store / ".datebook").is_dir():
        return None
    with Directories(store) as folder:
        marker = read_marker(folder)
    return marker.store_id if marker else None


def _agreed(args: argparse.Namespace, shell: Shell) -> Wishes:
    """What the config that is there already says, if that is what is meant."""
    from config.zone import system_zone

    config = shell.config()
    zone = config.timezone or system_zone(shell.env)
    differing = [
        f"{key}: {said or 'nothing'}"
        for key, said, differs in (
            ("store", str(config.store), args.store and _folder(args.store) != config.store.absolute()),
            ("owner", config.owner, args.owner and args.owner.casefold() != config.owner.casefold()),
            ("timezone", zone, args.timezone and args.timezone != zone),
            ("shared", "false", args.shared and not config.shared),
        )
        if differs
    ]
    if differing:
        raise UsageError(
            f"{shell.places.config} is there already, and says {', '.join(differing)}.",
            what_to_do="Edit it, or make another one with --config FILE and --state DIR.",
        )
    return Wishes(config.store, config.owner, zone, config.shared)


def _wishes(args: argparse.Namespace, shell: Shell) -> Wishes:
    from config.zone import system_zone

    asking = shell.interactive and not args.yes
    if not asking and not args.yes and not args.store:
        raise UsageError("Nobody is there to ask.", what_to_do="datebook init --store DIR --owner MAIL --yes")
    for fault in (args.owner and _wrong_owner(args.owner), args.timezone and _wrong_zone(args.timezone)):
        if fault:
            raise UsageError(fault, what_to_do="Give the command again.")
    store, owner, zone, shared = args.store, args.owner, args.timezone, args.shared
    if asking:
        store = store or ask(shell, "Folder of your activities", "~/Datebook")
        owner = owner or ask(shell, "Your mail address", shell.env.get("EMAIL", ""), _wrong_owner)
        zone = zone or ask(shell, "Your time zone", system_zone(shell.env), _wrong_zone)
        shared = shared or ask_yes(shell, "Do other people see this folder", default=False)
    return Wishes(_folder(store or "~/Datebook"), owner or "", zone or system_zone(shell.env), shared)


def _folder(given: str) -> Path:
    return Path(given).expanduser().absolute()


def _wrong_owner(said: str) -> str:
    return "" if _MAIL.fullmatch(said) else "That is no mail address."


def _wrong_zone(said: str) -> str:
    from config.zone import is_zone, nearest_zone

    if is_zone(said):
        return ""
    near = nearest_zone(said)
    return f"There is no time zone `{said}`." + (f" Did you mean `{near}`?" if near else "")


def _mark(wishes: Wishes, made: list[str]) -> bool:
    """Make the store's marker where there is none yet; whether the store is shared."""
    from uuid import uuid4

    from adapters.folder.atomic_files import Directories
    from adapters.folder.file_marker import make_marker, read_marker
    from daemon.core.store import Marker

    with Directories(wishes.store) as folder:
        marker = read_marker(folder)
    if marker is None:
        marker = Marker(str(uuid4()), wishes.timezone, wishes.shared)
        make_marker(wishes.store, marker)
        made.append(f"{wishes.store / '.datebook'} (the store's marker)")
    return marker.shared


def _make_folder(store: Path, made: list[str]) -> None:
    try:
        if not store.exists():
            store.mkdir(parents=True)
            made.append(f"{store} (your activities)")
        elif not store.is_dir():
            raise UsageError(f"{store} is no folder.", what_to_do="Name another one with --store DIR.")
    except OSError as error:
        raise UsageError(
            f"{store} can't be made: {error.strerror}.", what_to_do="Name another one with --store DIR."
        ) from error


def _help_editors(store: Path, made: list[str]) -> None:
    """Give editors the schema of activity files; what its user has set there already stays."""
    from config.places import shipped

    schema, here = shipped(SCHEMA_NAME), store / ".datebook" / SCHEMA_NAME
    if schema.exists() and (not here.exists() or here.read_bytes() != schema.read_bytes()):
        here.write_bytes(schema.read_bytes())
    settings = store / ".vscode" / "settings.json"
    if not settings.exists():
        settings.parent.mkdir(exist_ok=True)
        hint = {"yaml.schemas": {f"./.datebook/{SCHEMA_NAME}": ["*.yaml", "*.yml"]}}
        settings.write_text(json.dumps(hint, indent=2) + "\n", "utf-8")
        made.append(f"{settings} (editors that read it complete and check the keys)")


def _write_config(wishes: Wishes, shell: Shell, made: list[str]) -> None:
    from config.edit import quoted, replace_file
    from config.load import parse_config

    home = str(Path.home())
    store = str(wishes.store)
    store = "~" + store[len(home) :] if store.startswith(home + "/") else store
    owner = f"owner: {quoted(wishes.owner)}" if wishes.owner else "# owner: me@example.com"
    shared = "true " if wishes.shared else "false"
    text = f"""\
# Datebook's config. `datebook connect NAME` adds an account and its calendar here.
store: {quoted(store)}
{owner}
timezone: {quoted(wishes.timezone)}
shared: {shared}    # true: several people see this folder
types: [call, meeting, task, deadline, email, lunch]
"""
    data = text.encode()
    parse_config(data, shell.places.config)
    replace_file(shell.places.config, data, expected=None)
    made.append(f"{shell.places.config} (the config)")


def _report(made: list[str], store: Path, shell: Shell) -> None:
    for thing in made:
        shell.out.line(f"made  {plain(thing)}")
    if not made:
        shell.out.line(f"Everything is there already: {plain(str(store))}")
    shell.out.line()
    shell.out.line(shell.out.ink("Next", Ink.STRONG))
    shell.out.table(
        [
            ("datebook connect NAME", "sign in to a calendar; NAME is yours to choose"),
            ('datebook new call "Call Anna"', "write an activity"),
            ("datebook run", "keep both in step"),
        ],
        indent="  ",
    )
