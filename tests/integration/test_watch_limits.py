"""The kernel's limits on watches: met in a user namespace of the test's own, so that nobody else feels them."""

import subprocess
import sys
import textwrap

import pytest

WATCH = textwrap.dedent(
    """
    import queue, sys
    from datetime import timedelta
    from pathlib import Path
    from daemon.clock import SystemClock
    from daemon.watch import Rhythm, Watcher

    store, knob, limit, later = Path(sys.argv[1]), Path("/proc/sys/user") / sys.argv[2], sys.argv[3], sys.argv[4]
    knob.write_text(limit)
    told = queue.Queue()
    quick = Rhythm(check=timedelta(seconds=0.1), scan=timedelta(seconds=0.1), retry=timedelta(seconds=0.1))
    watcher = Watcher(store, told.put, clock=SystemClock(), rhythm=quick)
    watcher.start()
    assert told.get(timeout=20) is None
    if later == "new folders":
        print(watcher.watching.how.value)
        for number in range(20):
            (store / f"new{number}").mkdir()
    while watcher.watching.how.value != "polling":
        assert told.get(timeout=20) is None
    print(watcher.watching.code, "|", watcher.watching.cure)
    for _ in range(3):
        assert told.get(timeout=20) is None
    knob.write_text("1000")
    while watcher.watching.how.value != "events":
        told.get(timeout=20)
    (store / "a.yaml").write_text("subject: Call")
    while told.get(timeout=20) != {"a.yaml"}:
        pass
    print("restored")
    watcher.stop()
    """
)


def watch_with(store, knob, limit, later="nothing"):
    unshare = ["unshare", "--user", "--map-root-user"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody make a user namespace, which the kernel's limits are set in")
    result = subprocess.run(
        [*unshare, sys.executable, "-c", WATCH, str(store), knob, str(limit), later],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_more_folders_than_watches_are_polled_with_the_cure_said_once_until_the_limit_is_raised(tmp_path):
    for number in range(20):
        (tmp_path / str(number)).mkdir()
    said = watch_with(tmp_path, "max_inotify_watches", 5)
    assert "inotify_watches | raise fs.inotify.max_user_watches" in said
    assert said.count("watch_degraded") == 1
    assert said.rstrip().endswith("restored")


def test_a_limit_that_is_reached_by_new_folders_is_noticed_too(tmp_path):
    said = watch_with(tmp_path, "max_inotify_watches", 5, "new folders")
    assert "events" in said
    assert "inotify_watches | raise fs.inotify.max_user_watches" in said
    assert said.rstrip().endswith("restored")


def test_too_many_watching_programs_are_told_from_too_many_folders(tmp_path):
    said = watch_with(tmp_path, "max_inotify_instances", 0)
    assert "inotify_instances | raise fs.inotify.max_user_instances" in said
    assert said.rstrip().endswith("restored")
