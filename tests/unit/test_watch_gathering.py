"""Many events, few wake-ups: the debounce, in plain numbers."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.watch.gathering import Gathering


def test_nothing_touched_is_nothing_due():
    gathering = Gathering()
    assert gathering.due() is None
    assert gathering.take(100.0) == frozenset()


def test_a_save_is_told_200_ms_after_its_last_event():
    gathering = Gathering()
    gathering.add("a.yaml", 10.0, settled=False)
    gathering.add("a.yaml", 10.05, settled=True)
    assert gathering.due() == 10.25
    assert gathering.take(10.24) == frozenset()
    assert gathering.take(10.25) == {"a.yaml"}
    assert gathering.due() is None


def test_a_stream_of_saves_is_told_after_one_second_at_the_latest():
    gathering = Gathering()
    for step in range(20):
        gathering.add("a.yaml", 10.0 + step * 0.1, settled=True)
        if gathering.take(10.0 + step * 0.1):
            assert step == 10
            return
    raise AssertionError("the stream held itself up")


def test_a_file_that_is_still_being_written_waits_for_its_close_but_not_for_ever():
    gathering = Gathering()
    gathering.add("slow.yaml", 10.0, settled=False)
    gathering.add("saved.yaml", 10.1, settled=True)
    assert gathering.take(10.5) == {"saved.yaml"}
    assert gathering.take(11.0) == {"slow.yaml"}


def test_a_checkout_of_a_thousand_files_in_three_seconds_is_four_wake_ups_at_most():
    gathering, told, wake_ups = Gathering(), set(), 0
    for number in range(1000):
        now = 10.0 + number * 0.003
        gathering.add(f"{number}.yaml", now, settled=True)
        places = gathering.take(now)
        wake_ups += bool(places)
        told |= places or set()
    told |= gathering.take(20.0) or set()
    assert told == {f"{number}.yaml" for number in range(1000)}
    assert wake_ups + 1 <= 4


def test_everywhere_swallows_the_places_and_is_told_once():
    gathering = Gathering()
    gathering.add("a.yaml", 10.0, settled=True)
    gathering.add_everywhere(10.1)
    gathering.add("b.yaml", 10.2, settled=True)
    assert gathering.take(10.39) == frozenset()
    assert gathering.take(10.4) is None
    assert gathering.due() is None
    assert gathering.take(20.0) == frozenset()


def test_too_many_places_become_everywhere():
    gathering = Gathering(many=10)
    for number in range(11):
        gathering.add(f"{number}.yaml", 10.0, settled=True)
    assert gathering.take(10.2) is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.0, 0.5), st.booleans()), max_size=60))
def test_every_place_is_told_within_a_second_of_its_event_and_none_is_invented(events):
    gathering, now, waiting = Gathering(), 0.0, {}
    for name, pause, settled in events:
        end = now + pause
        while (due := gathering.due()) is not None and due <= end:
            for place in gathering.take(due) or ():
                assert due - waiting.pop(place) <= 1.0 + 1e-9
        now = end
        waiting.setdefault(name, now)
        gathering.add(name, now, settled=settled)
    while (due := gathering.due()) is not None:
        for place in gathering.take(due) or ():
            assert due - waiting.pop(place) <= 1.0 + 1e-9
    assert not waiting
