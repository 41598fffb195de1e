"""Files that were removed and whose events still stand: what can be put back of them, and what holds them."""

from __future__ import annotations

import json
from collections.abc import Collection

from daemon.app import App
from daemon.core.errors import UsageError
from daemon.core.plan import Hold
from daemon.journal.copies import Removed
from daemon.journal.rows import FileRow, HoldRow

_LEAST = 4  # letters of a hold's id


def removed_files(app: App, given: str, meant: Collection[str]) -> list[tuple[str, Removed]]:
    """Uid and last state of the removed files under one of these paths, or of all those in the hold that is named."""
    hold = hold_named(app, given)
    paths = {str(row["file"]) for row in json.loads(hold.actions) if row["action"] == "delete"} if hold else set(meant)
    with app.journal.turn():
        gone = [row for row in app.journal.files.put_off() if row.missing is not None and row.path in paths and row.uid]
        return [(row.uid, _last_state(app, row)) for row in gone]


def _last_state(app: App, row: FileRow) -> Removed:
    return Removed(row.path, row.activity, app.journal.copies.of(row.id))


def hold_named(app: App, given: str) -> HoldRow | None:
    """The hold with this id, or with one that begins so."""
    with app.journal.turn():
        rows = app.journal.holds.rows()
    return next((row for row in rows if len(given) >= _LEAST and row.id.startswith(given)), None)


def no_conflict(hold: HoldRow) -> UsageError:
    """A hold was taken for a conflict: what it is, and the ways out of it."""
    actions = json.loads(hold.actions)
    why = next((str(row["why"]) for row in actions if row.get("why")), "")
    ways = [f"`datebook approve {hold.id}` lets it go, as `datebook plan` shows it."]
    kinds = {str(row["action"]) for row in actions} if hold.reason in {Hold.BRAKE, Hold.DIRECTION} else set()
    if "delete" in kinds:
        ways.append(f"`datebook restore {hold.id}` puts the removed files back, and the events stay.")
    if "trash" in kinds:
        ways.append("To keep the files, edit them (an edit wins over a removal), or make the events again.")
    if "update" in kinds:
        ways.append("To refuse an edit, take it back where it was made.")
    said = f": {why}" if why else "."
    return UsageError(f"{hold.id} is a plan that is held, not a conflict{said}", what_to_do="\n".join(ways))
