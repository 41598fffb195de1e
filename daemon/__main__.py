"""`python -m daemon` is the command `datebook`."""

from daemon.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
