"""Google Calendar's CalDAV as its users meet it, with its OAuth beside it: `python -m tests.servers.google_persona`.

The storage and the change log are those of `null_dav`; in front of them stand Google's manners, each of
which can be switched (`Manners`). `mails` is what Google would have mailed. The layout is Google's:
`/caldav/v2/ID/user`, `/caldav/v2/ID/` (home), `/caldav/v2/ID/events/`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from tests.servers.google_answers import (
    FORMS,
    ROOT,
    GoogleCalendar,
    Mail,
    Manners,
    bare,
    entry,
    gdata,
    json_error,
    name_of_uid,
    principal_of,
)
from tests.servers.google_bodies import EPOCH, attendees_of, organizer_of, rewritten, uid_of
from tests.servers.google_oauth import SCOPE, GoogleOAuth, Grant
from tests.servers.null_dav import (
    _HREF,
    _TOKEN,
    Answer,
    Connection,
    Item,
    Request,
    _error,
    _multistatus,
    _response,
)

ALLOW = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, REPORT"


class GooglePersona:
    """The server. `clock` gives its time; turn `manners`, `oauth` and `limits` while it runs."""

    def __init__(
        self, *, port: int = 0, clock: Callable[[], datetime] | None = None, manners: Manners | None = None
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.manners = manners or Manners()
        self.oauth = GoogleOAuth(self.clock)
        self.calendars = {self.oauth.user: GoogleCalendar(self.oauth.user, "Me")}
        self.mails: list[Mail] = []
        self.log: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []  # what was PUT, as it came
        self.limits: list[tuple[str, str]] = []  # (method or "", form) of the next refusals
        self.api_enabled = True
        self.counts: dict[str, int] = {}
        self.latency = 0.0
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    # Life --------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server: Any = self
        listener = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(server), "127.0.0.1", self.port)
        )
        self.port = int(listener.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        listener.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    @property
    def url(self) -> str:
        """What an account of it is given as `url`."""
        return f"http://127.0.0.1:{self.port}{ROOT}"

    @property
    def primary(self) -> GoogleCalendar:
        """The user's own calendar."""
        return self.calendars[self.oauth.user]

    def make_calendar(self, name: str, *, label: str = "", ticked: bool = True) -> GoogleCalendar:
        """Another calendar, as its user makes it in the web page."""
        id_ = name if "@" in name else f"{name}@group.calendar.google.com"
        self.calendars[id_] = GoogleCalendar(id_, label or name, ticked=ticked)
        return self.calendars[id_]

    def web(self, body: bytes, calendar: GoogleCalendar | None = None) -> str:
        """What somebody makes or edits in Google's web page; the path of its resource. It mails nobody here."""
        calendar = calendar or self.primary
        name = name_of_uid(uid_of(body))
        self._keep(calendar, name, body)
        return calendar.path + name

    def web_delete(self, uid: str, calendar: GoogleCalendar | None = None) -> None:
        """Delete an event in the web page."""
        calendar = calendar or self.primary
        calendar.delete(name_of_uid(uid))
        calendar.spent.add(uid)

    def body(self, uid: str, calendar: GoogleCalendar | None = None) -> bytes | None:
        """The event with a UID, as Google keeps it; None: there is none."""
        item = (calendar or self.primary).items.get(name_of_uid(uid))
        return item.body if item else None

    def limit(self, form: str, *, times: int = 1, method: str = "") -> None:
        """Refuse the next requests: `bare` (403), `json` (403), `429`, `gdata` (403 in GData's XML)."""
        self.limits += [(method, form)] * times

    def expire_tokens(self) -> None:
        """Forget every sync token that was given out."""
        for calendar in self.calendars.values():
            calendar.secret += "x"

    # Requests ----------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        answer = self.oauth.handle(request) or self._caldav(request)
        answer.headers.setdefault("Date", format_datetime(self.clock(), usegmt=True))
        return answer

    def _caldav(self, request: Request) -> Answer:
        self.log.append((request.method, request.path))
        grant = self.oauth.bearer(request.headers.get("authorization", ""))
        if grant is None:
            return Answer(401, b"Login Required", {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'})
        if SCOPE not in grant.scope:
            return json_error(403, "insufficientPermissions", "global")
        if not self.api_enabled:
            return json_error(403, "accessNotConfigured", "usageLimits")
        refusal = self._limited(request.method)
        if refusal is not None:
            return refusal
        match request.method:
            case "OPTIONS":
                return Answer(200, b"", {"DAV": "1, calendar-access, calendar-schedule", "Allow": ALLOW})
            case "PROPFIND":
                return self._propfind(request, grant)
            case "REPORT":
                return self._report(request)
            case "GET" | "PUT" | "DELETE":
                return self._item(request)
        return Answer(405, b"", {"Allow": ALLOW})

    def _limited(self, method: str) -> Answer | None:
        for place, (wanted, form) in enumerate(self.limits):
            if wanted in {"", method}:
                del self.limits[place]
                return FORMS[form]()
        return None

    def _place(self, path: str) -> tuple[GoogleCalendar | None, str]:
        """The calendar and the name of the item, quoted as in an URL ("": the calendar itself)."""
        calendar, _, name = path.removeprefix(ROOT).partition("/events/")
        known = self.calendars.get(unquote(calendar)) if path.startswith(ROOT) else None
        return known, quote(unquote(name), safe="")

    # Items -------------------------------------------------------------------------------------------

    def _item(self, request: Request) -> Answer:
        calendar, name = self._place(request.path)
        if calendar is None or not name:
            return gdata(404, "notFound")
        match request.method:
            case "PUT":
                return self._put(calendar, name, request)
            case "DELETE":
                return self._delete(calendar, name, request)
        item = calendar.items.get(name)
        if item is None or name in calendar.ghosts:
            return Answer(404)
        kind = "text/calendar; component=vevent; charset=UTF-8"
        return Answer(200, item.body, {"ETag": item.etag, "Schedule-Tag": item.etag, "Content-Type": kind})

    def _put(self, calendar: GoogleCalendar, name: str, request: Request) -> Answer:
        uid, manners = uid_of(request.body), self.manners
        self.bodies.append(request.body)
        if not request.body.startswith(b"BEGIN:VCALENDAR") or not uid:
            return bare(400)
        if b"BEGIN:VTODO" in request.body or uid in calendar.refused:
            return bare(403)
        if manners.renames:
            name = name_of_uid(uid)
        current = calendar.items.get(name)
        expected = request.headers.get("if-match")
        if expected is not None and (current is None or expected != current.etag):
            return bare(412)
        if current is not None and not manners.ignores_if_none_match and request.headers.get("if-none-match"):
            return bare(412)
        if current is None and uid in calendar.spent and manners.spent_uid:
            return bare(manners.spent_uid)
        if current is not None and self._conflicts(calendar, uid):
            return bare(409)
        if current is not None and organizer_of(current.body) not in {"", organizer_of(request.body)}:
            return bare(403)
        self._mail("update" if current else "invitation", calendar, uid, request.body, current)
        etag = self._keep(calendar, name, request.body)
        headers = {} if manners.silent_put else {"ETag": etag}
        if current is not None:
            return Answer(204, b"", headers | {"Schedule-Tag": etag})
        location = f"http://127.0.0.1:{self.port}{quote(calendar.path, safe='/')}{name}"
        return Answer(201, b"", headers | {"Location": location})

    def _keep(self, calendar: GoogleCalendar, name: str, body: bytes) -> str:
        now, manners = self.clock(), self.manners
        current = calendar.items.get(name)
        if manners.rewriting is not None:
            body = rewritten(body, current.body if current else None, now, manners.rewriting, calendar.label)
        calendar.edits += 1
        extra = "" if manners.coarse_etags else f"-{calendar.edits}"
        etag = f'"{int(now.timestamp()) + EPOCH}{extra}"'
        calendar.keep(name, body, etag)
        return etag

    def _conflicts(self, calendar: GoogleCalendar, uid: str) -> bool:
        left = calendar.conflicts.get(uid, 0)
        if left:
            calendar.conflicts[uid] = left - 1
        return left > 0

    def _delete(self, calendar: GoogleCalendar, name: str, request: Request) -> Answer:
        item = calendar.items.get(name)
        if item is None:
            return Answer(404)
        expected = request.headers.get("if-match")
        if not self.manners.ignores_if_match_on_delete and expected not in {None, item.etag}:
            return bare(412)
        self._mail("cancellation", calendar, item.uid.decode(), b"", item)
        calendar.delete(name)
        calendar.spent.add(item.uid.decode())
        return Answer(204)

    def _mail(self, kind: str, calendar: GoogleCalendar, uid: str, body: bytes, current: Item | None) -> None:
        """Every guest gets one, whatever SCHEDULE-AGENT says; of somebody else's meeting only its organiser."""
        organizer = organizer_of(body) or (organizer_of(current.body) if current else "")
        guests = attendees_of(body) | (attendees_of(current.body) if current else frozenset())
        if organizer not in {"", self.oauth.user, calendar.name}:
            guests = frozenset({organizer} if organizer else ()) if guests else frozenset()
        self.mails += [Mail(kind, guest, uid) for guest in sorted(guests - {self.oauth.user})]

    # Listings ----------------------------------------------------------------------------------------

    def _propfind(self, request: Request, grant: Grant) -> Answer:
        path, deep = unquote(request.path), request.headers.get("depth", "0") != "0"
        own = f"{ROOT}{grant.user}/"
        if path == ROOT:
            principal = f"<D:current-user-principal><D:href>{own}user</D:href></D:current-user-principal>"
            return bare(403) if deep else _multistatus([_response(path, principal)])
        if path == f"{own}user":
            return _multistatus([_response(path, principal_of(own))])
        if path == own:
            ticked = [calendar for calendar in self.calendars.values() if calendar.ticked and deep]
            return _multistatus(
                [_response(own, "<D:resourcetype><D:collection/></D:resourcetype>"), *map(self._calendar, ticked)]
            )
        if path == f"{own}inbox/":
            return _multistatus([_response(path, "<D:resourcetype><D:collection/></D:resourcetype>")])
        calendar, name = self._place(request.path)
        if calendar is None or (name and name not in calendar.items):
            return gdata(404, "notFound")
        if name:
            return _multistatus([entry(calendar, name, inline=False)])
        entries = (entry(calendar, item, inline=False) for item in calendar.items if deep)
        return _multistatus([self._calendar(calendar), *entries])

    def _calendar(self, calendar: GoogleCalendar) -> bytes:
        token = f"<D:sync-token>{calendar.token()}</D:sync-token>" if self.manners.tells_tokens else ""
        newest = max((item.etag for item in calendar.items.values()), default='"0"')
        reports = ("D:sync-collection", "C:calendar-multiget", "C:calendar-query")
        listed = "".join(f"<D:supported-report><D:report><{name}/></D:report></D:supported-report>" for name in reports)
        return _response(
            calendar.path,
            f"<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>{token}"
            f"<D:displayname>{escape(calendar.label)}</D:displayname><S:getctag>{escape(newest)}</S:getctag>"
            '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
            f"<D:supported-report-set>{listed}</D:supported-report-set>",
        )

    def _report(self, request: Request) -> Answer:
        calendar, name = self._place(request.path)
        if calendar is None or name:
            return gdata(404, "notFound")
        if b"sync-collection" in request.body:
            return self._sync(calendar, request)
        if b"calendar-multiget" in request.body:
            names = [self._place(href.decode())[1] for href in _HREF.findall(request.body)]
            return _multistatus(entry(calendar, each, inline=True) for each in names)
        # Whatever the filter says: the whole calendar.
        inline = b"calendar-data" in request.body
        return _multistatus(entry(calendar, each, inline=inline, listed=True) for each in calendar.items)

    def _sync(self, calendar: GoogleCalendar, request: Request) -> Answer:
        token = match.group(1).decode() if (match := _TOKEN.search(request.body)) else ""
        before, _, place = token.rpartition(".")
        if not token:
            return bare(self.manners.empty_token)
        if before != calendar.token(0).rpartition(".")[0] or not place.isdigit():
            return _error(self.manners.bogus_token, "<D:valid-sync-token/>")
        start, end, more = int(place), len(calendar.log), b""
        if self.manners.page and end - start > self.manners.page:
            end = start + self.manners.page
            more = _response(calendar.path, status="507 Insufficient Storage")
        names = dict.fromkeys(calendar.log[start:end])
        members = [entry(calendar, each, inline=b"calendar-data" in request.body, listed=True) for each in names]
        return _multistatus(members, more + f"<D:sync-token>{calendar.token(end)}</D:sync-token>".encode())


def main() -> None:
    """Run by hand: prints what to put into the config."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with GooglePersona(port=options.port) as persona:
        access, _ = persona.oauth.issue()
        oauth = persona.oauth
        print(f"url {persona.url}  user {oauth.user}  client {oauth.client} {oauth.secret}  token {access}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
