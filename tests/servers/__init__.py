"""Real little servers for tests and benches, each on a free loopback port.

Every module can be run by hand (`python -m tests.servers.null_dav --port 5555`) and used from pytest.
"""
