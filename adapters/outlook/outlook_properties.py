"""Our own named properties on an Outlook item: the same over EWS and Graph, so that a moved mailbox keeps its links.

The values are strings. Copying an item in Outlook copies them too.
"""

from __future__ import annotations

# PS named property set of our own: no other program writes there.
PROPERTY_SET = "b2c4f9a6-5d1e-4c83-9f27-6e0a7d3b8c15"

UID = "datebook-uid"  # the activity's uid
TOKEN = "datebook-token"  # noqa: S105  names the attempt that made the item; no secret
EXTRA = "datebook-extra"  # JSON object: what we wrote and the service has no word for (a zone's name, a rule's text)
PENDING = "datebook-pending"  # JSON object: instances of a series that are still to be put back

NAMES = (UID, TOKEN, EXTRA, PENDING)


def graph_id(name: str) -> str:
    """How Graph addresses the property: the id of a singleValueExtendedProperty."""
    return f"String {{{PROPERTY_SET}}} Name {name}"
