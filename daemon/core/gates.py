"""The gate before a write that may mail somebody: nobody gets a mail that its user did not order."""

from __future__ import annotations

from daemon.core import verdicts
from daemon.core.plan import Hold, Verdict
from daemon.core.policy import GuestMail
from daemon.core.setting import Setting


def mail_gate(mails: tuple[str, ...], setting: Setting) -> tuple[Verdict | None, Hold | None]:
    """Whether a write that may mail these people is refused (a verdict), held (both), or may go (neither)."""
    if not mails or setting.capabilities.suppresses_mail:
        return None, None
    match setting.route.guests:
        case GuestMail.NEVER:
            return verdicts.GUESTS_NEVER, None
        case GuestMail.ASK:
            return verdicts.HELD_MAIL, Hold.MAIL
        case GuestMail.SEND:
            return None, None
