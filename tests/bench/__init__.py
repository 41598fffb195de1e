"""Figures of Datebook beside vdirsyncer and a floor client, measured in one run: `python -m tests.bench`."""
