"""What the EWS simulator does for each operation: request element in, response messages out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from lxml import etree

from tests.servers.ews_answers import Wanted, failure, folder_element, item_element, items, success
from tests.servers.ews_kept import Element, EwsError, Item, leaf, property_key
from tests.servers.ews_lists import find_item, folder_id, m, only_id, sync_folder_items, t
from tests.servers.ews_mailbox import Mailbox

Call = Callable[[Mailbox, Element, str], Iterator[Element]]


def convert_id(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    yield failure("ConvertId", "ErrorInvalidIdMalformed", "Id is malformed.")


def get_folder(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    for named in request.find(m("FolderIds")):
        yield _guarded("GetFolder", lambda named=named: success("GetFolder", _folders(_folder(mailbox, named))))


def find_folder(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    root = etree.Element(m("RootFolder"), TotalItemsInView=str(len(mailbox.folders)), IncludesLastItemInRange="true")
    holder = etree.SubElement(root, t("Folders"))
    holder.extend(map(folder_element, mailbox.folders.values()))
    yield success("FindFolder", root)


def get_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    wanted = Wanted(request)
    for named in request.find(m("ItemIds")):
        yield _guarded("GetItem", lambda named=named: success("GetItem", items(_shown(mailbox, named, wanted))))


def create_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    mail = request.get("SendMeetingInvitations")
    if mail is None:
        raise EwsError("ErrorSendMeetingInvitationsRequired")
    folder = folder_id(mailbox, request.find(m("SavedItemFolderId"))[0])
    for element in request.find(m("Items")):

        def make(element: Element = element) -> Element:
            return success("CreateItem", _wrote(mailbox, mailbox.create(folder, element, mail, zone)))

        yield _guarded("CreateItem", make)


def update_item(mailbox: Mailbox, request: Element, zone: str) -> Iterator[Element]:
    mail = request.get("SendMeetingInvitationsOrCancellations")
    if mail is None:
        raise EwsError("ErrorSendMeetingInvitationsOrCancellationsRequired")
    resolution = request.get("ConflictResolution")
    for change in request.iterfind(f"{m('ItemChanges')}/{t('ItemChange')}"):

        def edit(change: Element = change) -> Element:
            conflicts = etree.Element(m("ConflictResults"))
            conflicts.append(leaf("Count", "0"))
            done = _edit(mailbox, change, resolution, mail)
            answer = success("UpdateItem", _wrote(mailbox, done), conflicts)
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
    for named in request.find(m("ItemIds")):

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


def _wrote(mailbox: Mailbox, item: Item) -> Element:
    return items() if mailbox.knobs.silent_writes else items(only_id(mailbox, item))


def _guarded(operation: str, act: Callable[[], Element]) -> Element:
    try:
        return act()
    except EwsError as error:
        return failure(operation, error.code, error.text)


def _folder(mailbox: Mailbox, named: Element) -> Element:
    return folder_element(mailbox.folder(folder_id(mailbox, named)))


def _folders(*folders: Element) -> Element:
    holder = etree.Element(m("Folders"))
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
