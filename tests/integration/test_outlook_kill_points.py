"""kill -9 at every request, answer and commit of a sync with a mailbox: the next plain syncs end where they would have.

Exchange and Microsoft 365 make a series in several requests, and Exchange knows no way to ask for one item twice
and get one: both are where a killed program could double or lose something. And again with the same items edited
once more between the kill and the restart. In none of it does anybody get a mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.kill_points import Stage, stage_on
from tests.servers.local_mailbox import on_exchange, on_graph

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILE = "# mine\nsubject: {title}\ndue_date: 2030-11-25\ndue_time: 9:00\n"
SERIES = FILE + "repeat: FREQ=WEEKLY;COUNT=8\nskip: [2030-12-09]\nchanges:\n  2030-12-16: {{due_time: 11:00}}\n"
EVENT = "DTSTART;TZID=Europe/Helsinki:20301125T120000\nDTEND;TZID=Europe/Helsinki:20301125T130000\nSUMMARY:{title}\n"
GUESTS = "ORGANIZER:mailto:me@example.com\nATTENDEE;CN=Anna:mailto:anna@example.org\n"
TOUCHES = {"before send", "after send", "before receive", "before commit", "after commit"}
SERVES = {"exchange": on_exchange, "microsoft365": on_graph}


def edit_file(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, text
    path.write_text(text.replace(old, new))


def set_up(stage: Stage) -> None:
    """Four files, three events and a meeting in step; then every kind of change on both sides."""
    events = stage.dav.calendar
    stage.sync()
    for name in ("edited", "removed", "both"):
        (stage.store / f"{name}.yaml").write_text(FILE.format(title=name))
    (stage.store / "series.yaml").write_text(SERIES.format(title="series"))
    for name in ("one", "two", "three"):
        events.put(name, EVENT.format(title=name))
    events.put("meeting", EVENT.format(title="meeting") + GUESTS)
    stage.sync(3)
    (stage.store / "new.yaml").write_text(FILE.format(title="new"))
    (stage.store / "new-series.yaml").write_text(SERIES.format(title="new series"))
    edit_file(stage.store / "edited.yaml", "subject: edited", "subject: edited here")
    edit_file(stage.store / "series.yaml", "due_time: 9:00", "due_time: 9:30")
    edit_file(stage.store / "series.yaml", "{due_time: 11:00}", "{due_time: 11:00, subject: big one}")
    (stage.store / "removed.yaml").unlink()
    edit_file(stage.store / "both.yaml", "subject: both", "subject: both here")
    edit(stage, "both", {"LOCATION": "There"})
    events.put("four", EVENT.format(title="four"))
    edit(stage, "one", {"SUMMARY": "one there"})
    events.drop("two")
    stage.keep()


def edit(stage: Stage, title: str, change: dict[str, str]) -> None:
    """Somebody edits the event that has this title now."""
    events = stage.dav.calendar
    uid = next(uid for uid, text in events.events().items() if f"SUMMARY:{title}\n" in text)
    events.edit(uid, change, None)


@pytest.fixture(params=SERVES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    box = SERVES[request.param]()
    with stage_on(tmp_path / "stage", box, "ask", box.account(tmp_path / "stage" / "here")) as made:
        set_up(made)
        yield made


def kills(stage: Stage, most: int) -> Iterator[str]:
    """Kill a sync at the requests, answers and commits that it has, at `most` of them, spread over the whole."""
    stage.begin()
    steps = [(number, name) for number, name in enumerate(stage.steps(), 1) if name in TOUCHES]
    assert len(steps) > 40
    for number, name in steps[:: max(1, len(steps) // most)]:
        stage.begin()
        stage.killed_at(number)
        stage.dav.texts()
        yield f"killed at step {number}: {name}"


def ends_as_undisturbed(stage: Stage, most: int) -> None:
    stage.begin()
    stage.sync(3)
    golden = stage.outcome()
    assert (golden["conflicts"], golden["open"], golden["tmp"]) == ([], 0, [])
    assert len(golden["events"]) == len(golden["files"]) == 9, golden
    assert not re.search(r"X-KEPT-datebook-pending:.", "\n".join(golden["events"]))
    for where in kills(stage, most):
        stage.sync(3)
        assert stage.outcome() == golden, where
        assert stage.dav.mails() == [], where


def second_edits_arrive(stage: Stage, edit_again: Callable[[Stage], set[str]], most: int) -> None:
    for where in kills(stage, most):
        wanted = edit_again(stage)
        stage.sync(4)
        after = stage.outcome()
        assert (after["conflicts"], after["open"], after["tmp"]) == ([], 0, []), where
        assert len(after["events"]) == len(after["files"]) == 9, (where, after["files"].keys())
        for title in wanted:
            assert sum(f"subject: {title}\n" in text for text in after["files"].values()) == 1, (where, title)
            assert sum(f"SUMMARY:{title}\n" in text for text in after["events"]) == 1, (where, title)
        assert stage.dav.mails() == [], where


def edited_again_in_files(stage: Stage) -> set[str]:
    """What was just sent, whether it arrived or not."""
    for name, title in (("edited", "edited here"), ("both", "both here"), ("new", "new"), ("series", "series")):
        edit_file(stage.store / f"{name}.yaml", f"subject: {title}\n", f"subject: {name} second\n")
    return {"edited second", "both second", "new second", "series second"}


def edited_again_in_the_calendar(stage: Stage) -> set[str]:
    """What has just come in, or not; where the file's edit has not arrived, another field of that event."""
    edit(stage, "four", {"SUMMARY": "four second"})
    edit(stage, "one there", {"SUMMARY": "one second"})
    for title in ("edited here", "both here"):
        there = any(f"SUMMARY:{title}\n" in text for text in stage.dav.texts().values())
        edit(stage, title if there else title.removesuffix(" here"), {"DESCRIPTION": "second"})
    return {"four second", "one second", "edited here", "both here"}


def test_killed_at_a_request_an_answer_or_a_commit_it_ends_as_if_nothing_had_been(stage: Stage) -> None:
    ends_as_undisturbed(stage, 8)


def test_an_edit_of_the_file_between_the_kill_and_the_restart_is_no_conflict(stage: Stage) -> None:
    second_edits_arrive(stage, edited_again_in_files, 4)


def test_an_edit_in_the_calendar_between_the_kill_and_the_restart_is_no_conflict(stage: Stage) -> None:
    second_edits_arrive(stage, edited_again_in_the_calendar, 4)


@pytest.mark.torture
@pytest.mark.timeout(3600)
class TestAtEveryStep:
    def test_killed(self, stage: Stage) -> None:
        ends_as_undisturbed(stage, 10**6)

    def test_killed_and_edited_again_in_files(self, stage: Stage) -> None:
        second_edits_arrive(stage, edited_again_in_files, 10**6)

    def test_killed_and_edited_again_in_the_calendar(self, stage: Stage) -> None:
        second_edits_arrive(stage, edited_again_in_the_calendar, 10**6)
