"""ICS files in the folder: the same door, the other form."""

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.folder.file_marker import make_marker
from adapters.folder.file_store import FileStore
from daemon.core.errors import Unreadable
from daemon.core.model import AllDay, Field, Guest, Key, Timed
from daemon.core.store import Create, Failed, Marker, Seen, Update, Written

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    make_marker(tmp_path, Marker("id-1", "Europe/Moscow"))
    return FileStore(tmp_path, zone="Europe/Moscow", clock=lambda: NOW, types=("call", "meeting"))


def test_an_ics_file_is_made_read_and_patched(store, tmp_path):
    view = {
        Key(Field.SUBJECT): "Pilot; first, second",
        Key(Field.TYPE): "call",
        Key(Field.WHEN): Timed(datetime(2026, 11, 24, 9), "Europe/Moscow", timedelta(minutes=30)),
        Key(Field.ATTENDEES): frozenset({Guest("anna@romashka.example", "Anna")}),
    }
    ((_, made),) = store.write([Create("u-1", "t1", view, place="2026/pilot.ics")])
    assert isinstance(made, Written)
    (reading,) = store.read([made.ref.id])
    assert isinstance(reading, Seen)
    assert reading.activity.uid == "u-1"
    assert {key: reading.activity.view[key] for key in view} == view
    (tmp_path / "2026/pilot.ics").write_bytes(reading.raw.replace(b"END:VEVENT", b"X-MINE:1\r\nEND:VEVENT"))
    (reading,) = store.read([made.ref.id])
    assert isinstance(reading, Seen)
    ((_, outcome),) = store.write([Update(reading.ref, "t2", {Key(Field.WHEN): AllDay(date(2026, 11, 25))})])
    assert isinstance(outcome, Written)
    (after,) = store.read([made.ref.id])
    assert isinstance(after, Seen)
    assert after.activity.view[Key(Field.WHEN)] == AllDay(date(2026, 11, 25))
    assert b"X-MINE:1\r\n" in after.raw
    found = store.find("u-1", "unknown")
    assert isinstance(found, Seen)
    assert found.ref == after.ref


@pytest.mark.parametrize(
    "raw", [b"", b"BEGIN:VCALENDAR\r\n", b"\x00\x01\x02", b"subject: x\n", b"\xff\xfe", b"BEGIN:" * 9999]
)
def test_a_broken_ics_file_is_set_aside_and_the_others_are_read(raw, store, tmp_path):
    (tmp_path / "a.ics").write_bytes(raw)
    (tmp_path / "b.yaml").write_bytes(b"subject: x\n")
    broken, fine = store.read(["a.ics", "b.yaml"])
    assert isinstance(broken, Failed)
    assert isinstance(broken.error, Unreadable)
    assert broken.error.path == "a.ics"
    assert isinstance(fine, Seen)
