"""Reads config.yaml into `Config`: everything that is wrong with it is said at once, with its place and cure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.accounts import read_account
from config.keys import Keys
from config.node import Mark, Node, Problems, Section
from config.routes import RouteReader
from config.schema import DEFAULT_TYPES, AccountConfig, Config
from config.values import ValueReader
from daemon.core.errors import ConfigError
from daemon.core.policy import Route

_KEYS = ("store", "shared", "owner", "timezone", "types", "accounts", "calendars", "keep_history_days")
_DEFAULTS: tuple[str, ...] = DEFAULT_TYPES
_NAME = re.compile(r"[A-Za-z0-9][\w.@-]{0,63}", re.ASCII)
_TYPE = re.compile(r"[^\W\d_][\w-]{0,39}")
_MAIL = re.compile(r"[^\s@<>,;:]+@[^\s@<>,;:]+")


def load(path: Path, *, home: Path | None = None) -> Config:
    """The config in the file. Raises ConfigError with every problem, from the top of the file to its bottom."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _no_file(path, error) from error
    return parse_config(data, path, home=home)


def parse_config(data: bytes, path: Path, *, home: Path | None = None) -> Config:
    """The config in `data`, as if it stood in the file `path`."""
    from config.document import parse  # noqa: PLC0415  `status` starts without YAML

    problems = Problems()
    root = parse(data, problems)
    config = None if root is None else _Loader(path, home or Path.home(), problems).config(root)
    if problems.found or config is None:
        raise ConfigError(str(path), problems.in_order())
    return config


def _no_file(path: Path, error: OSError) -> ConfigError:
    problems = Problems()
    if isinstance(error, FileNotFoundError):
        problems.add(None, "There is no config file.", "`datebook init` makes one; --config FILE names another.")
    else:
        reason = error.strerror or type(error).__name__
        problems.add(None, f"The config file can't be read: {reason}.", "Give yourself the right to read it.")
    return ConfigError(str(path), problems.in_order())


class _Loader:
    """Reads the top of the config and hands its sections on."""

    def __init__(self, path: Path, home: Path, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._values = ValueReader(problems, path.absolute().parent, home)

    def config(self, root: Section) -> Config:
        keys, values = Keys(root, "", self._problems), self._values
        keys.only(_KEYS)
        keys.require("store", "Write the folder of your activities, such as `store: ~/Datebook`.")
        types = keys.take("types", self._types, _DEFAULTS)
        shared = keys.take("shared", values.boolean, default=False)
        accounts = dict(self._accounts(keys))
        routes = self._routes(keys, RouteReader(values, types, self._account_names(keys), shared=shared))
        self._refuse_twins(routes, accounts, keys)
        return Config(
            path=self._path,
            store=keys.take("store", values.path, Path()),
            owner=keys.take("owner", self._mail, ""),
            shared=shared,
            timezone=keys.take("timezone", values.zone, ""),
            types=types,
            accounts=accounts,
            routes=routes,
            keep_history_days=keys.take("keep_history_days", lambda n, w: values.count(n, w, 1), 365),
        )

    def _types(self, node: Node, what: str) -> tuple[str, ...] | None:
        types = self._values.choices(node, what, self._type)
        if types == ():
            self._problems.add(node.mark, f"{what} is an empty list.", "Name a type, or leave the key out.")
        return types or None

    def _type(self, node: Node, what: str) -> str | None:
        text = self._values.text(node, what)
        if text is None or _TYPE.fullmatch(text):
            return text
        cure = "A type is one word of letters, digits, `-` and `_`, such as `call`."
        self._problems.add(node.mark, f"{what} can't have `{text}`.", cure)
        return None

    def _mail(self, node: Node, what: str) -> str | None:
        text = self._values.text(node, what)
        if text is None or _MAIL.fullmatch(text):
            return text
        self._problems.add(node.mark, f"{what} must be a mail address.", "Write for example `owner: me@example.com`.")
        return None

    def _sections(self, keys: Keys, key: str) -> Iterator[tuple[str, Section]]:
        """The named sections under a key; wrong ones are noted and left out."""
        whole = keys.section(key)
        for name, node in () if whole is None else whole.entries:
            if not _NAME.fullmatch(name.text):
                cure = "Take letters, digits, `-`, `_` and `.`, at most 64 of them."
                self._problems.add(name.mark, f"`{name.text}` is no name for an entry of `{key}`.", cure)
            elif not isinstance(node, Section):
                cure = "Write its keys below it, indented."
                self._problems.add(name.mark, f"`{key}.{name.text}` must be keys with values.", cure)
            else:
                yield name.text, node

    def _accounts(self, keys: Keys) -> Iterator[tuple[str, AccountConfig]]:
        for name, section in self._sections(keys, "accounts"):
            account = read_account(name, section, self._values)
            if account is not None:
                yield name, account

    @staticmethod
    def _account_names(keys: Keys) -> tuple[str, ...]:
        """Every name under `accounts`, the broken ones too: a calendar of those is not wrong as well."""
        node = keys.node("accounts")
        return tuple(name.text for name, _ in node.entries) if isinstance(node, Section) else ()

    def _routes(self, keys: Keys, reader: RouteReader) -> dict[str, Route]:
        return {name: reader.route(name, section) for name, section in self._sections(keys, "calendars")}

    def _refuse_twins(self, routes: Mapping[str, Route], accounts: Mapping[str, AccountConfig], keys: Keys) -> None:
        """Two routes into one calendar would each take the other's writes for edits."""
        first: dict[tuple[str, ...], str] = {}
        for name, route in routes.items():
            target = _target(route, accounts)
            if target is None:
                continue
            other = first.setdefault(target, name)
            if other != name:
                message = f"`calendars.{name}` leads into the same calendar as `calendars.{other}`."
                self._problems.add(_mark_of(keys, name), message, "Keep one route for each calendar.")


def _target(route: Route, accounts: Mapping[str, AccountConfig]) -> tuple[str, ...] | None:
    account = accounts.get(route.account)
    if account is None:
        return None
    at_service = (account.service, account.url.rstrip("/"), account.user.casefold(), account.tenant)
    return (*at_service, route.calendar.rstrip("/").casefold())


def _mark_of(keys: Keys, name: str) -> Mark:
    node = keys.node("calendars")
    return node.key_mark(name) if isinstance(node, Section) else keys.mark()
