"""Reads the `accounts` of the config: where a sign-in happens, as whom, and where its secret is kept."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from config.keys import Keys
from config.node import Listing, Node, Section, instead
from config.schema import AccountConfig, OAuthClient, SecretRef, SecretSource, Service, TokenHome
from config.values import ValueReader

_KEYS = ("service", "user", "url", "password", "token", "client", "ca", "tenant", "tokens")

_SIGN_IN = frozenset({Service.GOOGLE, Service.MICROSOFT365})

# Exchange Online, of every cloud: EWS is blocked there for new products and ends in April 2027.
_ONLINE = ("outlook.office365.com", "outlook.office.com", "outlook.office365.us", "partner.outlook.cn")

_KEEP = "Keep it elsewhere and say where: `{command: pass show NAME}`, `{keyring: datebook/NAME}` or `{file: PATH}`."

_NEEDS_URL = {
    Service.CALDAV: "Write the server's address, such as `url: https://dav.example.com/`.",
    Service.EXCHANGE: "Write the address of its EWS, such as `url: https://mail.example.com/EWS/Exchange.asmx`.",
}


def read_account(name: str, section: Section, values: ValueReader) -> AccountConfig | None:
    """One account; None when its `service` can't be told (the problem is noted)."""
    keys = Keys(section, f"accounts.{name}", values.problems)
    keys.only(_KEYS)
    if not keys.require("service", f"Write one of: {', '.join(Service)}."):
        return None
    service = keys.take("service", lambda node, what: values.word(node, what, Service), None)
    if service is None:
        return None
    account = AccountConfig(
        name=name,
        service=service,
        user=keys.take("user", values.text, ""),
        url=keys.take("url", lambda node, what: _url(node, what, service, values), ""),
        password=keys.take("password", lambda node, what: _secret(node, what, values), None),
        token=keys.take("token", lambda node, what: _secret(node, what, values), None),
        client=_client(keys, name, values),
        ca=keys.take("ca", values.path, None),
        tenant=keys.take("tenant", values.text, ""),
        tokens=keys.take("tokens", lambda node, what: values.word(node, what, TokenHome), TokenHome.FILE),
    )
    _check_whole(account, keys, values)
    return account


def _check_whole(account: AccountConfig, keys: Keys, values: ValueReader) -> None:
    if account.service in _NEEDS_URL:
        keys.require("url", _NEEDS_URL[account.service])
    if account.password and account.token:
        cure = "Keep `token` for a token that a broker supplies, else `password`."
        values.problem(keys.mark("token"), "An account takes either `password` or `token`.", cure)
    if account.tenant and account.service is not Service.MICROSOFT365:
        values.problem(keys.mark("tenant"), "Only `service: microsoft365` takes a `tenant`.", "Remove the line.")
    if account.tokens is TokenHome.KEYRING and (account.token or account.service not in _SIGN_IN):
        cure = "Remove the line: it is for `google` and `microsoft365`, where Datebook itself signs in."
        values.problem(keys.mark("tokens"), "There are no tokens to keep for this account.", cure)
    if account.password and account.service in _SIGN_IN:
        cure = "Remove `password`: `datebook connect` signs in, in the browser."
        values.problem(keys.mark("password"), f"`{account.service}` takes no password from programs.", cure)


def _client(keys: Keys, name: str, values: ValueReader) -> OAuthClient | None:
    section = keys.section("client")
    if section is None:
        return None
    inner = Keys(section, f"accounts.{name}.client", values.problems)
    inner.only(("id", "secret"))
    inner.require("id", "Write the client id that the service's console shows.")
    secret = inner.take("secret", lambda node, what: _secret(node, what, values), None)
    return OAuthClient(inner.take("id", values.text, ""), secret)


def _secret(node: Node, what: str, values: ValueReader) -> SecretRef | None:
    if not isinstance(node, Section):
        # Whatever stands here is never shown again.
        kind = "a list" if isinstance(node, Listing) else "plain text"
        values.problem(node.mark, f"{what} stands here as {kind}: a secret is never in the config.", _KEEP)
        return None
    if len(node.entries) != 1:
        values.problem(node.mark, f"{what} must say one place where it is kept.", _KEEP)
        return None
    key, place = node.entries[0]
    if key.text not in set(SecretSource):
        values.problem(key.mark, f"{what} can't be kept in `{key.text}`.", instead(key.text, list(SecretSource)))
        return None
    source = SecretSource(key.text)
    if source is SecretSource.FILE:
        path = values.path(place, f"{what} (file)")
        return SecretRef(source, str(path)) if path else None
    text = values.text(place, f"{what} ({source})")
    return SecretRef(source, text) if text else None


def _url(node: Node, what: str, service: Service, values: ValueReader) -> str | None:
    text = values.text(node, what)
    if text is None:
        return None
    refusal = _refusal(text, service)
    if refusal:
        values.problem(node.mark, f"{what} {refusal[0]}", refusal[1])
        return None
    return text


def _refusal(text: str, service: Service) -> tuple[str, str] | None:
    """What is wrong with an address, and the cure."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        return "is no address.", "Write it as `https://HOST/PATH`."
    if parts.scheme not in {"http", "https"} or not host or any(letter.isspace() for letter in text):
        return "is no address.", "Write it as `https://HOST/PATH`."
    if _names_someone(parts):
        return "has a login in it.", f"Take it out of the address: `user: NAME`, and `password:`. {_KEEP}"
    if parts.scheme == "http" and not is_loopback(host):
        return "is plain http: anybody on the way could read the password.", "Use `https://`; http is for loopback."
    if service is Service.EXCHANGE and host.casefold() in _ONLINE:
        reason = "is Exchange Online, which takes no EWS from new programs, and from nobody after April 2027."
        return reason, "Write `service: microsoft365` and remove `url`."
    return None


def _names_someone(parts: SplitResult) -> bool:
    return "@" in parts.netloc


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine, by its name or number."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
