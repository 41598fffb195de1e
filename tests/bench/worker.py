"""A warm Datebook in a process of its own: does passes when told to, and says what they took.

It is the daemon without its loop, so that a pass can be measured from its beginning to its end. One command a
line on standard input (`scan`, `quiet`, `places PATH...`), one line of JSON on standard output for each.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from config.places import Places
from daemon.app import App, open_app


def one_pass(app: App, words: list[str]) -> dict[str, float]:
    """Look and sync as the loop does; raises what went wrong."""
    start, wall = time.process_time(), time.monotonic()
    done = 0
    if words[0] != "quiet":
        looked = app.engine.look(words[1:] if words[0] == "places" else None)
        if looked.error is not None:
            raise looked.error
    for route in app.config.routes:
        synced = app.engine.sync(route, poll=words[0] != "places")
        if synced.error is not None:
            raise synced.error
        done += synced.wrote
    return {"cpu": time.process_time() - start, "wall": time.monotonic() - wall, "wrote": done}


def main() -> None:
    """Serve passes until the input ends."""
    places = Places(config=Path(sys.argv[1]), state=Path(sys.argv[2]))
    with open_app(places) as app:
        one_pass(app, ["scan"])
        gc.collect()
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(one_pass(app, line.split())), flush=True)


if __name__ == "__main__":
    main()
