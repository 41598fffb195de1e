"""What every store promises, whatever the service behind it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import pytest

from daemon.core.errors import CursorExpired, NotFound, VersionMismatch
from daemon.core.model import Field, Key, Timed, Value
from daemon.core.store import Create, Gone, Outcome, Ref, Remove, Seen, Store, Update, Write, Written
from tests.servers.one_order import seen
from tests.servers.worlds import SUBJECT, ZONE, World

DESCRIPTION, LOCATION, WHEN = Key(Field.DESCRIPTION), Key(Field.LOCATION), Key(Field.WHEN)
HOSTILE_UIDS = [
    "../../etc/passwd",
    "a/b\\c",
    "per%40cent@example.com",
    "spaces and ünïcödé 日本",
    "<tag>&\"quotes'",
    "x" * 300,
    ".hidden",
    "CON",
    "semi;colon,comma",
]


_tokens = itertools.count()


def token() -> str:
    """Every attempt has a token of its own."""
    return f"attempt {next(_tokens)}"


def view(subject: str, **more: Value) -> dict[Key, Value]:
    shown: dict[Key, Value] = {
        SUBJECT: subject,
        WHEN: Timed(datetime(2030, 1, 7, 9, 30), ZONE, timedelta(hours=1)),
        Key(Field.TYPE): "meeting",
    }
    return shown | {Key(Field[name.upper()]): value for name, value in more.items()}


def create(world: World, uid: str, shown: Mapping[Key, Value]) -> Create:
    return Create(uid, f"token of {uid}", shown, place=world.place(uid))


def only(store: Store, write: Write) -> Outcome:
    [(asked, outcome)] = list(store.write([write]))
    assert asked is write
    return outcome


def done(store: Store, write: Write) -> Written:
    outcome = only(store, write)
    assert isinstance(outcome, Written), outcome
    return outcome


def made(world: World, uid: str, shown: Mapping[Key, Value]) -> Seen:
    return seen(world.store, done(world.store, create(world, uid, shown)).ref.id)


def needs_feed(world: World) -> None:
    if not world.has_feed:
        pytest.skip("a folder has no feed: it is looked at whole")


def part(shown: Mapping[Key, Value], keys: Iterable[Key]) -> dict[Key, Value]:
    return {key: shown[key] for key in keys if key in shown}


def test_a_created_item_reads_back_as_it_was_meant(world: World) -> None:
    meant = view("Call Romashka", location="Room 5", description="Agenda:\n- one, two; three\n\nüñ 日本 🎉")
    item = made(world, "created-1", meant)
    assert part(item.activity.view, meant) == meant
    assert item.activity.uid == "created-1"
    assert item.ref.version


def test_an_update_changes_the_keys_of_its_patch_and_no_other(world: World) -> None:
    meant = view("Before", location="Room 5", description="Stays as it is")
    item = made(world, "updated-1", meant)
    outcome = done(
        world.store, Update(item.ref, token(), {SUBJECT: "After", LOCATION: None}, item.raw, item.activity.view)
    )
    after = seen(world.store, outcome.ref.id).activity.view
    assert after[SUBJECT] == "After"
    assert LOCATION not in after
    assert after[DESCRIPTION] == "Stays as it is"
    assert after[WHEN] == meant[WHEN]


def test_an_update_leaves_what_datebook_has_no_word_for(world: World) -> None:
    item = seen(world.store, world.hand.add("foreign-1", "Theirs"))
    outcome = done(world.store, Update(item.ref, token(), {SUBJECT: "Ours"}, item.raw, item.activity.view))
    assert world.hand.subject(outcome.ref.id) == "Ours"
    assert world.hand.keeps_unknown(outcome.ref.id)


def test_an_update_of_a_stale_version_is_refused_and_changes_nothing(world: World) -> None:
    item = seen(world.store, world.hand.add("stale-1", "First"))
    world.hand.retitle(item.ref.id, "Second")
    outcome = only(world.store, Update(item.ref, token(), {SUBJECT: "Third"}, item.raw, item.activity.view))
    assert isinstance(outcome, VersionMismatch)
    assert world.hand.subject(item.ref.id) == "Second"


def test_an_update_without_a_version_is_refused(world: World) -> None:
    if world.reads_before_writing:
        pytest.skip("this store patches what it reads in the same step")
    item = seen(world.store, world.hand.add("unversioned-1", "First"))
    outcome = only(world.store, Update(Ref(item.ref.id), token(), {SUBJECT: "Second"}, item.raw, item.activity.view))
    assert isinstance(outcome, VersionMismatch)
    assert world.hand.subject(item.ref.id) == "First"


def test_an_update_of_an_item_that_is_gone_makes_none(world: World) -> None:
    item = seen(world.store, world.hand.add("vanished-1", "First"))
    world.hand.remove(item.ref.id)
    outcome = only(world.store, Update(item.ref, token(), {SUBJECT: "Second"}, item.raw, item.activity.view))
    assert isinstance(outcome, VersionMismatch | NotFound)
    assert world.hand.subject(item.ref.id) is None


def test_a_removed_item_is_gone_and_removing_it_again_changes_nothing(world: World) -> None:
    item = made(world, "removed-1", view("Short-lived"))
    done(world.store, Remove(item.ref, token()))
    assert list(world.store.read([item.ref.id])) == [Gone(item.ref.id)]
    assert isinstance(only(world.store, Remove(item.ref, token())), Written | NotFound)


def test_a_removal_of_a_stale_version_is_refused(world: World) -> None:
    if not world.store.capabilities.versions_deletes:
        pytest.skip("this service deletes whatever is there")
    item = seen(world.store, world.hand.add("kept-1", "First"))
    world.hand.retitle(item.ref.id, "Second")
    assert isinstance(only(world.store, Remove(item.ref, token())), VersionMismatch)
    assert world.hand.subject(item.ref.id) == "Second"


def test_a_repeated_create_makes_no_second_item(world: World) -> None:
    write = create(world, "repeated-1", view("Once"))
    first = done(world.store, write)
    found = world.store.find(write.uid, write.token)
    assert isinstance(found, Seen)
    assert found.ref.id == first.ref.id
    if world.store.capabilities.versions_creates and not world.holds_twins:
        again = only(world.store, write)
        assert isinstance(again, Written | VersionMismatch)
    assert [ref.id for ref in world.store.changes(None).items] == [first.ref.id]


def test_a_create_never_replaces_an_item_with_the_same_uid(world: World) -> None:
    if not world.store.capabilities.versions_creates:
        pytest.skip("this service can't be told to create and not to replace")
    there = world.hand.add("taken-1", "Theirs")
    outcome = only(world.store, create(world, "taken-1", view("Ours")))
    assert isinstance(outcome, Written if world.holds_twins else VersionMismatch)
    assert world.hand.subject(there) == "Theirs"


def test_an_item_is_found_by_its_uid_and_an_unknown_one_is_not(world: World) -> None:
    made(world, "sought-1", view("Here"))
    found = world.store.find("sought-1", "token of sought-1")
    assert isinstance(found, Seen)
    assert found.activity.view[SUBJECT] == "Here"
    assert world.store.find("never-made", "token of never-made") is None


def test_an_id_that_never_was_reads_as_gone(world: World) -> None:
    item = made(world, "neighbour-1", view("Here"))
    renamed = item.ref.id.replace("neighbour-1", "stranger-1")
    stranger = renamed if renamed != item.ref.id else f"{item.ref.id}x"
    readings = {type(reading) for reading in world.store.read([item.ref.id, stranger])}
    assert readings == {Seen, Gone}


def test_the_first_listing_is_complete_and_says_so(world: World) -> None:
    ids = {world.hand.add(f"listed-{number}", f"Event {number}") for number in range(5)}
    changes = world.store.changes(None)
    assert changes.complete
    assert {ref.id for ref in changes.items} == ids
    assert bool(changes.cursor) == world.has_feed


def test_a_quiet_calendar_has_no_changes(world: World) -> None:
    world.hand.add("quiet-1", "Nothing happens")
    needs_feed(world)
    cursor = world.store.changes(None).cursor
    changes = world.store.changes(cursor)
    assert (list(changes.items), list(changes.gone), changes.complete) == ([], [], False)


def test_the_feed_tells_of_additions_edits_and_removals(world: World) -> None:
    needs_feed(world)
    kept, edited, removed = (world.hand.add(f"fed-{number}", f"Event {number}") for number in range(3))
    cursor = world.store.changes(None).cursor
    added = world.hand.add("fed-new", "New")
    world.hand.retitle(edited, "Edited")
    world.hand.remove(removed)
    changes = world.store.changes(cursor)
    listed = {ref.id for ref in changes.items}
    assert {added, edited} <= listed
    assert removed not in listed
    if changes.complete:
        assert kept in listed
    else:
        assert list(changes.gone) == [removed]
        assert kept not in listed
    again = world.store.changes(changes.cursor)
    assert not again.items
    assert not again.gone


def test_the_feed_has_the_versions_that_reading_gives(world: World) -> None:
    ids = [world.hand.add(f"versioned-{number}", "Event") for number in range(3)]
    listed = {ref.id: ref.version for ref in world.store.changes(None).items}
    read = {item: seen(world.store, item).ref.version for item in ids}
    assert all(listed[item] in {"", read[item]} for item in ids)


def test_the_echo_of_a_write_has_the_version_that_the_write_was_told(world: World) -> None:
    cursor = world.store.changes(None).cursor
    written = done(world.store, create(world, "echo-1", view("Echo")))
    [echo] = world.store.changes(cursor).items
    assert echo.id == written.ref.id
    assert "" in {echo.version, written.ref.version} or echo.version == written.ref.version


def test_a_version_changes_with_every_edit(world: World) -> None:
    item = made(world, "moving-1", view("One"))
    versions = {item.ref.version}
    for subject in ("Two", "Three"):
        done(world.store, Update(item.ref, token(), {SUBJECT: subject}, item.raw, item.activity.view))
        item = seen(world.store, item.ref.id)
        versions.add(item.ref.version)
    assert len(versions) == 3


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", '{"calendar": "https://elsewhere.example/", "token": "x", "ctag": ""}']
)
def test_a_cursor_from_elsewhere_has_expired(world: World, cursor: str) -> None:
    needs_feed(world)
    with pytest.raises(CursorExpired):
        world.store.changes(cursor)


def test_after_a_cursor_has_expired_everything_is_listed(world: World) -> None:
    if world.expire is None:
        pytest.skip("this server can't be told to forget")
    ids = {world.hand.add(f"again-{number}", "Event") for number in range(3)}
    cursor = world.store.changes(None).cursor
    world.expire()
    try:
        changes = world.store.changes(cursor)
    except CursorExpired:
        changes = world.store.changes(None)
    assert changes.complete
    assert {ref.id for ref in changes.items} == ids


def test_every_id_gets_exactly_one_reading(world: World) -> None:
    ids = [world.hand.add(f"many-{number}", f"Event {number}") for number in range(25)]
    world.hand.remove(ids[7])
    readings = list(world.store.read(ids))
    assert len(readings) == 25
    by_id = {(reading.ref.id if isinstance(reading, Seen) else reading.id): reading for reading in readings}
    assert set(by_id) == set(ids)
    assert by_id[ids[7]] == Gone(ids[7])
    subjects = {reading.activity.view[SUBJECT] for reading in readings if isinstance(reading, Seen)}
    assert subjects == {f"Event {number}" for number in range(25) if number != 7}


def test_independent_writes_have_one_outcome_each(world: World) -> None:
    writes = [create(world, f"flock-{number}", view(f"Event {number}")) for number in range(20)]
    outcomes = dict(zip(range(20), world.store.write(writes), strict=True))
    assert {write.token for write, _ in outcomes.values()} == {write.token for write in writes}
    assert all(isinstance(outcome, Written) for _, outcome in outcomes.values())
    assert len(world.store.changes(None).items) == 20


def test_one_bad_write_does_not_stop_the_others(world: World) -> None:
    stale = seen(world.store, world.hand.add("stale-2", "First"))
    world.hand.retitle(stale.ref.id, "Second")
    bad = Update(stale.ref, "bad", {SUBJECT: "Never"}, stale.raw, stale.activity.view)
    good = [create(world, f"good-{number}", view("Good")) for number in range(6)]
    outcomes = {write.token: outcome for write, outcome in world.store.write([*good[:3], bad, *good[3:]])}
    assert isinstance(outcomes.pop("bad"), VersionMismatch)
    assert len(outcomes) == 6
    assert all(isinstance(outcome, Written) for outcome in outcomes.values())


def test_writes_that_were_not_begun_when_the_iterator_is_closed_never_happen(world: World) -> None:
    writes = [create(world, f"early-{number}", view("Early")) for number in range(world.batch)]
    outcomes = iter(world.store.write(writes))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # every store's write is a generator
    there = len(world.store.changes(None).items)
    assert 1 <= there < world.batch
    assert len(world.store.changes(None).items) == there


@pytest.mark.parametrize("uid", HOSTILE_UIDS)
def test_hostile_uids_are_created_found_changed_and_removed(world: World, uid: str) -> None:
    item = made(world, uid, view("Hostile"))
    assert item.activity.uid == uid
    found = world.store.find(uid, f"token of {uid}")
    assert isinstance(found, Seen)
    assert found.ref == item.ref
    done(world.store, Update(item.ref, token(), {SUBJECT: "Tamed"}, item.raw, item.activity.view))
    [listed] = world.store.changes(None).items
    tamed = seen(world.store, listed.id)
    assert tamed.activity.view[SUBJECT] == "Tamed"
    done(world.store, Remove(tamed.ref, token()))
    assert not world.store.changes(None).items


def test_a_series_reads_back_as_one_item(world: World) -> None:
    skipped = datetime(2030, 1, 14)
    meant = view("Weekly", repeat="FREQ=WEEKLY;COUNT=5", skip=frozenset({skipped.date()}))
    item = made(world, "series-1", meant)
    assert item.activity.view[SUBJECT] == "Weekly"
    assert "WEEKLY" in str(item.activity.view[Key(Field.REPEAT)])
    assert Key(Field.SKIP) in item.activity.view
    assert len(world.store.changes(None).items) == 1
