"""Names and UIDs at Google: a resource is called after its UID, and the UID of a deleted event may be spent.

Where Google does not take the UID of an event that was deleted there, the event gets another one that says
whose it is: `UID.datebook-2`. It is read back as `UID`, so that the file keeps its own, and a journal that
was lost finds the pair again.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from adapters.dav.caldav_href import to_id

_REPLACED = re.compile(r"(.+)\.datebook-[23]", re.DOTALL)
_REPLACEMENTS = (2, 3)


def resource_name(uid: str) -> str:
    """The name that Google itself gives to the resource of a UID, as part of an id."""
    return to_id(f"/{quote(uid, safe='')}.ics")[1:]


def replacements(uid: str) -> tuple[str, ...]:
    """The UIDs that may stand for a spent one, in the order in which they are tried."""
    return tuple(f"{uid}.datebook-{number}" for number in _REPLACEMENTS)


def original(uid: str) -> str:
    """The UID that an event's UID stands for: mostly itself."""
    found = _REPLACED.fullmatch(uid)
    return found.group(1) if found else uid
