"""Lays the status out for a person: what is well in one line each, what needs somebody with its cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from daemon.cli.screen import Ink, Screen, age, counted, day_and_time, plain, shortened
from daemon.status import (
    AccountState,
    AccountStatus,
    CalendarState,
    CalendarStatus,
    Health,
    Held,
    OpenConflict,
    Problem,
    Status,
    StoreStatus,
    Trouble,
)

HOLDS: Mapping[str, str] = {
    "first_import": "they were there before the calendar was connected (backlog: ask)",
    "rebuild": "the journal was lost, and they are on one side only",
    "brake": "more deletions or mass edits at once than the brake lets through",
    "mail": "they would mail guests (guests: ask)",
    "direction": "one side was removed while the direction kept the other from following",
    "taken_back": "the server looks restored from a backup: what came later is missing there",
    "private": "the mode of private events was changed",
}
_MOST = 12  # of a kind of trouble; the rest is counted
_VALUE = 48  # columns of a value of a conflict
_HEADS = {
    Health.OK: ("ok", "everything is in step", Ink.GOOD),
    Health.SYNCING: ("syncing", "changes are on their way", Ink.GOOD),
    Health.ATTENTION: ("attention", "something needs you", Ink.WARN),
    Health.STOPPED: ("stopped", "", Ink.BAD),
    Health.FAILED: ("failed", "the daemon ended with an error; its log says why", Ink.BAD),
}
_FINE: frozenset[str] = frozenset({AccountState.OK, CalendarState.OK, CalendarState.SYNCING, CalendarState.WAITING})


def held_words(reason: str, message: str) -> str:
    """Why a plan is held: of the brake in figures, of all else what it is about."""
    if reason == "brake" and message:
        return message.rstrip(".")
    return HOLDS.get(reason, message.rstrip(".") or reason)


def show(screen: Screen, status: Status, trouble: str, now: datetime) -> None:
    """Show the whole status; `trouble` is what is wrong with the daemon itself, "" when it is well."""
    word, meaning, ink = ("not running", "", Ink.BAD) if trouble else _HEADS[status.state]
    said = f"  {meaning}" if meaning else ""
    screen.line(f"{screen.ink('Datebook', Ink.STRONG)} {status.version}  {screen.ink(word, ink)}{said}")
    since = day_and_time(status.started, now.astimezone(status.started.tzinfo))
    screen.line(screen.ink(f"since {since}, process {status.pid}, written {age(status.updated, now)}", Ink.FAINT))
    if trouble:
        screen.line(screen.ink(trouble, Ink.BAD))
    screen.line()
    if status.store.path:  # a config that can't be read names no store
        _store(screen, status.store)
    _accounts(screen, status, now)
    _calendars(screen, status, now)
    _holds(screen, status)
    _problems(screen, "Needs you", [one for one in status.problems if one.needs_user], now)
    _conflicts(screen, status.conflicts, now)
    _problems(screen, "Good to know", [one for one in status.problems if not one.needs_user], now)


def _store(screen: Screen, store: StoreStatus) -> None:
    counts = [counted(store.activities, "activity", "activities")]
    if store.unscheduled:
        counts.append(f"{store.unscheduled:,} unscheduled")
    if store.broken:
        counts.append(screen.ink(f"{store.broken:,} broken", Ink.BAD))
    screen.line(f"store  {screen.ink(plain(_home(store.path)), Ink.STRONG)}  {', '.join(counts)}")
    if store.missing:
        _trouble(screen, store.missing)


def _home(path: str) -> str:
    home = str(Path.home())
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def _accounts(screen: Screen, status: Status, now: datetime) -> None:
    if not status.accounts:
        return
    rows = [("account", "state", "last success", "")]
    rows += [
        (plain(name), _account_state(account), age(account.last_success, now), _outlook(account, now))
        for name, account in status.accounts.items()
    ]
    screen.line()
    _state_table(screen, rows, [account.state for account in status.accounts.values()])
    for name, account in status.accounts.items():
        if account.error:
            screen.line(f"{screen.ink(plain(name), Ink.STRONG)}: {plain(account.error.message)}")
            _cure(screen, account.error.cure)


def _account_state(account: AccountStatus) -> str:
    return "disconnected" if account.is_disconnected else account.state.replace("_", " ")


def _outlook(account: AccountStatus, now: datetime) -> str:
    if account.next_try and account.state is not AccountState.OK:
        return f"next try {age(account.next_try, now)}" if account.next_try > now else "trying again"
    return f"token ends {age(account.token_expires, now)}" if account.token_expires else ""


def _calendars(screen: Screen, status: Status, now: datetime) -> None:
    if not status.calendars:
        return
    rows: list[tuple[str, ...]] = [
        ("calendar", "state", "account", "direction", "last sync", "linked", "waiting", "trouble")
    ]
    rows += [_calendar(name, calendar, now) for name, calendar in status.calendars.items()]
    screen.line()
    _state_table(screen, rows, [calendar.state for calendar in status.calendars.values()])


def _calendar(name: str, one: CalendarStatus, now: datetime) -> tuple[str, ...]:
    waiting = [
        f"{one.pending_out:,} out" if one.pending_out else "",
        f"{one.pending_in:,} in" if one.pending_in else "",
    ]
    trouble = [
        counted(one.conflicts, "conflict") if one.conflicts else "",
        f"{one.blocked:,} blocked" if one.blocked else "",
    ]
    last = age(one.last_sync, now)
    # Before the first sync nothing has been decided: not all that is there has to move.
    most = "up to " if one.last_sync is None and any(waiting) else ""
    words = (most + " ".join(filter(None, waiting)) or "-", " ".join(filter(None, trouble)) or "-")
    return plain(name), str(one.state), plain(one.account), one.direction, last, f"{one.linked:,}", *words


def _state_table(screen: Screen, rows: Sequence[Sequence[str]], states: Iterable[str]) -> None:
    inks = [[Ink.FAINT] * len(rows[0])]
    for state in states:
        ink = Ink.GOOD if state in _FINE else Ink.BAD if state in {"signed_out", "stopped"} else Ink.WARN
        inks.append([Ink.STRONG, ink, *[Ink.PLAIN] * (len(rows[0]) - 2)])
    screen.table(rows, inks)


def _holds(screen: Screen, status: Status) -> None:
    holds = [(name, one.held) for name, one in status.calendars.items() if one.held]
    if not holds:
        return
    _head(screen, "Held until you approve")
    for name, held in holds:
        why = plain(held_words(held.reason, held.message))
        screen.line(f"  {screen.ink(plain(name), Ink.STRONG)}: {why} ({_amounts(held)})")
        mail = " --mail" if held.mails else ""
        _cure(
            screen, f"`datebook plan` shows it; `datebook approve{f' {held.id}' if held.id else ''}{mail}` lets it go"
        )


def _amounts(held: Held) -> str:
    amounts = {"create": held.creates, "update": held.updates, "deletion": held.deletes, "mail": held.mails}
    return ", ".join(counted(amount, what) for what, amount in amounts.items() if amount) or "nothing"


def _problems(screen: Screen, head: str, problems: Sequence[Problem], now: datetime) -> None:
    if not problems:
        return
    _head(screen, head)
    for one in problems[:_MOST]:
        since = screen.ink(f"  ({age(one.since, now)})", Ink.FAINT) if one.since else ""
        screen.line(f"  {screen.ink(_where(one), Ink.STRONG)}: {plain(one.message)}{since}")
        _cure(screen, one.cure)
    if len(problems) > _MOST:
        screen.line(f"  and {len(problems) - _MOST:,} more: `datebook status --json` has all of them")


def _where(one: Problem) -> str:
    if one.file is None:
        return plain(f"calendar {one.calendar}" if one.calendar else f"account {one.account}")
    return ":".join(plain(str(part)) for part in (one.file, one.line, one.column) if part is not None)


def _conflicts(screen: Screen, conflicts: Sequence[OpenConflict], now: datetime) -> None:
    for head, some in (
        ("Conflicts: both sides changed the same thing", [one for one in conflicts if one.chosen is None]),
        ("Settled conflicts", [one for one in conflicts if one.chosen is not None]),
    ):
        if some:
            _head(screen, head)
        for one in some[:_MOST]:
            _conflict(screen, one, now)
        if len(some) > _MOST:
            screen.line(f"  and {len(some) - _MOST:,} more: `datebook conflicts` has all of them")


def _conflict(screen: Screen, one: OpenConflict, now: datetime) -> None:
    screen.line(f"  {screen.ink(plain(one.file), Ink.STRONG)}: {one.field}  ({age(one.since, now)})")
    for side, value in (("file", one.file_value), ("calendar", one.calendar_value)):
        kept = " (kept)" if one.chosen == side else ""
        screen.line(f"      {side:<8}  {_value(value)}{kept}")
    if one.chosen is None:
        _cure(screen, f"datebook resolve {plain(one.file)} --keep file|calendar")


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else shortened(plain(value), _VALUE)


def _head(screen: Screen, text: str) -> None:
    screen.line()
    screen.line(screen.ink(text, Ink.STRONG))


def _trouble(screen: Screen, trouble: Trouble) -> None:
    screen.line(f"  {screen.ink(plain(trouble.message), Ink.BAD)}")
    _cure(screen, trouble.cure)


def _cure(screen: Screen, cure: str) -> None:
    if cure:
        screen.line(f"      -> {plain(cure)}")
