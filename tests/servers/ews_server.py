"""An Exchange server, as far as EWS calendars go: stateful, over real HTTP, with the manners and faults of real ones.

By hand: `python -m tests.servers.ews_server --port 8444`, then the address that it prints with user
`me@corp.example` and password `secret`.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from lxml import etree

from tests.servers.ews_answers import failure
from tests.servers.ews_doors import AUTODISCOVER, Directory, NtlmDoor
from tests.servers.ews_faults import Asked, Fault, Trouble
from tests.servers.ews_kept import Element, EwsError, Stumble
from tests.servers.ews_mailbox import Mailbox
from tests.servers.ews_operations import OPERATIONS
from tests.servers.ews_schema import M, T, violations
from tests.servers.on_loopback import Loopback, Quiet, running, serve_by_hand

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
_PATH = "/EWS/Exchange.asmx"


@dataclass
class EwsServer:
    """The running server: its mailbox, its faults, and a record of what it was asked."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    user: str = "me@corp.example"
    password: str = "secret"
    tokens: set[str] = field(default_factory=set)
    challenge: str = 'Basic realm="corp"'
    faults: list[Fault] = field(default_factory=list)
    sync_error_with_state: bool = True  # the other shape has no SyncState in the error
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    logins: int = 0
    speaks_ntlm: bool = False
    directory: Directory = field(default_factory=Directory)
    released: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    @property
    def operations(self) -> list[str]:
        """The names of what was asked, in order."""
        return [each.operation for each in self.asked]

    def fail(self, trouble: Trouble, operation: str = "", **more: object) -> None:
        """Order trouble for the next request."""
        self.faults.append(Fault(trouble, operation, **more))

    def invalidate_sync_states(self, *, with_state: bool = True) -> None:
        """As after a failover: no sync state is known any more."""
        self.mailbox.epoch += 1
        self.sync_error_with_state = with_state

    def trouble_for(self, operation: str) -> Fault | None:
        for fault in self.faults:
            if fault.operation in {"", operation} and fault.times > 0:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def answer(self, operation: str, request: Element, zone: str) -> Element:
        """The response element; raises EwsError for what is answered by a SOAP fault."""
        wrong = violations(request)
        if wrong:
            self.violations += [f"request: {each}" for each in wrong]
            raise EwsError("ErrorSchemaValidation", wrong[0])
        response = etree.Element(f"{{{M}}}{operation}Response", nsmap={"m": M, "t": T})
        messages = etree.SubElement(response, f"{{{M}}}ResponseMessages")
        with self.mailbox.lock:
            known = self.mailbox.knobs.operations
            if known is not None and operation not in known:
                raise EwsError("ErrorInvalidOperation", "There is no such operation here.")
            try:
                messages.extend(list(OPERATIONS[operation](self.mailbox, request, zone)))
            except EwsError as error:
                messages.append(self._failure(operation, error))
        self.violations += [f"answer: {each}" for each in violations(response)]
        return response

    def _failure(self, operation: str, error: EwsError) -> Element:
        message = failure(operation, error.code, error.text)
        if operation == "SyncFolderItems" and self.sync_error_with_state:
            etree.SubElement(message, f"{{{M}}}SyncState")
            etree.SubElement(message, f"{{{M}}}IncludesLastItemInRange").text = "true"
        return message


class _Handler(Quiet, BaseHTTPRequestHandler):
    server: _Http
    ntlm: NtlmDoor | None = None  # of this connection

    def do_POST(self) -> None:
        ews = self.server.ews
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the client ended in the middle of its request
            return
        if self.path not in {_PATH, AUTODISCOVER}:
            self._reply(404, b"")
        elif not self._known(ews):
            challenge = ews.challenge if self.ntlm is None else self.ntlm.challenge
            self._reply(401, b"", {"WWW-Authenticate": challenge})
        elif self.path == AUTODISCOVER:
            self._reply(200, ews.directory.answer(body))
        else:
            try:
                self._serve(ews, etree.fromstring(body))
            except OSError:
                self.close_connection = True  # the client is gone, which is no fault of anybody
            except Exception:
                ews.violations.append(f"the simulator failed: {traceback.format_exc()}")
                raise

    def _known(self, ews: EwsServer) -> bool:
        said = self.headers.get("Authorization", "")
        if ews.speaks_ntlm:
            return self._shook_hands(ews, said)
        if not said:
            return False
        ews.logins += 1
        basic = base64.b64encode(f"{ews.user}:{ews.password}".encode()).decode()
        return said == f"Basic {basic}" or said.removeprefix("Bearer ") in ews.tokens

    def _shook_hands(self, ews: EwsServer, said: str) -> bool:
        if self.ntlm is None or (said and self.ntlm.tried):
            self.ntlm = NtlmDoor()
        if not self.ntlm.is_in:
            self.ntlm.knock(said)
            ews.logins += self.ntlm.tried
        return self.ntlm.is_in

    def _serve(self, ews: EwsServer, envelope: Element) -> None:
        request = envelope.find(f"{{{SOAP}}}Body")[0]
        operation = etree.QName(request).localname
        asked = Asked(operation, request)
        ews.asked.append(asked)
        fault = ews.trouble_for(operation)
        if fault is not None and self._trouble_before(ews, operation, fault):
            return
        if envelope.find(f".//{{{T}}}ExchangeImpersonation") is not None:
            self._fault("ErrorImpersonateUserDenied", "The account may not impersonate.")
            return
        zone = envelope.find(f".//{{{T}}}TimeZoneDefinition")
        try:
            asked.answer = ews.answer(operation, request, "UTC" if zone is None else zone.get("Id", "UTC"))
        except Stumble:
            self._reply(500, b"<html>Oops")
            return
        except (EwsError, KeyError) as error:
            self._fault(getattr(error, "code", "ErrorInvalidOperation"), str(error))
            return
        if fault is not None and fault.trouble is Trouble.DROP_AFTER:
            self._drop()
        elif fault is not None and fault.trouble is Trouble.UNAVAILABLE_AFTER:
            self._reply(503, b"Service Unavailable")
        else:
            self._soap(200, asked.answer)

    def _trouble_before(self, ews: EwsServer, operation: str, fault: Fault) -> bool:
        after = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        match fault.trouble:
            case Trouble.UNAUTHORIZED:
                self._reply(401, b"", {"WWW-Authenticate": ews.challenge})
            case Trouble.FORBIDDEN:
                self._reply(403, b"Forbidden")
            case Trouble.THROTTLED:
                self._reply(429, b"Too many requests", after)
            case Trouble.UNAVAILABLE:
                self._reply(503, b"Service Unavailable", after)
            case Trouble.BROKEN:
                self._reply(500, b"<html>Oops")
            case Trouble.BUSY:
                self._fault("ErrorServerBusy", "The server cannot service this request right now.", 7000)
            case Trouble.DROP:
                self._drop()
            case Trouble.HANG:
                ews.released.wait(60)
                self._drop()
            case Trouble.ERROR:
                response = etree.Element(f"{{{M}}}{operation}Response")
                messages = etree.SubElement(response, f"{{{M}}}ResponseMessages")
                messages.append(failure(operation, fault.code, "As ordered."))
                self._soap(200, response)
            case Trouble.DROP_AFTER | Trouble.UNAVAILABLE_AFTER:
                return False
        return True

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(2)

    def _fault(self, code: str, text: str, back_off: int | None = None) -> None:
        fault = etree.Element(f"{{{SOAP}}}Fault")
        etree.SubElement(fault, "faultcode").text = "s:Client"
        etree.SubElement(fault, "faultstring").text = text
        detail = etree.SubElement(fault, "detail")
        etree.SubElement(detail, f"{{{ERRORS}}}ResponseCode").text = code
        etree.SubElement(detail, f"{{{ERRORS}}}Message").text = text
        if back_off is not None:
            more = etree.SubElement(detail, f"{{{T}}}MessageXml")
            etree.SubElement(more, f"{{{T}}}Value", Name="BackOffMilliseconds").text = str(back_off)
        self._soap(500, fault)

    def _soap(self, status: int, content: Element) -> None:
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "m": M, "t": T})
        header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
        build = {"MajorVersion": "15", "MinorVersion": "2", "MajorBuildNumber": "1748", "MinorBuildNumber": "10"}
        etree.SubElement(header, f"{{{T}}}ServerVersionInfo", {**build, "Version": "V2017_07_11"})
        etree.SubElement(envelope, f"{{{SOAP}}}Body").append(content)
        self._reply(status, etree.tostring(envelope, encoding="utf-8", xml_declaration=True))

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Head and body in one write: two would wait for each other's acknowledgement."""
        lines = {"Content-Type": "text/xml; charset=utf-8", "Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.wfile.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)


class _Http(Loopback):
    ews: EwsServer


@contextlib.contextmanager
def serving(ews: EwsServer | None = None, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[EwsServer]:
    """Run a server on loopback while the block lasts."""
    ews = ews or EwsServer()
    http = _Http(_Handler, port)
    http.ews = ews
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    ews.address = f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}{_PATH}"
    with running(http):
        try:
            yield ews
        finally:
            ews.released.set()


if __name__ == "__main__":
    serve_by_hand(
        __doc__,
        8444,
        lambda port: serving(port=port),
        lambda ews: f"{ews.address}  user {ews.user}  password {ews.password}",
    )
