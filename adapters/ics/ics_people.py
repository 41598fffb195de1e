"""Guests as ATTENDEE and ORGANIZER lines, read and written: those who did not change stay byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.ics.content_lines import Component, Line, ending_of, line, quoted_param
from adapters.ics.ics_lines import add, drop, put, remove, with_params
from adapters.ics.ics_properties import Properties
from daemon.core.model import Answer, Guest

_ANSWERS = {answer.value.upper(): answer for answer in Answer}


def address_of(line: Line) -> str:
    """The lower-cased mail address of an ATTENDEE or ORGANIZER; "" where it has none."""
    return _address(*line.parts())


def _address(params: Mapping[str, str], value: str) -> str:
    value = value.strip()
    address = value[7:] if value[:7].lower() == "mailto:" else params.get("EMAIL", "") or value
    address = address.strip().lower()
    return address if "@" in address and "/" not in address else ""


def guest_of(line: Line, organizer: str) -> Guest | None:
    """The guest that an ATTENDEE or ORGANIZER line names; None: it has no mail address."""
    params, value = line.parts()
    email = _address(params, value)
    if not email:
        return None
    name = " ".join(params.get("CN", "").split())
    return Guest(
        email,
        "" if name.lower() in {email, f"mailto:{email}"} else name,
        optional=params.get("ROLE", "").upper() in {"OPT-PARTICIPANT", "NON-PARTICIPANT"},
        answer=_ANSWERS.get(params.get("PARTSTAT", "").upper(), Answer.NEEDS_ACTION),
        organizer=email == organizer,
    )


def guests_of(properties: Properties) -> frozenset[Guest] | None:
    """Everybody on an event, by address; None: nobody is."""
    if b"ATTENDEE" not in properties and b"ORGANIZER" not in properties:
        return None
    organizers = properties.get(b"ORGANIZER", ())
    organizer = address_of(organizers[0]) if organizers else ""
    guests: dict[str, Guest] = {}
    for each in (*properties.get(b"ATTENDEE", ()), *organizers[:1]):
        guest = guest_of(each, organizer)
        if guest:
            guests.setdefault(guest.email, guest)
    return frozenset(guests.values()) or None


def unmailed(components: Iterable[Component]) -> frozenset[str]:
    """Those whom a server mails about nothing: every line of theirs says CLIENT (RFC 6638 section 7.1).

    NONE should do the same, and is not what `doctor --write-test` proves of a server: it does not count.
    """
    silent: set[str] = set()
    mailed: set[str] = set()
    for each in (one for component in components for one in component.lines(b"ATTENDEE")):
        agent = each.parts()[0].get("SCHEDULE-AGENT", "SERVER").upper()
        (silent if agent == "CLIENT" else mailed).add(address_of(each))
    return frozenset(silent - mailed - {""})


def put_guests(component: Component, wanted: frozenset[Guest], *, agent: str = "") -> None:
    """Make the guests of an event these.

    An organiser stays while any guest does, whoever asks otherwise: services refuse an event whose
    organiser changes. `agent` is put on guests that are added here, as SCHEDULE-AGENT.
    """
    if not wanted:
        drop(component, b"ATTENDEE", b"ORGANIZER")
        return
    by_address = {guest.email: guest for guest in sorted(wanted, key=lambda guest: guest.email)}
    organizer = _put_organizer(component, next((guest for guest in by_address.values() if guest.organizer), None))
    _put_attendees(component, by_address, organizer, agent)


def _put_organizer(component: Component, wanted: Guest | None) -> str:
    """The address of the organiser that the event has then."""
    existing = component.first(b"ORGANIZER")
    if wanted is None:
        return address_of(existing) if existing else ""
    if existing is not None and address_of(existing) == wanted.email:
        known = guest_of(existing, wanted.email)
        if known and known.name != wanted.name and not _attendee_of(component, wanted.email):
            _rewrite(component, existing, {"CN": quoted_param(wanted.name) if wanted.name else None})
        return wanted.email
    named = f";CN={quoted_param(wanted.name)}" if wanted.name else ""
    put(component, "ORGANIZER", f"ORGANIZER{named}:mailto:{wanted.email}")
    return wanted.email


def _attendee_of(component: Component, email: str) -> Line | None:
    return next((each for each in component.lines(b"ATTENDEE") if address_of(each) == email), None)


def _put_attendees(component: Component, wanted: dict[str, Guest], organizer: str, agent: str) -> None:
    present: set[str] = set()
    last: Line | None = None
    for each in list(component.lines(b"ATTENDEE")):
        email = address_of(each)
        if email and email not in wanted and email != organizer:
            remove(component, [each])
            continue
        last = each
        if email in wanted and email not in present:
            last = _update(component, each, wanted[email], organizer)
        present.add(email)
    for email, guest in wanted.items():
        if email in present or (guest.organizer and guest == Guest(email, guest.name, organizer=True)):
            continue
        fresh = line(_attendee(guest, agent), ending_of(component))
        add(component, fresh, last)
        last = fresh


def _update(component: Component, existing: Line, wanted: Guest, organizer: str) -> Line:
    known = guest_of(existing, organizer)
    changed: dict[str, str | None] = {}
    if known is None:
        return existing
    if known.name != wanted.name:
        changed["CN"] = quoted_param(wanted.name) if wanted.name else None
    if known.optional != wanted.optional:
        changed["ROLE"] = _role(wanted)
    if known.answer is not wanted.answer:
        changed["PARTSTAT"] = wanted.answer.value.upper()
    return _rewrite(component, existing, changed) if changed else existing


def _rewrite(component: Component, existing: Line, changed: dict[str, str | None]) -> Line:
    fresh = line(f"{with_params(existing.head, changed)}:{existing.value}", ending_of(component))
    component.body[component.body.index(existing)] = fresh
    return fresh


def _role(guest: Guest) -> str:
    return "OPT-PARTICIPANT" if guest.optional else "REQ-PARTICIPANT"


def _attendee(guest: Guest, agent: str) -> str:
    params = [f"CN={quoted_param(guest.name)}"] if guest.name else []
    params += [f"PARTSTAT={guest.answer.value.upper()}", f"ROLE={_role(guest)}"]
    if guest.answer in {Answer.NEEDS_ACTION, Answer.TENTATIVE, Answer.ACCEPTED} and not guest.organizer:
        params.append("RSVP=TRUE")
    if agent:
        params.append(f"SCHEDULE-AGENT={agent}")
    return f"ATTENDEE;{';'.join(params)}:mailto:{guest.email}"
