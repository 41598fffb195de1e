"""Items of EWS for tests of the codec: what a write would set, read back as if a server had kept it."""

from __future__ import annotations

from lxml import etree

from adapters.exchange.ews_recurrence import T
from adapters.exchange.ews_requests import create_item
from adapters.exchange.ews_xml import item_of
from adapters.outlook.outlook_item import Fields, FolderTarget, OutlookItem, Series
from adapters.outlook.outlook_view import Owner, activity_of
from daemon.core.model import Activity
from tests.servers.ews_schema import violations

ME = Owner("me@corp.example", "Europe/Helsinki")


def kept(fields: Fields, *more: str, kind: str = "") -> OutlookItem:
    """An item with these fields, and more elements as XML."""
    request = create_item(FolderTarget("f"), fields, mail=False)
    assert violations(request) == []
    element = request.find(f".//{T}CalendarItem")
    assert element is not None
    series = element.find(f"{T}Recurrence") is not None
    kind = kind or ("RecurringMaster" if series else "Single")
    head = f'<t:ItemId Id="i" ChangeKey="k"/><t:CalendarItemType>{kind}</t:CalendarItemType>'
    for child in etree.fromstring(f'<x xmlns:t="{T[1:-1]}">{head}{"".join(more)}</x>'):
        element.append(child)
    return item_of(element)


def shown(item: OutlookItem, *exceptions: OutlookItem, owner: Owner = ME) -> Activity:
    """The activity that it shows."""
    return activity_of(Series(item, exceptions), owner)
