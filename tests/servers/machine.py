"""A little Debian that boots under systemd-nspawn: the project and its Python are mounted into it, read-only.

`python -m tests.servers.machine` makes the tree (a minute or two, once), boots it and says how long that took.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).parents[2]
TREES = PROJECT / ".systemd"
_PACKAGES = "systemd,systemd-sysv,dbus,libpam-systemd,python3"  # python3: the libraries that a Python needs
_ADDED = ("debootstrap", "systemd-container")
_BOOT_LIMIT = 60.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CannotBoot(Exception):
    """Why this machine can't boot another one."""


def tree() -> Path:
    """The root file system to boot, made if need be. Raises CannotBoot with the exact reason."""
    if sys.platform != "linux" or os.getuid() != 0:
        raise CannotBoot("only root can boot a system with systemd-nspawn")
    if PROJECT.parts[1:2] == ("tmp",):
        raise CannotBoot("the checkout is below /tmp, which PrivateTmp= hides from the service")
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    made = TREES / suite
    TREES.mkdir(exist_ok=True)
    with (TREES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker of the tests may be at it
        _make(made, suite)
    return made


def _make(made: Path, suite: str) -> None:
    _install_tools(made)
    if not (made / "datebook-made").exists():
        shutil.rmtree(made, ignore_errors=True)
        # What a crash would lose is made again: no write waits for the disk.
        _run(["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, str(made)], "make a tree")
        shutil.rmtree(made / "var" / "cache" / "apt", ignore_errors=True)
        (made / "etc" / "machine-id").unlink(missing_ok=True)
        (made / "root").chmod(0o711)  # a Python may be below it
        (made / "datebook-made").touch()


def _install_tools(made: Path) -> None:
    wanted = [tool for tool in ("debootstrap", "systemd-nspawn") if not shutil.which(tool)]
    if not wanted or ((made / "datebook-made").exists() and wanted == ["debootstrap"]):
        return
    if not shutil.which("apt-get"):
        raise CannotBoot(f"{', '.join(wanted)} missing, and there is no apt-get to install them with")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *_ADDED]
    try:
        _run(install, "install its tools")
    except CannotBoot:
        _run(["apt-get", "update"], "reach its package source")
        _run(install, "install its tools")


def _run(command: list[str], aim: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise CannotBoot(f"this machine can't {aim}: {command[0]} ended with {done.returncode}: {' '.join(last)}")


@dataclass
class Machine:
    """The booted system; everything that is written there is gone with it. It shares this machine's loopback."""

    root: Path
    process: subprocess.Popen[bytes] | None = None
    leader: int = 0
    log: Path = field(default_factory=lambda: TREES / f"boot-{os.getpid()}.log")

    def __enter__(self) -> Self:
        command = ["systemd-nspawn", f"--directory={self._overlaid()}", f"--machine=datebook-{os.getpid()}"]
        command += ["--register=no", "--keep-unit", "--quiet", "--console=pipe", "--boot"]
        command += [f"--bind-ro={path}:{path}:norbind" for path in mounted()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def _overlaid(self) -> Path:
        """The tree under a layer in memory, of this process alone: nspawn lets nobody else boot the same folder."""
        layer, merged = self._layer, self._layer / "merged"
        layer.mkdir(exist_ok=True)
        _run(["mount", "-t", "tmpfs", "tmpfs", str(layer)], "mount a tmpfs")
        for folder in ("upper", "work", "merged"):
            (layer / folder).mkdir()
        options = f"lowerdir={self.root},upperdir={layer}/upper,workdir={layer}/work"
        _run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], "mount an overlay")
        return merged

    @property
    def _layer(self) -> Path:
        return TREES / f"layer-{os.getpid()}"

    def _wait_until_up(self) -> None:
        until = time.monotonic() + _BOOT_LIMIT
        while True:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > until:
                lines = self.log.read_text(errors="replace").strip().splitlines()
                raise CannotBoot(f"systemd-nspawn does not boot here: {' | '.join(lines[-3:])}")
            self.leader = _only_child(self.process.pid)  # at first a helper of nspawn's own
            if self.leader and self.run("systemctl is-system-running").stdout.strip() in {"running", "degraded"}:
                return
            time.sleep(0.1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Power it off."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        for mounted in (self._layer / "merged", self._layer):
            subprocess.run(["umount", "--lazy", str(mounted)], capture_output=True, check=False)
        if self._layer.exists():
            self._layer.rmdir()
        self.log.unlink(missing_ok=True)

    def path(self, inside: str) -> Path:
        """A path of that system, as this one reaches it."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def run(self, command: str, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell command there, as root or as another user (who has no login session)."""
        inner = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env"] if user else []
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--pid", "--cgroup"]
        whole = [*enter, "env", "-i", f"PATH={_PATH}", "LC_ALL=C.UTF-8", *inner, "sh", "-c", command]
        return subprocess.run(whole, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)

    def datebook(self, arguments: str, user: str = "") -> subprocess.CompletedProcess[str]:
        """Give a command of the program there."""
        return self.run(f"{shlex.quote(str(Path(sys.executable).with_name('datebook')))} {arguments}", user)


def mounted() -> list[Path]:
    """The project, its environment, and the Python that made it; a distribution's own Python is there already."""
    wanted = {PROJECT, Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}
    return sorted(path for path in wanted if not any(path != other and other in path.parents for other in wanted))


def _only_child(pid: int) -> int:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(children[0]) if children else 0


if __name__ == "__main__":
    began = time.monotonic()
    with Machine(tree()) as machine:
        print(f"up after {time.monotonic() - began:.0f} s")
        print(machine.run("systemctl --version; systemctl --failed --no-pager").stdout)
        print(machine.datebook("--version").stdout)
