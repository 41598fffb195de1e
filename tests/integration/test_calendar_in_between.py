"""A calendar that is not there for a while, or is another one, amid edits and moves: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

CALL = "subject: Call Anna\ndue_date: 2027-11-24\ntype: call\ndue_time: 10:30\nuid: call-1\n"


@pytest.fixture
def proxy(servers: Servers) -> Iterator[FaultProxy]:
    with FaultProxy(servers.get(radicale).home) as one:
        yield one


@pytest.fixture
def person(servers: Servers, proxy: FaultProxy, tmp_path: Path) -> Person:
    """Somebody with two calendars, `work` and `other`."""
    work, other = (proxy.url_of(servers.calendar(servers.get(radicale))) for _ in range(2))
    more = f"  other: {{account: home, calendar: '{other}', since: all, backlog: import}}\n"
    someone = Person(tmp_path / "me", work, extra=more)
    someone.store.mkdir()
    someone.write("call.yaml", CALL)
    assert someone.sync().code == 0
    return someone


def test_a_server_that_answers_404_to_all_in_the_middle_of_a_move_leaves_no_second_event(
    person: Person, proxy: FaultProxy, servers: Servers
) -> None:
    here = urlsplit(person.url).path
    proxy.log.clear()
    proxy.add(Fault(answer(404), path=here, first=3, times=None))  # it has just been asked for what is new
    person.write("call.yaml", CALL + "calendar: other\n")
    assert person.sync().code == 1
    assert "DELETE" in [one.method for one in proxy.log]
    proxy.faults.clear()
    assert person.sync().code == 0
    status, _, body = servers.get(radicale).ask("PROPFIND", person.url, b"", {"Depth": "1"})
    assert status == 207
    assert b"call-1" not in body
    assert person.run("why", "call.yaml", "--json").json["state"] == "synced"


def test_nothing_is_written_to_another_calendar_that_stands_where_one_was(
    person: Person, proxy: FaultProxy, servers: Servers
) -> None:
    stranger = proxy.url_of(servers.calendar(servers.get(radicale)))
    config = person.root / "config.yaml"
    config.write_text(config.read_text().replace(f"calendar: {person.url}", f"calendar: {stranger}"))
    person.edit("call.yaml", "10:30", "11:30")
    person.write("new.yaml", CALL.replace("call-1", "new-1"))
    proxy.log.clear()
    assert person.sync().code == 1
    assert person.sync().code == 1
    assert [one.method for one in proxy.log if one.method in {"PUT", "DELETE"}] == []
    told = person.run("why", "call.yaml", "--json").json
    assert told["state"] == "waiting"
