"""`doctor`, the part that needs the daemon's secrets: tests accounts as the daemon would use them."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.app import App
from daemon.control import Progress, ProgressSink, Reply
from daemon.core.errors import UsageError
from daemon.core.store import Finding
from daemon.doctor.accounts import of_account
from daemon.status import Json


def doctor(app: App, args: Mapping[str, Json], progress: ProgressSink) -> Reply:
    """Test one account, or all of them."""
    wanted = str(args.get("account") or "")
    if wanted and wanted not in app.config.accounts:
        raise UsageError(f"The config has no account `{wanted}`.", what_to_do="See `accounts:` in the config.")
    names = [wanted] if wanted else list(app.config.accounts)
    found: dict[str, Json] = {}
    for number, name in enumerate(names):
        progress(Progress(f"testing {name}", number, len(names)))
        tests = of_account(
            name,
            app.config,
            app.places,
            zone=app.engine.around.zone,
            clock=app.clock,
            write_test=bool(args.get("write_test")),
            guest=str(args.get("guest") or ""),
        )
        found[name] = [as_json(one) for one in tests]
    return Reply(0, {"accounts": found})


def as_json(finding: Finding) -> Json:
    """A finding for a program."""
    return {
        "code": finding.code,
        "ok": finding.ok,
        "checked": finding.checked,
        "message": finding.message,
        "cure": finding.cure,
    }
