"""The EWS simulator held against exchangelib's own item classes, which know nothing of Datebook."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from exchangelib import (
    DELEGATE,
    Account,
    CalendarItem,
    Configuration,
    Credentials,
    EWSTimeZone,
)
from exchangelib.errors import (
    ErrorIrresolvableConflict,
    ErrorItemNotFound,
    UnauthorizedError,
)
from exchangelib.items import MOVE_TO_DELETED_ITEMS, SEND_TO_ALL_AND_SAVE_COPY
from exchangelib.properties import Attendee, Mailbox
from exchangelib.recurrence import Recurrence, WeeklyPattern

ROOT = Path(__file__).parents[2]
BERLIN = EWSTimeZone("Europe/Berlin")
START = datetime(2026, 11, 30, 9, 0, tzinfo=BERLIN)


@pytest.fixture
def mailbox(ews):
    configuration = Configuration(
        service_endpoint=ews.address,
        credentials=Credentials(ews.user, ews.password),
        max_connections=1,
    )
    return Account(
        ews.user,
        config=configuration,
        access_type=DELEGATE,
        default_timezone=BERLIN,
        locale="en_US",
        autodiscover=False,
    )


def saved(mailbox, **fields):
    item = CalendarItem(
        account=mailbox,
        folder=mailbox.calendar,
        **{"subject": "Call", "start": START, "end": START + timedelta(hours=1)} | fields,
    )
    return item.save()


def deleted(mailbox, item):
    assert list(mailbox.bulk_delete([item], delete_type=MOVE_TO_DELETED_ITEMS)) == [True]


def test_an_item_saved_by_exchangelib_is_read_by_it(mailbox):
    item = saved(mailbox, location="Room 5", categories=["call"], body="text")
    [found] = mailbox.calendar.all()
    assert (found.id, found.subject, found.location, found.categories) == (
        item.id,
        "Call",
        "Room 5",
        ["call"],
    )
    assert (found.start, found.end) == (START, START + timedelta(hours=1))
    assert found.uid
    assert found.organizer.email_address == "me@corp.example"
    assert "text" in found.body


def test_an_all_day_item_has_inclusive_ends_for_exchangelib(mailbox):
    saved(mailbox, is_all_day=True, start=date(2026, 11, 24), end=date(2026, 11, 25))
    [found] = mailbox.calendar.all()
    assert (found.start, found.end) == (date(2026, 11, 24), date(2026, 11, 25))


def test_a_stale_change_key_is_a_conflict(mailbox):
    item = saved(mailbox)
    stale = mailbox.calendar.get(id=item.id)
    item.location = "Room 5"
    item.save(update_fields=["location"])
    stale.location = "Room 6"
    with pytest.raises(ErrorIrresolvableConflict):
        stale.save(update_fields=["location"], conflict_resolution="NeverOverwrite")


def test_a_view_shows_occurrences_and_leaves_deleted_ones_out(mailbox):
    weekly = Recurrence(
        pattern=WeeklyPattern(interval=1, weekdays=["Monday"]),
        start=START.date(),
        number=4,
    )
    master = saved(mailbox, recurrence=weekly)
    deleted(mailbox, master.occurrence(index=2))
    third = master.occurrence(index=3)
    third.refresh()
    third.subject = "Moved"
    third.start += timedelta(hours=2)
    third.end += timedelta(hours=2)
    third.save(update_fields=["subject", "start", "end"])
    shown = list(mailbox.calendar.view(start=START - timedelta(days=1), end=START + timedelta(days=60)))
    assert [(item.subject, item.start - START) for item in shown] == [
        ("Call", timedelta()),
        ("Moved", timedelta(weeks=2, hours=2)),
        ("Call", timedelta(weeks=3)),
    ]
    master.refresh()
    assert [each.original_start for each in master.modified_occurrences] == [START + timedelta(weeks=2)]
    assert [each.start for each in master.deleted_occurrences] == [START + timedelta(weeks=1)]


def test_the_feed_tells_exchangelib_of_its_own_writes(mailbox):
    item = saved(mailbox)
    assert [kind for kind, _ in mailbox.calendar.sync_items(only_fields=[])] == ["create"]
    item.location = "Room 5"
    item.save(update_fields=["location"])
    assert [kind for kind, _ in mailbox.calendar.sync_items(only_fields=[])] == ["update"]
    deleted(mailbox, item)
    assert [kind for kind, _ in mailbox.calendar.sync_items(only_fields=[])] == ["delete"]
    with pytest.raises(ErrorItemNotFound):
        item.refresh()


def test_an_invitation_goes_to_the_outbox_when_it_is_ordered_and_not_otherwise(ews, mailbox):
    guest = Attendee(mailbox=Mailbox(email_address="anna@r.example"), response_type="Unknown")
    item = saved(mailbox, required_attendees=[guest])
    assert ews.mailbox.outbox == []
    item.subject = "Changed"
    item.save(update_fields=["subject"], send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    assert [(mail.kind, mail.to) for mail in ews.mailbox.outbox] == [("update", ("anna@r.example",))]


def test_a_wrong_password_is_refused(ews):
    configuration = Configuration(service_endpoint=ews.address, credentials=Credentials(ews.user, "wrong"))
    account = Account(ews.user, config=configuration, access_type=DELEGATE, autodiscover=False)
    with pytest.raises(UnauthorizedError):
        list(account.calendar.all())


def test_it_runs_by_hand():
    command = [sys.executable, "-m", "tests.servers.ews_server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert "http://127.0.0.1:" in program.stdout.readline()
        finally:
            program.terminate()
