"""The world of the contract suite behind Exchange: a mailbox in the simulator, and another client at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from adapters.exchange.exchange_account import ExchangeAccount
from tests.servers.ews_kept import EwsError, leaf
from tests.servers.ews_mailbox import Mailbox
from tests.servers.ews_schema import T
from tests.servers.ews_server import EwsServer, serving
from tests.servers.running import Servers
from tests.servers.worlds import World

ZONE = "Europe/Helsinki"
_ITEM = f"""<t:CalendarItem xmlns:t="{T}"><t:Subject>{{subject}}</t:Subject>
<t:Body BodyType="HTML">&lt;p&gt;Another &lt;b&gt;client's&lt;/b&gt; agenda&lt;/p&gt;</t:Body>
<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="00062002-0000-0000-c000-000000000046" PropertyName="theirs"
 PropertyType="String"/><t:Value>what Datebook has no word for</t:Value></t:ExtendedProperty>
<t:UID>{{uid}}</t:UID><t:Start>2030-01-01T09:00:00Z</t:Start><t:End>2030-01-01T10:00:00Z</t:End>
<t:Location>Their place</t:Location><t:StartTimeZone Id="FLE Standard Time"/></t:CalendarItem>"""


@dataclass
class ExchangeHand:
    """Another client of the same mailbox."""

    mailbox: Mailbox
    folder: str

    def add(self, uid: str, subject: str) -> str:
        """Make an item with a property of another program."""
        element = etree.fromstring(_ITEM.format(uid=uid, subject=subject))
        return self.mailbox.create(self.folder, element, "SendToNone", "UTC").id

    def retitle(self, item: str, subject: str) -> None:
        """Set its subject."""
        change = ("SetItemField", "Subject", leaf("Subject", subject))
        self.mailbox.update(self.mailbox.item(item), [change], "SendToNone")

    def remove(self, item: str) -> None:
        """Move it to the deleted ones."""
        self.mailbox.delete(self.mailbox.item(item), "SendToNone")

    def subject(self, item: str) -> str | None:
        """Its subject."""
        try:
            return self.mailbox.item(item).text("Subject")
        except EwsError:
            return None

    def keeps_unknown(self, item: str) -> bool:
        """Whether the other program's property and the HTML are there."""
        found = self.mailbox.item(item)
        theirs = found.properties.get(("00062002-0000-0000-c000-000000000046", "theirs"))
        return theirs == "what Datebook has no word for" and "<b>client's</b>" in found.text("Body")


def exchange_account(ews: EwsServer, **more: object) -> ExchangeAccount:
    """An account of the simulator."""
    options = {"zone": ZONE, "name": "test", "timeout": 5.0, "secret": lambda: ews.password} | more
    return ExchangeAccount(ews.address, ews.user, **options)  # type: ignore[arg-type]  # any option


def exchange_world(servers: Servers, _folder: Path) -> World:
    """A fresh calendar of a running simulator."""
    ews = servers.own.enter_context(serving())
    account = exchange_account(ews)
    servers.own.callback(account.close)
    calendar = ews.mailbox.add_folder("Work").id
    return World(account.open("Work"), ExchangeHand(ews.mailbox, calendar), ews.invalidate_sync_states)
