"""Contract 4.10 for CalDAV: whatever goes wrong on the wire, nothing is lost or doubled, and it heals by itself.

A real client and a real engine, a fault-injecting proxy between them and a real server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.errors import Forbidden, Full, Missing, SignInNeeded, SyncError, Unavailable
from daemon.status.standing import standing
from tests.servers import fault_proxy as faults
from tests.servers.fault_proxy import Fault
from tests.servers.proxied import Proxied, proxied
from tests.servers.running import Servers
from tests.servers.world import World

FILE = "# mine\nsubject: {title}\ndue_date: 2030-11-24\ndue_time: 9:00\n"
STATUSES = (400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 423, 429, 500, 502, 503, 504, 507)
# 404 and 410 are what a DELETE wants to hear.
CELLS = [(m, s) for m in ("PUT", "REPORT", "DELETE") for s in STATUSES if m != "DELETE" or s not in {404, 410}]
WIRE = {
    "drop": faults.drop,
    "reset": faults.reset,
    "reset in the head": faults.reset_in_head,
    "garbage": faults.garbage,
    "half a body": faults.half_body,
    "a short length": faults.short_length,
    "bad gzip": faults.bad_gzip,
    "a login page": faults.login_page,
    "bad XML": faults.bad_xml,
    "entity bomb": faults.entity_bomb,
    "an empty multistatus": faults.empty_multistatus,
    "a circle": faults.redirect_in_a_circle,
}


@pytest.fixture
def line(servers: Servers) -> Iterator[Proxied]:
    with proxied(servers) as made:
        yield made


@pytest.fixture
def world(line: Proxied, tmp_path: Path) -> World:
    """Four activities in step; then an edit here, an edit there, a new one on each side, and a deletion on each."""
    world = World(tmp_path, calendars={"work": line.store})
    for number in range(5):
        world.write(f"f{number}.yaml", FILE.format(title=f"File {number}"))
    world.settle()
    names = {line.hand.subject(item): item for item in items(world)}
    world.write("f0.yaml", world.read("f0.yaml").replace("File 0", "File 0 edited"))
    world.write("new.yaml", FILE.format(title="New file"))
    line.hand.retitle(names["File 1"], "File 1 edited")
    line.hand.add("foreign", "New event")
    (world.store / "f3.yaml").unlink()
    line.hand.remove(names["File 4"])
    line.proxy.clear()
    return world


def items(world: World) -> list[str]:
    with world.journal.turn():
        return [event.remote for event in world.journal.events.all("work") if not event.gone]


def pass_(world: World) -> SyncError | None:
    world.clock.pass_by(seconds=30)
    return world.pass_()["work"].error


def heals(world: World, line: Proxied) -> None:
    """Once the trouble is over, all of it arrives: nothing lost, doubled or asked."""
    line.proxy.clear()
    world.clock.pass_by(hours=30)
    world.settle()
    world.clock.pass_by(seconds=30)
    world.settle()
    here = sorted(line_.removeprefix("subject: ") for path in world.files() for line_ in subjects(world.read(path)))
    there = sorted(str(line.hand.subject(item)) for item in listed(line))
    assert here == there == ["File 0 edited", "File 1 edited", "File 2", "New event", "New file"]
    assert [entry.path for entry in world.folder.trash_list()] == ["f4.yaml"]
    with world.journal.turn():
        assert world.journal.conflicts.rows() == []


def subjects(text: str) -> list[str]:
    return [found for found in text.splitlines() if found.startswith("subject: ")]


def listed(line: Proxied) -> list[str]:
    return [ref.id for ref in line.store.changes(None).items]


def cursor(world: World) -> str | None:
    row = world.journal.route("work")
    return row.cursor if row else None


def wrong_then_right(world: World, line: Proxied, fault: Fault) -> None:
    line.fault(fault)
    before = cursor(world)
    for _ in range(2):
        error = pass_(world)
        if error is not None and fault.method == "REPORT" and fault.times is None:
            assert cursor(world) == before, "the cursor stays where it was"
    assert len(line.proxy.log) < 100
    heals(world, line)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "status"), CELLS)
def test_a_status_that_is_answered_for_a_while_heals(world: World, line: Proxied, status: int, method: str) -> None:
    wrong_then_right(world, line, Fault(faults.answer(status), method=method, times=None))


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_write_that_was_stored_and_answered_with_an_error_is_made_once(
    world: World, line: Proxied, status: int, method: str
) -> None:
    wrong_then_right(world, line, Fault(faults.answer(status), method=method, times=None, after=True))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "REPORT"])
@pytest.mark.parametrize("name", WIRE)
def test_a_broken_wire_heals(world: World, line: Proxied, name: str, method: str) -> None:
    wrong_then_right(world, line, Fault(WIRE[name], method=method, times=None))


@pytest.mark.parametrize("name", ["drop", "reset", "reset in the head", "garbage"])
def test_a_write_whose_answer_the_wire_has_eaten_is_made_once(world: World, line: Proxied, name: str) -> None:
    wrong_then_right(world, line, Fault(WIRE[name], method="PUT", times=None, after=True))


@pytest.mark.torture
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize(("method", "status"), [*CELLS, *(("PROPFIND", status) for status in STATUSES)])
def test_every_status_at_each_request(
    world: World, line: Proxied, status: int, method: str, first: int, *, after: bool
) -> None:
    wrong_then_right(world, line, Fault(faults.answer(status), method=method, first=first, times=1, after=after))


def test_one_bad_item_never_holds_up_the_others_and_rests_on_its_own_clock(world: World, line: Proxied) -> None:
    line.fault(Fault(faults.answer(400), method="PUT", says=b"New file", times=None))
    assert pass_(world) is None
    there = [line.hand.subject(item) for item in listed(line)]
    assert "File 0 edited" in there
    assert "New file" not in there
    problem = next(one for one in standing(world.journal, world.routes, "store", ()).problems)
    assert (problem.code, problem.file) == ("refused", "new.yaml")
    assert problem.cure
    line.proxy.log.clear()
    for _ in range(4):
        pass_(world)
    assert "PUT" not in line.proxy.methods()
    world.clock.pass_by(minutes=6)
    pass_(world)
    assert line.proxy.methods().count("PUT") == 1
    line.proxy.log.clear()
    world.clock.pass_by(minutes=6)
    pass_(world)
    assert "PUT" not in line.proxy.methods(), "its second wait is longer"
    line.proxy.clear()
    world.write("new.yaml", world.read("new.yaml") + "location: Room 5\n")
    pass_(world)
    assert "New file" in [line.hand.subject(item) for item in listed(line)], "an edit is tried at once"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", SignInNeeded),
        (404, b"", Missing),
        (503, b"", Unavailable),
        (429, b"", Unavailable),
        (403, b'<D:error xmlns:D="DAV:"><D:need-privileges/></D:error>', Forbidden),
    ],
)
def test_a_trouble_of_the_whole_calendar_ends_the_pass_and_is_named(
    world: World, line: Proxied, status: int, body: bytes, error: type[SyncError]
) -> None:
    line.fault(Fault(faults.answer(status, body, Content_Type="application/xml"), times=None))
    before, files = cursor(world), world.files()
    assert isinstance(pass_(world), error)
    assert cursor(world) == before
    assert world.files() == files
    heals(world, line)


def test_a_full_account_is_said_and_goes_on_when_there_is_room(world: World, line: Proxied) -> None:
    line.fault(Fault(faults.answer(507), method="PUT", times=None))
    assert isinstance(pass_(world), Full)
    heals(world, line)


def test_an_item_that_always_changes_under_our_hands_is_tried_a_few_times_and_left(world: World, line: Proxied) -> None:
    line.fault(Fault(faults.answer(412), method="PUT", says=b"File 0 edited", times=None))
    assert pass_(world) is None
    assert line.proxy.methods().count("PUT") <= 10
    assert "New file" in [line.hand.subject(item) for item in listed(line)]
    heals(world, line)


def test_half_of_a_listing_after_an_expired_cursor_deletes_nothing(world: World, line: Proxied) -> None:
    before = set(world.files())
    line.fault(
        Fault(faults.answer(403, b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'), says=b"sync-token")
    )
    line.proxy.add(Fault(faults.changed(faults.fewer_members), method="PROPFIND", times=None))
    line.proxy.add(Fault(faults.changed(faults.fewer_members), method="REPORT", says=b"sync-collection", times=None))
    pass_(world)
    assert before - {"f4.yaml"} <= set(world.files())
    heals(world, line)
