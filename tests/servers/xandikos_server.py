"""Xandikos from PyPI, as its users run it: `python -m tests.servers.xandikos_server --port 8080`."""

from __future__ import annotations

import argparse
import sys

from tests.servers.program import Program, free_port, serve_by_hand, temporary_folder


def xandikos(port: int = 0) -> Program:
    """Xandikos with a folder of its own; it asks for no password."""
    port = port or free_port()
    folder = temporary_folder("xandikos")
    command = [sys.executable, "-m", "xandikos", "serve", "-d", str(folder / "data"), "-l", "127.0.0.1"]
    command += ["-p", str(port), "--current-user-principal", "/me/", "--defaults", "--no-detect-systemd"]
    return Program(command, port, f"http://127.0.0.1:{port}/me/calendars/", folder=folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    serve_by_hand(xandikos(parser.parse_args().port))
