"""What Graph's errors mean for us: one table of error codes, one of HTTP statuses, as data.

A code says more than the status that it came with. What is in neither table is about the one item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from adapters.net.retry_after import retry_after
from adapters.outlook.outlook_refusals import REASONS
from daemon.core.errors import (
    CursorExpired,
    Forbidden,
    Full,
    Missing,
    NotFound,
    Refused,
    SignInNeeded,
    StoreError,
    Unavailable,
    VersionMismatch,
)


class Asked(Enum):
    """What a request was about: it decides what a 403 and a 404 mean."""

    ITEM = "item"
    CALENDAR = "calendar"
    FEED = "feed"


class Meaning(Enum):
    """What an answer asks of us."""

    LATER = "the service is not up to it now"
    SLOWER = "it answers, and asks us to slow down"
    CHANGED = "the item is another version than we said"
    GONE = "that very id does not exist"
    UNCLEAR = "something is not there, perhaps all of it: a gateway, a wrong address, a mailbox that moves"
    NO_MAILBOX = "there is no mailbox that Graph can reach"
    CURSOR = "the place in the change feed is no longer known"
    NO_RIGHT = "a right or a scope is missing"
    SIGN_IN = "the token is not taken"
    FULL = "there is no room"
    REFUSED = "this one item will not be accepted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Graph answered to one request, alone or inside of a batch; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was done; a redirect of what changes something is not."""
        return 200 <= self.status < 300  # noqa: PLR2004  what HTTP calls a success

    @property
    def code(self) -> str:
        """The code of its error; "" where it names none."""
        error = self.body.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        return code if isinstance(code, str) else ""


_CODES: Mapping[Meaning, str] = {
    Meaning.LATER: """
        ErrorInternalServerError ErrorInternalServerTransientError ErrorTimeoutExpired ErrorConnectionFailed
        ErrorMailboxStoreUnavailable ErrorMailboxMoveInProgress ErrorMailboxFailover ErrorADUnavailable
        serviceNotAvailable generalException UnknownError""",
    Meaning.SLOWER: """
        ApplicationThrottled MailboxConcurrency TooManyRequests activityLimitReached
        ErrorServerBusy ErrorExceededConnectionCount ErrorTooManyObjectsOpened""",
    Meaning.CHANGED: """
        ErrorIrresolvableConflict ErrorInvalidChangeKey ErrorStaleObject ErrorChangeKeyRequiredForWriteOperations
        PreconditionFailed ErrorOccurrenceNotFound ErrorCalendarOccurrenceIsDeletedFromRecurrence""",
    Meaning.GONE: "ErrorItemNotFound ErrorNonExistentItem ErrorObjectNotFound ErrorCalendarCannotUpdateDeletedItem",
    Meaning.NO_MAILBOX: """
        MailboxNotEnabledForRESTAPI MailboxNotSupportedForRESTAPI MailboxNotFound ErrorNonExistentMailbox
        RESTAPINotEnabledForComponentSharedMailbox OrganizationFromTenantGuidNotFound ErrorInvalidUser""",
    Meaning.CURSOR: """
        SyncStateNotFound syncStateNotFound SyncStateInvalid syncStateInvalid resyncRequired
        ErrorInvalidSyncStateData InvalidDeltaToken""",
    Meaning.NO_RIGHT: """
        ErrorAccessDenied accessDenied AccessDenied Authorization_RequestDenied Forbidden ErrorCannotDeleteObject
        ErrorCreateItemAccessDenied""",
    Meaning.SIGN_IN: "InvalidAuthenticationToken unauthenticated AuthenticationError TokenNotFound",
    Meaning.FULL: "ErrorQuotaExceeded ErrorMailboxQuotaExceeded quotaLimitReached",
}
CODES: Mapping[str, Meaning] = {code: meaning for meaning, codes in _CODES.items() for code in codes.split()}

STATUS: Mapping[int, Meaning] = {
    401: Meaning.SIGN_IN,
    402: Meaning.NO_RIGHT,
    403: Meaning.NO_RIGHT,
    404: Meaning.UNCLEAR,
    407: Meaning.SIGN_IN,
    408: Meaning.LATER,
    409: Meaning.CHANGED,
    410: Meaning.UNCLEAR,
    412: Meaning.CHANGED,
    423: Meaning.LATER,
    424: Meaning.LATER,
    425: Meaning.LATER,
    429: Meaning.SLOWER,
    503: Meaning.SLOWER,
    507: Meaning.FULL,
    509: Meaning.SLOWER,
}

SIGN_IN = "Run `datebook connect` for this account and sign in again."
SCOPE = (
    "The sign-in needs the delegated permission Calendars.ReadWrite: run `datebook connect` again; if Microsoft asks "
    "for an administrator, let one consent to the app for your organisation."
)
NO_EDIT = "Ask the owner of the calendar for the right to edit it, or set `direction: from-calendar`."
ON_PREMISES = (
    "Sign in with an account that has a mailbox in Microsoft 365; for one on your own server use service: exchange."
)
CALENDAR = "The calendar was removed: see `datebook calendars`, and change `calendar:` in the config."


def meaning_of(answer: Answer) -> Meaning:
    """What an answer means."""
    by_code = CODES.get(answer.code)
    # "UnknownError" and its like are said of anything; there the status knows better.
    if by_code is not None and not (by_code is Meaning.LATER and answer.status in STATUS):
        return by_code
    late = answer.status >= 500 or answer.status < 400  # noqa: PLR2004  the service's own errors, and what is none
    return STATUS.get(answer.status, Meaning.LATER if late else Meaning.REFUSED)


def says_what(answer: Answer) -> bool:
    """Whether its code tells what is wrong, whatever was asked for beside it."""
    return answer.code in CODES or answer.code in REASONS


def error_of(  # noqa: PLR0913  an answer, and what is needed to speak of it
    answer: Answer, *, asked: Asked, changing: bool, now: datetime, store: str, ref: str = ""
) -> StoreError:
    """The error that an answer stands for. `changing`: the request was to change something."""
    what = f"Microsoft 365 answered {answer.status}" + (
        f" {answer.code}" if answer.code.replace("_", "").isalnum() else ""
    )
    meaning = meaning_of(answer)
    match meaning:
        case Meaning.LATER | Meaning.SLOWER:
            return Unavailable(
                what,
                store=store,
                ref=ref,
                after=wait_of(answer, now),
                throttled=meaning is Meaning.SLOWER,
                # A service that failed in the middle may have done it; one that refused to begin has not.
                uncertain=changing and answer.status >= 500 and answer.status != 503,  # noqa: PLR2004  as said
            )
        case Meaning.CHANGED:
            return VersionMismatch(what, store=store, ref=ref)
        case Meaning.CURSOR:
            return CursorExpired(what, store=store)
        case Meaning.FULL:
            return Full(what, store=store, ref=ref)
        case Meaning.REFUSED:
            if asked is Asked.FEED:
                return CursorExpired(what, store=store)
            reason = REASONS.get(answer.code, what)
            return Refused(what, reason=reason, store=store, ref=ref)
    return _about_what(meaning, what, asked, store, ref)


def _about_what(meaning: Meaning, what: str, asked: Asked, store: str, ref: str) -> StoreError:
    if meaning is Meaning.GONE and asked is Asked.ITEM:
        return NotFound(what, store=store, ref=ref)
    if meaning in {Meaning.GONE, Meaning.UNCLEAR} and asked is Asked.FEED:
        return CursorExpired(what, store=store)
    if meaning is Meaning.UNCLEAR:
        words = f"{what}, which does not say what is not there"
        return Unavailable(words, store=store, ref=ref, uncertain=False)
    if meaning is Meaning.GONE:
        return Missing(f"{what}: the calendar is not there", what_to_do=CALENDAR, store=store)
    if meaning is Meaning.NO_MAILBOX:
        return Missing(f"{what}: there is no mailbox in the cloud", what_to_do=ON_PREMISES, store=store)
    if meaning is Meaning.SIGN_IN:
        return SignInNeeded(f"{what}: the token is not taken", what_to_do=SIGN_IN, store=store)
    cure = NO_EDIT if asked is Asked.ITEM else SCOPE
    return Forbidden(f"{what}: a right or permission is missing", what_to_do=cure, store=store, ref=ref)


def wait_of(answer: Answer, now: datetime) -> timedelta | None:
    """How long the answer asks us to wait (Retry-After); None: it does not say."""
    return retry_after(answer.headers, now)
