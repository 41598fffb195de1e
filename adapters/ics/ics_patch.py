"""Brings a calendar object from one view to another, touching only the lines of what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.ics.content_lines import Component, Line, ending_of, line, parse
from adapters.ics.ics_fields import Fields
from adapters.ics.ics_lines import drop, put, remove
from adapters.ics.ics_people import put_guests
from adapters.ics.ics_series import OF_THE_SERIES, WHOLE, Series, apply, differences
from adapters.ics.ics_times import Form, TimeWriter, original_moment, put_rule, put_skips, rewrite_skips
from adapters.ics.ics_values import escape, unescape, write_moment
from adapters.ics.ics_write import PLAIN_FIELDS, put_categories, put_field, put_type
from daemon.core.instances import occurs
from daemon.core.model import AllDay, Field, Guest, Key, Original, Patch, Timed, Value, When
from daemon.core.times import natural

# What guests must be told about: RFC 5546 section 2.1.4 wants a higher SEQUENCE then.
_SIGNIFICANT = frozenset({Field.WHEN, Field.REPEAT, Field.SKIP, Field.STATUS, Field.LOCATION})
_OF_A_MASTER = (b"RRULE", b"RDATE", b"EXDATE", b"EXRULE", b"X-DATEBOOK-DONE", b"X-DATEBOOK-DONE-THROUGH")
_OF_EVERY_OVERRIDE = frozenset({b"RECURRENCE-ID", b"DTSTAMP", b"CREATED", b"LAST-MODIFIED", b"SEQUENCE", b"DTEND"})
# What a view tells whole: an override that differs in none of its fields has no more of these than its series.
_IN_A_VIEW = frozenset(
    (b"SUMMARY", b"LOCATION", b"DESCRIPTION", b"STATUS", b"CLASS", b"PRIORITY", b"TRANSP", b"CATEGORIES", b"DURATION")
)
_SERIES_CHANGES = frozenset({Field.REPEAT, Field.WHEN})
_ALARM_IDS = (b"UID", b"X-WR-ALARMUID")


@dataclass(slots=True)
class Patcher:
    """One patch of one calendar object. `agent`: SCHEDULE-AGENT of the guests that it adds."""

    series: Series
    now: datetime
    agent: str = ""
    floating: bool = False
    is_new: bool = False
    times: TimeWriter = field(init=False)
    form: Form = field(init=False)

    def __post_init__(self) -> None:
        """The form of the master's moments is that of its DTSTART."""
        self.times = TimeWriter(self.series.calendar, self.series.reader, self.now.year)
        start, when = self.series.master.first(b"DTSTART"), self.series.when
        self.form = self.times.form(when, start) if when and start else Form()

    def apply(self, patch: Patch) -> None:
        """Change the lines of the object; nothing where nothing differs."""
        view = self.series.view()
        # A description is written anyway: the block of context at its end is no part of the view.
        patch = {k: value for k, value in patch.items() if view.get(k) != value or k.field is Field.DESCRIPTION}
        target = apply(view, patch)
        own = {key.field: value for key, value in target.items() if key.instance is None}
        special: dict[Original, dict[Field, Value]] = {}
        for key, value in target.items():
            if key.instance is not None:
                special.setdefault(key.instance, {})[key.field] = value
        whole = {key.field for key in patch if key.instance is None}
        single: dict[Original, set[Field]] = {}
        for key in patch:
            if key.instance is not None:
                single.setdefault(key.instance, set()).add(key.field)
        moved = self._put_master(own, whole)
        for original in sorted(self.series.overrides, key=str):
            self._put_override(
                original, own, special.get(original, {}), whole, single.get(original, set()), moved=moved
            )
        for original in sorted(special.keys() - self.series.overrides.keys(), key=str):
            if differences(own, self._effective(own, special[original], original), original):
                self._add_override(original, own, special[original])

    def _put_master(self, own: Fields, changed: set[Field]) -> bool:
        """True: the moments of the series are written otherwise than before."""
        event, before = self.series.master, self.series.master.dump()
        when = own.get(Field.WHEN)
        when = when if isinstance(when, Timed | AllDay) else None
        moved = False
        if Field.WHEN in changed and when != self.series.when:
            usual = self.series.when
            self.form = self.times.put_when(event, when, floating=self.floating)
            moved = not _alike(usual, when)
        self._put_fields(event, self.series.own, own, changed)
        if Field.REPEAT in changed or (Field.WHEN in changed and Field.REPEAT in own and event.first(b"RRULE")):
            put_rule(event, str(own.get(Field.REPEAT, "")), when, self.form)
        self._put_skips(own, when, changed, moved=moved)
        self._stamp(event, before, changed, self.series.own, own)
        return moved

    def _put_skips(self, own: Fields, when: When | None, changed: set[Field], *, moved: bool) -> None:
        skips = own.get(Field.SKIP, frozenset())
        wanted: frozenset[Original] = skips if isinstance(skips, frozenset) else frozenset()  # type: ignore[assignment]  # SKIP holds originals
        if moved:
            rewrite_skips(self.series, wanted, when, self.form)
        elif Field.SKIP in changed:
            put_skips(self.series, wanted, when, self.form)

    def _put_fields(self, event: Component, before: Fields, after: Fields, changed: set[Field]) -> None:
        for name in PLAIN_FIELDS:
            if name in changed:
                put_field(event, name, after.get(name))
        old, kind = str(before.get(Field.TYPE, "")), str(after.get(Field.TYPE, ""))
        if Field.TYPE in changed and old != kind:
            put_type(event, kind, old)
        if Field.CATEGORIES in changed:
            names = after.get(Field.CATEGORIES, frozenset())
            put_categories(event, frozenset(map(str, names)) if isinstance(names, frozenset) else frozenset(), kind)
        if Field.ATTENDEES in changed:
            guests = after.get(Field.ATTENDEES, frozenset())
            wanted = (
                frozenset(guest for guest in guests if isinstance(guest, Guest))
                if isinstance(guests, frozenset)
                else frozenset()
            )
            put_guests(event, wanted, agent=self.agent)

    def _effective(self, own: Fields, special: Fields, original: Original) -> dict[Field, Value]:
        """What an instance shows: the series, on its own day, with what differs."""
        shown = {name: value for name, value in own.items() if name not in OF_THE_SERIES}
        when = own.get(Field.WHEN)
        if isinstance(when, Timed | AllDay):
            shown[Field.WHEN] = natural(when, original)
        shown.update(special)
        return shown

    def _put_override(  # noqa: PLR0913  what the series and the instance say, and what of it is new
        self,
        original: Original,
        own: Fields,
        special: Fields,
        whole: set[Field],
        single: set[Field],
        *,
        moved: bool,
    ) -> None:
        event, shown = self.series.overrides[original], self.series.shown[original]
        differed = differences(self.series.own, shown, original)
        after = self._effective(own, special, original)
        if not differences(own, after, original) and (
            self._has_ended(original, own, whole)
            or (single and not _has_more(event, self.series.master, own, original))
        ):
            remove(self.series.calendar, [event])
            return
        changed = single | {name for name in whole - OF_THE_SERIES if name not in differed}
        before = event.dump()
        when = after.get(Field.WHEN)
        if Field.WHEN in changed and isinstance(when, Timed | AllDay) and when != shown.get(Field.WHEN):
            self.times.put_when(event, when)
        self._put_fields(event, shown, after, changed)
        if moved:
            self._put_original(event, original, own)
        self._stamp(event, before, changed, shown, after)

    def _has_ended(self, original: Original, own: Fields, changed: set[Field]) -> bool:
        """Whether the series, as it is now, has no such instance; not where more than its rule says what it has."""
        skips = own.get(Field.SKIP)
        if Field.SKIP in changed and isinstance(skips, frozenset) and original in skips:
            return True
        if not changed & _SERIES_CHANGES or WHOLE in self.series.frozen:
            return False
        return not occurs({Key(name): value for name, value in own.items()}, original)

    def _put_original(self, event: Component, original: Original, own: Fields) -> None:
        when = own.get(Field.WHEN)
        start = original_moment(original, when if isinstance(when, Timed | AllDay) else None)
        put(event, "RECURRENCE-ID", f"RECURRENCE-ID{self.form.params}:{self.form.text(start)}")

    def _add_override(self, original: Original, own: Fields, special: Fields) -> None:
        """A copy of the master with what differs, behind the last event."""
        calendar, master = self.series.calendar, self.series.master
        event = next(parse(master.dump()).components(b"VEVENT"))
        drop(event, *_OF_A_MASTER)
        for alarm in event.components(b"VALARM"):
            drop(alarm, *_ALARM_IDS)
        after = self._effective(own, special, original)
        when = after.get(Field.WHEN)
        if isinstance(when, Timed | AllDay):
            self.times.put_when(event, when)
        self._put_original(event, original, own)
        self._put_fields(event, own, after, set(special))
        self._touch(event)
        events = list(calendar.components(b"VEVENT"))
        calendar.body.insert(calendar.body.index(events[-1]) + 1, event)

    def _stamp(self, event: Component, before: bytes, changed: set[Field], old: Fields, new: Fields) -> None:  # noqa: PLR0913, PLR0917, RUF100  both states
        if self.is_new or event.dump() == before:
            return
        if any(old.get(name) != new.get(name) for name in changed & _SIGNIFICANT):
            _raise_sequence(event)
        self._touch(event)

    def _touch(self, event: Component) -> None:
        stamp = write_moment(self.now.astimezone(UTC))
        put(event, "DTSTAMP", f"DTSTAMP:{stamp}")
        put(event, "LAST-MODIFIED", f"LAST-MODIFIED:{stamp}")


def _alike(a: When | None, b: When | None) -> bool:
    """Whether original starts are written alike for both spans: same time of day, same zone."""
    if isinstance(a, Timed) and isinstance(b, Timed):
        return a.start.time() == b.start.time() and a.zone == b.zone
    return type(a) is type(b)


def _has_more(event: Component, master: Component, own: Fields, original: Original) -> bool:
    """Whether an override holds what Datebook doesn't know and the master lacks; not where it is left out now."""
    skips = own.get(Field.SKIP)
    if isinstance(skips, frozenset) and original in skips:
        return False
    names = {each.name for each in event.body if isinstance(each, Line)}
    return bool(names - {each.name for each in master.body if isinstance(each, Line)} - _OF_EVERY_OVERRIDE - _IN_A_VIEW)


def _raise_sequence(event: Component) -> None:
    existing = event.first(b"SEQUENCE")
    value = existing.value.strip() if existing else "0"
    number = int(value) if value.isdecimal() and len(value) < 10 else 0  # noqa: PLR2004  fits RFC 5545's integers
    put(event, "SEQUENCE", f"SEQUENCE:{number + 1}")


def put_uid(series: Series, uid: str) -> None:
    """Give every event of an object this UID, in place of none or of another activity's."""
    for event in (series.master, *series.overrides.values()):
        known = event.first(b"UID")
        if known is None:
            event.body.insert(0, line(f"UID:{escape(uid)}", ending_of(event)))
        elif unescape(known.value.strip()) != uid:
            put(event, "UID", f"UID:{escape(uid)}")
