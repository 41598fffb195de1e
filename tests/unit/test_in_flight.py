"""Several requests in flight at once."""

from __future__ import annotations

import threading

import pytest

from adapters.net.in_flight import in_flight


def test_every_item_has_one_result() -> None:
    assert sorted(in_flight(lambda n: n * n, range(100), 7)) == [n * n for n in range(100)]


def test_one_item_or_one_lane_keeps_the_order_and_starts_no_thread() -> None:
    here = threading.get_ident()
    assert list(in_flight(lambda n: (n, threading.get_ident()), [1, 2, 3], 1)) == [(1, here), (2, here), (3, here)]
    assert list(in_flight(lambda _: threading.get_ident(), [1], 8)) == [here]


def test_as_many_are_at_work_at_once_as_are_allowed() -> None:
    everybody = threading.Barrier(5, timeout=5)
    assert len(list(in_flight(lambda _: everybody.wait(), range(20), 5))) == 20
    at_work: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def work(item: int) -> None:
        with lock:
            at_work.append(item)
            most.append(len(at_work))
        with lock:
            at_work.remove(item)

    list(in_flight(work, range(200), 3))
    assert max(most) <= 3


def test_an_error_is_raised_where_the_results_are_taken_and_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 3:
            raise LookupError(item)
        done.append(item)
        return item

    with pytest.raises(LookupError):
        list(in_flight(work, range(10_000), 4))
    assert len(done) < 100


def test_closing_early_begins_no_more_and_waits_for_those_at_work() -> None:
    began: list[int] = []
    ended: list[int] = []

    def work(item: int) -> int:
        began.append(item)
        ended.append(item)
        return item

    results = in_flight(work, range(10_000), 4)
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    count = len(began)
    assert sorted(began) == sorted(ended)
    assert count < 100
    assert len(began) == count


def test_a_slow_reader_holds_the_work_back() -> None:
    began: list[int] = []
    results = in_flight(began.append, range(10_000), 4)
    next(results)
    assert len(began) <= 16
    results.close()  # type: ignore[attr-defined]  # a generator
    assert len(began) <= 16
