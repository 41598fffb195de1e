"""Radicale from PyPI, as its users run it: `python -m tests.servers.radicale_server --port 5232`."""

from __future__ import annotations

import argparse
import sys

from tests.servers.program import Program, free_port, serve_by_hand, temporary_folder


def radicale(port: int = 0, *, auth: str = "none") -> Program:
    """Radicale with a folder of its own; any user and password will do (`auth`: its [auth] type)."""
    port = port or free_port()
    folder = temporary_folder("radicale")
    (folder / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = {auth}\n[rights]\ntype = authenticated\n"
        f"[storage]\nfilesystem_folder = {folder / 'collections'}\n[web]\ntype = none\n[logging]\nlevel = warning\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "radicale", "--config", str(folder / "config")]
    return Program(command, port, f"http://127.0.0.1:{port}/me/", folder=folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    serve_by_hand(radicale(parser.parse_args().port))
