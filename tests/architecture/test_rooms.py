"""Who may know whom, and who may do what: import-linter draws the floors, these draw the rest."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.architecture.sources import PACKAGES, ROOT, Source, sources

# What a pure module may take from outside: values and reckoning, nothing that touches the world.
_PURE = {
    "__future__", "bisect", "calendar", "collections", "dataclasses", "datetime", "difflib", "enum", "fractions",
    "functools", "hashlib", "heapq", "itertools", "math", "re", "string", "types", "typing", "unicodedata", "zoneinfo",
    "dateutil",
}  # fmt: skip
# The composition, and what stands above it.
_EVERYBODY = (
    "daemon/__main__.py", "daemon/app.py", "daemon/accounts.py", "daemon/sign_in.py", "daemon/known_servers.py",
    "daemon/keepsake.py", "daemon/service.py", "daemon/service_status.py",
    "daemon/config_in_force.py", "daemon/cli/", "daemon/demo/",
    "daemon/doctor/", "daemon/orders/",
)  # fmt: skip
_CLOCKS = {
    "datetime.now", "datetime.today", "datetime.utcnow", "date.today", "time.time", "time.time_ns", "time.localtime",
    "time.sleep", "time.monotonic", "uuid.uuid1", "uuid.uuid4", "os.urandom", "random.random", "random.uniform",
    "random.choice", "random.randint", "random.Random", "secrets.token_hex", "secrets.token_urlsafe", "uuid4",
}  # fmt: skip
# Where time and chance come from. The defaults of two sessions count seconds of waiting, and tests hand in others.
_MAY_ASK = (
    "daemon/clock.py", "daemon/app.py", "daemon/keepsake.py", "daemon/service.py",
    "daemon/cli/", "daemon/demo/", "daemon/doctor/",
)  # fmt: skip
_EDGE = ("daemon/loop/__init__.py", "daemon/loop/workers.py")
_NO_NAMES = {"utils", "helpers", "common", "misc", "manager", "http", "caldav", "google", "types"}


def _found(what: list[str]) -> None:
    assert not what, "\n" + "\n".join(what)


def test_the_core_touches_nothing_outside_itself():
    _found(
        [
            f"{source.name} imports {one}"
            for source in sources("daemon/core")
            for one in sorted(source.imports)
            if one.split(".")[0] not in _PURE and not one.startswith("daemon.core")
        ]
    )


def test_codecs_are_pure():
    banned = ("os", "pathlib", "logging", "structlog", "socket", "time", "adapters.net.transport", "adapters.net.wire")
    codecs = [source for source in sources("adapters") if source.name.endswith("_codec.py")]
    assert codecs
    _found([f"{source.name} imports {one}" for source in codecs for one in source.imports_any(*banned)])


def test_adapters_and_config_know_the_core_alone():
    _found(
        [
            f"{source.name} imports {one}"
            for source in sources("adapters", "config")
            for one in source.imports_any("daemon")
            if one != "daemon.core" and not one.startswith("daemon.core.")
        ]
    )


def test_the_daemon_is_handed_stores_and_plain_values():
    _found(
        [
            f"{source.name} imports {one}"
            for source in sources("daemon")
            if not source.is_in(*_EVERYBODY)
            for one in source.imports_any("adapters", "config", "daemon.app", "daemon.cli")
        ]
    )


def test_a_store_knows_no_other_store():
    stores = [source for source in sources("adapters") if source.name.endswith("_store.py")]
    names = {source.module for source in stores}
    _found(
        [
            f"{source.name} imports {one}"
            for source in stores
            for one in source.imports_any(*(names - {source.module}))
            if source.module != "adapters.google_calendar.google_store"
            or not one.startswith("adapters.dav.caldav_store")
        ]
    )


def test_only_the_composition_asks_for_time_and_chance():
    _found(
        [
            f"{source.name}:{line}: {name}"
            for source in sources()
            if not source.is_in(*_MAY_ASK)
            for line, name in source.dotted
            if name in _CLOCKS and not _is_default(source, line)
        ]
        + [f"{source.name} imports {one}" for source in sources("daemon/core") for one in source.imports_any("random")]
    )


def _is_default(source: Source, line: int) -> bool:
    """Whether it is the default of an argument: a clock that a caller may replace."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
            if any(one.lineno == line and isinstance(one, ast.Attribute) for one in defaults):
                return True
    return False


def test_only_the_journal_opens_a_database():
    _found(
        [
            f"{source.name} imports {one}"
            for source in sources()
            if not source.is_in("daemon/journal/")
            for one in source.imports_any("sqlite3")
        ]
    )


def test_whatever_goes_wrong_is_caught_at_the_edge_of_the_loop_alone():
    _found(
        [
            f"{source.name}:{handler.lineno}"
            for source in sources()
            if not source.is_in(*_EDGE)
            for handler in ast.walk(source.tree)
            if isinstance(handler, ast.ExceptHandler) and _catches_all(handler) and not _lets_it_go_on(handler)
        ]
    )


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in kinds
    )


def _lets_it_go_on(handler: ast.ExceptHandler) -> bool:
    """Whether it raises the same again, or hands it to another thread, which does."""
    again = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    handed = any(isinstance(node, ast.Call) and ast.unparse(node).startswith("_Failed(") for node in ast.walk(handler))
    return again or handed


def test_only_the_command_line_prints():
    _found(
        [
            f"{source.name}:{node.lineno}"
            for source in sources()
            if not source.is_in("daemon/cli/", "daemon/demo/")
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
    )


def test_no_module_has_a_name_that_says_nothing_or_hides_another():
    _found([source.name for source in sources() if source.path.stem in _NO_NAMES])


def test_nothing_needs_the_packages_that_would_clash_with_ours():
    for source in sources(*PACKAGES, "tests"):
        assert not source.imports_any("systemd", "lockfile"), source.name
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for name in ("python-daemon", "systemd-python"):
        assert name not in text


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_can_be_imported_without_running_anything(package):
    assert not (ROOT / package / "__init__.py").read_bytes().strip()
    assert package not in sys.stdlib_module_names
