"""The two forms of activity files behind one face, chosen by the file's suffix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.activity import activity_codec
from daemon.core.model import Activity
from daemon.core.store import Create, Update


@dataclass(frozen=True, slots=True)
class Formats:
    """Reads and writes activity files. `zone` is the store's default zone; without `types` any type will do."""

    zone: str
    types: Sequence[str] = ()

    def read(self, raw: bytes, path: str) -> Activity:
        """The activity that a file says. Raises Unreadable."""
        if is_ics(path):
            from adapters.ics import ics_codec  # noqa: PLC0415  icalendar is heavy: loaded when the first ICS file comes

            return ics_codec.read(raw, zone=self.zone, types=self.types, path=path)
        return activity_codec.read(raw, zone=self.zone, types=self.types, path=path)

    def compose(self, write: Create, path: str, now: datetime) -> bytes:
        """The bytes of a new file. Raises Unreadable for a value that the form can't hold."""
        if is_ics(path):
            from adapters.ics import ics_codec  # noqa: PLC0415  icalendar is heavy: loaded when the first ICS file comes

            return ics_codec.compose(
                write.uid, write.view, zone=self.zone, now=now, local=write.local, floating=write.floating
            )
        return activity_codec.compose(write.view, uid=write.uid, local=write.local, zone=self.zone)

    def patch(self, raw: bytes, write: Update, now: datetime) -> bytes:
        """The bytes of a file after a patch. Raises Unreadable."""
        if is_ics(write.ref.id):
            from adapters.ics import ics_codec  # noqa: PLC0415  icalendar is heavy: loaded when the first ICS file comes

            if write.says.get("masked") == "true":  # nothing else of the event may stay, in whatever property it stands
                return self._masked_ics(raw, write, now)
            raw = ics_codec.patch(raw, write.patch, zone=self.zone, now=now, uid=write.uid, types=self.types)
            return ics_codec.say(raw, write.says)
        raw = activity_codec.patch(raw, write.patch, zone=self.zone, uid=write.uid)
        for key, text in write.says.items():
            raw = activity_codec.set_local(raw, key, text)
        return raw

    def _masked_ics(self, raw: bytes, write: Update, now: datetime) -> bytes:
        from adapters.ics import ics_codec  # noqa: PLC0415  as above

        before = ics_codec.read(raw, zone=self.zone, types=self.types)
        view = {key: value for key, value in write.patch.items() if value is not None}
        local = replace(before.local, masked=True)
        return ics_codec.compose(before.uid, view, zone=self.zone, now=now, local=local, floating=before.floating)


def is_ics(path: str) -> bool:
    """Whether a path is of an iCalendar file."""
    return path[-4:].lower() == ".ics"
