"""Google Calendar's CalDAV as its users meet it, with its OAuth beside it: `python -m tests.servers.google_persona`.

Behind it is a real CalDAV engine, a Radicale; in front of that stand Google's manners, each of which can be
switched (`Manners`). `mails` is what Google would have mailed. The layout is Google's:
`/caldav/v2/ID/user`, `/caldav/v2/ID/` (home), `/caldav/v2/ID/events/`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
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
from tests.servers.google_bodies import EPOCH, attendees_of, organizer_of, rewritten, sequence_of, uid_of
from tests.servers.google_engine import Engine
from tests.servers.google_oauth import SCOPE, GoogleOAuth, Grant
from tests.servers.in_thread import InThread
from tests.servers.null_dav import (
    _HREF,
    _TOKEN,
    Answer,
    Item,
    Request,
    _error,
    _multistatus,
    _response,
)

ALLOW = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, REPORT"


class GooglePersona(InThread):
    """The server. `clock` gives its time; turn `manners`, `oauth` and `limits` while it runs."""

    def __init__(
        self, *, port: int = 0, clock: Callable[[], datetime] | None = None, manners: Manners | None = None
    ) -> None:
        super().__init__(port)
        self.clock = clock or (lambda: datetime.now(UTC))
        self.manners = manners or Manners()
        self.oauth = GoogleOAuth(self.clock)
        self.engine = Engine()
        self.calendars = {self.oauth.user: GoogleCalendar(self.engine, self.oauth.user, label="Me")}
        self.mails: list[Mail] = []
        self.log: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []  # what was PUT, as it came
        self.limits: list[tuple[str, str]] = []  # (method or "", form) of the next refusals
        self.api_enabled = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.engine.close()

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
        self.calendars[id_] = GoogleCalendar(self.engine, id_, label=label or name, ticked=ticked)
        return self.calendars[id_]

    def web(self, body: bytes, calendar: GoogleCalendar | None = None) -> str:
        """What somebody makes or edits in Google's web page; the path of its resource. It mails nobody here."""
        calendar = calendar or self.primary
        name = name_of_uid(uid_of(body))
        assert self._keep(calendar, name, body), body
        return calendar.path + name

    def web_delete(self, uid: str, calendar: GoogleCalendar | None = None) -> None:
        """Delete an event in the web page."""
        calendar = calendar or self.primary
        self._drop(calendar, name_of_uid(uid), uid)

    def body(self, uid: str, calendar: GoogleCalendar | None = None) -> bytes | None:
        """The event with a UID, as Google keeps it; None: there is none."""
        item = (calendar or self.primary).get(name_of_uid(uid))
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
        with self.engine.lock:
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
            case "MKCALENDAR" if self.manners.makes_calendars:
                self.make_calendar(unquote(request.path).removeprefix(ROOT).partition("/")[0])
                return Answer(201)
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
        item = calendar.get(name)
        if item is None or name in calendar.ghosts:
            return Answer(404)
        kind = "text/calendar; component=vevent; charset=UTF-8"
        return Answer(200, item.body, {"ETag": item.etag, "Schedule-Tag": item.etag, "Content-Type": kind})

    def _put(self, calendar: GoogleCalendar, name: str, request: Request) -> Answer:
        uid, manners = uid_of(request.body), self.manners
        self.bodies.append(request.body)
        if not request.body.startswith(b"BEGIN:VCALENDAR") or not uid:
            return bare(400)
        if (b"BEGIN:VTODO" in request.body and not manners.takes_tasks) or uid in calendar.refused:
            return bare(403)
        if manners.renames:
            name = name_of_uid(uid)
        current = calendar.get(name)
        expected = request.headers.get("if-match")
        if expected is not None and (current is None or expected != current.etag):
            return bare(412)
        if current is not None and not manners.ignores_if_none_match and request.headers.get("if-none-match"):
            return bare(412)
        if current is None and uid in calendar.spent and manners.spent_uid:
            return bare(manners.spent_uid)
        if current is not None and (self._conflicts(calendar, uid) or self._is_outdated(request.body, current.body)):
            return bare(409)
        if current is not None and organizer_of(current.body) not in {"", organizer_of(request.body)}:
            return bare(403)
        etag = self._keep(calendar, name, request.body, current)
        if not etag:
            return bare(400)
        self._mail("update" if current else "invitation", calendar, uid, request.body, current)
        headers = {} if manners.silent_put else {"ETag": etag}
        if current is not None:
            return Answer(204, b"", headers | {"Schedule-Tag": etag})
        location = f"http://127.0.0.1:{self.port}{quote(calendar.path, safe='/')}{name}"
        return Answer(201, b"", headers | {"Location": location})

    def _keep(self, calendar: GoogleCalendar, name: str, body: bytes, current: Item | None = None) -> str:
        """Store an event as Google has it; its new ETag, "" where the engine does not take it."""
        now, manners = self.clock(), self.manners
        if manners.rewriting is not None:
            before = current or calendar.get(name)
            body = rewritten(body, before.body if before else None, now, manners.rewriting, calendar.label)
        calendar.edits += 1
        extra = "" if manners.coarse_etags else f"-{calendar.edits}"
        etag = f'"{int(now.timestamp()) + EPOCH}{extra}"'
        if calendar.keep(name, body, etag) >= 300:
            return ""
        calendar.newest = etag
        calendar.spent.discard(uid_of(body))
        return etag

    def _drop(self, calendar: GoogleCalendar, name: str, uid: str) -> None:
        calendar.delete(name)
        calendar.newest = f'"{int(self.clock().timestamp()) + EPOCH}"'
        calendar.spent.add(uid)

    def _is_outdated(self, body: bytes, current: bytes) -> bool:
        """Whether this is an edit of a series as it was before."""
        is_series = b"\nRRULE" in current and self.manners.refuses_old_series
        return is_series and sequence_of(body) < sequence_of(current)

    def _conflicts(self, calendar: GoogleCalendar, uid: str) -> bool:
        left = calendar.conflicts.get(uid, 0)
        if left:
            calendar.conflicts[uid] = left - 1
        return left > 0

    def _delete(self, calendar: GoogleCalendar, name: str, request: Request) -> Answer:
        item = calendar.get(name)
        if item is None:
            return Answer(404)
        expected = request.headers.get("if-match")
        if not self.manners.ignores_if_match_on_delete and expected not in {None, item.etag}:
            return bare(412)
        self._mail("cancellation", calendar, item.uid.decode(), b"", item)
        self._drop(calendar, name, item.uid.decode())
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
        item = calendar.get(name) if calendar is not None and name else None
        if calendar is None or (name and item is None):
            return gdata(404, "notFound")
        if name:
            return _multistatus([entry(calendar, name, item, inline=False)])
        entries = [entry(calendar, each, item, inline=False) for each, item in calendar.items.items()] if deep else []
        return _multistatus([self._calendar(calendar), *entries])

    def _calendar(self, calendar: GoogleCalendar) -> bytes:
        token = f"<D:sync-token>{calendar.token()}</D:sync-token>" if self.manners.tells_tokens else ""
        reports = ("D:sync-collection", "C:calendar-multiget", "C:calendar-query")
        listed = "".join(f"<D:supported-report><D:report><{name}/></D:report></D:supported-report>" for name in reports)
        return _response(
            calendar.path,
            f"<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>{token}"
            f"<D:displayname>{escape(calendar.label)}</D:displayname><S:getctag>{escape(calendar.newest)}</S:getctag>"
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
            found = calendar.several(names)
            return _multistatus(entry(calendar, each, found.get(each), inline=True) for each in names)
        # Whatever the filter says: the whole calendar.
        inline = b"calendar-data" in request.body
        items = calendar.items.items()
        return _multistatus(entry(calendar, each, item, inline=inline, listed=True) for each, item in items)

    def _sync(self, calendar: GoogleCalendar, request: Request) -> Answer:
        token = match.group(1).decode() if (match := _TOKEN.search(request.body)) else ""
        if not token:
            return bare(self.manners.empty_token)
        told = calendar.told(token, self.manners.page)
        if told is None:
            return _error(self.manners.bogus_token, "<D:valid-sync-token/>")
        names, after, is_more = told
        names = [each for each in names if each not in calendar.untold]
        items, inline = calendar.several(names), b"calendar-data" in request.body
        members = [entry(calendar, each, items.get(each), inline=inline, listed=True) for each in names]
        more = _response(calendar.path, status="507 Insufficient Storage") if is_more else b""
        return _multistatus(members, more + f"<D:sync-token>{after}</D:sync-token>".encode())


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
