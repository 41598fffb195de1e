"""Whatever `why` can answer is reached by a story, and its cure brings the file back in step."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.scenario import read, scenarios
from tests.scenarios.story import play
from tests.servers.fault_proxy import Fault, FaultProxy, answer
from tests.servers.person import Person
from tests.servers.radicale_server import radicale
from tests.servers.running import Servers

ROOT = Path(__file__).parents[2]
STORIES = sorted((Path(__file__).parent / "why").glob("*.yaml"))
CALL = "subject: Call Anna\ndue_date: 2027-11-24\ntype: call\ndue_time: 10:30\n"

# Codes that no command shows of a file, each with the reason, or with the place where it is reached.
ELSEWHERE = {
    "gone": "neither side is there any more, and so is no file to ask about",
    "guest": "what is left of a removed file is in the log, which `why` reads: code `removed`",
    "no_time": "an event without a time makes no file; `plan` says it",
    "watched": "what is told of a file is the leading calendar's to say",
    "broken": "`why` shows the code of what is wrong in the file: bad_value and the like",
    "not_held": "iCalendar holds whatever a file says: tests/scenarios on Exchange and Microsoft 365",
    "not_writable": "it takes a disk that is full or read-only: tests/integration/test_disk.py",
    "private": "an event that is skipped has no file; the held one is in why/private.yaml",
}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in STORIES])
def test_the_cure_of_a_verdict_brings_the_file_back_in_step(path: Path, servers: Servers, tmp_path: Path) -> None:
    play(read(path), tmp_path, servers, radicale)


@dataclass
class Bench:
    """A person with a call in the calendar, and what lies between them and the server."""

    person: Person
    proxy: FaultProxy

    def fails(self, method: str, status: int = 503) -> None:
        self.proxy.add(Fault(answer(status), method=method, times=None))

    def why(self, file: str = "call.yaml") -> tuple[str, str]:
        said = self.person.run("why", file, "--json").json
        assert said["reason"]
        return said["state"], said["code"]

    def config(self, more: str) -> None:
        path = self.person.root / "config.yaml"
        path.write_text(path.read_text().replace("    since: all\n", f"    since: all\n{more}"))


@pytest.fixture
def bench(servers: Servers, tmp_path: Path) -> Iterator[Bench]:
    server = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        person.store.mkdir()
        person.write("call.yaml", CALL)
        bench = Bench(person, proxy)
        yield bench


def creating(bench: Bench) -> None:
    bench.fails("PUT")


def refused(bench: Bench) -> None:
    bench.fails("PUT", 400)


def deleting(bench: Bench) -> None:
    bench.person.sync()
    bench.fails("DELETE")
    (bench.person.store / "call.yaml").unlink()


def restored(bench: Bench) -> None:
    bench.person.sync()
    bench.person.drop("Call Anna")
    bench.person.edit("call.yaml", "10:30", "11:30")
    bench.fails("PUT")


def done(bench: Bench) -> None:
    bench.config("    done_in_calendar: delete\n")
    bench.person.sync()
    bench.fails("DELETE")
    bench.person.write("call.yaml", bench.person.read("call.yaml") + "done: true\n")


def held_by_editor(bench: Bench) -> None:
    bench.person.sync()
    bench.person.change("Call Anna", "T103000", "T143000")
    (bench.person.store / ".#call.yaml").symlink_to("me@desk.77:1")


WAITING: dict[str, tuple[Callable[[Bench], None], str, str]] = {
    "creating": (creating, "waiting", "synced"),
    "refused": (refused, "blocked", "synced"),
    "deleting": (deleting, "waiting", "removed"),
    "restored": (restored, "waiting", "synced"),
    "done": (done, "waiting", "done_deleted"),
    "held_by_editor": (held_by_editor, "waiting", "synced"),
}


@pytest.mark.parametrize("code", WAITING)
def test_what_a_trouble_keeps_back_is_told_and_goes_on_after_it(bench: Bench, code: str) -> None:
    trouble, state, after = WAITING[code]
    trouble(bench)
    bench.person.sync()
    assert bench.why() == (state, code)
    bench.proxy.clear()
    (bench.person.store / ".#call.yaml").unlink(missing_ok=True)
    if code == "refused":  # the cure says so: change it, and it is tried at once
        bench.person.edit("call.yaml", "10:30", "11:30")
    assert bench.person.sync().code == 0
    assert bench.why()[1] == after


def test_a_move_whose_end_waits_is_told(servers: Servers, tmp_path: Path) -> None:
    server = servers.get(radicale)
    with FaultProxy(server.home) as proxy:
        person = Person(tmp_path / "me", proxy.url_of(servers.calendar(server)))
        other = servers.calendar(server)
        config = person.root / "config.yaml"
        config.write_text(
            config.read_text() + f"  other: {{account: home, calendar: '{proxy.url_of(other)}', backlog: import}}\n"
        )
        bench = Bench(person, proxy)
        person.store.mkdir()
        person.write("call.yaml", CALL)
        assert person.sync().code == 0
        bench.fails("DELETE")
        person.write("call.yaml", person.read("call.yaml") + "calendar: other\n")
        person.sync()
        assert bench.why() == ("waiting", "moving")
        proxy.clear()
        assert person.sync().code == 0
        assert bench.why() == ("synced", "synced")


def test_every_code_that_why_can_answer_is_reached_by_a_story() -> None:
    reached = set(WAITING) | {"moving"}
    for path in [*STORIES, *scenarios()]:
        reached |= set(re.findall(r"\b(?:synced|waiting|held|conflict|blocked|read_only|ignored|unscheduled|broken)"
                                  r"/([a-z_]+)", path.read_text("utf-8")))  # fmt: skip
    codes = codes_of_the_program()
    assert len(codes) > 40
    assert codes - reached - ELSEWHERE.keys() == set(), "write a story for these in tests/integration/why"
    assert ELSEWHERE.keys() - codes == set(), "these are no codes any more"


def codes_of_the_program() -> set[str]:
    """The codes of all verdicts, as the source has them."""
    found = set()
    for path in [*(ROOT / "daemon" / "core").glob("*.py"), *(ROOT / "daemon" / "engine").glob("*.py"),
                 ROOT / "daemon" / "orders" / "why.py"]:  # fmt: skip
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in {"Verdict", "blocked", "waiting", "_set_aside"}:
                words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                found |= {word for word in words[:1] if re.fullmatch(r"[a-z_]+", word)}
    return found


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
