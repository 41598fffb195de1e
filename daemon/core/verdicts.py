"""What a person is told about one activity: a code for scripts, the reason and the cure in plain words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from daemon.core.instances import every_original, strays
from daemon.core.model import Activity, Field, Key, Original, View
from daemon.core.plan import State, Verdict

SYNCED = Verdict(State.SYNCED, "synced", "The file and the calendar agree.")
UNSCHEDULED = Verdict(
    State.UNSCHEDULED, "unscheduled", "It has no due_date, so it is in no calendar.", "Add a due_date to sync it."
)
BROKEN = Verdict(
    State.BROKEN,
    "broken",
    "The file can't be read as it is now; its last good state stays in the calendar.",
    "Run `datebook check` and mend what it names.",
)
GONE = Verdict(State.IGNORED, "gone", "It is neither in the folder nor in the calendar any more.")
NOT_RECEIVED = Verdict(
    State.IGNORED,
    "direction",
    "Nothing comes in from this calendar (direction: to-calendar): its own events make no files.",
    "Set `direction: both` for this calendar to receive events.",
)
NOT_SENT = Verdict(
    State.IGNORED,
    "direction",
    "Nothing goes out to this calendar (direction: from-calendar): its events come in, files are not sent.",
    "Set `direction: both` for this calendar, or name another with `calendar:`.",
)
OVER = Verdict(
    State.IGNORED,
    "past",
    "It ended before the calendar was connected (since), so it is not synced.",
    "Move it into the future, or set `since: all` (or a date) for this calendar.",
)
EXISTED_BEFORE = Verdict(
    State.IGNORED,
    "existed_before",
    "It was there before the calendar was connected (backlog: skip).",
    "Edit it, or set `backlog: import` for this calendar.",
)
HELD_FIRST = Verdict(
    State.HELD,
    "first_import",
    "It was there before the calendar was connected and waits for your word (backlog: ask).",
    "Read `datebook plan`, then run `datebook approve`.",
)
HELD_LIKENESS = Verdict(
    State.HELD,
    "alike",
    "An event of the calendar has the same subject and time; it may be the same activity.",
    "Run `datebook approve` to link the two, or change the subject or time of one to keep both.",
)
HELD_REBUILD = Verdict(
    State.HELD,
    "rebuild",
    "The journal was lost, and this is on one side only; nothing is written before you say so.",
    "Read `datebook plan`, then run `datebook approve`.",
)
HELD_BRAKE = Verdict(
    State.HELD,
    "brake",
    "More deletions or mass edits came at once than the brake lets through.",
    "Read `datebook plan`; run `datebook approve` if they are meant, or put the items back "
    "(`datebook restore HOLD`: all removed files of it).",
)
HELD_MAIL = Verdict(
    State.HELD,
    "mail",
    "This change would mail the guests (guests: ask).",
    "Read `datebook plan`; run `datebook approve HOLD --mail` to send it.",
)
HELD_PRIVATE = Verdict(
    State.HELD,
    "private",
    "The mode of private events was changed; what it does to files that are there waits for your word.",
    "Read `datebook plan`, then run `datebook approve`.",
)
HELD_TAKEN_BACK = Verdict(
    State.HELD,
    "taken_back",
    "The calendar is as it was before, and all that came later is missing there: "
    "its server looks restored from a backup.",
    "`datebook resolve FILE --keep file` sends what the file says again (HOLD for FILE: of all that is held); "
    "`datebook approve` follows the calendar.",
)
GUESTS_NEVER = Verdict(
    State.READ_ONLY,
    "guests_never",
    "The event has guests and this service mails them at every change; `guests: never` forbids that. "
    "Your edit is kept in the file and not sent.",
    "Make the change in the calendar, or set `guests: ask` for this calendar.",
)
GUESTS_KEEP_EVENT = Verdict(
    State.READ_ONLY,
    GUESTS_NEVER.code,
    "The file was removed. Its event stays, because it has guests whom this service mails when it is deleted; "
    "`guests: never` forbids that.",
    "Put the file back (`datebook restore FILE`), delete the event in the calendar yourself, "
    "or set `guests: ask` for this calendar.",
)
GUESTS_KEEP_UNDATED = replace(
    GUESTS_KEEP_EVENT,
    reason=GUESTS_KEEP_EVENT.reason.replace("The file was removed.", "The file lost its date."),
    cure=GUESTS_KEEP_EVENT.cure.replace("Put the file back (`datebook restore FILE`)", "Put the date back"),
)
DONE_DELETED = Verdict(
    State.IGNORED,
    "done_deleted",
    "It is done, and done activities are taken out of this calendar (done_in_calendar: delete).",
    "Take `done` out to put it into the calendar again.",
)
MOVE_MAILS = Verdict(
    State.READ_ONLY,
    "move_mails",
    "The event has guests; taking it out of its calendar to move it would mail them.",
    "Take `calendar:` out of the file again, or move the meeting in the calendar.",
)
NOT_ORGANISER = Verdict(
    State.READ_ONLY,
    "not_organiser",
    "Somebody else organises this meeting; only the organiser's account may change it. "
    "Your edit is kept in the file and not sent.",
    "Ask the organiser to change it.",
)
MASKED = Verdict(
    State.READ_ONLY,
    "masked",
    "This stands for a private event of which only the times are shown (private_events: busy).",
    "Change it in the calendar, or set `private_events: full`.",
)
CONFLICT = Verdict(
    State.CONFLICT,
    "conflict",
    "Both sides changed the same field to different values.",
    "Run `datebook conflicts`, then `datebook resolve FILE --keep file|calendar`.",
)
ONE_WAY = Verdict(
    State.CONFLICT,
    "one_way",
    "The side that only receives was edited; nothing was overwritten.",
    "Run `datebook conflicts`, then `datebook resolve FILE --keep file|calendar`.",
)
REMEMBERED = Verdict(
    State.IGNORED,
    "unlinked",
    "Its event was deleted or unlinked, and it is not made again.",
    "Move it to a new date in the future to put it into the calendar again.",
)
KEPT_HERE = Verdict(
    State.IGNORED,
    "event_deleted",
    "Its event was deleted in the calendar; the file was kept, as you ordered or because it is past or done.",
    "Move it to a new date in the future to put it into the calendar again.",
)
FILE_REMOVED = Verdict(
    State.IGNORED,
    "file_removed",
    "The file was removed, or lost its date, and nothing of it goes out to this calendar (direction: from-calendar): "
    "its event stays.",
    "Delete the event in the calendar, put the file back, or set `direction: both`: then you are asked.",
)
EVENT_REMOVED = Verdict(
    State.IGNORED,
    "event_removed",
    "Its event was deleted in the calendar, and nothing is taken over from there (direction: to-calendar): "
    "the file stays.",
    "Edit the file to put it into the calendar again, remove it, or set `direction: both`: then you are asked.",
)
HELD_REMOVAL = Verdict(
    State.HELD,
    "held_removal",
    "One side was removed while `direction` kept the other from following; a change of the config deletes nothing.",
    "Read `datebook plan`; run `datebook approve` to remove the other side too, or put back what was removed.",
)
TOLD_REMOVED = frozenset({FILE_REMOVED.code, EVENT_REMOVED.code, HELD_REMOVAL.code})
SYNC_OFF = Verdict(
    State.IGNORED, "sync_off", "The file says `sync: false`.", "Take `sync: false` out to sync it again."
)
PRIVATE_SKIPPED = Verdict(
    State.IGNORED,
    "private",
    "It is a private event of the calendar (private_events: skip).",
    "Set `private_events: full` or `busy` for this calendar.",
)
WATCHED = Verdict(
    State.SYNCED, "watched", "The same meeting is in another of your calendars too; that one leads, this is watched."
)
GUEST_KEPT = Verdict(
    State.IGNORED,
    "guest",
    "You are a guest of this meeting: its event stays in the calendar, and the file does not come back.",
)

PING_PONG = Verdict(
    State.BLOCKED,
    "ping_pong",
    "The same value was written again and again, and something set it back each time; Datebook has stopped.",
    "Look for a second program that edits this file or event. It is tried again in a few hours, or once you edit it.",
)

GRACE = "grace"  # the code of a file that was removed so lately that it may come back
HELD_BY_EDITOR = "held_by_editor"  # the code of a file that is written when its editor lets go of it


def blocked(code: str, reason: str, cure: str) -> Verdict:
    """It can't go as it is."""
    return Verdict(State.BLOCKED, code, reason, cure)


def left_in(calendar: str) -> Verdict:
    """Its event stays where it was unlinked, and no second one is made."""
    return Verdict(
        State.IGNORED,
        REMEMBERED.code,
        f"Its event still stands in the calendar `{calendar}`, where it was unlinked; it is not made twice.",
        f"Write `calendar:` into the file: with `{calendar}` it is linked there again, with another name it moves.",
    )


def unsayable(fields: str) -> Verdict:
    """The calendar has a value that the file can't say; everything else goes its way."""
    return Verdict(
        State.BLOCKED,
        "unwritable",
        f"The calendar's value can't be written into the file: {fields}. The rest of both sides is kept in step.",
        "Change it in the calendar to something that a file can say.",
    )


def waiting(code: str, reason: str, cure: str = "") -> Verdict:
    """It will go by itself."""
    return Verdict(State.WAITING, code, reason, cure)


# A rule that a file can't say is missing in it; where single instances are all that there is, nothing is.
_RULE, _SKIPS = Key(Field.REPEAT), Key(Field.SKIP)


def linked(file: View, event: Activity) -> Verdict:
    """What is said of a file that is in step with its event: whether the event holds what can't be edited here."""
    lost = [key for key in event.frozen if key in file or (key == _RULE and _SKIPS not in event.frozen)]
    if not lost:
        return _but_for(strays(file) - every_original(event.view)) if every_original(file) else SYNCED
    return Verdict(State.READ_ONLY, "frozen", event.frozen[lost[0]], "Change it in the calendar.")


def _but_for(kept: frozenset[Original]) -> Verdict:
    """In step, save for changes of what is no instance: no calendar has a place for them."""
    if not kept:
        return SYNCED
    days = ", ".join(
        each.isoformat(" ", "minutes") if isinstance(each, datetime) else str(each) for each in sorted(kept, key=str)
    )
    return replace(
        SYNCED,
        reason=f"{SYNCED.reason} On these dates it has no instance, so their changes stay in the file: {days}.",
        cure="Write the date on which the instance would be, or take the entry out of `changes`.",
    )
