"""Why Google refuses, where it says so in words of its own beside those of WebDAV.

Its CalDAV answers with JSON (`{"error": {"errors": [{"reason": ...}], "status": ...}}`), with GData XML
(`<errors><error><code>...`), or with `WWW-Authenticate: Bearer error="insufficient_scope"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from adapters.dav.caldav_errors import Meaning, Words

_GDATA = b"http://schemas.google.com/g/2005"
_GDATA_CODE = re.compile(rb"<(?:\w+:)?code>\s*([A-Za-z_]{1,60})\s*</")
_SCOPE = re.compile(r'error="?(insufficient_scope)')
_WORD = re.compile(r"[A-Za-z_]{1,60}")

_NO_API = (
    "Enable the CalDAV API (it is not the same as the Google Calendar API) for the project of your client id: Google "
    "Cloud console, APIs & Services, Library, CalDAV API, Enable. It takes some minutes."
)
_NO_SCOPE = "Run `datebook connect` again and leave the box for Google Calendar ticked."
_CURES: Mapping[str, str] = {
    "accessNotConfigured": _NO_API,
    "SERVICE_DISABLED": _NO_API,
    "insufficientPermissions": _NO_SCOPE,
    "insufficient_scope": _NO_SCOPE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _NO_SCOPE,
    "domainPolicy": "Ask the administrator of your Google Workspace to allow this app, or API access to Calendar.",
    "forbidden": "Ask the calendar's owner for the right to make changes, or set `direction: from-calendar`.",
}
# The rate limits of the Calendar API, which CalDAV shares.
_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})


def _reasons_in(body: bytes, headers: Mapping[str, str]) -> frozenset[str]:
    """The reasons in an answer; empty where it is none of Google's. Header names are in lower case."""
    challenge = _SCOPE.search(headers.get("www-authenticate", ""))
    if challenge:
        return frozenset({challenge.group(1)})
    if _GDATA in body:
        return frozenset(code.decode("ascii") for code in _GDATA_CODE.findall(body))
    if not body.lstrip().startswith(b"{"):
        return frozenset()
    try:
        error = json.loads(body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(_reasons(error)) if isinstance(error, dict) else frozenset()


def _reasons(error: Mapping[str, object]) -> Iterator[str]:
    for name in ("errors", "details"):
        entries = error.get(name)
        for entry in entries if isinstance(entries, list) else ():
            reason = entry.get("reason") if isinstance(entry, dict) else None
            if isinstance(reason, str) and _WORD.fullmatch(reason):
                yield reason


WORDS = Words(
    reasons=_reasons_in,
    meanings={
        **dict.fromkeys(_CURES, Meaning.FORBIDDEN),
        **dict.fromkeys(_LIMITS, Meaning.LATER),
        "authError": Meaning.SIGN_IN,
        "notFound": Meaning.MISSING,
        "backendError": Meaning.LATER,
        "invalid": Meaning.REFUSED,
    },
    limits=_LIMITS,
    cures=_CURES,
)
