"""How long a service asks us to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from adapters.net.retry_after import retry_after

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        ("Tue, 24 Nov 2026 09:00:30 GMT", timedelta(seconds=30)),
        ("Mon, 23 Nov 2026 09:00:30 GMT", timedelta()),
        ("99999999999", timedelta(days=7)),
        ("Fri, 24 Nov 2056 09:00:00 GMT", timedelta(days=7)),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, after: timedelta | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == after


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        (
            {"retry-after": "Mon, 23 Nov 2026 10:01:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"},
            timedelta(minutes=1),
        ),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"}, timedelta()),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:00 GMT", "date": "today"}, None),
        ({}, None),
    ],
)
def test_a_date_counts_by_the_clock_of_who_set_it(headers: Mapping[str, str], after: timedelta | None) -> None:
    assert retry_after(headers) == after
