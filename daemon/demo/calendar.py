"""Another calendar program, as the demo needs one: it reads and edits the demo's calendar over CalDAV."""

from __future__ import annotations

import logging
from typing import Any

from daemon.demo.stage import Stage


class OtherClient:
    """Works with the `caldav` package's own objects and knows nothing of Datebook."""

    def __init__(self, stage: Stage) -> None:
        import caldav

        logging.getLogger("caldav").setLevel(logging.ERROR)
        client = caldav.DAVClient(url=stage.url, username="demo", password="demo", auth_type="basic")  # noqa: S106  the demo's own server takes any
        self._calendar: Any = client.calendar(url=stage.collection)

    def titles(self) -> list[str]:
        """The titles of all events."""
        return sorted(str(event.icalendar_component["summary"]) for event in self._calendar.events())

    def event(self, title: str) -> Any:
        """The event with this title; None: there is none."""
        found = (one for one in self._calendar.events() if str(one.icalendar_component["summary"]) == title)
        return next(found, None)

    def described(self, title: str) -> str:
        """An event in a line: when and where."""
        event = self.event(title)
        if event is None:
            return ""
        part = event.icalendar_component
        where = f", {part['location']}" if part.get("location") else ""
        return f"{part['dtstart'].dt:%Y-%m-%d %H:%M} - {part['dtend'].dt:%H:%M}{where}"

    def change(self, title: str, **properties: str) -> None:
        """Set properties of an event."""
        event = self.event(title)
        for name, value in properties.items():
            event.icalendar_component[name] = value
        event.save()
