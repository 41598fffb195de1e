"""One sign-in at an Exchange server: its calendars, its checks, and finding its address (autodiscover)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.exchange.ews_recurrence import Element, T
from adapters.exchange.ews_requests import find_folders, get_folder
from adapters.exchange.ews_xml import Answered, M, folder_of
from adapters.outlook.outlook_item import CalendarFolder, FolderTarget
from adapters.outlook.outlook_view import Owner
from daemon.core.errors import Forbidden, Missing, Refused, SignInNeeded, StoreError, UsageError
from daemon.core.store import CalendarInfo, Finding

if TYPE_CHECKING:
    from adapters.exchange.exchange_store import ExchangeStore
    from adapters.exchange.exchange_wire import Wire

_CLOUD = ("outlook.office365.com", "outlook.office.com", "outlook.com", "outlook.live.com")
_DEFAULT = "calendar"
_NO_ADDRESS = "ask the administrator for the address of EWS and give it as --url"
_CALENDAR_NOT_THERE = "choose another one (`datebook calendars`), or make it in Outlook"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What autodiscover found: the address for `url`, and the mailbox's own address."""

    url: str
    address: str


class ExchangeAccount:
    r"""A user of an Exchange server.

    `secret` gives the password, or with `bearer` a token from a broker, whenever it is asked. `address` is the
    mailbox's mail address where `user` is none (`CORP\alice`). `zone` is an IANA name, for what comes without
    one. `name` stands in errors. No request is made, and exchangelib not imported, before one is needed.
    Raises UsageError for Exchange Online, whose EWS is closed.
    """

    def __init__(  # noqa: PLR0913  what the config says of an account, all by name
        self,
        url: str,
        user: str,
        secret: Callable[[], str],
        *,
        address: str = "",
        bearer: bool = False,
        ca: Path | None = None,
        zone: str = "UTC",
        name: str = "",
        timeout: float = 30.0,
        recall: Callable[[], str] = lambda: "",
        remember: Callable[[str], None] = lambda _: None,
    ) -> None:
        refuse_cloud(url)
        self._address = address or user
        if "@" not in self._address:
            cure = "name the mailbox's mail address as the user, or as `owner`"
            raise UsageError(f"{user!r} is no mail address", what_to_do=cure)
        self._url, self._user, self._secret, self._bearer, self._ca = url, user, secret, bearer, ca
        self._zone, self._timeout = zone, timeout
        self._recall, self._remember = recall, remember
        self._name = name or (urlsplit(url).hostname or "")
        self._opened: Wire | None = None

    def calendars(self) -> Sequence[CalendarInfo]:
        """The calendar folders of the mailbox. Raises SignInNeeded, Forbidden, Unavailable."""
        default = self._default()
        return [
            CalendarInfo(folder.id, folder.name, primary=folder.id == default.id, writable=folder.can_write)
            for folder in self._folders(default)
        ]

    def open(self, calendar: str) -> ExchangeStore:
        """Open a calendar by folder id, display name, or `primary`. Raises Missing, naming what there is."""
        from adapters.exchange.exchange_store import ExchangeStore  # noqa: PLC0415  it brings exchangelib: half a second

        owner = Owner(self._address.lower(), self._zone)
        return ExchangeStore(self._wire, self._folder(calendar), owner, self._name)

    def check(self) -> Iterator[Finding]:
        """Test login, calendars and rights, without a write; the first failure ends it."""
        try:
            folders = self.calendars()
            yield Finding("login", ok=True, message=f"{self._wire.version()} took the login")
        except StoreError as error:
            yield Finding("login", ok=False, message=str(error), cure=_cure(error))
            return
        for folder in folders:
            can_write = folder.writable is not False
            cure = "" if can_write else "ask its owner for the right to edit, or use direction: from-calendar"
            words = "can be written" if can_write else "can be read only"
            yield Finding("rights", ok=can_write, message=f"calendar {folder.name!r} {words}", cure=cure)

    def close(self) -> None:
        """Let go of the connection."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    @property
    def _wire(self) -> Wire:
        if self._opened is None:
            from adapters.exchange.exchange_wire import Login, Wire  # noqa: PLC0415  exchangelib: half a second

            self._opened = Wire(
                Login(
                    url=self._url,
                    user=self._user,
                    address=self._address,
                    secret=self._secret,
                    bearer=self._bearer,
                    ca=self._ca,
                    zone=self._zone,
                    name=self._name,
                    timeout=self._timeout,
                    recall=self._recall,
                    remember=self._remember,
                )
            )
        return self._opened

    def _folder(self, calendar: str) -> CalendarFolder:
        default = self._default()
        if calendar in {"primary", "", default.id}:
            return default
        folders = self._folders(default)
        by_id = [folder for folder in folders if folder.id == calendar]
        found = by_id or [folder for folder in folders if folder.name.casefold() == calendar.casefold()]
        if len(found) == 1:
            return found[0]
        there = ", ".join(sorted(repr(folder.name) for folder in folders))
        what = "no calendar" if not found else "more than one calendar"
        raise Missing(
            f"{what} is called {calendar!r}; there are {there}", what_to_do=_CALENDAR_NOT_THERE, store=self._name
        )

    def _default(self) -> CalendarFolder:
        """The mailbox's own calendar, addressed by its name from then on: some servers know it by that alone."""
        mine = FolderTarget(_DEFAULT, distinguished=True, mailbox=self._address)
        try:
            return self._named(mine)
        except (Missing, Forbidden, Refused):
            # The owner's address may be none of this mailbox: the one that belongs to the login is meant.
            return self._named(replace(mine, mailbox=""))

    def _named(self, target: FolderTarget) -> CalendarFolder:
        answer = self._ask(get_folder(target))
        found = [folder_of(element) for element in answer.element.iterfind(f"{M}Folders/*")]
        if not found or found[0] is None:
            raise Missing("the mailbox has no calendar", what_to_do=_CALENDAR_NOT_THERE, store=self._name)
        return replace(found[0], named=target)

    def _folders(self, default: CalendarFolder) -> list[CalendarFolder]:
        """The calendars, the mailbox's own one first: that one alone where the server can't list folders."""
        try:
            answer = self._ask(find_folders())
        except (Missing, Forbidden, Refused):
            return [default]
        found = [folder_of(element) for element in answer.element.iterfind(f"{M}RootFolder/{T}Folders/*")]
        others = [folder for folder in found if folder is not None and folder.id != default.id]
        return [default, *sorted(others, key=lambda folder: folder.name.casefold())]

    def _ask(self, request: Element) -> Answered:
        from adapters.exchange.exchange_search import asked  # noqa: PLC0415  exchangelib: half a second

        return asked(self._wire, request, self._name)


def refuse_cloud(url: str) -> None:
    """Refuse Exchange Online, whose EWS is closed. Raises UsageError with the reason and the cure."""
    host = (urlsplit(url).hostname or "").lower()
    if host in _CLOUD or host.endswith(".outlook.com"):
        raise UsageError(
            f"{host} is Exchange Online: Microsoft ended EWS there for most on 2026-10-01 and ends it for all on "
            "2027-04-01",
            what_to_do="use service: microsoft365, which goes over Graph",
        )


def discover(address: str, user: str, secret: Callable[[], str]) -> Discovered:
    """Ask the mail domain where its Exchange is (autodiscover); asks several hosts, and DNS.

    Raises Missing where nothing is found, SignInNeeded, UsageError for Exchange Online.
    """
    from exchangelib import Credentials  # noqa: PLC0415  half a second
    from exchangelib.autodiscover import cache, clear_cache  # noqa: PLC0415  as above
    from exchangelib.errors import EWSError, UnauthorizedError  # noqa: PLC0415  as above

    from adapters.exchange.exchange_discovery import Finder  # noqa: PLC0415  as above
    from adapters.exchange.exchange_wire import quiet  # noqa: PLC0415  as above

    quiet()
    # exchangelib keeps what it finds in a pickle in the common temporary folder: anyone could plant one there.
    with tempfile.TemporaryDirectory(prefix="datebook-autodiscover-") as private:
        cache.AUTODISCOVER_PERSISTENT_STORAGE = str(Path(private) / "cache")
        try:
            found, url = Finder(email=address, credentials=Credentials(user, secret())).discover()
        except UnauthorizedError as error:
            cure = "check user and password, or give the address itself: --url https://mail.../EWS/Exchange.asmx"
            raise SignInNeeded("autodiscover does not take the login", what_to_do=cure) from error
        except EWSError as error:
            raise Missing("the mail domain does not say where its Exchange is", what_to_do=_NO_ADDRESS) from error
        finally:
            clear_cache()
    if not url:
        raise Missing("autodiscover names no address of EWS for this mailbox", what_to_do=_NO_ADDRESS)
    refuse_cloud(url)
    return Discovered(url, found.autodiscover_smtp_address or address)


def _cure(error: StoreError) -> str:
    if isinstance(error, Forbidden | Missing | SignInNeeded):
        return error.what_to_do
    return "try again later"
