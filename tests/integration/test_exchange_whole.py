"""A person whose calendar is on Exchange: the same files and commands, through real exchangelib over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from tests.servers.ews_operations import OPERATIONS
from tests.servers.ews_schema import T
from tests.servers.ews_server import EwsServer, Trouble, serving
from tests.servers.ews_worlds import ExchangeHand

CONFIG = """\
store: {root}/store
owner: me@corp.example
timezone: Europe/Helsinki
accounts:
  office:
    service: exchange
    url: {url}
    user: me@corp.example
    password: {{env: DATEBOOK_TEST_PASSWORD}}
calendars:
  work: {{account: office, since: all, backlog: import, delete_grace: 1s}}
"""
MEETING = """\
subject: Romashka kick-off
due_date: 2027-11-26
due_time: 14:00
duration: 1:00
timezone: Europe/Moscow
location: Room 4.02
attendees:
  - Anna Petrova <anna@romashka.example>
note: never leaves
"""
GUESTS = f"""<t:RequiredAttendees xmlns:t="{T}"><t:Attendee><t:Mailbox><t:Name>Me</t:Name>
<t:EmailAddress>me@corp.example</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"""


@dataclass
class Office:
    """The person, and what Exchange holds."""

    root: Path
    ews: EwsServer
    password: str = ""

    @property
    def hand(self) -> ExchangeHand:
        return ExchangeHand(self.ews.mailbox, self.ews.mailbox.default)

    def run(self, *arguments: str) -> tuple[int, str]:
        environment = {**os.environ, "DATEBOOK_TEST_PASSWORD": self.password or self.ews.password, "TZ": "UTC"}
        places = ["--config", str(self.root / "config.yaml"), "--state", str(self.root / "state")]
        done = subprocess.run(
            [sys.executable, "-m", "daemon", *places, *arguments],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def sync(self) -> int:
        return self.run("sync")[0]

    @property
    def file(self) -> Path:
        return self.root / "store" / "kickoff.yaml"

    def only(self):
        (item,) = self.ews.mailbox.items.values()
        return item


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with serving() as ews:
        (tmp_path / "config.yaml").write_text(CONFIG.format(root=tmp_path, url=ews.address))
        person = Office(tmp_path, ews)
        assert person.sync() == 0
        person.file.write_text(MEETING)
        assert person.sync() == 0
        yield person


def test_a_file_is_on_exchange_with_its_guests_and_nobody_was_mailed(office: Office) -> None:
    item = office.only()
    assert item.text("Subject") == "Romashka kick-off"
    assert item.text("Location") == "Room 4.02"
    assert "never leaves" not in repr(item.fields)
    assert office.ews.mailbox.outbox == []
    assert office.file.read_text().startswith(MEETING)


def test_edits_travel_both_ways_and_touch_nothing_else(office: Office) -> None:
    before = office.file.read_text()
    office.hand.retitle(office.only().id, "Romashka start")
    assert office.sync() == 0
    assert office.file.read_text() == before.replace("Romashka kick-off", "Romashka start")
    office.file.write_text(office.file.read_text().replace("Room 4.02", "Room 5.11"))
    assert office.sync() == 0
    assert office.only().text("Location") == "Room 5.11"
    assert office.only().text("Subject") == "Romashka start"
    assert office.ews.mailbox.outbox == []


def test_different_fields_changed_at_once_are_both_kept(office: Office) -> None:
    office.hand.retitle(office.only().id, "Romashka start")
    office.file.write_text(office.file.read_text().replace("Room 4.02", "Room 5.11"))
    assert office.sync() == 0
    assert (office.only().text("Subject"), office.only().text("Location")) == ("Romashka start", "Room 5.11")
    assert "subject: Romashka start" in office.file.read_text()


def test_an_item_that_outlook_made_becomes_a_file_and_goes_to_the_trash_with_it(office: Office) -> None:
    item = office.hand.add("040000008200E00074C5B7101A82E008", "Lunch with Oleg")
    assert office.sync() == 0
    (path,) = [one for one in (office.root / "store").rglob("*lunch*.yaml") if ".datebook" not in one.parts]
    assert "subject: Lunch with Oleg" in path.read_text()
    office.hand.remove(item)
    assert office.sync() == 0
    assert not path.exists()


def test_a_removed_file_moves_its_item_to_the_deleted_ones_without_a_mail(office: Office) -> None:
    office.file.unlink()
    assert office.sync() == 0
    assert office.ews.mailbox.items == {}
    assert [item.text("Subject") for item in office.ews.mailbox.trash] == ["Romashka kick-off"]
    assert office.ews.mailbox.outbox == []


def test_a_create_whose_answer_was_lost_is_not_repeated(office: Office) -> None:
    office.ews.fail(Trouble.DROP_AFTER, "CreateItem")
    (office.root / "store" / "second.yaml").write_text(MEETING.replace("Romashka", "Vasilek"))
    assert office.sync() == 1
    (office.root / "store" / "second.yaml").write_text(
        (office.root / "store" / "second.yaml").read_text().replace("Room 4.02", "Room 7")
    )
    assert office.sync() == 0
    found = {item.text("Subject"): item.text("Location") for item in office.ews.mailbox.items.values()}
    assert found == {"Romashka kick-off": "Room 4.02", "Vasilek kick-off": "Room 7"}


def test_an_invalid_sync_state_deletes_and_uploads_nothing(office: Office) -> None:
    key = office.only().key
    office.ews.invalidate_sync_states()
    assert office.sync() == 0
    assert office.only().key == key
    assert office.file.exists()


def test_a_wrong_password_stops_the_account_at_once_and_says_so(office: Office) -> None:
    office.ews.password = "changed by the administrator"
    office.ews.logins = 0
    office.password = "the old one"
    code, said = office.run("sync")
    assert code == 1
    assert "password" in said.lower()
    assert office.ews.logins <= 2  # a probe and one try: no account is locked by retrying


def test_a_meeting_that_somebody_else_organises_is_read_only(office: Office) -> None:
    office.hand.add("foreign-1", "Board meeting")
    item = next(one for one in office.ews.mailbox.items.values() if one.text("Subject") == "Board meeting")
    item.organizer = "boss@corp.example"
    us = etree.fromstring(GUESTS)
    office.ews.mailbox.update(item, [("SetItemField", "RequiredAttendees", us)], "SendToNone")
    office.ews.mailbox.bump(item)
    assert office.sync() == 0
    (path,) = [one for one in (office.root / "store").rglob("*board*.yaml") if ".datebook" not in one.parts]
    path.write_text(path.read_text().replace("Board meeting", "Bored meeting"))
    assert office.sync() == 3
    assert item.text("Subject") == "Board meeting"
    said = json.loads(office.run("why", str(path), "--json")[1])
    assert (said["state"], said["code"]) == ("read_only", "not_organiser")


def test_connect_signs_in_lists_the_calendars_and_refuses_the_cloud_with_the_cure(office: Office) -> None:
    code, said = office.run("connect", "office")
    assert code == 0
    assert "Calendar (primary)" in said
    cloud = ("--service", "exchange", "--url", "https://outlook.office365.com/EWS/Exchange.asmx")
    code, said = office.run("connect", "other", *cloud, "--user", "me@corp.example", "--password-env", "X")
    assert code == 2
    assert "microsoft365" in said


def test_connect_without_an_address_asks_the_mail_domain_and_says_what_to_do_when_it_is_silent(office: Office) -> None:
    before = (office.root / "config.yaml").read_text()
    new = ("connect", "other", "--service", "exchange", "--user", "me@corp.invalid")
    code, said = office.run(*new, "--password-env", "DATEBOOK_TEST_PASSWORD")
    assert code == 1
    assert "--url" in said
    assert (office.root / "config.yaml").read_text() == before


def test_without_searches_edits_travel_and_what_is_not_made_is_named_with_the_reason(
    office: Office,
) -> None:
    office.ews.mailbox.knobs.operations = frozenset(OPERATIONS) - {"FindItem"}
    second = office.root / "store" / "second.yaml"
    second.write_text(MEETING.replace("Romashka", "Vasilek"))
    office.hand.retitle(office.only().id, "Romashka start")
    office.file.write_text(office.file.read_text().replace("Room 4.02", "Room 5.11"))
    assert office.sync() == 3
    assert (office.only().text("Subject"), office.only().text("Location")) == ("Romashka start", "Room 5.11")
    assert "subject: Romashka start" in office.file.read_text()
    said = json.loads(office.run("why", str(second), "--json")[1])
    assert "FindItem" in said["reason"]
    office.ews.mailbox.knobs.operations = None
    second.write_text(second.read_text().replace("Room 4.02", "Room 7"))
    assert office.sync() == 0
    assert len(office.ews.mailbox.items) == 2


def test_a_server_that_loses_the_answer_and_can_not_be_searched_is_named(office: Office) -> None:
    office.ews.mailbox.knobs.silent_writes = True
    (office.root / "store" / "second.yaml").write_text(MEETING.replace("Romashka", "Vasilek"))
    office.sync()
    office.ews.mailbox.knobs.operations = frozenset(OPERATIONS) - {"FindItem"}
    code, said = office.run("sync")
    assert code == 1
    assert "FindItem" in said
    office.ews.mailbox.knobs.operations, office.ews.mailbox.knobs.silent_writes = None, False
    assert office.sync() == 0
    assert len(office.ews.mailbox.items) == 2
