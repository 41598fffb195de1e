"""Exchange and Microsoft 365 restored from a backup: what that took back is held, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.core.store import Store
from tests.servers.ews_server import EwsServer
from tests.servers.ews_server import serving as serving_ews
from tests.servers.ews_worlds import exchange_account
from tests.servers.graph_server import serving as serving_graph
from tests.servers.graph_worlds import graph_account
from tests.servers.world import World

CALL = "subject: {0}\ndue_date: 2026-11-26\ndue_time: 14:00\nuid: {0}\n"


@dataclass
class Box:
    """A calendar of a mailbox that can be saved and put back."""

    store: Store
    save: Callable[[], object]
    put_back: Callable[[object], None]
    count: Callable[[], int]


@contextmanager
def exchange() -> Iterator[Box]:
    with serving_ews(EwsServer()) as server:
        box = server.mailbox

        def put_back(saved: object) -> None:
            box.items, box.log = deepcopy(saved)
            box.epoch += 1

        account = exchange_account(server)
        yield Box(account.open("primary"), lambda: deepcopy((box.items, box.log)), put_back, lambda: len(box.items))
        account.close()


@contextmanager
def graph() -> Iterator[Box]:
    with serving_graph() as server:
        box = server.mailbox

        def put_back(saved: object) -> None:
            box.events, box.log = deepcopy(saved)
            box.epoch += 1

        account = graph_account(server)
        yield Box(account.open("primary"), lambda: deepcopy((box.events, box.log)), put_back, lambda: len(box.events))
        account.close()


@pytest.mark.parametrize("service", [exchange, graph])
def test_what_a_restored_mailbox_lost_is_held(service: Callable[[], Iterator[Box]], tmp_path: Path) -> None:
    with service() as box:
        world = World(tmp_path, calendars={"work": box.store})
        world.write("old.yaml", CALL.format("old"))
        world.write("edited.yaml", CALL.format("edited"))
        world.settle()
        saved = box.save()
        world.clock.pass_by(minutes=5)
        world.write("edited.yaml", CALL.format("edited") + "location: Room 5\n")
        world.write("made.yaml", CALL.format("made"))
        world.settle()
        assert box.count() == 3
        box.put_back(saved)
        world.clock.pass_by(minutes=5)
        world.write("new.yaml", CALL.format("new"))
        before = world.files()
        world.settle()
        assert world.files() == before
        assert "location: Room 5" in world.read("edited.yaml")
        assert box.count() == 3  # the old, the edited, the new one
        held = {unit.file.path for unit in world.engine.plan("work") if unit.decision.hold is not None and unit.file}
        assert held == {"edited.yaml", "made.yaml"}
