"""Keeps what waits for its user's word: each reason on each route is one hold with an id to approve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from daemon.core.plan import Hold
from daemon.engine.report import action_rows
from daemon.engine.unit import Unit
from daemon.journal import Journal
from daemon.journal.memory import encode_actions
from daemon.journal.rows import HoldRow


def keep_holds(journal: Journal, route: str, units: Sequence[Unit], now: datetime) -> None:
    """Replace the holds of a route by those of this plan."""
    rows = [_row(route, hold, held, now) for hold in Hold if (held := _held(units, hold))]
    with journal.turn():
        journal.holds.replace(route, rows)


def _held(units: Sequence[Unit], hold: Hold) -> list[Unit]:
    return [unit for unit in units if unit.decision.hold is hold]


def _row(route: str, hold: Hold, units: Sequence[Unit], now: datetime) -> HoldRow:
    return HoldRow(
        hold_id(route, hold, units), route, hold.value, encode_actions(_actions(route, units)), now.timestamp()
    )


def hold_id(route: str, hold: Hold, units: Sequence[Unit]) -> str:
    """Six letters that name exactly these actions on exactly these versions."""
    text = "\n".join([route, hold.value, *sorted(unit.signature for unit in units)])
    return blake2b(text.encode(), digest_size=3).hexdigest()


def _actions(route: str, units: Sequence[Unit]) -> list[dict[str, object]]:
    return [
        {**row, "signature": unit.signature, "why": unit.decision.verdict.reason}
        for unit in units
        for row in action_rows(route, unit)
    ]
