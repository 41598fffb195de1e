"""The CalDAV engine behind Google's persona: a Radicale in this very process, asked over WSGI in CalDAV's own words.

It parses, checks and rewrites what it is given, keeps it in files, and tells what changed; the persona
in front of it has the manners.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import shutil
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import radicale.config
from lxml import etree
from radicale import Application

from tests.servers.null_dav import Item
from tests.servers.program import temporary_folder

_HOME = "/me/"
_DAV, _CALDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
_OPEN = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
_DATA = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
_UID = re.compile(rb"^UID:(.*?)\r?$", re.MULTILINE)
_PLAIN = re.compile(r"[\w%@-][\w.%@~+-]{0,200}", re.ASCII)  # what a file may be called
_TOKEN = "http://radicale.org/ns/sync/"


class Engine:
    """A Radicale with a folder of its own. Hold `lock` for what has to be done in one piece."""

    def __init__(self) -> None:
        self.folder = temporary_folder("google")
        self.lock = threading.RLock()
        logging.getLogger("radicale").setLevel(logging.ERROR)  # it warns of what is meant here: no login
        configuration = radicale.config.load()
        storage = {"filesystem_folder": str(self.folder), "_filesystem_fsync": "False"}
        given = {"auth": {"type": "none"}, "rights": {"type": "authenticated"}, "storage": storage}
        configuration.update(given, "the persona", privileged=True)
        self._application = Application(configuration)

    def close(self) -> None:
        """Throw its data away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, method: str, path: str, body: bytes = b"", depth: str = "0") -> tuple[int, dict[str, str], bytes]:
        """Send one request; status, headers and body of the answer. `path` is not quoted."""
        said: list[tuple[int, dict[str, str]]] = []

        def start(status: str, headers: list[tuple[str, str]], _trouble: object = None) -> None:
            said.append((int(status.split(maxsplit=1)[0]), dict(headers)))

        login = b64encode(b"me:").decode()
        environment = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path.encode().decode("latin-1"),
            "CONTENT_TYPE": "text/calendar" if method == "PUT" else "text/xml", "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Basic {login}", "HTTP_DEPTH": depth, "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http", "SERVER_NAME": "engine", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }  # fmt: skip
        whole = b"".join(self._application(environment, start))
        status, headers = said[0]
        return status, headers, whole


@dataclass
class Shelf:
    """A calendar of the engine. Its names are quoted, as in an URL; `etags` are those given to it, not its own."""

    engine: Engine
    name: str
    etags: dict[str, str] = field(default_factory=dict)
    _long: dict[str, str] = field(default_factory=dict)  # names that no file may have

    def __post_init__(self) -> None:
        status, _, said = self.engine.ask("MKCALENDAR", self._path)
        assert status == 201, (status, said)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.engine.folder / "collection-root" / self._path.strip("/")

    @property
    def _path(self) -> str:
        return f"{_HOME}{hashlib.sha256(self.name.encode()).hexdigest()[:16]}/"

    @property
    def items(self) -> dict[str, Item]:
        """Everything that is there, by name."""
        body = f'<C:calendar-query {_OPEN}>{_DATA}<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
        return {name: item for name, item in self._told(f"{body}</C:calendar-query>") if item is not None}

    def several(self, names: Iterable[str]) -> dict[str, Item | None]:
        """These items; None for one that is not there."""
        hrefs = "".join(f"<D:href>{escape(quote(self._inside(name)))}</D:href>" for name in names)
        if not hrefs:
            return {}
        return dict(self._told(f"<C:calendar-multiget {_OPEN}>{_DATA}{hrefs}</C:calendar-multiget>"))

    def get(self, name: str) -> Item | None:
        """One item; None: it is not there."""
        status, headers, body = self.engine.ask("GET", self._inside(name))
        return self._item(name, body, headers["ETag"]) if status == 200 else None

    def keep(self, name: str, body: bytes, etag: str = "") -> int:
        """Store a body, under an ETag that is not the engine's; the engine's status."""
        with self.engine.lock:
            status, _, _ = self.engine.ask("PUT", self._inside(name), body)
            if status < 300 and etag:
                self.etags[name] = etag
            return status

    def delete(self, name: str) -> None:
        """Take an item away."""
        with self.engine.lock:
            status, _, said = self.engine.ask("DELETE", self._inside(name))
            assert status < 300, (status, said)
            self.etags.pop(name, None)

    def now(self) -> str:
        """The engine's sync token of now, without what all of them begin with."""
        body = f"<D:propfind {_OPEN}><D:prop><D:sync-token/></D:prop></D:propfind>"
        _, _, said = self.engine.ask("PROPFIND", self._path, body.encode())
        return str(etree.fromstring(said).findtext(f".//{_DAV}sync-token")).removeprefix(_TOKEN)

    def since(self, token: str) -> tuple[list[str], str] | None:
        """The names that changed since a token, and that of now; None: the engine does not know the token."""
        body = (
            f"<D:sync-collection {_OPEN}><D:sync-token>{_TOKEN}{escape(token)}</D:sync-token>"
            "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
        status, _, said = self.engine.ask("REPORT", self._path, body.encode())
        if status != 207:
            return None
        root = etree.fromstring(said)
        names = [self._outside(str(href.text)) for href in root.iterfind(f"{_DAV}response/{_DAV}href")]
        return names, str(root.findtext(f"{_DAV}sync-token")).removeprefix(_TOKEN)

    def _told(self, report: str) -> Iterator[tuple[str, Item | None]]:
        status, _, said = self.engine.ask("REPORT", self._path, report.encode(), "1")
        assert status == 207, (status, said)
        for response in etree.fromstring(said).iterfind(f"{_DAV}response"):
            name = self._outside(str(response.findtext(f"{_DAV}href")))
            text = response.findtext(f".//{_CALDAV}calendar-data")
            if text is None:
                yield name, None
            else:
                raw = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
                yield name, self._item(name, raw, str(response.findtext(f".//{_DAV}getetag")))

    def _item(self, name: str, body: bytes, etag: str) -> Item:
        found = _UID.search(body.replace(b"\r\n ", b""))
        return Item(self.etags.get(name, etag), body, found.group(1) if found else b"")

    def _inside(self, name: str) -> str:
        if _PLAIN.fullmatch(name):
            return self._path + name
        short = f"long-{hashlib.sha256(name.encode()).hexdigest()}.ics"
        self._long[short] = name
        return self._path + short

    def _outside(self, href: str) -> str:
        name = unquote(href).removeprefix(self._path)
        return self._long.get(name, name)
