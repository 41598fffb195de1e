"""What the EWS simulator does for each operation: request element in, response messages out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from lxml import etree

from tests.servers.ews_answers import (
    Wanted,
    failure,
    folder_element,
    item_element,
    item_id,
    items,
    success,
    token,
    untoken,
)
from tests.servers.ews_mailbox import Element, EwsError, Item, Mailbox, leaf, moment, property_key
from tests.servers.ews_schema import M, T

_MOST_CHANGES = 512
_MOST_FOUND = 250
Call = Callable[[Mailbox, Element, str], Iterator[Element]]


def _t(name: str) -> str:
    return f"{{{T}}}{name}"


def _m(name: str) -> str:
    return f"{{{M}}}{name}"


def convert_id(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    yield failure("ConvertId", "ErrorInvalidIdMalformed", "Id is malformed.")


def get_folder(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    for named in request.find(_m("FolderIds")):
        yield _guarded("GetFolder", lambda named=named: success("GetFolder", _folders(_folder(mailbox, named))))


def find_folder(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    root = etree.Element(_m("RootFolder"), TotalItemsInView=str(len(mailbox.folders)), IncludesLastItemInRange="true")
    holder = etree.SubElement(root, _t("Folders"))
    holder.extend(map(folder_element, mailbox.folders.values()))
    yield success("FindFolder", root)


def get_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    wanted = Wanted(request)
    for named in request.find(_m("ItemIds")):
        yield _guarded("GetItem", lambda named=named: success("GetItem", items(_shown(mailbox, named, wanted))))


def find_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    folder = _folder_id(mailbox, request.find(_m("ParentFolderIds"))[0])
    mailbox.folder(folder)
    wanted = Wanted(request.find(_m("ItemShape")))
    view = request.find(_m("CalendarView"))
    mine = [item for item in mailbox.items.values() if item.folder == folder]
    if view is not None:
        yield _found(list(_in_view(mailbox, mine, view, wanted)), 0, _MOST_FOUND)
        return
    restriction = request.find(_m("Restriction"))
    fitting = [item for item in mine if restriction is None or _fits(item, restriction[0])]
    paging = request.find(_m("IndexedPageItemView"))
    offset = 0 if paging is None else int(paging.get("Offset", "0"))
    most = _MOST_FOUND if paging is None else min(_MOST_FOUND, int(paging.get("MaxEntriesReturned", "1000")))
    yield _found([item_element(mailbox, item, wanted) for item in fitting], offset, most)


def sync_folder_items(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    folder = _folder_id(mailbox, request.find(_m("SyncFolderId"))[0])
    mailbox.folder(folder)
    base, upto, offset = _place(mailbox, request.findtext(_m("SyncState")) or "", folder)
    most = int(request.findtext(_m("MaxChangesReturned")) or "100")
    if most > _MOST_CHANGES:
        raise EwsError("ErrorInvalidSyncStateData", "MaxChangesReturned is too large.")
    changes = list(_changes(mailbox, folder, base, upto))
    page = changes[offset : offset + most]
    last = offset + len(page) >= len(changes)
    state = (
        token(mailbox.epoch, folder, upto, upto, 0) if last else token(mailbox.epoch, folder, base, upto, offset + most)
    )
    holder = etree.Element(_m("Changes"))
    for what, item_name in page:
        _change(mailbox, etree.SubElement(holder, _t(what)), what, item_name)
    yield success(
        "SyncFolderItems", _element("SyncState", state), _element("IncludesLastItemInRange", str(last).lower()), holder
    )


def create_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    mail = request.get("SendMeetingInvitations")
    if mail is None:
        raise EwsError("ErrorSendMeetingInvitationsRequired")
    folder = _folder_id(mailbox, request.find(_m("SavedItemFolderId"))[0])
    for element in request.find(_m("Items")):

        def make(element: Element = element) -> Element:
            return success("CreateItem", items(_only_id(mailbox, mailbox.create(folder, element, mail, zone))))

        yield _guarded("CreateItem", make)


def update_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    mail = request.get("SendMeetingInvitationsOrCancellations")
    if mail is None:
        raise EwsError("ErrorSendMeetingInvitationsOrCancellationsRequired")
    resolution = request.get("ConflictResolution")
    for change in request.iterfind(f"{_m('ItemChanges')}/{_t('ItemChange')}"):

        def edit(change: Element = change) -> Element:
            conflicts = etree.Element(_m("ConflictResults"))
            conflicts.append(leaf("Count", "0"))
            done = _edit(mailbox, change, resolution, mail)
            answer = success("UpdateItem", items(_only_id(mailbox, done)), conflicts)
            if mailbox.knobs.bump_after_write and "|" not in done.id:
                mailbox.bump(done)
            return answer

        yield _guarded("UpdateItem", edit)


def delete_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    mail = request.get("SendMeetingCancellations")
    if mail is None:
        raise EwsError("ErrorSendMeetingCancellationsRequired")
    if request.get("DeleteType") != "MoveToDeletedItems":
        raise EwsError("ErrorCannotDeleteObject", "This server keeps what is deleted.")
    for named in request.find(_m("ItemIds")):

        def remove(named: Element = named) -> Element:
            item, original = _target(mailbox, named)
            if original is None:
                mailbox.delete(item, mail)
            else:
                mailbox.delete_occurrence(item, original, mail)
            return success("DeleteItem")

        yield _guarded("DeleteItem", remove)


OPERATIONS: dict[str, Call] = {
    "ConvertId": convert_id,
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "GetItem": get_item,
    "FindItem": find_item,
    "SyncFolderItems": sync_folder_items,
    "CreateItem": create_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
}


# --- parts


def _guarded(operation: str, act: Callable[[], Element]) -> Element:
    try:
        return act()
    except EwsError as error:
        return failure(operation, error.code, error.text)


def _element(name: str, text: str) -> Element:
    element = etree.Element(_m(name))
    element.text = text
    return element


def _folder_id(mailbox: Mailbox, named: Element) -> str:
    if etree.QName(named).localname == "FolderId":
        return named.get("Id", "")
    known = {folder.distinguished: folder.id for folder in mailbox.folders.values()}
    return known.get(named.get("Id", ""), named.get("Id", ""))


def _folder(mailbox: Mailbox, named: Element) -> Element:
    return folder_element(mailbox.folder(_folder_id(mailbox, named)))


def _folders(*folders: Element) -> Element:
    holder = etree.Element(_m("Folders"))
    holder.extend(folders)
    return holder


def _target(mailbox: Mailbox, named: Element) -> tuple[Item, datetime | None]:
    """The item that an id names, and which occurrence of it."""
    if etree.QName(named).localname == "OccurrenceItemId":
        master = mailbox.item(named.get("RecurringMasterId", ""))
        return master, mailbox.nth(master, int(named.get("InstanceIndex", "0")))
    occurrence = mailbox.occurrence(named.get("Id", ""))
    if occurrence is None:
        return mailbox.item(named.get("Id", "")), None
    master, original = occurrence
    if original in master.deleted or original not in set(_around(master, original)):
        raise EwsError("ErrorItemNotFound", "The occurrence is gone.")
    return master, original


def _around(master: Item, original: datetime) -> Iterator[datetime]:
    for start in master.starts():
        if start > original:
            return
        yield start


def _shown(mailbox: Mailbox, named: Element, wanted: Wanted) -> Element:
    item, original = _target(mailbox, named)
    if original is None:
        return item_element(mailbox, item, wanted)
    exception = item.exceptions.get(original)
    merged = mailbox.merged(item, original, exception)
    return item_element(mailbox, merged, wanted, "Occurrence" if exception is None else "Exception")


def _only_id(mailbox: Mailbox, item: Item) -> Element:
    element = etree.Element(_t("CalendarItem"))
    element.append(item_id(item))
    return element


def _edit(mailbox: Mailbox, change: Element, resolution: str | None, mail: str) -> Item:
    named, updates = change[0], change[1]
    item, original = _target(mailbox, named)
    current = item if original is None else item.exceptions.get(original)
    key = named.get("ChangeKey")
    if resolution != "AlwaysOverwrite" and key is None and original is None:
        raise EwsError("ErrorChangeKeyRequired")
    if resolution == "NeverOverwrite" and key is not None and current is not None and key != current.changekey:
        raise EwsError("ErrorIrresolvableConflict", "The send or update operation could not be performed.")
    changes = [_update(update) for update in updates]
    if original is None:
        return mailbox.update(item, changes, mail)
    return mailbox.update_occurrence(item, original, changes, mail)


def _update(update: Element) -> tuple[str, str, Element | None]:
    kind, path = etree.QName(update).localname, update[0]
    if etree.QName(path).localname == "ExtendedFieldURI":
        name = "{{{}}}{}".format(*property_key(path))
    else:
        name = (path.get("FieldURI") or "").partition(":")[2]
    return kind, name, update[1][0] if kind == "SetItemField" else None


def _fits(item: Item, test: Element) -> bool:
    value = item.properties.get(property_key(test[0]))
    if etree.QName(test).localname == "Exists":
        return value is not None
    constant = test.find(f"{_t('FieldURIOrConstant')}/{_t('Constant')}")
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
        _m("RootFolder"),
        IndexedPagingOffset=str(offset + len(page)),
        TotalItemsInView=str(len(found)),
        IncludesLastItemInRange=str(last).lower(),
    )
    etree.SubElement(root, _t("Items")).extend(page)
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


def _change(mailbox: Mailbox, holder: Element, what: str, item_name: str) -> None:
    if what == "Delete" or item_name not in mailbox.items:
        holder.tag = _t("Delete")
        etree.SubElement(holder, _t("ItemId"), Id=item_name)
        return
    holder.append(_only_id(mailbox, mailbox.items[item_name]))
