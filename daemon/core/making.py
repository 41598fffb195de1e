"""The event that is to stand for a file: what it shows, what is agreed on once it is made, whom that mails."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from daemon.core import verdicts
from daemon.core.fields import effective
from daemon.core.gates import MailGate, mail_gate
from daemon.core.instances import REPEAT
from daemon.core.merge import apply_patch
from daemon.core.model import Field, Key, View, everyone_on
from daemon.core.plan import CreateEvent, Verdict
from daemon.core.policy import GuestMail
from daemon.core.projection import Outgoing, outgoing
from daemon.core.situation import EventNow, FileNow, Situation, others
from daemon.core.store import Seen

_ICS = ".ics"
_SHOWN_BY_DEFAULT = (Field.TYPE, Field.BUSY)  # what every event that Datebook makes says, whatever its file says


@dataclass(frozen=True, slots=True)
class Made:
    """The step that makes the event, and the gate before it."""

    step: CreateEvent
    gate: MailGate


def make_event(
    file: FileNow, situation: Situation, reason: str, *, guests: bool, like: Seen | None = None
) -> Made | Verdict:
    """The event for a file, with its guests or without; or why the calendar can't hold it.

    `like` is the event whose place it takes, as it was last read: what the file has no word for is as there.
    """
    out = project(file, None, situation)
    sent = {**_beyond(file, like, situation), **_defaults(file.activity.view, situation), **out.view}
    if refusal := situation.refuses(sent):
        return verdicts.blocked("not_held", refusal, "Simplify the rule, or name another calendar.")
    if not guests:
        sent = {key: value for key, value in sent.items() if key.field is not Field.ATTENDEES}
    people = others(everyone_on(sent), situation.own)
    gate = mail_gate(people, situation, unmailed=people)  # all of them are added
    view = apply_patch(sent, out.overlay)
    absent = left_out(file.activity.view, sent, situation.own)
    if absent:
        why = "guests: never" if situation.route.guests is GuestMail.NEVER else "a first import mails nobody"
        reason = f"{reason}, without its guests ({why})"
    agrees = out.agreed(file.activity.view, sent)
    raw = like.raw if like else b""
    return Made(CreateEvent(view, agrees, out.overlay, reason, gate.mails, absent, like=raw), gate)


def left_out(file: View, event: View, own: frozenset[str]) -> tuple[str, ...]:
    """The addresses of those whom a file names and the event does not have, sorted."""
    there = {guest.email for guest in everyone_on(event)}
    return tuple(mail for mail in others(everyone_on(file), own) if mail not in there)


def project(file: FileNow, event: EventNow | None, situation: Situation) -> Outgoing:
    """What of a file goes out on this route."""
    guests = event.activity.guests if event else frozenset()
    capabilities = situation.capabilities
    return outgoing(
        file.activity,
        route=situation.route,
        holds=capabilities.holds,
        max_reminders=capabilities.max_reminders,
        creating=event is None,
        guests_on_event=bool(others(guests, situation.own)),
        may_send_guests=situation.route.guests is not GuestMail.NEVER
        or capabilities.suppresses_mail
        or capabilities.silences_added,
        now=situation.now,
        zone=situation.zone,
        own_addresses=situation.own,
        more_dates=event is not None and REPEAT in event.activity.frozen,
    )


def words_missing(file: FileNow) -> Collection[Field]:
    """The fields that the form of this file has no word for."""
    return () if file.ref.id.lower().endswith(_ICS) else (Field.CATEGORIES,)


def _beyond(file: FileNow, like: Seen | None, situation: Situation) -> View:
    """What the event that a new one takes the place of says in fields that the form of the file has no word for."""
    if like is None:
        return {}
    names = {name for name in words_missing(file) if name in situation.capabilities.holds}
    return {key: value for key, value in like.activity.view.items() if key.field in names and key.instance is None}


def _defaults(view: View, situation: Situation) -> View:
    shown = {}
    for name in _SHOWN_BY_DEFAULT:
        key = Key(name)
        value = effective(view, key)
        if value is not None and name in situation.capabilities.holds:
            shown[key] = value
    return shown
