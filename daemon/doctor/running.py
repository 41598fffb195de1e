"""The daemon and its service: whether it runs, starts by itself, and sees the secrets that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from config.places import Places
from config.schema import Config, SecretSource
from daemon.core.errors import DatebookError, UsageError
from daemon.core.store import Finding
from daemon.installing.systemctl import Systemctl, UnitState, lingers
from daemon.installing.unit_files import USER_UNIT
from daemon.lock import holder


def of_daemon(places: Places) -> Iterator[Finding]:
    """Whether a daemon holds the state folder."""
    pid = holder(places.lock)
    if pid is None:
        cure = "Start it: datebook service install, or datebook run"
        yield Finding("daemon", ok=False, message="no daemon runs: nothing is kept in step", cure=cure)
    else:
        yield Finding("daemon", ok=True, message=f"the daemon runs as process {pid}")


def of_service(config: Config, places: Places, env: Mapping[str, str]) -> Iterator[Finding]:
    """The unit: installed, enabled, up to date, and running without a login."""
    systemctl = Systemctl(user=True, env=env)
    try:
        systemctl.check()
        state = systemctl.show(USER_UNIT)
    except UsageError as error:
        message = f"the service was not tested: {str(error).rstrip('.')}"
        yield Finding("service", ok=True, message=message, cure=error.what_to_do, checked=False)
        return
    except DatebookError as error:
        yield Finding("service", ok=False, message=str(error), cure="See: systemctl --user status")
        return
    if not state.installed:
        if _is_of_the_system(places, env):
            yield Finding("service", ok=True, message="systemd runs it as a service of the machine")
        else:
            message = "it does not start by itself: no service is installed"
            yield Finding("service", ok=False, message=message, cure="datebook service install")
        return
    yield _unit(state)
    yield from _lingering(env)
    yield from _secrets(config)


def _is_of_the_system(places: Places, env: Mapping[str, str]) -> bool:
    pid = holder(places.lock)
    with suppress(DatebookError):
        unit = f"datebook@{places.state.name}.service"
        return pid is not None and Systemctl(user=False, env=env).show(unit).pid == pid
    return False


def _unit(state: UnitState) -> Finding:
    if state.active == "failed":
        cure = f"Its log says why: journalctl --user -u {USER_UNIT} -n 50"
        return Finding("service", ok=False, message=f"the service has failed ({state.result})", cure=cure)
    if state.enabled != "enabled" or not state.runs:
        message = f"the service is {state.active} and {state.enabled or 'not enabled'}"
        return Finding("service", ok=False, message=message, cure="datebook service install")
    if state.stale:
        message = "the unit on disk is newer than the one that runs"
        return Finding("service", ok=False, message=message, cure="datebook service install")
    again = f", started again {state.restarts} times" if state.restarts else ""
    return Finding("service", ok=True, message=f"the service runs{again}")


def _lingering(env: Mapping[str, str]) -> Iterator[Finding]:
    match lingers(env):
        case True:
            yield Finding("lingering", ok=True, message="it runs also when you are not logged in")
        case False:
            cure = "To have it run always: loginctl enable-linger"
            yield Finding("lingering", ok=False, message="it ends with your last login", cure=cure)
        case None:
            return


def _secrets(config: Config) -> Iterator[Finding]:
    for name, account in config.accounts.items():
        for ref in (account.password, account.token):
            if ref is not None and ref.source is SecretSource.ENV:
                message = f"the secret of {name} is in ${ref.value}, which a service does not see"
                yield Finding("secret", ok=False, message=message, cure="Use command, keyring, file or credential.")
