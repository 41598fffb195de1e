"""The gate before a write that may mail somebody: nobody gets a mail that its user did not order."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.core import verdicts
from daemon.core.plan import Hold, Verdict
from daemon.core.policy import GuestMail
from daemon.core.situation import Situation


@dataclass(frozen=True, slots=True)
class MailGate:
    """Whether a write is refused (a verdict), held for a word (both), or may go; and whom it then mails.

    A write that mails nobody is sent with the order to mail nobody.
    """

    verdict: Verdict | None = None
    hold: Hold | None = None
    mails: tuple[str, ...] = ()


def mail_gate(people: tuple[str, ...], situation: Situation) -> MailGate:
    """The gate for a write to an event on which these people are."""
    if not people:
        return MailGate()
    match situation.route.guests:
        case GuestMail.NEVER:
            return MailGate() if situation.capabilities.suppresses_mail else MailGate(verdicts.GUESTS_NEVER)
        case GuestMail.ASK:
            return MailGate(verdicts.HELD_MAIL, Hold.MAIL, people)
        case GuestMail.SEND:
            return MailGate(mails=people)
