"""msal as the adapters use it: our session as its transport, its cache in our places, the clouds that there are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from adapters.net.transport import Response, Session
from adapters.sign_in.token_places import TokenPlace, how_to_sign_in
from daemon.core.errors import SignInNeeded, StoreError, Unavailable

PERMISSION = "Calendars.ReadWrite"  # and nothing more; msal adds offline_access by itself
SIGN_IN = how_to_sign_in("")
_ANY_ORGANISATION = "organizations"
_REFUSAL, _THROTTLED, _FAILURE = 400, 429, 500


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where one signs in, and whose permission is asked for: Microsoft's own cloud, or a national one."""

    login: str = "https://login.microsoftonline.com"
    scope: str = PERMISSION


PUBLIC = Cloud()
_CLOUDS: Mapping[str, str] = {
    "graph.microsoft.us": "https://login.microsoftonline.us",
    "dod-graph.microsoft.us": "https://login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}


def cloud_of(url: str) -> Cloud:
    """The sign-in that belongs to an account's address; that of Microsoft's own cloud for any other."""
    host = (urlsplit(url).hostname or "").lower()
    login = _CLOUDS.get(host)
    return Cloud(login, f"https://{host}/{PERMISSION}") if login else PUBLIC


class Http:
    """Our session in the shape that msal asks for: no `requests`, our limits and proxies."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, url: str, params: Mapping[str, str] | None = None, **more: Any) -> _Answer:
        """Ask for something."""
        query = f"?{urlencode(params)}" if params else ""
        return _answered(self.send("GET", url + query, b"", more.get("headers") or {}))

    def post(self, url: str, params: Mapping[str, str] | None = None, data: Any = None, **more: Any) -> _Answer:
        """Send a form."""
        query = f"?{urlencode(params)}" if params else ""
        body = data if isinstance(data, str) else urlencode(data or {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(more.get("headers") or {})}
        return _answered(self.send("POST", url + query, body.encode(), headers))

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send one request."""
        return self._session.request(method, url, body, headers)


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer in the shape of requests' responses."""

    response: Response = field(repr=False)

    @property
    def status_code(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    @property
    def text(self) -> str:
        return self.response.text

    def raise_for_status(self) -> None:
        if self.response.status >= _REFUSAL:
            raise Unavailable(f"Microsoft's sign-in answers {self.response.status}", uncertain=False)


def _answered(response: Response) -> _Answer:
    """An answer for msal, which has no words for a service that is down."""
    if response.status == _THROTTLED or response.status >= _FAILURE:
        what = f"Microsoft's sign-in answered {response.status}"
        raise Unavailable(what, throttled=response.status == _THROTTLED, uncertain=False)
    return _Answer(response)


class Cache:
    """msal's cache of tokens in the place where they are kept. Raises SignInNeeded where that can't be read."""

    def __init__(self, place: TokenPlace) -> None:
        from msal import SerializableTokenCache  # noqa: PLC0415  0.2 s

        self.tokens: Any = SerializableTokenCache()
        self._place = place
        self._stamp = place.stamp()
        self._text = place.read() or ""
        try:
            if self._text:
                self.tokens.deserialize(self._text)
        except ValueError:
            what = "what is kept of the tokens is damaged"
            raise SignInNeeded(what, what_to_do=how_to_sign_in(place.account), store=place.account) from None

    def is_other(self, *, ask: bool = False) -> bool:
        """Whether something else is kept than was read or written here; `ask`: where only reading tells, read."""
        if not ask or self._stamp is not None:
            return self._place.stamp() != self._stamp
        try:
            there = self._place.read()
        except SignInNeeded:
            return False
        return there is not None and there != self._text

    def save(self) -> None:
        """Keep what has changed. Raises OSError, SecretNeeded: then it is kept with the next change."""
        if not self.tokens.has_state_changed:
            return
        text = self.tokens.serialize()
        try:
            self._place.write(text)
        except BaseException:
            self.tokens.has_state_changed = True
            raise
        self._text, self._stamp = text, self._place.stamp()


def app_for(  # noqa: PLR0913, PLR0917  what msal is told
    client_id: str, tenant: str, cloud: Cloud, cache: Cache, http: Http | None, store: str = ""
) -> Any:
    """The client as msal has it; asks the tenant where its addresses are. Raises SignInNeeded, Unavailable."""
    from msal import PublicClientApplication  # noqa: PLC0415  0.2 s

    logging.getLogger("msal").setLevel(logging.WARNING)  # at DEBUG it tells tokens
    authority = f"{cloud.login}/{tenant or _ANY_ORGANISATION}"
    try:
        return PublicClientApplication(
            client_id,
            authority=authority,
            token_cache=cache.tokens,
            http_client=http or Http(Session(store=store)),
            instance_discovery=False,
        )
    except StoreError:
        raise
    except ValueError as error:
        raise SignInNeeded(
            f"Microsoft knows no tenant {tenant!r}",
            what_to_do="Check `tenant`: the directory id, a domain of the organisation, or nothing.",
            store=store,
        ) from error
