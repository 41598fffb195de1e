"""The gate before a write that may mail somebody: nobody gets a mail that its user did not order."""

from __future__ import annotations

from collections.abc import Collection
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


def mail_gate(people: tuple[str, ...], situation: Situation, unmailed: Collection[str] = ()) -> MailGate:
    """The gate for a write to an event on which these people are.

    `unmailed` are those of them whom the event orders to leave alone, or does after this write.
    """
    if not people:
        return MailGate()
    match situation.route.guests:
        case GuestMail.NEVER:
            return MailGate() if _mails_nobody(people, situation, unmailed) else MailGate(verdicts.GUESTS_NEVER)
        case GuestMail.ASK:
            return MailGate(verdicts.HELD_MAIL, Hold.MAIL, people)
        case GuestMail.SEND:
            return MailGate(mails=people)


def _mails_nobody(people: tuple[str, ...], situation: Situation, unmailed: Collection[str]) -> bool:
    """Whether it is proven that this service mails none of them."""
    can = situation.capabilities
    return can.suppresses_mail or (can.silences_added and set(people) <= set(unmailed))
