"""Several requests in flight at once, over items of which only so many have begun."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Done(Generic[Result]):
    value: Result


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


@dataclass(frozen=True, slots=True)
class _Idle:
    """A worker has nothing left to do."""


def in_flight(work: Callable[[Item], Result], items: Sequence[Item], width: int) -> Iterator[Result]:
    """The results of `work`, in the order in which they are ready, with at most `width` at work at once.

    An error of one is raised here. Closing the iterator lets those at work finish and begins no more.
    At most `width` results wait to be taken, so a slow reader bounds the memory.
    """
    if width <= 1 or len(items) <= 1:
        yield from map(work, items)
        return
    crew = _Crew(work, items, min(width, len(items)))
    try:
        yield from crew.results()
    finally:
        crew.stop()


class _Crew(Generic[Item, Result]):
    def __init__(self, work: Callable[[Item], Result], items: Sequence[Item], width: int) -> None:
        self._work, self._items = work, iter(items)
        self._lock, self._room = threading.Lock(), threading.Semaphore(2 * width)
        self._stopped = False
        self._out: SimpleQueue[_Done[Result] | _Failed | _Idle] = SimpleQueue()
        self._workers = [threading.Thread(target=self._run, daemon=True) for _ in range(width)]
        for worker in self._workers:
            worker.start()

    def results(self) -> Iterator[Result]:
        idle = 0
        while idle < len(self._workers):
            got = self._out.get()
            self._room.release()
            match got:
                case _Done():
                    yield got.value
                case _Failed():
                    raise got.error
                case _Idle():
                    idle += 1

    def stop(self) -> None:
        self._stopped = True
        for _ in self._workers:
            self._room.release()
        for worker in self._workers:
            worker.join()

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # noqa: BLE001  handed to the thread that asked, which raises it
            self._out.put(_Failed(error))
        self._out.put(_Idle())

    def _step(self) -> bool:
        self._room.acquire()
        with self._lock:
            if self._stopped:
                return False
            try:
                item = next(self._items)
            except StopIteration:
                return False
        self._out.put(_Done(self._work(item)))
        return True
