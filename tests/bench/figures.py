"""The figures: what each one says, what it is to reach, and the table of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.processes import Cost


@dataclass(frozen=True, slots=True)
class Reach:
    """What a figure is to reach. CPU and wall in seconds, memory in MiB; None: not asked for."""

    cpu: float | None = None
    cpu_each: float | None = None
    wall: float | None = None
    rss: float | None = None
    requests: int | None = None
    received: int | None = None

    def misses(self, cost: Cost, count: int) -> list[str]:
        """What is not reached, in words."""
        asked = (
            ("CPU", cost.cpu, self.cpu),
            ("CPU per event", cost.cpu / count, self.cpu_each),
            ("wall", cost.wall, self.wall),
            ("memory", cost.rss, self.rss),
            ("requests", cost.requests, self.requests),
            ("bytes received", cost.received, self.received),
        )
        return [name for name, has, limit in asked if limit is not None and (has is None or has > limit)]

    def words(self) -> str:
        """The limits, short."""
        said = [
            (self.cpu, lambda v: f"{_seconds(v)} CPU"),
            (self.cpu_each, lambda v: f"{_seconds(v)} CPU each"),
            (self.wall, lambda v: f"{_seconds(v)} wall"),
            (self.rss, lambda v: f"{v:.0f} MiB"),
            (self.requests, lambda v: f"{v} req"),
            (self.received, lambda v: f"{v} B"),
        ]
        return ", ".join(show(value) for value, show in said if value is not None)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what it is about, at how many events, and what each of the three took."""

    name: str
    count: int
    ours: Cost
    rival: Cost | None = None
    floor: float | None = None  # CPU seconds
    reach: Reach = field(default_factory=Reach)

    @property
    def verdict(self) -> str:
        """Yes, NO with what is missed, or nothing where nothing is asked for."""
        if self.reach == Reach():
            return ""
        missed = self.reach.misses(self.ours, self.count)
        return f"NO: {', '.join(missed)}" if missed else "yes"


_COLUMNS = (
    ("figure", 34), ("events", 7), ("vdirsyncer", 26), ("floor", 9), ("Datebook", 42), ("x vdir.", 8), ("x floor", 8),
    ("reach", 34), ("reached", 8),
)  # fmt: skip


def head() -> str:
    """The head of the table."""
    names = " | ".join(name.ljust(width) for name, width in _COLUMNS)
    return f"{names}\n{'-|-'.join('-' * width for _, width in _COLUMNS)}"


def row(figure: Figure) -> str:
    """One line of the table."""
    ours, rival = figure.ours, figure.rival
    cells = (
        figure.name,
        f"{figure.count:,}",
        _cost(rival) if rival else "-",
        _seconds(figure.floor) if figure.floor is not None else "-",
        _cost(ours),
        f"{ours.cpu / rival.cpu:.2f}" if rival and ours.cpu else "-",
        f"{ours.cpu / figure.floor:.1f}" if figure.floor and ours.cpu else "-",
        figure.reach.words() or "-",
        figure.verdict,
    )
    return " | ".join(cell.ljust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))


def _cost(cost: Cost) -> str:
    parts = [f"{_seconds(cost.cpu)} CPU"] if cost.cpu else []
    if cost.wall:
        parts.append(f"{_seconds(cost.wall)} wall")
    if cost.rss:
        parts.append(f"{cost.rss:.0f} MiB")
    if cost.requests is not None:
        parts.append(f"{cost.requests:,} req")
    if cost.received is not None:
        parts.append(_bytes(cost.received))
    return " ".join(parts)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.2f} ms"


def _bytes(value: int) -> str:
    return f"{value} B" if value < 10_000 else f"{value / 1024:,.0f} KiB"
