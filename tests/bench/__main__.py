"""`python -m tests.bench [--sizes 100,1000,10000]`: measures, and prints one table.

The whole takes about 6 minutes on two quiet cores: 2 of them are the uploads to Radicale, which spends 40 ms and
more of its own CPU on each of 3,000 PUTs (`--no-radicale` leaves them out); `--sizes 1000 --alone` takes one.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.environments import compile_all, install, keep_runs_apart
from tests.bench.figures import Figure, head, row
from tests.bench.rival import version
from tests.bench.runs import Bench, straight, with_latency
from tests.bench.server import Measured
from tests.servers.null_dav import null_dav
from tests.servers.radicale_server import radicale

_HOME = Path(__file__).parents[2] / ".bench"
_SLOW = 1_000


def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Print each figure as soon as it is known; all of them."""
    rival = None if options.alone else install(_HOME / "vdirsyncer", "vdirsyncer") / "vdirsyncer"
    ours = install(_HOME / "datebook", "--editable", str(_HOME.parent)) / "python"
    compile_all(ours, *(_HOME.parent / room for room in ("daemon", "adapters", "config")))
    print(f"beside vdirsyncer {version(rival)}" if rival else "alone", flush=True)
    print(head())
    figures: list[Figure] = []

    def show(figure: Figure) -> None:
        figures.append(figure)
        print(row(figure), flush=True)

    with null_dav() as program:
        bench = Bench(folder, ours, Measured(program), rival)
        for count in options.sizes:
            for figure in bench.size(count):
                show(figure)
        show(with_latency(bench, min(_SLOW, max(options.sizes)), 0.1))
    if options.radicale:
        print("against Radicale, which spends 40 ms of its own CPU on a PUT:", flush=True)
        with radicale() as program:
            bench = Bench(folder / "radicale", ours, Measured(program, counting=False), rival)
            for figure in bench.first(_SLOW):
                show(figure)
    return figures


def main() -> int:
    """Run the bench; 1 where a figure is not reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    sizes = parser.add_argument("--sizes", default="100,1000,10000", help="numbers of events, with commas between")
    parser.add_argument("--alone", action="store_true", help="without vdirsyncer")
    parser.add_argument("--radicale", action=argparse.BooleanOptionalAction, default=None, help="1,000 on Radicale too")
    parser.add_argument("--keep", action="store_true", help="leave the folders for a look")
    options = parser.parse_args()
    try:
        options.sizes = [int(word) for word in options.sizes.split(",")]
    except ValueError:
        parser.error(f"{sizes.option_strings[0]}: numbers with commas between, not {options.sizes!r}")
    if options.radicale is None:
        options.radicale = max(options.sizes) > _SLOW
    _HOME.mkdir(exist_ok=True)
    keep_runs_apart(_HOME)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # and not without clearing up
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=_HOME))
    start = time.monotonic()
    try:
        figures = measure(options, folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    for line in straight(figures):
        print(line)
    missed = sum(figure.verdict.startswith("NO") for figure in figures)
    asked = sum(bool(figure.verdict) for figure in figures)
    print(f"{asked - missed} of {asked} figures reached, in {time.monotonic() - start:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
