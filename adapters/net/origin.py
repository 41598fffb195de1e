"""Who is asked, how, and through which proxy."""

from __future__ import annotations

import functools
import ipaddress
import os
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from daemon.core.errors import Forbidden

_USUAL = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a request goes: who is asked, by which protocol."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The Host field: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _USUAL[self.scheme] else f"{host}:{self.port}"


def split_url(url: str) -> tuple[Origin, str]:
    """Who is asked, and the target to ask for. Raises Forbidden as `origin_of` does."""
    begin = url.find("/", url.find("://") + 3)
    if begin < 0:
        return origin_of(url), "/"
    return origin_of(url[:begin]), url[begin:].partition("#")[0]


@functools.lru_cache(maxsize=256)
def origin_of(url: str) -> Origin:
    """Who answers for a URL. Raises Forbidden for plain http to anything but this very machine."""
    parts = urlsplit(url)
    host, scheme = parts.hostname or "", parts.scheme.lower()
    if scheme not in {"http", "https"} or not host:
        raise Forbidden(
            f"{scheme or 'no scheme'}: only http and https addresses can be opened",
            what_to_do="Give the account a `url` that begins with https://.",
        )
    if scheme == "http" and not is_loopback(host):
        raise Forbidden(
            f"{host}: plain http would send the password unprotected",
            what_to_do="Use https:// in the account's `url`; plain http is for this machine alone.",
        )
    return Origin(scheme, host, parts.port or _USUAL[scheme])


def is_loopback(host: str) -> bool:
    """Whether a host name means this very machine, whatever a name server says."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(origin: Origin) -> str:
    """The proxy that the environment names for an origin (HTTPS_PROXY, NO_PROXY); "" for none."""
    if origin.scheme != "https" or is_loopback(origin.host):
        return ""
    direct = [name.strip().lstrip(".").lower() for name in _environment("no_proxy").split(",") if name.strip()]
    host = origin.host.lower()
    if any(name in {"*", host} or host.endswith(f".{name}") for name in direct):
        return ""
    return _environment("https_proxy")


def _environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def proxy_headers(user: str | None, password: str | None) -> dict[str, str]:
    """What signs in at a proxy."""
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + b64encode(pair).decode("ascii")}
