import re
import unicodedata
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.model import AllDay, Field, Key, Privacy, Timed
from daemon.core.naming import place, slug
from daemon.core.policy import FileFormat, Route

ROUTE = Route("work", "google")
NINE = Timed(datetime(2026, 3, 5, 9), "Europe/Moscow", timedelta(hours=1))


def view(subject, when=NINE):
    return {Key(Field.SUBJECT): subject, Key(Field.WHEN): when}


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("Call Anna about the renewal", "call-anna-about-the-renewal"),
        ("Встреча с Ромашкой: пилот", "встреча-с-ромашкой-пилот"),
        ("会議", "会議"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x00b\x1b[31mc\n", "a-b-31mc"),
        ("\u202egpj.exe", "gpj-exe"),
        ("  -- 100% --  ", "100"),
        ("???", "untitled"),
        ("", "untitled"),
        ("CON", "untitled"),
        ("#1 deal", "1-deal"),
        ("e\u0301t\u00e9", "été"),
    ],
)
def test_a_subject_becomes_a_name_that_every_disk_takes(subject, name):
    assert slug(subject) == name


def test_a_file_is_put_by_its_date_in_the_calendars_folder():
    assert place(ROUTE, view("Call Anna"), "u1", shared=False) == "2026/03/2026-03-05-call-anna.yaml"
    ics = Route("work", "google", folder="inbox", format=FileFormat.ICS)
    assert place(ics, view("Trip", AllDay(date(2026, 12, 24), 3)), "u1", shared=False) == "inbox/2026-12-24-trip.ics"


def test_an_event_without_a_title_is_untitled():
    assert place(ROUTE, view("(no title)"), "u1", shared=False) == "2026/03/2026-03-05-untitled.yaml"


@pytest.mark.parametrize("shared", [False, True])
def test_no_text_of_a_private_event_is_in_its_files_name(shared):
    secret = {**view("Cardiologist"), Key(Field.PRIVATE): Privacy.CONFIDENTIAL}
    name = place(ROUTE, secret, "u1", shared=shared)
    assert re.fullmatch(r"2026/03/2026-03-05-private-[0-9a-f]{8}\.yaml", name)
    assert name != place(ROUTE, secret, "u2", shared=shared)


def test_what_is_masked_is_named_as_it_shows():
    busy = {**view("Busy"), Key(Field.PRIVATE): Privacy.PRIVATE}
    assert place(ROUTE, busy, "u1", shared=False, masked=True) == "2026/03/2026-03-05-busy.yaml"


def test_in_a_shared_store_two_daemons_choose_one_name_and_two_meetings_two():
    first, again, other = (place(ROUTE, view("Call"), uid, shared=True) for uid in ("u1", "u1", "u2"))
    assert first == again != other
    assert first.startswith("2026/03/2026-03-05-call-")


def test_a_folder_never_leads_out_of_the_store():
    route = Route("work", "google", folder="../{year}//./..")
    assert place(route, view("Call"), "u1", shared=False) == "2026/2026-03-05-call.yaml"


@given(st.text(max_size=300))
def test_every_name_is_short_lower_case_and_of_letters_digits_and_single_hyphens(subject):
    name = slug(subject)
    assert name
    assert len(name) <= 60
    assert len(name.encode()) <= 180
    assert all(char == "-" or unicodedata.category(char)[0] in "LMN" for char in name)
    assert not name.startswith("-")
    assert not name.endswith("-")
    assert "--" not in name
    assert name == unicodedata.normalize("NFC", name)
