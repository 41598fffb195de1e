"""The guests of an activity file: `Name <mail>`, or a map with what is known of one."""

from __future__ import annotations

from adapters.activity.activity_sheet import Sheet, is_blank
from adapters.activity.activity_values import BadValue, mail_of, name_and_mail, truth, word_of
from adapters.activity.yaml_tree import Listing, Node, Scalar, Table
from daemon.core.model import Answer, Guest


def guests_of_node(sheet: Sheet, node: Node) -> frozenset[Guest]:
    """Everyone whom `attendees` names; one guest counts as a list of one."""
    guests: dict[str, Guest] = {}
    for item in node.items if isinstance(node, Listing) else (node,):
        if is_blank(item):
            continue
        guest = guest_of_node(sheet, item)
        if guest is None:
            continue
        if guest.email in guests:
            sheet.note(item.start, "same_guest", "this address stands here twice; the first one counts", "Remove one.")
        guests.setdefault(guest.email, guest)
    return frozenset(guests.values())


def guest_of_node(sheet: Sheet, node: Node) -> Guest | None:
    """The guest that one item names; None where it names none, and then the sheet has the fault."""
    try:
        if isinstance(node, Scalar):
            name, email = name_and_mail(node.text)
            return Guest(email, name)
        if isinstance(node, Table):
            return _guest_of(sheet, node)
    except BadValue as error:
        sheet.bad("attendees", node, error)
        return None
    sheet.bad("attendees", node, BadValue("this is a list in a list", "Write `Name <mail>`."))
    return None


def _guest_of(sheet: Sheet, table: Table) -> Guest | None:
    said = {key.text: node for key, node in table.entries if not is_blank(node)}
    if "email" not in said:
        raise BadValue("a guest has no email", "Add `email: name@example.com`.")
    email = sheet.convert(said, "email", mail_of)
    answer = sheet.convert(said, "status", lambda text: word_of(text.replace("_", "-"), Answer))
    optional = sheet.convert(said, "optional", truth)
    organizer = sheet.convert(said, "is_organizer", truth)
    if email is None:
        return None
    return Guest(
        email, sheet.plain(said, "name"), bool(optional), answer or Answer.NEEDS_ACTION, organizer=bool(organizer)
    )
