"""Requests to one Exchange server over exchangelib: sign-in, transport, versions; never a retry of its own.

exchangelib carries the SOAP envelope, NTLM and OAuth, and finds out the server's version. The requests and
the reading of answers are ours (ews_requests, ews_xml). Importing this takes half a second: only an account
that is used does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from exchangelib import BASIC, DELEGATE, NTLM, Account, Configuration, Credentials, EWSTimeZone
from exchangelib.errors import (
    ErrorServerBusy,
    ErrorTimeoutExpired,
    EWSError,
    MalformedResponseError,
    TransportError,
    UnauthorizedError,
)
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.services.common import EWSAccountService
from exchangelib.transport import GSSAPI, NOAUTH
from exchangelib.version import EXCHANGE_2013, EXCHANGE_2016, Build, Version
from lxml import etree

from adapters.exchange.ews_recurrence import Element
from adapters.exchange.ews_xml import Answered, answered
from adapters.exchange.exchange_errors import SIGN_IN, error_of, error_of_status
from adapters.outlook.windows_zones import windows_zone
from daemon.core.errors import Forbidden, SignInNeeded, StoreError, Unavailable

_BUILD_NUMBERS = 4  # 15.2.1748.10
_XML_FAULT = 500  # Exchange sends SOAP faults with this status
_TOKEN = "Datebook-Token"  # noqa: S105  a header that never leaves: the adapter makes Authorization of it


@dataclass(frozen=True, slots=True)
class Login:
    """Where and as whom: `secret` gives the password, or with `bearer` the token, whenever it is asked."""

    url: str
    user: str
    address: str
    secret: Callable[[], str] = field(repr=False)
    bearer: bool = False
    ca: Path | None = None
    zone: str = "UTC"
    name: str = ""
    timeout: float = 30.0
    recall: Callable[[], str] = lambda: ""  # how this server took the login before: "ntlm 15.2.1748.10"
    remember: Callable[[str], None] = lambda _: None  # the same, to be kept; "" when it no longer holds


class Wire:
    """One connection to one server, for one request at a time."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._lock = threading.RLock()
        self._account: Any = None
        self._token = ""
        self._said = ""
        quiet()

    def call(self, request: Element) -> list[Answered]:
        """Send a request; its response messages, in order. Raises StoreError."""
        with self._lock:
            try:
                answers = self._send(request)
            except SignInNeeded:
                if not self._has_new_token():
                    self._login.remember("")  # what the server takes may have changed: it is asked again
                    self.close()  # the next call asks for the secret anew
                    raise
                answers = self._send(request)
            self._keep_manner()
            return answers

    def _keep_manner(self) -> None:
        """Keep how the server took the login: a later start need not ask."""
        protocol = self._account.protocol
        manner = f"{protocol.auth_type} {self._account.version.build}"
        if manner != self._said:
            self._said = manner
            self._login.remember(manner)

    def knows_2013(self) -> bool:
        """Whether the server has the properties that Exchange 2013 brought; known once it has answered."""
        with self._lock, self._translating():
            known: bool = self._connected().version.build >= EXCHANGE_2013
            return known

    def version(self) -> str:
        """Name and build of the server, for a person; known once it has answered."""
        with self._lock, self._translating():
            version = self._connected().version
            return f"{version.fullname} ({version.build})"

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._account is not None:
                self._account.protocol.close()
            self._account = None

    def _send(self, request: Element) -> list[Answered]:
        with self._translating():
            account = self._connected()
            service = _service(etree.QName(request).localname)(account=account, timeout=self._login.timeout)
            service.token = self._token
            messages = service._get_response_xml(payload=request)  # noqa: SLF001  the part below its retry loop
        return [answered(message) for message in messages]

    def _connected(self) -> Any:
        if self._account is None:
            if self._login.bearer:
                self._token = self._login.secret()
            self._account = _account(self._login)
        return self._account

    def _has_new_token(self) -> bool:
        """Whether the broker has another token by now; passwords are never tried twice: accounts get locked."""
        if not self._login.bearer or not self._token:
            return False
        used, self._token = self._token, self._login.secret()
        return self._token != used

    @contextmanager
    def _translating(self) -> Iterator[None]:
        name = self._login.name
        try:
            yield
        except StoreError:
            raise
        except UnauthorizedError as error:
            raise SignInNeeded("Exchange does not take the login", what_to_do=SIGN_IN, store=name) from error
        except ErrorServerBusy as error:
            after = timedelta(seconds=error.back_off) if error.back_off else None
            raise error_of("ErrorServerBusy", store=name, back_off=after) from error
        except ErrorTimeoutExpired as error:
            raise _unreachable(str(error), name) from error
        except EWSError as error:
            raise _translated(error, name) from error
        except requests.RequestException as error:
            raise _unreachable(str(error), name) from error
        except (etree.LxmlError, KeyError, ValueError) as error:
            # No text of the error: it may hold what was sent.
            raise Unavailable(f"Exchange can't be understood ({type(error).__name__})", store=name) from error


def _translated(error: Any, name: str) -> StoreError:
    if isinstance(error, MalformedResponseError) or type(error) in {EWSError, TransportError}:
        return _unreachable(str(error), name)
    return error_of(type(error).__name__, store=name, uncertain=True)


def _unreachable(text: str, name: str) -> StoreError:
    """A failure of the network, by the words that requests puts it in."""
    if "CERTIFICATE_VERIFY_FAILED" in text or "CertificateError" in text:
        cure = "if the server has a private certificate authority, name its file: ca: FILE"
        return Forbidden("the certificate of the Exchange server is not trusted", what_to_do=cure, store=name)
    never_sent = "NewConnectionError" in text or "ConnectTimeout" in text or "NameResolutionError" in text
    return Unavailable("Exchange can't be reached", store=name, uncertain=not never_sent)


# --- exchangelib, as we want it


class _Service(EWSAccountService):  # type: ignore[misc]  # exchangelib ships no types
    """Any operation: we make the payload and read the messages."""

    token = ""

    def __init__(self, account: Any, timeout: float) -> None:
        super().__init__(account=account, timeout=timeout)

    def _extra_headers(self) -> dict[str, str]:
        """The hook that exchangelib calls for each request."""
        headers = dict(super()._extra_headers())
        return headers | {_TOKEN: self.token} if self.token else headers


_services: dict[str, type[Any]] = {}


def _service(operation: str) -> type[Any]:
    """A service class of that name: exchangelib reads the name from the class."""
    return _services.setdefault(operation, type(operation, (_Service,), {"SERVICE_NAME": operation}))


class _OurFailFast(FailFast):  # type: ignore[misc]  # exchangelib ships no types
    """Every status is an error of ours at once, with the server's Retry-After, which exchangelib ignores."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def raise_response_errors(self, response: Any) -> None:
        """The hook that exchangelib calls with every answer."""
        if response.status_code == _XML_FAULT:
            if response.content.lstrip().startswith(b"<?xml") or b"Envelope" in response.content[:500]:
                return
            raise Unavailable("Exchange answers HTTP 500", store=self._name)
        if not response.ok or response.is_redirect:
            raise error_of_status(response.status_code, response.headers, store=self._name)


class _TrustingAdapter(requests.adapters.HTTPAdapter):
    """TLS with a private CA for the hosts that have one, and bearer tokens.

    exchangelib has one adapter class for all accounts. Its own OAuth sends an expired token for ever, asking
    nobody for a new one; and requests would put a password from ~/.netrc in the token's place.
    """

    authorities: ClassVar[dict[str, str]] = {}

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Trust the host's own CA instead of the system's; a token is the only login that is sent."""
        token = request.headers.pop(_TOKEN, None)
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        authority = self.authorities.get(urlsplit(request.url).netloc)
        if authority is not None:
            kwargs["verify"] = authority
        return super().send(request, *args, **kwargs)


def quiet() -> None:
    """Keep exchangelib from logging whole requests when something goes wrong: they hold titles and texts."""
    logging.getLogger("exchangelib").setLevel(logging.CRITICAL + 1)
    BaseProtocol.HTTP_ADAPTER_CLS = _TrustingAdapter


def _account(login: Login) -> Any:
    if login.ca is not None:
        _TrustingAdapter.authorities[urlsplit(login.url).netloc] = str(login.ca)
    BaseProtocol.TIMEOUT = login.timeout
    auth_type, version = _recalled(login)
    configuration = Configuration(
        service_endpoint=login.url,
        credentials=None if login.bearer else Credentials(login.user, login.secret()),
        auth_type=NOAUTH if login.bearer else auth_type or _auth_type(login),
        # A guess: the first answer says the truth, and exchangelib tries older ones where the server wants them.
        version=version,
        retry_policy=_OurFailFast(login.name),
        max_connections=1,
    )
    zone = login.zone if windows_zone(login.zone) else "UTC"
    return Account(
        login.address,
        config=configuration,
        access_type=DELEGATE,  # by default it would ask to impersonate, which ordinary users may not
        default_timezone=EWSTimeZone(zone),
        locale="en_US",
        autodiscover=False,
    )


def _recalled(login: Login) -> tuple[str, Version]:
    """What was kept of the server: how it takes the login ("" if that is not known), and its version."""
    auth_type, _, build = login.recall().partition(" ")
    numbers = [int(part) for part in build.split(".") if part.isdecimal()]
    version = Version(build=Build(*numbers)) if len(numbers) == _BUILD_NUMBERS else Version(build=EXCHANGE_2016)
    return (_usable(auth_type, login) if auth_type in {NTLM, BASIC, GSSAPI, NOAUTH} else ""), version


def _auth_type(login: Login) -> str:
    """Which login the server asks for: NTLM rather than basic, Kerberos where there is nothing else."""
    with BaseProtocol.raw_session(login.url) as session:
        response = session.post(login.url, data=b"", allow_redirects=False, timeout=login.timeout)
        response.close()
    if response.ok:
        return str(NOAUTH)
    if response.status_code != requests.codes.unauthorized:
        raise error_of_status(response.status_code, response.headers, store=login.name)
    offered = response.headers.get("WWW-Authenticate", "").lower()
    for word, auth_type in (("ntlm", NTLM), ("basic", BASIC), ("negotiate", GSSAPI)):
        if word in offered:
            return _usable(auth_type, login)
    raise SignInNeeded("Exchange offers no login that Datebook knows", what_to_do=SIGN_IN, store=login.name)


def _usable(auth_type: str, login: Login) -> str:
    if auth_type == GSSAPI:
        try:
            import requests_gssapi  # type: ignore[import-not-found]  # noqa: F401, PLC0415  an extra
        except ImportError as error:
            cure = "this server takes Kerberos alone: install datebook[kerberos] and run kinit"
            raise SignInNeeded("Exchange takes Kerberos alone", what_to_do=cure, store=login.name) from error
    return auth_type
