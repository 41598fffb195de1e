"""Microsoft's schema rules for the part of EWS that the simulator speaks: order, number and kind of elements.

Each entry is a content model after types.xsd and messages.xsd: particles in order, `?` `*` `+` as usual,
`A|B` a choice, `Name=Type` where an element's type is not called like the element. Names without `m:`
are in the types namespace. An element without a model holds text alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lxml import etree

T = "http://schemas.microsoft.com/exchange/services/2006/types"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"

_PATH = "FieldURI|IndexedFieldURI|ExtendedFieldURI"
_FOLDER = "FolderId|DistinguishedFolderId"
_ITEM_ID = "ItemId|OccurrenceItemId|RecurringMasterItemId"
_PATTERN = (
    "RelativeYearlyRecurrence|AbsoluteYearlyRecurrence|RelativeMonthlyRecurrence|AbsoluteMonthlyRecurrence"
    "|WeeklyRecurrence|DailyRecurrence"
)
_MESSAGE = "m:MessageText? m:ResponseCode? m:DescriptiveLinkKey? m:MessageXml?"
_ITEM = (
    "MimeContent? ItemId? ParentFolderId? ItemClass? Subject? Sensitivity? Body? Attachments? DateTimeReceived? Size? "
    "Categories? Importance? InReplyTo? IsSubmitted? IsDraft? IsFromMe? IsResend? IsUnmodified? "
    "InternetMessageHeaders? DateTimeSent? DateTimeCreated? ResponseObjects? ReminderDueBy? ReminderIsSet? "
    "ReminderNextTime? ReminderMinutesBeforeStart? DisplayCc? DisplayTo? HasAttachments? ExtendedProperty* Culture? "
    "EffectiveRights? LastModifiedName? LastModifiedTime? IsAssociated? WebClientReadFormQueryString? "
    "WebClientEditFormQueryString? ConversationId? UniqueBody? Flag? StoreEntryId? InstanceKey? TextBody?"
)
_CALENDAR = (
    "UID? RecurrenceId? DateTimeStamp? Start? End? OriginalStart? IsAllDayEvent? LegacyFreeBusyStatus? Location? When? "
    "IsMeeting? IsCancelled? IsRecurring? MeetingRequestWasSent? IsResponseRequested? CalendarItemType? "
    "MyResponseType? Organizer? RequiredAttendees=Attendees? OptionalAttendees=Attendees? Resources=Attendees? "
    "ConflictingMeetingCount? AdjacentMeetingCount? Duration? TimeZone? AppointmentReplyTime? "
    "AppointmentSequenceNumber? AppointmentState? Recurrence? FirstOccurrence=Occurrence? LastOccurrence=Occurrence? "
    "ModifiedOccurrences? DeletedOccurrences? MeetingTimeZone? StartTimeZone? EndTimeZone? ConferenceType? "
    "AllowNewTimeProposal? IsOnlineMeeting? MeetingWorkspaceUrl? NetShowUrl? StartWallClock? EndWallClock? "
    "StartTimeZoneId? EndTimeZoneId? JoinOnlineMeetingUrl? IsOrganizer?"
)

MODELS: dict[str, str] = {
    # requests
    "m:GetItem": "m:ItemShape m:ItemIds",
    "m:SyncFolderItems": "m:ItemShape m:SyncFolderId m:SyncState? m:Ignore? m:MaxChangesReturned m:SyncScope?",
    "m:FindItem": "m:ItemShape m:IndexedPageItemView|m:CalendarView? m:Restriction? m:SortOrder? m:ParentFolderIds",
    "m:CreateItem": "m:SavedItemFolderId? m:Items",
    "m:UpdateItem": "m:SavedItemFolderId? m:ItemChanges",
    "m:DeleteItem": "m:ItemIds",
    "m:GetFolder": "m:FolderShape m:FolderIds",
    "m:FindFolder": "m:FolderShape m:IndexedPageFolderView? m:Restriction? m:ParentFolderIds",
    "m:ConvertId": "m:SourceIds",
    "m:SourceIds": "AlternateId+",
    "m:ItemShape": "BaseShape IncludeMimeContent? BodyType? FilterHtmlContent? ConvertHtmlCodePageToUTF8? "
    "AdditionalProperties?",
    "m:FolderShape": "BaseShape AdditionalProperties?",
    "AdditionalProperties": f"{_PATH}+",
    "m:ItemIds": f"{_ITEM_ID}+",
    "m:FolderIds": f"{_FOLDER}+",
    "m:ParentFolderIds": f"{_FOLDER}+",
    "m:SyncFolderId": _FOLDER,
    "m:SavedItemFolderId": _FOLDER,
    "DistinguishedFolderId": "Mailbox?",
    "m:Restriction": "And|Or|Exists|IsEqualTo|Contains",
    "Exists": _PATH,
    "IsEqualTo": f"{_PATH} FieldURIOrConstant",
    "FieldURIOrConstant": f"{_PATH}|Constant",
    "m:ItemChanges": "ItemChange+",
    "ItemChange": f"{_ITEM_ID} Updates",
    "Updates": "SetItemField|DeleteItemField|AppendToItemField+",
    "SetItemField": f"{_PATH} CalendarItem",
    "DeleteItemField": _PATH,
    # items
    "m:Items": "CalendarItem*",
    "Items": "CalendarItem*",
    "CalendarItem": f"{_ITEM} {_CALENDAR}",
    "Categories": "String*",
    "ExtendedProperty": "ExtendedFieldURI Value",
    "Organizer": "Mailbox",
    "Attendees": "Attendee+",
    "Attendee": "Mailbox ResponseType? LastResponseTime?",
    "Mailbox": "Name? EmailAddress? RoutingType? MailboxType? ItemId?",
    "EffectiveRights": "CreateAssociated CreateContents CreateHierarchy Delete Modify Read ViewPrivateItems?",
    "Recurrence": f"{_PATTERN} NoEndRecurrence|EndDateRecurrence|NumberedRecurrence",
    "RelativeYearlyRecurrence": "DaysOfWeek DayOfWeekIndex Month",
    "AbsoluteYearlyRecurrence": "DayOfMonth Month",
    "RelativeMonthlyRecurrence": "Interval DaysOfWeek DayOfWeekIndex",
    "AbsoluteMonthlyRecurrence": "Interval DayOfMonth",
    "WeeklyRecurrence": "Interval DaysOfWeek FirstDayOfWeek?",
    "DailyRecurrence": "Interval",
    "NoEndRecurrence": "StartDate",
    "EndDateRecurrence": "StartDate EndDate",
    "NumberedRecurrence": "StartDate NumberOfOccurrences",
    "ModifiedOccurrences": "Occurrence+",
    "Occurrence": "ItemId Start End OriginalStart",
    "DeletedOccurrences": "DeletedOccurrence+",
    "DeletedOccurrence": "Start",
    # answers
    **{
        f"m:{name}Response": f"m:ResponseMessages={name}Messages"
        for name in (
            *("GetItem", "SyncFolderItems", "FindItem", "CreateItem", "UpdateItem", "DeleteItem"),
            *("GetFolder", "FindFolder", "ConvertId"),
        )
    },
    "GetItemMessages": "m:GetItemResponseMessage=ItemInfo+",
    "CreateItemMessages": "m:CreateItemResponseMessage=ItemInfo+",
    "UpdateItemMessages": "m:UpdateItemResponseMessage=UpdateInfo+",
    "DeleteItemMessages": "m:DeleteItemResponseMessage=Plain+",
    "SyncFolderItemsMessages": "m:SyncFolderItemsResponseMessage=SyncInfo+",
    "FindItemMessages": "m:FindItemResponseMessage=FindInfo+",
    "GetFolderMessages": "m:GetFolderResponseMessage=FolderInfo+",
    "FindFolderMessages": "m:FindFolderResponseMessage=FindFolderInfo+",
    "ConvertIdMessages": "m:ConvertIdResponseMessage=Plain+",
    "Plain": _MESSAGE,
    "ItemInfo": f"{_MESSAGE} m:Items",
    "UpdateInfo": f"{_MESSAGE} m:Items m:ConflictResults?",
    "SyncInfo": f"{_MESSAGE} m:SyncState? m:IncludesLastItemInRange? m:Changes?",
    "FindInfo": f"{_MESSAGE} m:RootFolder=FindItemParent?",
    "FolderInfo": f"{_MESSAGE} m:Folders",
    "FindFolderInfo": f"{_MESSAGE} m:RootFolder=FindFolderParent?",
    "FindItemParent": "Items",
    "FindFolderParent": "Folders",
    "m:Folders": "Folder=AnyFolder|CalendarFolder=AnyFolder*",
    "Folders": "Folder=AnyFolder|CalendarFolder=AnyFolder*",
    "AnyFolder": "FolderId? ParentFolderId? FolderClass? DisplayName? TotalCount? ChildFolderCount? ExtendedProperty* "
    "ManagedFolderInformation? EffectiveRights? DistinguishedFolderId=Leaf? SharingEffectiveRights? UnreadCount?",
    "m:Changes": "Create=ChangedItem|Update=ChangedItem|Delete=GoneItem|ReadFlagChange*",
    "ChangedItem": "CalendarItem|Task=AnyItem|MeetingRequest=AnyItem",
    "AnyItem": "ItemId",
    "ReadFlagChange": "ItemId IsRead",
    "GoneItem": "ItemId",
    "m:ConflictResults": "Count",
    "m:MessageXml": "Value*",
}

REQUIRED_ATTRIBUTES = {
    "ItemId": {"Id"},
    "FolderId": {"Id"},
    "DistinguishedFolderId": {"Id"},
    "OccurrenceItemId": {"RecurringMasterId", "InstanceIndex"},
    "FieldURI": {"FieldURI"},
    "ExtendedFieldURI": {"PropertyType"},
    "Body": {"BodyType"},
    "Constant": {"Value"},
    "IndexedPageItemView": {"Offset", "BasePoint"},
    "CalendarView": {"StartDate", "EndDate"},
    "UpdateItem": {"ConflictResolution"},
    "DeleteItem": {"DeleteType"},
    "FindItem": {"Traversal"},
    "FindFolder": {"Traversal"},
}

_SEND = {"SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"}
WORDS = {
    "Sensitivity": {"Normal", "Personal", "Private", "Confidential"},
    "Importance": {"Low", "Normal", "High"},
    "LegacyFreeBusyStatus": {"Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"},
    "CalendarItemType": {"Single", "Occurrence", "Exception", "RecurringMaster"},
    "ResponseType": {"Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"},
    "BaseShape": {"IdOnly", "Default", "AllProperties"},
    "DayOfWeekIndex": {"First", "Second", "Third", "Fourth", "Last"},
    "SendMeetingInvitations": _SEND,
    "SendMeetingCancellations": _SEND,
    "SendMeetingInvitationsOrCancellations": {*_SEND, "SendOnlyToChanged", "SendToChangedAndSaveCopy"},
    "ConflictResolution": {"NeverOverwrite", "AutoResolve", "AlwaysOverwrite"},
    "DeleteType": {"HardDelete", "SoftDelete", "MoveToDeletedItems"},
    "BodyType": {"Best", "HTML", "Text"},
    "ResponseClass": {"Success", "Warning", "Error"},
}

_DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?")
_BOOLEAN = re.compile(r"true|false|0|1")
_NUMBER = re.compile(r"-?\d+")
_MOMENTS = "Start End OriginalStart DateTimeCreated LastModifiedTime RecurrenceId LastResponseTime"
FORMS = {
    **dict.fromkeys(_MOMENTS.split(), _DATE_TIME),
    **dict.fromkeys(("StartDate", "EndDate"), _DATE),
    **dict.fromkeys(
        ("IsAllDayEvent", "ReminderIsSet", "IsMeeting", "IsCancelled", "IncludesLastItemInRange"), _BOOLEAN
    ),
    **dict.fromkeys(("ReminderMinutesBeforeStart", "Interval", "NumberOfOccurrences", "MaxChangesReturned"), _NUMBER),
}


@dataclass(frozen=True)
class Particle:
    """One place of a content model: which elements may stand there, how often, and their types."""

    names: dict[str, str]
    least: int
    most: int


def violations(element: etree._Element, model: str | None = None) -> list[str]:
    """What is wrong with an element and all below it by the schema; empty where all is well."""
    name = _name(element)
    model = model or name
    found = [*(_attributes(element, name) if model != "Leaf" else ()), *_words(element, name)]
    particles = _particles(model)
    if particles is None:
        return found + [f"{name} holds {_name(child)}" for child in element][:1]
    place = count = 0
    for child in element:
        while place < len(particles) and (_name(child) not in particles[place].names or count >= particles[place].most):
            if count < particles[place].least:
                return [*found, f"{name} lacks {'|'.join(particles[place].names)} before {_name(child)}"]
            place, count = place + 1, 0
        if place == len(particles):
            return [*found, f"{name} has {_name(child)} where it may not stand"]
        count += 1
        found += violations(child, particles[place].names[_name(child)])
    while place < len(particles):
        if count < particles[place].least:
            found.append(f"{name} lacks {'|'.join(particles[place].names)}")
        place, count = place + 1, 0
    return found


def _name(element: etree._Element) -> str:
    tag = etree.QName(element)
    return f"m:{tag.localname}" if tag.namespace == M else tag.localname if tag.namespace == T else f"?{tag.text}"


@cache
def _particles(model: str) -> tuple[Particle, ...] | None:
    text = MODELS.get(model)
    return None if text is None else tuple(map(_particle, text.split()))


def _particle(text: str) -> Particle:
    sign = text[-1] if text[-1] in "?*+" else ""
    pairs = (entry.partition("=") for entry in text.rstrip("?*+").split("|"))
    return Particle(
        {name: model or name for name, _, model in pairs}, int(sign in {"", "+"}), 1 if sign in {"", "?"} else 10**6
    )


def _attributes(element: etree._Element, name: str) -> list[str]:
    local = name.removeprefix("m:")
    missing = REQUIRED_ATTRIBUTES.get(local, set()) - set(element.attrib)
    wrong = [key for key, value in element.attrib.items() if key in WORDS and value not in WORDS[str(key)]]
    return [f"{name} lacks @{key}" for key in sorted(missing)] + [f"{name}@{key} is no word of it" for key in wrong]


def _words(element: etree._Element, name: str) -> list[str]:
    local, text = name.removeprefix("m:"), element.text or ""
    if local in WORDS and not len(element) and text not in WORDS[local]:
        return [f"{name} is {text!r}"]
    if local in FORMS and not len(element) and not FORMS[local].fullmatch(text):
        return [f"{name} is {text!r}"]
    return []
