"""Lists of the EWS simulator: what a search finds, and what has changed since a sync state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from lxml import etree

from tests.servers.ews_answers import Wanted, item_element, item_id, success, token, untoken
from tests.servers.ews_kept import Element, EwsError, Item, Stumble, moment, property_key
from tests.servers.ews_mailbox import Mailbox
from tests.servers.ews_schema import M, T

_MOST_CHANGES = 512
_MOST_FOUND = 250


def t(name: str) -> str:
    """A tag of the types."""
    return f"{{{T}}}{name}"


def m(name: str) -> str:
    """A tag of the messages."""
    return f"{{{M}}}{name}"


def find_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    folder = folder_id(mailbox, request.find(m("ParentFolderIds"))[0])
    mailbox.folder(folder)
    wanted = Wanted(request.find(m("ItemShape")))
    view = request.find(m("CalendarView"))
    mine = [item for item in mailbox.items.values() if item.folder == folder]
    if view is not None:
        yield _found(list(_in_view(mailbox, mine, view, wanted)), 0, _MOST_FOUND)
        return
    restriction = request.find(m("Restriction"))
    if restriction is not None and etree.QName(restriction[0]).localname not in mailbox.knobs.restrictions:
        if mailbox.knobs.stumbles:
            raise Stumble
        raise EwsError("ErrorUnsupportedPathForQuery", "This restriction is unknown here.")
    fitting = [item for item in mine if restriction is None or _fits(item, restriction[0])]
    paging = request.find(m("IndexedPageItemView"))
    offset = 0 if paging is None else int(paging.get("Offset", "0"))
    most = _MOST_FOUND if paging is None else min(_MOST_FOUND, int(paging.get("MaxEntriesReturned", "1000")))
    bare = mailbox.knobs.bare_hits
    yield _found(
        [only_id(mailbox, item) if bare else item_element(mailbox, item, wanted) for item in fitting], offset, most
    )


def sync_folder_items(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    folder = folder_id(mailbox, request.find(m("SyncFolderId"))[0])
    mailbox.folder(folder)
    base, upto, offset = _place(mailbox, request.findtext(m("SyncState")) or "", folder)
    most = int(request.findtext(m("MaxChangesReturned")) or "100")
    if most > _MOST_CHANGES:
        raise EwsError("ErrorInvalidSyncStateData", "MaxChangesReturned is too large.")
    changes = list(_changes(mailbox, folder, base, upto))
    page = changes[offset : offset + most]
    last = offset + len(page) >= len(changes)
    state = (
        token(mailbox.epoch, folder, upto, upto, 0) if last else token(mailbox.epoch, folder, base, upto, offset + most)
    )
    holder = etree.Element(m("Changes"))
    for what, item_name in page:
        _change(mailbox, etree.SubElement(holder, t(what)), what, item_name)
    if mailbox.knobs.keys_told != "newest":
        _other_keys(holder, of_each=mailbox.knobs.keys_told == "of each")
    if mailbox.knobs.crowded:
        _crowd(holder)
    yield success(
        "SyncFolderItems", _element("SyncState", state), _element("IncludesLastItemInRange", str(last).lower()), holder
    )


# --- parts


def _element(name: str, text: str) -> Element:
    element = etree.Element(m(name))
    element.text = text
    return element


def folder_id(mailbox: Mailbox, named: Element) -> str:
    knobs = mailbox.knobs
    if etree.QName(named).localname == "FolderId":
        unknown = knobs.default_by_name and named.get("Id") == mailbox.default
        return "" if unknown else named.get("Id", "")
    whose = named.findtext(f"{t('Mailbox')}/{t('EmailAddress')}")
    if whose not in ({mailbox.address} if knobs.needs_mailbox else {mailbox.address, None}):
        raise EwsError("ErrorNonExistentMailbox", "No mailbox with such an address.")
    known = {folder.distinguished: folder.id for folder in mailbox.folders.values()}
    return known.get(named.get("Id", ""), named.get("Id", ""))


def only_id(mailbox: Mailbox, item: Item) -> Element:
    element = etree.Element(t("CalendarItem"))
    element.append(item_id(item))
    return element


def _fits(item: Item, test: Element) -> bool:
    value = item.properties.get(property_key(test[0]))
    if etree.QName(test).localname == "Exists":
        return value is not None
    constant = test.find(f"{t('FieldURIOrConstant')}/{t('Constant')}")
    return value is not None and constant is not None and value == constant.get("Value")


def _in_view(mailbox: Mailbox, mine: list[Item], view: Element, wanted: Wanted) -> Iterator[Element]:
    begin, end = moment(view.get("StartDate", "")), moment(view.get("EndDate", ""))
    for item in mine:
        if not item.is_series:
            if item.start < end and item.start + max(item.length, timedelta(seconds=1)) > begin:
                yield item_element(mailbox, item, wanted)
            continue
        for original in item.starts():
            if original > end + timedelta(days=31):
                break
            exception = item.exceptions.get(original)
            merged = mailbox.merged(item, original, exception)
            if original not in item.deleted and merged.start < end and merged.start + merged.length > begin:
                yield item_element(mailbox, merged, wanted, "Occurrence" if exception is None else "Exception")


def _found(found: list[Element], offset: int, most: int) -> Element:
    page = found[offset : offset + most]
    last = offset + len(page) >= len(found)
    root = etree.Element(
        m("RootFolder"),
        IndexedPagingOffset=str(offset + len(page)),
        TotalItemsInView=str(len(found)),
        IncludesLastItemInRange=str(last).lower(),
    )
    etree.SubElement(root, t("Items")).extend(page)
    return success("FindItem", root)


def _place(mailbox: Mailbox, state: str, folder: str) -> tuple[int, int, int]:
    if not state:
        return 0, len(mailbox.log), 0
    try:
        epoch, of_folder, base, upto, offset = untoken(state)
    except ValueError:
        raise EwsError("ErrorInvalidSyncStateData", "The sync state is malformed.") from None
    if int(epoch) != mailbox.epoch or of_folder != folder:
        raise EwsError("ErrorInvalidSyncStateData", "The sync state is not of this folder.")
    if int(offset) == 0:
        return int(base), len(mailbox.log), 0
    return int(base), int(upto), int(offset)


def _changes(mailbox: Mailbox, folder: str, base: int, upto: int) -> Iterator[tuple[str, str]]:
    """What became of each item between two places of the log, newest first."""
    before = {item for where, item, what in mailbox.log[:base] if where == folder}
    if mailbox.knobs.told == "oldest first":
        yield from ((what, item) for where, item, what in mailbox.log[base:upto] if where == folder)
        return
    last: dict[str, str] = {}
    for where, item, what in mailbox.log[base:upto]:
        if where == folder:
            last.pop(item, None)
            last[item] = what
    for item, what in reversed(last.items()):
        if what == "Delete":
            if item in before:
                yield "Delete", item
        elif base == 0 or item not in before:
            yield "Create", item
        else:
            yield "Update", item


def _other_keys(changes: Element, *, of_each: bool) -> None:
    """Change keys in the feed as a server may tell them that has kept one for each state, or none."""
    for number, change in enumerate(changes):
        for named in change.iterfind(f"{t('CalendarItem')}/{t('ItemId')}"):
            key = named.attrib.pop("ChangeKey")
            if of_each:
                named.set("ChangeKey", f"{key}{number}")


def _crowd(changes: Element) -> None:
    """What else may lie in a calendar folder, and news that are no change of an item."""
    for name in ("Task", "MeetingRequest"):
        other = etree.SubElement(etree.SubElement(changes, t("Create")), t(name))
        etree.SubElement(other, t("ItemId"), Id=f"{name}=", ChangeKey="AQ==")
    read = etree.SubElement(changes, t("ReadFlagChange"))
    etree.SubElement(read, t("ItemId"), Id="MeetingRequest=", ChangeKey="AQ==")
    etree.SubElement(read, t("IsRead")).text = "true"


def _change(mailbox: Mailbox, holder: Element, what: str, item_name: str) -> None:
    known = dict(mailbox.items)
    if mailbox.knobs.told == "oldest first":  # the states before a deletion too
        known |= {item.id: item for item in mailbox.trash}
    if what == "Delete" or item_name not in known:
        holder.tag = t("Delete")
        etree.SubElement(holder, t("ItemId"), Id=item_name)
        return
    holder.append(only_id(mailbox, known[item_name]))
