"""Opening connections: plain to this machine, TLS to others, through a proxy where the environment names one."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from adapters.net.origin import Origin, proxy_for, proxy_headers
from daemon.core.errors import Forbidden, Unavailable


class Dialer:
    """Opens connections; `ca` is trusted beside the system's authorities."""

    def __init__(self, *, ca: Path | None, timeout: float, store: str) -> None:
        self._ca, self._timeout, self._store = ca, timeout, store

    def dial(self, origin: Origin) -> socket.socket:
        """A connected socket. Raises Unavailable, of which nothing is uncertain, and Forbidden."""
        proxy = proxy_for(origin)
        connection = self._connection(origin, proxy)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            what = f"the server can't be reached: {_why(origin, proxy, error)}"
            raise Unavailable(what, store=self._store, uncertain=False) from error
        return connection.sock

    def _connection(self, origin: Origin, proxy: str) -> http.client.HTTPConnection:
        timeout = self._timeout
        if origin.scheme == "http":
            return http.client.HTTPConnection(origin.host, origin.port, timeout=timeout)
        if not proxy:
            return http.client.HTTPSConnection(origin.host, origin.port, timeout=timeout, context=self._context)
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host, port = parts.hostname or "", parts.port or 8080
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)
        connection.set_tunnel(origin.host, origin.port, headers=proxy_headers(parts.username, parts.password))
        return connection

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca is not None:
            try:
                context.load_verify_locations(cafile=self._ca)
            except OSError as error:
                raise Forbidden(
                    f"{self._ca}: the certificate authority can't be read ({type(error).__name__})",
                    what_to_do="Point the account's `ca` at a readable PEM file.",
                    store=self._store,
                ) from error
        return context


def _why(origin: Origin, proxy: str, error: Exception) -> str:
    where = f"{origin.host}:{origin.port}" + (" through the proxy" if proxy else "")
    match error:
        case socket.gaierror():
            return f"the name {origin.host} is not known (DNS)"
        case ssl.SSLCertVerificationError():
            return f"{where}: its certificate is not trusted ({error.verify_message}); a private one needs `ca:`"
        case ssl.SSLError():
            return f"{where}: no secure connection ({error.reason or 'TLS'})"
        case TimeoutError():
            return f"{where}: no connection in time"
        case ConnectionRefusedError():
            return f"{where}: the connection was refused"
        case _:
            return f"{where}: no connection ({type(error).__name__})"
