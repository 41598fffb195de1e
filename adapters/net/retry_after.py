"""How long a service asks us to wait: the Retry-After header (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_AT_MOST = timedelta(days=7)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> timedelta | None:
    """Seconds, or a date by the server's own clock, else by ours; None when it says nothing that can be read.

    The headers' names are in lower case.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return timedelta(seconds=min(int(text), _AT_MOST.total_seconds()))
    until, theirs = _moment(text), _moment(headers.get("date", "")) or now
    if until is None or theirs is None:
        return None
    return min(max(until - theirs, timedelta()), _AT_MOST)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
