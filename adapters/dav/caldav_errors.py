"""What an HTTP answer of a CalDAV server means: one table from status and precondition to an error.

Preconditions are those of RFC 4791 section 5.3.2.1, RFC 4918 section 16, RFC 6578 section 3.2,
RFC 3744 section 7.1.1 and RFC 6638 section 3.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from adapters.dav.caldav_href import to_id
from adapters.dav.caldav_xml import conditions_of, is_bare_error
from adapters.net.retry_after import retry_after
from adapters.net.transport import Response
from daemon.core.errors import (
    CursorExpired,
    Forbidden,
    Full,
    Missing,
    Refused,
    SignInNeeded,
    StoreError,
    Unavailable,
    VersionMismatch,
)


class Asked(Enum):
    """What a request was about: it decides what a 404 and a refusal mean."""

    ITEM = "item"
    CALENDAR = "calendar"


class Meaning(Enum):
    """What becomes of the answer."""

    SIGN_IN = "sign in"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    CHANGED = "changed"
    LATER = "later"
    FULL = "full"
    REFUSED = "refused"
    EXPIRED = "expired"


STATUS: dict[int, Meaning] = {
    400: Meaning.REFUSED,
    401: Meaning.SIGN_IN,
    402: Meaning.FORBIDDEN,
    403: Meaning.FORBIDDEN,
    404: Meaning.MISSING,
    405: Meaning.REFUSED,
    407: Meaning.SIGN_IN,
    408: Meaning.LATER,
    409: Meaning.CHANGED,
    410: Meaning.MISSING,
    411: Meaning.REFUSED,
    412: Meaning.CHANGED,
    413: Meaning.REFUSED,
    414: Meaning.REFUSED,
    415: Meaning.REFUSED,
    422: Meaning.REFUSED,
    423: Meaning.LATER,
    424: Meaning.LATER,
    425: Meaning.LATER,
    429: Meaning.LATER,
    431: Meaning.REFUSED,
    507: Meaning.FULL,
}

# A precondition says more than the status that it came with.
CONDITION: dict[str, Meaning] = {
    "need-privileges": Meaning.FORBIDDEN,
    "no-uid-conflict": Meaning.CHANGED,
    "valid-sync-token": Meaning.EXPIRED,
    "quota-not-exceeded": Meaning.FULL,
    "sufficient-disk-space": Meaning.FULL,
    "lock-token-submitted": Meaning.LATER,
    "no-conflicting-lock": Meaning.LATER,
    "valid-calendar-data": Meaning.REFUSED,
    "valid-calendar-object-resource": Meaning.REFUSED,
    "supported-calendar-data": Meaning.REFUSED,
    "supported-calendar-component": Meaning.REFUSED,
    "max-resource-size": Meaning.REFUSED,
    "min-date-time": Meaning.REFUSED,
    "max-date-time": Meaning.REFUSED,
    "max-instances": Meaning.REFUSED,
    "max-attendees-per-instance": Meaning.REFUSED,
    "valid-organizer": Meaning.REFUSED,
    "allowed-organizer-scheduling-object-change": Meaning.REFUSED,
    "allowed-attendee-scheduling-object-change": Meaning.REFUSED,
    "same-organizer-in-all-components": Meaning.REFUSED,
    "unique-scheduling-object-resource": Meaning.REFUSED,
}


def _no_reasons(_body: bytes, _headers: Mapping[str, str]) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Words:
    """What a server says in words of its own, beside the preconditions of the RFCs.

    `reasons` finds them in a body and its headers (names in lower case); `limits` are those of them that ask to slow
    down; `cures` say what to do about those that forbid.
    """

    reasons: Callable[[bytes, Mapping[str, str]], frozenset[str]] = _no_reasons
    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    limits: frozenset[str] = frozenset()
    cures: Mapping[str, str] = field(default_factory=dict)


PLAIN = Words()

_TOO_MANY, _UNAVAILABLE = 429, 503
_SERVER_ERROR = 500


def error_of(  # noqa: PLR0913  an answer, and what is needed to speak of it
    response: Response,
    *,
    asked: Asked,
    changing: bool,
    now: datetime,
    store: str,
    ref: str = "",
    words: Words = PLAIN,
) -> StoreError:
    """The error that an answer stands for. `changing`: the request was to change something."""
    conditions, hrefs = conditions_of(response.body)
    conditions |= words.reasons(response.body, response.headers)
    meaning = meaning_of(response.status, conditions, words)
    what = f"{_reason(response.status, conditions)} ({'the event' if asked is Asked.ITEM else 'the calendar'})"
    if response.status == 403 and not conditions and is_bare_error(response.body):  # noqa: PLR2004  the status by its number
        # Google's rate limit looks like this; whether it is one is for the caller to find out.
        return Unavailable(
            f"{what}: too many requests, or forbidden", store=store, ref=ref, throttled=True, uncertain=False
        )
    if meaning is Meaning.LATER:
        limited = bool(conditions & words.limits)
        return _later(response, what, now=now, store=store, ref=ref, changing=changing, limited=limited)
    if meaning is Meaning.FORBIDDEN and conditions & words.cures.keys():
        cure = next(words.cures[condition] for condition in sorted(conditions) if condition in words.cures)
        return Forbidden(what, what_to_do=cure, store=store, ref=ref)
    if meaning is Meaning.CHANGED and hrefs and "no-uid-conflict" in conditions:
        ref = to_id(hrefs[0], response.url)
    return _MAKE[meaning](what, store, ref)


def meaning_of(status: int, conditions: frozenset[str], words: Words = PLAIN) -> Meaning:
    """What a status with its preconditions means, said in the RFCs' words or in a server's own."""
    for condition in sorted(conditions):
        found = CONDITION.get(condition) or words.meanings.get(condition)
        if found is not None:
            return found
    return STATUS.get(status, Meaning.LATER)


def conditions_named(response: Response) -> bool:
    """Whether an answer names the precondition that failed, rather than If-Match or If-None-Match."""
    return bool(conditions_of(response.body)[0])


def _later(  # noqa: PLR0913  see error_of
    response: Response, what: str, *, now: datetime, store: str, ref: str, changing: bool, limited: bool
) -> Unavailable:
    # A server that failed in the middle may have stored what it was sent; one that refused to begin has not.
    uncertain = changing and (response.status >= _SERVER_ERROR or response.status < 400)  # noqa: PLR2004  the status by its number
    after = retry_after(response.headers, now)
    named = response.status == _UNAVAILABLE and after is not None  # a server that is down names no time
    return Unavailable(
        what,
        store=store,
        ref=ref,
        after=after,
        throttled=limited or named or response.status == _TOO_MANY,
        uncertain=uncertain,
    )


def _reason(status: int, conditions: frozenset[str]) -> str:
    named = ", ".join(sorted(conditions))
    return f"the server answered {status}" + (f": {named}" if named else "")


def _refused(what: str, store: str, ref: str) -> StoreError:
    return Refused(what, reason=what, store=store, ref=ref)


def no_right(what: str, store: str, ref: str) -> StoreError:
    """The account may not write to this calendar."""
    cure = "Ask the calendar's owner for the right to read and write it, or set `direction: from-calendar`."
    return Forbidden(what, what_to_do=cure, store=store, ref=ref)


def _missing(what: str, store: str, ref: str) -> StoreError:
    cure = "The calendar was removed or renamed: see `datebook calendars`, and change `calendar:` in the config."
    return Missing(what, what_to_do=cure, store=store, ref=ref)


def _sign_in(what: str, store: str, ref: str) -> StoreError:
    cure = "Check the user and password (some services want an app password), then run `datebook connect`."
    return SignInNeeded(what, what_to_do=cure, store=store, ref=ref)


def _changed(what: str, store: str, ref: str) -> StoreError:
    return VersionMismatch(what, store=store, ref=ref)


def _full(what: str, store: str, ref: str) -> StoreError:
    return Full(what, store=store, ref=ref)


def _expired(what: str, store: str, ref: str) -> StoreError:
    return CursorExpired(what, store=store, ref=ref)


_MAKE: dict[Meaning, Callable[[str, str, str], StoreError]] = {
    Meaning.SIGN_IN: _sign_in,
    Meaning.FORBIDDEN: no_right,
    Meaning.MISSING: _missing,
    Meaning.CHANGED: _changed,
    Meaning.FULL: _full,
    Meaning.REFUSED: _refused,
    Meaning.EXPIRED: _expired,
}
