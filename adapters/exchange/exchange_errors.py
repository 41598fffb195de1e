"""What Exchange's errors mean for us: one table of response codes, one of HTTP statuses, as data.

Codes are those of messages.xsd, ResponseCodeType. What is not in the table is about the one item.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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


class Meaning(Enum):
    """What an error asks of us."""

    LATER = "the server or its database is not up to it now"
    SLOWER = "it answers, and asks us to slow down"
    CHANGED = "the item is another version than we said"
    GONE = "that very id does not exist"
    NO_FOLDER = "the calendar or the mailbox is not there"
    CURSOR = "the sync state is no longer known"
    NO_RIGHT = "the user may not do that"
    SIGN_IN = "the login is not taken"
    FULL = "there is no room"


_CODES: Mapping[Meaning, str] = {
    Meaning.LATER: """
        ErrorInternalServerError ErrorInternalServerTransientError ErrorTimeoutExpired ErrorConnectionFailed
        ErrorMailboxStoreUnavailable ErrorMailboxMoveInProgress ErrorMailboxFailover ErrorADUnavailable
        ErrorADOperation ErrorNotEnoughMemory ErrorInsufficientResources ErrorClientDisconnected
        ErrorNoRespondingCASInDestinationSite ErrorCASError ErrorDataSourceOperation ErrorSubmissionQuotaExceeded
        ErrorInvalidSchemaVersionForMailboxVersion ErrorInvalidServerVersion ErrorIncorrectSchemaVersion""",
    Meaning.SLOWER: """
        ErrorServerBusy ErrorTooManyObjectsOpened ErrorExceededConnectionCount ErrorBatchProcessingStopped
        ErrorMessageTrackingTransientError ErrorExceededFindCountLimit""",
    Meaning.CHANGED: """
        ErrorIrresolvableConflict ErrorInvalidChangeKey ErrorStaleObject ErrorChangeKeyRequired
        ErrorChangeKeyRequiredForWriteOperations ErrorCalendarOccurrenceIsDeletedFromRecurrence
        ErrorCalendarCannotUpdateDeletedItem
        ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange ErrorCalendarCannotUseIdForRecurringMasterId
        ErrorCalendarCannotUseIdForOccurrenceId""",
    Meaning.GONE: "ErrorItemNotFound",
    Meaning.NO_FOLDER: """
        ErrorFolderNotFound ErrorParentFolderNotFound ErrorSyncFolderNotFound ErrorNonExistentMailbox
        ErrorMissingInformationEmailAddress ErrorInvalidFolderId""",
    Meaning.CURSOR: "ErrorInvalidSyncStateData",
    Meaning.NO_RIGHT: """
        ErrorAccessDenied ErrorCreateItemAccessDenied ErrorImpersonateUserDenied ErrorImpersonationDenied
        ErrorAccessModeSpecified ErrorCannotDeleteObject ErrorCallerIsInvalidADAccount""",
    Meaning.SIGN_IN: """
        ErrorAccountDisabled ErrorPasswordExpired ErrorPasswordChangeRequired ErrorLogonFailed ErrorInvalidLogonType
        ErrorTokenSerializationDenied ErrorInvalidAuthorizationContext""",
    Meaning.FULL: "ErrorQuotaExceeded ErrorMailboxQuotaExceeded",
}
MEANINGS: Mapping[str, Meaning] = {code: meaning for meaning, codes in _CODES.items() for code in codes.split()}

OFF = (
    "EWS is switched off for this mailbox; for Exchange Online: service: microsoft365, "
    "else ask the administrator to allow EWS (EWSEnabled, EWSApplicationAccessPolicy)"
)
SIGN_IN = (
    "check the user name and the password source, then run `datebook connect`; "
    "with two-factor login some hosts need an app password"
)


def error_of(
    code: str, *, store: str, ref: str = "", back_off: timedelta | None = None, uncertain: bool = False
) -> StoreError:
    """The error that a response code means for the item `ref`."""
    said = f"Exchange says {code}"
    match MEANINGS.get(code):
        case Meaning.LATER:
            return Unavailable(said, store=store, ref=ref, after=back_off, uncertain=uncertain)
        case Meaning.SLOWER:
            return Unavailable(said, store=store, ref=ref, after=back_off, throttled=True, uncertain=False)
        case Meaning.CHANGED:
            return VersionMismatch(said, store=store, ref=ref)
        case Meaning.GONE:
            return NotFound(said, store=store, ref=ref)
        case Meaning.CURSOR:
            return CursorExpired(said, store=store)
        case Meaning.FULL:
            return Full(said, store=store, ref=ref)
        case Meaning.NO_FOLDER | Meaning.NO_RIGHT | Meaning.SIGN_IN as meaning:
            return _for_the_user(meaning, said, store, ref)
        case None:
            reason = REASONS.get(code, f"Exchange refuses it ({code})")
            return Refused(said, reason=reason, store=store, ref=ref)


def _for_the_user(meaning: Meaning, said: str, store: str, ref: str) -> StoreError:
    if meaning is Meaning.NO_FOLDER:
        cure = "choose another one (`datebook calendars`), or bring it back in Outlook"
        return Missing(f"{said}: the calendar is not there", what_to_do=cure, store=store)
    if meaning is Meaning.SIGN_IN:
        return SignInNeeded(said, what_to_do=SIGN_IN, store=store)
    cure = "ask the owner of the calendar for the right to edit it, or use direction: from-calendar"
    return Forbidden(said, what_to_do=cure, store=store, ref=ref)


def error_of_status(status: int, headers: Mapping[str, str], *, store: str) -> StoreError:
    """The error that an HTTP status means; header names in any case."""
    said = f"Exchange answers HTTP {status}"
    fields = {name.lower(): value for name, value in headers.items()}
    match status:
        case 401:
            return SignInNeeded(f"{said}: the login is not taken", what_to_do=SIGN_IN, store=store)
        case 403:
            return Forbidden(f"{said}: EWS is switched off for this mailbox", what_to_do=OFF, store=store)
        case 404:
            cure = "check `url`: it ends in /EWS/Exchange.asmx on most servers"
            return Missing(f"{said}: there is no EWS at this address", what_to_do=cure, store=store)
        case 301 | 302 | 307 | 308:
            cure = "put the address that the server names into `url`, if it is your server's"
            return Missing(f"{said}: EWS is at another address", what_to_do=cure, store=store)
        case 501:
            return Refused(said, reason="this server does not know such a request", store=store)
        case 507:
            return Full(said, store=store)
    throttled = status in {429, 503}
    return Unavailable(said, store=store, after=retry_after(fields), throttled=throttled, uncertain=status != 429)  # noqa: PLR2004  the status by its number
