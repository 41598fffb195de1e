"""`datebook service install | uninstall | status`: the systemd unit, written with the right paths."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.screen import Ink, plain
from daemon.cli.shell import Exit, Shell
from daemon.core.errors import UsageError

if TYPE_CHECKING:
    from config.places import Places
    from config.schema import Config
    from daemon.cli.register import Commands
    from daemon.installing.service_unit import ServiceUnit
    from daemon.installing.systemctl import UnitState

_HELP = """\
Has systemd run Datebook: from your login on (or always, see below), started again when it fails.

  datebook service install             as a service of yours
  sudo datebook service install --system --user ann
                                       as a service of the machine, for the account ann, with the config
                                       /etc/datebook/ann/config.yaml and the state /var/lib/datebook/ann

Your own services end with your last login, unless you once give: loginctl enable-linger
"""
_INSTALL = "Writes the unit with the right paths, enables and starts it. Given again, it brings the unit up to date."
_UNINSTALL = "Stops and removes the unit. Config, state and files stay as they are."
_STATUS = """\
Shows how systemd sees the service, and what its status file says.

Exit codes: 0 it runs and all is well, 1 it does not run, 3 something needs you.
"""
_NO_NAMESPACE = 226  # EXIT_NAMESPACE of systemd.exec(5): the folders could not be set up as the unit wants them
_LESS_HARDENED = "This machine lets no user's service be fenced in: what needs user namespaces is left out of the unit."
_SYSTEM_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True, slots=True)
class _Target:
    """Which unit is meant, and the places of the daemon that it runs. `home`: of the account of a system unit."""

    unit: ServiceUnit
    places: Places
    home: Path | None = None


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = commands.add("service", _service, "have systemd run it", _HELP, json=True)
    command.add_argument("what", choices=("install", "uninstall", "status"), help=_WHAT)
    command.add_argument("--system", action="store_true", help="a service of the machine, not of your login")
    command.add_argument("--user", metavar="NAME", help="with --system: the account that it runs for")


_WHAT = "write, enable and start the unit; stop and remove it; or show how it is doing"


def _service(args: argparse.Namespace, shell: Shell) -> int:
    target = _target(args, shell)
    target.unit.systemctl.check()
    if args.what == "install":
        return _install(target, args, shell)
    if args.what == "uninstall":
        return _uninstall(target, args, shell)
    return _status(target, args, shell)


def _target(args: argparse.Namespace, shell: Shell) -> _Target:
    from config.places import Places
    from daemon.installing.service_unit import ServiceUnit
    from daemon.installing.systemctl import Systemctl
    from daemon.installing.unit_files import SYSTEM_UNIT, USER_UNIT

    if not args.system:
        if args.user:
            raise UsageError("--user is for system services.", what_to_do="Add --system, or leave it out.")
        folder = Path(shell.env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
        return _Target(ServiceUnit(Systemctl(user=True, env=shell.env), USER_UNIT, folder / USER_UNIT), shell.places)
    name, home = _account(args.user or shell.env.get("SUDO_USER", ""))
    if args.what != "status" and os.geteuid():
        raise UsageError("A system service is root's business.", what_to_do="Give the command with sudo.")
    systemctl = Systemctl(user=False, env=shell.env)
    unit = ServiceUnit(systemctl, f"datebook@{name}.service", _SYSTEM_UNITS / SYSTEM_UNIT, name)
    return _Target(unit, Places(Path("/etc/datebook", name, "config.yaml"), Path("/var/lib/datebook", name)), home)


def _account(name: str) -> tuple[str, Path]:
    import pwd

    if not name:
        raise UsageError("It is not said for which account it runs.", what_to_do="Add --user NAME.")
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"This machine has no account {name}.", what_to_do="Name another one: --user NAME") from None
    return found.pw_name, Path(found.pw_dir)


def _install(target: _Target, args: argparse.Namespace, shell: Shell) -> int:
    from config.load import load

    config = load(target.places.config, home=target.home)
    _refuse_beside_another(target)
    _make_store(target, config.store)
    hints = [*_env_hints(config), *_linger_hint(target, shell)]
    if target.unit.instance:
        written = _write_system(target, config)
        state = target.unit.start()
    else:
        from daemon.installing.systemctl import may_make_namespaces

        hardened = may_make_namespaces()
        written = _write_user(target, config, namespaces=hardened)
        state = target.unit.start()
        if hardened and state.exit_code == _NO_NAMESPACE:
            hardened, written = False, _write_user(target, config, namespaces=False)
            state = target.unit.start()
        hints += [] if hardened else [_LESS_HARDENED]
    if args.json:
        shell.json({**_as_json(state, target), "written": [str(path) for path in written], "hints": hints})
    else:
        for path in written:
            shell.out.line(f"wrote  {plain(str(path))}")
        _show_state(state, target, shell)
        for hint in hints:
            shell.out.line(f"      -> {plain(hint)}")
    return Exit.DONE if state.runs else Exit.FAILED if state.has_failed else Exit.NEEDS_USER


def _refuse_beside_another(target: _Target) -> None:
    """A daemon that was started by hand holds the state folder: the service would fail."""
    from daemon.lock import holder

    pid = holder(target.places.lock)
    if pid is not None and pid != target.unit.state().pid:
        raise UsageError(
            f"Datebook runs already, as process {pid}, outside of this service.",
            what_to_do=f"End it first: kill {pid}",
        )


def _make_store(target: _Target, store: Path) -> None:
    """A new store's folder: the service may write in it, and not beside it. One that was in use is never made."""
    import shutil

    if store.exists() or target.places.journal.exists():
        return
    try:
        store.mkdir(parents=True)
        if target.unit.instance:
            shutil.chown(store, target.unit.instance)
    except OSError as error:
        raise UsageError(f"{store} can't be made: {error.strerror}.", what_to_do="Make it yourself.") from error


def _write_user(target: _Target, config: Config, *, namespaces: bool) -> list[Path]:
    from config.places import make_state
    from daemon.installing.unit_files import USER_UNIT, UnitPaths, opened_place, shipped_unit, user_unit

    places = target.places
    make_state(places)  # ReadWritePaths= of a folder that is not there would leave it read-only
    places.config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = opened_place(config.store.absolute(), Path.home())
    paths = UnitPaths(_program(), opened, places.config.absolute(), places.state.absolute())
    text = user_unit(shipped_unit(USER_UNIT), paths, namespaces=namespaces)
    return [_put(target.unit.file, text)]


def _write_system(target: _Target, config: Config) -> list[Path]:
    from daemon.installing.unit_files import (
        SYSTEM_UNIT,
        UnitPaths,
        opened_place,
        shipped_unit,
        store_drop_in,
        system_unit,
    )

    opened = opened_place(config.store.absolute(), target.home or Path.home())
    text = system_unit(shipped_unit(SYSTEM_UNIT), UnitPaths(_program(), opened))
    return [_put(target.unit.file, text), _put(target.unit.drop_in, store_drop_in(opened))]


def _put(path: Path, text: str) -> Path:
    from config.edit import replace_file

    replace_file(path, text.encode(), expected=path.read_bytes() if path.exists() else None)
    path.chmod(0o644)
    return path


def _program() -> Path:
    """The `datebook` of this very environment. Raises UsageError where it was not installed as a command."""
    import sys

    program = Path(sys.executable).absolute().with_name("datebook")
    if not os.access(program, os.X_OK):
        raise UsageError(
            f"There is no command {program}.", what_to_do="Install Datebook with pipx or `uv tool`, or into a venv."
        )
    return program


def _env_hints(config: Config) -> list[str]:
    """A service does not see what the shell's profile exports."""
    from config.schema import SecretSource

    secrets = [(name, ref) for name, one in config.accounts.items() for ref in (one.password, one.token) if ref]
    return [
        f"The secret of {name} comes from ${ref.value}, which a service does not see: use `command:`, `keyring:`, "
        "`file:` or `credential:` for it."
        for name, ref in secrets
        if ref.source is SecretSource.ENV
    ]


def _linger_hint(target: _Target, shell: Shell) -> list[str]:
    from daemon.installing.systemctl import lingers

    if target.unit.instance or lingers(shell.env) is not False:
        return []
    return ["It ends with your last login. To have it run always, once: loginctl enable-linger"]


def _uninstall(target: _Target, args: argparse.Namespace, shell: Shell) -> int:
    was_there = target.unit.remove()
    if args.json:
        shell.json({"unit": target.unit.name, "removed": was_there})
    elif was_there:
        shell.out.line(f"{target.unit.name} is stopped and removed. Your config, its state and your files stay.")
    else:
        shell.out.line(f"{target.unit.name} was not installed.")
    return Exit.DONE


def _status(target: _Target, args: argparse.Namespace, shell: Shell) -> int:
    from daemon.status import Health
    from daemon.status.status_file import parse_status, read_text

    state = target.unit.state()
    text = None
    with suppress(PermissionError):  # only the account that it runs for, and root, may read that
        text = read_text(target.places.status)
    status = parse_status(text) if text else None
    if args.json:
        shell.json({**_as_json(state, target), "state": str(status.state) if status else None})
    else:
        _show_state(state, target, shell)
        if status is not None and state.runs:
            shell.out.line(f"state  {status.state}; `datebook status` says more")
        for hint in _linger_hint(target, shell) if state.installed else ():
            shell.out.line(f"      -> {plain(hint)}")
    if not state.runs:
        return Exit.FAILED
    return Exit.NEEDS_USER if status is not None and status.state is Health.ATTENTION else Exit.DONE


def _as_json(state: UnitState, target: _Target) -> dict[str, str | int | bool | None]:
    return {
        "unit": target.unit.name,
        "file": state.file or None,
        "installed": state.installed,
        "enabled": state.enabled == "enabled",
        "active": state.active,
        "sub": state.sub,
        "result": state.result,
        "status_text": state.status_text,
        "pid": state.pid or None,
        "restarts": state.restarts,
        "exit_code": state.exit_code,
    }


def _show_state(state: UnitState, target: _Target, shell: Shell) -> None:
    if not state.installed:
        shell.out.line(f"{target.unit.name} is not installed.")
        _cure(f"datebook service install{' --system' if target.unit.instance else ''}", shell)
        return
    ink = Ink.GOOD if state.runs else Ink.BAD if state.has_failed else Ink.WARN
    words = f"{state.active} ({state.sub})" + (f", process {state.pid}" if state.pid else "")
    shell.out.line(f"unit   {shell.out.ink(target.unit.name, Ink.STRONG)}  {shell.out.ink(words, ink)}")
    if state.status_text:
        shell.out.line(f"says   {plain(state.status_text)}")
    if state.restarts:
        shell.out.line(f"       started again {state.restarts} times since it was enabled")
    if state.enabled != "enabled":
        _cure(f"It does not start by itself: datebook service install  (it is {state.enabled or 'not enabled'})", shell)
    if state.stale:
        _cure("The unit on disk is newer than what runs: datebook service install", shell)
    if not state.runs:
        user = "" if target.unit.instance else "--user "
        _cure(f"Its log says why: journalctl {user}-u {target.unit.name} -n 50", shell)


def _cure(text: str, shell: Shell) -> None:
    shell.out.line(f"      -> {plain(text)}")
